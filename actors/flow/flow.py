"""A workflow: its tasks as steps of a plan, all matrices written out, all names checked."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from actors.core.workplan import Plan, Step
from actors.errors import ConfigError
from actors.flow.kinds import Kinds
from actors.flow.reading import Reader
from actors.flow.source import FlowInvalid, Problem, Source, parse
from actors.worker import Worker

__all__ = ["Flow", "FlowTask", "load", "read"]


@dataclass(frozen=True, slots=True)
class FlowTask:
    """One task of a workflow, after its matrix has been written out.

    Args:
        step: what the plan knows of it. Its `data` may have expressions.
        name: of the entry in the file; a matrix makes several tasks of one.
        line: where that is.
        idempotent: whether it may run again after a death in the middle.
    """

    step: Step
    name: str
    line: int
    idempotent: bool = True

    @property
    def id(self) -> str:
        """Its id, once in a workflow."""
        return self.step.id

    def digest(self) -> str:
        """The same for the same work: of another one no result may be taken over."""
        said = [self.step.task, self.step.data, self.step.agent_type]
        return hashlib.sha256(json.dumps(said, default=str, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Flow:
    """A workflow.

    Args:
        name: what it is called.
        tasks: by id, in the order of the file.
        groups: the ids of the tasks that each entry of the file makes.
        parallel: how many tasks may be under way at once; None for no bound.
        on_failure: for tasks that say nothing themselves: "stop" or "skip".
        max_agents: how many agents live at once; None is what the system works out.
        limits: what an agent that runs commands or callables may use, as the fields of `Limits`.
        resources: named resources that tasks share, as {"gpu": 1}.
        workers: its own worker classes.
        file: where it stands.
    """

    name: str
    tasks: Mapping[str, FlowTask]
    groups: Mapping[str, tuple[str, ...]]
    parallel: int | None = None
    on_failure: str = "stop"
    max_agents: int | None = None
    limits: Mapping[str, Any] = field(default_factory=dict)
    resources: Mapping[str, float] = field(default_factory=dict)
    workers: tuple[type[Worker], ...] = ()
    file: str = ""

    def plan(self) -> Plan:
        """The same as a plan."""
        on_failure: Any = self.on_failure
        # Without their data: results come in by expressions, and not by what a plan makes of its data.
        steps = tuple(replace(task.step, data={}) for task in self.tasks.values())
        return Plan(steps=steps, parallel=self.parallel, on_failure=on_failure)


def load(path: str | os.PathLike[str], variables: Mapping[str, Any] | None = None) -> Flow:
    """Read a workflow file.

    Args:
        path: the file.
        variables: values that go over those of its `vars`.

    Raises:
        FlowInvalid: it is no good workflow; names all that is wrong, by line.
        ConfigError: the extra `cli` is not installed.
        OSError: it cannot be read.
    """
    shown = os.fspath(path)
    try:
        text = Path(path).read_text("utf-8")
    except UnicodeDecodeError as error:
        raise FlowInvalid.of(shown, [Problem(1, f"the file is no UTF-8: {error}")]) from None
    return read(parse(text, shown), variables)


def read(source: Source, variables: Mapping[str, Any] | None = None) -> Flow:
    """A workflow from the values of its file.

    Raises:
        FlowInvalid: see `load`.
    """
    reader = Reader(source, variables or {})
    head = reader.head()
    kinds = Kinds(head.get("workers", ()))
    made = reader.tasks(kinds)
    if reader.problems:
        raise FlowInvalid.of(source.file, reader.problems)
    tasks = {one.step.id: FlowTask(one.step, one.name, one.line, one.idempotent) for one in made}
    groups: dict[str, tuple[str, ...]] = {}
    for task in tasks.values():
        groups[task.name] = (*groups.get(task.name, ()), task.id)
    name = head.pop("name", None) or Path(source.file).stem
    try:
        return Flow(name=name, tasks=tasks, groups=groups, file=source.file, **head)
    except ConfigError as error:
        raise FlowInvalid.of(source.file, [Problem(1, str(error))]) from error
