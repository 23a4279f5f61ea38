"""What a review makes of a tree beside its measures: findings, a score, and how they compare."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from actors.quality.finding import Finding, QualityReport, Severity
from actors.review.changes import Changes
from actors.review.codereport import CodeReport
from actors.review.compare import Baseline, Comparison, compare
from actors.review.findings import CODE_TOOL, code_findings
from actors.review.score import Score, score_of
from actors.review.treehistory import TreeHistory

__all__ = ["Assessment", "RuleCount", "assess", "selected"]

_ORDER: Mapping[str, int] = {"error": 0, "warning": 1, "note": 2}


@dataclass(frozen=True, slots=True)
class RuleCount:
    """How often one rule was found."""

    tool: str
    rule: str
    severity: Severity
    findings: int
    files: int


@dataclass(frozen=True, slots=True)
class Assessment:
    """What is made of a tree.

    Args:
        score: from 0 to 100, with its reasons.
        findings: of the analysis and of the checks, the most severe first, then by path and line.
        rules: the same counted by rule, the most severe first, then the most frequent.
        quality: what the checks gave; None if they did not run.
        history: of the files; None if it was not read.
        comparison: with an earlier report, if one was given.
        changes: what a branch changed, if the review is limited to that.
    """

    score: Score
    findings: tuple[Finding, ...]
    rules: tuple[RuleCount, ...]
    quality: QualityReport | None = None
    history: TreeHistory | None = None
    comparison: Comparison | None = None
    changes: Changes | None = None

    @property
    def severities(self) -> dict[str, int]:
        """The number of findings of each severity, zeros too."""
        counts = Counter(one.severity for one in self.findings)
        return {severity: counts[severity] for severity in ("error", "warning", "note")}

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "score": self.score.to_dict(),
            "severities": self.severities,
            "findings": [one.to_dict() for one in self.findings],
            "rules": [dataclasses.asdict(one) for one in self.rules],
            "quality": None if self.quality is None else _without_findings(self.quality),
            "history": None if self.history is None else self.history.to_dict(),
            "comparison": None if self.comparison is None else self.comparison.to_dict(),
            "changes": None if self.changes is None else dataclasses.asdict(self.changes),
        }


def assess(
    code: CodeReport,
    quality: QualityReport | None = None,
    history: TreeHistory | None = None,
    *,
    baseline: Baseline | None = None,
    changes: Changes | None = None,
) -> Assessment:
    """Assess a tree.

    Args:
        code: the tree, or the part of it that was changed.
        quality: what the checks of the same files gave; None if they did not run.
        history: of the same files; None if it was not read.
        baseline: an earlier report.
        changes: what `code` is limited to; None if it is the whole tree.
    """
    checks = None if quality is None else _without_repeats(quality.findings, code)
    score = score_of(code, checks)
    findings = sorted((*code_findings(code), *(checks or ())), key=_rank)
    comparison = None
    if baseline is not None:
        limit = None if changes is None else {*changes.files, *changes.deleted}
        comparison = compare(baseline, code, findings, score, checked=quality is not None, limit=limit)
    return Assessment(score, tuple(findings), _rules(findings), quality, history, comparison, changes)


def _without_repeats(findings: tuple[Finding, ...], code: CodeReport) -> tuple[Finding, ...]:
    """Without the word of the checks that a file cannot be read, where the analysis has said so."""
    told = {one.path for one in code.troubles if one.problem is not None}
    return tuple(one for one in findings if one.tool != CODE_TOOL or one.path not in told)


def selected(findings: Sequence[Finding], most: int, each: int) -> tuple[Finding, ...]:
    """Some findings for a reader, in their order, so that a rule that is found everywhere hides no other.

    Args:
        findings: the most important first.
        most: how many at most.
        each: how many of one rule go before those of other rules.
    """
    counts: Counter[tuple[str, str]] = Counter()
    ranked = []
    for index, one in enumerate(findings):
        counts[one.tool, one.rule] += 1
        ranked.append((counts[one.tool, one.rule] > each, index))
    return tuple(findings[index] for index in sorted(index for _, index in sorted(ranked)[:most]))


def _without_findings(quality: QualityReport) -> dict[str, Any]:
    # They stand among all the findings.
    plain = dataclasses.replace(quality, findings=()).to_dict()
    return {name: value for name, value in plain.items() if name != "findings"}


def _rank(one: Finding) -> tuple[Any, ...]:
    return (_ORDER[one.severity], one.path, one.line or 0, one.tool, one.rule, one.fingerprint)


def _rules(findings: list[Finding]) -> tuple[RuleCount, ...]:
    counts = Counter((one.tool, one.rule, one.severity) for one in findings)
    files: dict[tuple[str, str, Severity], set[str]] = {}
    for one in findings:
        files.setdefault((one.tool, one.rule, one.severity), set()).add(one.path)
    rules = [RuleCount(*key, number, len(files[key])) for key, number in counts.items()]
    return tuple(sorted(rules, key=lambda one: (_ORDER[one.severity], -one.findings, one.tool, one.rule)))
