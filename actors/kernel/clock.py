"""What time it is: the machine's clocks, or one that moves only when told to."""

from __future__ import annotations

import time
from typing import Protocol

__all__ = ["Clock", "ManualClock", "SystemClock"]


class Clock(Protocol):
    """Where an actor gets the time from."""

    def monotonic(self) -> float:
        """Seconds that only grow, comparable between the processes of one machine."""

    def utc(self) -> float:
        """Seconds since 1970 in UTC."""


class SystemClock:
    """The machine's clocks."""

    __slots__ = ()

    # The functions themselves: a method around them would double the price of a look at the clock.
    monotonic = staticmethod(time.monotonic)
    utc = staticmethod(time.time)


class ManualClock:
    """A clock that stands still until it is moved, for tests and simulation.

    Args:
        start: the first monotonic time, in seconds.
        utc: the UTC time at that moment, in seconds since 1970.
    """

    __slots__ = ("_now", "_offset")

    def __init__(self, start: float = 0.0, utc: float = 0.0) -> None:
        self._now = start
        self._offset = utc - start

    def monotonic(self) -> float:
        """The time it was moved to."""
        return self._now

    def utc(self) -> float:
        """The UTC time that belongs to the monotonic time it was moved to."""
        return self._now + self._offset

    def advance(self, seconds: float) -> None:
        """Move on by `seconds`, 0 or more.

        Raises:
            ValueError: `seconds` is negative.
        """
        self.move_to(self._now + seconds)

    def move_to(self, now: float) -> None:
        """Move on to the monotonic time `now`.

        Raises:
            ValueError: `now` is in the past.
        """
        if now < self._now:
            raise ValueError(f"a clock only moves on: it is {self._now}, and {now} is in the past")
        self._now = now
