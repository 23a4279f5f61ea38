"""Who wrote the lines that a file has now, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["BlameReport", "LineOrigin"]


@dataclass(frozen=True, slots=True)
class LineOrigin:
    """Neighbouring lines that came with one commit.

    Args:
        line: the first, counted from 1.
        lines: how many.
        commit: in hexadecimal.
        author: "Name <address>", as the mailmap has it.
        time: when it was committed, in seconds since 1970.
    """

    line: int
    lines: int
    commit: str
    author: str
    time: float


@dataclass(frozen=True, slots=True)
class BlameReport:
    """Where the lines of one file come from, or why that is not known.

    Args:
        path: relative to the repository's root.
        origins: in the order of the lines.
        problem: why there are none: "missing", "binary", "huge", "not_a_file" or "failed"; None if all is well.
        detail: the same in words.
    """

    path: str
    origins: tuple[LineOrigin, ...] = ()
    problem: str | None = None
    detail: str = ""

    @property
    def lines(self) -> int:
        """How many lines the file has."""
        return sum(one.lines for one in self.origins)

    @property
    def authors(self) -> Mapping[str, int]:
        """Lines by author, most first."""
        counts: dict[str, int] = {}
        for one in self.origins:
            counts[one.author] = counts.get(one.author, 0) + one.lines
        return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))

    @property
    def oldest(self) -> float | None:
        """When the oldest line came, in seconds since 1970; None without lines."""
        return min((one.time for one in self.origins), default=None)

    @property
    def newest(self) -> float | None:
        """When the newest line came."""
        return max((one.time for one in self.origins), default=None)

    @property
    def median(self) -> float | None:
        """Half of the lines came at this time or before."""
        passed = 0
        for one in sorted(self.origins, key=lambda each: each.time):
            passed += one.lines
            if passed * 2 >= self.lines:
                return one.time
        return None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "path": self.path,
            "lines": self.lines,
            "authors": dict(self.authors),
            "oldest": self.oldest,
            "newest": self.newest,
            "median": self.median,
            "origins": [
                {"line": o.line, "lines": o.lines, "commit": o.commit, "author": o.author, "time": o.time}
                for o in self.origins
            ],
            "problem": self.problem,
            "detail": self.detail,
        }
