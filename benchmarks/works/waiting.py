"""Many tasks that wait: what one more costs, in time and memory, and whether they are in the way of others."""

from __future__ import annotations

import gc
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, Self

from benchmarks.gauge import Gauge, resident
from benchmarks.peers.ours import ActorsPeer, Echo
from benchmarks.peers.peer import AGENTS, echo
from benchmarks.works.held import gate, hold, until

__all__ = ["curve", "untakeable", "waiting"]

_WINDOW = 1000
_MIB = 1 << 20
_Submit = Callable[[int], Any]


class _Pauses:
    """The longest pause of the garbage collector while it is entered, in milliseconds."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._began = 0.0

    def _note(self, phase: str, _: dict[str, int]) -> None:
        now = time.perf_counter()
        if phase == "start":
            self._began = now
        else:
            self.longest = max(self.longest, (now - self._began) * 1000)

    def __enter__(self) -> Self:
        gc.callbacks.append(self._note)
        return self

    def __exit__(self, *exc_info: object) -> None:
        gc.callbacks.remove(self._note)


@contextmanager
def _ours() -> Iterator[tuple[_Submit, Callable[[Any], Any]]]:
    with gate() as shut, ActorsPeer() as peer:
        submit, work = peer.system.submit, Echo.echo
        held = [submit(Echo.hold, shut.path) for _ in range(AGENTS)]
        until(lambda: shut.waiting() == AGENTS, "that all agents are busy")
        # The last one is in the queue when its record is there.
        yield lambda value: submit(work, value), lambda future: future.info()
        peer.system.pause()
        shut.open()
        for future in held:
            future.result()
        peer.system.shutdown(cancel_tasks=True)


@contextmanager
def _executor() -> Iterator[tuple[_Submit, Callable[[Any], Any]]]:
    with gate() as shut:
        pool = ProcessPoolExecutor(AGENTS)
        for _ in range(AGENTS):
            pool.submit(hold, shut.path)
        until(lambda: shut.waiting() == AGENTS, "that all processes are busy")
        yield lambda value: pool.submit(echo, value), _nothing
        shut.open()
        pool.shutdown(cancel_futures=True)


@contextmanager
def _pool() -> Iterator[tuple[_Submit, Callable[[Any], Any]]]:
    with gate() as shut, multiprocessing.Pool(AGENTS) as pool:
        for _ in range(AGENTS):
            pool.apply_async(hold, (shut.path,))
        until(lambda: shut.waiting() == AGENTS, "that all processes are busy")
        yield lambda value: pool.apply_async(echo, (value,)), _nothing
        # Leaving it ends its processes; those that wait are killed.
        shut.open()


def _nothing(_: Any) -> None:
    """These have nobody else who would have to take a submission in."""


_WAITING = {"actors": _ours, "ProcessPoolExecutor": _executor, "multiprocessing.Pool": _pool}


def waiting(name: str, count: int) -> dict[str, Any]:
    """What a submission costs among so many that wait, every future held.

    "each": microseconds of one among the last; "more": than of one after a thousand; "bytes": resident for each;
    "pause": milliseconds of the longest pause of the garbage collector.
    """
    with _WAITING[name]() as (submit, settled):
        gc.collect()
        before = resident()
        with Gauge(count) as gauge, _Pauses() as pauses:
            windows, futures = _submitted(submit, count)
            settled(futures[-1])
        after = resident()
        few = max(min(len(windows) // 4, 20), 1)
        first, last = statistics.median(windows[1 : 1 + few]), statistics.median(windows[-few:])
        figures = {
            "each": last,
            "more": last - first,
            "bytes": (after - before) * _MIB / count,
            "pause": pauses.longest,
        }
    undone = sum(not future.done() for future in futures) if name == "actors" else 0
    return gauge.sample(figures, f"{undone} futures were left without an outcome" if undone else "")


def _submitted(submit: _Submit, count: int) -> tuple[list[float], list[Any]]:
    """Microseconds of a submission in each window, and all futures."""
    windows: list[float] = []
    futures: list[Any] = []
    window = max(min(_WINDOW, count // 4), 1)
    for begin in range(0, count, window):
        began = time.perf_counter()
        futures += [submit(value) for value in range(begin, begin + window)]
        windows.append((time.perf_counter() - began) / window * 1e6)
    return windows, futures


def curve(name: str, count: int) -> dict[str, Any]:
    """Microseconds of a submission by how many wait already."""
    figures: dict[str, float] = {}
    with _WAITING[name]() as (submit, settled):
        futures: list[Any] = []
        for point in (10**power for power in range(2, 7)):
            if point > count:
                break
            futures += [submit(value) for value in range(len(futures), point)]
            settled(futures[-1])
            times = []
            for _ in range(min(point, _WINDOW)):
                began = time.perf_counter_ns()
                futures.append(submit(0))
                times.append(time.perf_counter_ns() - began)
            figures[str(point)] = statistics.median(times) / 1000
    return {"figures": figures, "wrong": ""}


def untakeable(name: str, count: int) -> dict[str, Any]:
    """One task at a time that can be taken, beside so many that cannot: p50, and how many times that of an empty queue."""
    del name
    with gate() as shut, ActorsPeer(resources={"licence": 1}) as peer:
        system = peer.system
        peer.latencies(500)
        empty = statistics.median(peer.latencies(1000))
        held = system.options(resources={"licence": 1}).submit(Echo.hold, shut.path)
        until(lambda: shut.waiting() == 1, "that one agent has what the others wait for")
        # Half as many agents are left, so the same is measured with an empty queue again.
        alone = statistics.median(peer.latencies(1000))
        submit = system.options(resources={"licence": 1}).submit
        futures = [submit(Echo.echo, value) for value in range(count)]
        futures[-1].info()
        peer.latencies(100)
        with Gauge(1000) as gauge:
            full = statistics.median(peer.latencies(1000))
        wrong = "" if not any(future.done() for future in futures) else "a task was done that nobody could take"
        system.pause()
        shut.open()
        held.result()
        system.shutdown(cancel_tasks=True)
    left = sum(not future.done() for future in futures)
    wrong = wrong or (f"{left} futures were left without an outcome" if left else "")
    return gauge.sample(
        {"p50": full / 1000, "alone": alone / 1000, "empty": empty / 1000, "times": full / alone}, wrong
    )
