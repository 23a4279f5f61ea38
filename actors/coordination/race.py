"""The first result of several calls."""

from __future__ import annotations

from typing import Any

from actors.coordination.verdict import Verdict, group_of

__all__ = ["Race"]


class Race:
    """See `Tally`.

    Args:
        count: how many calls.
    """

    reads = True

    def __init__(self, count: int) -> None:
        self._errors: list[BaseException | None] = [None] * count
        self._left = count

    def ended(self, place: int, error: BaseException | None, value: Any) -> Verdict | None:
        """See `Tally.ended`."""
        if error is None:
            return Verdict(payload=value)
        self._errors[place] = error
        self._left -= 1
        if self._left:
            return None
        errors = [each for each in self._errors if each is not None]
        return Verdict(group_of(f"race: all {len(errors)} calls failed", errors))
