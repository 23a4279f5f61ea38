"""The graph of a workflow, in text."""

from __future__ import annotations

from collections.abc import Iterator

from actors.flow.flow import Flow, FlowTask

__all__ = ["levels", "text"]


def levels(flow: Flow) -> dict[str, int]:
    """How many tasks, at most, one after the other come before each: 0 for those that can begin at once."""
    found: dict[str, int] = {}
    waiting: dict[str, list[str]] = {}
    missing = {}
    for task in flow.tasks.values():
        needs = task.step.needs()
        missing[task.id] = len(needs)
        for one in needs:
            waiting.setdefault(one, []).append(task.id)
    ready = [task for task, count in missing.items() if not count]
    found.update(dict.fromkeys(ready, 0))
    for task_id in ready:
        for later in waiting.get(task_id, ()):
            found[later] = max(found.get(later, 0), found[task_id] + 1)
            missing[later] -= 1
            if not missing[later]:
                # The list grows while it is gone through: that is the order in which tasks can begin.
                ready.append(later)
    return {task: found[task] for task in flow.tasks}


def text(flow: Flow) -> Iterator[str]:
    """The lines that tell what would be done: level by level, since tasks of one level need nothing of each other."""
    by_level: dict[int, list[FlowTask]] = {}
    found = levels(flow)
    for task in flow.tasks.values():
        by_level.setdefault(found[task.id], []).append(task)
    bound = "" if flow.parallel is None else f", {flow.parallel} at once at most"
    yield f"{flow.name}: {_count(len(flow.tasks), 'task')} in {_count(len(by_level), 'level')}{bound}"
    width = max(len(task.id) for task in flow.tasks.values())
    for level in sorted(by_level):
        yield f"level {level + 1}"
        for task in by_level[level]:
            yield f"  {task.id:{width}}  {task.step.task}{_details(flow, task)}"


def _details(flow: Flow, task: FlowTask) -> str:
    step = task.step
    parts = []
    if step.needs():
        parts.append(f"after {', '.join(_grouped(flow, step.needs()))}")
    if step.requires:
        parts.append(f"requires {', '.join(sorted(step.requires))}")
    if step.resources:
        parts.append(f"takes {', '.join(f'{amount:g} {name}' for name, amount in dict(step.resources).items())}")
    named = {"priority": step.priority, "timeout": step.timeout, "on_failure": step.on_failure}
    parts += [f"{name} {value}" for name, value in named.items() if value is not None]
    return f"  ({'; '.join(parts)})" if parts else ""


def _grouped(flow: Flow, ids: tuple[str, ...]) -> Iterator[str]:
    """Ids, with one name for all the tasks of a matrix where all are there."""
    left = dict.fromkeys(ids)
    for task_id in ids:
        if task_id not in left:
            continue
        name = flow.tasks[task_id].name
        members = flow.groups[name]
        if len(members) > 1 and all(one in left for one in members):
            for one in members:
                del left[one]
            # Not in brackets: a number there is a value of the matrix.
            yield f"all {len(members):,} of {name}"
        else:
            del left[task_id]
            yield task_id


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun if number == 1 else noun + 's'}"
