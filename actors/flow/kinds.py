"""The task types that a workflow may name, and the fields of their data."""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from actors.errors import ConfigError
from actors.runtime.worker_type import is_class_of
from actors.worker import TaskMethod, Worker
from actors.workers import BUILT_IN
from actors.workers.general_purpose import resolve_callable

__all__ = ["Kind", "Kinds", "closest", "load_worker"]

_OPERATION = "operation"


@dataclass(frozen=True, slots=True)
class Kind:
    """A task type.

    Args:
        name: what stands in the file.
        agent_type: whose tasks they are.
        fields: the fields of its data, and whether each has to be there.
        open: whether it takes any other field too; they depend on its field "operation".
        about: what it does, in a sentence.
    """

    name: str
    agent_type: str
    fields: Mapping[str, bool]
    open: bool
    about: str


class Kinds:
    """All task types: those of the workers that ship with the library, and of a workflow's own.

    Args:
        workers: the workflow's own worker classes.
    """

    def __init__(self, workers: Iterable[type[Worker]] = ()) -> None:
        built_in = [load_worker(place) for place in BUILT_IN.values()]
        self._kinds: dict[str, Kind] = {}
        for worker in (*workers, *built_in):
            for method in worker.tasks().values():
                kind = _kind(method, worker.agent_type)
                self._kinds.setdefault(kind.name, kind)

    def __iter__(self) -> Any:
        return iter(self._kinds.values())

    def get(self, name: Any) -> Kind | None:
        """The task type of that name."""
        return self._kinds.get(name) if isinstance(name, str) else None

    def unknown(self, name: Any) -> str:
        """What to say of a task type that there is not."""
        return f"there is no task type {name!r}{closest(name, self._kinds)}"

    def wrong_fields(self, kind: Kind, data: Mapping[str, Any]) -> list[tuple[str | None, str]]:
        """What is wrong with the names of some data: the field, None for one that is not there, and what to say."""
        fields, whose = dict(kind.fields), kind.name
        operation = data.get(_OPERATION)
        if kind.open:
            inner = self._kinds.get(f"{kind.name}.{operation}") if isinstance(operation, str) else None
            if inner is None:
                wrong = self._wrong_operation(kind, operation)
                return [(_OPERATION, wrong)] if wrong else _lacking(whose, fields, data)
            fields, whose = {**kind.fields, **inner.fields}, f"{kind.name} with {_OPERATION} {operation}"
        unknown = [
            (name, f"{whose} has no field {name!r}{closest(name, fields)}") for name in data if name not in fields
        ]
        return [*unknown, *_lacking(whose, fields, data)]

    def _wrong_operation(self, kind: Kind, operation: Any) -> str:
        """What to say of an operation that there is not; nothing if the type has none, or it is known later."""
        prefix = f"{kind.name}."
        known = [name.removeprefix(prefix) for name in self._kinds if name.startswith(prefix)]
        if not known or not isinstance(operation, str):
            return ""
        return f"there is no {_OPERATION} {operation!r}{closest(operation, known)}"


def _lacking(whose: str, fields: Mapping[str, bool], data: Mapping[str, Any]) -> list[tuple[str | None, str]]:
    return [
        (None, f"{whose} lacks the field {name!r}") for name, needed in fields.items() if needed and name not in data
    ]


def load_worker(place: Any) -> type[Worker]:
    """The worker class that a text such as "package.module:Class" names.

    Raises:
        ConfigError: it names no worker class. The cause is chained.
    """
    if isinstance(place, str) and place in BUILT_IN.values():
        module, _, name = place.partition(":")
        built_in: type[Worker] = getattr(importlib.import_module(module), name)
        return built_in
    found: Any = resolve_callable(place)
    if not is_class_of(found, Worker):
        message = f"{place!r} names no class derived from actors.Worker"
        raise ConfigError(message, key="workers", value=place, allowed='"module:Class"')
    return found  # type: ignore[no-any-return]


def closest(name: Any, known: Iterable[str]) -> str:
    """What there is instead, the likeliest first, as the end of a sentence."""
    names = sorted(known)
    near = difflib.get_close_matches(str(name), names, 1)
    meant = f"; did you mean {near[0]!r}?" if near else ""
    return f"{meant} There are {', '.join(names)}" if meant else f"; there are {', '.join(names)}"


def _kind(method: TaskMethod[Any, Any], agent_type: str) -> Kind:
    about = (inspect.getdoc(method.function) or "").partition("\n")[0]
    return Kind(method.task_type, agent_type, method.fields(), method.is_open, about)
