"""What a task can do inside its agent, with the test in the place of the system."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.errors import ActorsError, AgentDied, CommandFailed, ConfigError, DeadLetter, MessageRefused
from actors.hosts.serialize import dumps, error_of, failure_of, loads, pack_value, unpack_call, unpack_value
from actors.protocol.events import event_name
from actors.protocol.messages import (
    AdjustmentAnswer,
    AdjustmentRequest,
    AssignmentAck,
    Cancellation,
    CoordinationRequest,
    ErrorResponse,
    EventMessage,
    Outcome,
    Priority,
    Progress,
    ResourceLimit,
    Response,
    Result,
    Subscribe,
    Terminated,
)
from actors.protocol.states import AgentState
from tests.agent import workers
from tests.agent.gates import Gate
from tests.agent.support import Subject, error_in, value_of

Agent = Callable[..., Subject]
Gates = Callable[[str], Gate]


@pytest.fixture
def subject(agent: Agent) -> Subject:
    return agent().ready()


def greet(subject: Subject, message: Any) -> int:
    """Ask the worker; the correlation."""
    return subject.request(CoordinationRequest("message", dumps(message)))


# --- progress ------------------------------------------------------------------------------------------------------


def test_progress_comes_before_the_result_and_in_order(subject: Subject) -> None:
    """D7: fraction and note, kept between 0 and 1."""
    number = subject.start("tell_progress", -1, 0.25, 0.5, 7)
    subject.result(number)
    told = [envelope.message for envelope in subject.task_inbox if type(envelope.message) is Progress]
    assert [(one.number, one.fraction, one.note) for one in told] == [
        (number, 0.0, "at -1"),
        (number, 0.25, "at 0.25"),
        (number, 0.5, "at 0.5"),
        (number, 1.0, "at 7"),
    ]


def test_a_flood_of_progress_is_bounded_and_its_last_word_arrives(subject: Subject) -> None:
    """D7: a task that tells more than can be sent loses stories in between, not the last one."""
    subject.result(subject.start("tell_progress", *(index / 20_000 for index in range(20_001))))
    told = [envelope.message for envelope in subject.task_inbox if type(envelope.message) is Progress]
    assert told[-1].fraction == 1.0
    assert len(told) < 20_000


def test_starts_are_told_only_when_somebody_listens(agent: Agent) -> None:
    """B5: only subscribers cause events."""
    deaf, heard = agent().ready(), agent(interest=("TaskStarted",)).ready()
    deaf.call("echo", 1)
    assert not [envelope for envelope in deaf.task_inbox if type(envelope.message) is AssignmentAck]
    number = heard.start("echo", 1)
    assert heard.next(AssignmentAck).message.number == number
    deaf.answer(deaf.request(Subscribe(("TaskStarted",), "global")))
    number = deaf.start("echo", 1)
    assert deaf.next(AssignmentAck).message.number == number


# --- messages ------------------------------------------------------------------------------------------------------


def test_a_handler_answers_between_tasks_in_the_task_lane(subject: Subject) -> None:
    """Actors: ordinary handlers run between tasks, never beside one."""
    answer = subject.answer(greet(subject, workers.Greeting("hello"))).data
    assert loads(answer) == "hello to you, in MainThread"


def test_a_handler_does_not_run_beside_a_task(subject: Subject, gate: Gates) -> None:
    """Actors: as above; an urgent one does, in the control lane."""
    arrived = gate("arrived")
    number = subject.start("wait_at", arrived)
    arrived.reached()
    ordinary = greet(subject, workers.Greeting("later"))
    urgent = greet(subject, workers.Urgent("now"))
    assert loads(subject.answer(urgent).data) == "now at once, in busybody-1 control"
    assert not [envelope for envelope in subject.control_inbox if envelope.correlation == ordinary]
    arrived.open()
    assert value_of(subject.result(number)) == "went on"
    assert loads(subject.answer(ordinary).data) == "later to you, in MainThread"


def test_a_handler_that_fails_tells_the_asker_and_the_agent_goes_on(subject: Subject) -> None:
    """B3: the remote exception with its traceback."""
    failure = subject.answer(greet(subject, workers.Greeting("fail")), ErrorResponse).failure
    error = error_of(failure)
    assert isinstance(error, ValueError) and str(error) == "ungreeted"
    assert subject.call("echo", 1) == 1


def test_a_message_without_handler_is_refused(subject: Subject) -> None:
    """B2: unknown type: a warning, never a crash; the asker is told."""
    error = error_of(subject.answer(greet(subject, workers.Unknown("?")), ErrorResponse).failure)
    assert isinstance(error, MessageRefused) and error.message == "Unknown"
    poisoned = subject.answer(greet(subject, workers.ExitsOnRead()), ErrorResponse)
    assert isinstance(error_of(poisoned.failure), ActorsError)
    strange = subject.answer(subject.request(CoordinationRequest("weather", None)), ErrorResponse)
    assert isinstance(error_of(strange.failure), MessageRefused)
    assert subject.call("echo", 1) == 1


def test_a_task_asks_another_agent(subject: Subject) -> None:
    """B3: communicating meanwhile, working afterwards."""
    number = subject.start("ask_other", "greeter-1", "hello")
    request = subject.asked("message")
    assert request.recipient == "greeter-1" and request.priority == Priority.HIGH
    assert loads(request.message.data) == workers.Greeting("hello")
    assert subject.state is AgentState.COMMUNICATING
    subject.reply(request, pack_value("hello yourself"))
    assert value_of(subject.result(number)) == "hello yourself"


def test_an_ask_brings_the_remote_error(subject: Subject) -> None:
    """B3: as above."""
    number = subject.start("ask_other", "nobody-1", "hello")
    request = subject.asked("message")
    failure = tuple(failure_of(DeadLetter("there is no nobody-1", recipient="nobody-1")))
    subject.handle.control.send(ErrorResponse(failure), correlation=request.correlation)
    error = error_in(subject.result(number))
    assert isinstance(error, DeadLetter) and error.recipient == "nobody-1"


def test_an_ask_ends_when_the_other_agent_does(subject: Subject) -> None:
    """B3, F2: word that the recipient is dead."""
    number = subject.start("ask_other", "greeter-1", "hello")
    subject.asked("message")
    subject.handle.control.send(Terminated("greeter-1", 1, "it crashed", None))
    error = error_in(subject.result(number))
    assert isinstance(error, AgentDied) and error.agent_id == "greeter-1"


def test_two_agents_that_ask_each_other_do_not_lock_up(subject: Subject) -> None:
    """Actors: handlers run while the task waits."""
    number = subject.start("ask_then_heard", "greeter-1", "hello")
    request = subject.asked("message")
    assert loads(subject.answer(greet(subject, workers.Greeting("and you"))).data) == "and you to you, in MainThread"
    subject.reply(request, pack_value(None))
    assert value_of(subject.result(number)) == ["and you"]


# --- events --------------------------------------------------------------------------------------------------------


def test_an_event_is_published_only_if_somebody_listens(subject: Subject) -> None:
    """B5: users publish their own types; no subscriber, no message."""
    subject.call("publish_event", "nobody hears")
    assert not subject.control_inbox
    subject.answer(subject.request(Subscribe((event_name(workers.Finished),), "global")))
    subject.call("publish_event", "heard")
    message = subject.next(EventMessage).message
    assert message.type == "tests.agent.workers.Finished" and message.source == "busybody-1"
    event = unpack_value(message.data)
    assert isinstance(event, workers.Finished) and event.what == "heard"


def test_a_worker_hears_events_that_it_subscribed_to(subject: Subject) -> None:
    """B5: on_event, also while a task runs; a poisoned event harms nobody."""
    number = subject.start("listen", 2)
    subscribes = subject.next(Subscribe)
    assert subscribes.message.kinds == ("tests.agent.workers.Finished",)
    assert subject.state is AgentState.COMMUNICATING, "until everybody knows that it listens"
    subject.reply(subscribes, None)
    for data in (workers.ExitsOnRead(), workers.Finished(what="one")):
        subject.handle.control.send(EventMessage("Finished", "other-1", "global", 1.0, pack_value(data)))
    subject.handle.control.send(EventMessage("ShutdownInitiated", "system", "global", 1.0, {"reason": "late"}))
    assert value_of(subject.result(number)) == ["one", "ShutdownInitiated"]


# --- sub-tasks -----------------------------------------------------------------------------------------------------


def test_a_task_submits_another_and_waits_for_it(subject: Subject) -> None:
    """C: submit, waiting, resumed; the state says so meanwhile."""
    number = subject.start("submit_and_wait", "value", job="nightly")
    request = subject.asked("submit")
    task = request.message.data
    assert task["call"] == "echo" and task["worker"] == "busybody" and task["name"] == "busybody.echo"
    assert task["parent"] == number and task["job"] == "nightly" and task["after"] == []
    assert unpack_call(task["payload"]).args == ("value",)
    assert loads(task["worker_payload"]) is workers.Busybody
    subject.reply(request, (900, "t-900"))
    assert subject.asked("waiting").message.data == [number, [900]]
    subject.pump_until(lambda: subject.state is AgentState.WAITING, "the wait")
    subject.handle.control.send(Result([(900, 1, int(Outcome.VALUE), pack_value("done"), 1.0, 2.0)]))
    assert value_of(subject.result(number)) == "done"
    assert subject.asked("resumed").message.data == [number]


def test_a_refused_submission_raises_where_it_was_made(subject: Subject) -> None:
    """Errors: in submit."""
    number = subject.start("submit_and_wait", 1)
    request = subject.asked("submit")
    failure = tuple(failure_of(ConfigError("no such worker", key="worker")))
    subject.handle.control.send(ErrorResponse(failure), correlation=request.correlation)
    assert isinstance(error_in(subject.result(number)), ConfigError)


def test_a_sub_tasks_error_arrives_as_itself(subject: Subject) -> None:
    """Errors: through two agents."""
    number = subject.start("submit_and_wait", 1)
    subject.reply(subject.asked("submit"), (900, "t-900"))
    failure = tuple(failure_of(LookupError("not found")))
    subject.handle.control.send(Result([(900, 1, int(Outcome.ERROR), failure, 1.0, 2.0)]))
    error = error_in(subject.result(number))
    assert type(error) is LookupError and str(error) == "not found"


def test_a_wait_for_a_sub_task_ends_in_time(subject: Subject) -> None:
    """C: result(timeout) inside a task."""
    number = subject.start("submit_and_time_out", 0.05)
    subject.reply(subject.asked("submit"), (900, "t-900"))
    assert str(value_of(subject.result(number))).startswith("TimeoutError")


def test_the_waiting_agent_runs_its_own_children(subject: Subject) -> None:
    """C: nested: inside the task that waits, to any depth; others wait until it has ended."""
    number = subject.start("submit_and_wait", "outer")
    subject.reply(subject.asked("submit"), (900, "t-900"))
    subject.asked("waiting")
    stranger = subject.item("echo", "not yet")
    inner = subject.item("submit_and_wait", "inner", number=900, nested=True)
    subject.assign(stranger, inner)
    subject.reply(subject.asked("submit"), (901, "t-901"))
    assert subject.asked("waiting").message.data == [900, [901]]
    subject.assign(subject.item("echo", "innermost", number=901, nested=True))
    innermost = subject.result(901)
    assert value_of(innermost) == "innermost"
    status = subject.handle.status.read()
    assert status.running is not None and status.running[0] == 900
    subject.handle.control.send(Result([tuple(innermost)]))
    middle = subject.result(900)
    assert value_of(middle) == "innermost"
    assert not subject.results
    subject.handle.control.send(Result([tuple(middle)]))
    assert value_of(subject.result(number)) == "innermost"
    assert value_of(subject.result(stranger.number)) == "not yet"


def test_what_is_to_be_run_inside_a_waiting_task_does_not_begin_while_a_handler_there_waits_for_an_answer(
    subject: Subject, gate: Gates
) -> None:
    """B3, C: whoever asked the handler would wait for a whole task; it begins when the handler has ended."""
    arrived = gate("arrived")
    number = subject.start("submit_and_wait", "outer")
    subject.reply(subject.asked("submit"), (900, "t-900"))
    subject.asked("waiting")
    inquiry = greet(subject, workers.Inquiry("another-1"))
    request = subject.asked("message")
    subject.assign(subject.item("wait_at", arrived, number=900, nested=True))
    for _ in range(2):
        # Whoever waits there serves these, and looks for tasks in between.
        assert str(loads(subject.answer(greet(subject, workers.Greeting("meanwhile"))).data)).startswith("meanwhile")
    status = subject.handle.status.read()
    assert status.running is not None and status.running[0] == number
    subject.reply(request, dumps("asked"))
    assert loads(subject.answer(inquiry).data) == "asked"
    arrived.reached()
    arrived.open()
    inner = subject.result(900)
    subject.handle.control.send(Result([tuple(inner)]))
    assert value_of(subject.result(number)) == "went on"


def test_a_handler_inside_a_waiting_task_has_its_own_sub_task_run_there(subject: Subject) -> None:
    """C: it waits for a task, and not for an answer: nobody else may be left to run that."""
    number = subject.start("submit_and_wait", "outer")
    subject.reply(subject.asked("submit"), (900, "t-900"))
    subject.asked("waiting")
    inquiry = greet(subject, workers.Inquiry(None))
    submission = subject.asked("submit")
    assert submission.message.data["parent"] == number
    subject.reply(submission, (901, "t-901"))
    assert subject.asked("waiting").message.data == [number, [901]]
    subject.assign(subject.item("echo", "of the handler", number=901, nested=True))
    inner = subject.result(901)
    subject.handle.control.send(Result([tuple(inner)]))
    assert loads(subject.answer(inquiry).data) == "of the handler"
    subject.handle.control.send(Result([(900, 1, int(Outcome.VALUE), pack_value("done"), 1.0, 2.0)]))
    assert value_of(subject.result(number)) == "done"


def test_a_nested_task_is_interrupted_alone(subject: Subject, gate: Gates) -> None:
    """D6: the task that waits for it is not."""
    arrived = gate("arrived")
    number = subject.start("submit_and_wait", "outer")
    subject.reply(subject.asked("submit"), (900, "t-900"))
    subject.asked("waiting")
    subject.assign(subject.item("sleep", arrived, number=900, nested=True))
    arrived.reached()
    arrived.open()
    assert subject.answer(subject.request(Cancellation(900, 1, 0, ""))).data == "interrupted"
    assert subject.result(900).outcome == Outcome.INTERRUPTED
    subject.handle.control.send(Result([(900, 1, int(Outcome.VALUE), pack_value("instead"), 1.0, 2.0)]))
    assert value_of(subject.result(number)) == "instead"


def test_the_outer_task_is_interrupted_when_the_nested_one_has_ended(subject: Subject, gate: Gates) -> None:
    """D6: an interruption never hits another task's body."""
    arrived = gate("arrived")
    number = subject.start("submit_and_wait", "outer")
    subject.reply(subject.asked("submit"), (900, "t-900"))
    subject.asked("waiting")
    subject.assign(subject.item("wait_at", arrived, number=900, nested=True))
    arrived.reached()
    assert subject.answer(subject.request(Cancellation(number, 1, 0, ""))).data == "interrupted"
    arrived.open()
    assert value_of(subject.result(900)) == "went on"
    assert subject.result(number).outcome == Outcome.INTERRUPTED


