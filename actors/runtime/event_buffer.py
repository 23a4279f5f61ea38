"""A bounded buffer of events."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

from actors.errors import ConfigError

__all__ = ["EVENT_BOUND", "EventBuffer"]

T = TypeVar("T")

EVENT_BOUND = 1_000
"""How many events wait for one subscriber unless it says otherwise."""


class EventBuffer(Generic[T]):
    """Keeps the latest events for a subscriber that has not come round to them, and counts those that it lost.

    Not for several threads at once.

    Args:
        bound: how many are kept, 1 or more.

    Raises:
        ConfigError: `bound` is less than 1.

    Invariant: taken + missed + len = put; what is taken comes in the order in which it was put.
    """

    __slots__ = ("_items", "bound", "missed")

    def __init__(self, bound: int = EVENT_BOUND) -> None:
        if bound < 1:
            raise ConfigError(
                f"a buffer of events has room for 1 or more, not {bound}", key="bound", value=bound, allowed="1 or more"
            )
        self._items: deque[T] = deque(maxlen=bound)
        self.bound = bound
        self.missed = 0

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T) -> None:
        """Add an item; when it is full, the oldest is dropped and counts as missed."""
        if len(self._items) == self.bound:
            self.missed += 1
        self._items.append(item)

    def take(self) -> T:
        """Remove and return the oldest.

        Raises:
            IndexError: there is none.
        """
        return self._items.popleft()

    def drop(self) -> int:
        """Drop all, count them as missed, and return how many there were."""
        dropped = len(self._items)
        self._items.clear()
        self.missed += dropped
        return dropped
