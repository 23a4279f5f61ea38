"""The control lane of an agent: all that is not a task, also while one runs.

control channel ──▶ judged by AGENT_TAKES against the state ──▶ its method here, or refused
own deadlines    ──▶ heartbeats, repeated interruptions, overdue requests, results that wait too long
signals          ──▶ TERM, INT: the end in order; USR1: a heartbeat
"""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Callable
from typing import Any, ClassVar

from actors.errors import AgentDied, ChannelClosed
from actors.hosts.inbound import Inbound
from actors.hosts.interruptions import Interruptions
from actors.hosts.limits import LimitKeeper
from actors.hosts.outbox import FLUSH_AFTER
from actors.hosts.parts import AgentParts
from actors.hosts.payload import tend
from actors.hosts.refusals import judge
from actors.hosts.serialize import error_of
from actors.hosts.subtasks import SubTasks
from actors.protocol.messages import (
    HUB,
    AdjustmentAnswer,
    Batch,
    Cancellation,
    CancellationCause,
    CoordinationRequest,
    Drain,
    Envelope,
    ErrorResponse,
    EventMessage,
    Recall,
    ResourceLimit,
    Response,
    Result,
    Shutdown,
    StatusRequest,
    Subscribe,
    Terminated,
    Unsubscribe,
)
from actors.protocol.states import AgentState

__all__ = ["ControlLane"]

# How often it looks after results while the task lane runs what was expected to be short.
_TICK = 0.002
_ENDING_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT})


