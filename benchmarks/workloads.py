"""What is measured, as data: a row of the table for each workload."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.peers import ExecutorPeer, Peer, PoolPeer


class WrongResult(AssertionError):
    """A peer answered something else than it was asked for; its time means nothing."""


@dataclass(frozen=True, slots=True)
class Goal:
    """The ratio of ours to a peer that is to be reached: at least `ratio` if more is better, else at most."""

    ratio: float
    rival: str


@dataclass(frozen=True, slots=True)
class Workload:
    """One row. `run` does the work on a started peer and returns the measured value in `unit`, with further ones."""

    name: str
    unit: str
    more_is_better: bool
    tasks: int
    quick_tasks: int
    run: Callable[[Peer, int], tuple[float, dict[str, float]]]
    goals: dict[str, Goal]


def burst(peer: Peer, count: int) -> tuple[float, dict[str, float]]:
    """Tasks per second, a future held for each."""
    began = time.perf_counter()
    results = peer.burst(count)
    seconds = time.perf_counter() - began
    if results != list(range(count)):
        raise WrongResult(f"{peer.name}: {count} empty tasks did not bring back their arguments in order")
    return count / seconds, {}


def one_at_a_time(peer: Peer, count: int) -> tuple[float, dict[str, float]]:
    """The median latency in microseconds, and the 99th percentile beside it."""
    latencies = []
    for value in range(count):
        began = time.perf_counter_ns()
        result = peer.single(value)
        latencies.append(time.perf_counter_ns() - began)
        if result != value:
            raise WrongResult(f"{peer.name}: the empty task got {value} and brought back {result!r}")
    latencies.sort()
    p50, p99 = (latencies[min(count - 1, count * percent // 100)] / 1000 for percent in (50, 99))
    return p50, {"p99": p99}


WORKLOADS: tuple[Workload, ...] = (
    Workload(
        name="empty tasks, a future each, 2 agents",
        unit="tasks/s",
        more_is_better=True,
        tasks=10_000,
        quick_tasks=1_000,
        run=burst,
        goals={
            ExecutorPeer.name: Goal(10.0, "ProcessPoolExecutor.submit"),
            PoolPeer.name: Goal(3.0, "multiprocessing.Pool.apply_async"),
        },
    ),
    Workload(
        name="one task at a time, p50 (p99)",
        unit="µs",
        more_is_better=False,
        tasks=2_000,
        quick_tasks=300,
        run=one_at_a_time,
        goals={
            ExecutorPeer.name: Goal(0.6, "ProcessPoolExecutor.submit"),
            PoolPeer.name: Goal(0.8, "multiprocessing.Pool.apply"),
        },
    ),
)
