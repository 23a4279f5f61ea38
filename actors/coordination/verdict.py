"""What comes of many calls, as soon as that is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

__all__ = ["Tally", "Verdict", "group_of"]


class Verdict(NamedTuple):
    """The outcome of a strategy: the error, or what `decode` makes of `payload` (None: the payload itself)."""

    error: BaseException | None = None
    payload: Any = None
    decode: Callable[[Any], Any] | None = None


class Tally(Protocol):
    """Counts the ends of calls. Pure: it has no future, thread or clock.

    Attributes:
        reads: whether it wants to know the values; otherwise it is handed what they can be had from.
    """

    reads: bool

    def ended(self, place: int, error: BaseException | None, value: Any) -> Verdict | None:
        """A call has ended. What comes of it all, once that is certain; nothing is asked after that."""


def group_of(text: str, errors: list[BaseException]) -> BaseExceptionGroup[BaseException]:
    """Several errors as one; the group is an `ExceptionGroup` where that can be."""
    return BaseExceptionGroup(text, errors)
