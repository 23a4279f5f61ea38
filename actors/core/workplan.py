"""A plan as data: steps with what they need, what they depend on, and what is done when one fails."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, NoReturn, TypeAlias, TypeVar

from actors.core.amounts import read_amounts
from actors.core.taskspec import TaskSpec
from actors.errors import ConfigError

__all__ = ["Condition", "Plan", "Rule", "Step", "StepLike", "Team", "read_plan", "read_step"]

M = TypeVar("M")

OnFailure: TypeAlias = Literal["stop", "skip"]

_ON_FAILURE = ("stop", "skip")
_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda found, value: bool(found == value),
    "!=": lambda found, value: bool(found != value),
    "<": lambda found, value: bool(found < value),
    "<=": lambda found, value: bool(found <= value),
    ">": lambda found, value: bool(found > value),
    ">=": lambda found, value: bool(found >= value),
    "in": lambda found, value: found in value,
    "contains": lambda found, value: value in found,
}


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A test of a step's result.

    Args:
        at: the way into the result: keys and indexes; empty is the result itself.
        test: "==", "!=", "<", "<=", ">", ">=", "in" or "contains".
        value: what it is compared with.
    """

    at: tuple[Any, ...] = ()
    test: str = "=="
    value: Any = True

    def holds(self, result: Any) -> bool:
        """Whether a result passes; one that has no such place, or cannot be compared, does not."""
        try:
            return _TESTS[self.test](_at(result, self.at), self.value)
        except (LookupError, TypeError, AttributeError):
            return False


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What a step's result adds to the plan.

    Args:
        add: the steps.
        when: added only if the result passes all of these tests.
        for_each: the way to a list in the result: the steps are added once for each item. Their ids get the number of the
            item behind them, as "page-3"; a value {"item": [way…]} in their data stands for the item, or for what is in it
            there. None adds them once.
    """

    add: tuple[Step, ...]
    when: tuple[Condition, ...] = ()
    for_each: tuple[Any, ...] | None = None

    def steps(self, step_id: str, result: Any) -> list[Step]:
        """The steps that a result adds.

        Raises:
            ConfigError: there is no list in the result to go through.
        """
        if not all(condition.holds(result) for condition in self.when):
            return []
        if self.for_each is None:
            return list(self.add)
        try:
            items = _at(result, self.for_each)
        except (LookupError, TypeError, AttributeError):
            items = None
        if isinstance(items, str | bytes | Mapping) or not isinstance(items, Iterable):
            _refuse(f"the result of step {step_id!r}", "for_each", items, f"a list at {list(self.for_each)}")
        return [_for_item(step, number, item) for number, item in enumerate(items, 1) for step in self.add]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One piece of work of a plan: a task, described as data or called.

    Args:
        id: its name, once in a plan.
        task: the task type, as for `TaskSpec`.
        call: instead of it, a worker's task method or any callable, which gets `data` as keyword arguments.
        data: what the task gets. A value {"result_of": "id"} stands for the result of a step, which comes first; it may
            stand at the top level, or in one list, tuple or dict.
        after: ids of steps that come first.
        requires, resources, priority, timeout, duration, agent_type: as for `TaskSpec`.
        retries: as for `TaskSpec`: how often the task is tried again after a death of its agent.
        attempts: how often the step is handed in, whatever its error is; 1 or more.
        instead: a step that is done in its place when all its attempts have failed; its result counts as this one's.
        on_failure: when that has failed, too: "stop" cancels what runs and fails the plan, "skip" goes on, with `default`
            for the result. None is what the plan says.
        default: the result of a step that was skipped.
        then: what its result adds to the plan.
    """

    id: str
    task: str | None = None
    call: Any = None
    data: Mapping[str, Any] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    requires: frozenset[str] = frozenset()
    resources: Mapping[str, float] = field(default_factory=dict)
    priority: int | None = None
    timeout: float | None = None
    retries: int | None = None
    duration: float | None = None
    agent_type: str | None = None
    attempts: int = 1
    instead: Step | None = None
    on_failure: OnFailure | None = None
    default: Any = None
    then: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        _check_step(self)

    def spec(self, data: Mapping[str, Any], **more: Any) -> TaskSpec:
        """What is submitted for a step that is described as data.

        Args:
            data: its own, with the results that it names filled in.
            **more: fields of `TaskSpec` that a step does not have.
        """
        return TaskSpec(
            type=self.task or "",
            data=data,
            requires=self.requires,
            resources=self.resources,
            priority=self.priority or 2,
            timeout=self.timeout,
            retries=self.retries,
            duration=self.duration,
            agent_type=self.agent_type,
            **more,
        )

    def needs(self) -> tuple[str, ...]:
        """The ids of all steps that come first, each once."""
        found = dict.fromkeys((*self.after, *_results_in(self.data)))
        if self.instead is not None:
            found.update(dict.fromkeys(self.instead.needs()))
        return tuple(found)


