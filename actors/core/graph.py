"""What depends on what. The edges live in the tasks: `missing` counts what is not done, `dependents` names who waits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from actors.core.task import Task
from actors.errors import ConfigError
from actors.protocol.states import TaskStatus

__all__ = ["check_dependencies", "doomed", "in_order", "link", "released"]

_PENDING = TaskStatus.PENDING
_COMPLETED = TaskStatus.COMPLETED


def check_dependencies(task: Task, known: Mapping[int, Task]) -> None:
    """Refuse a task that could never run.

    Raises:
        ConfigError: it depends on itself, on a task that is not known (any more), or on a result that was freed.
    """
    own = task.number
    for number in task.after:
        before = known.get(number)
        if before is not None and number != own and not before.taken:
            continue
        if number == task.number:
            raise _refused(task, number, "depends on itself", "tasks that do not depend on it")
        if before is None:
            raise _refused(
                task,
                number,
                f"depends on task {number}, which was never accepted here, or ended so long ago that it is forgotten",
                "tasks that were accepted before and are still kept (see kept_tasks and kept_seconds)",
            )
        if before.taken:
            raise _refused(
                task, number, f"depends on task {before.id}, whose result was taken and freed", "results that are kept"
            )


def in_order(tasks: Sequence[Task], known: Mapping[int, Task]) -> list[Task]:
    """The tasks of a graph in an order in which each comes after what it depends on (Kahn 1962).

    Raises:
        ConfigError: a number twice, a cycle (it names one), or a dependency neither among them nor known.
    """
    batch = {task.number: task for task in tasks}
    if len(batch) != len(tasks):
        numbers = [task.number for task in tasks]
        double = next(number for number in numbers if numbers.count(number) > 1)
        message = f"task number {double} is used twice in one graph; each task needs a number of its own"
        raise ConfigError(message, key="number", value=double, allowed="each number once")
    missing: dict[int, int] = {}
    following: dict[int, list[Task]] = {}
    for task in tasks:
        inside = [number for number in set(task.after) if number in batch]
        missing[task.number] = len(inside)
        for number in inside:
            following.setdefault(number, []).append(task)
    ordered = [task for task in tasks if not missing[task.number]]
    for task in ordered:
        for later in following.get(task.number, ()):
            missing[later.number] -= 1
            if not missing[later.number]:
                ordered.append(later)
    if len(ordered) < len(tasks):
        circle = " -> ".join(task.id for task in _cycle(batch, missing))
        message = f"the tasks depend on each other in a circle: {circle}; take out one of these dependencies"
        raise ConfigError(message, key="after", value=circle, allowed="dependencies without a circle")
    for task in ordered:
        check_dependencies(task, {**{n: batch[n] for n in task.after if n in batch}, **_some(known, task.after)})
    return ordered


def link(task: Task, known: Mapping[int, Task]) -> Task | None:
    """Tie a task to what it depends on; gives the first of these that failed or was cancelled, if any did.

    With the last dependency completed, `task.missing` is 0 and `task.results` has them all.
    """
    results: dict[int, object] = {}
    task.results = results
    broken: Task | None = None
    after = task.after
    missing = 0
    for number in after if len(after) == 1 else dict.fromkeys(after):
        before = known[number]
        status = before.status
        if status is _COMPLETED:
            results[number] = before.result
        elif status is _PENDING or not before.final:
            missing += 1
            if before.dependents is None:
                before.dependents = [task]
            else:
                before.dependents.append(task)
        else:
            broken = broken or before
    task.missing += missing
    return broken


def released(task: Task) -> Iterator[Task]:
    """The tasks that may run now that this one has completed."""
    for later in task.dependents or ():
        later.missing -= 1
        if later.status is _PENDING and later.results is not None:
            later.results[task.number] = task.result
            if not later.missing:
                yield later
    task.dependents = None


def doomed(task: Task) -> list[Task]:
    """All tasks that depend on this one, near or far, and have no outcome yet; nearest first."""
    found: dict[int, Task] = {}
    line = [task]
    for current in line:
        for later in current.dependents or ():
            if later.number not in found and later.status is _PENDING:
                found[later.number] = later
                line.append(later)
        current.dependents = None
    return list(found.values())


def _cycle(batch: Mapping[int, Task], missing: Mapping[int, int]) -> list[Task]:
    """One circle among the tasks that could not be put in order, its first task again at the end."""
    current = next(task for task in batch.values() if missing[task.number])
    seen: dict[int, int] = {}
    path: list[Task] = []
    while current.number not in seen:
        seen[current.number] = len(path)
        path.append(current)
        current = next(batch[number] for number in current.after if missing.get(number))
    return [*path[seen[current.number] :], current]


def _some(known: Mapping[int, Task], numbers: Sequence[int]) -> dict[int, Task]:
    return {number: known[number] for number in numbers if number in known}


def _refused(task: Task, number: int, why: str, allowed: str) -> ConfigError:
    return ConfigError(f"task {task.id} {why}", key="after", value=number, allowed=allowed)
