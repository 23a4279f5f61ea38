"""Was the work done as the system promises: by an agent, in an attempt, at recorded times? What bypasses it, counts not."""

from __future__ import annotations

from collections.abc import Collection

from actors import TaskInfo

__all__ = ["wrong_with"]


def wrong_with(info: TaskInfo | None, agents: Collection[str]) -> str:
    """What the record of a task that is over does not say as it should; empty if it does.

    Args:
        info: its record, as `TaskFuture.info` gives it.
        agents: the ids of those that may have done it.
    """
    return "there is no record of a task" if info is None else _wrong_in(info, agents)


def _wrong_in(info: TaskInfo, agents: Collection[str]) -> str:
    if info.status != "completed":
        return f"task {info.id} has its result and is recorded as {info.status!r}"
    if info.agent not in agents:
        return f"task {info.id} was done by {info.agent!r}, which is no agent of the system"
    if info.attempt < 1:
        return f"task {info.id} was done in attempt {info.attempt}"
    if info.assigned is None or info.started is None or info.ended is None:
        return f"task {info.id} has no times: {info.assigned!r}, {info.started!r}, {info.ended!r}"
    if not info.created <= info.assigned <= info.ended or not info.created <= info.started <= info.ended:
        times = ", ".join(f"{at:.6f}" for at in (info.created, info.assigned, info.started, info.ended))
        return f"the times of task {info.id} are out of order: {times}"
    return ""
