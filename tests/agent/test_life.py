"""An agent's start and end."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from actors.errors import ConfigError, NotSerializable
from actors.hosts.interrupts import TaskInterrupted
from actors.hosts.serialize import dumps, error_of, unpack_value
from actors.protocol.messages import (
    Assignment,
    AssignmentRefusal,
    Drain,
    EventMessage,
    Heartbeat,
    Outcome,
    Result,
    Shutdown,
    StatusRequest,
)
from actors.protocol.states import AgentState
from tests.agent import workers
from tests.agent.gates import Gate
from tests.agent.support import Subject, error_in

Agent = Callable[..., Subject]
Gates = Callable[[str], Gate]


def states(subject: Subject) -> list[str]:
    """The states that the status block remembers, the first one too."""
    moves = subject.handle.status.read().moves
    return [str(moves[0].source), *(str(move.target) for move in moves)]


def test_it_registers_before_it_is_idle(agent: Agent, gate: Gates) -> None:
    """A3: id, type, pid, host name, capabilities, limits, start time, incarnation, status; idle after on_start."""
    started = gate("started")
    subject = agent(arguments={"start": started}, limits={"memory": 1 << 30, "soft": 0.8})
    message = subject.registered()
    assert (message.agent, message.type, message.incarnation) == ("busybody-1", "busybody", 1)
    assert message.status == AgentState.INITIALIZING
    assert message.capabilities == ("testing",) and message.limits == {"memory": 1 << 30, "soft": 0.8}
    assert message.host_name == os.uname().nodename and message.started_at > 1e9
    started.reached()
    assert subject.state is AgentState.INITIALIZING
    beat = subject.answer(subject.request(StatusRequest()), Heartbeat)
    assert beat.state == AgentState.INITIALIZING
    started.open()
    subject.next(Heartbeat, where=lambda envelope: envelope.message.state == AgentState.IDLE)
    subject.pump_until(lambda: subject.handle.pid == message.pid, "the pid")


def test_a_task_knows_where_it_runs(agent: Agent) -> None:
    """A3: id, type and workspace in the environment; the context of the design."""
    subject = agent(job="nightly").ready()
    found = subject.call("identity", timeout=60.0, job="daily")
    environment = found.pop("environment")
    assert re.fullmatch(r"t-\d+", found.pop("task_id"))
    assert found == {
        "agent_id": "busybody-1",
        "attempt": 1,
        "job": "daily",
        "has_deadline": True,
        "workspace": str(subject.workspace),
    }
    assert environment["ACTORS_AGENT_ID"] == "busybody-1"
    assert environment["ACTORS_AGENT_TYPE"] == "busybody"
    assert environment["ACTORS_AGENT_WORKSPACE"] == str(subject.workspace)


def test_it_ends_in_order_and_takes_its_workspace_with_it(agent: Agent) -> None:
    """A6, A3: shutdown of an idle agent."""
    subject = agent().ready()
    (subject.workspace / "scratch").mkdir()
    subject.answer(subject.request(Shutdown("not needed any more", 5.0)))
    goodbye = subject.goodbye()
    assert goodbye.target == "busybody-1" and goodbye.failure is None and goodbye.reason == "not needed any more"
    assert subject.ended().exit_code == 0
    assert not subject.workspace.exists()
    assert states(subject) == ["initializing", "idle", "terminating"]


def test_the_running_task_may_finish_inside_the_grace(agent: Agent, gate: Gates) -> None:
    """A6: waiting tasks are given back, the running one finishes."""
    subject = agent().ready()
    arrived = gate("arrived")
    running, waiting = subject.item("wait_at", arrived), subject.item("echo", 1)
    subject.assign(running, waiting)
    arrived.reached()
    subject.answer(subject.request(Shutdown("", 60.0)))
    refusal = subject.next(AssignmentRefusal).message
    assert (refusal.number, refusal.attempt, refusal.state) == (waiting.number, 1, AgentState.WORKING)
    arrived.open()
    assert unpack_value(subject.result(running.number).payload) == "went on"
    assert subject.ended().exit_code == 0


def test_after_the_grace_the_running_task_is_interrupted(agent: Agent, gate: Gates) -> None:
    """A6: then interruption."""
    subject = agent().ready()
    arrived = gate("arrived")
    number = subject.start("sleep", arrived)
    arrived.reached()
    arrived.open()
    subject.request(Shutdown("hurry", 0.05))
    result = subject.result(number)
    assert result.outcome == Outcome.INTERRUPTED
    error = error_in(result)
    assert isinstance(error, TaskInterrupted) and error.reason == "hurry"
    assert subject.ended().exit_code == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(agent: Agent, number: signal.Signals) -> None:
    """A6: TERM or INT to an agent's pid."""
    subject = agent().ready()
    subject.pump_until(lambda: subject.handle.pid, "the pid")
    subject.handle.signal(number)
    assert subject.goodbye().reason == f"signal {number.name}"
    assert subject.ended().exit_code == 0
    assert not subject.workspace.exists()


