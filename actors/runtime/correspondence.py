"""Events and messages between the program and its agents."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from actors.errors import ConfigError
from actors.hosts.agentref import AgentRef, address_of, addresses_of, priority_of, timeout_of
from actors.protocol.events import Event, Scope
from actors.protocol.messages import Priority
from actors.runtime import messages as m
from actors.runtime.event_stream import EventStream
from actors.runtime.subscription import Subscription
from actors.runtime.worker_type import is_class_of

if TYPE_CHECKING:
    from actors.runtime.assembly import Assembly

__all__ = ["Correspondence"]


class Correspondence(abc.ABC):
    """The methods of `ActorSystem` that concern events and messages. All are thread-safe."""

    @abc.abstractmethod
    def _running(self) -> Assembly:
        """The running assembly, started if need be."""

    # Events

    def subscribe(
        self, kinds: type[Event] | Iterable[type[Event]], handler: Callable[[Any], object], scope: Scope = "global"
    ) -> Subscription:
        """Have a function called with each event of certain types, on a thread of the system's own.

        Args:
            kinds: event types; one of them may be a base class, which means all that derive from it.
            handler: called with one event at a time. What it raises is logged. If it is slow, its events wait in a
                bounded buffer, and those that did not fit are counted in the subscription's `missed`.
            scope: how far it listens; the program hears every scope.

        Returns:
            The subscription, which `unsubscribe()` or the end of a `with` ends.

        Raises:
            ConfigError: something is no event type, or no function.
        """
        if not callable(handler):
            raise ConfigError(f"handler takes a function, not {handler!r}", key="handler", value=handler)
        found = _kinds(kinds)
        if not found:
            raise ConfigError("kinds takes one event type or more; Event itself means all", key="kinds", value=kinds)
        assembly = self._running()
        hub = assembly.peers.hub
        subscription = assembly.dispatcher.subscribe(
            found, handler, scope, on_end=lambda ended: hub.tell(m.RemoveListener(ended))
        )
        hub.ask(m.AddListener(subscription))
        return subscription

    def events(self, *kinds: type[Event], scope: Scope = "global") -> EventStream:
        """The events of certain types (none named: all) from now on, as an iterator and context manager.

        Raises:
            ConfigError: something is no event type.
        """
        assembly = self._running()
        hub, world = assembly.peers.hub, assembly.world
        stream = EventStream(
            _kinds(kinds),
            scope,
            on_close=lambda ended: hub.tell(m.RemoveListener(ended)),
            threads=world.threads,
            clock=world.clock,
        )
        hub.ask(m.AddListener(stream))
        return stream

    def publish(self, event: Event) -> None:
        """Hand an event to its subscribers, in the program and in agents.

        Raises:
            ConfigError: it is no Event.
        """
        if not isinstance(event, Event):
            raise ConfigError(
                f"publish takes an Event, not {event!r}: derive a frozen dataclass from actors.Event", key="event"
            )
        self._running().peers.hub.tell(m.Publish(event))

    # Messages

    def tell(
        self,
        recipients: AgentRef | str | Iterable[AgentRef | str],
        message: Any,
        *,
        priority: int = Priority.NORMAL,
    ) -> None:
        """Send a message to workers, each of which takes it with a method marked `@handles(type)`. No answer comes.

        Args:
            recipients: an agent's ref or id; "type:thumbnailer", "job:nightly" or "*" for all of a type, all at work
                on a job, and all; or several of these, which get it in one go.
            message: of a type that the workers handle.
            priority: 1 (low) to 4 (critical); where several messages wait, critical ones go first and low ones last.

        Raises:
            ConfigError: a recipient is neither ref nor text.
            NotSerializable: the message cannot be sent to another process.

        One that nobody is there to take is a dead letter: a `DeadLetterFound` event.
        """
        addresses, urgency = addresses_of(recipients), priority_of(priority)
        self._running().post.tell_all(addresses, message, urgency)

    def ask(
        self, recipient: AgentRef | str, message: Any, timeout: float = 30, *, priority: int = Priority.HIGH
    ) -> Any:
        """Send a message to one worker and wait for what its handler returns; see `AgentRef.ask`."""
        address, seconds, urgency = address_of(recipient), timeout_of(timeout), priority_of(priority)
        return self._running().post.ask(address, message, seconds, urgency)


def _kinds(kinds: type[Event] | Iterable[type[Event]]) -> tuple[type[Event], ...]:
    found = (kinds,) if isinstance(kinds, type) else tuple(kinds)
    for kind in found:
        if not is_class_of(kind, Event):
            raise ConfigError(
                f"an event type is a class derived from actors.Event, not {kind!r}", key="kinds", value=kind
            )
    return found
