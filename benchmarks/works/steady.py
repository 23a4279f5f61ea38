"""What goes on beside the work: an idle system, and a journal beside a program that computes."""

from __future__ import annotations

import contextlib
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from typing import Any

from benchmarks import cpu
from benchmarks.gauge import Gauge
from benchmarks.marked import MARK, marked
from benchmarks.peers.ours import ActorsPeer
from benchmarks.peers.peer import WrongResult
from benchmarks.peers.registry import ENTRANTS

__all__ = ["idle", "journal"]

_AGENTS = 8
_BURSTS = 3


def idle(name: str, count: int) -> dict[str, Any]:
    """The share of one core, in percent, that a system with eight agents uses for so many seconds without work."""
    with ENTRANTS[name].kind()(_AGENTS) as peer:
        peer.burst(200)
        # What it does after work is over: retiring threads, learning, collecting.
        time.sleep(2)
        before, own, began = cpu.seconds_of(marked(os.environ[MARK])), cpu.parent_seconds(), time.perf_counter()
        time.sleep(count)
        seconds = time.perf_counter() - began
        used = cpu.parent_seconds() - own
        others = cpu.spent(before, cpu.seconds_of(marked(os.environ[MARK])))
    processes = sum(entry.isdigit() for entry in os.listdir("/proc"))
    figures = {
        "percent": (used + others) / seconds * 100,
        "program": used / seconds * 100,
        "processes": float(processes),
    }
    return {"figures": figures, "wrong": ""}


def journal(name: str, count: int) -> dict[str, Any]:
    """Empty tasks per second beside a thread of the program that computes, with a journal or without."""
    with tempfile.TemporaryDirectory() as folder:
        options: dict[str, Any] = {"journal": os.path.join(folder, "journal")} if name == "actors, journal" else {}
        with ActorsPeer(**options) as peer:
            peer.burst(500)
            with _busy(), Gauge(count * _BURSTS) as gauge:
                rates = []
                for _ in range(_BURSTS):
                    began = time.perf_counter()
                    results = peer.burst(count)
                    rates.append(count / (time.perf_counter() - began))
                    if list(results) != list(range(count)):
                        raise WrongResult(f"{count} empty tasks did not bring back their arguments in order")
            return gauge.sample({"rate": statistics.median(rates)}, peer.examined(), peer.notes())


@contextlib.contextmanager
def _busy() -> Iterator[None]:
    """A thread that computes in Python, and so wants the interpreter all the time."""
    going = True

    def compute() -> None:
        number = 0
        while going:
            number = (number * 31 + 7) % 1_000_003

    thread = threading.Thread(target=compute)
    thread.start()
    yield
    going = False
    thread.join()
