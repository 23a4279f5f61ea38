"""Whether what is to be reached was reached."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from benchmarks.report import Measured
from benchmarks.row import Goal, Row

__all__ = ["Verdict", "verdicts"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One goal: what was measured, what was wanted, and whether that is so; None if nothing is there to judge by."""

    goal: Goal
    value: float | None
    reached: bool | None
    why: str = ""

    def wanted(self) -> str:
        """The goal in words."""
        sign = "≥" if self.goal.at_least else "≤"
        of = f"× {self.goal.rival} {self.goal.text}" if self.goal.rival else self.goal.text
        whose = f" ({self.goal.whose})" if self.goal.whose else ""
        return f"{sign} {self.goal.bound:.4g} {of}".rstrip() + whose

    def measured(self) -> str:
        """The value; empty if there is none."""
        if self.value is None:
            return ""
        return f"{self.value:,.0f}" if abs(self.value) >= 100 else f"{self.value:.3g}"

    def said(self) -> str:
        """What came of it, in words."""
        if self.reached is None:
            return f"{self.wanted()}: {self.why}"
        return f"{self.wanted()}: {self.measured()}, {'reached' if self.reached else 'missed'}"


def verdicts(row: Row, measured: Measured) -> list[Verdict]:
    """Judge a row by its goals: medians of the rounds, of the ratios round by round where there is a rival."""
    return [_verdict(goal, row, measured) for goal in row.goals]


def _verdict(goal: Goal, row: Row, measured: Measured) -> Verdict:
    if why := measured.disqualified():
        return Verdict(goal, None, None, f"disqualified: {why}")
    ours = goal.whose or row.entrants[0]
    values = measured.ratios(goal.figure, goal.rival, ours) if goal.rival else measured.values(ours, goal.figure)
    if not values:
        return Verdict(goal, None, None, "not measured")
    value = statistics.median(values)
    return Verdict(goal, value, value >= goal.bound if goal.at_least else value <= goal.bound)