@dataclass(frozen=True, kw_only=True)
class Team:
    """Agents that a plan has for itself: started before its first step, ended after its last.

    Args:
        type: their agent type, or the worker class.
        count: how many, 1 or more.
        limits: what each may use, as the fields of `Limits`.
        arguments: keyword arguments of the worker's constructor.
    """

    type: Any
    count: int = 1
    limits: Mapping[str, Any] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        where = f"agents {self.type!r}"
        if not (isinstance(self.type, str) and self.type) and not hasattr(self.type, "agent_type"):
            _refuse("agents", "type", self.type, "an agent type or a worker class")
        _whole(where, "count", self.count, 1)
        for name in ("limits", "arguments"):
            _mapping(where, name, getattr(self, name))


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Steps, and how they are done.

    Args:
        steps: in the order in which they begin where nothing else says more.
        parallel: how many may be under way at once, 1 or more; None for no bound.
        on_failure: for steps that say nothing themselves: "stop" or "skip".
        agents: agents that the plan has for itself.

    Raises:
        ConfigError: a value that is not allowed, an id that stands twice or that nothing has, a circle.
    """

    steps: tuple[Step, ...] = ()
    parallel: int | None = None
    on_failure: OnFailure = "stop"
    agents: tuple[Team, ...] = ()

    def __post_init__(self) -> None:
        if self.parallel is not None:
            _whole("the plan", "parallel", self.parallel, 1)
        if self.on_failure not in _ON_FAILURE:
            _refuse("the plan", "on_failure", self.on_failure, '"stop" or "skip"')


StepLike: TypeAlias = "Step | Mapping[str, Any]"
"""Wherever a step is taken, its fields as a mapping are taken too."""


def read_plan(steps: Any, parallel: Any = None, on_failure: Any = "stop", agents: Any = ()) -> Plan:
    """A plan of plain values.

    Raises:
        ConfigError: a value that is not allowed; names the step and the field.
    """
    return Plan(
        steps=tuple(read_step(step) for step in _list("the plan", "steps", steps)),
        parallel=parallel,
        on_failure=on_failure,
        agents=tuple(_made(Team, one, "agents") for one in _list("the plan", "agents", agents)),
    )


def read_step(given: Any) -> Step:
    """A step of plain values; one that is a `Step` already as it is.

    Raises:
        ConfigError: a value that is not allowed; names the step and the field.
    """
    if isinstance(given, Step):
        return given
    where = f"step {given['id']!r}" if isinstance(given, Mapping) and "id" in given else "a step"
    values = dict(_mapping("the plan", "steps", given))
    if isinstance(values.get("instead"), Mapping):
        values["instead"] = read_step({"id": values.get("id"), **values["instead"]})
    if "then" in values:
        values["then"] = tuple(_rule(where, rule) for rule in _list(where, "then", values["then"]))
    for name in ("after", "requires"):
        if name in values:
            kind: Any = tuple if name == "after" else frozenset
            values[name] = kind(_list(where, name, values[name]))
    return _made(Step, values, where)


def _rule(where: str, given: Any) -> Rule:
    if isinstance(given, Rule):
        return given
    values = dict(_mapping(where, "then", given))
    values["add"] = tuple(read_step(step) for step in _list(where, "then.add", values.get("add", ())))
    if "when" in values:
        values["when"] = tuple(_condition(where, one) for one in _list(where, "then.when", values["when"]))
    if values.get("for_each") is not None:
        values["for_each"] = tuple(_list(where, "then.for_each", values["for_each"]))
    return _made(Rule, values, f"then of {where}")


def _condition(where: str, given: Any) -> Condition:
    if isinstance(given, Condition):
        return given
    values = dict(_mapping(where, "then.when", given))
    if "at" in values:
        values["at"] = tuple(_list(where, "then.when.at", values["at"]))
    if values.get("test", "==") not in _TESTS:
        _refuse(where, "then.when.test", values["test"], ", ".join(_TESTS))
    return _made(Condition, values, f"then.when of {where}")


def _made(kind: type[M], given: Any, where: str) -> M:
    if isinstance(given, kind):
        return given
    values = _mapping(where, kind.__name__.lower(), given)
    known = [one.name for one in fields(kind)]  # type: ignore[arg-type]
    for name in values:
        if name not in known:
            _refuse(where, str(name), values[name], f"no field; there are {', '.join(known)}")
    try:
        return kind(**values)
    except TypeError as error:
        message = f"{where} lacks a field: {error}"
        raise ConfigError(message, key=where, value=dict(values)) from None


def _check_step(step: Step) -> None:
    if not isinstance(step.id, str) or not step.id:
        _refuse("a step", "id", step.id, "a text that is not empty")
    where = f"step {step.id!r}"
    _check_work(where, step)
    _mapping(where, "data", step.data)
    for name in ("after", "requires"):
        if not all(isinstance(one, str) and one for one in getattr(step, name)):
            _refuse(where, name, getattr(step, name), "a list of names")
    read_amounts("resources", step.resources, f"of {where}")
    if step.priority is not None and (isinstance(step.priority, bool) or step.priority not in (1, 2, 3, 4)):
        _refuse(where, "priority", step.priority, "1 (low), 2 (normal), 3 (high) or 4 (critical)")
    for name in ("timeout", "duration"):
        if getattr(step, name) is not None:
            _seconds(where, name, getattr(step, name))
    if step.retries is not None:
        _whole(where, "retries", step.retries, 0)
    _whole(where, "attempts", step.attempts, 1)
    if step.instead is not None and not isinstance(step.instead, Step):
        _refuse(where, "instead", step.instead, "a step")
    if step.on_failure not in (None, *_ON_FAILURE):
        _refuse(where, "on_failure", step.on_failure, '"stop" or "skip"')


def _check_work(where: str, step: Step) -> None:
    if (step.task is None) == (step.call is None):
        _refuse(where, "task", step.task, "given, or else call, and not both")
    if step.task is not None and (not isinstance(step.task, str) or not step.task):
        _refuse(where, "task", step.task, "the name of a task type")
    if step.call is not None and not callable(step.call):
        _refuse(where, "call", step.call, "a worker's task method, or a callable")
    if step.call is not None and step.agent_type is not None:
        _refuse(where, "agent_type", step.agent_type, "for steps with a task, and this one has a call")


def _for_item(step: Step, number: int, item: Any) -> Step:
    """A copy of a rule's step for one item of a result."""
    values = {one.name: getattr(step, one.name) for one in fields(Step)}
    values["id"] = f"{step.id}-{number}"
    values["data"] = {name: _filled(value, item, 1) for name, value in step.data.items()}
    if step.instead is not None:
        values["instead"] = _for_item(step.instead, number, item)
    return Step(**values)


