"""Work described as data."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from actors.core.amounts import Amounts, read_amounts
from actors.core.retry import Backoff, exception_names
from actors.errors import ConfigError

__all__ = ["TaskSpec"]

_BACKOFF = Backoff()


@dataclass(frozen=True, kw_only=True)
class TaskSpec:
    """Work described as data, for `ActorSystem.submit_task`.

    Args:
        type: the task type, such as "file_analysis".
        data: what the task is to do; it must be serialisable.
        after: futures or ids of the tasks that must complete first.
        requires: capabilities that its agent must have.
        resources: how much it needs of named resources, as {"gpu": 1}; what the worker's task needs besides is added.
        priority: 1 (low) to 4 (critical).
        timeout: seconds from the start of its body; None takes the worker's limit, `math.inf` means no limit.
        retries: how often it is repeated after the death of its agent or after one of `retry_on`; None: 3.
        duration: how long it may take, in seconds, until that has been measured.
        agent_type: the type that its agent must have; None: any that has the capabilities and takes the task type.
        job: the tasks and agents that it belongs to.
        retry_on: exception types, or their qualified names, after which it is repeated.
        backoff: how long to wait before a repetition.
        idempotent: whether it may run again after its agent died while it ran.
        key: tasks with the same key go to the same agent where possible.
        inputs: names of what it reads, so that it finds an agent that has them warm.
        once: a name; a second submission under it gives the future of the first one.

    Raises:
        ConfigError: a value that is not allowed; it names the field, the value and what is allowed.
    """

    type: str
    data: Mapping[str, Any] = field(default_factory=dict)
    after: tuple[Any, ...] = ()
    requires: frozenset[str] = frozenset()
    priority: int = 2
    timeout: float | None = None
    retries: int | None = None
    duration: float | None = None
    agent_type: str | None = None
    job: str | None = None
    retry_on: tuple[str, ...] = ()
    backoff: Backoff = _BACKOFF
    idempotent: bool = True
    key: str | None = None
    inputs: frozenset[str] = frozenset()
    once: str | None = None
    resources: Mapping[str, float] | Amounts = ()

    def __post_init__(self) -> None:
        _text("type", self.type)
        for name in ("agent_type", "job", "key", "once"):
            if getattr(self, name) is not None:
                _text(name, getattr(self, name))
        # Here and below the usual case first: a graph has a description for each of its tasks.
        if type(self.data) is not dict and not isinstance(self.data, Mapping):
            raise _wrong("data", self.data, "a mapping")
        if type(self.after) is not tuple:
            object.__setattr__(self, "after", _sequence(self.after))
        if isinstance(self.priority, bool) or self.priority not in (1, 2, 3, 4):
            raise _wrong("priority", self.priority, "1 (low), 2 (normal), 3 (high) or 4 (critical)")
        for name in ("timeout", "duration"):
            _seconds(name, getattr(self, name))
        _count("retries", self.retries)
        if not isinstance(self.backoff, Backoff):
            raise _wrong("backoff", self.backoff, "a Backoff")
        if not isinstance(self.idempotent, bool):
            raise _wrong("idempotent", self.idempotent, "True or False")
        self._read()

    def _read(self) -> None:
        for name, read in _READ.items():
            value = getattr(self, name)
            if type(value) is not type(_NOTHING[name]) or value:
                object.__setattr__(self, name, read(name, value))


def _wrong(name: str, value: object, allowed: str) -> ConfigError:
    return ConfigError(f"TaskSpec.{name} must be {allowed}, not {value!r}", key=name, value=value, allowed=allowed)


def _text(name: str, value: object) -> None:
    if not isinstance(value, str) or not value:
        raise _wrong(name, value, "a text that is not empty")


def _sequence(after: Any) -> tuple[Any, ...]:
    if isinstance(after, str) or not isinstance(after, Iterable):
        raise _wrong("after", after, "a sequence of futures or task ids")
    return tuple(after)


def _seconds(name: str, value: object) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value) or value <= 0:
        raise _wrong(name, value, "a number of seconds above 0, or None")


def _count(name: str, value: Any) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        raise _wrong(name, value, "a whole number from 0 on, or None")


def _names(name: str, value: Any) -> frozenset[str]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise _wrong(name, value, "a collection of names")
    items = frozenset(value)
    for item in items:
        _text(name, item)
    return items


_READ: dict[str, Callable[[str, Any], Any]] = {
    "requires": _names,
    "inputs": _names,
    "retry_on": lambda _, value: exception_names(value),
    "resources": lambda name, value: read_amounts(name, value, "of a TaskSpec"),
}
_NOTHING: dict[str, Any] = {"requires": frozenset(), "inputs": frozenset(), "retry_on": (), "resources": ()}
