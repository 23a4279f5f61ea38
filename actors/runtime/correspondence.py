"""Events and messages between the program and its agents."""

from __future__ import annotations

import abc
import inspect
import sys
from typing import TYPE_CHECKING, Any

from actors.core.eventbuffer import EVENT_BOUND
from actors.errors import ConfigError
from actors.hosts.agentref import address_of, addresses_of, priority_of, timeout_of
from actors.ondemand import on_demand
from actors.protocol.priority import Priority

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from actors.hosts import eventmessage
    from actors.hosts.agentref import AgentRef
    from actors.kernel.reply import Reply
    from actors.protocol import events
    from actors.protocol.events import Event, Scope
    from actors.runtime import actor_events, event_stream
    from actors.runtime import messages as m
    from actors.runtime import worker_type as types
    from actors.runtime.assembly import Assembly
    from actors.runtime.event_stream import EventStream
    from actors.runtime.subscription import Subscription
else:
    eventmessage = on_demand(globals(), "eventmessage", "actors.hosts.eventmessage")
    events = on_demand(globals(), "events", "actors.protocol.events")
    actor_events = on_demand(globals(), "actor_events", "actors.runtime.actor_events")
    event_stream = on_demand(globals(), "event_stream", "actors.runtime.event_stream")
    m = on_demand(globals(), "m", "actors.runtime.messages")
    types = on_demand(globals(), "types", "actors.runtime.worker_type")

__all__ = ["Correspondence"]


class Correspondence(abc.ABC):
    """The methods of `ActorSystem` that concern events and messages. All are thread-safe."""

    @abc.abstractmethod
    def _running(self) -> Assembly:
        """The running assembly, started if need be."""

    # Events

    def subscribe(
        self,
        kinds: type[Event] | Iterable[type[Event]],
        handler: Callable[[Any], object],
        scope: Scope = "global",
        *,
        bound: int = EVENT_BOUND,
    ) -> Subscription:
        """Have a function called with each event of certain types, on a thread of the system's own.

        Args:
            kinds: event types; one of them may be a base class, which means all that derive from it.
            handler: called with one event at a time. What it raises is logged once, and counted in the subscription's
                `failures`. If it is slow, its events wait, and those that did not fit are counted in `missed`; it is
                told as well if `EventsMissed` is among the kinds.
            scope: how far it listens; the program hears every scope.
            bound: how many events wait for it, 1 or more; beyond that the oldest are dropped.

        Returns:
            The subscription, which `unsubscribe()` or the end of a `with` ends.

        Raises:
            ConfigError: something is no event type, no function or no bound.
        """
        if not callable(handler) or inspect.iscoroutinefunction(handler):
            wrong = f"not {handler!r}" if not callable(handler) else "and this is a coroutine function"
            raise ConfigError(
                f"handler takes a function, {wrong}; in async code write: async for event in system.events(…)",
                key="handler",
                value=handler,
            )
        found = _kinds(kinds)
        if not found:
            raise ConfigError("kinds takes one event type or more; Event itself means all", key="kinds", value=kinds)
        assembly = self._running()
        hub = assembly.peers.hub
        subscription = assembly.dispatcher.subscribe(
            found,
            handler,
            scope,
            bound=bound,
            notice=_notice(found, assembly),
            on_end=lambda ended: hub.tell(m.RemoveListener(ended)),
        )
        try:
            hub.ask(m.AddListener(subscription))
        except BaseException:
            subscription.unsubscribe()
            raise
        return subscription

    def events(self, *kinds: type[Event], scope: Scope = "global", bound: int = EVENT_BOUND) -> EventStream:
        """The events of certain types from now on, to iterate over, with `for` or `async for`.

        It is a context manager, too, whose end closes it; so does the end of the system. In code that an event loop
        runs, this does not wait: `async with` does, and then everything that is published is heard.

        Args:
            *kinds: event types; one may be a base class, which means all that derive from it. None named: all.
            scope: how far it listens; the program hears every scope.
            bound: how many events are kept while nobody reads, 1 or more; beyond that the oldest are dropped and counted
                in `missed`. If `EventsMissed` is among the kinds, one comes after each loss.

        Raises:
            ConfigError: something is no event type or no bound.

        Example:
            async with system.events(TaskFailed) as failures:
                async for failure in failures:
                    print(failure.task_id, failure.error)
        """
        assembly = self._running()
        hub, world = assembly.peers.hub, assembly.world
        found = _kinds(kinds)
        stream = event_stream.EventStream(
            found,
            scope,
            bound=bound,
            notice=_notice(found, assembly),
            on_close=lambda ended: hub.tell(m.RemoveListener(ended)),
            threads=world.threads,
            clock=world.clock,
        )
        if _in_event_loop():
            opening = assembly.peers.opening
            opening.add(stream)
            stream.opening = hub.ask_later(m.AddListener(stream))
            stream.opening.add_done_callback(lambda _: opening.discard(stream))
            return stream
        try:
            hub.ask(m.AddListener(stream))
        except BaseException:
            stream.close()
            raise
        return stream

    def publish(self, event: Event) -> None:
        """Hand an event to its subscribers, in the program and in agents. Without one, nothing is done with it.

        Args:
            event: an instance of a frozen dataclass that is derived from `Event`. Its `time` is filled in, and its
                `source`, if it names none, with "program".

        Raises:
            ConfigError: it is no Event, or has a scope that there is not.
            NotSerializable: an agent listens, and the event cannot be sent to another process, or has more than 64 MiB.
        """
        eventmessage.check_event(event)
        assembly = self._running()
        actor_events.publish(assembly.peers, assembly.world.clock, event, "program")

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

    def ask_later(
        self, recipient: AgentRef | str, message: Any, timeout: float = 30, *, priority: int = Priority.HIGH
    ) -> Reply[Any]:
        """Send a message to one worker, and give its answer at once as a `Reply`; see `AgentRef.ask_later`."""
        address, seconds, urgency = address_of(recipient), timeout_of(timeout), priority_of(priority)
        return self._running().post.ask_later(address, message, seconds, urgency)


def _notice(kinds: tuple[type[Event], ...], assembly: Assembly) -> Callable[[int, int], Event] | None:
    """What makes the event that tells of a loss; None if nobody asked for it."""
    if kinds and not any(issubclass(events.EventsMissed, kind) for kind in kinds):
        return None
    utc = assembly.world.clock.utc
    return lambda count, total: events.EventsMissed(source="system", time=utc(), count=count, total=total)


def _in_event_loop() -> bool:
    """Whether the calling code is run by an event loop."""
    # Where nobody has imported asyncio, no loop runs; it takes some time to import.
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _kinds(kinds: type[Event] | Iterable[type[Event]]) -> tuple[type[Event], ...]:
    found = (kinds,) if isinstance(kinds, type) else tuple(kinds)
    for kind in found:
        if not types.is_class_of(kind, events.Event):
            raise ConfigError(
                f"an event type is a class derived from actors.Event, not {kind!r}", key="kinds", value=kind
            )
    return found
