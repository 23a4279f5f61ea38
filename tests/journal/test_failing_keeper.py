"""A scheduler with a journal that fails on any line of what writes it: nobody is told what is not kept, and nothing is lost."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from actors import SystemConfig, Worker, runtime, task
from actors.future import TaskFuture
from actors.testing import Simulation
from actors.testing.failinginside import fail_inside
from actors.testing.faults import FaultPlan
from actors.testing.sim.journal import MemoryJournal

_ROOT = Path(runtime.__file__).parent
WRITERS = tuple(str(_ROOT / name) for name in ("journal/keeper.py", "durable_scheduler.py", "carrier.py"))
LIMIT = 1_000_000.0
CONFIG = SystemConfig(breaker_failures=3, breaker_cooldown=0.5)


class Chore(Worker):
    """Tasks of each sort that the journal tells apart."""

    @task
    def add(self, *numbers: int) -> int:
        return sum(numbers)

    @task(retries=2, retry_on=(ValueError,))
    def shaky(self, tries: list[int]) -> str:
        raise ValueError("once more")

    @task(idempotent=False)
    def unique(self, number: int) -> int:
        return number

    @task
    def family(self, number: int) -> int:
        return self.submit(Chore.add, number, 1).result()

    @task
    def poor(self) -> None:
        raise LookupError("no")


def of_the_writers(name: str) -> bool:
    """Whether a file is of what writes the journal, and of what waits for it."""
    return name in WRITERS


class Life:
    """A program that hands in work of all sorts, while its journal cannot be written for some time."""

    def __init__(self, journal: MemoryJournal, line: int) -> None:
        self.futures: dict[str, TaskFuture[Any]] = {}
        self.seen = 0
        with Simulation({Chore: 2}, seed=5, faults=FaultPlan(), journal=journal, config=CONFIG) as sim:
            journal.fails = lambda: self.full
            self.full = False
            sim.run(1.0)
            failure = fail_inside(sim, "scheduler", line, of_the_writers, LIMIT, keep=not line)
            assert failure is not None
            self.sim = sim
            self._work()
            sim.settle()
            self.place = failure.place
            self.seen = failure.seen
            self.passed = list(failure.passed or ())

    def _work(self) -> None:
        system, sim, futures = self.sim.system, self.sim, self.futures
        futures["sum"] = system.submit(Chore.add, 1, 2)
        futures["later"] = system.submit(Chore.add, futures["sum"], 4)
        futures["shaky"] = system.submit(Chore.shaky, [])
        futures["unique"] = system.submit(Chore.unique, 7)
        futures["family"] = system.submit(Chore.family, 8)
        futures["once"] = system.options(once="it").submit(Chore.add, 9)
        futures["gone"] = system.options(after=[futures["family"]]).submit(Chore.add, 10)
        futures["gone"].cancel()
        sim.run(0.002)
        self.full = True
        sim.run(0.05)
        futures["refused"] = system.submit(Chore.add, 11)
        sim.run(0.5)
        self.full = False
        sim.run(2.0)
        futures["poor"] = system.submit(Chore.poor)
        assert sim.run_until(futures["poor"].done, 60.0)
        futures["again"] = system.retry_dead(futures["poor"].task_id)

    def outcomes(self) -> Mapping[str, str]:
        """How each task ended, as the program was told."""
        return {name: self._outcome(future) for name, future in self.futures.items()}

    @staticmethod
    def _outcome(future: TaskFuture[Any]) -> str:
        if future.cancelled():
            return "cancelled"
        error = future.exception(0)
        # A non-idempotent task whose fate nobody knows may not be made again.
        return f"{future.result(0)!r}" if error is None else type(error).__name__


def judged(line: int) -> Life:
    """Live once, with a failure on a line; the journal must have what was told, and nothing is left to do."""
    journal = MemoryJournal()
    life = Life(journal, line)
    told = life.outcomes()
    for name, future in life.futures.items():
        record = journal.records.get(future.number)
        if name == "refused":
            assert record is None
            continue
        assert record is not None, name
        status = {"cancelled": "cancelled"}.get(told[name])
        assert record.status == (status or ("completed" if future.exception(0) is None else "failed")), name
    with Simulation({Chore: 1}, seed=6, journal=journal, config=CONFIG) as sim:
        assert not sim.engine.unfinished
        sim.settle()
    return life


EXPECTED = {
    "sum": "3",
    "later": "7",
    "shaky": "ValueError",
    "unique": "7",
    "family": "9",
    "once": "9",
    "gone": "cancelled",
    "refused": "JournalError",
    "poor": "LookupError",
    "again": "LookupError",
}


def test_what_is_told_without_a_failure() -> None:
    """F3: what the sweep below compares with."""
    life = judged(0)
    assert life.outcomes() == EXPECTED
    assert life.seen > 1000


@pytest.mark.timeout(120)
def test_the_scheduler_may_fail_on_a_line_while_it_keeps_the_journal() -> None:
    """F1, F3: every other line of what writes the journal, its first time; all is told the same, and the journal has it."""
    seen: dict[object, int] = {}
    passed = judged(0).passed
    for line, place in enumerate(passed, 1):
        if place not in seen:
            seen[place] = line
    assert len(seen) > 150
    for number, (place, line) in enumerate(seen.items()):
        if number % 2:
            life = judged(line)
            assert life.place == place
            assert life.outcomes() == EXPECTED, place


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_scheduler_may_fail_on_any_line_at_any_time() -> None:
    """F1, F3: every execution of every line."""
    for line in range(1, judged(0).seen + 1):
        life = judged(line)
        assert life.place is not None
        assert life.outcomes() == EXPECTED, life.place
