"""Where the events of actors go, and where those for them come from: the hub, or the agent that has the process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from actors.hosts.eventmessage import check_event, message_of, stamped
from actors.protocol.events import Event, EventsMissed, event_name, event_names
from actors.runtime import messages as m

if TYPE_CHECKING:
    from actors.kernel.clock import Clock
    from actors.kernel.hearing import Hearing
    from actors.runtime.peers import Peers
    from actors.worker import Worker

__all__ = ["HostedEvents", "ProgramEvents", "publish"]


def publish(peers: Peers, clock: Clock, event: Event, source: str) -> None:
    """Hand an event of the program, or of an actor in it, to the hub, unless nobody wants it.

    Raises:
        ConfigError: it is no event, or has a scope that there is not.
        NotSerializable: an agent listens, and it cannot be sent there.
    """
    check_event(event)
    names = event_names(type(event))
    if peers.interest.isdisjoint(names) and not peers.opening:
        return
    if not event.time or not event.source:
        event = stamped(event, time=event.time or clock.utc(), source=event.source or source)
    travels = not peers.agents_interest.isdisjoint(names)
    peers.hub.tell(m.Publish(event, message_of(event, event.source, event.time) if travels else None))


class ProgramEvents:
    """For actors in threads of the program.

    Args:
        peers: the hub, and what is listened to.
        clock: for the times of events.
    """

    def __init__(self, peers: Peers, clock: Clock) -> None:
        self._peers = peers
        self._clock = clock

    def publish(self, event: Event, source: str) -> None:
        """See `EventGround.publish`."""
        check_event(event)
        publish(self._peers, self._clock, stamped(event, source=source), source)

    def hear(self, hearing: Hearing) -> None:
        """See `EventGround.hear`."""
        self._peers.hub.ask(m.AddListener(hearing))

    def hear_no_more(self, hearing: Hearing) -> None:
        """See `EventGround.hear_no_more`."""
        self._peers.hub.tell(m.RemoveListener(hearing))


class HostedEvents:
    """For actors in a process of the system: its agent subscribes for all of them, and hands out what comes.

    Args:
        worker: the agent's.
        clock: for the times of events.

    Invariant: under `_lock` the worker is subscribed to what its actors want, and to `EventsMissed`.
    """

    def __init__(self, worker: Worker, clock: Clock) -> None:
        self._worker = worker
        self._clock = clock
        self._lock = threading.Lock()
        self._hearings: dict[Hearing, tuple[type[Event], ...]] = {}

    def publish(self, event: Event, source: str) -> None:
        """See `EventGround.publish`."""
        check_event(event)
        self._worker.publish(stamped(event, source=source))

    def hear(self, hearing: Hearing) -> None:
        """See `EventGround.hear`."""
        with self._lock:
            self._hearings[hearing] = hearing.kinds
            # Again also for what another one wants already: then word of that may still be on its way.
            self._worker.subscribe(*hearing.kinds, EventsMissed)

    def hear_no_more(self, hearing: Hearing) -> None:
        """See `EventGround.hear_no_more`."""
        with self._lock:
            kinds = self._hearings.pop(hearing, ())
            wanted = {event_name(kind) for each in self._hearings.values() for kind in each}
            left = [kind for kind in kinds if event_name(kind) not in wanted and kind is not EventsMissed]
            if left:
                self._worker.unsubscribe(*left)

    def came(self, event: Event) -> None:
        """An event has come, or word of some that were lost, for whichever of the actors want it."""
        with self._lock:
            hearings = list(self._hearings)
        if isinstance(event, EventsMissed):
            _each(hearings, lambda hearing: hearing.miss(event.count))
        else:
            _each(hearings, lambda hearing: hearing.offer(event))


def _each(hearings: Collection[Hearing], tell: Callable[[Hearing], Any]) -> None:
    for hearing in hearings:
        tell(hearing)
