"""Agents that are threads: what works there as in processes, and that what does not is said when work is handed in."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest

from actors import ActorSystem, Limits, TaskExited, TaskTimeout, Worker, task

LIMIT = 20.0


class Guest(Worker):
    """Lives in the program's own process."""

    limits = Limits(memory="64M")

    @task
    def whose(self) -> int:
        return threading.get_ident()

    @task
    def parent(self) -> int:
        return self.submit(Guest.whose).result()

    @task(retries=0)
    def leave(self) -> None:
        raise SystemExit(3)

    @task(timeout=30)
    def limited(self) -> str:
        return "in time"

    @task
    async def rest(self) -> None:
        await asyncio.Event().wait()


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_tasks_sub_tasks_and_exits_are_as_in_a_process() -> None:
    """J2, design: the thread host is for quick tests and debugging."""
    with ActorSystem({Guest: 1}, host="thread") as system:
        agent = system.submit(Guest.whose).result(LIMIT)
        assert agent in {thread.ident for thread in threading.enumerate()} - {threading.get_ident()}
        assert system.submit(Guest.parent).result(LIMIT) == agent
        error = system.submit(Guest.leave).exception(LIMIT)
        assert isinstance(error, TaskExited) and error.code == 3
        assert system.submit(Guest.limited).result(LIMIT) == "in time"


def test_what_awaits_is_interrupted_at_its_time_limit() -> None:
    """D5: the one interruption that reaches a thread."""
    with ActorSystem({Guest: 1}, host="thread") as system:
        late = system.options(timeout=0.2).submit(Guest.rest)
        assert isinstance(late.exception(LIMIT), TaskTimeout)
        assert system.submit(Guest.limited).result(LIMIT) == "in time"


def test_a_limit_that_a_thread_cannot_keep_is_told_once_when_work_is_handed_in(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Design, System: what a host cannot keep it says at submission; a default of the configuration is no promise."""
    with ActorSystem({Guest: 1}, host="thread") as system:
        assert system.submit(len, "plain").result(LIMIT) == 5
        assert warnings(caplog) == []
        for _ in range(3):
            assert system.submit(Guest.limited).result(LIMIT) == "in time"
        told = warnings(caplog)
        assert len(told) == 2, told
        assert any("time limit of 30 s of guest.limited is not enforced" in text for text in told)
        assert any("memory limit of guest is not enforced" in text for text in told)
        assert all("host='process'" in text for text in told)
        assert system.options(timeout=7).submit(len, "plain").result(LIMIT) == 5
        assert "time limit of 7 s" in warnings(caplog)[2]


def test_a_process_keeps_its_limits_and_nothing_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """Design, System: the other side of it."""
    with ActorSystem({Guest: 1}) as system:
        assert system.submit(Guest.limited).result(LIMIT) == "in time"
        assert system.options(timeout=7).submit(len, "plain").result(LIMIT) == 5
    assert warnings(caplog) == []
