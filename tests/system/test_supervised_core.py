"""Hub, scheduler and resource manager are supervised: what fails is restarted, and no task is lost by it."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from actors import ActorSystem, AgentConfig, Limits, SystemClosed, SystemConfig, Worker, task
from actors.runtime import messages as m

pytestmark = pytest.mark.timeout(60)

SOON = 20.0


class Counter(Worker):
    """Counts."""

    @task
    def same(self, value: int) -> int:
        return value


def planted(*_: Any) -> None:
    """A question that nobody can answer."""
    raise RuntimeError("planted")


POISON = {"scheduler": m.Inspect(planted), "hub": m.AddListener(None), "resources": m.SetLimits("nobody", Limits())}


def system() -> ActorSystem:
    return ActorSystem({Counter: 2}, config=SystemConfig(agent=AgentConfig(grace=1.0)))


@pytest.mark.parametrize("part", ["scheduler", "hub", "resources"])
def test_a_part_that_fails_is_restarted_and_no_task_is_lost(part: str, caplog: pytest.LogCaptureFixture) -> None:
    """F1: a handler raises what nobody expected, in the middle of 500 tasks."""
    caplog.set_level(logging.CRITICAL, logger="actors")
    with system() as running:
        peers = running._running().peers
        futures = [running.submit(Counter.same, value) for value in range(250)]
        ref = getattr(peers, part)
        ref.tell(POISON[part])
        futures += [running.submit(Counter.same, value) for value in range(250, 500)]
        assert [future.result(SOON) for future in futures] == list(range(500))
        assert running.healthy()
        # What it failed on is handled once more, and then given up.
        assert ref.incarnation == 3
        running.submit(Counter.same, 1).result(SOON)


def test_a_part_that_fails_again_and_again_ends_the_system_with_the_whole_story() -> None:
    """F1: more restarts than the intensity allows escalate, and whoever waits is told."""
    with system() as running:
        peers = running._running().peers
        waiting = running.submit(_sleep_long)
        for _ in range(4):
            peers.scheduler.tell(m.Inspect(planted))
        with pytest.raises(SystemClosed) as told:
            waiting.result(SOON)
        # Which actor, each failure, how often in what time.
        assert str(told.value).count("scheduler: RuntimeError: planted") == 4, told.value
        assert str(told.value).count("s earlier)") == 3
        with pytest.raises(SystemClosed, match="more than 3 restarts"):
            running.submit(Counter.same, 1)


def _sleep_long() -> None:
    import time

    time.sleep(60)
