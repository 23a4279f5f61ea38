"""Worker, the class that users derive their typed actors from, and `@task`, which makes tasks of its methods."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, NoReturn, Self, TypeAlias, TypeVar

from actors.coordination.strategies import Strategies
from actors.coordination.synchronization import Synchronization
from actors.core.eventbuffer import EVENT_BOUND, check_bound
from actors.errors import ConfigError
from actors.hosts.insideagent import InsideAgent
from actors.hosts.taskmethod import AsyncTaskMethod, TaskDecorator, TaskMethod, TaskOptions, capability_set, task
from actors.kernel.handlers import handles
from actors.ondemand import on_demand
from actors.remote import travel as _travel  # noqa: F401 - references travel from here on, in agents too

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    import actors.config as conf
    from actors.config import AgentConfig, Limits
    from actors.coordination import agentdesk
    from actors.coordination.syncdesk import SyncDesk
    from actors.protocol.events import Event
else:
    conf = on_demand(globals(), "conf", "actors.config")
    agentdesk = on_demand(globals(), "agentdesk", "actors.coordination.agentdesk")

__all__ = [
    "AsyncTaskMethod",
    "ConfiguredWorker",
    "Level",
    "TaskDecorator",
    "TaskMethod",
    "TaskOptions",
    "Worker",
    "handles",
    "task",
]

Level: TypeAlias = Literal["low", "moderate", "high"]
"""How much of a resource a worker's tasks take."""

_LEVELS = ("low", "moderate", "high")
_TYPE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

W = TypeVar("W", bound="Worker")


def _refuse(owner: type[Any], name: str, value: Any, allowed: str) -> NoReturn:
    message = f"{owner.__qualname__}.{name} is {allowed}, not {value!r}"
    raise ConfigError(message, key=name, value=value, allowed=allowed)


