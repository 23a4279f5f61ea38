"""What this machine and Python give without any library: the limits of all who are measured."""

from __future__ import annotations

import pickle
import statistics
import time
from collections.abc import Callable
from typing import Any

from benchmarks.peers.peer import echo
from benchmarks.works.bare import forkserver, started
from benchmarks.works.empty import pipe_latencies

__all__ = ["limits"]

_COPIED = 64_000_000


def limits(name: str, count: int) -> dict[str, Any]:
    """Medians of what is done without any library.

    Microseconds: some bytes to another process and back ("pipe"); the call of an empty task and its result
    pickled and back ("pickle"). Milliseconds: 64 MB copied within memory ("copy"); a process of a forkserver that has
    imported nothing, from its start to what it says ("fork").
    """
    del name
    source, target = bytearray(_COPIED), bytearray(_COPIED)

    def copied() -> None:
        memoryview(target)[:] = source

    def pickled() -> None:
        pickle.loads(pickle.dumps((echo, (1,)), 5))  # noqa: S301 - our own
        pickle.loads(pickle.dumps(1, 5))  # noqa: S301 - our own

    context = forkserver()
    started(context)
    figures = {
        "pipe": statistics.median(pipe_latencies(count)) / 1000,
        "pickle": _microseconds(pickled, count),
        "copy": _microseconds(copied, 10) / 1000,
        "fork": statistics.median(started(context) for _ in range(10)),
    }
    return {"figures": figures, "wrong": ""}


def _microseconds(work: Callable[[], None], times: int) -> float:
    work()
    found = []
    for _ in range(times):
        began = time.perf_counter_ns()
        work()
        found.append(time.perf_counter_ns() - began)
    return statistics.median(found) / 1000
