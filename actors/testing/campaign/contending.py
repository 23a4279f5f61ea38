"""What a program of the campaign does with locks and the like."""

from __future__ import annotations

from typing import Any

from actors.errors import WaitTimeout
from actors.future import TaskFuture
from actors.testing.campaign.part import Part, Submitting
from actors.testing.campaign.sharers import Sharer, Weaver

__all__ = ["Sharing"]

_NAMES = ("a", "b", "c")
# Those that a task has several of at once, in their order, are none that others have in any order: a deadlock is told to
# all that are in it.
_ORDERED = ("p", "q", "r")


class Sharing(Part):
    """Tasks that stand in each other's way."""

    def __init__(self, program: Submitting) -> None:
        super().__init__(program)
        self.gentle = (self._locks, self._others, self._hold, self._knot)

    def _name(self) -> str:
        names = _NAMES + _ORDERED
        return names[self._choices.below(len(names), "lock")]

    def _locks(self) -> None:
        """Several that want the same locks, one of which may be cancelled."""
        futures = self._want_locks()
        if self._choices.below(2, "cancel") == 0:
            self._sim.run(0.02)
            futures[self._choices.below(len(futures), "which")].cancel("it is not wanted")

    def _want_locks(self) -> list[TaskFuture[Any]]:
        futures = []
        for _ in range(2 + self._choices.below(5, "count")):
            number = self._program.number()
            what = self._choices.below(5, "locks")
            if what == 0:
                names = [name for name in _ORDERED if self._choices.below(2, "wants")]
                seconds = (0.02, 0.5)[self._choices.below(2, "seconds")]
                future = self._program.submit(Sharer.in_order, number, names, seconds, value=number)
            elif what == 1:
                first = self._choices.below(3, "first")
                second = (first + 1 + self._choices.below(2, "second")) % 3
                future = self._program.submit(Sharer.crossed, number, _NAMES[first], _NAMES[second], value=number)
            elif what == 2:
                future = self._program.submit(Weaver.count, number, self._name(), value=number)
            elif what == 3:
                future = self._program.submit(Sharer.forget, number, self._name(), value=number)
            else:
                future = self._program.submit(Sharer.parent, number, f"of {number}", value=number)
            futures.append(future)
        return futures

    def _knot(self) -> None:
        """Two that get into each other's way for certain, and others behind them."""
        first = self._choices.below(3, "first")
        one, other = _NAMES[first], _NAMES[(first + 1) % 3]
        for names in ((one, other), (other, one)):
            number = self._program.number()
            self._program.submit(Sharer.crossed, number, *names, value=number)
        number = self._program.number()
        self._program.submit(Sharer.in_order, number, [one], 0.0, value=number)
        for name in (one, other):
            number = self._program.number()
            self._program.submit(Weaver.count, number, name, value=number)

    def _others(self) -> None:
        """Some that meet, signal and read."""
        for _ in range(1 + self._choices.below(3, "count")):
            number, yes = self._program.number(), bool(self._choices.below(2, "yes"))
            what = self._choices.below(3, "others")
            if what == 0:
                self._program.submit(Sharer.readers, number, yes, value=number)
            elif what == 1:
                self._program.submit(Sharer.meet, number, 2, value=number)
                number = self._program.number()
                self._program.submit(Sharer.meet, number, 2, value=number)
            else:
                self._program.submit(Sharer.wave, number, yes, value=number)

    def _hold(self) -> None:
        """The program has a lock itself for a while."""
        lock = self._system.lock(self._name(), timeout=1)
        try:
            lock.acquire()
        except WaitTimeout:
            return
        try:
            number = self._program.number()
            future = self._program.submit(Sharer.in_order, number, [lock.name], 0.0, value=number)
            self._sim.run((0.05, 1.0)[self._choices.below(2, "seconds")])
            future.cancel("it has waited for long enough")
            self._sim.run(0.05)
            lock.check()
        finally:
            lock.release()
