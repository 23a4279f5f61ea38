"""Tasks that kill each agent they meet: they cost themselves, and never their agents' type or the system."""

from __future__ import annotations

import os
import signal

import pytest

from actors import ActorSystem, AgentDied, Backoff, Worker, task
from tests.system.poisons import DiesOnRead
from tests.system.support import CONFIG

LIMIT = 50.0
QUICK = Backoff(first=0.01, limit=0.05)


class Patient(Worker):
    """Takes what it is given."""

    @task(retries=10, backoff=QUICK)
    def swallow(self) -> None:
        """Die."""
        os.kill(os.getpid(), signal.SIGKILL)

    @task(retries=3, backoff=QUICK)
    def read(self, value: object) -> object:
        """Give it back."""
        return value

    @task
    def echo(self, value: int) -> int:
        """Give it back."""
        return value


@pytest.mark.timeout(90)
@pytest.mark.parametrize("count", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_pills_at_once_with_ten_retries_each_do_not_end_their_type(count: int) -> None:
    """F4, F1: so many deaths in a few seconds are the tasks' doing; more than 3 failed starts in a row would be the agents'."""
    with ActorSystem({Patient: 2}, config=CONFIG) as system:
        before = [system.submit(Patient.echo, number) for number in range(20)]
        pills = [system.submit(Patient.swallow) for _ in range(count)]
        beside = [system.submit(Patient.echo, number) for number in range(20)]
        for pill in pills:
            error = pill.exception(LIMIT)
            assert isinstance(error, AgentDied), error
            assert error.signal == "SIGKILL" and error.attempt == 11
        assert [future.result(LIMIT) for future in before + beside] == 2 * list(range(20))
        # Those that only stood behind a pill have lost no attempt to it.
        assert {future.info().attempt for future in before + beside} == {1}
        assert system.submit(Patient.echo, 7).result(LIMIT) == 7
        assert system.healthy() and len(system.agents()) == 2
        dead = system.dead_letters()
        assert [len(each.attempts) for each in dead] == [11] * count
        # The agents lived through it by being replaced at once: no death was counted against them.
        assert sum(agent.incarnation for agent in system.agents()) == 2 + 11 * count


@pytest.mark.timeout(90)
@pytest.mark.parametrize("count", [4, pytest.param(10, marks=pytest.mark.slow)])
def test_pills_that_kill_whoever_reads_their_arguments_do_not_keep_agents_away_from_the_others(count: int) -> None:
    """F4: nothing had begun, and it is the tasks' doing all the same, so agents are replaced at once."""
    with ActorSystem({Patient: 2}, config=CONFIG) as system:
        pills = [system.submit(Patient.read, DiesOnRead()) for _ in range(count)]
        for pill in pills:
            assert isinstance(pill.exception(LIMIT), AgentDied)
        assert system.submit(Patient.echo, 7).result(LIMIT) == 7
        assert system.healthy() and len(system.agents()) == 2
