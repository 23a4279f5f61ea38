"""What stands in a workflow file, checked entry by entry; each problem has its line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from actors.config import Limits
from actors.core.amounts import read_amounts
from actors.core.planorder import first_circle
from actors.core.workplan import Plan, Step
from actors.errors import ConfigError
from actors.flow.expression import ExpressionFailed, fill, read_value, references
from actors.flow.kinds import Kind, Kinds, closest, load_worker
from actors.flow.matrix import MatrixWrong, combinations, suffix
from actors.flow.source import Problem, Source, Way

__all__ = ["HEAD", "PRIORITIES", "TASK", "Made", "Reader"]

HEAD = ("name", "vars", "parallel", "on_failure", "max_agents", "limits", "resources", "workers", "tasks")
"""The entries of a workflow."""

TASK = (
    *("type", "data", "after", "matrix", "requires", "resources", "priority", "timeout", "retries", "duration"),
    *("agent_type", "attempts", "on_failure", "default", "idempotent"),
)
"""The fields of a task."""

PRIORITIES = {"low": 1, "normal": 2, "high": 3, "critical": 4}

_NAME = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)
_NAMES = "a name has letters, digits, - and _, and begins with no digit"
_GIVES = ("result", "status")
_MOST_TASKS = 100_000


@dataclass(frozen=True, slots=True)
class Made:
    """One task as it was read; see `FlowTask`."""

    step: Step
    name: str
    line: int
    idempotent: bool


@dataclass(frozen=True, slots=True)
class _Entry:
    """One task of one combination, its own values filled in, before its names are looked up."""

    id: str
    name: str
    values: Mapping[str, Any]
    way: Way


class Reader:
    """Reads one workflow. `problems` are what was found wrong so far.

    Args:
        source: the file.
        variables: values that go over those of its `vars`.
    """

    def __init__(self, source: Source, variables: Mapping[str, Any]) -> None:
        self._source = source
        self._given = variables
        self._vars: dict[str, Any] = {}
        self.problems: list[Problem] = []

    # --- the head --------------------------------------------------------------------------------------------------

    def head(self) -> dict[str, Any]:
        """All but the tasks, by the names of the fields of `Flow`."""
        top = self._source.value
        if not isinstance(top, dict):
            self._wrong((), f"a workflow is a mapping with tasks in it, not {_what(top)}")
            return {}
        self._known((), top, HEAD, "a workflow")
        self._variables(top.get("vars") or {})
        found: dict[str, Any] = {}
        checks: dict[str, Callable[[Any], Any]] = {
            "name": _text,
            "parallel": _whole,
            "max_agents": _whole,
            "on_failure": lambda value: Plan(on_failure=value).on_failure,
            "limits": _limits,
            "resources": lambda value: dict(read_amounts("resources", value, "of a workflow")),
        }
        for name, check in checks.items():
            if top.get(name) is None:
                continue
            value = self._filled(top[name], (name,), {"vars": self._vars}, ("vars",))
            try:
                found[name] = check(value)
            except (ConfigError, TypeError, ValueError) as error:
                self._wrong((name, str(getattr(error, "key", ""))), f"{name}: {error}")
        found["workers"] = tuple(self._workers(top.get("workers") or []))
        return found

    def _variables(self, given: Any) -> None:
        if not isinstance(given, dict):
            self._wrong(("vars",), f"vars is a mapping of names to values, not {_what(given)}")
            return
        for name in given:
            if not _NAME.fullmatch(name):
                self._wrong(("vars", name), f"{name!r} cannot be the name of a variable: {_NAMES}")
        for name in self._given:
            if name not in given:
                self._wrong(("vars",), f"the workflow has no variable {name!r}{closest(name, given)}")
        self._vars = {**given, **self._given}

    def _workers(self, given: Any) -> list[Any]:
        if not isinstance(given, list):
            self._wrong(("workers",), f'workers is a list of "module:Class", not {_what(given)}')
            return []
        found = []
        for index, place in enumerate(given):
            try:
                found.append(load_worker(place))
            except ConfigError as error:
                self._wrong(("workers", index), str(error))
        return found

    # --- the tasks -------------------------------------------------------------------------------------------------

    def tasks(self, kinds: Kinds) -> list[Made]:
        """The tasks, in the order of the file."""
        top = self._source.value
        given = top.get("tasks") if isinstance(top, dict) else None
        if not isinstance(given, dict) or not given:
            if isinstance(top, dict):
                self._wrong(("tasks",), f"tasks is a mapping of names to tasks, with one at least, not {_what(given)}")
            return []
        entries = [entry for name, fields in given.items() for entry in self._entries(name, fields)]
        if len(entries) > _MOST_TASKS:
            self._wrong(("tasks",), f"the workflow has {len(entries):,} tasks; {_MOST_TASKS:,} are the most")
            return []
        groups: dict[str, list[str]] = {name: [] for name in given}
        for entry in entries:
            groups[entry.name].append(entry.id)
        made = [task for entry in entries if (task := self._task(entry, kinds, groups)) is not None]
        self._check_circle(made)
        return made

    def _entries(self, name: str, fields: Any) -> list[_Entry]:
        way = ("tasks", name)
        if not _NAME.fullmatch(name):
            self._wrong(way, f"{name!r} cannot be the name of a task: {_NAMES}")
            return []
        if not isinstance(fields, dict):
            self._wrong(way, f"task {name!r} is a mapping of its fields, not {_what(fields)}")
            return []
        self._known(way, fields, TASK, "a task")
        own = {key: value for key, value in fields.items() if key != "matrix" and key in TASK}
        if "matrix" not in fields:
            return [_Entry(name, name, self._own(own, way, {}), way)]
        matrix = self._filled(fields["matrix"], (*way, "matrix"), {"vars": self._vars}, ("vars",))
        try:
            found = combinations(matrix)
        except MatrixWrong as error:
            self._wrong((*way, "matrix", *error.way), str(error))
            return []
        return [_Entry(name + suffix(values), name, self._own(own, way, values), way) for values in found]

    def _own(self, fields: dict[str, Any], way: Way, matrix: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of a task with all that is known before anything runs."""
        scope = {"vars": self._vars, "matrix": matrix}
        rest = ("vars", "matrix")
        return {
            name: self._filled(value, (*way, name), scope, (*rest, "tasks") if name == "data" else rest)
            for name, value in fields.items()
        }

    def _task(self, entry: _Entry, kinds: Kinds, groups: Mapping[str, list[str]]) -> Made | None:
        way, values = entry.way, dict(entry.values)
        before = len(self.problems)
        kind = kinds.get(values.get("type"))
        data = values.get("data") or {}
        if "type" not in values:
            self._wrong(way, f"task {entry.name!r} lacks the field 'type', which names what is done")
        elif kind is None:
            self._wrong((*way, "type"), kinds.unknown(values["type"]))
        if not isinstance(data, dict):
            self._wrong((*way, "data"), f"data is a mapping of names to values, not {_what(data)}")
        elif kind is not None:
            self._check_data(way, kinds, kind, data)
        needs = self._needs(entry, data, groups)
        idempotent = values.pop("idempotent", True)
        if not isinstance(idempotent, bool):
            self._wrong((*way, "idempotent"), f"idempotent is true or false, not {idempotent!r}")
        if len(self.problems) > before or kind is None:
            return None
        fields = {name: value for name, value in values.items() if name not in ("type", "data", "after")}
        if isinstance(fields.get("priority"), str):
            fields["priority"] = PRIORITIES.get(fields["priority"], fields["priority"])
        try:
            if "requires" in fields:
                fields["requires"] = frozenset(_names(fields["requires"]))
            step = Step(id=entry.id, task=kind.name, data=data, after=tuple(needs), **fields)
        except (ConfigError, TypeError, ValueError) as error:
            self._wrong((*way, str(getattr(error, "key", ""))), f"task {entry.name!r}: {error}")
            return None
        return Made(step, entry.name, self._source.line(way), idempotent)

    def _check_data(self, way: Way, kinds: Kinds, kind: Kind, data: Mapping[str, Any]) -> None:
        for name, message in kinds.wrong_fields(kind, data):
            self._wrong((*way, "data", name) if name else (*way, "data"), message)
        if kind.name == "command" and isinstance(data.get("argv"), str) and not data.get("shell"):
            self._wrong(
                (*way, "data", "argv"), "argv is a list; a text is for a shell, which has to be asked for: shell: true"
            )

    def _needs(self, entry: _Entry, data: Any, groups: Mapping[str, list[str]]) -> dict[str, None]:
        """The ids of the tasks that come first."""
        needs: dict[str, None] = {}
        after = entry.values.get("after") or []
        ids = {task_id for members in groups.values() for task_id in members}
        for index, name in enumerate(
            [after] if isinstance(after, str) else after if isinstance(after, list) else [None]
        ):
            where = (*entry.way, "after", index)
            if name in ids:
                needs[name] = None
            elif isinstance(name, str) and name in groups:
                needs.update(dict.fromkeys(groups[name]))
            elif isinstance(name, str):
                self._wrong(where, f"task {entry.name!r} comes after {name!r}, which is no task{closest(name, groups)}")
            else:
                self._wrong(where, f"after is a list of names of tasks, not {_what(after)}")
        for way, found in references(data):
            where = (*entry.way, "data", *way)
            if len(found.way) < 3 or found.way[2] not in _GIVES:
                self._wrong(where, f"{found}: of a task there is its result and its status, as tasks.find.result")
                continue
            name = found.way[1]
            if name in ids:
                needs[name] = None
            elif name in groups:
                needs.update(dict.fromkeys(groups[name]))
            else:
                self._wrong(where, f"{found}: there is no task {name!r}{closest(name, groups)}")
        return needs

    def _check_circle(self, made: list[Made]) -> None:
        circle = first_circle({task.step.id: set(task.step.after) for task in made})
        if circle:
            lines = {task.step.id: task for task in made}
            shown = " → ".join(f"{one} (line {lines[one].line})" for one in circle)
            message = f"tasks wait for each other in a circle: {shown}"
            self.problems.append(Problem(lines[circle[0]].line, message))

    # --- inside ----------------------------------------------------------------------------------------------------

    def _filled(self, value: Any, way: Way, scope: Mapping[str, Any], roots: tuple[str, ...]) -> Any:
        """A value with what is known in it; a wrong expression is a problem in its own line."""
        if isinstance(value, list):
            return [self._filled(one, (*way, index), scope, roots) for index, one in enumerate(value)]
        if isinstance(value, dict):
            return {name: self._filled(one, (*way, name), scope, roots) for name, one in value.items()}
        try:
            return fill(read_value(value, roots), scope)
        except ExpressionFailed as error:
            self._wrong(way, str(error))
            return None

    def _known(self, way: Way, given: Mapping[str, Any], known: tuple[str, ...], whose: str) -> None:
        for name in given:
            if name not in known:
                self._wrong((*way, name), f"{whose} has no field {name!r}{closest(name, known)}")

    def _wrong(self, way: Way, message: str) -> None:
        self.problems.append(Problem(self._source.line(way), message))


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"expected a text, got {_what(value)}")
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"expected a whole number of 1 or more, got {_what(value)}")
    return value


def _limits(value: Any) -> dict[str, Any]:
    Limits(**_mapping(value))
    return _mapping(value)


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"expected a mapping, got {_what(value)}")
    return value


def _names(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise ConfigError(f"requires is a list of capabilities, not {_what(value)}", key="requires", value=value)
    return value


def _what(value: Any) -> str:
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
