"""Brings events to those who subscribed to them: the program's listeners and the agents."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from actors.core.subscriptions import Subject, Subscriptions
from actors.errors import ActorsError, ChannelClosed, NotSerializable
from actors.hosts.eventmessage import message_of
from actors.hosts.interest import event_names
from actors.hosts.serialize import unpack_value
from actors.logs import replay
from actors.protocol.events import KNOWN_EVENTS, Event, LogRecorded, Scope
from actors.protocol.messages import EventMessage, Subscribe, Unsubscribe

if TYPE_CHECKING:
    from actors.core.registry import Registry
    from actors.runtime.agent_links import AgentLinks

__all__ = ["EventRouter", "Listener"]

_log = logging.getLogger("actors.events")


class Listener(Protocol):
    """Whoever in the program hears events: a subscription or a stream."""

    kinds: tuple[type[Event], ...]
    scope: Scope

    def offer(self, event: Event) -> bool:
        """Take an event, without ever blocking."""


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

    def _subject(self, key: Any) -> Subject | None:
        return self._registry.subject(key) if isinstance(key, str) else None

    # Who listens

    @property
    def interest(self) -> frozenset[str]:
        """The names of event types, own or of a base, that somebody listens to."""
        return self._listeners.interest()

    def wanted(self) -> frozenset[str]:
        """The library's own events that somebody listens to, by their own names."""
        interest = self.interest
        return frozenset(name for name, kind in KNOWN_EVENTS.items() if not interest.isdisjoint(event_names(kind)))

    def add(self, listener: Listener) -> frozenset[str]:
        """The program listens. Returns the names that nobody listened to before."""
        return self._listeners.add(listener, _names_of(listener), listener.scope)

    def remove(self, listener: Listener) -> frozenset[str]:
        """The program listens no more. Returns the names that nobody listens to now."""
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

    # What they hear

    def publish(self, event: Event) -> None:
        """Hand over an event of the program or of the system."""
        if not event.time:
            event = replace(event, time=self._utc())
        self._deliver(event, event_names(type(event)), None, None)

    def publish_from(self, agent: str, message: EventMessage) -> None:
        """Hand over an event of an agent. One that cannot be read is logged."""
        known = KNOWN_EVENTS.get(message.type)
        try:
            if known is None:
                event = unpack_value(message.data, f"the event {message.type}")
                event = replace(event, source=agent, scope=message.scope, time=message.time)
            else:
                event = known(source=agent, scope=message.scope, time=message.time, **message.data)  # type: ignore[arg-type]
        except (NotSerializable, TypeError) as error:
            _log.warning("An event %s of %s cannot be read: %s", message.type, agent, error)
            return
        if isinstance(event, LogRecorded):
            replay(event)
        # Whoever it says that it is from, it is from this agent.
        told = message._replace(source=agent)
        self._deliver(event, event_names(type(event)), self._registry.subject(agent), told)

    def _deliver(
        self, event: Event, names: tuple[str, ...], source: Subject | None, message: EventMessage | None
    ) -> None:
        heard: dict[Any, None] = {}
        for name in names:
            if self._listeners.wants(name):
                heard.update(dict.fromkeys(self._listeners.hearers(name, event.scope, source)))
        for key in heard:
            if not isinstance(key, str):
                key.offer(event)
                continue
            link = self._links.get(key)
            if link is None:
                continue
            try:
                if message is None:
                    message = message_of(event, "", 0.0)
                link.handle.control.send(message, sender="hub")
            except ActorsError as error:
                if not isinstance(error, ChannelClosed):
                    _log.warning("An event %s could not be sent to %s: %s", type(event).__name__, key, error)


def _names_of(listener: Listener) -> tuple[str, ...]:
    return tuple(kind.__name__ for kind in listener.kinds) or (Event.__name__,)