def test_a_second_signal_interrupts_the_running_task(agent: Agent, gate: Gates) -> None:
    """A6: the ladder after a shutdown: SIGTERM does not wait for the grace."""
    subject = agent().ready()
    arrived = gate("arrived")
    number = subject.start("sleep", arrived)
    arrived.reached()
    subject.answer(subject.request(Shutdown("", 3600.0)))
    subject.handle.signal(signal.SIGTERM)
    assert subject.result(number).outcome == Outcome.INTERRUPTED
    assert subject.ended().exit_code == 0


def test_usr1_brings_a_heartbeat_also_while_the_main_thread_is_in_c_code(agent: Agent, gate: Gates) -> None:
    """A5: at once; the main thread sits in a system call that restarts, and runs no Python code."""
    subject = agent().ready()
    arrived = gate("arrived")
    number = subject.start("sleep", arrived)
    arrived.reached()
    subject.handle.signal(signal.SIGUSR1)
    assert subject.next(Heartbeat).message.task == number


def test_an_agent_beats_by_itself(agent: Agent) -> None:
    """A5: a heartbeat every so often, in the status block too."""
    subject = agent(heartbeat=0.05).ready()
    first = subject.next(Heartbeat).message
    second = subject.next(Heartbeat).message
    assert second.time > first.time and second.uptime > first.uptime
    assert subject.handle.status.read().heartbeat > 0


def test_a_failed_start_goes_through_error_to_the_end(agent: Agent) -> None:
    """A2: initializing, error, terminating; the failure is told."""
    subject = agent(arguments={"fail": "no licence"})
    goodbye = subject.goodbye()
    assert goodbye.failure is not None
    error = error_of(goodbye.failure)
    assert isinstance(error, RuntimeError) and str(error) == "no licence"
    assert subject.ended().exit_code == 1
    assert states(subject) == ["initializing", "error", "terminating"]
    assert not subject.workspace.exists()


def test_a_class_that_cannot_be_loaded_is_a_failed_start(agent: Agent) -> None:
    """A2: as above."""
    gone = dumps(workers.Busybody).replace(b"Busybody", b"Busyb0dy")
    failure = agent(worker_bytes=gone).goodbye().failure
    assert failure is not None
    error = error_of(failure)
    assert isinstance(error, NotSerializable) and "Busyb0dy" in str(error)
    failure = agent(worker_bytes=dumps(int)).goodbye().failure
    assert failure is not None
    assert isinstance(error_of(failure), ConfigError)


def test_arguments_that_do_not_fit_are_a_failed_start(agent: Agent) -> None:
    """A2: as above."""
    failure = agent(arguments={"unknown": 1}).goodbye().failure
    assert failure is not None
    assert isinstance(error_of(failure), TypeError)


def test_a_start_that_hangs_can_be_ended(agent: Agent, gate: Gates) -> None:
    """A6: on_start is interrupted when the grace is over; to be asked to end is no failure."""
    started = gate("started")
    subject = agent(arguments={"start": started})
    started.reached()
    subject.request(Shutdown("too slow", 0.05))
    goodbye = subject.goodbye()
    assert goodbye.failure is None and goodbye.reason == "too slow"
    assert subject.ended().exit_code == 0


def test_drain_lets_what_is_assigned_run_and_takes_nothing_more(agent: Agent, gate: Gates) -> None:
    """B2: drain with end."""
    subject = agent().ready()
    arrived = gate("arrived")
    running, waiting = subject.item("wait_at", arrived), subject.item("echo", 1)
    subject.assign(running, waiting)
    arrived.reached()
    assert subject.answer(subject.request(Drain("maintenance", end=True))).data == 1
    late = subject.item("echo", 2)
    subject.assign(late)
    assert subject.next(AssignmentRefusal).message.number == late.number
    arrived.open()
    assert [subject.result().number for _ in range(2)] == [running.number, waiting.number]
    assert subject.goodbye().reason == "maintenance"
    assert subject.ended().exit_code == 0


