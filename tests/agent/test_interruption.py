"""Interrupting a running task."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from actors.errors import AskTimeout
from actors.hosts.interrupts import TaskInterrupted
from actors.hosts.serialize import unpack_value
from actors.protocol.messages import Cancellation, CancellationCause, Heartbeat, Outcome, Recall, StatusRequest
from actors.protocol.states import AgentState
from tests.agent.gates import Gate
from tests.agent.support import Subject, error_in

Agent = Callable[..., Subject]
Gates = Callable[[str], Gate]

CANCELLED = CancellationCause.CANCELLED


def cancel(subject: Subject, number: int, attempt: int = 1, cause: CancellationCause = CANCELLED) -> str:
    """Cancel a task and give the agent's answer."""
    data: str = subject.answer(subject.request(Cancellation(number, attempt, int(cause), "the test says so"))).data
    return data


@pytest.mark.parametrize("where", ["sleep", "receive", "lock", "loop"])
def test_an_interruption_ends_a_task_wherever_it_is(agent: Agent, gate: Gates, where: str) -> None:
    """D6: a sleep, a system call, a lock and a loop of pure Python are interrupted."""
    subject = agent().ready()
    arrived = gate("arrived")
    number = subject.start(where, arrived)
    arrived.reached()
    arrived.open()
    assert cancel(subject, number) == "interrupted"
    result = subject.result(number)
    assert result.outcome == Outcome.INTERRUPTED
    error = error_in(result)
    assert isinstance(error, TaskInterrupted)
    assert error.cause is CANCELLED and error.reason == "the test says so"
    assert subject.call("echo", 1) == 1
    assert subject.state is AgentState.IDLE


@pytest.mark.parametrize("cause", list(CancellationCause))
def test_the_interruption_tells_why(agent: Agent, gate: Gates, cause: CancellationCause) -> None:
    """B2: a cancellation carries its cause and reason, which the outcome repeats."""
    subject = agent().ready()
    arrived = gate("arrived")
    number = subject.start("sleep", arrived)
    arrived.reached()
    cancel(subject, number, cause=cause)
    error = error_in(subject.result(number))
    assert isinstance(error, TaskInterrupted)
    assert error.cause is cause


def test_a_c_function_without_a_frame_of_its_own_is_interrupted(agent: Agent) -> None:
    """D6: `submit(time.sleep, 3600)` has no Python code to interrupt but the call itself."""
    import time

    subject = agent().ready()
    number = subject.start("", 3600, function=time.sleep)
    subject.pump_until(lambda: subject.handle.status.read().running, "the start")
    cancel(subject, number)
    assert subject.result(number).outcome == Outcome.INTERRUPTED


def test_a_task_may_clean_up_before_it_ends(agent: Agent, gate: Gates, tmp_path: Path) -> None:
    """D6: finally blocks run; the outcome is the interruption."""
    subject = agent().ready()
    arrived, cleaned = gate("arrived"), tmp_path / "cleaned"
    number = subject.start("swallow", arrived, str(cleaned))
    arrived.reached()
    cancel(subject, number)
    assert subject.result(number).outcome == Outcome.INTERRUPTED
    assert cleaned.read_text() == "cleaned up"


def test_a_task_that_swallows_the_interruption_is_interrupted_again(agent: Agent, gate: Gates) -> None:
    """D6: repeated until it ends; the value that it returns in the end is not its outcome."""
    subject = agent().ready()
    arrived = gate("arrived")
    number = subject.start("stubborn", arrived)
    arrived.reached()
    cancel(subject, number)
    assert subject.result(number).outcome == Outcome.INTERRUPTED


def test_a_task_that_catches_the_interruption_can_ask_for_it(agent: Agent, gate: Gates) -> None:
    """`cancelled()` says so to the one who caught it."""
    subject = agent().ready()
    arrived = gate("arrived")
    number = subject.start("asked_to_stop", arrived)
    arrived.reached()
    cancel(subject, number)
    assert subject.result(number).outcome == Outcome.INTERRUPTED


def test_a_waiting_task_is_dropped_and_told(agent: Agent, gate: Gates) -> None:
    """D6: cancel of a task that is assigned and has not started."""
    subject = agent().ready()
    arrived = gate("arrived")
    running, waiting, last = (
        subject.item("wait_at", arrived),
        subject.item("echo", "never"),
        subject.item("echo", "last"),
    )
    subject.assign(running, waiting, last)
    arrived.reached()
    assert cancel(subject, waiting.number) == "dropped"
    dropped = subject.result(waiting.number)
    assert dropped.outcome == Outcome.INTERRUPTED and dropped.payload is None
    arrived.open()
    assert unpack_value(subject.result(running.number).payload) == "went on"
    assert unpack_value(subject.result(last.number).payload) == "last"


def test_an_old_attempt_is_not_interrupted(agent: Agent, gate: Gates) -> None:
    """D8: every cancellation names task and attempt."""
    subject = agent().ready()
    arrived = gate("arrived")
    number = subject.start("wait_at", arrived, attempt=2)
    arrived.reached()
    assert cancel(subject, number, attempt=1) == "not here"
    assert cancel(subject, number + 1) == "not here"
    arrived.open()
    assert subject.result(number).outcome == Outcome.VALUE


