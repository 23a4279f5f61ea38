"""Worker types: what the system knows of each kind of agent that it can start."""

from __future__ import annotations

import importlib
import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from actors.config import AgentConfig, SystemConfig
from actors.core.profile import GENERAL_PURPOSE, Profile
from actors.errors import ConfigError
from actors.hosts.serialize import dumps
from actors.worker import ConfiguredWorker, TaskMethod, Worker

__all__ = ["WorkerLike", "WorkerType", "WorkerTypes", "is_class_of", "wanted"]

WorkerLike: TypeAlias = "type[Worker] | ConfiguredWorker[Any]"
"""Wherever a worker class is taken, one with arguments for its constructor is taken too."""


@dataclass(frozen=True)
class WorkerType:
    """A worker class with all that is needed to start agents of it.

    `config` is complete: what the class says, laid over the system's defaults. `least` agents are kept; `most` is
    the most of this type, or None for as many as the system allows.
    """

    name: str
    worker: type[Worker]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    config: AgentConfig
    least: int
    most: int | None

    @property
    def profile(self) -> Profile:
        """What the scheduler's mind needs to know of the type."""
        return self.profile_with(self.config)

    def profile_with(self, config: AgentConfig) -> Profile:
        """The profile of an agent of this type with a configuration of its own."""
        return Profile(
            agent_type=self.name,
            capabilities=frozenset(self.worker.capabilities) | config.capabilities,
            cpu=self.worker.cpu,
            memory=self.worker.memory,
            io=self.worker.io,
            slots=config.concurrency,
            grace=config.grace,
            idle_timeout=math.inf if config.idle_timeout is None else config.idle_timeout,
            least=self.least,
            most=self.most,
        )

    def class_bytes(self) -> bytes:
        """The worker class, serialised for an agent.

        Raises:
            NotSerializable: the class cannot be sent to another process; the error says what of it.
        """
        return dumps(self.worker, f"worker class {self.worker.__qualname__}")

    def argument_bytes(self, config: AgentConfig) -> bytes:
        """The arguments of the constructor, serialised; empty for none.

        Raises:
            NotSerializable: an argument cannot be sent to another process.
        """
        kwargs = {**self.kwargs, **config.arguments}
        if not self.args and not kwargs:
            return b""
        return dumps((self.args, kwargs), f"constructor arguments of {self.worker.__qualname__}")


def is_class_of(value: object, base: type[Any]) -> bool:
    """Whether a value that a user gave is a class derived from `base`, or that class."""
    return isinstance(value, type) and issubclass(value, base)


def wanted(worker: Any, n: object) -> tuple[int, int]:
    """How many agents, as (least, most), from a number or a pair.

    Raises:
        ConfigError: it is neither.
    """
    pair = (n, n) if isinstance(n, int) and not isinstance(n, bool) else n
    good = (
        isinstance(pair, tuple)
        and len(pair) == 2
        and all(isinstance(each, int) and not isinstance(each, bool) for each in pair)
        and 0 <= pair[0] <= pair[1]
        and pair[1] >= 1
    )
    if not good or not isinstance(pair, tuple):
        raise ConfigError(
            f"{getattr(worker, '__name__', worker)!s}: how many agents takes a whole number of 1 or more, or a pair "
            f"(least, most), not {n!r}",
            key="workers",
            value=n,
            allowed="a number of 1 or more, or (least, most)",
        )
    return pair