def test_map_inside_a_task(subject: Subject) -> None:
    """C: results in order, whatever the order in which they come."""
    number = subject.start("map_children", 5)
    chunks: list[tuple[int, Any]] = []
    for child in range(900, 905):
        request = subject.asked("submit")
        calls = unpack_call(request.message.data["payload"]).item_args()
        chunks.append((child, ([args[0] * 10 for args in calls], {})))
        subject.reply(request, (child, f"t-{child}"))
    for child, outcomes in reversed(chunks):
        subject.handle.control.send(Result([(child, 1, int(Outcome.VALUE), pack_value(outcomes), 1.0, 2.0)]))
    assert value_of(subject.result(number)) == [0, 10, 20, 30, 40]


# --- resources -----------------------------------------------------------------------------------------------------


def test_a_task_asks_for_more_of_a_limit(subject: Subject) -> None:
    """E2: the answer comes back to the task."""
    number = subject.start("want_more", "1MiB")
    request = subject.next(AdjustmentRequest)
    assert request.message[:3] == ("busybody-1", "memory", float(1 << 20))
    subject.handle.control.send(
        AdjustmentAnswer(limit="memory", granted=True, allowed=2.0**30, reason=""), correlation=request.correlation
    )
    assert value_of(subject.result(number)) == ("memory", True, 2.0**30, "")