class Worker(Strategies, Synchronization, InsideAgent):
    """What an agent runs: a typed actor with tasks. Derive from it and decorate methods with `@task`.

    An agent makes one instance, in its own process; its constructor's arguments come from `configured` or from the
    agent's configuration. The context below (`agent_id` and the like) is there from the constructor on. Without an
    agent, as in a unit test, an instance is a plain object whose tasks are plain methods.

    For time, chance and waits take `self.clock`, `self.random` and `self.sleep` rather than the modules `time` and
    `random`: then an interruption breaks a sleep on every host, and a simulation steers all three.

    Attributes, each to be set in the class:
        agent_type: the name of the type; the class's own name in snake case if it is not set.
        role, specialization: what it is for, in words.
        capabilities: what it can do, for tasks that require it.
        cpu, memory, io: how much of each its tasks take: "low", "moderate" or "high".
        limits: what an agent may use; only what is named goes before the configuration's.
        timeout: time limit of its tasks in seconds, None for none; the configuration's if it is not set.
        concurrency: how many of its async tasks one agent runs at once; the configuration's if it is not set.
        event_bound: how many events wait for `on_event`; beyond it the oldest are dropped and counted.
    """

    agent_type: ClassVar[str] = "worker"
    role: ClassVar[str] = "worker"
    specialization: ClassVar[str] = ""
    capabilities: ClassVar[AbstractSet[str]] = frozenset()
    cpu: ClassVar[Level] = "moderate"
    memory: ClassVar[Level] = "moderate"
    io: ClassVar[Level] = "moderate"
    limits: ClassVar[Limits | None] = None
    timeout: ClassVar[float | None]
    concurrency: ClassVar[int]
    event_bound: ClassVar[int] = EVENT_BOUND

    __actors_tasks__: ClassVar[Mapping[str, TaskMethod[Any, Any]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "agent_type" not in cls.__dict__:
            cls.agent_type = _WORDS.sub("_", cls.__name__.strip("_") or cls.__name__).lower()
        _check_class(cls)
        cls.__actors_tasks__ = _tasks_of(cls)

    def _sync_desk(self) -> SyncDesk:
        context = self._inside("a lock or the like")
        if context.sync is None:
            context.sync = agentdesk.AgentDesk(context)
        desk: SyncDesk = context.sync
        return desk

    @classmethod
    def configured(cls, *args: Any, **kwargs: Any) -> ConfiguredWorker[Self]:
        """This worker with arguments for its constructor, to be used wherever a worker class is taken.

        Raises:
            TypeError: the constructor does not take these arguments.
        """
        try:
            inspect.signature(cls).bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{cls.__qualname__}() {error}") from None
        return ConfiguredWorker(cls, args, kwargs)

    @classmethod
    def tasks(cls) -> Mapping[str, TaskMethod[Any, Any]]:
        """Its task methods by name, inherited ones too."""
        return cls.__actors_tasks__

    @classmethod
    def agent_config(cls) -> AgentConfig:
        """What the class says about its agents, as a configuration that names that and nothing else."""
        named: dict[str, Any] = {name: getattr(cls, name) for name in ("timeout", "concurrency") if hasattr(cls, name)}
        if cls.limits is not None:
            named["limits"] = cls.limits
        return conf.AgentConfig(**named)

    def on_start(self) -> None:
        """Called in the agent's process before it is idle. An exception makes the start fail."""

    def on_stop(self) -> None:
        """Called when the agent ends in order, after its last task."""

    def on_event(self, event: Event) -> None:
        """Called with each event that `subscribe` asked for, beside the running task, in a thread of its own."""

    def on_error(self, error: BaseException) -> bool:
        """Called when the agent itself has a fault (not a task, whose exception goes to its submitter).

        Returns:
            True if the agent may go on; otherwise it ends and is replaced. After a failed start it always ends.
        """
        del error
        return False


@dataclass(frozen=True, eq=False, slots=True)
class ConfiguredWorker(Generic[W]):
    """A worker class with the arguments of its constructor. Two of them are never equal, only the same."""

    worker: type[W]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    @property
    def agent_type(self) -> str:
        """The worker's agent type."""
        return self.worker.agent_type


def _check_class(cls: type[Worker]) -> None:
    if not _TYPE_NAME.fullmatch(str(cls.agent_type)):
        _refuse(cls, "agent_type", cls.agent_type, "a name of ASCII letters, digits and underscores")
    cls.capabilities = capability_set("capabilities", cls.capabilities)
    for name in ("cpu", "memory", "io"):
        if getattr(cls, name) not in _LEVELS:
            _refuse(cls, name, getattr(cls, name), '"low", "moderate" or "high"')
    for name in ("role", "specialization"):
        if not isinstance(getattr(cls, name), str):
            _refuse(cls, name, getattr(cls, name), "a text")
    if cls.limits is not None and not isinstance(cls.limits, conf.Limits):
        _refuse(cls, "limits", cls.limits, 'Limits(…), as Limits(memory="512M")')
    check_bound(cls.event_bound, f"{cls.__qualname__}.event_bound")
    if inspect.iscoroutinefunction(cls.on_event):
        _refuse(cls, "on_event", cls.on_event, "a plain method: it has a thread of its own and may wait there")
    cls.agent_config()


def _tasks_of(cls: type[Worker]) -> dict[str, TaskMethod[Any, Any]]:
    """The task methods of a class by name, each knowing that class."""
    found: dict[str, TaskMethod[Any, Any]] = {}
    for klass in reversed(cls.__mro__):
        for name, value in vars(klass).items():
            if isinstance(value, TaskMethod):
                found[name] = value
            elif name in found and value is None:
                del found[name]
            elif name in found:
                raise ConfigError(
                    f"{klass.__qualname__}.{name} overrides a task but is none: decorate it with @task, too",
                    key=name,
                    value=value,
                    allowed="a method decorated with @task",
                )
    return {name: method.of(cls) for name, method in found.items()}
