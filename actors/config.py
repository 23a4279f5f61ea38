"""What can be set: limits of an agent, how an agent is run, and how the whole system behaves."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal, Self, TypeAlias

from actors.errors import ConfigError
from actors.settings import (
    FromEnvironment,
    Settings,
    bad_setting,
    mapping,
    names,
    nested,
    number,
    one_of,
    optional,
    plain_text,
    seconds,
    setting,
    size,
    text,
    whole,
)

__all__ = ["LIMIT_NAMES", "AgentConfig", "LimitName", "Limits", "SystemConfig"]

_PREFIX = "ACTORS_"
# What stands in the environment of agents and of their child processes, about them and not for them.
_NOT_SETTINGS = frozenset(
    {
        "ACTORS_SYSTEM_ID",
        "ACTORS_LAUNCHER_ID",
        "ACTORS_AGENT_ID",
        "ACTORS_AGENT_TYPE",
        "ACTORS_AGENT_WORKSPACE",
    }
)

LimitName: TypeAlias = Literal["memory", "open_files", "processes", "cpu"]
"""What an agent can be limited in."""

LIMIT_NAMES: tuple[LimitName, ...] = ("memory", "open_files", "processes", "cpu")


_LEAST_FRAME = 4 * 2**20


@dataclass(frozen=True, kw_only=True)
class Limits(Settings):
    """What an agent with all its child processes may use. None is no limit.

    Args:
        memory: bytes that it does not share with others, as a number or as text such as "512M".
        open_files: descriptors that are open at once.
        processes: child processes that live at once.
        cpu: percent of one core; only advises, nothing is ended for it.
        soft: the share of a hard limit, above 0 to 1, from which on the agent is warned.

    Raises:
        ConfigError: a value that is not allowed.

    Laid over the limits of the configuration, a limit that is not named here stays as it was; `memory=None` lifts it.
    """

    _inside: ClassVar[str] = "limits."
    memory: int | str | None = setting(None, optional(size()))
    open_files: int | None = setting(None, optional(whole(16)))
    processes: int | None = setting(None, optional(whole(0)))
    cpu: float | None = setting(None, optional(number(0, unit="percent of one core", open_end=True)))
    soft: float = setting(0.8, number(0, 1, unit="a share", open_end=True))

    def hard_limit(self, name: LimitName) -> float | None:
        """The hard limit of that name in bytes, pieces or percent, or None."""
        value = getattr(self, name)
        return None if value is None else float(value)

    def soft_limit(self, name: LimitName) -> float | None:
        """The figure from which on the agent is warned, or None."""
        hard = self.hard_limit(name)
        return None if hard is None else hard * self.soft

    def to_wire(self) -> dict[str, Any]:
        """The limits as a dict of plain values: those in force, and the soft share."""
        wire: dict[str, Any] = {name: getattr(self, name) for name in LIMIT_NAMES if getattr(self, name) is not None}
        wire["soft"] = self.soft
        return wire

    @classmethod
    def from_wire(cls, data: Mapping[str, Any]) -> Self:
        """The opposite of `to_wire`: every limit is named, one that is absent as None.

        Raises:
            ConfigError: an unknown key or a bad value.
        """
        return cls.from_dict({**dict.fromkeys(LIMIT_NAMES), **data})


_NO_LIMITS = Limits(memory=None, open_files=None, processes=None, cpu=None)


@dataclass(frozen=True, kw_only=True)
class AgentConfig(Settings):
    """How one agent, or the agents of one worker, are run.

    Args:
        limits: what it may use.
        timeout: time limit of a task in seconds, for tasks that name none; None is no limit.
        capabilities: what it can do beside what its worker class says.
        environment: the whole environment of its process; None inherits the program's.
        working_directory: where its process runs; None is the program's.
        arguments: keyword arguments for the worker's constructor.
        start_timeout: seconds until it must be idle.
        grace: seconds from an interruption to the kill.
        idle_timeout: seconds after which an idle agent above the least ends; None is never.
        recycle_after_tasks, recycle_after_age, recycle_after_growth: it is replaced between two tasks after so many
            tasks, so many seconds, or when its memory has grown by so many bytes since its first task.
        concurrency: how many async tasks it runs at once.
        start_method: "fork" from the launcher, or "spawn" a fresh interpreter.
        job: the job that it works for; None is any.

    Raises:
        ConfigError: a value that is not allowed.
    """

    _inside: ClassVar[str] = "agent."
    limits: Limits = setting(Limits(memory="1GiB", open_files=1000, processes=10, cpu=80.0, soft=0.8), nested(Limits))  # noqa: RUF009 - it is frozen
    timeout: float | None = setting(300.0, optional(seconds()))
    capabilities: frozenset[str] = setting(frozenset(), names())
    environment: Mapping[str, str] | None = setting(None, optional(mapping(plain_text, "a mapping of text to text")))
    working_directory: str | None = setting(None, optional(text()))
    arguments: Mapping[str, Any] = setting(MappingProxyType({}), mapping(lambda v: v, "a mapping of names to values"))
    start_timeout: float = setting(60.0, seconds())
    grace: float = setting(5.0, number(0, 3600, unit="seconds"))
    idle_timeout: float | None = setting(60.0, optional(number(0, unit="seconds")))
    recycle_after_tasks: int | None = setting(None, optional(whole(1)))
    recycle_after_age: float | None = setting(None, optional(seconds()))
    recycle_after_growth: int | str | None = setting(None, optional(size()))
    concurrency: int = setting(1, whole(1, 10_000))
    start_method: Literal["fork", "spawn"] = setting("fork", one_of("fork", "spawn"))
    job: str | None = setting(None, optional(text()))


@dataclass(frozen=True, kw_only=True)
class SystemConfig(Settings):
    """How the whole system behaves. Each setting has the default that suits most programs.

    Args:
        max_agents: agents that live at once; None is what `agents_at_most` works out.
        assigned_at_once: tasks that one agent holds at once; very short ones are sent ahead in larger batches.
        task_timeout: time limit in seconds of work described as data that names none; None is no limit.
        callable_timeout: the same for plain callables.
        retries, callable_retries: how often a task is tried again after a death of its agent; the second is for
            plain callables.
        heartbeat_every, heartbeat_missed: seconds between heartbeats, and the silence that is too long.
        resource_sample_every: seconds between full samples of all agents.
        memory_sample_every: seconds between looks at the memory of agents that run a task under a memory limit.
        ageing: one dispatch in so many goes to the task that waits longest; 0 is never.
        restart_intensity, restart_period: more restarts than this in so many seconds, and the supervisor gives up.
        backoff_first, backoff_limit: seconds before the second try of a restart, and the longest wait.
        mailbox_bound: messages that wait in one mailbox.
        frame_limit: bytes of one frame between two processes; larger values go through shared memory.
        kept_tasks, kept_seconds: finished tasks are forgotten beyond this number or age.
        kept_dead, kept_dead_seconds: tasks that failed for good leave the list of dead letters beyond this number or age.
        kept_dead_bytes: what the arguments of all dead letters may take; beyond it those of the oldest are let go.
        breaker_failures: after how many failures in a row, inside the window, tasks of one type are let rest: further ones
            are refused and those that wait go on waiting; None is never. Not for callables that name no type.
        breaker_window: seconds in which these failures must lie.
        breaker_cooldown, breaker_cooldown_limit: seconds until one of them is tried again, at first and at most; it
            doubles each time that the tried one fails.
        memory_low, memory_enough: shares of the machine's memory: with less than the first available no work is
            started, until more than the second is.
        admit_by: what work is held back for beside memory: "cpu", "io".
        ceilings: by agent type, the most that an agent may be granted when it asks for more. For what is not named
            there, its limit is the most; what is named as None has no ceiling but what the machine can spare.
        workspace_root: where agents have their workspaces; None is a directory of the user's below the temporary one.
        journal: the SQLite file in which accepted tasks and their outcomes are kept; None is no journal.
        journal_survives: what is written outlives the death of any process ("processes"), or a loss of power, too
            ("power"), which costs a wait for the disk in each turn of the scheduler.
        log_level: from which level on agents' records are forwarded.
        agent: what holds for agents of workers that say nothing else.
        callable_agent: the same for agents that run plain callables.

    Raises:
        ConfigError: a value that is not allowed, or two that do not go together.
    """

    max_agents: int | None = setting(None, optional(whole(1, 100_000)))
    assigned_at_once: int = setting(5, whole(1, 10_000))
    task_timeout: float | None = setting(600.0, optional(seconds()))
    callable_timeout: float | None = setting(None, optional(seconds()))
    retries: int = setting(3, whole(0))
    callable_retries: int = setting(0, whole(0))
    heartbeat_every: float = setting(30.0, seconds())
    heartbeat_missed: float = setting(60.0, seconds())
    resource_sample_every: float = setting(10.0, seconds())
    memory_sample_every: float = setting(0.05, seconds())
    ageing: int = setting(16, whole(0))
    restart_intensity: int = setting(3, whole(0))
    restart_period: float = setting(5.0, seconds())
    backoff_first: float = setting(0.1, seconds())
    backoff_limit: float = setting(30.0, seconds())
    mailbox_bound: int = setting(10_000, whole(1))
    frame_limit: int | str = setting(64 * 2**20, size())
    kept_tasks: int = setting(10_000, whole(0))
    kept_seconds: float = setting(86_400.0, number(0, unit="seconds"))
    kept_dead: int = setting(1000, whole(0))
    kept_dead_seconds: float = setting(604_800.0, number(0, unit="seconds"))
    kept_dead_bytes: int | str = setting(64 * 2**20, size())
    breaker_failures: int | None = setting(None, optional(whole(1)))
    breaker_window: float = setting(60.0, seconds())
    breaker_cooldown: float = setting(10.0, seconds())
    breaker_cooldown_limit: float = setting(300.0, seconds())
    memory_low: float = setting(0.05, number(0, 1, unit="a share"))
    memory_enough: float = setting(0.07, number(0, 1, unit="a share"))
    admit_by: frozenset[str] = setting(frozenset(), names("cpu", "io"))
    ceilings: Mapping[str, Limits] = setting(
        MappingProxyType({}), mapping(nested(Limits).check, "a mapping of agent types to limits")
    )
    workspace_root: str | None = setting(None, optional(text()))
    journal: str | None = setting(None, optional(text()))
    journal_survives: Literal["processes", "power"] = setting("processes", one_of("processes", "power"))
    log_level: str = setting("warning", one_of("debug", "info", "warning", "error", "critical"))
    agent: AgentConfig = setting(AgentConfig(), nested(AgentConfig))  # noqa: RUF009 - it is frozen
    callable_agent: AgentConfig = setting(AgentConfig(limits=_NO_LIMITS, timeout=None), nested(AgentConfig))  # noqa: RUF009 - it is frozen

    def _check_together(self) -> None:
        for low, high in (
            ("heartbeat_every", "heartbeat_missed"),
            ("backoff_first", "backoff_limit"),
            ("breaker_cooldown", "breaker_cooldown_limit"),
            ("memory_low", "memory_enough"),
        ):
            if getattr(self, low) > getattr(self, high):
                allowed = f"at least the {getattr(self, low):g} of {low}"
                raise bad_setting(high, getattr(self, high), allowed)
        if int(self.frame_limit) < _LEAST_FRAME:
            raise bad_setting("frame_limit", self.frame_limit, "4 MiB or more: smaller values travel inside a frame")

    @property
    def grace(self) -> float:
        """Seconds from an interruption to the kill, for agents that say nothing else."""
        return self.agent.grace

    @property
    def idle_timeout(self) -> float | None:
        """Seconds after which an idle agent above the least ends, for agents that say nothing else."""
        return self.agent.idle_timeout

    def agents_at_most(self, cpus: int, asked: int) -> int:
        """How many agents may live at once on a machine of `cpus`, when the workers ask for `asked` in all."""
        return max(5, cpus, asked) if self.max_agents is None else self.max_agents

    def workspaces(self) -> Path:
        """The directory below which agents have their workspaces. It need not exist yet."""
        if self.workspace_root is not None:
            return Path(self.workspace_root).absolute()
        return Path(tempfile.gettempdir(), f"actors-{os.getuid()}").absolute()

    @classmethod
    def load(
        cls,
        file: str | os.PathLike[str] | None = None,
        environ: Mapping[str, str] | None = None,
        **code: Any,
    ) -> Self:
        """The settings of all sources, each over the one before: defaults, file, environment, code.

        Args:
            file: a TOML file, or YAML where `actors-hub[cli]` is installed, told by its suffix.
            environ: variables `ACTORS_<SETTING>`, with two underscores into a table (`ACTORS_AGENT__LIMITS__MEMORY`);
                names are separated by commas, pairs are `name=value`, "none" is None. None is the process's own.
            **code: settings by name; tables as mappings, `AgentConfig(…)` or `Limits(…)`.

        Raises:
            ConfigError: an unknown key or a bad value; or the file cannot be read.
        """
        return cls.from_sources(
            _read_file(Path(file)) if file is not None else {},
            _read_environment(os.environ if environ is None else environ),
            code,
        )


def _read_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """The settings among environment variables, as nested mappings of text that is still to be read by the rules.

    Raises:
        ConfigError: a variable and another one inside it, as `ACTORS_AGENT` and `ACTORS_AGENT__GRACE`.
    """
    data: dict[str, Any] = {}
    for variable in sorted(environ):
        if not variable.startswith(_PREFIX) or variable in _NOT_SETTINGS:
            continue
        value = FromEnvironment(environ[variable])
        value.variable = variable
        *tables, key = variable.removeprefix(_PREFIX).lower().split("__")
        inside = data
        for table in tables:
            below = inside.setdefault(table, {})
            if not isinstance(below, dict):
                raise bad_setting(table, below, "a table of settings, each in a variable of its own")
            inside = below
        inside[key] = value
    return data


def _read_file(path: Path) -> dict[str, Any]:
    """The nested mappings that a TOML or YAML file holds.

    Raises:
        ConfigError: it cannot be read, or YAML is not installed.
    """
    import tomllib  # noqa: PLC0415 - takes 9 ms, and most programs read no file

    try:
        content = path.read_text("utf-8")
        data = _read_yaml(content, path) if path.suffix in {".yaml", ".yml"} else tomllib.loads(content)
    except ConfigError:
        raise
    except (OSError, ValueError) as error:
        allowed = "the path of a TOML or YAML file in UTF-8"
        raise ConfigError(f"{path} cannot be read: {error}", key="file", value=str(path), allowed=allowed) from error
    if not isinstance(data, dict):
        raise bad_setting("file", str(path), "a file that holds a table of settings")
    return data


def _read_yaml(content: str, path: Path) -> Any:
    try:
        import yaml  # noqa: PLC0415 - an extra, and of use only to those who have such a file
    except ImportError:
        message = f"{path} is YAML: install actors-hub[cli] to read it, or write the settings as TOML"
        raise ConfigError(message, key="file", value=str(path), allowed="TOML") from None
    try:
        # Data only: no tag of YAML can make an object.
        return yaml.safe_load(content) or {}
    except yaml.YAMLError as error:
        raise ValueError(error) from error
