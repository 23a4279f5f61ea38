"""What is sent, and the books of the one who gets it: the same for all who are measured."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["Count", "Drive", "Parcel", "Question", "Tally", "Told", "WrongResult", "all_told", "payload", "right"]


class WrongResult(AssertionError):
    """An answer was not the one to its question, or what was told did not arrive; the time means nothing."""


class Question(NamedTuple):
    """Wants itself back, as number and payload."""

    number: int
    payload: bytes


class Parcel(NamedTuple):
    """Is told, and wants nothing."""

    number: int
    payload: bytes


class Count(NamedTuple):
    """Asks what has been told since the last time."""


class Drive(NamedTuple):
    """Tells an actor that sends to do a piece of work."""

    workload: Any
    messages: int


class Told(NamedTuple):
    """How many parcels came, how many bytes they had, and whether they came in order."""

    parcels: int
    size: int
    in_order: bool


class Tally:
    """The books of a recipient of parcels."""

    def __init__(self) -> None:
        self._count = self._size = 0
        self._in_order = True

    def add(self, number: int, content: bytes) -> None:
        """One has come."""
        self._in_order &= number == self._count
        self._count += 1
        self._size += len(content)

    def told(self) -> Told:
        """What has come since the last time."""
        found = Told(self._count, self._size, self._in_order)
        self._count, self._size, self._in_order = 0, 0, True
        return found


def payload(size: int) -> bytes:
    """The content of all messages of one measurement."""
    return bytes(index & 0xFF for index in range(256)) * (size // 256) + bytes(size % 256)


def right(who: str, number: int, content: bytes, answer: Any) -> None:
    """Check an answer.

    Raises:
        WrongResult: it is another one.
    """
    if tuple(answer) != (number, content):
        raise WrongResult(f"{who}: question {number} was answered with {answer!r:.200}")


def all_told(who: str, count: int, content: bytes, told: Any) -> None:
    """Check what a recipient says to have got.

    Raises:
        WrongResult: something is missing, came twice, or out of order.
    """
    if tuple(told) != (count, count * len(content), True):
        raise WrongResult(f"{who}: told {count} messages in order, of which {tuple(told)!r:.200} arrived")
