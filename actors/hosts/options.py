"""How a task is to be run: what `ActorSystem.options` takes."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from actors.errors import ConfigError
from actors.hosts.taskmethod import TaskOptions

if TYPE_CHECKING:
    from actors.protocol.priority import Priority

__all__ = ["Options"]

_OF_TASK = tuple(item.name for item in fields(TaskOptions))
_OWN = ("after", "key", "inputs", "job", "once")
_KNOWN = frozenset({*_OF_TASK, *_OWN})


@dataclass(frozen=True, slots=True)
class Options:
    """Options of a submission; each goes before what `@task`, the worker and the configuration say.

    `task` are those that `@task` knows too, `named` says which of them were given here. `after` are futures or ids of
    tasks to wait for; tasks with the same `key` go to the same agent where possible; `inputs` names what the task
    reads, so that it finds an agent that has it warm; `job` is what task and agents belong to; `once` is the name under
    which the task is submitted once.
    """

    task: TaskOptions = field(default_factory=TaskOptions)
    named: frozenset[str] = frozenset()
    after: tuple[Any, ...] = ()
    key: str | None = None
    inputs: frozenset[str] = frozenset()
    job: str | None = None
    once: str | None = None

    def updated(self, values: dict[str, Any]) -> Options:
        """These options with some replaced.

        Raises:
            ConfigError: a value that is not allowed.
            TypeError: an option that does not exist.
        """
        unknown = values.keys() - _KNOWN
        if unknown:
            known = ", ".join(sorted(_KNOWN))
            raise TypeError(f"there is no option {', '.join(sorted(unknown))}; there are {known}")
        of_task = {name: value for name, value in values.items() if name in _OF_TASK}
        rest: dict[str, Any] = {name: value for name, value in values.items() if name not in _OF_TASK}
        if "after" in rest:
            rest["after"] = _sequence(rest["after"])
        if "inputs" in rest:
            rest["inputs"] = _names(rest["inputs"])
        for name in ("key", "job", "once"):
            if rest.get(name) is not None and not (isinstance(rest[name], str) and rest[name]):
                raise _bad(name, rest[name], "a text that is not empty")
        if not of_task:
            # Each task of a graph comes with an `after` of its own: what it says of its task is not checked again.
            return self.beside(rest)
        return replace(self, task=replace(self.task, **of_task), named=self.named | frozenset(of_task), **rest)

    def beside(self, values: dict[str, Any]) -> Options:
        """These options with some replaced that are none of a task's own, and known to be allowed."""
        get = values.get
        return Options(
            self.task,
            self.named,
            get("after", self.after),
            get("key", self.key),
            get("inputs", self.inputs),
            get("job", self.job),
            get("once", self.once),
        )

    def pick(self, name: str, below: Any) -> Any:
        """The value of one of the task's options: the one named here, else the one of `below`."""
        return getattr(self.task if name in self.named else below, name)

    @property
    def priority(self) -> Priority | None:
        """The priority named here, or None."""
        return self.task.priority


def _bad(name: str, value: Any, allowed: str) -> ConfigError:
    return ConfigError(f"{name} is {allowed}, not {value!r}", key=name, value=value, allowed=allowed)


def _sequence(value: Any) -> tuple[Any, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise _bad("after", value, "a list of futures or task ids")
    return tuple(value)


def _names(value: Any) -> frozenset[str]:
    if isinstance(value, str) or not isinstance(value, Collection) or not all(isinstance(n, str) for n in value):
        raise _bad("inputs", value, "a set of names")
    return frozenset(value)