def test_an_interruption_while_the_arguments_are_read_keeps_the_body_from_running(agent: Agent, gate: Gates) -> None:
    """D6: in state assigned the body has not begun, and does not begin any more."""
    from tests.agent.workers import BlocksOnRead

    subject = agent().ready()
    reading = gate("reading")
    number = subject.start("echo", BlocksOnRead(reading))
    reading.reached()
    assert subject.state is AgentState.ASSIGNED
    assert cancel(subject, number) == "interrupted"
    reading.open()
    assert subject.result(number).outcome == Outcome.INTERRUPTED


def test_an_interruption_while_the_result_is_written_comes_too_late(agent: Agent, gate: Gates) -> None:
    """D6: only the body is interrupted; a result that is there stands."""
    subject = agent().ready()
    writing = gate("writing")
    number = subject.start("make", "BlocksOnWrite", writing)
    writing.reached()
    assert subject.state is AgentState.COMPLETING
    cancel(subject, number)
    writing.open()
    assert unpack_value(subject.result(number).payload) == "written"


def test_one_that_waits_for_an_answer_is_interrupted(agent: Agent) -> None:
    """D6: in state communicating, too."""
    subject = agent().ready()
    number = subject.start("ask_other", "somebody-1", "hello")
    subject.asked("message")
    cancel(subject, number)
    assert subject.result(number).outcome == Outcome.INTERRUPTED
    assert subject.call("echo", 1) == 1


def test_one_that_waits_for_a_sub_task_is_interrupted_and_the_agent_tells_that_it_goes_on(agent: Agent) -> None:
    """D6: in state waiting, too."""
    subject = agent().ready()
    number = subject.start("submit_and_wait", 1)
    subject.reply(subject.asked("submit"), (900, "t-900"))
    assert subject.asked("waiting").message.data == [number, [900]]
    subject.pump_until(lambda: subject.state is AgentState.WAITING, "the wait")
    cancel(subject, number)
    assert subject.asked("resumed").message.data == [number]
    assert subject.result(number).outcome == Outcome.INTERRUPTED
    assert subject.call("echo", 1) == 1


def test_interruptions_at_any_moment_leave_the_agent_in_order(agent: Agent) -> None:
    """D6: a stream of short tasks, each cancelled at some moment of its life: each has one outcome, and none is lost."""
    subject = agent().ready()
    items = [subject.item("echo", index) for index in range(300)]
    subject.assign(*items)
    for item in items:
        subject.handle.control.send(Cancellation(item.number, 1, int(CANCELLED), ""))
    outcomes: dict[int, int] = {}
    for _ in items:
        result = subject.result()
        assert result.number not in outcomes
        outcomes[result.number] = result.outcome
    assert set(outcomes.values()) <= {Outcome.VALUE, Outcome.INTERRUPTED}
    assert subject.call("echo", "after") == "after"


def test_control_messages_are_answered_while_a_task_runs(agent: Agent, gate: Gates) -> None:
    """B4: status, recall, limits: also beside a loop of pure Python."""
    from actors.protocol.messages import ResourceLimit

    subject = agent().ready()
    arrived = gate("arrived")
    number = subject.start("loop", arrived)
    arrived.reached()
    arrived.open()
    beat = subject.answer(subject.request(StatusRequest()), Heartbeat)
    assert beat.task == number and beat.state == AgentState.WORKING and beat.tasks_assigned == 1
    assert beat.memory_kb > 0 and beat.open_files > 0 and beat.uptime > 0
    waiting = subject.item("echo", 1)
    subject.assign(waiting)
    assert subject.answer(subject.request(Recall([(waiting.number, 1), (number, 1)]))).data == [[waiting.number, 1]]
    limits = {"memory": 1 << 30, "soft": 0.8}
    assert subject.answer(subject.request(ResourceLimit(limits, None))).data == limits
    cancel(subject, number)
    assert subject.result(number).outcome == Outcome.INTERRUPTED


def test_a_recalled_task_is_not_run_and_a_finished_one_is_not_given_back(agent: Agent, gate: Gates) -> None:
    """D8: each of many tasks is either run or given back, never both and never neither."""
    subject = agent().ready()
    items = [subject.item("echo", index) for index in range(200)]
    subject.assign(*items)
    given_back = {
        number for number, _ in subject.answer(subject.request(Recall([(item.number, 1) for item in items]))).data
    }
    arrived = gate("arrived")
    subject.start("wait_at", arrived, number=1000)
    arrived.reached()
    run: set[int] = set()
    while len(run) + len(given_back) < len(items):
        number = subject.result().number
        assert number not in run
        run.add(number)
    assert not run & given_back
    assert run | given_back == {item.number for item in items}
    arrived.open()


def test_an_ask_without_answer_ends_in_time(agent: Agent) -> None:
    """B3: never silence."""
    subject = agent().ready()
    error = error_in(subject.result(subject.start("ask_other", "somebody-1", "hello", 0.05)))
    assert isinstance(error, AskTimeout)
    assert os.path.isdir(subject.workspace)
