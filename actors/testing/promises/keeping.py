"""What a journal has of that which was told."""

from __future__ import annotations

from actors.future import TaskFuture
from actors.testing.promises.invariant import Invariant

__all__ = ["KEEPING", "HeldBackIsToldLater", "WhatIsWorkedOnIsKept", "WhatWasToldIsKept"]


class WhatIsWorkedOnIsKept(Invariant):
    """See `statement`."""

    requirement = "F3"
    statement = "with a journal, nothing is worked on that does not stand in it, so what is refused does not run"

    def after_schedule(self) -> None:
        """Look for each task of the scheduler in the journal."""
        journal = self.sim.journal
        if journal is None:
            return
        keeper = self.sim.state_of("scheduler").keeper
        # Of a turn that did not come to its end.
        under_way = {task.number for task in keeper._adopted}  # noqa: SLF001 - there is no other way to see it
        for task in self.sim.engine.tasks():
            if (
                task.parent is None
                and not task.final
                and not (task.number in journal.records or task.number in under_way)
            ):
                self.broken(f"{task.id} is {task.status}, and the journal does not have it")


class HeldBackIsToldLater(Invariant):
    """See `statement`."""

    requirement = "D8"
    statement = "an outcome is told, unless it cannot be written down; then it is held back until it can"

    def after_schedule(self) -> None:
        """Look for outcomes that nobody was told of."""
        if self.sim.journal is None:
            return
        state = self.sim.state_of("scheduler")
        if state.taken or state.decided:
            # A turn that did not come to its end: the next one goes on with it.
            return
        for task in self.sim.engine.tasks():
            future = task.handle
            if (
                task.final
                and isinstance(future, TaskFuture)
                and not future.done()
                and not state.keeper.holds(task.number)
            ):
                self.broken(f"{task.id} is {task.status}, and whoever waits for it will never be told")


class WhatWasToldIsKept(Invariant):
    """See `statement`."""

    requirement = "F3"
    statement = "with a journal, what is accepted stands in it, and an outcome stands in it before anybody is told"

    def after_schedule(self) -> None:
        """Compare the scheduler's tasks with the journal."""
        journal = self.sim.journal
        if journal is None:
            return
        for task in self.sim.engine.tasks():
            if task.parent is not None:
                continue
            record = journal.records.get(task.number)
            future = task.handle
            if record is None:
                if not task.final and isinstance(future, TaskFuture) and future.was_accepted:
                    self.broken(f"{task.id} is accepted, and the journal does not have it")
            elif task.final and future is None and record.status != str(task.status):
                self.broken(f"whoever waits for {task.id} was told {task.status}, and the journal has {record.status}")


KEEPING: tuple[type[Invariant], ...] = (WhatWasToldIsKept, WhatIsWorkedOnIsKept, HeldBackIsToldLater)
"""All of them."""
