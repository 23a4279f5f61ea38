"""What comes of a review."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from actors.review.assessment import Assessment
from actors.review.codereport import CodeReport
from actors.review.timeline import RunTimeline

__all__ = ["Outcome"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a review.

    Args:
        code: the report of the tree.
        run: who did what, when.
        assessment: the score, the findings, how it compares.
        page: the HTML page.
        page_run: the run as the page shows it, which was not over when it was made.
        generated: when the review began, as the page shows it.
        notes: sentences for people, as they stand in the page.
        found, covered: files that were found, and those that `code` covers.
        written_off: those among them whose analysis failed, because their agent died or ran out of time, say.
        known: files whose reports came from the cache.
        interrupted: whether it was ended before its end.
    """

    code: CodeReport
    run: RunTimeline
    assessment: Assessment
    page: str
    page_run: RunTimeline
    generated: datetime
    notes: tuple[str, ...]
    found: int
    covered: int
    written_off: int
    known: int = 0
    interrupted: bool = False

    @property
    def complete(self) -> bool:
        """Whether every file was analysed, or reported for what it holds."""
        return not self.interrupted and not self.written_off and self.covered == self.found
