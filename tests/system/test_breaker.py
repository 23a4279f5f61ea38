"""A circuit breaker on a running system: tasks of a type that keeps failing are let rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors import ActorSystem, CircuitClosed, CircuitOpen, CircuitOpened, SystemConfig, Worker, task
from tests.system.support import CONFIG, LIMIT, wait_for

BREAKERS = CONFIG.merged(SystemConfig(breaker_failures=3, breaker_cooldown=0.2, breaker_cooldown_limit=0.4))


class Client(Worker):
    """Uses something that may be down."""

    @task
    def call(self, service: str) -> str:
        """Ask it."""
        return Path(service).read_text()

    @task(breaker_failures=0)
    def call_always(self, service: str) -> str:
        """Ask it, however often that went wrong."""
        return Path(service).read_text()

    @task(type="nested")
    def through(self, service: str) -> str:
        """Ask it by a sub-task."""
        return self.submit(Client.call, service).result()


def test_a_type_that_keeps_failing_rests_and_comes_back_by_itself(tmp_path: Path) -> None:
    """F4: refused at once, told by an error, an event, the status and explain; closed by a task that goes well."""
    service = tmp_path / "service"
    with ActorSystem({Client: 2}, config=BREAKERS) as system, system.events(CircuitOpened, CircuitClosed) as told:
        for _ in range(3):
            assert isinstance(system.submit(Client.call, str(service)).exception(LIMIT), FileNotFoundError)
        opened = told.get(timeout=LIMIT)
        assert isinstance(opened, CircuitOpened) and opened.task_type == "client.call"
        refused = system.submit(Client.call, str(service)).exception(LIMIT)
        assert isinstance(refused, CircuitOpen)
        assert refused.task_type == "client.call" and "FileNotFoundError" in (refused.last_error or "")
        assert isinstance(system.submit(Client.through, str(service)).exception(LIMIT), CircuitOpen)
        assert [each.task_type for each in system.status().queue.breakers] == ["client.call"]
        # Others are not concerned: another type, and one that wants no breaker.
        for _ in range(4):
            assert isinstance(system.submit(Client.call_always, str(service)).exception(LIMIT), FileNotFoundError)
        service.write_text("here again")

        def answered() -> bool:
            return system.submit(Client.call, str(service)).exception(LIMIT) is None

        wait_for(answered, "a task that was let through")
        assert isinstance(told.get(timeout=LIMIT), CircuitClosed)
        assert system.queue().breakers == ()
        results = [system.submit(Client.call, str(service)) for _ in range(10)]
        assert [each.result(LIMIT) for each in results] == ["here again"] * 10


def test_what_waits_when_the_breaker_opens_is_done_later(tmp_path: Path) -> None:
    """F4: waiting tasks stay waiting, also those that were sent to an agent already, and are tried one by one."""
    service = tmp_path / "service"
    with ActorSystem({Client: 1}, config=BREAKERS) as system:
        system.pause()
        tasks = [system.submit(Client.call, str(service)) for _ in range(30)]
        system.resume()
        for each in tasks[:3]:
            assert isinstance(each.exception(LIMIT), FileNotFoundError)
        service.write_text("here again")
        outcomes = [each.exception(LIMIT) for each in tasks]
        assert None in outcomes, "none of those that waited was let through"
        assert not any(isinstance(error, CircuitOpen) for error in outcomes)
        assert outcomes[-1] is None


def test_callables_without_a_type_have_no_breaker_and_those_with_one_have() -> None:
    """F4: what goes wrong with one lambda says nothing about another one."""
    with ActorSystem(config=BREAKERS) as system:
        for _ in range(6):
            assert isinstance(system.submit(int, "x").exception(LIMIT), ValueError)
        parsing = system.options(type="parsing", breaker_failures=1)
        assert isinstance(parsing.submit(int, "x").exception(LIMIT), ValueError)
        assert isinstance(parsing.submit(int, "x").exception(LIMIT), CircuitOpen)
        assert system.submit(int, "7").result(LIMIT) == 7


@pytest.mark.parametrize("value", [-1, 1.5, True, "3"])
def test_a_bad_number_of_failures_is_refused(value: object) -> None:
    """A4: it names the option, the value and what is allowed."""
    with ActorSystem() as system, pytest.raises(ValueError, match=r"breaker_failures.*whole number"):
        system.options(breaker_failures=value)
