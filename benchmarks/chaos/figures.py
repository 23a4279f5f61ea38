"""The figures of a run: recovery times, throughput, and whether memory and descriptors stay as they are."""

from __future__ import annotations

import itertools
import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.chaos.book import Fault, Sample
from benchmarks.chaos.promises import Promise
from benchmarks.chaos.run import Outcome

__all__ = ["JUDGED_FROM", "Recovery", "Trend", "flat", "recoveries", "recovery", "throughput", "trend"]

_MIB = 2**20
JUDGED_FROM = 60.0
"""A trend over less than so many seconds says nothing."""
_PIECE = 8.0
_MOST_PIECES = 20


@dataclass(frozen=True, slots=True)
class Recovery:
    """How long it took after faults of one kind until the fleet was whole, in seconds."""

    kind: str
    faults: int
    healed: int
    p50: float
    p95: float
    worst: float


@dataclass(frozen=True, slots=True)
class Trend:
    """A line through the second half of a run: `level` at its begin, `growth` until its end, `per_minute`."""

    level: float
    growth: float
    per_minute: float


def recoveries(outcome: Outcome) -> list[Recovery]:
    """By kind of fault, the most frequent first."""
    times: dict[str, list[float]] = defaultdict(list)
    counts: dict[str, int] = defaultdict(int)
    for fault in outcome.book.faults:
        counts[fault.kind] += 1
        found_time = recovery(outcome, fault)
        if found_time is not None:
            times[fault.kind].append(found_time)
    found = []
    for kind, faults in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        several = sorted(times[kind])
        p50, p95, worst = (_percentile(several, share) for share in (0.5, 0.95, 1.0))
        found.append(Recovery(kind, faults, len(several), p50, p95, worst))
    return found


def recovery(outcome: Outcome, fault: Fault) -> float | None:
    """Seconds until a fault was healed; None if that was not seen.

    The harm of a task begins with its body, and is healed when its outcome is known and its agent runs.
    """
    if fault.number is None:
        return None if fault.healed is None else max(fault.healed - fault.at, 0.0)
    run = outcome.harms.get(fault.number)
    if run is None or fault.ended is None:
        return None
    runs_from = 0.0
    for moment, pid in outcome.history.get(run.agent, ()):
        if pid:
            runs_from = moment
        if moment >= fault.ended:
            break
        if not pid:
            runs_from = math.inf
    # An agent that was not started again was one too many.
    known = fault.ended if runs_from == math.inf else max(fault.ended, runs_from)
    return max(known - run.began, 0.0)


def _percentile(ordered: Sequence[float], share: float) -> float:
    if not ordered:
        return float("nan")
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def throughput(samples: Sequence[Sample]) -> list[tuple[float, float]]:
    """Tasks that ended per second, at the middle of each pair of samples."""
    return [
        ((before.at + after.at) / 2, (after.ended_tasks - before.ended_tasks) / (after.at - before.at))
        for before, after in itertools.pairwise(samples)
        if after.at > before.at
    ]


def trend(samples: Sequence[Sample], figure: Callable[[Sample], float]) -> Trend | None:
    """A line through the least values of pieces of the second half; None if there are too few.

    The least values: what lies above them is on its way, as a large result is.
    """
    half = samples[len(samples) // 2 :]
    if len(half) < 2:
        return None
    # So long that there is a moment in each with nothing large on its way.
    rate = (half[-1].at - half[0].at) / (len(half) - 1)
    size = max(len(half) // _MOST_PIECES, math.ceil(_PIECE / max(rate, 0.001)))
    pieces = [half[start : start + size] for start in range(0, len(half) - size + 1, size)]
    points = [(piece[len(piece) // 2].at, min(map(figure, piece))) for piece in pieces]
    if len(points) < 3:
        return None
    slope, intercept = statistics.linear_regression([at for at, _ in points], [value for _, value in points])
    first, last = points[0][0], points[-1][0]
    return Trend(intercept + slope * first, slope * (last - first), slope * 60)


def flat(outcome: Outcome) -> Promise:
    """Whether memory and descriptors of the program stayed as they were; not judged in a short run."""
    samples = outcome.book.samples
    promise = Promise("memory and descriptors of the program stay flat", 0)
    if outcome.seconds < JUDGED_FROM:
        return promise
    for name, figure, room, unit in (
        ("memory", lambda sample: sample.memory / _MIB, 16.0, " MiB"),
        ("descriptors", lambda sample: float(sample.descriptors), 40.0, ""),
        ("threads", lambda sample: float(sample.threads), 5.0, ""),
    ):
        found = trend(samples, figure)
        if found is not None:
            promise.cases += 1
            if found.growth > max(room, found.level * 0.2):
                promise.broken.append(
                    f"{name} grew by {found.growth:.1f}{unit} from {found.level:.1f}{unit} in the second half"
                )
    return promise