class WorkerTypes:
    """All worker types of a system, by name. Safe to use from any thread.

    Args:
        config: the system's configuration.
        built_in: by agent type, "module:Class" of the workers that ship with the library, loaded when first used.
        on_new: called with each type when it becomes known.
    """

    def __init__(self, config: SystemConfig, built_in: Mapping[str, str], on_new: Callable[[WorkerType], None]) -> None:
        self.system_config = config
        self._built_in = built_in
        self._on_new = on_new
        self._lock = threading.RLock()
        self._types: dict[str, WorkerType] = {}
        self._by_task: dict[str, TaskMethod[Any, Any]] = {}

    def __iter__(self) -> Any:
        with self._lock:
            return iter(tuple(self._types.values()))

    def get(self, name: str) -> WorkerType | None:
        """The type of that name, if it is known already."""
        return self._types.get(name)

    def worker_of(self, name: str) -> type[Worker] | None:
        """The worker class of a type that is known already."""
        known = self._types.get(name)
        return None if known is None else known.worker

    def add(self, worker: WorkerLike, least: int = 0, most: int | None = None) -> WorkerType:
        """Make a worker known.

        Raises:
            ConfigError: it is no worker, or another class with the same agent type is known.
        """
        args: tuple[Any, ...] = ()
        kwargs: Mapping[str, Any] = {}
        configured = isinstance(worker, ConfiguredWorker)
        if isinstance(worker, ConfiguredWorker):
            args, kwargs, worker = worker.args, worker.kwargs, worker.worker
        if not is_class_of(worker, Worker):
            raise ConfigError(
                f"a worker is a class derived from actors.Worker, or what its configured(…) gives; got {worker!r}",
                key="workers",
                value=worker,
                allowed="a subclass of Worker",
            )
        with self._lock:
            known = self._types.get(worker.agent_type)
            if known is not None:
                if known.worker is not worker:
                    raise _two_classes(known.worker, worker)
                if configured and (known.args, dict(known.kwargs)) != (args, dict(kwargs)):
                    raise ConfigError(
                        f"agents of type {worker.agent_type!r} were configured with other constructor arguments "
                        "already; derive a class for the second configuration",
                        key="workers",
                        value=worker.agent_type,
                    )
                return known
            base = (
                self.system_config.callable_agent if worker.agent_type == GENERAL_PURPOSE else self.system_config.agent
            )
            made = WorkerType(
                name=worker.agent_type,
                worker=worker,
                args=args,
                kwargs=kwargs,
                config=base.merged(worker.agent_config()),
                least=least,
                most=most,
            )
            self._types[made.name] = made
            for method in worker.tasks().values():
                self._by_task.setdefault(method.task_type, method)
        self._on_new(made)
        return made

    def resize(self, name: str, least: int, most: int | None) -> WorkerType:
        """Change how many agents of a type are wanted."""
        with self._lock:
            changed = self._types[name] = replace(self._types[name], least=least, most=most)
        return changed

    def named(self, agent_type: str) -> WorkerType:
        """The type of that name; one that ships with the library is loaded.

        Raises:
            ConfigError: there is none.
        """
        known = self._types.get(agent_type)
        if known is not None:
            return known
        if agent_type not in self._built_in:
            names = sorted({*self._types, *self._built_in})
            raise ConfigError(
                f"there is no worker of type {agent_type!r}; known: {', '.join(names)}. Pass its class to ActorSystem",
                key="agent_type",
                value=agent_type,
                allowed=", ".join(names),
            )
        module, _, name = self._built_in[agent_type].partition(":")
        worker: type[Worker] = getattr(importlib.import_module(module), name)
        return self.add(worker)

    def taking(self, task_type: str, agent_type: str | None) -> TaskMethod[Any, Any]:
        """The task method that takes work of a task type.

        Raises:
            ConfigError: no known worker takes it.
        """
        if agent_type is not None:
            for method in self.named(agent_type).worker.tasks().values():
                if method.task_type == task_type:
                    return method
        else:
            found = self._by_task.get(task_type)
            if found is not None:
                return found
            for name in self._built_in:
                self.named(name)
            found = self._by_task.get(task_type)
            if found is not None:
                return found
        names = sorted(self._by_task)
        whose = f"worker {agent_type!r}" if agent_type else "worker"
        raise ConfigError(
            f"no {whose} takes tasks of type {task_type!r}; known task types: {', '.join(names)}",
            key="type",
            value=task_type,
            allowed=", ".join(names),
        )

    def timeout_of(self, worker_type: WorkerType, named: float | None) -> float | None:
        """The time limit of a task in seconds, None for none: what it names, else its worker's."""
        limit = named if named is not None else worker_type.config.timeout
        return None if limit is None or math.isinf(limit) else limit


def _two_classes(known: type[Worker], worker: type[Worker]) -> ConfigError:
    """The error for a second class of one agent type: mostly another one, in a notebook the same one once more."""
    name, other = (f"{each.__module__}.{each.__qualname__}" for each in (known, worker))
    if name == other:
        text = (
            f"{name} was defined anew after this system had taken it, and its agents run the earlier one; shut the "
            "system down and make a new one"
        )
    else:
        text = f"two worker classes have the agent type {worker.agent_type!r}: {name} and {other}; set agent_type in one of them"
    return ConfigError(text, key="agent_type", value=worker.agent_type)
