"""What is remembered of a task beside how it stands: its earlier attempts, and the task that it repeats."""

from __future__ import annotations

from collections import deque
from typing import Any, Final, NamedTuple

__all__ = ["KEPT_ATTEMPTS", "Attempt", "Story"]

KEPT_ATTEMPTS: Final = 16
"""How many ended attempts of one task are remembered, the last ones."""


class Attempt(NamedTuple):
    """One try at a task.

    `number` counts from 1. `agent` and `incarnation` say where it was. Times are UTC seconds; `started` is None if the
    body did not begin or nobody learned when, `ended` is None while it goes on. `error` is one line, "" if it went well.
    """

    number: int
    agent: str
    incarnation: int
    assigned: float | None
    started: float | None
    ended: float | None
    error: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values that print as JSON."""
        return self._asdict()

    def shifted(self, seconds: float) -> Attempt:
        """The same with all times later by so much."""
        assigned, started, ended = (
            None if time is None else time + seconds for time in (self.assigned, self.started, self.ended)
        )
        return self._replace(assigned=assigned, started=started, ended=ended)


class Story:
    """Most tasks have none: it is made when a first attempt has failed, or for a task that repeats another one.

    Attributes:
        repeats: the id of the task that it repeats, or None.
        attempts: those that have ended and were followed by another one, oldest first.
    """

    __slots__ = ("attempts", "repeats")

    def __init__(self, repeats: str | None = None) -> None:
        self.repeats = repeats
        self.attempts: deque[Attempt] = deque(maxlen=KEPT_ATTEMPTS)
