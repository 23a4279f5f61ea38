"""Measures every peer on every workload in interleaved rounds, so that what the machine does hits all of them alike."""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from benchmarks import cpu
from benchmarks.peers import Peer
from benchmarks.workloads import Workload

# Enough for both processes to have started, imported and adapted their batches; never more than the measurement.
WARM_UP_TASKS = 500


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement: the value in the workload's unit, and cpu microseconds per task beside it."""

    value: float
    extra: dict[str, float]
    parent_cpu: float
    children_cpu: float
    notes: dict[str, int]


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some values, with the least and the most of them."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Sum up at least one value."""
        known = sorted(values)
        return cls(statistics.median(known), known[0], known[-1])


@dataclass(slots=True)
class Row:
    """The samples of one workload by the name of the peer, one for each round."""

    workload: Workload
    tasks: int
    samples: dict[str, list[Sample]] = field(default_factory=dict)

    def values(self, peer: str) -> Spread:
        """Return the measured values of a peer."""
        return Spread.of(sample.value for sample in self.samples[peer])

    def ratio(self, ours: str, peer: str) -> Spread:
        """Return ours divided by the peer's, round by round: what slowed a whole round cancels out."""
        pairs = zip(self.samples[ours], self.samples[peer], strict=True)
        return Spread.of(mine.value / other.value for mine, other in pairs)


def measure(peer_class: type[Peer], workload: Workload, tasks: int) -> Sample:
    """Start a peer, warm it up, measure it once, end it."""
    with peer_class() as peer:
        workload.run(peer, min(tasks, WARM_UP_TASKS))
        gc.collect()
        children, parent = cpu.children_seconds(), cpu.parent_seconds()
        value, extra = workload.run(peer, tasks)
        parent_cpu = cpu.parent_seconds() - parent
        children_cpu = cpu.spent(children, cpu.children_seconds())
        return Sample(value, extra, parent_cpu / tasks * 1e6, children_cpu / tasks * 1e6, peer.notes())


def run(
    workloads: Iterable[tuple[Workload, int]],
    peers: tuple[type[Peer], ...],
    rounds: int,
    report: Callable[[str], None] = lambda _: None,
) -> list[Row]:
    """Measure all peers on all workloads `rounds` times. The order of the peers rotates from round to round."""
    rows = [Row(workload, tasks, {peer.name: [] for peer in peers}) for workload, tasks in workloads]
    for number in range(rounds):
        start = number % len(peers)
        for row in rows:
            for peer in (*peers[start:], *peers[:start]):
                report(f"round {number + 1} of {rounds}: {row.workload.name}: {peer.name}")
                row.samples[peer.name].append(measure(peer, row.workload, row.tasks))
    return rows
