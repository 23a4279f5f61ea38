"""The run of a review itself: which agent did what, and when."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["RunTimeline", "Span"]


@dataclass(frozen=True, slots=True)
class Span:
    """One attempt at one task.

    Args:
        agent: id of the agent.
        task: id of the task.
        kind: type of the task.
        start, end: seconds on one clock, the same for all spans; `end` is not before `start`.
        status: how it ended; "running" if it had not ended when the timeline was taken.
        label: what it was about, for people; empty if the task's id says enough.
    """

    agent: str
    task: str
    kind: str
    start: float
    end: float
    status: Literal["completed", "failed", "cancelled", "retried", "running"] = "completed"
    label: str = ""

    def __post_init__(self) -> None:
        if not self.end >= self.start:
            message = f"span of {self.task}: expected an end at or after the start {self.start}, got {self.end}"
            raise ValueError(message)

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class RunTimeline:
    """All spans of a run, in any order.

    Args:
        spans: one for each attempt.
        started, ended: the run as a whole on the clock of the spans; None takes the first start and the last end.
    """

    spans: tuple[Span, ...] = ()
    started: float | None = None
    ended: float | None = None

    @property
    def bounds(self) -> tuple[float, float]:
        """First and last moment; never narrower than the spans."""
        starts = [span.start for span in self.spans]
        ends = [span.end for span in self.spans]
        if self.started is not None:
            starts.append(self.started)
        if self.ended is not None:
            ends.append(self.ended)
        first = min(starts, default=0.0)
        return first, max(ends, default=first)

    @property
    def seconds(self) -> float:
        """How long the run took."""
        first, last = self.bounds
        return last - first

    def lanes(self) -> dict[str, tuple[Span, ...]]:
        """The spans of each agent, in the order of time; agents in natural order (`a-2` before `a-10`)."""
        by_agent: dict[str, list[Span]] = defaultdict(list)
        for span in self.spans:
            by_agent[span.agent].append(span)
        return {
            agent: tuple(sorted(by_agent[agent], key=lambda span: (span.start, span.end, span.task)))
            for agent in sorted(by_agent, key=_natural)
        }

    def busy(self, agent: str) -> float:
        """Seconds in which an agent had a task running; spans that overlap count once."""
        total = 0.0
        reach = float("-inf")
        for span in self.lanes().get(agent, ()):
            if span.end > reach:
                total += span.end - max(span.start, reach)
                reach = span.end
        return total

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "started": self.bounds[0],
            "ended": self.bounds[1],
            "spans": [dataclasses.asdict(span) for span in self.spans],
        }


def _natural(agent: str) -> tuple[str, int, str]:
    head, _, tail = agent.rpartition("-")
    return (head, int(tail), agent) if head and tail.isdecimal() else (agent, -1, agent)
