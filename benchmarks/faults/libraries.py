"""This library and its peers. What the peers need is imported where they are started: none of them must be installed."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import multiprocessing.pool
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any, ClassVar

from actors import ActorSystem, AgentConfig, Limits, SystemConfig, TaskFuture
from actors.workers.general_purpose import GeneralPurpose
from benchmarks.faults.library import WORKERS, FutureLibrary, Library, Need, Outcome

__all__ = ["LIBRARIES"]

_RETRIES = 3
_NO_TIMEOUT = "no time limit for a task"
_NO_LIMIT = "no memory limit: it takes what the machine has"
_OF_AN_EXECUTOR = {
    "hung-python": _NO_TIMEOUT,
    "hung-c": _NO_TIMEOUT,
    "cancel": "`cancel()` is refused for a task that runs",
    "memory": _NO_LIMIT,
}


class Actors(FutureLibrary):
    """This library, with plain callables: `retries` is what tasks of a worker have by themselves."""

    name = "actors"
    distribution = "actors-hub"
    remarks: ClassVar[dict[str, str]] = {
        "hung-c": "`grace` is the default, 5 s from the interruption to the kill",
        "killed": "`retries=3` for all calls, which tasks of workers have by themselves",
        "exit": "`retries=0`",
        "crash": "`retries=0`",
        "memory": '`Limits(memory="256M")`',
        "stopped": "`heartbeat_every=1`, `heartbeat_missed=3`",
        "restart": "`journal=FILE`",
    }
    grace: float | None = None

    @contextlib.contextmanager
    def opened(self, need: Need) -> Iterator[None]:
        """As Library says."""
        agent: dict[str, Any] = {} if need.memory is None else {"limits": Limits(memory=need.memory)}
        agent |= {} if self.grace is None else {"grace": self.grace}
        silence: dict[str, Any] = (
            {} if need.silence is None else {"heartbeat_every": 1.0, "heartbeat_missed": need.silence}
        )
        config = SystemConfig(callable_agent=AgentConfig(**agent), **silence)
        with ActorSystem({GeneralPurpose: WORKERS}, journal=need.journal, config=config) as self._system:
            yield

    def submit(self, function: Callable[..., Any], *args: Any, timeout: float | None = None) -> TaskFuture[Any]:
        """As Library says."""
        options = self._system.options(retries=_RETRIES if self.need.retries else 0)
        if timeout is not None:
            options = options.options(timeout=timeout)
        return options.submit(function, *args)

    def accepted(self, handle: Any) -> None:
        """As Library says."""
        handle.accepted()

    def recovered(self) -> list[Any]:
        """As Library says."""
        return list(self._system.recovered())


class ActorsWithoutGrace(Actors):
    """This library told to kill at once what does not stop."""

    name = "actors, `grace=0.1`"
    only: ClassVar[frozenset[str]] = frozenset({"hung-c"})
    remarks: ClassVar[dict[str, str]] = {}
    grace = 0.1


class Executor(FutureLibrary):
    """`concurrent.futures.ProcessPoolExecutor`."""

    name = "ProcessPoolExecutor"
    cannot: ClassVar[dict[str, str]] = _OF_AN_EXECUTOR

    @contextlib.contextmanager
    def opened(self, need: Need) -> Iterator[None]:
        """As Library says."""
        with ProcessPoolExecutor(WORKERS) as self._pool:
            yield

    def submit(self, function: Callable[..., Any], *args: Any, timeout: float | None = None) -> Any:
        """As Library says."""
        return self._pool.submit(function, *args)


class Pool(Library):
    """`multiprocessing.Pool`."""

    name = "multiprocessing.Pool"
    cannot: ClassVar[dict[str, str]] = {**_OF_AN_EXECUTOR, "cancel": "no way to cancel a task"}

    @contextlib.contextmanager
    def opened(self, need: Need) -> Iterator[None]:
        """As Library says."""
        with multiprocessing.Pool(WORKERS) as self._pool:
            yield

    def submit(
        self, function: Callable[..., Any], *args: Any, timeout: float | None = None
    ) -> multiprocessing.pool.AsyncResult[Any]:
        """As Library says."""
        return self._pool.apply_async(function, args)

    def wait(self, handle: Any) -> Any:
        """As Library says."""
        return handle.get()

    def outcome(self, handle: Any, seconds: float) -> Outcome:
        """As Library says."""
        try:
            return Outcome(handle.get(max(seconds, 0)))
        except BaseException as error:  # noqa: BLE001 - whatever the library says is what is looked at
            return Outcome(error=error) if handle.ready() else Outcome(late=True)


class Loky(FutureLibrary):
    """loky's reusable executor, asked for anew at each submission, as its documentation has it."""

    name = "loky"
    distribution = "loky"
    cannot: ClassVar[dict[str, str]] = _OF_AN_EXECUTOR

    @contextlib.contextmanager
    def opened(self, need: Need) -> Iterator[None]:
        """As Library says."""
        import loky  # noqa: PLC0415 - only where it is measured

        self._get: Callable[..., Any] = loky.get_reusable_executor
        self._get(max_workers=WORKERS)
        yield
        # Only for an end in order: when a program is left by an exception, loky ends it by itself.
        self._get(max_workers=WORKERS).shutdown()

    def submit(self, function: Callable[..., Any], *args: Any, timeout: float | None = None) -> Any:
        """As Library says."""
        return self._get(max_workers=WORKERS).submit(function, *args)


