"""Agents that run several async tasks at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from actors.errors import TaskExited
from actors.hosts.serialize import dumps, loads, pack_value, unpack_value
from actors.protocol.messages import (
    Cancellation,
    CoordinationRequest,
    Heartbeat,
    Outcome,
    Recall,
    Result,
    Shutdown,
    StatusRequest,
)
from actors.protocol.states import AgentState
from tests.agent import workers
from tests.agent.gates import Gate
from tests.agent.support import Subject, error_in, value_of

Agent = Callable[..., Subject]
Gates = Callable[[str], Gate]


@pytest.fixture
def subject(agent: Agent) -> Subject:
    return agent(workers.Juggler, concurrency=3).ready()


def test_tasks_run_at_once_up_to_the_concurrency(subject: Subject) -> None:
    """A2: a slot for each; each of these ends only when three are there."""
    items = [subject.item("meet", 3) for _ in range(3)]
    subject.assign(*items)
    assert [value_of(subject.result()) for _ in items] == [3, 3, 3]
    assert subject.state is AgentState.IDLE


def test_the_worker_has_one_loop_from_its_start_on(subject: Subject) -> None:
    """J1: async workers; hooks may be coroutines, too."""
    assert subject.call("same_loop") is True


@pytest.mark.parametrize("where", ["await_for_ever", "block_for_ever", "loop_for_ever"])
def test_an_interruption_ends_a_coroutine_wherever_it_is(subject: Subject, gate: Gates, where: str) -> None:
    """D6: one that awaits, one that blocks the loop in a call, one that blocks it in Python."""
    arrived = gate("arrived")
    number = subject.start(where, arrived)
    arrived.reached()
    arrived.open()
    subject.answer(subject.request(Cancellation(number, 1, 0, "")))
    assert subject.result(number).outcome == Outcome.INTERRUPTED
    assert subject.call("plain", "goes on") == "goes on"


def test_an_interruption_spares_the_others(subject: Subject, gate: Gates) -> None:
    """D6: only its own task."""
    first, second = gate("first"), gate("second")
    one = subject.start("await_for_ever", first)
    first.reached()
    first.open()
    two = subject.start("await_for_ever", second)
    second.reached()
    second.open()
    subject.answer(subject.request(Cancellation(one, 1, 0, "")))
    assert subject.result(one).outcome == Outcome.INTERRUPTED
    beat = subject.answer(subject.request(StatusRequest()), Heartbeat)
    assert beat.task == two and beat.state == AgentState.WORKING
    subject.answer(subject.request(Cancellation(two, 1, 0, "")))
    assert subject.result(two).outcome == Outcome.INTERRUPTED


def test_the_busiest_slot_is_shown(subject: Subject, gate: Gates) -> None:
    """A2: several machines, one state in status block and heartbeats."""
    waits = subject.start("submit_and_await", 1)
    subject.reply(subject.asked("submit"), (900, "t-900"))
    assert subject.asked("waiting").message.data == [waits, [900]]
    subject.pump_until(lambda: subject.state is AgentState.WAITING, "the wait")
    arrived = gate("arrived")
    works = subject.start("await_for_ever", arrived)
    arrived.reached()
    assert subject.state is AgentState.WORKING
    arrived.open()
    subject.answer(subject.request(Cancellation(works, 1, 0, "")))
    subject.result(works)
    subject.pump_until(lambda: subject.state is AgentState.WAITING, "the wait, again")
    subject.handle.control.send(Result([(900, 1, int(Outcome.VALUE), pack_value("done"), 1.0, 2.0)]))
    assert value_of(subject.result(waits)) == "done"
    assert subject.asked("resumed").message.data == [waits]
    subject.pump_until(lambda: subject.state is AgentState.IDLE, "rest")


def test_each_coroutine_knows_its_own_task(subject: Subject) -> None:
    """Context: also after it was suspended."""
    items = [subject.item("task_ids") for _ in range(20)]
    subject.assign(*items)
    results = [subject.result() for _ in items]
    found = {result.number: value_of(result) for result in results}
    assert found == {item.number: item.task_id for item in items}


def test_sys_exit_in_a_coroutine_ends_its_task(subject: Subject) -> None:
    """Task errors: as in a plain task."""
    error = error_in(subject.result(subject.start("leave", 5)))
    assert isinstance(error, TaskExited) and error.code == 5
    assert subject.call("plain", 1) == 1


def test_a_coroutine_handles_messages(subject: Subject) -> None:
    """Actors: handlers may be coroutines."""
    correlation = subject.request(CoordinationRequest("message", dumps(workers.Greeting("hello"))))
    assert loads(subject.answer(correlation).data) == "hello, juggled"


def test_tasks_beyond_the_slots_wait_and_can_be_recalled(subject: Subject, gate: Gates) -> None:
    """A2: waiting ones do not move the state, and only those can be recalled."""
    running = []
    for index in range(3):
        arrived = gate(f"gate-{index}")
        running.append(subject.start("await_for_ever", arrived))
        arrived.reached()
        arrived.open()
    waiting = subject.item("plain", 1)
    subject.assign(waiting)
    keys = [(number, 1) for number in (*running, waiting.number)]
    assert subject.answer(subject.request(Recall(keys))).data == [[waiting.number, 1]]
    subject.request(Shutdown("", 0.01))
    assert sorted(subject.result().number for _ in running) == running
    assert subject.ended().exit_code == 0


def test_a_coroutine_function_runs_in_any_agent(agent: Agent) -> None:
    """J1: async callables give their result, with or without a loop of the worker's own."""
    plain, juggler = agent(workers.Plain).ready(), agent(workers.Juggler).ready()
    for subject in (plain, juggler):
        assert subject.call("", 21, function=workers.double) == 42
        outcomes = unpack_value(subject.result(subject.start("", function=workers.double, items=[(1,), (2,)])).payload)
        assert outcomes == ([2, 4], {})


def test_a_coroutine_function_is_interrupted_in_an_agent_without_loop(agent: Agent, gate: Gates) -> None:
    """D6: as above."""
    subject = agent(workers.Plain).ready()
    arrived = gate("arrived")
    number = subject.start("", arrived, function=_await_for_ever)
    arrived.reached()
    arrived.open()
    subject.answer(subject.request(Cancellation(number, 1, 0, "")))
    assert subject.result(number).outcome == Outcome.INTERRUPTED
    assert subject.call("", 21, function=workers.double) == 42


async def _await_for_ever(arrived: Gate) -> None:
    import asyncio

    arrived.wait()
    await asyncio.Event().wait()
