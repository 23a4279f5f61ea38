"""What got better and what got worse since an earlier report."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from actors.quality.finding import Finding
from actors.review.codereport import CodeReport, FileSummary
from actors.review.score import Score

__all__ = ["BadBaseline", "Baseline", "Comparison", "FileChange", "compare", "read_baseline"]

_FORMATS = (1, 2)
_TOOL = "actors"
_MOST_BYTES = 512 * 1024 * 1024


class BadBaseline(Exception):
    """A file is no report of a review; the text says why."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What an earlier report says, as far as it can be compared.

    Args:
        files: the measures of each file by its path.
        findings: path, rule, message and tool by fingerprint; None if the report is of a version that had none.
        score: None likewise.
        checked: whether linters and scanners had run.
        total: the sums over all files by their names.
    """

    files: Mapping[str, Mapping[str, Any]]
    findings: Mapping[str, tuple[str, str, str, str]] | None
    score: float | None
    checked: bool
    total: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class FileChange:
    """One measure of one file, then and now."""

    path: str
    measure: str
    before: int
    now: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed.

    Args:
        worse, better: files whose complexity, most complex function or problems changed for the worse or the better,
            the largest change first.
        new, gone: findings that came and went.
        added, removed: files that came and went.
        score_before, score_now: both scores; None for an earlier report without one, or with other checks than now.
        totals: each sum that changed: its name, then and now.
        partial: whether only a part of the tree was compared.
    """

    worse: tuple[FileChange, ...]
    better: tuple[FileChange, ...]
    new: tuple[Finding, ...]
    gone: tuple[tuple[str, str, str], ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    score_before: float | None
    score_now: float | None
    totals: tuple[tuple[str, float, float], ...]
    partial: bool = False

    @property
    def got_worse(self) -> bool:
        """Whether there is a new finding that is more than a note, or a lower score."""
        lower = None not in {self.score_before, self.score_now} and (self.score_now or 0) < (self.score_before or 0)
        return lower or any(one.severity != "note" for one in self.new)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "got_worse": self.got_worse,
            "worse": [dataclasses.asdict(one) for one in self.worse],
            "better": [dataclasses.asdict(one) for one in self.better],
            "new": [one.to_dict() for one in self.new],
            "gone": [{"path": path, "rule": rule, "message": message} for path, rule, message in self.gone],
            "added": list(self.added),
            "removed": list(self.removed),
            "score_before": self.score_before,
            "score_now": self.score_now,
            "totals": [{"name": name, "before": before, "now": now} for name, before, now in self.totals],
            "partial": self.partial,
        }


def read_baseline(path: str) -> Baseline:
    """Read an earlier report.

    Args:
        path: of a file that `actors review --json` wrote.

    Raises:
        OSError: it cannot be read.
        BadBaseline: it is no such report.
    """
    with open(path, "rb") as file:
        data = file.read(_MOST_BYTES + 1)
    expected = f"expected a report that actors review --json wrote, and {path!r}"
    if len(data) > _MOST_BYTES:
        raise BadBaseline(f"{expected} is larger than any")
    try:
        report = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadBaseline(f"{expected} is not JSON: {error}") from error
    if not isinstance(report, dict) or "report" not in report:
        raise BadBaseline(f"{expected} is something else")
    if report.get("format") not in _FORMATS:
        raise BadBaseline(f"{expected} has the format {report.get('format')!r}; this version reads 1 and 2")
    try:
        return _baseline(report)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise BadBaseline(f"{expected} lacks what a report has: {type(error).__name__}: {error}") from error


def _baseline(report: Mapping[str, Any]) -> Baseline:
    code, quality = report["report"], report.get("quality")
    findings = report.get("findings")
    score = report.get("score")
    return Baseline(
        files={one["path"]: {name: one[name] for name in (*_MEASURES, "status")} for one in code["files"]},
        findings=None
        if findings is None
        else {one["fingerprint"]: (one["path"], one["rule"], one["message"], one["tool"]) for one in findings},
        score=None if score is None else float(score["value"]),
        checked=quality is not None,
        total=_sums(code["totals"]),
    )


_MEASURES = {"peak": "most complex function", "complexity": "complexity", "findings": "problems"}
_SUMS = ("files", "functions", "classes", "imports", "complexity", "peak", "mean_complexity", "errors", "warnings")


def _sums(totals: Mapping[str, Any]) -> dict[str, float]:
    lines = {name: totals["lines"][name] for name in ("total", "code", "comment")}
    names = {"total": "lines", "code": "lines of code", "comment": "lines of comment"}
    sums = {names[name]: value for name, value in lines.items()}
    return sums | {name.replace("_", " "): totals[name] for name in _SUMS}


def compare(
    baseline: Baseline,
    code: CodeReport,
    findings: Sequence[Finding],
    score: Score,
    *,
    checked: bool,
    limit: Collection[str] | None = None,
) -> Comparison:
    """Compare a tree with an earlier report of it.

    Args:
        baseline: the earlier report.
        code, findings, score: the tree now.
        checked: whether linters and scanners ran now. Only what both reports looked for is compared.
        limit: the paths that `code` was limited to; None if it is the whole tree.
    """
    now = {one.path: one for one in code.files}
    then = {path: one for path, one in baseline.files.items() if limit is None or path in limit}
    changes = [change for path in sorted(now.keys() & then.keys()) for change in _changes(path, then[path], now[path])]
    changes.sort(key=lambda one: (-abs(one.now - one.before), one.path, one.measure))
    ours = {one.fingerprint: one for one in findings if one.tool == _TOOL or (checked and baseline.checked)}
    known = baseline.findings or {}
    comparable = limit is None and baseline.findings is not None and checked == baseline.checked
    totals = code.to_dict()["totals"]
    sums = [(name, before, _sums(totals)[name]) for name, before in baseline.total.items()]
    return Comparison(
        worse=tuple(one for one in changes if one.now > one.before),
        better=tuple(one for one in changes if one.now < one.before),
        new=() if baseline.findings is None else tuple(one for mark, one in ours.items() if mark not in known),
        gone=tuple(sorted(_gone(known, ours, limit, checked=checked))),
        added=tuple(sorted(now.keys() - baseline.files.keys())),
        removed=tuple(sorted(then.keys() - now.keys())),
        score_before=baseline.score if comparable else None,
        score_now=score.value if comparable else None,
        totals=() if limit is not None else tuple(one for one in sums if one[1] != one[2]),
        partial=limit is not None,
    )


def _gone(
    known: Mapping[str, tuple[str, str, str, str]],
    ours: Collection[str],
    limit: Collection[str] | None,
    *,
    checked: bool,
) -> Iterator[tuple[str, str, str]]:
    """The findings of the earlier report that there are no more, of those that were looked for."""
    for fingerprint, (path, rule, message, tool) in known.items():
        if fingerprint not in ours and (limit is None or path in limit) and (checked or tool == _TOOL):
            yield path, rule, message


def _changes(path: str, before: Mapping[str, Any], now: FileSummary) -> list[FileChange]:
    return [
        FileChange(path, words, before[name], getattr(now, name))
        for name, words in _MEASURES.items()
        if before[name] != getattr(now, name)
    ]