class ControlLane:
    """Takes the messages of the control plane. `run` blocks; `turn` does what is due and does not wait.

    Args:
        parts: what the lanes share.
        inbound: takes users' messages and events.
        subtasks: takes the results of tasks that this agent submitted.
        limits: takes limits.
    """

    def __init__(self, parts: AgentParts, inbound: Inbound, subtasks: SubTasks, limits: LimitKeeper) -> None:
        self.parts = parts
        self._inbound = inbound
        self._subtasks = subtasks
        self._limits = limits
        self._interruptions = Interruptions(parts.interrupter)
        self._next_beat = parts.monotonic() + parts.spec.heartbeat
        self._stopped = False
        # Whether it looks for work that comes although none is taken any more.
        self._closed = False
        # Whether the program is gone.
        self._alone = False
        # Whether the last turn knew that it is to tick.
        self._ticked = False
        parts.control_bell.watch(parts.control.fileno())

    # --- the loop --------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Work until `stop`."""
        parts = self.parts
        bell = parts.control_bell
        parts.control_thread = threading.get_ident()
        while not self._stopped:
            until = self.turn()
            bell.asleep = True
            # What may have come between the turn and this line is looked for now.
            written = bell.sleep(0.0 if self.wanted(until) else until - parts.monotonic())
            if written.strip(b"\0"):
                self.signalled(written)

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped

    def wanted(self, until: float) -> bool:
        """Whether something has come since the turn that said that nothing is due before `until`."""
        parts = self.parts
        if self._stopped or parts.requests.nearest < until or (parts.ticking and not self._ticked):
            return True
        return parts.assignments.has_late or (parts.ending.asked and not self._closed)

    def stop(self) -> None:
        """Let `run` return. From any thread."""
        self._stopped = True
        self.parts.control_bell.ring()

    def turn(self) -> float:
        """Take what has arrived and do what is due. Returns until when nothing else will be due."""
        parts = self.parts
        try:
            if not self._alone:
                for envelope in parts.control.receive(0):
                    self.take(envelope)
            return self._do_due(parts.monotonic())
        except ChannelClosed:
            self.lost()
            return parts.monotonic()

    def lost(self) -> None:
        """The program is gone: nobody waits for anything here any more."""
        if self._alone:
            return
        self._alone = True
        parts = self.parts
        parts.control_bell.unwatch(parts.control.fileno())
        parts.requests.end(ChannelClosed("the program is gone"))
        self._end("the program is gone", 0.0)

    def signalled(self, numbers: bytes) -> None:
        """Signals have arrived: their numbers, one a byte."""
        for number in numbers:
            if number in _ENDING_SIGNALS:
                name = signal.Signals(number).name
                again = self.parts.ending.reason is not None
                self._end(f"signal {name}", 0.0 if again else self.parts.spec.grace)
            elif number == signal.SIGUSR1:
                self.beat()

    def _do_due(self, now: float) -> float:
        parts = self.parts
        due = [self._next_beat]
        if now >= self._next_beat:
            self.beat()
            due = [self._next_beat]
        again = self._interruptions.repeat(now)
        if again is not None:
            due.append(again)
        due.append(parts.requests.due(now))
        ending = parts.ending
        if ending.interrupt_at is not None:
            if now >= ending.interrupt_at:
                ending.interrupt_at = None
                self._interrupt_all(ending.reason or "")
            else:
                due.append(ending.interrupt_at)
        self._ticked = parts.ticking
        if parts.ticking:
            due.append(self._tick(now))
        if ending.asked and not self._closed:
            self._close()
        if parts.assignments.closed:
            self._refuse_late()
        return min(due)

    def _tick(self, now: float) -> float:
        """Send results whose time is over while the task lane is busy with what was expected to be short."""
        parts = self.parts
        if not len(parts.outbox):
            parts.ticking = False
            if not len(parts.outbox):
                return math.inf
            parts.ticking = True
        if now - parts.outbox.oldest >= FLUSH_AFTER:
            parts.outbox.flush()
        return now + _TICK

    def beat(self) -> None:
        """Send a heartbeat."""
        parts = self.parts
        now = parts.monotonic()
        self._next_beat = math.inf if self._alone else now + parts.spec.heartbeat
        if self._alone:
            return
        parts.status.beat(now)
        parts.control.send(parts.heartbeat(), recipient=HUB, sender=parts.spec.agent)
        tend()

    # --- messages --------------------------------------------------------------------------------------------------

    def take(self, envelope: Envelope) -> None:
        """Judge one message by the state, and deal with it or refuse it."""
        parts = self.parts
        message = envelope.message
        kind = type(message)
        refused = judge(parts.spec.agent, kind, parts.slots.state)
        if refused is not None:
            parts.respond_error(envelope, refused)
            return
        try:
            self._METHODS[kind](self, envelope, message)
        except ChannelClosed:
            raise
        except BaseException as error:  # noqa: BLE001 - one message must not cost the lane
            parts.fault(error, f"handling {kind.__name__}")
            parts.respond_error(envelope, error)

    def _recall(self, envelope: Envelope, message: Recall) -> None:
        taken = self.parts.assignments.withdraw(message.tasks)
        self.parts.respond(envelope, [list(one.key) for one in taken])

    def _cancellation(self, envelope: Envelope, message: Cancellation) -> None:
        parts = self.parts
        cause = CancellationCause(message.cause)
        running = parts.slots.find(message.number, message.attempt)
        if running is not None:
            self._interruptions.begin(running, cause, message.reason, parts.monotonic())
            parts.respond(envelope, "interrupted")
            return
        for attempt in parts.assignments.withdraw([(message.number, message.attempt)]):
            attempt.cause, attempt.reason = cause, message.reason
            parts.drop(attempt)
            parts.respond(envelope, "dropped")
            return
        # It may have been claimed between the two looks, and have no slot yet: its body will find that it is to end.
        running = parts.assignments.claiming
        if running is None or running.key != (message.number, message.attempt):
            running = parts.slots.find(message.number, message.attempt)
        if running is not None and not running.ended:
            self._interruptions.begin(running, cause, message.reason, parts.monotonic())
            parts.respond(envelope, "interrupted")
        else:
            parts.assignments.cancel_early(message.number, message.attempt, cause, message.reason)
            parts.respond(envelope, "not here")

    def _result(self, envelope: Envelope, message: Result) -> None:
        self._subtasks.ended(message.results)
        self.parts.respond(envelope, None)

    def _coordination(self, envelope: Envelope, message: CoordinationRequest) -> None:
        self._inbound.offer(envelope, message)

    def _response(self, envelope: Envelope, message: Response) -> None:
        self.parts.requests.answer(envelope.correlation, message.data)

    def _error_response(self, envelope: Envelope, message: ErrorResponse) -> None:
        self.parts.requests.fail(envelope.correlation, error_of(message.failure))

    def _status(self, envelope: Envelope, message: StatusRequest) -> None:
        parts = self.parts
        parts.status.beat(parts.monotonic())
        parts.control.send(
            parts.heartbeat(),
            priority=envelope.priority,
            correlation=envelope.correlation,
            recipient=envelope.sender or HUB,
            sender=parts.spec.agent,
        )

    def _resource_limit(self, envelope: Envelope, message: ResourceLimit) -> None:
        self._limits.set(message.limits)
        if message.breach is not None:
            self._limits.ask_for_more(*message.breach)
        self.parts.respond(envelope, dict(message.limits))

    def _adjusted(self, envelope: Envelope, message: AdjustmentAnswer) -> None:
        if message.granted:
            self._limits.set({**self.parts.limits, message.limit: message.allowed})
        self.parts.requests.answer(envelope.correlation, message)

    def _event(self, envelope: Envelope, message: EventMessage) -> None:
        self._inbound.event(message)

    def _subscribe(self, envelope: Envelope, message: Subscribe) -> None:
        self.parts.interest.add(message.kinds)
        self.parts.interest_changed()
        self.parts.respond(envelope, None)

    def _unsubscribe(self, envelope: Envelope, message: Unsubscribe) -> None:
        self.parts.interest.remove(message.kinds)
        self.parts.interest_changed()
        self.parts.respond(envelope, None)

    def _batch(self, envelope: Envelope, message: Batch) -> None:
        for fields in message.envelopes:
            self.take(Envelope(*fields))

    def _terminated(self, envelope: Envelope, message: Terminated) -> None:
        error = error_of(message.failure) if message.failure is not None else None
        gone = AgentDied(
            f"{message.target} has ended: {message.reason}", agent_id=message.target, reason=message.reason
        )
        gone.__cause__ = error
        self.parts.requests.lost(message.target, gone)
        self._inbound.own(envelope, message)

    def _drain(self, envelope: Envelope, message: Drain) -> None:
        parts = self.parts
        self._close()
        if message.end and parts.ending.reason is None:
            parts.ending.when_empty = True
            parts.ending.reason = message.reason
            parts.task_bell.ring()
        parts.respond(envelope, len(parts.assignments))

    def _shutdown(self, envelope: Envelope, message: Shutdown) -> None:
        self.parts.respond(envelope, None)
        self._end(message.reason, message.grace)

    # --- the end ---------------------------------------------------------------------------------------------------

    def _end(self, reason: str, grace: float) -> None:
        parts = self.parts
        ending = parts.ending
        if not ending.asked:
            ending.reason = reason
            ending.when_empty = False
        at = parts.monotonic() + grace
        ending.interrupt_at = at if ending.interrupt_at is None else min(at, ending.interrupt_at)
        try:
            self._close()
            parts.give_back(f"the agent ends: {ending.reason}")
        except ChannelClosed:
            pass
        parts.task_bell.ring()
        parts.control_bell.ring()

    def _close(self) -> None:
        """From now on the agent takes no work; what comes nevertheless is refused here at once."""
        parts = self.parts
        self._closed = True
        parts.assignments.close()
        parts.control_bell.watch(parts.assignments.channel.fileno())

    def _refuse_late(self) -> None:
        parts = self.parts
        try:
            if parts.assignments.read():
                # What is to be run inside a waiting task is among it.
                parts.task_bell.ring()
        except ChannelClosed:
            parts.control_bell.unwatch(parts.assignments.channel.fileno())
            return
        state = parts.slots.state
        what = "it is terminating" if state is AgentState.TERMINATING else f"it takes no more work (state {state})"
        parts.refuse(parts.assignments.refused(), f"{parts.spec.agent} does not take Assignment: {what}")

    def _interrupt_all(self, reason: str) -> None:
        now = self.parts.monotonic()
        current = self.parts.interrupter.current
        attempts = self.parts.slots.running()
        if current is not None and current not in attempts:
            attempts.append(current)
        for attempt in attempts:
            self._interruptions.begin(attempt, CancellationCause.SHUTDOWN, reason, now)

    _METHODS: ClassVar[dict[type[Any], Callable[[Any, Envelope, Any], None]]] = {
        Recall: _recall,
        Cancellation: _cancellation,
        Result: _result,
        CoordinationRequest: _coordination,
        Response: _response,
        ErrorResponse: _error_response,
        StatusRequest: _status,
        ResourceLimit: _resource_limit,
        AdjustmentAnswer: _adjusted,
        EventMessage: _event,
        Subscribe: _subscribe,
        Unsubscribe: _unsubscribe,
        Batch: _batch,
        Terminated: _terminated,
        Drain: _drain,
        Shutdown: _shutdown,
    }
