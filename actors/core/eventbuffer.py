"""A bounded buffer of events."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from actors.errors import ConfigError

__all__ = ["EVENT_BOUND", "EventBuffer", "check_bound"]

T = TypeVar("T")

EVENT_BOUND = 1_000
"""How many events wait for one subscriber unless it says otherwise."""


def check_bound(bound: Any, key: str = "bound") -> int:
    """The bound, if it is one.

    Raises:
        ConfigError: it is no whole number of 1 or more.
    """
    if isinstance(bound, bool) or not isinstance(bound, int) or bound < 1:
        raise ConfigError(
            f"a buffer of events has room for 1 or more: {key} takes a whole number, not {bound!r}",
            key=key,
            value=bound,
            allowed="1 or more",
        )
    return bound


class EventBuffer(Generic[T]):
    """Keeps the latest events for a subscriber that has not come round to them, and counts those that it lost.

    Not for several threads at once.

    Args:
        bound: how many are kept, 1 or more.
        notice: makes what is taken first after a loss, of how many were lost since the last notice, and in all; None:
            a loss is only counted.

    Raises:
        ConfigError: `bound` is less than 1.

    Invariant: what was taken, without notices, + missed + what waits = put + what was missed elsewhere; what is taken
    comes in the order in which it was put, and what notices told adds up to `missed` when nothing waits.
    """

    __slots__ = ("_items", "_notice", "_untold", "bound", "missed")

    def __init__(self, bound: int = EVENT_BOUND, notice: Callable[[int, int], T] | None = None) -> None:
        self._items: deque[T] = deque(maxlen=check_bound(bound))
        self._notice = notice
        self._untold = 0
        self.bound = bound
        self.missed = 0

    def __len__(self) -> int:
        return len(self._items) + (self._untold > 0)

    def put(self, item: T) -> None:
        """Add an item; when it is full, the oldest is dropped and counts as missed."""
        if len(self._items) == self.bound:
            self.miss(1)
        self._items.append(item)

    def miss(self, count: int) -> None:
        """Count items that were lost, here or on the way."""
        self.missed += count
        if self._notice is not None:
            self._untold += count

    def take(self) -> T:
        """Remove and return the oldest; before it a notice, if something was lost.

        Raises:
            IndexError: there is none.
        """
        if self._untold and self._notice is not None:
            count, self._untold = self._untold, 0
            return self._notice(count, self.missed)
        return self._items.popleft()

    def drop(self) -> int:
        """Drop all, count them as missed, and return how many there were, notices too."""
        dropped = len(self)
        self.missed += len(self._items)
        self._items.clear()
        self._untold = 0
        return dropped