def test_a_soft_breach_makes_the_agent_ask_for_more(agent: Agent) -> None:
    """E2: which limit, how much; once at a time."""
    subject = agent(limits={"memory": 1000, "soft": 0.8}).ready()
    for _ in range(2):
        subject.answer(subject.request(ResourceLimit({"open_files": 100, "soft": 0.5}, ("open_files", 60.0))))
    message = subject.next(AdjustmentRequest).message
    assert message.limit == "open_files" and message.amount == pytest.approx(50.0)
    subject.answer(subject.request(ResourceLimit({"open_files": 100, "soft": 0.5}, None)))
    assert not [one for one in subject.control_inbox if type(one.message) is AdjustmentRequest]


# --- commands and files --------------------------------------------------------------------------------------------


def test_a_command_gives_its_code_and_its_output(subject: Subject) -> None:
    """run: code, stdout, stderr, stdin, environment and directory."""
    script = "import sys; print(sys.stdin.read().upper()); print('told', file=sys.stderr); sys.exit(3)"
    code, out, err = subject.call("command", [sys.executable, "-c", script], stdin="quiet")
    assert (code, out.strip(), err.strip()) == (3, "QUIET", "told")
    code, out, _ = subject.call(
        "command", ["sh", "-c", "echo $WORD; pwd"], env={"WORD": "hi", "PATH": "/usr/bin:/bin"}, cwd="/"
    )
    assert out.split() == ["hi", "/"]
    code, out, _ = subject.call("command", ["sh", "-c", "echo $ACTORS_AGENT_ID"])
    assert out.strip() == "busybody-1"


