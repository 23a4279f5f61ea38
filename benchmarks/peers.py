"""Who is measured: this library and the standard library's pools, behind one small face.

A peer is started for one measurement and ended after it, so that no two of them run at the same time: neither takes
the other's cpu, and a pool that forks never forks a process that has another one's threads.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.pool
from abc import ABC, abstractmethod
from collections import Counter
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Self

from actors import ActorSystem, TaskCompleted, Worker, task

AGENTS = 2


def echo(value: int) -> int:
    """The empty task: what comes back proves that it ran and that answers are not mixed up."""
    return value


class Echo(Worker):
    """A worker whose agents do nothing, under the limits, retries and heartbeats that every worker has."""

    @task
    def echo(self, value: int) -> int:
        """The empty task."""
        return value


class Peer(ABC):
    """A running pool with two processes."""

    name: str

    @abstractmethod
    def __enter__(self) -> Self:
        """Start it."""

    @abstractmethod
    def __exit__(self, *exc_info: object) -> None:
        """End it; its processes are gone afterwards."""

    @abstractmethod
    def burst(self, count: int) -> list[int]:
        """Submit `count` empty tasks, holding a future for each, and return all results."""

    @abstractmethod
    def single(self, value: int) -> int:
        """Submit one empty task and wait for its result."""

    def notes(self) -> dict[str, int]:
        """Return counters that the table's reader should know of."""
        return {}


class ActorsPeer(Peer):
    """The default system with one subscriber to the event that every task brings."""

    name = "actors"

    def __enter__(self) -> Self:
        self._events: Counter[str] = Counter()
        self._system = ActorSystem({Echo: AGENTS})
        self._system.__enter__()
        self._system.subscribe(TaskCompleted, self._on_completed)
        return self

    def _on_completed(self, event: TaskCompleted) -> None:
        self._events["TaskCompleted"] += 1

    def __exit__(self, *exc_info: object) -> None:
        self._system.shutdown()

    def burst(self, count: int) -> list[int]:
        """As Peer says."""
        submit, function = self._system.submit, Echo.echo
        futures = [submit(function, value) for value in range(count)]
        return [future.result() for future in futures]

    def single(self, value: int) -> int:
        """As Peer says."""
        return self._system.submit(Echo.echo, value).result()

    def notes(self) -> dict[str, int]:
        """Return how many events the subscriber got."""
        return dict(self._events)


class ExecutorPeer(Peer):
    """`concurrent.futures.ProcessPoolExecutor`, with the start method that it takes by itself."""

    name = "ProcessPoolExecutor"

    def __enter__(self) -> Self:
        self._pool = ProcessPoolExecutor(AGENTS)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._pool.shutdown()

    def burst(self, count: int) -> list[int]:
        """As Peer says."""
        submit = self._pool.submit
        futures: list[Future[int]] = [submit(echo, value) for value in range(count)]
        return [future.result() for future in futures]

    def single(self, value: int) -> int:
        """As Peer says."""
        return self._pool.submit(echo, value).result()


class PoolPeer(Peer):
    """`multiprocessing.Pool`, with the start method that it takes by itself."""

    name = "multiprocessing.Pool"

    def __enter__(self) -> Self:
        self._pool: multiprocessing.pool.Pool = multiprocessing.Pool(AGENTS)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._pool.close()
        self._pool.join()

    def burst(self, count: int) -> list[int]:
        """As Peer says."""
        apply_async = self._pool.apply_async
        results = [apply_async(echo, (value,)) for value in range(count)]
        return [result.get() for result in results]

    def single(self, value: int) -> int:
        """As Peer says."""
        return self._pool.apply(echo, (value,))


OURS = ActorsPeer
PEERS: tuple[type[Peer], ...] = (ActorsPeer, ExecutorPeer, PoolPeer)
