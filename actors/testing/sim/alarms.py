"""What is to happen at a time, or after so many steps."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

__all__ = ["Alarm", "Alarms"]


class Alarm:
    """Something that happens at its time, unless it is cancelled."""

    __slots__ = ("act", "live")

    def __init__(self, act: Callable[[], object]) -> None:
        self.act = act
        self.live = True

    def cancel(self) -> None:
        """Let it not happen."""
        self.live = False


class Alarms:
    """All alarms of one simulation, those of one time in the order in which they were set."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._timed: list[tuple[float, int, Alarm]] = []
        self._counted: list[tuple[int, int, Alarm]] = []

    def at(self, due: float, act: Callable[[], object]) -> Alarm:
        """Have something happen at a time of the clock."""
        alarm = Alarm(act)
        heapq.heappush(self._timed, (due, next(self._numbers), alarm))
        return alarm

    def at_step(self, step: int, act: Callable[[], object]) -> Alarm:
        """Have something happen when so many steps have been taken."""
        alarm = Alarm(act)
        heapq.heappush(self._counted, (step, next(self._numbers), alarm))
        return alarm

    def sound(self, now: float, step: int) -> None:
        """Let all happen whose time or step has come."""
        while self._counted and self._counted[0][0] <= step:
            _sound(heapq.heappop(self._counted)[2])
        while self._timed and self._timed[0][0] <= now:
            _sound(heapq.heappop(self._timed)[2])

    def next_due(self) -> float | None:
        """The time of the first that is still to happen."""
        while self._timed and not self._timed[0][2].live:
            heapq.heappop(self._timed)
        return self._timed[0][0] if self._timed else None

    def clear(self) -> None:
        """Let none of them happen."""
        self._timed.clear()
        self._counted.clear()


def _sound(alarm: Alarm) -> None:
    if alarm.live:
        alarm.live = False
        alarm.act()