def test_a_command_that_fails_raises_with_check(subject: Subject) -> None:
    """run: a clear error with what it wrote."""
    error = error_in(subject.result(subject.start("command", ["sh", "-c", "echo so >&2; exit 9"], check=True)))
    assert isinstance(error, CommandFailed) and error.code == 9 and error.stderr == "so\n"
    assert "ended with 9" in str(error) and "so" in str(error)
    error = error_in(subject.result(subject.start("command", ["no-such-program-here"])))
    assert isinstance(error, CommandFailed) and error.code is None and "no-such-program-here" in str(error)
    error = error_in(subject.result(subject.start("command", ["sh", "-c", "sleep 3600"], seconds=0.05)))
    assert isinstance(error, CommandFailed) and error.code == -9
    assert isinstance(error_in(subject.result(subject.start("command", "a text"))), ConfigError)


def test_the_output_of_a_command_is_bounded(subject: Subject) -> None:
    """run: the last bytes are kept."""
    _, out, _ = subject.call("command", ["sh", "-c", "seq 100000"], limit=1000)
    assert len(out) == 1000 and out.endswith("99999\n100000\n")


def test_the_output_of_a_command_is_streamed(subject: Subject) -> None:
    """run: to a callback, as it comes."""
    pieces = subject.call("command_streamed", ["sh", "-c", "echo one; echo two >&2"])
    assert sorted(pieces) == [("stderr", "two\n"), ("stdout", "one\n")]


