"""What others send to a worker: messages for its handlers, and events that it subscribed to."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from functools import partial
from typing import Any

from actors.core.eventbuffer import EVENT_BOUND
from actors.core.lettercount import LetterCount
from actors.errors import MailboxFull, MessageRefused, NotSerializable
from actors.hosts.asking import asked_by
from actors.hosts.attempt import Attempt
from actors.hosts.eventfeed import EventFeed
from actors.hosts.eventmessage import event_of
from actors.hosts.parts import AgentParts
from actors.hosts.refusals import no_handler
from actors.hosts.serialize import loads, pack_value
from actors.kernel.handlers import Entry, HandlerTable
from actors.protocol.events import DeadLetterFound, EventsMissed, event_names
from actors.protocol.messages import CoordinationRequest, Envelope, EventMessage, Outcome

__all__ = ["Inbound", "in_control_lane"]

_log = logging.getLogger("actors.agent")

Ended = Callable[[Outcome, Any], None]

in_control_lane: ContextVar[bool] = ContextVar("in_control_lane", default=False)
"""Whether the code that runs is an urgent handler: the lane that would take an answer waits for its end."""

_MISSED = EventsMissed.__name__


class Inbound:
    """Ordinary handlers run in the task lane, between tasks or while the task waits; urgent ones in the control lane.

    Attributes:
        spawn: runs a handler that is an `async def`, and tells how it ended; None where there is no event loop, and the
            task lane waits for such a handler.
        inline: within it such a handler is run to its end although the loop stands still.
    """

    def __init__(self, parts: AgentParts) -> None:
        self._parts = parts
        self._table: HandlerTable | None = None
        self._feed: EventFeed | None = None
        self._failures = 0
        self.spawn: Callable[[Coroutine[Any, Any, Any], Ended], None] | None = None
        self.inline: Callable[[], AbstractContextManager[object]] | None = None
        # How many messages in a row were refused because too many wait.
        self._refused = 0
        self._lost = LetterCount()

    def ready(self, worker: Any) -> None:
        """The worker is there."""
        self._table = HandlerTable.of(type(worker))
        parts = self._parts
        parts.events_missed = lambda: self._feed.missed if self._feed is not None else 0
        bound = getattr(type(worker), "event_bound", EVENT_BOUND)
        self._feed = EventFeed(
            self._tell_event, self._notice, parts.spec.agent, parts.world.threads, parts.monotonic, bound
        )

    @property
    def any_urgent(self) -> bool:
        """Whether code of the worker may run in the control lane."""
        return self._table is not None and self._table.any_urgent

    def end(self, timeout: float) -> None:
        """No event is handled any more."""
        if self._feed is not None:
            self._feed.end(timeout)
        if self._failures > 1:
            _log.warning("%s: on_event failed %d times; the first was told", self._parts.spec.agent, self._failures)

    # --- messages --------------------------------------------------------------------------------------------------

    def offer(self, envelope: Envelope, request: CoordinationRequest) -> None:
        """In the control lane: a request has come."""
        if request.topic != "message":
            _log.warning("%s: a request of unknown topic %r came", self._parts.spec.agent, request.topic)
            name = f"a request of topic {request.topic!r}"
            self._parts.respond_error(envelope, no_handler(self._parts.spec.agent, name, self._parts.slots.state))
            return
        if self._overflows(envelope, request.data):
            return
        if self._table is not None and self.any_urgent and isinstance(request.data, bytes):
            # Only the message itself tells whether it is urgent. To read a large one would hold up this lane.
            message = loads(request.data, "the message")
            if self._table.is_urgent(type(message)):
                self._handle_urgent(envelope, message)
            else:
                self._parts.leave(partial(self._handle, envelope, message), envelope.priority)
            return
        self._parts.leave(partial(self._open, envelope, request.data), envelope.priority)

    def _overflows(self, envelope: Envelope, data: Any) -> bool:
        """Refuse a message beyond the bound. Who waits is told each time, others once for all that come in a row.

        What nobody waits for is a dead letter.
        """
        errands = self._parts.errands
        if not errands.full:
            if self._refused and 2 * len(errands) < errands.bound:
                _log.warning("%s refused %d messages: its mailbox was full", self._parts.spec.agent, self._refused)
                self._refused = 0
            return False
        self._refused += 1
        if envelope.correlation is None:
            self._lose(envelope, data)
        if self._refused == 1 or envelope.correlation is not None:
            agent = self._parts.spec.agent
            full = MailboxFull(
                f"the mailbox of {agent} is full: {errands.bound} messages wait for the end of its task; send fewer, or "
                "ask, which waits for each answer"
            )
            self._parts.respond_error(envelope, full)
        return True

    def _lose(self, envelope: Envelope, data: Any) -> None:
        """Tell of a message that is not handled and that nobody waits for."""
        parts = self._parts
        if not self._lost.add(parts.monotonic()) or not parts.interest.wants(*event_names(DeadLetterFound)):
            return
        try:
            # Few are told of, so that it may cost something to find out what they are.
            kind = type(loads(data, "the message")).__name__ if isinstance(data, bytes) else ""
        except NotSerializable:
            kind = ""
        agent, total = parts.spec.agent, self._lost.total
        parts.publish(DeadLetterFound(recipient=agent, message=kind, sender=envelope.sender, total=total))

    def own(self, envelope: Envelope, message: Any) -> None:
        """In the control lane: one of the library's own messages has come, for a worker that handles such."""
        if self._table is not None and self._table.find(type(message)) is not None:
            self._parts.leave(partial(self._handle, envelope, message))

    def _open(self, envelope: Envelope, data: Any) -> None:
        try:
            self._check_room(data)
            message = loads(data, "the message")
        except BaseException as error:  # noqa: BLE001 - it concerns this message only
            if envelope.correlation is None:
                self._lose(envelope, b"")
            self._ended(envelope, "a message", Outcome.ERROR, error)
            return
        self._handle(envelope, message)

    def _check_room(self, data: Any) -> None:
        why = None if isinstance(data, bytes) else self._parts.no_memory_for(len(data))
        if why is not None:
            agent = self._parts.spec.agent
            raise MessageRefused(f"{agent} cannot take a message of {len(data) >> 20:,} MiB: {why}", recipient=agent)

    def _entry(self, envelope: Envelope, message: Any) -> tuple[Entry, Callable[..., Any]] | None:
        """The handler that takes a message now; else the sender is told why there is none."""
        parts = self._parts
        state = parts.slots.state
        kind = type(message)
        entry = None if self._table is None else self._table.find(kind)
        if entry is None:
            _log.warning("%s: no handler takes %s", parts.spec.agent, kind.__qualname__)
            parts.respond_error(envelope, no_handler(parts.spec.agent, kind.__qualname__, state))
            return None
        function = entry.pick(state)
        if function is None:
            parts.respond_error(envelope, entry.refusal(parts.spec.agent, message, state))
            return None
        return entry, function

    def _handle(self, envelope: Envelope, message: Any) -> None:
        parts = self._parts
        found = self._entry(envelope, message)
        if found is None:
            return
        name = f"the handler of {type(message).__qualname__}"
        chain = getattr(envelope.message, "chain", ())
        token = asked_by.set(tuple(chain))
        try:
            # One that closes a circle is waited for by a body of this agent, which may hold up the loop.
            circle = self.inline is not None and parts.spec.agent in chain
            with self.inline() if circle and self.inline is not None else nullcontext():
                outcome, value = parts.interrupter.call(Attempt.of_agent(name), found[1], (parts.worker, message), {})
            if self.spawn is not None and isinstance(value, Coroutine):
                self.spawn(value, partial(self._ended, envelope, name))
                return
        finally:
            asked_by.reset(token)
        self._ended(envelope, name, outcome, value)

    def _handle_urgent(self, envelope: Envelope, message: Any) -> None:
        found = self._entry(envelope, message)
        if found is None:
            return
        name = f"the handler of {type(message).__qualname__}"
        token = in_control_lane.set(True)
        try:
            outcome, value = Outcome.VALUE, found[1](self._parts.worker, message)
        except BaseException as error:  # noqa: BLE001 - it concerns this message only
            outcome, value = Outcome.ERROR, error
        finally:
            in_control_lane.reset(token)
        self._ended(envelope, name, outcome, value)

    def _ended(self, envelope: Envelope, name: str, outcome: Outcome, value: Any) -> None:
        parts = self._parts
        if outcome is Outcome.VALUE and envelope.correlation is not None:
            try:
                parts.respond(envelope, pack_value(value, "the answer"))
            except BaseException as error:  # noqa: BLE001 - as above
                outcome, value = Outcome.ERROR, error
        if outcome is Outcome.VALUE:
            return
        if envelope.correlation is not None:
            parts.respond_error(envelope, value)
        else:
            _log.error("%s: %s failed", parts.spec.agent, name, exc_info=value)
            parts.fault(value, name)

    # --- events ----------------------------------------------------------------------------------------------------

    def event(self, message: EventMessage) -> None:
        """In the control lane: an event has come, or word that some could not."""
        if self._feed is None:
            return
        if message.type == _MISSED:
            self._feed.miss(message.data["count"])
        else:
            self._feed.put(message)

    def _notice(self, count: int, total: int) -> EventMessage:
        """What is handed to the worker in place of events that were lost."""
        parts = self._parts
        return EventMessage(_MISSED, parts.spec.agent, "global", parts.clock.utc(), {"count": count, "total": total})

    def _tell_event(self, message: EventMessage) -> None:
        parts = self._parts
        try:
            event = event_of(message)
            names = event_names(type(event))
            wanted = parts.interest.subscribed if message.type == _MISSED else parts.interest.hears
            if wanted(names):
                parts.worker.on_event(event)
        except BaseException as error:  # noqa: BLE001 - it concerns this event only
            self._failures += 1
            if self._failures == 1:
                text = "%s: on_event failed on %s; if it fails again, that is counted and told at the end"
                _log.error(text, parts.spec.agent, message.type, exc_info=error)
                parts.fault(error, "on_event")
