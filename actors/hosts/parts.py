"""What the lanes of an agent share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from actors.errors import ActorsError
from actors.hosts.assignments import Assignments
from actors.hosts.attempt import Attempt
from actors.hosts.channel import Channel
from actors.hosts.errands import Errands
from actors.hosts.eventmessage import message_of
from actors.hosts.host import LaunchSpec
from actors.hosts.interest import Interest
from actors.hosts.interrupts import Interrupter
from actors.hosts.outbox import Outbox
from actors.hosts.refusals import wrong_lane
from actors.hosts.requests import Requests
from actors.hosts.serialize import failure_of
from actors.hosts.slots import Slots
from actors.hosts.statusblock import StatusWriter
from actors.hosts.world import AgentWorld
from actors.protocol.events import AgentError, Event, LogRecorded, event_names
from actors.protocol.messages import (
    HUB,
    AssignmentRefusal,
    Envelope,
    ErrorResponse,
    EventMessage,
    Heartbeat,
    Outcome,
    Priority,
    Response,
)
from actors.protocol.states import AgentState, Move

__all__ = ["AgentParts", "Ending"]


_MAILBOX_BOUND = 10_000


@dataclass(slots=True)
class Ending:
    """Whether and how the agent is to end. Written by the control lane, read by the task lane.

    `reason` is None until somebody asked. `when_empty`: what is assigned may run first; otherwise only what is running
    may go on, until `interrupt_at` on the monotonic clock.
    """

    reason: str | None = None
    when_empty: bool = False
    interrupt_at: float | None = None
    failure: BaseException | None = None

    @property
    def asked(self) -> bool:
        """Whether no task is to be started any more."""
        return self.reason is not None and not self.when_empty


class AgentParts:
    """One agent's identity, channels, slots and books.

    Attributes:
        errands: what the control lane leaves for the task lane to do between tasks or while its task waits.
        done: tasks that have ended here.
        events_missed: tells how many events the worker has missed.
        ticking: the control lane looks after results every other millisecond, because the task lane may not get to it.
    """

    def __init__(
        self,
        spec: LaunchSpec,
        task: Channel,
        control: Channel,
        status: StatusWriter,
        *,
        world: AgentWorld,
        interrupter: Interrupter,
    ) -> None:
        self.spec = spec
        self.control = control
        self.status = status
        self.world = world
        self.clock = clock = world.clock
        self.monotonic = clock.monotonic
        self.interrupter = interrupter
        # A body that waits in the library is awake then, and finds its interruption.
        interrupter.wake = self.wake_task_lane
        self.outbox = Outbox(task, clock.monotonic)
        self.slots = Slots(spec.agent, spec.concurrency, clock.monotonic, status, self._moved)
        self.interest = Interest(spec.interest)
        self.task_bell = world.bell()
        self.control_bell = world.bell()
        self.assignments = Assignments(
            task,
            self.refuse_stranger,
            on_early=self.drop,
            on_arrival=self.task_bell.ring,
            on_late=self.control_bell.ring,
        )
        self.requests = Requests(control, clock.monotonic, self.control_bell.ring)
        self.vitals = world.vitals()
        self.errands = Errands(int(spec.extra.get("mailbox_bound", _MAILBOX_BOUND)))
        # The control lane's thread; 0 while it is not known.
        self.control_thread = 0
        self.ending = Ending()
        self.done = 0
        self.ticking = False
        self.limits: dict[str, Any] = dict(spec.limits)
        # Why there is no memory to read a message of so many bytes, for which the agent would be killed; None: there is.
        self.no_memory_for: Callable[[int], str | None] = lambda _: None
        self.worker: Any = None
        self.events_missed: Callable[[], int] = lambda: 0
        self.interest_changed()

    # --- what it tells ---------------------------------------------------------------------------------------------

    def heartbeat(self) -> Heartbeat:
        """How the agent does now."""
        running = self.slots.running()
        vitals = self.vitals
        return Heartbeat(
            self.spec.agent,
            self.spec.incarnation,
            self.clock.utc(),
            int(self.slots.state),
            running[0].number if running else None,
            vitals.memory_kb(),
            vitals.cpu_percent(),
            vitals.open_files(),
            vitals.uptime,
            len(self.assignments) + len(running),
            self.done,
        )

    def respond(self, request: Envelope, data: Any) -> None:
        """Answer a request, if it waits for an answer."""
        if request.correlation is not None:
            self.control.send(
                Response(data),
                priority=request.priority,
                correlation=request.correlation,
                recipient=request.sender,
                sender=self.spec.agent,
            )

    def respond_error(self, request: Envelope, error: BaseException) -> None:
        """Answer a message with an error. It is sent also to those who do not wait: they ought to know."""
        self.control.send(
            ErrorResponse(tuple(failure_of(error))),
            priority=request.priority,
            correlation=request.correlation,
            recipient=request.sender,
            sender=self.spec.agent,
        )

    def refuse_stranger(self, envelope: Envelope) -> None:
        """Refuse a message on the task plane that is no assignment."""
        self.respond_error(envelope, wrong_lane(self.spec.agent, type(envelope.message), self.slots.state))

    def drop(self, attempt: Attempt) -> None:
        """Tell that a task was cancelled before it began: its result has no payload."""
        attempt.ended = True
        now = self.monotonic()
        self.outbox.add(attempt.result(Outcome.INTERRUPTED, None, now), now)
        self.outbox.flush()

    def refuse(self, attempts: Iterable[Attempt], reason: str) -> None:
        """Give tasks back that have not started."""
        state = int(self.slots.state)
        refusals = [AssignmentRefusal(one.number, one.attempt, state, reason) for one in attempts]
        if refusals:
            self.outbox.flush()
            self.outbox.channel.send_many(refusals)

    def give_back(self, reason: str) -> None:
        """Take no more work, and give back all that has not started."""
        self.assignments.close(for_good=True)
        self.refuse(self.assignments.withdraw_all(), reason)
        self.refuse(self.assignments.refused(), reason)

    def publish(self, event: Event) -> bool:
        """Send an event to whoever wants it. Returns whether anybody does.

        Raises:
            NotSerializable: the event cannot be sent.
        """
        if not self.interest.wants(*event_names(type(event))):
            return False
        message = message_of(event, self.spec.agent, self.clock.utc())
        self.control.send(message, recipient=HUB, sender=self.spec.agent)
        return True

    def forward_log(self, record: LogRecorded) -> None:
        """Send a log record to the program, with the ids of the task in hand. Also without a subscriber."""
        attempt = self.interrupter.current
        if attempt is not None and attempt.attempt:
            record.fields.setdefault("task", attempt.task_id)
            record.fields.setdefault("attempt", attempt.attempt)
        data = {
            "logger": record.logger,
            "level": record.level,
            "message": record.message,
            "fields": record.fields,
            "exception": record.exception,
        }
        self.status.log(f"{logging.getLevelName(record.level)} {record.logger}: {record.message}")
        with self.interrupter.shielded:
            self.control.send(
                EventMessage("LogRecorded", record.source, "global", record.time, data),
                priority=Priority.LOW,
                recipient=HUB,
                sender=self.spec.agent,
            )

    def fault(self, error: BaseException, doing: str) -> None:
        """Tell of a fault of the agent itself that it survives."""
        if not self.interest.wants(*event_names(AgentError)):
            return
        self.publish(
            AgentError(
                agent=self.spec.agent,
                type=self.spec.type,
                incarnation=self.spec.incarnation,
                error=f"{doing}: {type(error).__name__}: {error}",
            )
        )

    # --- moves -----------------------------------------------------------------------------------------------------

    def interest_changed(self) -> None:
        """Somebody has begun or ceased to listen: see what has to be told."""
        self.slots.watched = self.interest.wants("AgentStateChanged", "Event")
        self.acknowledges = self.interest.wants("TaskStarted", "Event")

    def _moved(self, made: Move[AgentState]) -> None:
        data = {
            "agent": self.spec.agent,
            "type": self.spec.type,
            "incarnation": self.spec.incarnation,
            "previous": str(made.source),
            "state": str(made.target),
        }
        message = EventMessage("AgentStateChanged", self.spec.agent, "global", self.clock.utc(), data)
        try:
            self.control.send(message, priority=Priority.LOW, recipient=HUB, sender=self.spec.agent)
        except ActorsError:
            # A move must not fail because nobody hears of it; the lanes find out for themselves that the channel is gone.
            pass

    # --- wake-ups --------------------------------------------------------------------------------------------------

    def leave(self, errand: Callable[[], object], priority: int = Priority.NORMAL) -> None:
        """Have the task lane do something when it can."""
        self.errands.append(errand, priority)
        self.task_bell.ring()

    def wake_task_lane(self) -> None:
        """Have the task lane look again at what it waits for."""
        self.task_bell.ring()

    def tick(self) -> None:
        """Have the control lane look after results that wait while the task lane is busy."""
        if not self.ticking:
            self.ticking = True
            self.control_bell.ring()

    def close(self) -> None:
        """Free what it holds beside the channels."""
        self.task_bell.close()
        self.control_bell.close()
