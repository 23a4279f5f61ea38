"""The score of a review, which explains itself: each part says what it measured and what it cost."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from actors.quality.finding import Finding
from actors.review.codereport import CodeReport
from actors.review.display import count
from actors.review.findings import CODE_TOOL

__all__ = ["Part", "Score", "score_of"]

_LARGE_FILE = 1000
_COMPLEX = 11
_WORST = 3


@dataclass(frozen=True, slots=True)
class Part:
    """One of the things that the score is made of.

    Args:
        name: of what is measured.
        points: the most that it can cost.
        lost: what it cost, 0 to `points`, to one decimal.
        value: the measure: a share in percent, or findings per thousand lines of code.
        bound: the measure at which all the points are lost; below, they are lost in proportion.
        unit: of both, for people.
        reason: one sentence that says what was found.
        places: the files where most of it is, the worst first.
    """

    name: str
    points: int
    lost: float
    value: float
    bound: float
    unit: str
    reason: str
    places: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Score:
    """From 0 to 100: what is left of the points of the parts that were measured, in percent.

    Args:
        parts: those that were measured, in a fixed order.
        left_out: names of the parts that were not, as the checks that they need did not run. They count neither for
            nor against.
    """

    parts: tuple[Part, ...]
    left_out: tuple[str, ...] = ()

    @property
    def points(self) -> int:
        """What can be lost at most."""
        return sum(part.points for part in self.parts)

    @property
    def value(self) -> float:
        """The score, to one decimal; 100 if there was nothing to measure."""
        lost = sum(part.lost for part in self.parts)
        return round(100 * (1 - lost / self.points), 1) if self.parts else 100.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "value": self.value,
            "points": self.points,
            "lost": round(sum(part.lost for part in self.parts), 1),
            "parts": [dataclasses.asdict(part) for part in self.parts],
            "left_out": list(self.left_out),
        }


def score_of(code: CodeReport, checks: Iterable[Finding] | None = None) -> Score:
    """Score a tree.

    Args:
        code: the tree.
        checks: what linters and security scanners found; None if they did not run.
    """
    parts = [_complexity(code), _large_files(code), _cycles(code), _problems(code)]
    if checks is None:
        return Score(tuple(parts), ("lint", "security"))
    # What cannot be read has a part of its own, and is no fault if it is data.
    found = [one for one in checks if one.tool != CODE_TOOL]
    parts.append(_density(code, "lint", 15, 50.0, [one for one in found if one.kind == "lint"], _LINT_WEIGHTS))
    parts.append(_density(code, "security", 20, 2.0, [one for one in found if one.kind == "security"], _RISK_WEIGHTS))
    return Score(tuple(parts))


_LINT_WEIGHTS = {"error": 3.0, "warning": 1.0, "note": 0.2}
# A scanner's notes are mostly about tests; they are listed and cost next to nothing.
_RISK_WEIGHTS = {"error": 3.0, "warning": 1.0, "note": 0.02}


def _part(
    name: str, points: int, value: float, bound: float, unit: str, reason: str, places: Iterable[str] = ()
) -> Part:
    lost = round(points * min(1.0, value / bound), 1)
    return Part(name, points, lost, round(value, 2), bound, unit, reason, tuple(places)[:_WORST])


def _percent(some: float, of_all: float) -> float:
    return 100 * some / of_all if of_all else 0.0


def _complexity(code: CodeReport) -> Part:
    buckets = [bucket for bucket in code.distribution if bucket.least >= _COMPLEX]
    functions = sum(bucket.functions for bucket in buckets)
    share = _percent(sum(bucket.complexity for bucket in buckets), code.totals.complexity)
    reason = (
        f"{count(functions, 'function')} of {count(code.totals.functions)} "
        f"{'has' if functions == 1 else 'have'} a complexity above {_COMPLEX - 1}, "
        f"with {share:.1f} % of all complexity in them."
    )
    places = _worst(one.path for one in code.complex_functions if one.complexity >= _COMPLEX)
    return _part("complexity", 30, share, 60.0, "% of all complexity", reason, places)


def _large_files(code: CodeReport) -> Part:
    large = [one for one in code.files if one.lines > _LARGE_FILE]
    share = _percent(sum(one.lines for one in large), code.totals.lines.total)
    verb = "has" if len(large) == 1 else "have"
    reason = (
        f"{count(len(large), 'file')} of {count(code.totals.files)} {verb} more than {count(_LARGE_FILE)} lines, "
        f"with {share:.1f} % of all lines in them."
    )
    places = [one.path for one in sorted(large, key=lambda one: (-one.lines, one.path))]
    return _part("large files", 10, share, 60.0, "% of all lines", reason, places)


def _cycles(code: CodeReport) -> Part:
    cycles = [cycle for cycle in code.graph.cycles if cycle.at_load]
    files = {path for cycle in cycles for path in cycle.files}
    share = _percent(len(files), code.totals.files)
    reason = (
        f"{count(len(files), 'file')} {'is' if len(files) == 1 else 'are'} in {count(len(cycles), 'cycle')} of imports "
        f"at load time, {share:.1f} % of all files."
    )
    return _part("import cycles", 10, share, 30.0, "% of all files", reason, [cycle.path[0] for cycle in cycles])


def _problems(code: CodeReport) -> Part:
    bad = [trouble for trouble in code.troubles if trouble.is_error]
    share = _percent(len(bad), code.totals.files)
    reason = f"{count(len(bad), 'file')} of {count(code.totals.files)} cannot be read or parsed, {share:.1f} %."
    return _part("files with errors", 15, share, 5.0, "% of all files", reason, [trouble.path for trouble in bad])


def _density(
    code: CodeReport, name: str, points: int, bound: float, findings: list[Finding], weights: dict[str, float]
) -> Part:
    thousands = code.totals.lines.code / 1000
    weighed = sum(weights[one.severity] for one in findings)
    # A tree of a few lines is not judged by what one finding would be in a thousand of them.
    value = weighed / max(1.0, thousands)
    numbers = [
        count(number, severity)
        for severity in ("error", "warning", "note")
        if (number := sum(one.severity == severity for one in findings))
    ]
    what = ", ".join(numbers) or "nothing"
    reason = (
        f"{what} found in {count(code.totals.lines.code, 'line')} of code: "
        f"{value:.2f} for each thousand, an error counting {weights['error']:g}, "
        f"a warning {weights['warning']:g}, a note {weights['note']:g}."
    )
    reason = reason[0].upper() + reason[1:]
    places = _worst(one.path for one in findings if one.severity != "note")
    return _part(name, points, value, bound, "per thousand lines of code", reason, places)


def _worst(paths: Iterable[str]) -> list[str]:
    """The paths that come most often, those first."""
    times: dict[str, int] = {}
    for path in paths:
        times[path] = times.get(path, 0) + 1
    return sorted(times, key=lambda path: (-times[path], path))
