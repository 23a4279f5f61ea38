"""What a journal has of that which was told."""

from __future__ import annotations

from actors.future import TaskFuture
from actors.testing.promises.invariant import Invariant

__all__ = ["WhatWasToldIsKept"]


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
