"""The checker of a review."""

from __future__ import annotations

from actors.workers.quality_checker import QualityChecker

__all__ = ["ReviewChecker"]


class ReviewChecker(QualityChecker):
    """Checks files beside as many others as there are processors.

    A checker that takes much of the processors waits while the machine is short of them and another is at work. A
    review has no more checkers than processors and keeps these busy itself: its checkers would wait for each other.
    """

    agent_type = "review_checker"
    cpu = "moderate"
