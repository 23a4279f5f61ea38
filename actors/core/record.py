"""What errors tell of the task that they end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from actors.errors.recorded import RecordedError

if TYPE_CHECKING:
    from actors.core.task import Task

__all__ = ["task_facts", "told_by"]

E = TypeVar("E", bound=RecordedError)


def task_facts(task: Task, now: float) -> dict[str, Any]:
    """The facts of a `RecordedError` that the scheduler's mind knows by itself."""
    facts = {
        "task_id": task.id,
        "task_type": task.kind.name,
        "attempt": task.attempt,
        "ran": None if task.started is None else max(0.0, now - task.started),
        "agent_id": task.agent,
        "agent_type": None if task.agent is None else task.agent.rpartition("-")[0],
        "incarnation": task.incarnation,
    }
    return {name: fact for name, fact in facts.items() if fact is not None}


def told_by(error: E, death: RecordedError) -> E:
    """An error with what is known from the death of its agent."""
    error.learn(death)
    return error
