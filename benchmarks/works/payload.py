"""Large arguments and results, against one copy of the same bytes within memory."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

from benchmarks.gauge import Gauge
from benchmarks.peers.peer import Peer, WrongResult, echo, length, summed
from benchmarks.peers.registry import ENTRANTS

__all__ = ["array_in", "array_through", "curve"]

_CALLS = 7


def array_in(name: str, count: int) -> dict[str, Any]:
    """An array of so many MB as an argument, of which a number comes back."""
    return _array(name, count, summed, lambda array, result: result == summed(array))


def array_through(name: str, count: int) -> dict[str, Any]:
    """An array as an argument, which comes back."""
    return _array(name, count, echo, _same)


def _same(array: Any, result: Any) -> bool:
    return result.shape == array.shape and result.dtype == array.dtype and bool(result[-1] == array[-1])


def _array(name: str, megabytes: int, function: Any, right: Callable[[Any, Any], bool]) -> dict[str, Any]:
    """Milliseconds of a call after the first, of that, of a copy, and how many copies it takes.

    Before each call one copy is measured, so that both have met the same machine.
    """
    import numpy as np  # noqa: PLC0415 - only where it is measured

    array: Any = np.arange(megabytes * 1_000_000 // 8, dtype=np.float64)
    other = np.empty_like(array)
    np.copyto(other, array)
    with ENTRANTS[name].kind()() as peer:
        peer.latencies(20)
        array[0] = -1.0
        first = _timed(peer, function, array, right)
        calls, copies = [], []
        with Gauge(_CALLS) as gauge:
            for number in range(_CALLS):
                # What was sent before is not sent again.
                array[0] = number
                began = time.perf_counter()
                np.copyto(other, array)
                copies.append((time.perf_counter() - began) * 1000)
                calls.append(_timed(peer, function, array, right))
    copy, call = statistics.median(copies), statistics.median(calls)
    figures = {
        "ms": call,
        "first": first,
        "copy": copy,
        "copies": statistics.median(map(float.__truediv__, calls, copies)),
    }
    return gauge.sample(figures)


def _timed(peer: Peer, function: Any, array: Any, right: Callable[[Any, Any], bool]) -> float:
    began = time.perf_counter()
    result = peer.call(function, array)
    milliseconds = (time.perf_counter() - began) * 1000
    if not right(array, result):
        raise WrongResult(f"{peer.name}: another array came, or came back")
    return milliseconds


def curve(name: str, count: int) -> dict[str, Any]:
    """Microseconds of a call with so many bytes as its argument, up to so many of them, after a warm-up of each size."""
    figures = {}
    with ENTRANTS[name].kind()() as peer:
        peer.latencies(100)
        for size in (100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 256_000_000):
            if size > count:
                break
            content = bytes(size)
            times = []
            for _ in range(4 + min(10_000_000 // size, 100)):
                began = time.perf_counter_ns()
                found = peer.call(length, content)
                times.append(time.perf_counter_ns() - began)
                if found != size:
                    raise WrongResult(f"{peer.name}: {size} bytes were sent, and {found} came")
            figures[str(size)] = statistics.median(times[1:]) / 1000
    return {"figures": figures, "wrong": ""}