class Pebble(FutureLibrary):
    """Pebble's ProcessPool."""

    name = "Pebble"
    distribution = "pebble"
    cannot: ClassVar[dict[str, str]] = {"memory": _NO_LIMIT}

    @contextlib.contextmanager
    def opened(self, need: Need) -> Iterator[None]:
        """As Library says."""
        import pebble  # noqa: PLC0415 - only where it is measured

        with pebble.ProcessPool(max_workers=WORKERS) as self._pool:
            yield

    def submit(self, function: Callable[..., Any], *args: Any, timeout: float | None = None) -> Any:
        """As Library says."""
        return self._pool.schedule(function, args=args, timeout=timeout)


@dataclass(slots=True)
class _RayHandle:
    ref: Any
    deadline: float | None


class Ray(Library):
    """Ray on this machine. A time limit is what its users write by hand: `get` with a timeout, then `cancel`."""

    name = "Ray"
    distribution = "ray"
    cannot: ClassVar[dict[str, str]] = {
        "memory": "no limit for a task (`memory=` is a figure for placing tasks); "
        "its monitor acts when the machine's memory runs out"
    }
    remarks: ClassVar[dict[str, str]] = {
        "exit": "`max_retries=0`",
        "crash": "`max_retries=0`",
        "hung-python": "by hand: `ray.get(timeout=1)`, then `ray.cancel(force=True)`",
        "hung-c": "by hand: `ray.get(timeout=1)`, then `ray.cancel(force=True)`",
    }

    @contextlib.contextmanager
    def opened(self, need: Need) -> Iterator[None]:
        """As Library says."""
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        import ray  # noqa: PLC0415 - only where it is measured

        self._ray: Any = ray
        self._remotes: dict[Any, Any] = {}
        ray.init(
            num_cpus=WORKERS,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.CRITICAL,
            object_store_memory=100 << 20,
        )
        yield
        # Only for an end in order: when a program is left by an exception, Ray ends by itself.
        ray.shutdown()

    def submit(self, function: Callable[..., Any], *args: Any, timeout: float | None = None) -> _RayHandle:
        """As Library says."""
        remote = self._remotes.get(function)
        if remote is None:
            remote = self._ray.remote(function)
            remote = self._remotes[function] = remote if self.need.retries else remote.options(max_retries=0)
        return _RayHandle(remote.remote(*args), None if timeout is None else time.monotonic() + timeout)

    def wait(self, handle: Any) -> Any:
        """As Library says."""
        return self._ray.get(handle.ref)

    def outcome(self, handle: Any, seconds: float) -> Outcome:
        """As Library says."""
        end = time.monotonic() + max(seconds, 0)
        while True:
            limited = handle.deadline is not None and handle.deadline < end
            until = handle.deadline if limited else end
            try:
                return Outcome(self._ray.get(handle.ref, timeout=max(until - time.monotonic(), 0)))
            except self._ray.exceptions.GetTimeoutError:
                if not limited:
                    return Outcome(late=True)
                handle.deadline = None
                self._ray.cancel(handle.ref, force=True)
            except BaseException as error:  # noqa: BLE001 - whatever the library says is what is looked at
                return Outcome(error=error)

    def cancel(self, handle: Any) -> None:
        """As Library says."""
        self._ray.cancel(handle.ref)


class Dask(FutureLibrary):
    """Dask distributed: a LocalCluster of processes with one thread each."""

    name = "Dask distributed"
    distribution = "distributed"
    cannot: ClassVar[dict[str, str]] = {"hung-python": _NO_TIMEOUT, "hung-c": _NO_TIMEOUT}
    remarks: ClassVar[dict[str, str]] = {
        "exit": "`allowed-failures: 0`, which holds for the tasks that wait at the worker, too",
        "crash": "`allowed-failures: 0`, which holds for the tasks that wait at the worker, too",
        "memory": '`memory_limit="256MiB"` of each worker, `allowed-failures: 0`',
        "stopped": '`worker-ttl: "3s"`',
    }

    @contextlib.contextmanager
    def opened(self, need: Need) -> Iterator[None]:
        """As Library says."""
        import dask  # noqa: PLC0415 - only where it is measured
        from distributed import Client, LocalCluster  # noqa: PLC0415 - as above

        settings: dict[str, Any] = {} if need.retries else {"distributed.scheduler.allowed-failures": 0}
        if need.silence is not None:
            settings["distributed.scheduler.worker-ttl"] = f"{need.silence:g}s"
        with (
            dask.config.set(settings),
            LocalCluster(
                n_workers=WORKERS,
                threads_per_worker=1,
                processes=True,
                dashboard_address=None,
                silence_logs=logging.CRITICAL,
                memory_limit=need.memory or "auto",
            ) as cluster,
            Client(cluster) as self._client,
        ):
            yield

    def submit(self, function: Callable[..., Any], *args: Any, timeout: float | None = None) -> Any:
        """As Library says."""
        return self._client.submit(function, *args, pure=False)


LIBRARIES: tuple[type[Library], ...] = (Actors, ActorsWithoutGrace, Executor, Pool, Loky, Pebble, Ray, Dask)
