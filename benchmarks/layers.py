"""The cpu time of each task, by the layer that used it.

The agents' time is that of their processes. The program's threads do the work of several layers: a further run in which
each thread is profiled by its own cpu clock tells how the program's time, as it is without a profiler, is to be divided.
"""

from __future__ import annotations

import cProfile
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from types import CodeType
from typing import Any, Self

from benchmarks.gauge import Gauge
from benchmarks.peers.ours import ActorsPeer
from benchmarks.peers.peer import Peer, WrongResult

__all__ = ["LAYERS", "empty", "layer_of", "single"]

LAYERS = ("caller", "scheduler", "wire", "future", "events", "agent")
HOW = (
    "agent: cpu clock of the agents' processes; the others: cpu clock of the program, divided by the shares of a further "
    "run with cProfile on the cpu clock of each thread"
)

# The first that fits. What stands before a file of the library is its folder.
_PLACES = (
    ("actors/future.py", "future"),
    ("actors/kernel/lazyfuture.py", "future"),
    ("concurrent/futures/", "future"),
    ("actors/runtime/event", "events"),
    ("actors/runtime/dispatcher.py", "events"),
    ("actors/runtime/subscription.py", "events"),
    ("actors/protocol/events", "events"),
    ("actors/core/eventbuffer.py", "events"),
    ("actors/core/subscriptions.py", "events"),
    ("actors/runtime/submission.py", "caller"),
    ("actors/runtime/submitter.py", "caller"),
    ("actors/runtime/intake.py", "caller"),
    ("actors/hosts/serialize.py", "caller"),
    ("actors/hosts/submi", "caller"),
    ("actors/hosts/options.py", "caller"),
    ("actors/hosts/arguments.py", "caller"),
    ("actors/hosts/taskmethod.py", "caller"),
    ("actors/worker.py", "caller"),
    ("benchmarks/", "caller"),
    ("actors/hosts/", "wire"),
    ("actors/runtime/agent_link", "wire"),
    ("actors/runtime/carrier.py", "wire"),
    ("actors/kernel/poll", "wire"),
    ("selectors.py", "wire"),
    ("socket.py", "wire"),
    ("actors/", "scheduler"),
)


def layer_of(file: str) -> str:
    """The layer that the code of a file belongs to; empty if its callers decide."""
    return next((layer for place, layer in _PLACES if f"/{place}" in file), "")


class Profiled:
    """Profiles all threads that are started while it is entered, and its own, each by its own cpu clock."""

    def __init__(self) -> None:
        self._profiles: list[cProfile.Profile] = []

    def _begin(self, *_: Any) -> None:
        profile = cProfile.Profile(time.thread_time)
        self._profiles.append(profile)
        # It takes the place of this function in this thread.
        profile.enable()

    def __enter__(self) -> Self:
        if sys.version_info >= (3, 12):
            raise RuntimeError(
                "cpu time by layers is measured with Python 3.11: later ones profile one thread at a time"
            )
        threading.setprofile(self._begin)
        self._begin()
        return self

    def __exit__(self, *exc_info: object) -> None:
        threading.setprofile(None)
        for profile in self._profiles:
            profile.disable()

    def seconds(self) -> Counter[str]:
        """By layer, until now."""
        found: Counter[str] = Counter()
        for profile in self._profiles:
            entries: list[Any] = profile.getstats()
            found.update(_by_layer({entry.code: entry for entry in entries}))
        return found


def _by_layer(entries: dict[Any, Any]) -> Counter[str]:
    """Of one thread. What is no file of the library counts for the layer that called it, with all that it calls."""
    inner: dict[Any, float] = {}

    def returned(code: Any) -> float:
        """Of the time in something that is of no layer, the seconds in which it has called back into one."""
        if code not in inner:
            # What calls itself counts once.
            inner[code] = 0.0
            inner[code] = sum(
                call.totaltime if _layer(call.code) else _share(call.totaltime, entries[call.code], returned(call.code))
                for call in entries[code].calls or ()
            )
        return inner[code]

    found: Counter[str] = Counter()
    for entry in entries.values():
        if layer := _layer(entry.code):
            found[layer] += entry.inlinetime
            for call in entry.calls or ():
                if not _layer(call.code):
                    lent = _share(call.totaltime, entries[call.code], returned(call.code))
                    found[layer] += max(call.totaltime - lent, 0.0)
    return found


def _share(seconds: float, entry: Any, part: float) -> float:
    return seconds * part / entry.totaltime if entry.totaltime else 0.0


def _layer(code: CodeType | str) -> str:
    return "" if isinstance(code, str) else layer_of(code.co_filename)


def empty(name: str, count: int) -> dict[str, Any]:
    """Of a burst of empty tasks."""
    del name
    return _split(count, lambda peer: peer.burst(count))


def single(name: str, count: int) -> dict[str, Any]:
    """Of one task at a time."""
    del name
    return _split(count, lambda peer: peer.latencies(count))


def _split(count: int, work: Callable[[Peer], Any]) -> dict[str, Any]:
    with ActorsPeer() as peer:
        work(peer)
        with Gauge(count) as gauge:
            work(peer)
        sample = gauge.sample({}, peer.examined())
    if sample["wrong"]:
        raise WrongResult(sample["wrong"])
    profiled = Profiled()
    with profiled, ActorsPeer() as peer:
        work(peer)
        before = profiled.seconds()
        work(peer)
        seconds = profiled.seconds() - before
    whole = sum(seconds.values())
    figures = {layer: sample["parent_cpu"] * seconds[layer] / whole for layer in LAYERS if layer != "agent"}
    return {"figures": {**figures, "agent": sample["agents_cpu"]}, "how": HOW, "wrong": ""}
