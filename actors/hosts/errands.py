"""What an agent's control lane leaves for its task lane to do: above all the messages that wait for their handlers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from actors.protocol.messages import Priority

__all__ = ["Errands"]

Errand = Callable[[], object]


class Errands:
    """In the order they came, but what is critical goes before all others and what is low after them.

    An ask and a tell of one sender are of different priority by default (high and normal), and yet keep their order.

    Args:
        bound: so many may wait before it is `full`; what is left nevertheless is taken.
    """

    __slots__ = ("_critical", "_line", "_low", "bound")

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self._critical: deque[Errand] = deque()
        self._line: deque[Errand] = deque()
        self._low: deque[Errand] = deque()

    def __len__(self) -> int:
        return len(self._line) + len(self._critical) + len(self._low)

    def __bool__(self) -> bool:
        return bool(self._line or self._critical or self._low)

    @property
    def full(self) -> bool:
        """Whether as many wait as may."""
        return len(self) >= self.bound

    def append(self, errand: Errand, priority: int = Priority.NORMAL) -> None:
        """Put one at the end of its line."""
        if priority >= Priority.CRITICAL:
            self._critical.append(errand)
        elif priority <= Priority.LOW:
            self._low.append(errand)
        else:
            self._line.append(errand)

    def popleft(self) -> Errand:
        """The next one.

        Raises:
            IndexError: there is none.
        """
        return (self._critical or self._line or self._low).popleft()
