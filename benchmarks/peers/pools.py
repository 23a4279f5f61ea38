"""The pools of the standard library and those that were made after them."""

from __future__ import annotations

import multiprocessing
import multiprocessing.pool
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, Self

from benchmarks.peers.peer import Peer, echo

__all__ = ["ExecutorPeer", "LokyPeer", "MpirePeer", "PebblePeer", "PoolPeer"]


class _Futures(Peer):
    """One whose `submit` is that of `concurrent.futures`."""

    _submit: Callable[..., Any]

    def burst(self, count: int) -> Sequence[int]:
        """As Peer says."""
        submit = self._submit
        futures = [submit(echo, value) for value in range(count)]
        return [future.result() for future in futures]

    def single(self, value: Any) -> Any:
        """As Peer says."""
        return self._submit(echo, value).result()

    def call(self, function: Any, argument: Any) -> Any:
        """As Peer says."""
        return self._submit(function, argument).result()

    def _chunk(self, count: int) -> int:
        """What `multiprocessing.Pool.map` takes by itself; these take 1, which no program with a million calls keeps."""
        return max(-(-count // (4 * self.agents)), 1)


class ExecutorPeer(_Futures):
    """`concurrent.futures.ProcessPoolExecutor`, with the start method that it takes by itself."""

    name = "ProcessPoolExecutor"

    def __enter__(self) -> Self:
        self._pool = ProcessPoolExecutor(self.agents)
        self._submit = self._pool.submit
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._pool.shutdown()

    def map(self, count: int) -> Iterator[int]:
        """As Peer says."""
        return self._pool.map(echo, range(count), chunksize=self._chunk(count))


class LokyPeer(_Futures):
    """loky's reusable executor."""

    name = "loky"

    def __enter__(self) -> Self:
        import loky  # noqa: PLC0415 - only where it is measured

        self._pool: Any = loky.get_reusable_executor(max_workers=self.agents)
        self._submit = self._pool.submit
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._pool.shutdown()

    def map(self, count: int) -> Iterator[int]:
        """As Peer says."""
        found: Iterator[int] = self._pool.map(echo, range(count), chunksize=self._chunk(count))
        return found


class PebblePeer(_Futures):
    """Pebble's `ProcessPool`."""

    name = "Pebble"

    def __enter__(self) -> Self:
        import pebble  # noqa: PLC0415 - only where it is measured

        self._pool: Any = pebble.ProcessPool(max_workers=self.agents)
        self._submit = self._pool.submit
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._pool.close()
        self._pool.join()

    def burst(self, count: int) -> Sequence[int]:
        """As Peer says. `submit` takes a time limit before the arguments."""
        submit = self._submit
        futures = [submit(echo, None, value) for value in range(count)]
        return [future.result() for future in futures]

    def single(self, value: Any) -> Any:
        """As Peer says."""
        return self._submit(echo, None, value).result()

    def call(self, function: Any, argument: Any) -> Any:
        """As Peer says."""
        return self._submit(function, None, argument).result()

    def map(self, count: int) -> Iterator[int]:
        """As Peer says."""
        found: Iterator[int] = self._pool.map(echo, range(count), chunksize=self._chunk(count)).result()
        return found


class PoolPeer(Peer):
    """`multiprocessing.Pool`, with the start method that it takes by itself."""

    name = "multiprocessing.Pool"

    def __enter__(self) -> Self:
        self._pool: Any = multiprocessing.Pool(self.agents)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._pool.close()
        self._pool.join()

    def burst(self, count: int) -> Sequence[int]:
        """As Peer says."""
        apply_async = self._pool.apply_async
        results = [apply_async(echo, (value,)) for value in range(count)]
        return [result.get() for result in results]

    def single(self, value: Any) -> Any:
        """As Peer says."""
        return self._pool.apply(echo, (value,))

    def call(self, function: Any, argument: Any) -> Any:
        """As Peer says."""
        return self._pool.apply(function, (argument,))

    def map(self, count: int) -> Iterator[int]:
        """As Peer says."""
        return iter(self._pool.map(echo, range(count)))


class MpirePeer(PoolPeer):
    """mpire's `WorkerPool`, whose workers are kept from call to call. It is called as the standard library's pool is."""

    name = "mpire"

    def __enter__(self) -> Self:
        import mpire  # noqa: PLC0415 - only where it is measured

        self._pool = mpire.WorkerPool(n_jobs=self.agents, keep_alive=True)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._pool.stop_and_join()
        self._pool.terminate()
