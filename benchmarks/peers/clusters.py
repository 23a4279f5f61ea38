"""The frameworks with a scheduler of their own."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Sequence
from typing import Any, Self

from benchmarks.peers.peer import Peer, combine, echo, layered

__all__ = ["DaskPeer", "RayPeer"]


class RayPeer(Peer):
    """Ray on this machine alone, without its dashboard."""

    name = "Ray"

    def __enter__(self) -> Self:
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        import ray  # noqa: PLC0415 - only where it is measured

        self._ray: Any = ray
        self._remotes: dict[Any, Any] = {}
        ray.init(
            num_cpus=self.agents,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.CRITICAL,
            object_store_memory=1 << 30,
        )
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._ray.shutdown()

    def _remote(self, function: Any) -> Any:
        if function not in self._remotes:
            self._remotes[function] = self._ray.remote(function)
        return self._remotes[function].remote

    def burst(self, count: int) -> Sequence[int]:
        """As Peer says."""
        remote = self._remote(echo)
        found: list[int] = self._ray.get([remote(value) for value in range(count)])
        return found

    def single(self, value: Any) -> Any:
        """As Peer says."""
        return self._ray.get(self._remote(echo)(value))

    def call(self, function: Any, argument: Any) -> Any:
        """As Peer says."""
        return self._ray.get(self._remote(function)(argument))

    def graph(self, depth: int, width: int) -> Sequence[int]:
        """As Peer says."""
        remote = self._remote(combine)
        before: list[Any] = []
        for layer in layered(depth, width):
            before = [remote(*[before[index] for index in needs]) for needs in layer]
        found: list[int] = self._ray.get(before)
        return found


class DaskPeer(Peer):
    """Dask distributed: a LocalCluster of processes with one thread each."""

    name = "Dask distributed"

    def __enter__(self) -> Self:
        from distributed import Client, LocalCluster  # noqa: PLC0415 - only where it is measured

        with contextlib.ExitStack() as stack:
            cluster = stack.enter_context(
                LocalCluster(
                    n_workers=self.agents,
                    threads_per_worker=1,
                    processes=True,
                    dashboard_address=None,
                    silence_logs=logging.CRITICAL,
                )
            )
            self._client: Any = stack.enter_context(Client(cluster))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()

    def burst(self, count: int) -> Sequence[int]:
        """As Peer says."""
        submit = self._client.submit
        futures = [submit(echo, value, pure=False) for value in range(count)]
        found: list[int] = self._client.gather(futures)
        return found

    def single(self, value: Any) -> Any:
        """As Peer says."""
        return self._client.submit(echo, value, pure=False).result()

    def call(self, function: Any, argument: Any) -> Any:
        """As Peer says. A large argument is scattered first, as its documentation has it."""
        return self._client.submit(function, self._client.scatter(argument, hash=False), pure=False).result()

    def graph(self, depth: int, width: int) -> Sequence[int]:
        """As Peer says."""
        submit = self._client.submit
        before: list[Any] = []
        every = []
        for layer in layered(depth, width):
            before = [submit(combine, *[before[index] for index in needs], pure=False) for needs in layer]
            every.append(before)
        found: list[int] = self._client.gather(before)
        return found
