"""What can be set: limits of an agent, how an agent is run, and how the whole system behaves.

Each value is checked where it comes in. A setting that was named explicitly is known as such (`named`), so that
settings can be laid over each other: `base.merged(over)` takes from `over` only what `over` names.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import os
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal, NamedTuple, Self, TypeAlias

from actors.errors import ConfigError

__all__ = ["AgentConfig", "Limits", "SystemConfig", "parse_size"]

_UNITS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
_SIZE_TEXT = 'bytes as a whole number above 0, or text such as "512M", "1GiB" (1024) or "1GB" (1000)'
_PREFIX = "ACTORS_"
_NOT_SETTINGS = frozenset({"ACTORS_AGENT_ID", "ACTORS_AGENT_TYPE", "ACTORS_AGENT_WORKSPACE"})
_NOTHING = frozenset({"none", "unlimited"})


def parse_size(value: object) -> int:
    """A number of bytes from a whole number or from text.

    Args:
        value: bytes, or a number with a unit: K, M, G, T and KiB … TiB count by 1024, KB … TB by 1000.

    Raises:
        ValueError: it is neither, or not above 0.
    """
    size: float = -1
    if isinstance(value, int) and not isinstance(value, bool):
        size = value
    elif isinstance(value, str):
        text = value.strip().upper()
        number = text.rstrip("KMGTIB ")
        unit = text[len(number) :].strip()
        base = 1000 if len(unit) == 2 and unit.endswith("B") else 1024
        letter = unit.removesuffix("B").removesuffix("I")
        try:
            size = float(number) * base ** _UNITS[letter]
        except (ValueError, KeyError):
            size = -1
    if not 0 < size < math.inf:
        raise ValueError(value)
    return int(size) or 1


class _Rule(NamedTuple):
    """What a setting takes: `check` gives the value to keep or raises ValueError; `read` is for environment text."""

    check: Callable[[Any], Any]
    allowed: str
    read: Callable[[str], Any] = str
    optional: bool = False
    nested: type[_Settings] | None = None


class _FromEnvironment(str):
    """Text of an environment variable, still to be read as the setting's own type."""

    __slots__ = ("variable",)
    variable: str


_UNNAMED: Any = object()


def _setting(default: Any, rule: _Rule) -> Any:
    """A field whose value is checked by `rule`, and for which is known whether it was named."""
    return field(default=_UNNAMED, metadata={"rule": rule, "default": default})


def _whole(least: int, most: int | None = None) -> _Rule:
    def check(value: object) -> int:
        if (
            not isinstance(value, int)
            or isinstance(value, bool)
            or value < least
            or (most is not None and value > most)
        ):
            raise ValueError(value)
        return value

    above = f"from {least} to {most}" if most is not None else f"of {least} or more"
    return _Rule(check, f"a whole number {above}", int)


def _number(least: float, most: float = math.inf, *, unit: str, open_end: bool = False) -> _Rule:
    def check(value: object) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise ValueError(value)
        number = float(value)
        if not math.isfinite(number) or not least <= number <= most or (open_end and number == least):
            raise ValueError(value)
        return number

    low = f"above {least:g}" if open_end else f"of {least:g} or more"
    high = f", at most {most:g}" if most < math.inf else ""
    return _Rule(check, f"{unit} as a number {low}{high}", float)


def _seconds(least: float = 0.0) -> _Rule:
    return _number(least, unit="seconds", open_end=least == 0.0)


def _optional(rule: _Rule) -> _Rule:
    return rule._replace(allowed=f"{rule.allowed}, or None (in files and the environment: none)", optional=True)


def _one_of(*names: str) -> _Rule:
    def check(value: object) -> str:
        if value not in names:
            raise ValueError(value)
        return str(value)

    return _Rule(check, "one of " + ", ".join(f'"{name}"' for name in names))


def _names(*allowed: str) -> _Rule:
    def check(value: object) -> frozenset[str]:
        if not isinstance(value, list | tuple | set | frozenset):
            raise ValueError(value)  # noqa: TRY004 - all that is wrong with a value becomes one ConfigError
        if not all(isinstance(name, str) and name and (not allowed or name in allowed) for name in value):
            raise ValueError(value)
        return frozenset(value)

    text = f"a set of names out of {', '.join(allowed)}" if allowed else "a set or list of names"
    return _Rule(check, text, lambda text: [name.strip() for name in text.split(",") if name.strip()])


def _text() -> _Rule:
    def check(value: object) -> str:
        path = os.fspath(value) if isinstance(value, os.PathLike) else value
        if not isinstance(path, str) or not path or "\0" in path:
            raise ValueError(value)
        return path

    return _Rule(check, "a text that is not empty")


