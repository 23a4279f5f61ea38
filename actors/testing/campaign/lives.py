"""Several lives of one program with a journal: it is killed, starts again, and nothing that was kept may be lost."""

from __future__ import annotations

from typing import NamedTuple

from actors.testing.campaign.program import Program
from actors.testing.simulation import Simulation

__all__ = ["Lives"]

_FINAL = ("completed", "failed", "cancelled")


class _Told(NamedTuple):
    """What a life of the program was told of a task."""

    task_id: str
    status: str


class Lives:
    """What the lives of one program were told, to be compared with the journal after each death."""

    def __init__(self) -> None:
        self._accepted: dict[int, str] = {}
        self._told: dict[int, _Told] = {}

    def note(self, program: Program) -> None:
        """A life is about to end: note what it was told."""
        sim = program.sim
        for future in [*program.futures(), *sim.system.recovered()]:
            if future.was_accepted:
                self._accepted[future.number] = future.task_id
            # A cancellation is told at once, and is a wish until it is written down.
            if future.done() and not future.cancelled() and future.was_accepted:
                status = "completed" if future.exception() is None else "failed"
                self._told.setdefault(future.number, _Told(future.task_id, status))

    def judge(self, sim: Simulation, *, last: bool) -> None:
        """Compare with the journal. `last`: all work is done, so everything must have its outcome.

        Raises:
            InvariantBroken: something was lost, or is otherwise than it was told.
        """
        journal = sim.journal
        records = {} if journal is None else journal.records
        for number, task_id in self._accepted.items():
            record = records.get(number)
            if record is None:
                sim.break_promise("WhatWasAcceptedIsKept", "F3", f"{task_id} was accepted, and the journal has lost it")
            if last and record.status not in _FINAL:
                sim.break_promise("WhatWasAcceptedIsKept", "F3", f"{task_id} has no outcome at the end of all work")
        for number, told in self._told.items():
            if records[number].status != told.status:
                sim.break_promise(
                    "OutcomesStay",
                    "F3",
                    f"{told.task_id} was told to have {told.status}, and the journal has {records[number].status}",
                )
