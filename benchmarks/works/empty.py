"""Empty tasks: what it costs to hand one out and to get its result back."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import statistics
import time
from typing import Any

from benchmarks.gauge import Gauge
from benchmarks.peers.ours import ActorsPeer, Echo
from benchmarks.peers.peer import Peer, WrongResult
from benchmarks.peers.registry import ENTRANTS
from benchmarks.spread import percentile

__all__ = ["agents_curve", "burst", "killed", "mapped", "pipe_latencies", "single"]

# Enough for both processes to have started, imported and adapted their batches; never more than the measurement.
WARM_UP = 500
_TIMES = 3


def _opened(name: str) -> Peer:
    return ENTRANTS[name].kind()()


def burst(name: str, count: int) -> dict[str, Any]:
    """Tasks per second, a future held for each: the median of three bursts."""
    with _opened(name) as peer:
        _checked(peer, min(count, WARM_UP))
        with Gauge(count * _TIMES) as gauge:
            rates = [_checked(peer, count) for _ in range(_TIMES)]
        return gauge.sample({"rate": statistics.median(rates)}, peer.examined(), peer.notes())


def _checked(peer: Peer, count: int) -> float:
    began = time.perf_counter()
    results = peer.burst(count)
    seconds = time.perf_counter() - began
    if list(results) != list(range(count)):
        raise WrongResult(f"{peer.name}: {count} empty tasks did not bring back their arguments in order")
    return count / seconds


def killed(name: str, count: int) -> dict[str, Any]:
    """The control: one agent is killed in the middle of a burst, and all results must come all the same."""
    del name
    with ActorsPeer() as peer:
        _checked(peer, min(count, WARM_UP))
        submit, function = peer.system.submit, Echo.echo
        victim = peer.system.agents()[0]
        futures = [submit(function, value) for value in range(count // 2)]
        futures[0].result()
        if victim.pid is None:
            return {"figures": {}, "wrong": "an agent that has done tasks has no process"}
        os.kill(victim.pid, signal.SIGKILL)
        futures += [submit(function, value) for value in range(count // 2, count)]
        if [future.result() for future in futures] != list(range(count)):
            return {"figures": {}, "wrong": "an agent was killed, and results were wrong"}
        peer.submitted(futures)
        return {"figures": {}, "wrong": peer.examined()}


def single(name: str, count: int) -> dict[str, Any]:
    """The median latency in microseconds of one task at a time, and the 99th percentile beside it."""
    if name == "bare pipe":
        return _pipe(count)
    with _opened(name) as peer:
        peer.latencies(min(count, WARM_UP))
        with Gauge(count) as gauge:
            latencies = peer.latencies(count)
        return gauge.sample(_percentiles(latencies), peer.examined(), peer.notes())


def _percentiles(latencies: list[int]) -> dict[str, float]:
    latencies.sort()
    return {f"p{percent}": percentile(latencies, percent) / 1000 for percent in (50, 99)}


def _pipe(count: int) -> dict[str, Any]:
    """Some bytes to another process and back, without anything else: no library can be faster."""
    with Gauge(count) as gauge:
        latencies = pipe_latencies(count)
    return gauge.sample(_percentiles(latencies))


def pipe_latencies(count: int) -> list[int]:
    """The nanoseconds of so many round trips of 100 bytes between two processes."""
    mine, other = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_answer, args=(other,))
    process.start()
    other.close()
    content = bytes(100)
    latencies = []
    for _ in range(count + WARM_UP):
        began = time.perf_counter_ns()
        mine.send_bytes(content)
        mine.recv_bytes()
        latencies.append(time.perf_counter_ns() - began)
    mine.close()
    process.join()
    return latencies[WARM_UP:]


def _answer(pipe: multiprocessing.connection.Connection) -> None:
    try:
        while True:
            pipe.send_bytes(pipe.recv_bytes())
    except EOFError:
        # The program has what it wanted.
        pass


def mapped(name: str, count: int) -> dict[str, Any]:
    """Calls per second of a map over so many numbers; each result is compared as it comes, and let go."""
    with _opened(name) as peer:
        _through(peer, min(count, WARM_UP * 20))
        with Gauge(count) as gauge:
            began = time.perf_counter()
            _through(peer, count)
            seconds = time.perf_counter() - began
        return gauge.sample({"rate": count / seconds, "grown": gauge.grown}, peer.examined())


def _through(peer: Peer, count: int) -> None:
    results = peer.map(count)
    right = sum(map(int.__eq__, range(count), results))
    if right != count or next(results, None) is not None:
        raise WrongResult(f"{peer.name}: a map over {count} numbers did not bring them back in order")


def agents_curve(name: str, count: int) -> dict[str, Any]:
    """Microseconds of each empty task in a burst, by the number of agents."""
    figures = {}
    for agents in (1, 2, 5, 10, 20, 50, 100, 200):
        if agents > 20 and count < 1000:
            break
        with ENTRANTS[name].kind()(agents) as peer:
            # Each agent has had tasks before it counts.
            _checked(peer, max(count, agents * 10))
            _checked(peer, count)
            rates = [_checked(peer, count) for _ in range(_TIMES)]
            figures[str(agents)] = 1e6 / statistics.median(rates)
            wrong = peer.examined()
        if wrong:
            return {"figures": figures, "wrong": wrong}
    return {"figures": figures, "wrong": ""}
