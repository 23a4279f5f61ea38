"""Letting an actor of a simulated system fail in the middle of a turn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from actors.kernel.cell import Cell
from actors.testing.linefailure import LineFailure, is_of_the_core

__all__ = ["fail_inside", "has_successor"]

_ARMED = 0.5


def fail_inside(
    sim: Any,
    name: str,
    line: int,
    concerns: Callable[[str], bool] = is_of_the_core,
    within: float = _ARMED,
    *,
    keep: bool = False,
) -> LineFailure | None:
    """Let an actor of the system fail in the middle of a turn.

    Args:
        sim: the running `Simulation`.
        name: as for `Simulation.crash`.
        line: the number of the line that fails, counted from 1 from now on; 0 only counts.
        concerns: whether the lines of the file of this name count: those of the scheduler's mind and of the actors
            themselves, not of what they stand on.
        within: virtual seconds after which nothing fails any more.
        keep: whether to remember all lines that were counted.

    Returns:
        What counts; None if the actor is just being started.
    """
    run = next((run for run in sim.dispatcher.runs() if run.cell.name == f"actors-{name}"), None)
    if run is None or run.over or not run.begun:
        return None
    cell = run.cell
    work = run._work  # noqa: SLF001 - the turn, after its messages have been taken
    failure = LineFailure(line, concerns, keep=keep)
    until = sim.now + within

    def fails() -> None:
        if failure.place is not None or sim.now > until:
            work()
            return
        # What a handler raises, this too, is caught in there.
        with failure:
            work()
        place: Any = failure.place
        if place is not None:
            sim.half_made = cell
            sim.crashed[cell.name] += 1
            sim.record_fault(name, f"fails on line {place[1]} of {Path(place[0]).name}")

    answer = run._answer  # noqa: SLF001 - as above

    def answers(ask: Any) -> None:
        # What fails in a question is the asker's, and the program is to ask what it likes.
        failure.paused = True
        answer(ask)
        failure.paused = False

    run._answer = answers  # noqa: SLF001 - as above
    run._work = fails  # noqa: SLF001 - as above
    return failure


def has_successor(cell: Cell) -> bool:
    """Whether an actor that failed has been started again."""
    run: Any = cell.run
    return run is not None and run.begun and not run.over
