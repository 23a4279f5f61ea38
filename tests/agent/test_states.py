"""Every kind of message to an agent in every state, compared with one table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from actors.errors import MessageRefused
from actors.hosts.serialize import dumps, error_of, failure_of, loads, pack_value
from actors.protocol.events import KNOWN_EVENTS
from actors.protocol.messages import (
    KINDS,
    AdjustmentAnswer,
    AdjustmentRequest,
    Assignment,
    AssignmentAck,
    AssignmentRefusal,
    Batch,
    Cancellation,
    CoordinationRequest,
    Drain,
    Envelope,
    ErrorResponse,
    EventMessage,
    Heartbeat,
    Outcome,
    Priority,
    Progress,
    Recall,
    Registration,
    ResourceLimit,
    Response,
    Result,
    Shutdown,
    StatusRequest,
    Subscribe,
    Terminated,
    Unsubscribe,
    Watch,
)
from actors.protocol.states import AgentState
from tests.agent import workers
from tests.agent.gates import Gate
from tests.agent.support import Subject, value_of

Agent = Callable[..., Subject]
Gates = Callable[[str], Gate]
Release = Callable[[], None]

# What becomes of a message that comes in a state:
#   a  answered at once                       h  handled at once, and there is nothing to answer
#   w  waits, until the task in hand ends     r  refused with an error that names state, message and other states
# The columns are the states in the order of AgentState: initializing, idle, assigned, working, communicating, waiting,
# completing, error, terminating.
TABLE: dict[str, str] = {
    "Assignment": "whwwwwwwr",
    "Assignment, nested": "whwwwhwwr",
    "Recall": "raaaaaaar",
    "Cancellation": "raaaaaarr",
    "Result": "raaaaaaar",
    "CoordinationRequest": "rawwaawrr",
    "Response": "hhhhhhhhh",
    "ErrorResponse": "hhhhhhhhh",
    "StatusRequest": "aaaaaaaaa",
    "ResourceLimit": "aaaaaaaar",
    "AdjustmentAnswer": "rhhhhhhhr",
    "EventMessage": "rhhhhhhhr",
    "Subscribe": "aaaaaaaaa",
    "Unsubscribe": "aaaaaaaaa",
    "Batch": "aaaaaaaaa",
    "Terminated": "rhhhhhhhr",
    "Registration": "rrrrrrrrr",
    "Heartbeat": "rrrrrrrrr",
    "AssignmentAck": "rrrrrrrrr",
    "AssignmentRefusal": "rrrrrrrrr",
    "Progress": "rrrrrrrrr",
    "AdjustmentRequest": "rrrrrrrrr",
    "Watch": "rrrrrrrrr",
    "Drain": "aaaaaaaar",
    "Shutdown": "aaaaaaaaa",
}

FAILURE = tuple(failure_of(ValueError("of a test")))
MESSAGES: dict[str, Any] = {
    "Recall": Recall([(5000, 1)]),
    "Cancellation": Cancellation(5000, 1, 0, "of a test"),
    "Result": Result([(5000, 1, int(Outcome.VALUE), pack_value(1), 1.0, 2.0)]),
    "CoordinationRequest": CoordinationRequest("message", dumps(workers.Greeting("hello"))),
    "Response": Response("nobody asked"),
    "ErrorResponse": ErrorResponse(FAILURE),
    "StatusRequest": StatusRequest(),
    "ResourceLimit": ResourceLimit({"memory": 1 << 32, "soft": 0.8}, None),
    "AdjustmentAnswer": AdjustmentAnswer(limit="memory", granted=False, allowed=2.0**32, reason="of a test"),
    "EventMessage": EventMessage("ShutdownInitiated", "test", "global", 1.0, {"reason": "of a test"}),
    "Subscribe": Subscribe(("Finished",), "global"),
    "Unsubscribe": Unsubscribe(("Finished",), "global"),
    "Terminated": Terminated("somebody-1", 1, "of a test", None),
    "Registration": Registration("busybody-1", "busybody", 1, 1, "here", (), {}, 1.0, 0),
    "Heartbeat": Heartbeat("busybody-1", 1, 1.0, 1, None, 1, 0.0, 1, 1.0, 0, 0),
    "AssignmentAck": AssignmentAck(5000, 1, 1.0),
    "AssignmentRefusal": AssignmentRefusal(5000, 1, 1, "of a test"),
    "Progress": Progress(5000, 1, 0.5, "of a test", 1.0),
    "AdjustmentRequest": AdjustmentRequest("busybody-1", "memory", 1.0, "of a test"),
    "Watch": Watch("somebody-1"),
    "Drain": Drain("of a test", end=False),
    "Shutdown": Shutdown("of a test", 3600.0),
}


def test_the_table_has_every_kind_of_message_in_every_state() -> None:
    """A2, B2: the list is closed."""
    assert {name.partition(",")[0] for name in TABLE} == {kind.__name__ for kind in KINDS.values()}
    assert {len(row) for row in TABLE.values()} == {len(AgentState)}
    assert "ShutdownInitiated" in KNOWN_EVENTS


# --- how to hold an agent in a state -------------------------------------------------------------------------------


def hold_initializing(agent: Agent, gate: Gates) -> tuple[Subject, Release]:
    started = gate("started")
    subject = agent(arguments={"start": started})
    subject.registered()
    started.reached()
    return subject, started.open


def hold_idle(agent: Agent, gate: Gates) -> tuple[Subject, Release]:
    return agent().ready(), lambda: None


def hold_assigned(agent: Agent, gate: Gates) -> tuple[Subject, Release]:
    subject, reading = agent().ready(), gate("reading")
    subject.start("echo", workers.BlocksOnRead(reading))
    reading.reached()
    return subject, reading.open


def hold_working(agent: Agent, gate: Gates) -> tuple[Subject, Release]:
    subject, working = agent().ready(), gate("working")
    subject.start("wait_at", working)
    working.reached()
    return subject, working.open


def hold_communicating(agent: Agent, gate: Gates) -> tuple[Subject, Release]:
    subject = agent().ready()
    subject.start("ask_other", "somebody-2", "hello")
    request = subject.asked("message")
    return subject, lambda: subject.reply(request, pack_value("at last"))


def hold_waiting(agent: Agent, gate: Gates) -> tuple[Subject, Release]:
    subject = agent().ready()
    subject.start("submit_and_wait", 1)
    subject.reply(subject.asked("submit"), (900, "t-900"))
    subject.asked("waiting")
    done = Result([(900, 1, int(Outcome.VALUE), pack_value("at last"), 1.0, 2.0)])
    return subject, lambda: subject.handle.control.send(done)


def hold_completing(agent: Agent, gate: Gates) -> tuple[Subject, Release]:
    subject, writing = agent().ready(), gate("writing")
    subject.start("make", "BlocksOnWrite", writing)
    writing.reached()
    return subject, writing.open


def hold_error(agent: Agent, gate: Gates) -> tuple[Subject, Release]:
    error = gate("error")
    subject = agent(arguments={"fail": "on purpose", "error": error})
    subject.registered()
    error.reached()
    return subject, error.open


def hold_terminating(agent: Agent, gate: Gates) -> tuple[Subject, Release]:
    stopping = gate("stopping")
    subject = agent(arguments={"stop": stopping}).ready()
    subject.answer(subject.request(Shutdown("of a test", 3600.0)))
    stopping.reached()
    return subject, stopping.open


HOLD: dict[AgentState, Callable[[Agent, Gates], tuple[Subject, Release]]] = {
    AgentState.INITIALIZING: hold_initializing,
    AgentState.IDLE: hold_idle,
    AgentState.ASSIGNED: hold_assigned,
    AgentState.WORKING: hold_working,
    AgentState.COMMUNICATING: hold_communicating,
    AgentState.WAITING: hold_waiting,
    AgentState.COMPLETING: hold_completing,
    AgentState.ERROR: hold_error,
    AgentState.TERMINATING: hold_terminating,
}


# --- what becomes of a message -------------------------------------------------------------------------------------


class Observer:
    """Sends a message and finds out what becomes of it."""

    def __init__(self, subject: Subject, state: AgentState) -> None:
        self.subject = subject
        self.state = state
        self.waiting: list[Callable[[], None]] = []

    def became(self, name: str) -> str:
        """One of the letters of the table."""
        if name.startswith("Assignment") and name not in ("AssignmentAck", "AssignmentRefusal"):
            return self._of_assignment(nested=name.endswith("nested"))
        correlation = self._send(name)
        self._barrier()
        for envelope in list(self.subject.control_inbox):
            if envelope.correlation != correlation:
                continue
            self.subject.control_inbox.remove(envelope)
            if type(envelope.message) is ErrorResponse:
                self._check_refusal(name, error_of(envelope.message.failure))
                return "r"
            return "a"
        if name == "CoordinationRequest":
            # An answer from the task lane is under way when the barrier is there, or waits with the lane.
            if self._comes(lambda: any(one.correlation == correlation for one in self.subject.control_inbox)):
                self.subject.answer(correlation)
                return "a"
            self.waiting.append(lambda: self._answered_late(correlation))
            return "w"
        return "h"

    def _send(self, name: str) -> int:
        if name != "Batch":
            return self.subject.request(MESSAGES[name])
        correlation = next(self.subject._correlations)
        inner = Envelope(1, "test", "busybody-1", int(Priority.HIGH), 1.0, StatusRequest(), correlation, None)
        self.subject.handle.control.send(Batch([tuple(inner)]), sender="test")
        return correlation

    def _barrier(self) -> Heartbeat:
        """All that was sent on the control plane before has been judged when this is answered."""
        beat: Heartbeat = self.subject.answer(self.subject.request(StatusRequest()), Heartbeat)
        assert beat.state == self.state, f"it is {AgentState(beat.state)}, not {self.state}"
        return beat

    def _comes(self, happened: Callable[[], bool]) -> bool:
        """Whether the task lane does something for us: it does if it is free to, which the state tells."""
        free = self.state in (AgentState.IDLE, AgentState.COMMUNICATING, AgentState.WAITING)
        if free:
            self.subject.pump_until(happened, "an answer of the task lane")
        else:
            self._barrier()
        return happened()

    def _of_assignment(self, *, nested: bool) -> str:
        subject = self.subject
        item = subject.item("echo", "assigned", nested=nested)
        subject.assign(item)

        def told() -> bool:
            for envelope in subject.task_inbox:
                message = envelope.message
                if type(message) is AssignmentRefusal and message.number == item.number:
                    return True
                if type(message) is Result and any(fields[0] == item.number for fields in message.results):
                    return True
            return False

        column = TABLE["Assignment, nested" if nested else "Assignment"][self.state]
        if column == "w":
            self._barrier()
            assert not told(), f"a task was taken in state {self.state}"
            if self.state is not AgentState.ERROR:
                self.waiting.append(lambda: self._ran_late(item.number))
            else:
                self.waiting.append(lambda: self._refused_late(item.number))
            return "w"
        subject.pump_until(told, "the fate of an assignment")
        for envelope in list(subject.task_inbox):
            if type(envelope.message) is AssignmentRefusal:
                subject.task_inbox.remove(envelope)
                assert envelope.message.state == self.state
                assert str(self.state) in envelope.message.reason and "Assignment" in envelope.message.reason
                return "r"
        assert value_of(subject.result(item.number)) == "assigned"
        return "h"

    def _check_refusal(self, name: str, error: BaseException) -> None:
        assert isinstance(error, MessageRefused)
        allowed = tuple(str(state) for state in AgentState if TABLE[name][state] != "r")
        assert (error.message, error.state, error.allowed) == (name, str(self.state), allowed)
        assert name in str(error) and str(self.state) in str(error)
        assert all(state in str(error) for state in allowed)

    def _answered_late(self, correlation: int) -> None:
        assert loads(self.subject.answer(correlation).data) == "hello to you, in MainThread"

    def _ran_late(self, number: int) -> None:
        assert value_of(self.subject.result(number)) == "assigned"

    def _refused_late(self, number: int) -> None:
        self.subject.next(AssignmentRefusal, where=lambda envelope: envelope.message.number == number)


@pytest.mark.parametrize("state", list(AgentState), ids=str)
def test_each_kind_of_message_meets_its_fate_in_each_state(agent: Agent, gate: Gates, state: AgentState) -> None:
    """A2, B4: refused with the state, the message and the states that would take it; and the agent goes on."""
    subject, release = HOLD[state](agent, gate)
    subject.pump_until(lambda: subject.state is state, f"state {state}")
    observer = Observer(subject, state)
    # Drain and shutdown would change the fate of all others: they have a test of their own.
    names = [name for name in TABLE if name not in ("Drain", "Shutdown")]
    fates = {name: (observer.became(name), TABLE[name][state]) for name in names}
    release()
    for look in observer.waiting:
        look()
    if state not in (AgentState.ERROR, AgentState.TERMINATING):
        assert subject.call("echo", "goes on") == "goes on"
        subject.answer(subject.request(Shutdown("the end", 3600.0)))
    assert subject.ended().exit_code == (1 if state is AgentState.ERROR else 0)
    wrong = {name: fate for name, fate in fates.items() if fate[0] != fate[1]}
    assert not wrong, f"in state {state} (got, expected): {wrong}"


@pytest.mark.parametrize("state", list(AgentState), ids=str)
@pytest.mark.parametrize("name", ["Drain", "Shutdown"])
def test_drain_and_shutdown_meet_their_fate_in_each_state(
    agent: Agent, gate: Gates, state: AgentState, name: str
) -> None:
    """A2, B4: as above, for the messages that end all others' chances."""
    subject, release = HOLD[state](agent, gate)
    subject.pump_until(lambda: subject.state is state, f"state {state}")
    correlation = subject.request(MESSAGES[name])
    refused = TABLE[name][state] == "r"
    answer = subject.answer(correlation, ErrorResponse if refused else Response)
    if refused:
        error = error_of(answer.failure)
        assert isinstance(error, MessageRefused) and error.state == str(state)
    release()
    if name == "Drain" and state is not AgentState.ERROR and not refused:
        subject.answer(subject.request(Shutdown("the end", 3600.0)))
    assert subject.ended().exit_code == (1 if state is AgentState.ERROR else 0)


def test_a_message_on_the_wrong_plane_is_refused(agent: Agent) -> None:
    """B2: each kind has its plane."""
    subject = agent().ready()
    correlation = subject.request(Assignment([tuple(subject.item("echo", 1))]))
    error = error_of(subject.answer(correlation, ErrorResponse).failure)
    assert isinstance(error, MessageRefused) and "task plane" in str(error)
    subject.handle.task.send(StatusRequest(), correlation=77, sender="test")
    error = error_of(subject.answer(77, ErrorResponse).failure)
    assert isinstance(error, MessageRefused) and "control plane" in str(error)
    assert subject.call("echo", 1) == 1
