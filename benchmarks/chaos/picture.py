"""A run over time as SVG."""

from __future__ import annotations

from benchmarks.chaos.run import Outcome

__all__ = ["draw"]


def draw(outcome: Outcome) -> str:
    """Draw."""
    return ""
