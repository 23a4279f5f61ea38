"""How much work an agent may hold ahead of what it runs, from what similar work took before.

Work sent ahead keeps an agent busy while its result travels, but stands behind what runs there: so the longer tasks
take, the fewer are sent. What was sent ahead can be taken back as long as it has not begun.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors.core.fleet import Agent
    from actors.core.task import TaskKind

__all__ = ["LONG", "QUEUED_WORK", "UNKNOWN", "Estimates", "allowance", "release", "reserve"]

UNKNOWN = -1.0
"""The estimate of what has never been measured nor estimated."""

LONG = 0.1
"""A task that takes this many seconds or more gains nothing from being sent ahead."""

QUEUED_WORK = 0.005
"""Beyond the ordinary number, tasks are sent ahead only while an agent holds less work than this, in seconds."""

_FAMILIES = 10_000
_NOTHING = 1e-9


class Estimates:
    """How long tasks take, by family: a running mean that follows a rise at once and a fall slowly."""

    __slots__ = ("means",)

    def __init__(self) -> None:
        self.means: dict[str, float] = {}

    def note(self, family: str, seconds: float) -> None:
        """A task of the family took so long."""
        mean = self.means.get(family)
        if mean is None:
            if len(self.means) >= _FAMILIES:
                del self.means[next(iter(self.means))]
            self.means[family] = seconds
        else:
            self.means[family] = mean + (seconds - mean) * (0.5 if seconds > mean else 0.1)

    def of(self, kind: TaskKind) -> float:
        """How long a task of the kind will take in seconds, or `UNKNOWN`."""
        mean = self.means.get(kind.family)
        if mean is None:
            return UNKNOWN if kind.duration is None else kind.duration
        return mean


def allowance(agent: Agent, estimate: float, at_once: int, very_short_at_once: int) -> int:
    """How many more tasks with this estimate the agent may hold; 0 or less if none.

    As many as it has free slots. Else ahead: none behind or before a long task, one if a duration is unknown, up to
    `at_once` of measured short ones, and up to `very_short_at_once` while all together are `QUEUED_WORK` or less.
    """
    held = len(agent.held) - len(agent.waiting)
    slots = agent.slots
    if agent.longs or estimate >= LONG:
        return slots - held
    if agent.unknowns or estimate < 0:
        return slots - held + (at_once > slots)
    most = max(slots, at_once) - held
    if estimate >= _NOTHING:
        deep = min(very_short_at_once - held, int((QUEUED_WORK - agent.work) / estimate))
    else:
        deep = very_short_at_once - held if agent.work <= QUEUED_WORK else 0
    return max(most, deep)


def reserve(agent: Agent, estimate: float, count: int = 1) -> None:
    """Count tasks with this estimate that the agent gets."""
    if estimate < 0:
        agent.unknowns += count
    elif estimate >= LONG:
        agent.longs += count
    else:
        agent.work += estimate * count


def release(agent: Agent, estimate: float) -> None:
    """Count a task that the agent no longer has; call it after the task has left `held`."""
    if estimate < 0:
        agent.unknowns -= 1
    elif estimate >= LONG:
        agent.longs -= 1
    else:
        agent.work -= estimate
    if not agent.held:
        # Sums of floats drift.
        agent.work = 0.0
