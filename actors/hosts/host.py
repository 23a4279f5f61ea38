"""The protocol between the system and whatever runs its agents."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

from actors.errors import ConfigError
from actors.hosts.channel import Channel
from actors.hosts.exitreport import ExitReport
from actors.hosts.promises import HostPromises
from actors.hosts.statusblock import StatusReader
from actors.hosts.wire import FRAME_LIMIT

__all__ = ["AgentHandle", "Host", "HostPromises", "LaunchSpec", "OnExit", "StartMethod"]

StartMethod: TypeAlias = Literal["fork", "spawn"]
OnExit: TypeAlias = Callable[[ExitReport], None]


@dataclass(frozen=True, slots=True)
class LaunchSpec:
    """All that an agent must know to start. It travels to the agent as it is.

    Args:
        agent: id, like `thumbnailer-2`.
        type: agent type, like `thumbnailer`.
        incarnation: 1 for the first of this id, one more for each replacement.
        worker: the worker class, pickled.
        arguments: the keyword arguments of its constructor, pickled; empty for none.
        limits: resource limits in force at the start, as `Limits.to_wire()` gives them.
        environment: the whole environment, or None for that of the program at the time of the launch.
        cwd: the working directory, or None for that of the program.
        workspace: its private directory, which exists; empty for none.
        grace: seconds from the interruption of a task to the kill.
        heartbeat: seconds between two heartbeats.
        capabilities: what it offers beside what its class says.
        log_level: least level of log records that it forwards.
        start_method: "fork" from the warm launcher, or "spawn": a fresh interpreter. With an environment of its own
            an agent always starts a fresh interpreter, so that nothing of the program's environment is in it.
        concurrency: how many async tasks it runs at once.
        job: the job that it was started for.
        untrusted: it may return data only, never code.
        interest: the kinds of events that somebody listens to.
        frame_limit: the most bytes of one frame, either way; larger payloads go through shared memory.
        extra: further plain values for the agent.

    Raises:
        ConfigError: a value that cannot be used.
    """

    agent: str
    type: str
    incarnation: int
    worker: bytes = b""
    arguments: bytes = b""
    limits: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] | None = None
    cwd: str | None = None
    workspace: str = ""
    grace: float = 5.0
    heartbeat: float = 30.0
    capabilities: tuple[str, ...] = ()
    log_level: str = "warning"
    start_method: StartMethod = "fork"
    concurrency: int = 1
    job: str | None = None
    untrusted: bool = False
    interest: tuple[str, ...] = ()
    frame_limit: int = FRAME_LIMIT
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.start_method not in ("fork", "spawn"):
            raise ConfigError(
                f"start_method must be 'fork' or 'spawn', not {self.start_method!r}",
                key="start_method",
                value=self.start_method,
                allowed="fork, spawn",
            )
        for name, value in (self.environment or {}).items():
            if not name or "=" in name or "\0" in name or "\0" in value:
                raise ConfigError(
                    f"environment: {name!r} cannot be set to {value!r}; names are not empty and have no '=', "
                    "and neither has a NUL character",
                    key="environment",
                    value=name,
                )
        if self.cwd is not None and "\0" in self.cwd:
            raise ConfigError(f"cwd must be a path, not {self.cwd!r}", key="cwd", value=self.cwd)

    @property
    def fresh(self) -> bool:
        """Whether it starts a fresh interpreter."""
        return self.start_method == "spawn" or self.environment is not None

    def to_bytes(self) -> bytes:
        """The form that `from_bytes` reads."""
        return pickle.dumps({item.name: getattr(self, item.name) for item in fields(self)}, 5)

    @classmethod
    def from_bytes(cls, data: bytes) -> LaunchSpec:
        """Rebuild a spec in the agent. Only for bytes that come from the program itself."""
        return cls(**pickle.loads(data))  # noqa: S301 - the agent trusts the program that started it


@runtime_checkable
class AgentHandle(Protocol):
    """The program's hold on one agent. Its methods may be called from any thread, and none of them waits.

    `pid` is None until the agent's process runs, and for agents without one.
    """

    agent: str
    incarnation: int
    status: StatusReader

    @property
    def task(self) -> Channel:
        """The task plane."""

    @property
    def control(self) -> Channel:
        """The control plane."""

    @property
    def pid(self) -> int | None:
        """The process, once it is known."""

    @property
    def alive(self) -> bool:
        """Whether its end has not been reported yet."""

    def signal(self, signum: int) -> None:
        """Send a signal to the agent's process alone; nothing happens if it is gone."""

    def kill(self, reason: str) -> None:
        """End the agent and all its descendants at once; the exit report repeats the reason."""

    def close(self) -> None:
        """Close both channels, and keep what the status block says now. The agent, if it still runs, is not ended by this."""


class Host(Protocol):
    """Runs agents.

    A host has no thread of its own: `on_readable` is called by whoever polls `fileno()`, and reports exits from
    there. Every launch is followed by exactly one call of its `on_exit`, also when it could not start.
    """

    promises: HostPromises

    def start(self) -> None:
        """Make ready for the first launch, without waiting for it."""

    def launch(self, spec: LaunchSpec, on_exit: OnExit) -> AgentHandle:
        """Start an agent and return at once.

        Raises:
            ConfigError: it can never start like this.
            SystemClosed: the host is closed.
        """

    def fileno(self) -> int:
        """A descriptor that is readable when `on_readable` has something to do; the same one for ever."""

    def on_readable(self) -> None:
        """Deal with what has happened; calls `on_exit` for each agent that has ended. Never waits."""

    def close(self, timeout: float) -> None:
        """End all agents that are left, within about `timeout` seconds, report them, and free everything."""
