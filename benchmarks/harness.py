"""Measures every peer on every row in interleaved rounds, so that what the machine does hits all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.lines import lines_of
from benchmarks.peers.registry import ENTRANTS, OURS
from benchmarks.report import Measured, Report
from benchmarks.row import Row

__all__ = ["Plan", "run", "turns"]

Program = Callable[[str, str, int, float], dict[str, Any]]
"""Runs the work at a place for an entrant, with so many tasks and seconds; gives its sample."""


# Rows with fewer count starts, seconds or megabytes, and not tasks.
_MANY = 100


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured.

    Args:
        rows: which.
        entrants: whom; this library always.
        quick: few tasks, fewer rounds, and only rows that have a number of tasks for that.
        rounds: for all rows, in place of their own.
        tasks: the same, for rows that have many.
        layers: whether cpu time is split by layers, which takes a further run of some rows.
    """

    rows: tuple[Row, ...]
    entrants: frozenset[str]
    quick: bool = False
    rounds: int | None = None
    tasks: int | None = None
    layers: bool = True

    def chosen(self) -> list[Row]:
        """The rows that are measured."""
        return [row for row in self.rows if not self.quick or row.quick]

    def rounds_of(self, row: Row) -> int:
        """How many."""
        return self.rounds or (max(min(row.rounds // 2, 2), 1) if self.quick else row.rounds)

    def count_of(self, row: Row, name: str) -> int:
        """Tasks of one measurement."""
        count = row.quick if self.quick else row.count
        if self.tasks and row.count >= _MANY:
            count = self.tasks
        return max(round(count * ENTRANTS[name].share), 2) if row.shared else count

    def names_of(self, row: Row) -> list[str]:
        """Who does it."""
        return [name for name in row.entrants if name in self.entrants or name.startswith(OURS)]


def program(place: str, name: str, count: int, patience: float) -> dict[str, Any]:
    """Do a piece of work in a program of its own.

    Raises:
        RuntimeError: it failed, or took too long.
    """
    sample: dict[str, Any] = {}
    for line in lines_of("benchmarks.program", place, name, str(count), patience=patience):
        sample = line
    if not sample:
        raise RuntimeError("it ended without a figure")
    return sample


def turns(names: list[str], rounds: int) -> Iterator[tuple[int, str]]:
    """Who is measured when: all in each round, in an order that rotates from one to the next."""
    for number in range(rounds):
        start = number % len(names) if names else 0
        for name in (*names[start:], *names[:start]):
            yield number, name


def run(
    plan: Plan,
    report: Report,
    say: Callable[[str], None],
    saved: Callable[[], None] = lambda: None,
    measure: Program = program,
) -> None:
    """Measure row by row, into a report; what was measured before an interruption stands there too.

    Args:
        plan: what.
        report: where to.
        say: called with a line for each measurement.
        saved: called after each row.
        measure: how.
    """
    for name in sorted({name for row in plan.chosen() for name in plan.names_of(row) if _missing(name)}):
        say(f"{name} is not installed and is left out: pip install 'actors-hub[benchmarks]'")
    for row in plan.chosen():
        names = [name for name in plan.names_of(row) if not _missing(name)]
        measured = Measured(row.key, plan.count_of(row, OURS), {name: [] for name in names})
        measured.missing = [name for name in plan.names_of(row) if _missing(name)]
        report.rows[row.key] = measured
        try:
            _row(plan, row, measured, say, measure)
        finally:
            measured.trim()
            if not measured.began():
                del report.rows[row.key]
            saved()


def _missing(name: str) -> bool:
    return ENTRANTS[name].version() is None


def _row(plan: Plan, row: Row, measured: Measured, say: Callable[[str], None], measure: Program) -> None:
    began = time.monotonic()
    if row.control:
        measured.control = _control(row, plan.count_of(row, OURS), say, measure)
    rounds = plan.rounds_of(row)
    over = 0
    for number, name in turns(list(measured.samples), rounds):
        # Only whole rounds: in a part of one, somebody would be left out.
        if number > over and time.monotonic() - began > row.limit:
            measured.cut = number
            say(f"{row.key}: {row.limit:g} s are over: {number} of {rounds} rounds")
            break
        over = number
        where = f"{row.key}: round {number + 1} of {rounds}: {name}"
        if name in measured.failures or number >= ENTRANTS[name].rounds:
            continue
        try:
            sample = measure(row.place, name, plan.count_of(row, name), row.patience)
        except RuntimeError as error:
            measured.failures[name] = _last(str(error))
            say(f"{where}: failed: {_last(str(error))}")
            continue
        measured.add(name, sample)
        say(f"{where}: {_shown(row, sample)}")
    if plan.layers and row.layered and OURS in measured.samples and OURS not in measured.failures:
        try:
            measured.layers = measure(f"benchmarks.layers:{row.key}", OURS, plan.count_of(row, OURS), row.patience)
            say(f"{row.key}: cpu time by layers")
        except RuntimeError as error:
            say(f"{row.key}: no cpu time by layers: {_last(str(error))}")


def _control(row: Row, count: int, say: Callable[[str], None], measure: Program) -> str:
    """What went wrong when an agent was killed; empty if nothing did."""
    try:
        wrong: str = measure(row.control, OURS, count, row.patience)["wrong"]
    except RuntimeError as error:
        wrong = _last(str(error))
    say(f"{row.key}: control, an agent is killed: {wrong or 'all results came'}")
    return f"control: {wrong}" if wrong else ""


def _shown(row: Row, sample: dict[str, Any]) -> str:
    if sample["wrong"]:
        return f"WRONG: {sample['wrong']}"
    if row.figure in sample["figures"]:
        return f"{sample['figures'][row.figure]:,.4g} {row.unit}"
    return ", ".join(f"{point}: {value:,.4g}" for point, value in sample["figures"].items())


def _last(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1][:300] if lines else "without a word"


def names(rows: Iterable[Row]) -> list[str]:
    """All who take part in some rows."""
    return list(dict.fromkeys(name for row in rows for name in row.entrants))
