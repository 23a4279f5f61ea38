"""What waits for the dispatcher, in the order in which it is to be done."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

from actors.core.eventbuffer import EventBuffer
from actors.kernel.threads import Condition
from actors.protocol.events import Event

__all__ = ["Call", "CallbackLane", "EventLane", "Lane"]

Call: TypeAlias = tuple[Callable[..., object], tuple[Any, ...]]
"""A function, and what it is called with."""


class Keeper(Protocol):
    """The dispatcher, as its lanes see it."""

    def offer(self, lane: Lane, item: Any) -> bool:
        """Add an item to a lane and see to it that it is done; False if the lane has ended."""
        ...

    def offer_all(self, lane: Lane, items: Sequence[Any]) -> bool:
        """Add items in their order and see to it that they are done; False if the lane has ended."""
        ...

    def end(self, lane: Lane) -> bool:
        """Drop what waits in a lane and take no more; False if it has ended before."""
        ...


class Lane:
    """What waits to be done one after the other; its fields belong to the dispatcher's lock.

    Attributes:
        active: whether it takes items.
        queued: it stands in line for the runner.
        slow: it has a thread of its own, which waits for `changed`.
        told: a warning has named its handler as slow.
        failures: how many of its calls raised.
        handler: what all its calls are of, so that only the first failure is told in full; None: each is of its own.
    """

    handler: Callable[[Any], object] | None = None

    def __init__(self, keeper: Keeper, changed: Condition) -> None:
        self._keeper = keeper
        self.active = True
        self.queued = False
        self.slow = False
        self.told = False
        self.failures = 0
        self.changed = changed

    def __len__(self) -> int:
        raise NotImplementedError

    def put(self, item: Any) -> None:
        """Add an item."""
        raise NotImplementedError

    def take(self) -> Call:
        """Remove the oldest and return what to call."""
        raise NotImplementedError

    def drop(self) -> int:
        """Drop all and return how many there were."""
        raise NotImplementedError

    def offer(self, item: Any) -> bool:
        """Add an item and see to it that it is done; False if the lane has ended."""
        return self._keeper.offer(self, item)

    def offer_all(self, items: Sequence[Any]) -> bool:
        """Add items in their order and see to it that they are done; False if the lane has ended."""
        return self._keeper.offer_all(self, items)

    def end(self) -> bool:
        """Drop what waits and take no more; False if it has ended before."""
        return self._keeper.end(self)


class EventLane(Lane):
    """One subscription's events.

    Args:
        keeper: the dispatcher.
        changed: for a thread of its own.
        handler: what is called with each event.
        bound: how many events wait.
        notice: makes the event that tells of a loss; None: nobody wants to be told.
    """

    def __init__(
        self,
        keeper: Keeper,
        changed: Condition,
        handler: Callable[[Any], object],
        bound: int,
        notice: Callable[[int, int], Event] | None,
    ) -> None:
        super().__init__(keeper, changed)
        self.handler: Callable[[Any], object] = handler
        self._buffer: EventBuffer[Event] = EventBuffer(bound, notice)

    def __len__(self) -> int:
        return len(self._buffer)

    @property
    def missed(self) -> int:
        """See `Subscription.missed`."""
        return self._buffer.missed

    def put(self, item: Event) -> None:
        """Add an event; when there is no room, the oldest is dropped."""
        self._buffer.put(item)

    def take(self) -> Call:
        """See `Lane.take`."""
        return self.handler, (self._buffer.take(),)

    def drop(self) -> int:
        """See `Lane.drop`."""
        return self._buffer.drop()


class CallbackLane(Lane):
    """The callbacks, of which none may be dropped for want of room."""

    def __init__(self, keeper: Keeper, changed: Condition) -> None:
        super().__init__(keeper, changed)
        self._callbacks: deque[Callable[[], object]] = deque()

    def __len__(self) -> int:
        return len(self._callbacks)

    def put(self, item: Callable[[], object]) -> None:
        """Add a callback."""
        self._callbacks.append(item)

    def take(self) -> Call:
        """See `Lane.take`."""
        return self._callbacks.popleft(), ()

    def drop(self) -> int:
        """See `Lane.drop`."""
        dropped = len(self._callbacks)
        self._callbacks.clear()
        return dropped
