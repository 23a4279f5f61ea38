"""The bands of complexity that pictures are coloured by.

The bounds 10, 20 and 50 are those of the Software Engineering Institute (C4 Software Technology Reference Guide, 1997).
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass

__all__ = ["BANDS", "Band", "band_of"]


@dataclass(frozen=True, slots=True)
class Band:
    """One band: complexities from `least` to the next band's."""

    number: int
    least: int
    range: str
    name: str


BANDS = (
    Band(0, 0, "none", "no functions"),
    Band(1, 1, "1–5", "simple"),
    Band(2, 6, "6–10", "plain"),
    Band(3, 11, "11–20", "complex"),
    Band(4, 21, "21–50", "very complex"),
    Band(5, 51, "51+", "beyond testing"),
)
_LEAST = [band.least for band in BANDS]


def band_of(complexity: int) -> int:
    """The number of the band that a complexity is in; 0 for no function at all."""
    return bisect.bisect_right(_LEAST, max(complexity, 0)) - 1