def _read_pairs(text: str) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
    if not all(name.strip() and equals for name, equals, _ in pairs):
        raise ValueError(text)
    return {name.strip(): value.strip() for name, _, value in pairs}


def _mapping(of: Callable[[Any], Any], allowed: str) -> _Rule:
    def check(value: object) -> Mapping[str, Any]:
        if not isinstance(value, Mapping) or not all(isinstance(name, str) and name for name in value):
            raise ValueError(value)
        return MappingProxyType({name: of(item) for name, item in value.items()})

    return _Rule(check, allowed, _read_pairs)


def _env_text(value: object) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError(value)
    return value


def _amount(value: object) -> float:
    amount = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else -1.0
    if not 0 <= amount < math.inf:
        raise ValueError(value)
    return amount


@dataclass(frozen=True, kw_only=True)
class _Settings:
    """The root of the three: checks each value, and knows which were named."""

    named: frozenset[str] = field(default=frozenset(), init=False, repr=False, compare=False)
    _inside: ClassVar[str] = ""

    def __post_init__(self) -> None:
        named = set()
        for each in dataclasses.fields(self):
            if "rule" not in each.metadata:
                continue
            value, default = getattr(self, each.name), each.metadata["default"]
            if value is _UNNAMED:
                value = default
            else:
                named.add(each.name)
                value = _checked(each.metadata["rule"], f"{self._inside}{each.name}", value)
                if isinstance(default, _Settings):
                    # What the inner settings do not name has the outer one's default, and stays unnamed.
                    value = default.merged(value)._with_named(value.named)
            object.__setattr__(self, each.name, value)
        self._with_named(frozenset(named))
        self._check_together()

    def _with_named(self, named: frozenset[str]) -> Self:
        object.__setattr__(self, "named", named)
        return self

    def _check_together(self) -> None:
        """Check what concerns several settings."""

    def __getstate__(self) -> dict[str, Any]:
        return {name: dict(v) if isinstance(v, MappingProxyType) else v for name, v in self.__dict__.items()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, MappingProxyType(value) if isinstance(value, dict) else value)

    def merged(self, over: Self | None) -> Self:
        """These settings, with each that `over` names taken from `over` (limits one by one)."""
        values = {each.name: getattr(self, each.name) for each in dataclasses.fields(self) if each.init}
        for name in over.named if over is not None else ():
            value, below = getattr(over, name), values[name]
            values[name] = below.merged(value) if isinstance(value, _Settings) else value
        return type(self)(**values)._with_named(self.named | (over.named if over is not None else frozenset()))

    def to_dict(self) -> dict[str, Any]:
        """All settings as plain values that print as JSON (values of the environment and arguments as text)."""
        return {
            each.name: _plain(getattr(self, each.name)) for each in dataclasses.fields(self) if each.name != "named"
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Settings from plain nested mappings, as a file holds them.

        Raises:
            ConfigError: an unknown key or a bad value.
        """
        return cls._build(data, "")

    @classmethod
    def _build(cls, data: Mapping[str, Any], inside: str) -> Self:
        rules = {each.name: each.metadata["rule"] for each in dataclasses.fields(cls) if "rule" in each.metadata}
        values: dict[str, Any] = {}
        for key, value in data.items():
            if key not in rules:
                raise _unknown(f"{inside}{key}", value, rules, inside)
            rule: _Rule = rules[key]
            if rule.nested is not None and isinstance(value, Mapping):
                values[key] = rule.nested._build(value, f"{inside}{key}.")
            else:
                values[key] = _checked(rule, f"{inside}{key}", _read(rule, f"{inside}{key}", value), value)
        return cls(**values)


def _plain(value: Any) -> Any:
    if isinstance(value, _Settings):
        return value.to_dict()
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, frozenset):
        return sorted(value)
    return value if value is None or isinstance(value, str | int | float | bool) else repr(value)


def _bad(key: str, value: object, allowed: str) -> ConfigError:
    came = f"{str(value)!r} from {value.variable}" if isinstance(value, _FromEnvironment) else repr(value)
    shown = str(value) if isinstance(value, _FromEnvironment) else value
    return ConfigError(f"{key} takes {allowed}; got {came}", key=key, value=shown, allowed=allowed)


def _unknown(key: str, value: object, known: Mapping[str, Any], inside: str) -> ConfigError:
    name = key.removeprefix(inside)
    near = difflib.get_close_matches(name, known, 1)
    hint = f"; did you mean {inside}{near[0]}?" if near else ""
    where = f" (from {value.variable})" if isinstance(value, _FromEnvironment) else ""
    allowed = ", ".join(f"{inside}{each}" for each in sorted(known))
    return ConfigError(
        f"there is no setting {key}{where}{hint}; known: {allowed}", key=key, value=value, allowed=allowed
    )


def _read(rule: _Rule, key: str, value: object) -> object:
    """A value of a file or of the environment, with "none" and environment text turned into what code would give."""
    if isinstance(value, str) and rule.optional and value.strip().lower() in _NOTHING:
        return None
    if not isinstance(value, _FromEnvironment):
        return value
    try:
        return rule.read(str(value))
    except ValueError:
        raise _bad(key, value, rule.allowed) from None


def _checked(rule: _Rule, key: str, value: object, came: object = None) -> object:
    if value is None and rule.optional:
        return None
    try:
        return rule.check(value)
    except ConfigError:
        raise
    except (ValueError, TypeError):
        raise _bad(key, value if came is None else came, rule.allowed) from None


def _nested(cls: type[_Settings]) -> _Rule:
    def check(value: object) -> _Settings:
        if isinstance(value, cls):
            return value
        if isinstance(value, Mapping):
            return cls.from_dict(value)
        raise ValueError(value)

    return _Rule(check, f"{cls.__name__}(…), or a table of its settings", nested=cls)


LimitName: TypeAlias = Literal["memory", "open_files", "processes", "cpu"]
"""What an agent can be limited in."""

LIMIT_NAMES: tuple[LimitName, ...] = ("memory", "open_files", "processes", "cpu")


@dataclass(frozen=True, kw_only=True)
class Limits(_Settings):
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
    memory: int | str | None = _setting(None, _optional(_Rule(parse_size, _SIZE_TEXT)))
    open_files: int | None = _setting(None, _optional(_whole(16)))
    processes: int | None = _setting(None, _optional(_whole(0)))
    cpu: float | None = _setting(None, _optional(_number(0, unit="percent of one core", open_end=True)))
    soft: float = _setting(0.8, _number(0, 1, unit="a share", open_end=True))

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
class AgentConfig(_Settings):
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
    limits: Limits = _setting(Limits(memory="1GiB", open_files=1000, processes=10, cpu=80.0, soft=0.8), _nested(Limits))
    timeout: float | None = _setting(300.0, _optional(_seconds()))
    capabilities: frozenset[str] = _setting(frozenset(), _names())
    environment: Mapping[str, str] | None = _setting(None, _optional(_mapping(_env_text, "a mapping of text to text")))
    working_directory: str | None = _setting(None, _optional(_text()))
    arguments: Mapping[str, Any] = _setting(MappingProxyType({}), _mapping(lambda v: v, "a mapping of names to values"))
    start_timeout: float = _setting(60.0, _seconds())
    grace: float = _setting(5.0, _number(0, 3600, unit="seconds"))
    idle_timeout: float | None = _setting(60.0, _optional(_number(0, unit="seconds")))
    recycle_after_tasks: int | None = _setting(None, _optional(_whole(1)))
    recycle_after_age: float | None = _setting(None, _optional(_seconds()))
    recycle_after_growth: int | str | None = _setting(None, _optional(_Rule(parse_size, _SIZE_TEXT)))
    concurrency: int = _setting(1, _whole(1, 10_000))
    start_method: Literal["fork", "spawn"] = _setting("fork", _one_of("fork", "spawn"))
    job: str | None = _setting(None, _optional(_text()))


@dataclass(frozen=True, kw_only=True)
class SystemConfig(_Settings):
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
        memory_low, memory_enough: shares of the machine's memory: with less than the first available no work is
            started, until more than the second is.
        admit_by: what work is held back for beside memory: "cpu", "io".
        resources: named resources and how much there is of each.
        ceilings: by agent type, the most that an agent may be granted when it asks for more.
        journal: path of the journal, None for none.
        journal_survives: "death" of any process, or loss of "power".
        workspace_root: where agents have their workspaces; None is a directory of the user's below the temporary one.
        log_level: from which level on agents' records are forwarded.
        agent: what holds for agents of workers that say nothing else.
        callable_agent: the same for agents that run plain callables.

    Raises:
        ConfigError: a value that is not allowed, or two that do not go together.
    """

    max_agents: int | None = _setting(None, _optional(_whole(1, 100_000)))
    assigned_at_once: int = _setting(5, _whole(1, 10_000))
    task_timeout: float | None = _setting(600.0, _optional(_seconds()))
    callable_timeout: float | None = _setting(None, _optional(_seconds()))
    retries: int = _setting(3, _whole(0))
    callable_retries: int = _setting(0, _whole(0))
    heartbeat_every: float = _setting(30.0, _seconds())
    heartbeat_missed: float = _setting(60.0, _seconds())
    resource_sample_every: float = _setting(10.0, _seconds())
    memory_sample_every: float = _setting(0.05, _seconds())
    ageing: int = _setting(16, _whole(0))
    restart_intensity: int = _setting(3, _whole(0))
    restart_period: float = _setting(5.0, _seconds())
    backoff_first: float = _setting(0.1, _seconds())
    backoff_limit: float = _setting(30.0, _seconds())
    mailbox_bound: int = _setting(10_000, _whole(1))
    frame_limit: int | str = _setting(64 * 2**20, _Rule(parse_size, _SIZE_TEXT))
    kept_tasks: int = _setting(10_000, _whole(0))
    kept_seconds: float = _setting(86_400.0, _number(0, unit="seconds"))
    memory_low: float = _setting(0.05, _number(0, 1, unit="a share"))
    memory_enough: float = _setting(0.07, _number(0, 1, unit="a share"))
    admit_by: frozenset[str] = _setting(frozenset(), _names("cpu", "io"))
    resources: Mapping[str, float] = _setting(
        MappingProxyType({}), _mapping(_amount, "a mapping of names to amounts of 0 or more")
    )
    ceilings: Mapping[str, Limits] = _setting(
        MappingProxyType({}), _mapping(_nested(Limits).check, "a mapping of agent types to limits")
    )
    journal: str | None = _setting(None, _optional(_text()))
    journal_survives: Literal["death", "power"] = _setting("death", _one_of("death", "power"))
    workspace_root: str | None = _setting(None, _optional(_text()))
    log_level: str = _setting("warning", _one_of("debug", "info", "warning", "error", "critical"))
    agent: AgentConfig = _setting(AgentConfig(), _nested(AgentConfig))
    callable_agent: AgentConfig = _setting(AgentConfig(limits=_NO_LIMITS, timeout=None), _nested(AgentConfig))

    def _check_together(self) -> None:
        for low, high in (
            ("heartbeat_every", "heartbeat_missed"),
            ("backoff_first", "backoff_limit"),
            ("memory_low", "memory_enough"),
        ):
            if getattr(self, low) > getattr(self, high):
                allowed = f"at least the {getattr(self, low):g} of {low}"
                raise _bad(high, getattr(self, high), allowed)

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
        data: dict[str, Any] = _read_file(Path(file)) if file is not None else {}
        _lay_over(data, _read_environment(os.environ if environ is None else environ))
        _lay_over(data, code)
        return cls.from_dict(data)


def _lay_over(data: dict[str, Any], over: Mapping[str, Any]) -> None:
    for key, value in over.items():
        named = {name: getattr(value, name) for name in value.named} if isinstance(value, _Settings) else value
        if isinstance(named, Mapping) and isinstance(data.get(key), dict):
            _lay_over(data[key], named)
        elif isinstance(named, Mapping):
            data[key] = {}
            _lay_over(data[key], named)
        else:
            data[key] = named


def _read_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for variable in sorted(environ):
        if not variable.startswith(_PREFIX) or variable in _NOT_SETTINGS:
            continue
        value = _FromEnvironment(environ[variable])
        value.variable = variable
        *tables, key = variable.removeprefix(_PREFIX).lower().split("__")
        inside = data
        for table in tables:
            below = inside.setdefault(table, {})
            if not isinstance(below, dict):
                raise _bad(table, below, "a table of settings")
            inside = below
        inside[key] = value
    return data


def _read_file(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text("utf-8")
        if path.suffix in {".yaml", ".yml"}:
            data = _read_yaml(text, path)
        else:
            data = tomllib.loads(text)
    except (OSError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        allowed = "the path of a TOML or YAML file in UTF-8"
        raise ConfigError(f"{path} cannot be read: {error}", key="file", value=str(path), allowed=allowed) from error
    if not isinstance(data, dict):
        raise _bad("file", str(path), "a file that holds a table of settings")
    return data


def _read_yaml(text: str, path: Path) -> Any:
    try:
        import yaml  # noqa: PLC0415 - an extra, and of use only to those who have such a file
    except ImportError:
        message = f"{path} is YAML: install actors-hub[cli] to read it, or write the settings as TOML"
        raise ConfigError(message, key="file", value=str(path), allowed="TOML") from None
    try:
        # Data only: no tag of YAML can make an object.
        return yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise ValueError(error) from error
