"""Events for actors: what one has subscribed to comes into its mailbox, one message for each event.

hub ── offer ──▶ [buffer] ◀── take ── actor, at the turn of its mark
└── one `EventsWait` in the mailbox for as long as something is in the buffer
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable
from typing import Any, ClassVar, Protocol

from actors.core.eventbuffer import EVENT_BOUND, EventBuffer
from actors.errors import ActorsError, ConfigError, MailboxClosed
from actors.protocol.events import SCOPES, Event, EventsMissed, Scope, event_name, event_names

__all__ = ["EventGround", "EventSide", "EventsWait", "Hearing", "source_of"]

_MISSED = event_name(EventsMissed)


class EventGround(Protocol):
    """What brings the events of an actor to others, and those of others to it."""

    def publish(self, event: Event, source: str) -> None:
        """Hand an event to whoever subscribed to it; `source` is its source. Must not block."""

    def hear(self, hearing: Hearing) -> None:
        """Offer it the events that it wants, from now on. Returns when all who publish know of it."""

    def hear_no_more(self, hearing: Hearing) -> None:
        """The opposite."""


class EventsWait:
    """What is put into the mailbox while events wait. It is void if they are for an earlier incarnation."""

    __slots__ = ("hearing",)

    def __init__(self, hearing: Hearing) -> None:
        self.hearing = hearing


def source_of(cell: Any) -> str:
    """What the events of an actor name as their source: its class and its name, as "Till/till-2"."""
    return f"{cell.actor_class.__name__}/{cell.name}"


class Hearing:
    """What one incarnation of an actor has subscribed to; a listener in the sense of the system's hub.

    Args:
        cell: the actor's `Cell`.

    Attributes:
        kinds: the event types that it wants.
        scope: "global": what it hears in which scope is decided here, as nobody else knows of actors' classes.

    Invariant: a mark is in the mailbox, or on its way, if and only if something is in the buffer.
    """

    def __init__(self, cell: Any) -> None:
        self.kinds: tuple[type[Event], ...] = ()
        self.scope: Scope = "global"
        self._cell = cell
        self._lock = threading.Lock()
        self._wanted: frozenset[tuple[str, Scope]] = frozenset()
        self._buffer: EventBuffer[Event] | None = None
        self._heard = False
        self._marked = False

    @property
    def missed(self) -> int:
        """How many events were dropped because the actor did not come round to them."""
        return 0 if self._buffer is None else self._buffer.missed

    @property
    def ground(self) -> EventGround:
        """Where events come from and go to.

        Raises:
            ActorsError: the actor belongs to no system.
        """
        ground: EventGround | None = self._cell.options.events
        if ground is None:
            raise ActorsError(
                f"{self._cell.name} belongs to no system, so there is nobody to hear its events and nothing to hear: start it "
                "with system.start_actor, or from an actor that was"
            )
        return ground

    # --- for the actor ---

    def subscribe(self, kinds: Iterable[Any], scope: Any) -> None:
        """See `EventSide.subscribe`."""
        found = _checked(kinds, scope)
        ground = self.ground
        if self._buffer is None:
            self._buffer = EventBuffer(self._cell.actor_class.event_bound, self._notice)
        with self._lock:
            self._wanted |= {(event_name(kind), scope) for kind in found}
        self.kinds = tuple(dict.fromkeys((*self.kinds, *found)))
        self._heard = True
        ground.hear(self)

    def unsubscribe(self, kinds: Iterable[Any], scope: Any) -> None:
        """See `EventSide.unsubscribe`."""
        found = {(event_name(kind), scope) for kind in _checked(kinds, scope)}
        with self._lock:
            self._wanted -= found
            names = {name for name, _ in self._wanted}
        self.kinds = tuple(kind for kind in self.kinds if event_name(kind) in names)
        if not self.kinds:
            self.clear()

    def take(self) -> Event | None:
        """The next event for the actor; None if there is none after all. In its thread."""
        event = None
        with self._lock:
            buffer = self._buffer
            while event is None and buffer is not None and len(buffer):
                event = buffer.take()
                if not self._wants(event):
                    event = None
            self._marked = buffer is not None and len(buffer) > 0
            again = self._marked
        if again:
            self._mark()
        return event

    def clear(self) -> None:
        """Hear nothing any more; what waits is dropped."""
        with self._lock:
            self._wanted = frozenset()
            self.kinds = ()
            if self._buffer is not None:
                self._buffer.drop()
            heard, self._heard = self._heard, False
        if heard:
            # Whoever cannot be told any more has ended.
            with contextlib.suppress(ActorsError):
                self.ground.hear_no_more(self)

    # --- for those who bring events, in any thread ---

    def offer(self, event: Event) -> bool:
        """Take an event, without ever blocking; False if it is for nobody any more."""
        with self._lock:
            if self._buffer is None or not self._wants(event):
                return bool(self._wanted)
            self._buffer.put(event)
            mark, self._marked = not self._marked, True
        if mark:
            self._mark()
        return True

    def offer_all(self, events: Iterable[Event]) -> None:
        """Take events in their order, without ever blocking."""
        for event in events:
            self.offer(event)

    def miss(self, count: int) -> None:
        """Count events that were lost on their way here."""
        with self._lock:
            if self._buffer is None or not self._wanted:
                return
            self._buffer.miss(count)
            mark, self._marked = not self._marked, True
        if mark:
            self._mark()

    def end(self) -> None:
        """The system ends: nothing more comes."""

    def _mark(self) -> None:
        try:
            # Beyond the mailbox's bound: it is one message, however many events wait.
            self._cell.mailbox.force(EventsWait(self))
        except MailboxClosed:
            pass

    def _wants(self, event: Event) -> bool:
        names = event_names(type(event))
        if _MISSED in names:
            return any(name in names for name, _ in self._wanted)
        return any(name in names and self._reaches(event, scope) for name, scope in self._wanted)

    def _reaches(self, event: Event, scope: Scope) -> bool:
        scopes = {event.scope, scope}
        if "local" in scopes:
            # An actor works on no job.
            return False
        return "type" not in scopes or event.source.startswith(f"{self._cell.actor_class.__name__}/")

    def _notice(self, count: int, total: int) -> Event:
        return EventsMissed(source="system", time=self._cell.clock.utc(), count=count, total=total)


def _checked(kinds: Iterable[Any], scope: Any) -> tuple[type[Event], ...]:
    found = tuple(kinds)
    for kind in found:
        if not (isinstance(kind, type) and issubclass(kind, Event)):
            raise ConfigError(
                f"an event type is a class derived from actors.Event, not {kind!r}", key="kinds", value=kind
            )
    if not found:
        raise ConfigError("subscribe takes one event type or more; Event itself means all", key="kinds", value=found)
    if scope not in SCOPES:
        allowed = ", ".join(SCOPES)
        raise ConfigError(f"scope takes one of {allowed}, not {scope!r}", key="scope", value=scope, allowed=allowed)
    return found


class EventSide:
    """What an actor can do with events; a part of `Actor`."""

    event_bound: ClassVar[int] = EVENT_BOUND
    """How many events may wait for it, 1 or more; beyond it the oldest are dropped and counted."""

    _run: Any

    @property
    def events_missed(self) -> int:
        """How many events were dropped because this incarnation did not come round to them."""
        return int(self._run.hearing.missed)

    def publish(self, event: Event) -> None:
        """Publish an event to whoever subscribed to its type: in the program, in agents, in actors of any process.

        Args:
            event: an instance of a frozen dataclass derived from `Event`. Its `source` will be the actor's class and
                name, as "Till/till-2". In scope "type" actors of the same class hear it; "local", which is for
                agents on one job, reaches the program alone.

        Raises:
            ActorsError: the actor was not started by a system.
            ConfigError: it is no event, or has a scope that there is not.
            NotSerializable: it cannot be sent to a process that listens, or has more than 64 MiB.
        """
        self._run.hearing.ground.publish(event, source_of(self._run.cell))

    def subscribe(self, *kinds: type[Event], scope: Scope = "global") -> None:
        """Get events of these types, and of types derived from them, as messages, for `@handles(…)` methods.

        What anybody publishes after this has returned is heard. At most `event_bound` wait; who subscribes to
        `EventsMissed` as well is told of those that were dropped, before the next event. Subscriptions end with this
        incarnation: a replacement subscribes anew, best in `on_start`.

        Args:
            *kinds: event types; `Event` means all.
            scope: how far it listens: "global", or "type" (what actors of its own class publish).

        Raises:
            ActorsError: the actor was not started by a system.
            ConfigError: something is no event type, none is named, or there is no such scope.
        """
        self._run.hearing.subscribe(kinds, scope)

    def unsubscribe(self, *kinds: type[Event], scope: Scope = "global") -> None:
        """The opposite of `subscribe`, for the same scope. What waits is not handed over any more."""
        self._run.hearing.unsubscribe(kinds, scope)