def _filled(value: Any, item: Any, depth: int) -> Any:
    if isinstance(value, Mapping) and set(value) == {"item"}:
        try:
            return _at(item, value["item"])
        except (LookupError, TypeError, AttributeError):
            _refuse("then.for_each", "item", value["item"], f"a way that each item has, and {item!r} has not")
    if depth and isinstance(value, list | tuple):
        return type(value)(_filled(one, item, 0) for one in value)
    if depth and isinstance(value, Mapping):
        return {name: _filled(one, item, 0) for name, one in value.items()}
    return value


def _results_in(data: Any, depth: int = 2) -> Iterable[str]:
    """The ids of the steps whose results stand in some data."""
    values = data.values() if isinstance(data, Mapping) else data
    for value in values:
        if isinstance(value, Mapping) and set(value) == {"result_of"}:
            yield value["result_of"]
        elif depth > 1 and isinstance(value, Mapping | list | tuple):
            yield from _results_in(value, depth - 1)


def _at(value: Any, way: Sequence[Any]) -> Any:
    for place in way:
        if isinstance(place, str) and not isinstance(value, Mapping):
            if place.startswith("_"):
                raise AttributeError(place)
            value = getattr(value, place)
        else:
            value = value[place]
    return value


def _list(where: str, name: str, value: Any) -> list[Any]:
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        _refuse(where, name, value, "a list")
    return list(value)


def _mapping(where: str, name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        _refuse(where, name, value, "a mapping of names to values")
    return value


def _seconds(where: str, name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value) or value <= 0:
        _refuse(where, name, value, "a number of seconds above 0")


def _whole(where: str, name: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        _refuse(where, name, value, f"a whole number of {least} or more")


def _refuse(where: str, name: str, value: Any, allowed: str) -> NoReturn:
    raise ConfigError(f"{where}: {name} is {allowed}, not {value!r}", key=name, value=value, allowed=allowed)
