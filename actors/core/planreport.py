"""What became of a plan and of each of its steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

__all__ = ["PlanReport", "StepReport"]


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """What became of one step.

    Args:
        id: of the step.
        status: "completed", "skipped" (it failed, and the plan went on), "failed", "cancelled" (it ran when the plan was
            stopped) or "not_started".
        result: what it gave, or what stands for it.
        error: why it failed, in words; empty if it did not, or was mended by a further attempt.
        attempts: how often it was handed in, with what was done instead.
        instead: whether the result is that of the step that was done in its place.
        tasks: the ids of its tasks, the first attempt first.
        seconds: from its first start to its end.
        added_by: the step whose result added it; empty for one of the plan.
    """

    id: str
    status: str
    result: Any = None
    error: str = ""
    attempts: int = 0
    instead: bool = False
    tasks: tuple[str, ...] = ()
    seconds: float = 0.0
    added_by: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The same by name. It prints as JSON if the result does."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        values["tasks"] = list(self.tasks)
        return values


@dataclass(frozen=True, kw_only=True)
class PlanReport:
    """What became of a plan.

    Args:
        status: "completed" or "stopped".
        reason: why it was stopped; empty if it was not.
        steps: by id, those of the plan first and then those that were added, each in its order.
        seconds: from its start to its end.
        agents: the ids of the agents that it had for itself.
    """

    status: str
    steps: Mapping[str, StepReport]
    reason: str = ""
    seconds: float = 0.0
    agents: tuple[str, ...] = ()

    def __getitem__(self, step: str) -> Any:
        """The result of a step."""
        return self.steps[step].result

    def to_dict(self) -> dict[str, Any]:
        """The same by name. It prints as JSON if the results do."""
        return {
            "status": self.status,
            "reason": self.reason,
            "seconds": self.seconds,
            "agents": list(self.agents),
            "steps": [step.to_dict() for step in self.steps.values()],
        }
