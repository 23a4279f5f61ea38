"""How far a review has come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from actors.review.recorder import AgentView

__all__ = ["Phase", "Progress"]

Phase = Literal["starting", "analysing", "reducing", "checking", "rendering"]


@dataclass(frozen=True, slots=True)
class Progress:
    """One look at a review.

    Args:
        phase: what is being done.
        files, done: how many files there are, and how many have been looked into.
        cost, done_cost: the same by what they take; `done_cost` counts the parts of running tasks that are done.
        written_off: files whose analysis failed.
        seconds: since the beginning of the analysis.
        agents: how they stand.
    """

    phase: Phase
    files: int
    done: int
    cost: float
    done_cost: float
    written_off: int
    seconds: float
    agents: tuple[AgentView, ...] = ()

    @property
    def fraction(self) -> float:
        """From 0 to 1, by what files take."""
        return min(1.0, self.done_cost / self.cost) if self.cost else 1.0

    @property
    def rate(self) -> float:
        """Files in a second."""
        return self.done / self.seconds if self.seconds > 0 else 0.0

    @property
    def left(self) -> float | None:
        """Seconds until all files are looked into, if it goes on as it went; None when there is too little to tell."""
        if self.fraction < 0.02 or self.seconds < 0.5:
            return None
        return self.seconds * (1 - self.fraction) / self.fraction