def test_a_grandchild_that_holds_the_pipes_does_not_hold_the_task(subject: Subject) -> None:
    """run: it ends when the command does, and takes its group with it."""
    code, out, _ = subject.call("command", ["sh", "-c", "sleep 3600 & echo started"])
    assert (code, out) == (0, "started\n")


def test_a_command_ends_with_its_task(subject: Subject, gate: Gates, tmp_path: Path) -> None:
    """run: cancelled with the task, killed with its group."""
    pid_file = tmp_path / "pid"
    number = subject.start("command_then_wait", str(pid_file), gate("never"))
    pid = int(subject.pump_until(lambda: pid_file.exists() and pid_file.read_text(), "the command"))
    subject.answer(subject.request(Cancellation(number, 1, 0, "")))
    assert subject.result(number).outcome == Outcome.INTERRUPTED
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_file_appears_whole_or_not_at_all(subject: Subject, tmp_path: Path) -> None:
    """atomic_write: a failure leaves what was there."""
    target = tmp_path / "report.json"
    subject.call("write_atomically", str(target), json.dumps([1]))
    assert json.loads(target.read_text()) == [1]
    target.chmod(0o600)
    subject.result(subject.start("write_atomically", str(target), "half", fail=True))
    assert json.loads(target.read_text()) == [1]
    subject.call("write_atomically", str(target), "[2]")
    assert target.read_text() == "[2]" and target.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["report.json"]


def test_answers_come_back_to_whom_they_belong(subject: Subject) -> None:
    """B2: a response without request is dropped, and the agent goes on."""
    subject.handle.control.send(Response("nobody asked"), correlation=12345)
    subject.handle.control.send(ErrorResponse(tuple(failure_of(ValueError("nobody asked")))), correlation=None)
    assert subject.call("echo", 1) == 1
