"""There are as many agents of a type as the program asked for, whatever ends at the same time."""

from __future__ import annotations

import os
import signal
import time

import pytest

from actors import ActorSystem, AgentStatus, AgentTerminated, Worker, task
from tests.system.support import CONFIG, LIMIT, Heard, wait_for

pytestmark = pytest.mark.timeout(60)


class Sleeper(Worker):
    """Is busy for a while."""

    @task
    def rest(self) -> str:
        time.sleep(LIMIT * 2)
        return self.agent_id


def _in_state(system: ActorSystem, *states: str) -> list[AgentStatus]:
    return [each for each in system.agents() if str(each.state) in states]


@pytest.mark.slow
def test_an_agent_ended_while_another_one_goes_as_too_many_is_made_up_for() -> None:
    """C2: at the call of terminate there are three of two; one of them is going already, so the other one is missed."""
    with ActorSystem({Sleeper: 3}, config=CONFIG) as system:
        wait_for(lambda: len(_in_state(system, "idle")) == 3, "three idle agents")
        futures = [system.submit(Sleeper.rest) for _ in range(2)]
        wait_for(lambda: len(_in_state(system, "working")) == 2, "two agents at work")
        (free,) = _in_state(system, "idle")
        busy = _in_state(system, "working")[0]
        # It cannot hear that it is to end, and so goes late.
        os.kill(free.pid or 0, signal.SIGSTOP)
        ended = Heard()
        system.subscribe(AgentTerminated, ended)
        system.scale(Sleeper, 2)
        system.terminate(busy.agent, timeout=0)
        ended.first(lambda event: event.agent == free.agent, "the end of the agent that is too many")
        wait_for(lambda: len(_in_state(system, "idle", "working")) == 2, "two agents")
        for future in futures:
            future.cancel()
