"""Agents that are threads: the same lanes over channels in memory, with what a thread cannot do left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.hosts.loading import loading, loading_worker
from actors.hosts.serialize import dumps, error_of, loads
from actors.hosts.thread import ThreadHost
from actors.protocol.messages import (
    Cancellation,
    CoordinationRequest,
    Outcome,
    Shutdown,
)
from actors.protocol.states import AgentState
from tests.agent import workers
from tests.agent.gates import Gate
from tests.agent.support import Subject, error_in, value_of


@pytest.fixture
def thread_agent(tmp_path: Path) -> Iterator[Callable[..., Subject]]:
    host = ThreadHost()
    host.start()
    subjects: list[Subject] = []

    def start(*args: Any, **kwargs: Any) -> Subject:
        subjects.append(Subject(host, tmp_path, *args, **kwargs))
        return subjects[-1]

    yield start
    for subject in subjects:
        if not subject.reports:
            subject.request(Shutdown("the test is over", 0.0))
            subject.ended()
        subject.handle.close()
    subjects.clear()
    host.close(5.0)


def test_a_thread_runs_tasks_and_handlers_and_ends(thread_agent: Callable[..., Subject]) -> None:
    """Hosts: the same code over other channels."""
    subject = thread_agent().ready()
    assert subject.call("echo", [1, 2]) == [1, 2]
    assert isinstance(error_in(subject.result(subject.start("fail_with", ValueError("text")))), ValueError)
    correlation = subject.request(CoordinationRequest("message", dumps(workers.Greeting("hello"))))
    assert loads(subject.answer(correlation).data).startswith("hello to you")
    subject.answer(subject.request(Shutdown("", 1.0)))
    assert subject.ended().exit_code == 0
    assert not subject.workspace.exists()


def test_a_coroutine_runs_in_a_thread(thread_agent: Callable[..., Subject]) -> None:
    """Hosts: as above, and it can be interrupted where it awaits."""
    subject = thread_agent(workers.Juggler, concurrency=3).ready()
    items = [subject.item("meet", 3) for _ in range(3)]
    subject.assign(*items)
    assert [value_of(subject.result()) for _ in items] == [3, 3, 3]


def test_a_thread_is_interrupted_where_it_waits_in_the_library(thread_agent: Callable[..., Subject]) -> None:
    """Hosts: `promises.interrupts` is not kept, but a wait for an answer can be broken."""
    subject = thread_agent().ready()
    number = subject.start("ask_other", "somebody-1", "hello")
    subject.asked("message")
    assert subject.state is AgentState.COMMUNICATING
    subject.request(Cancellation(number, 1, 0, "of a test"))
    assert subject.result(number).outcome == Outcome.INTERRUPTED


def test_a_task_in_a_thread_can_ask_whether_it_is_cancelled(
    thread_agent: Callable[..., Subject], tmp_path: Path
) -> None:
    """Hosts: as above."""
    subject = thread_agent().ready()
    gate = Gate.make(tmp_path, "gate")
    number = subject.start("poll_cancelled", gate)
    gate.reached()
    gate.open()
    subject.request(Cancellation(number, 1, 0, "of a test"))
    result = subject.result(number)
    assert result.outcome in (Outcome.VALUE, Outcome.INTERRUPTED)


def test_a_start_that_fails_in_a_thread_is_told(thread_agent: Callable[..., Subject]) -> None:
    """Hosts: as in a process."""
    subject = thread_agent(arguments={"fail": "no licence"})
    failure = subject.goodbye().failure
    assert failure is not None and isinstance(error_of(failure), RuntimeError)
    assert subject.ended().exit_code == 1


def test_whoever_loads_a_worker_can_be_told_from_others() -> None:
    """J1: a module that starts a system when it is imported must not start one in each agent that imports it."""
    assert loading_worker() is None
    with loading("thumbnailer-1"):
        assert loading_worker() == "thumbnailer-1"
    assert loading_worker() is None
