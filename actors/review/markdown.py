"""The report as Markdown: short, for a comment under a pull request or the summary of a CI job."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from actors.analysis.languages import label_of
from actors.quality.finding import Finding
from actors.review.assessment import Assessment, RuleCount, selected
from actors.review.codereport import CodeReport
from actors.review.compare import Comparison, FileChange
from actors.review.display import count, printable, shorten

__all__ = ["render_markdown"]

_MOST = 20
_OF_A_RULE = 3
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~@!&])")


def render_markdown(code: CodeReport, assessment: Assessment, *, title: str, notes: Sequence[str] = ()) -> str:
    """Render the report.

    Args:
        code: the tree.
        assessment: the score, the findings, how they compare.
        title: the name of what was reviewed.
        notes: sentences for people.
    """
    totals, score = code.totals, assessment.score
    parts = [f"# Review of {_text(title)}", ""]
    if assessment.comparison is not None and assessment.comparison.score_before is not None:
        parts.append(f"**Score: {score.value:.1f} of 100**, before: {assessment.comparison.score_before:.1f}")
    else:
        parts.append(f"**Score: {score.value:.1f} of 100**")
    line = f"{count(totals.files, 'file')}, {count(totals.lines.total, 'line')}, {count(totals.functions, 'function')}"
    line += f", mean complexity {totals.mean_complexity:.2f}" if totals.functions else ""
    numbers = assessment.severities
    line += "; " + ", ".join(count(numbers[severity], severity) for severity in ("error", "warning", "note")) + "."
    parts += ["", line, ""]
    parts += [f"> {_text(note)}  " for note in notes] + ([""] if notes else [])
    if assessment.comparison is not None:
        parts += _comparison(assessment.comparison)
    parts += ["## Why this score", ""]
    parts += _table(
        ("Part", "Lost", "Of", "Why"),
        ((part.name, f"{part.lost:.1f}", str(part.points), _text(part.reason)) for part in score.parts),
    )
    if score.left_out:
        parts += [f"Not measured, as the checks did not run: {', '.join(score.left_out)}.", ""]
    if assessment.findings:
        parts += ["## Findings", "", *_rules(assessment.rules), *_findings(assessment.findings)]
    if assessment.quality is not None and assessment.quality.skipped:
        parts += ["## Checks that did not run", ""]
        parts += [
            f"- {_text(one.tool)}: {_text(one.reason)} {_text(one.install)}" for one in assessment.quality.skipped
        ]
        parts.append("")
    if code.complex_functions:
        parts += ["## The most complex functions", ""]
        parts += _table(
            ("Complexity", "Lines", "Function", "Where"),
            (
                (str(one.complexity), count(one.length), _code(shorten(one.name, 60)), _code(f"{one.path}:{one.line}"))
                for one in code.complex_functions[:10]
            ),
        )
    if code.languages:
        parts += ["## Languages", ""]
        parts += _table(
            ("Language", "Files", "Lines", "Functions"),
            (
                (label_of(name), count(one.files), count(one.lines.total), count(one.functions))
                for name, one in code.languages
            ),
        )
    return "\n".join(parts).rstrip() + "\n"


def _comparison(comparison: Comparison) -> list[str]:
    parts = ["## Since the earlier report", ""]
    new, gone = count(len(comparison.new), "finding"), count(len(comparison.gone))
    added, removed = count(len(comparison.added), "file"), count(len(comparison.removed))
    parts += [f"{new} new, {gone} gone; {added} new, {removed} gone.", ""]
    if comparison.new:
        parts += ["New:", "", *_findings(comparison.new)]
    for name, changes in (("Got worse", comparison.worse), ("Got better", comparison.better)):
        if changes:
            parts += [f"{name}:", "", *_changes(changes)]
    return parts


def _changes(changes: Sequence[FileChange]) -> list[str]:
    rows = ((_code(one.path), one.measure, count(one.before), count(one.now)) for one in changes[:_MOST])
    return _table(("File", "Measure", "Before", "Now"), rows) + _more(len(changes))


def _rules(rules: Sequence[RuleCount]) -> list[str]:
    rows = (
        (one.severity, _text(one.tool), _text(one.rule), count(one.findings), count(one.files)) for one in rules[:_MOST]
    )
    return _table(("Severity", "Tool", "Rule", "Findings", "Files"), rows) + _more(len(rules))


def _findings(findings: Sequence[Finding]) -> list[str]:
    rows = (
        (one.severity, _code(f"{one.path}:{one.line}" if one.line else one.path), _text(one.message), _text(one.rule))
        for one in selected(findings, _MOST, _OF_A_RULE)
    )
    return _table(("Severity", "Where", "What", "Rule"), rows) + _more(len(findings))


def _more(number: int) -> list[str]:
    return [f"and {count(number - _MOST)} more", ""] if number > _MOST else []


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(line)} |" for line in lines] + [""]


def _text(text: str) -> str:
    """A text in which nothing is Markdown, HTML, a mention or a second line: names of files are hostile input."""
    return _SPECIAL.sub(r"\\\1", printable(" ".join(text.split())))


def _code(text: str) -> str:
    """A name in the letters of code; one with a backtick, which would end them, is written as text."""
    text = printable(text)
    return _text(text) if "`" in text else f"`{text.replace('|', chr(92) + '|')}`"