def test_drain_without_end_keeps_the_agent(agent: Agent) -> None:
    """B2: drain without end."""
    subject = agent().ready()
    assert subject.answer(subject.request(Drain("maintenance", end=False))).data == 0
    late = subject.item("echo", 2)
    subject.assign(late)
    assert subject.next(AssignmentRefusal).message.number == late.number
    assert subject.answer(subject.request(StatusRequest()), Heartbeat).state == AgentState.IDLE


def test_it_is_recycled_after_so_many_tasks(agent: Agent) -> None:
    """A7: between two tasks; those that wait are given back."""
    subject = agent(workers.Recycled, extra={"recycle_after_tasks": 2}).ready()
    items = [subject.item("work") for _ in range(4)]
    subject.handle.task.send(Assignment([tuple(item) for item in items]))
    goodbye = subject.goodbye()
    assert goodbye.reason == "recycled after 2 tasks" and goodbye.failure is None
    assert subject.ended().exit_code == 0
    run = [
        fields[0]
        for envelope in subject.task_inbox
        if type(envelope.message) is Result
        for fields in envelope.message.results
    ]
    back = [envelope.message.number for envelope in subject.task_inbox if type(envelope.message) is AssignmentRefusal]
    assert run == [items[0].number, items[1].number]
    assert back == [items[2].number, items[3].number]


def test_it_is_recycled_at_an_age_and_when_its_memory_has_grown(agent: Agent) -> None:
    """A7: age in seconds, growth in bytes."""
    old = agent(workers.Recycled, extra={"recycle_after_age": 0.001}).ready()
    old.start("work")
    assert old.goodbye().reason == "recycled after 0.001 s"
    assert old.ended().exit_code == 0


def test_the_program_that_goes_away_takes_the_agent_with_it(agent: Agent, gate: Gates) -> None:
    """A6: both planes are closed, and the task is interrupted."""
    subject = agent().ready()
    arrived = gate("arrived")
    subject.start("sleep", arrived)
    arrived.reached()
    subject.handle.close()
    assert subject.ended().exit_code == 0


def test_a_killed_agent_leaves_its_last_moves_and_what_was_running(agent: Agent) -> None:
    """H3: the status block survives."""
    subject = agent().ready()
    number = subject.start("kill_itself")
    report = subject.ended()
    assert report.signal == "SIGKILL"
    assert report.running is not None and report.running[:2] == (number, 1)
    assert states(subject)[-1] == "working"


def test_log_records_and_warnings_reach_the_program(agent: Agent) -> None:
    """H1: with agent, task and attempt."""
    subject = agent().ready()
    number = subject.start("log_something")
    first, second = (
        subject.next(EventMessage, where=lambda envelope: envelope.message.type == "LogRecorded").message
        for _ in range(2)
    )
    assert first.data["logger"] == "actors.worker.busybody" and first.data["message"] == "a story"
    fields = first.data["fields"]
    assert fields["detail"] == 7 and fields["task"] == f"t-{number}" and fields["attempt"] == 1
    assert second.data["logger"] == "py.warnings" and "old ways" in second.data["message"]
    assert second.data["fields"]["task"] == f"t-{number}"


def test_state_changes_are_told_when_somebody_listens(agent: Agent) -> None:
    """A2: the moves can be watched from outside."""
    subject = agent(interest=("AgentStateChanged", "TaskStarted")).ready()
    subject.call("echo", 1)
    moves = []
    while len(moves) < 5:
        message = subject.next(EventMessage).message
        moves.append((message.data["previous"], message.data["state"]))
    assert moves == [
        ("initializing", "idle"),
        ("idle", "assigned"),
        ("assigned", "working"),
        ("working", "completing"),
        ("completing", "idle"),
    ]


def test_an_atexit_function_of_the_worker_runs(agent: Agent, tmp_path: Path) -> None:
    """A6: the orderly end of a process."""
    subject = agent().ready()
    left = tmp_path / "left"
    subject.call("", str(left), function=_leave_a_mark)
    subject.request(Shutdown("", 1.0))
    subject.ended()
    assert left.exists()


def _leave_a_mark(path: str) -> None:
    import atexit

    atexit.register(lambda: Path(path).touch())


def test_an_allocation_beyond_all_bounds_fails_in_its_task(agent: Agent) -> None:
    """E2: the kernel's backstop, for what is too fast to be measured."""
    subject = agent(limits={"memory": 64 << 20, "soft": 0.8}).ready()
    error = error_in(subject.result(subject.start("", 4 << 30, function=bytearray)))
    assert isinstance(error, MemoryError)
    assert "limited to 65536 KiB" in "".join(error.__notes__)
    assert subject.call("echo", 1) == 1
    without = agent().ready()
    assert len(without.call("", 1 << 10, function=bytearray)) == 1 << 10
