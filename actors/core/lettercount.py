"""How often somebody is told of the messages that one recipient loses, when they may be very many."""

from __future__ import annotations

__all__ = ["LetterCount"]

_FIRST = 8
_EVERY = 1.0


class LetterCount:
    """Counts, and says which of the lost messages are worth telling.

    Told are the first few, each that doubles the number, and one a second at most beside these. So a flood costs little,
    and a trickle is not overlooked.
    """

    __slots__ = ("_told_at", "total")

    def __init__(self) -> None:
        self.total = 0
        self._told_at = 0.0

    def add(self, now: float) -> bool:
        """One more was lost at `now`, in seconds of a clock that only grows. Whether to tell."""
        self.total += 1
        total = self.total
        if total > _FIRST and total & (total - 1) and now - self._told_at < _EVERY:
            return False
        self._told_at = now
        return True
