"""Many histories, side by side in processes, with a bar while they run and a table of what they did."""

from __future__ import annotations

import concurrent.futures
import gc
import logging
import multiprocessing
import os
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from actors.testing.campaign.run import run_history
from actors.testing.pictures.sequence import sequence

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

__all__ = ["Batch", "Broken", "Report", "quiet", "run_series"]

_BATCH = 20
_COLLECT_EVERY = 10
_SHOWN_LINES = 60
_KEPT = 20


class Broken(NamedTuple):
    """A history that broke a promise. `story` is what happened, as a text."""

    seed: int
    kind: str
    text: str
    story: str


class Batch(NamedTuple):
    """What some histories did together. `real` are seconds of processor time, `virtual` those of the histories."""

    histories: int
    steps: int
    fewest: int
    tasks: int
    faults: int
    virtual: float
    real: float
    broken: tuple[Broken, ...]


class Report(NamedTuple):
    """What a whole series did; `wall` are seconds."""

    first: int
    jobs: int
    wall: float
    all: Batch
    examples: int = 0
    found: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether any promise was broken."""
        return bool(self.all.broken or self.found)

    def __str__(self) -> str:
        done = self.all
        lines = [
            f"{done.histories:,} histories from seed {self.first} on, in {self.wall:.0f} s on {self.jobs} processes",
            f"  steps         {done.steps:,} (at least {done.fewest} each)",
            f"  a step        {1e6 * done.real / max(done.steps, 1):.0f} µs of processor time, all invariants on",
            f"  tasks         {done.tasks:,}",
            f"  faults        {done.faults:,}",
            f"  virtual time  {done.virtual / 3600:,.1f} hours",
            f"  broken        {len(done.broken)}",
        ]
        if self.examples:
            lines.append(f"{self.examples} histories of Hypothesis beside them, broken: {len(self.found) or 'none'}")
        kinds = Counter(each.kind for each in done.broken)
        lines += [f"    {kind}: {count}" for kind, count in kinds.most_common()]
        for each in done.broken[:_KEPT]:
            lines.append(f"\nseed {each.seed}: {each.text}")
            lines.append(f"  again: python -m actors.testing replay {each.seed}")
        if done.broken:
            lines += ["", f"seed {done.broken[0].seed}, as it happened:", done.broken[0].story]
        lines += ["", *self.found] if self.found else []
        return "\n".join(lines)


@contextmanager
def quiet() -> Iterator[None]:
    """Without a log: the system tells of deaths there, and here all of them are on purpose."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


@contextmanager
def _collected_now_and_then() -> Iterator[None]:
    """A history leaves circles of objects, and looking for them in between costs more than the memory is worth."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def run_batch(seeds: range, steps: int) -> Batch:
    """Run some histories in this process.

    Args:
        seeds: of each of them.
        steps: how many each has at the least.
    """
    began = time.process_time()
    total, fewest, tasks, faults, virtual = 0, 1 << 60, 0, 0, 0.0
    broken: list[Broken] = []
    with quiet(), _collected_now_and_then():
        for count, seed in enumerate(seeds):
            if count % _COLLECT_EVERY == 0:
                gc.collect()
            try:
                outcome = run_history(seed, steps)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
                broken.append(_tell(seed, steps, error))
                continue
            total += outcome.steps
            fewest = min(fewest, outcome.steps)
            tasks += outcome.tasks
            faults += outcome.faults
            virtual += outcome.seconds
    return Batch(len(seeds), total, fewest, tasks, faults, virtual, time.process_time() - began, tuple(broken))


def run_examples(examples: int, seed: int) -> str:
    """Let Hypothesis look for a history that breaks a promise, from a seed. What it found, or nothing."""
    from actors.testing.machines.system import check_system  # noqa: PLC0415 - Hypothesis is an extra, and slow to import

    try:
        with quiet():
            check_system(examples, seed=seed)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
        return "".join(traceback.format_exception(error))
    return ""


def _tell(seed: int, steps: int, error: Exception) -> Broken:
    """What went wrong: the history is made again, with all details."""
    kind = getattr(error, "invariant", "") or type(error).__name__
    try:
        run_history(seed, steps, detail=True)
        story = "it did not happen again: it depends on something that is no choice"
    except Exception as again:  # noqa: BLE001 - as above
        simulation = getattr(again, "simulation", None)
        if simulation is None:
            story = "".join(traceback.format_exception(again))
        else:
            story = sequence(simulation.history, most=_SHOWN_LINES)
    return Broken(seed, kind, str(error), story)


def run_series(
    histories: int,
    *,
    steps: int = 200,
    first: int = 0,
    jobs: int | None = None,
    examples: int = 0,
    advance: Callable[[int], object] | None = None,
) -> Report:
    """Run so many histories, and let Hypothesis make others beside them.

    Args:
        histories: how many.
        steps: how many each has at the least.
        first: the seed of the first; the others count up from it.
        jobs: in how many processes; None: one for each processor.
        examples: how many histories Hypothesis makes; they need the extra `testing`.
        advance: called with how many have ended, each time that some have.
    """
    jobs = jobs or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else jobs or os.cpu_count() or 1
    began = time.monotonic()
    batches: list[Batch] = []
    found: list[str] = []
    # Not a fork: the caller may have threads.
    context = multiprocessing.get_context("forkserver" if hasattr(os, "fork") else "spawn")
    taken = context.Value("i", 0)
    with concurrent.futures.ProcessPoolExecutor(
        jobs, mp_context=context, initializer=_settle_down, initargs=(taken, jobs)
    ) as pool:
        # First, because they take longest.
        searches = [pool.submit(run_examples, count, first + job) for job, count in enumerate(_shares(examples, jobs))]
        under_way = [pool.submit(run_batch, seeds, steps) for seeds in _portions(first, histories)]
        try:
            for done in concurrent.futures.as_completed(under_way):
                batches.append(done.result())
                if advance is not None:
                    advance(batches[-1].histories)
            found = [text for search in searches if (text := search.result())]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return Report(first, jobs, time.monotonic() - began, _sum(batches), examples, tuple(found))


def _settle_down(taken: Synchronized[int], jobs: int) -> None:
    """Make a process of a series ready, which does nothing else in its life.

    Args:
        taken: how many processes have come before.
        jobs: how many there will be.
    """
    if hasattr(os, "sched_setaffinity"):
        processors = sorted(os.sched_getaffinity(0))
        if jobs == len(processors):
            # The threads of a simulation take turns; each turn would be a wake-up across processors otherwise.
            with taken.get_lock():
                mine, taken.value = taken.value, taken.value + 1
            os.sched_setaffinity(0, {processors[mine % jobs]})
    # What is loaded stays: no need to look at it in each collection.
    gc.collect()
    gc.freeze()


def _shares(examples: int, jobs: int) -> list[int]:
    """One search for each process."""
    return [count for job in range(jobs) if (count := (examples + job) // jobs)]


def _portions(first: int, histories: int) -> Iterator[range]:
    for start in range(first, first + histories, _BATCH):
        yield range(start, min(start + _BATCH, first + histories))


def _sum(batches: list[Batch]) -> Batch:
    broken = sorted((each for batch in batches for each in batch.broken), key=lambda each: each.seed)
    return Batch(
        sum(batch.histories for batch in batches),
        sum(batch.steps for batch in batches),
        min((batch.fewest for batch in batches), default=0),
        sum(batch.tasks for batch in batches),
        sum(batch.faults for batch in batches),
        sum(batch.virtual for batch in batches),
        sum(batch.real for batch in batches),
        tuple(broken),
    )
