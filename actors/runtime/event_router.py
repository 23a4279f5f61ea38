"""Brings events to those who subscribed to them: the program's listeners and the agents."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from actors.core.subscriptions import Subject, Subscriptions
from actors.errors import ActorsError, ChannelClosed, NotSerializable
from actors.hosts.eventmessage import event_of, message_of, stamped
from actors.logs import replay
from actors.protocol.events import (
    KNOWN_EVENTS,
    SCOPES,
    Event,
    EventsMissed,
    LogRecorded,
    Scope,
    event_name,
    event_names,
)
from actors.protocol.messages import EventMessage, Subscribe, Unsubscribe
from actors.runtime.actor_host import ACTOR_HOST
from actors.runtime.listener import Listener

if TYPE_CHECKING:
    from actors.core.registry import Registry
    from actors.runtime.agent_links import AgentLink, AgentLinks

__all__ = ["EventRouter"]

_log = logging.getLogger("actors.events")

_MOST_PENDING = 1 << 20
"""Bytes that may wait for an agent that does not read, before events for it are dropped: its cancellations wait behind."""

_MISSED = EventsMissed.__name__


class EventRouter:
    """Knows who listens, and hands events over.

    Args:
        registry: tells where an agent stands, for scopes.
        links: the agents' channels.
        utc: the time, for events that name none.
    """

    def __init__(self, registry: Registry, links: AgentLinks, utc: Callable[[], float]) -> None:
        self._registry = registry
        self._links = links
        self._utc = utc
        self._listeners: Subscriptions[Any] = Subscriptions(self._subject)
        self._in_program: dict[Listener, None] = {}
        # Types of event that an agent listens to, or did.
        self._shared: set[type[Event]] = set()
        # What is being handed over, and to whom it has been: the hub may fail in the middle, and is given it once more.
        self._handing: object = None
        self._told: set[Any] = set()

    def _subject(self, key: Any) -> Subject | None:
        subject = self._registry.subject(key) if isinstance(key, str) else None
        # A process of actors hears all for them: each of them decides what reaches it.
        return None if subject is None or subject.agent_type == ACTOR_HOST else subject

    # Who listens

    @property
    def interest(self) -> frozenset[str]:
        """The names of event types, own or of a base, that somebody listens to."""
        return self._listeners.interest()

    def agents_interest(self) -> frozenset[str]:
        """Those among them that an agent listens to: such events have to travel."""
        return self._listeners.interest_of(lambda key: isinstance(key, str))

    def wanted(self) -> frozenset[str]:
        """The library's own events that somebody listens to, by their own names."""
        return frozenset(name for name, kind in KNOWN_EVENTS.items() if self.wants(kind))

    def wants(self, kind: type[Event]) -> bool:
        """Whether somebody listens to events of this type; no other need be made."""
        return not self.interest.isdisjoint(event_names(kind))

    def straight(self) -> dict[type[Event], tuple[Listener, ...]]:
        """Who hears the library's own events of each type, where these are listeners of the program and always were.

        Whoever makes such an event may hand it over itself. Once an agent has listened to a type, its events go through
        the hub for good: what is on that way must not be overtaken.
        """
        hearers: dict[type[Event], tuple[Listener, ...]] = {}
        for kind in KNOWN_EVENTS.values():
            heard = self._hearers(kind)
            if any(isinstance(key, str) for key in heard):
                self._shared.add(kind)
            if heard and kind not in self._shared:
                hearers[kind] = tuple(heard)
        return hearers

    @staticmethod
    def names_of(listener: Listener) -> tuple[str, ...]:
        """The names of event types that a listener of the program listens to."""
        return tuple(event_name(kind) for kind in listener.kinds) or (event_name(Event),)

    def add(self, listener: Listener) -> frozenset[str]:
        """The program listens. Returns the names that nobody listened to before."""
        new = self._listeners.add(listener, self.names_of(listener), listener.scope)
        self._in_program[listener] = None
        return new

    def remove(self, listener: Listener) -> frozenset[str]:
        """The program listens no more. Returns the names that nobody listens to now."""
        self._in_program.pop(listener, None)
        return self._listeners.remove(listener)

    def add_agent(self, agent: str, message: Subscribe) -> frozenset[str]:
        """An agent listens. Returns the names that nobody listened to before."""
        return self._listeners.add(agent, message.kinds, message.scope)  # type: ignore[arg-type]

    def remove_agent(self, agent: str, message: Unsubscribe) -> frozenset[str]:
        """An agent listens no more. Returns the names that nobody listens to now."""
        return self._listeners.remove(agent, message.kinds, message.scope)  # type: ignore[arg-type]

    def agent_gone(self, agent: str) -> frozenset[str]:
        """An agent has ended; its next incarnation subscribes anew."""
        return self._listeners.remove(agent)

    def close(self) -> None:
        """The system has ended: nothing more comes, and whoever waits for something is told. From any thread."""
        for listener in list(self._in_program):
            listener.end()

    # What they hear

    def publish(self, event: Event, message: EventMessage | None = None, *, once: object = None) -> None:
        """Hand over an event of the program or of the system.

        Args:
            event: what happened; one of the system's that has no time gets one.
            message: the same in the form in which it travels, if it was made already.
            once: what the hub handles; if that is handled again, nobody is told twice.
        """
        if not event.time:
            event = stamped(event, time=self._utc())
        self._deliver(event, None, message, once)

    def publish_from(self, agent: str, message: EventMessage) -> None:
        """Hand over an event of an agent. One that cannot be read is logged."""
        source = self._registry.subject(agent)
        told = message
        if not (source is not None and source.agent_type == ACTOR_HOST and "/" in message.source):
            # Whoever it says that it is from, it is from this agent; unless that has actors, which name themselves.
            told = message._replace(source=agent)
        try:
            event = event_of(told)
        except (NotSerializable, TypeError) as error:
            _log.warning("An event %s of %s cannot be read: %s", message.type, agent, error)
            return
        if message.scope not in SCOPES or isinstance(event, EventsMissed):
            _log.warning("%s sent an event %s of scope %r, which no agent sends", agent, message.type, message.scope)
            return
        if isinstance(event, LogRecorded):
            replay(event)
        self._deliver(event, source, told, message)

    def _deliver(self, event: Event, source: Subject | None, message: EventMessage | None, once: object) -> None:
        if once is None or once is not self._handing:
            self._handing, self._told = once, set()
        for key in self._hearers(type(event), event.scope, source):
            if key in self._told:
                continue
            self._told.add(key)
            if not isinstance(key, str):
                key.offer(event)
            elif (link := self._links.get(key)) is not None:
                message = self._tell(link, event, message)

    def _hearers(self, kind: type[Event], scope: Scope = "global", source: Subject | None = None) -> dict[Any, None]:
        """Who hears events of a type, under its own name or a base's, each once."""
        heard: dict[Any, None] = {}
        for name in event_names(kind):
            if self._listeners.wants(name):
                heard.update(dict.fromkeys(self._listeners.hearers(name, scope, source)))
        return heard

    def _tell(self, link: AgentLink, event: Event, message: EventMessage | None) -> EventMessage | None:
        """Tell an agent; the message of the event, once it is made."""
        try:
            if message is None:
                message = message_of(event, "", 0.0)
            self._send(link, message)
        except ActorsError as error:
            if not isinstance(error, ChannelClosed):
                _log.warning("An event %s could not be sent to %s: %s", type(event).__name__, link.agent, error)
        return message

    def _send(self, link: AgentLink, message: EventMessage) -> None:
        """Write to an agent, which may not read: then it learns later how much it has missed."""
        control = link.handle.control
        if control.pending_out > _MOST_PENDING:
            link.events_missed += 1
            return
        if link.events_missed:
            lost = {"count": link.events_missed, "total": link.events_missed}
            control.send(EventMessage(_MISSED, "hub", "global", self._utc(), lost), sender="hub")
            link.events_missed = 0
        control.send(message, sender="hub")
