"""Tasks that need the results of others."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from benchmarks.gauge import Gauge
from benchmarks.peers.peer import Peer, WrongResult, combine, layered
from benchmarks.peers.registry import ENTRANTS

__all__ = ["curve_depth", "curve_width", "layers"]

_WIDTH = 100


def _expected(depth: int, width: int) -> Sequence[int]:
    before: list[int] = []
    for layer in layered(depth, width):
        before = [combine(*[before[index] for index in needs]) for needs in layer]
    return before


def _timed(peer: Peer, depth: int, width: int) -> float:
    """Microseconds of each task."""
    began = time.perf_counter()
    found = peer.graph(depth, width)
    seconds = time.perf_counter() - began
    if list(found) != _expected(depth, width):
        raise WrongResult(f"{peer.name}: a graph of {depth} layers of {width} tasks came to something else")
    return seconds / depth / width * 1e6


def layers(name: str, count: int) -> dict[str, Any]:
    """Tasks per second of a graph of so many, in layers of a hundred, each of which needs two of the layer before."""
    with ENTRANTS[name].kind()() as peer:
        _timed(peer, 5, _WIDTH)
        depth = max(count // _WIDTH, 2)
        with Gauge(depth * _WIDTH) as gauge:
            each = _timed(peer, depth, _WIDTH)
        return gauge.sample({"rate": 1e6 / each}, peer.examined(), peer.notes())


def curve_depth(name: str, count: int) -> dict[str, Any]:
    """Microseconds of each task of a graph ten wide, by its depth."""
    return _curve(name, count, lambda peer, size: _timed(peer, size, 10))


def curve_width(name: str, count: int) -> dict[str, Any]:
    """Microseconds of each task of a graph ten deep, by its width."""
    return _curve(name, count, lambda peer, size: _timed(peer, 10, size))


def _curve(name: str, count: int, timed: Any) -> dict[str, Any]:
    figures = {}
    with ENTRANTS[name].kind()() as peer:
        timed(peer, 10)
        for size in (1, 10, 100, 1000, 10_000):
            if size * 10 <= count:
                figures[str(size)] = timed(peer, size)
    return {"figures": figures, "wrong": ""}
