"""From the reports of files to the report of the tree."""

from __future__ import annotations

import bisect
import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from actors.analysis.filereport import FileReport
from actors.analysis.lines import LineCounts
from actors.review.bands import BANDS
from actors.review.codereport import Bucket, CodeReport, FileSummary, Graph, HotFunction, Totals, Trouble
from actors.review.graph import build_graph

__all__ = ["BOUNDS", "reduce_batches", "reduce_reports"]

_T = TypeVar("_T")
_RISKY = BANDS[4].least

BOUNDS = (1, 2, 3, 4, 5, 6, 8, 11, 16, 21, 31, 51, 101)
"""The least complexity of each bucket of the distribution."""


def reduce_reports(
    reports: Iterable[FileReport], *, top: int = 25, limit: Collection[str] | None = None, package: str = ""
) -> CodeReport:
    """Reduce the reports of all files to one.

    Args:
        reports: in any order; the result is the same. A path that comes twice counts once, with the report that
            comes last.
        top: how many hot spots of each kind, 1 or more.
        limit: the paths that the report is about; None for all. The others are looked at only to tell what those
            depend on: of the graph remain the arrows from and to them, and the cycles that go through them.
        package: the dotted name of the Python package that the root of the tree itself is; empty if it is none.

    Raises:
        ValueError: `top` is less than 1.
    """
    if top < 1:
        message = f"top: expected 1 or more, got {top}"
        raise ValueError(message)
    unique = {report.path: report for report in reports}
    ordered = [unique[path] for path in sorted(unique)]
    graph = build_graph(ordered, package)
    if limit is not None:
        ordered = [report for report in ordered if report.path in limit]
        graph = _limited(graph, set(limit))
    by_language: dict[str, list[FileReport]] = defaultdict(list)
    for report in ordered:
        by_language[report.language or "unknown"].append(report)
    languages = [(language, _totals(some)) for language, some in by_language.items()]
    files = [_summary(report) for report in ordered]
    functions = [
        HotFunction(report.path, one.name, one.line, one.complexity, one.length, one.parameters)
        for report in ordered
        for one in report.functions
    ]
    return CodeReport(
        totals=_totals(ordered),
        languages=tuple(sorted(languages, key=lambda each: (-each[1].lines.total, each[0]))),
        complex_functions=_top(functions, top, lambda one: (-one.complexity, -one.length, one.path, one.line)),
        long_functions=_top(functions, top, lambda one: (-one.length, -one.complexity, one.path, one.line)),
        complex_files=_top(files, top, lambda one: (-one.complexity, -one.lines, one.path)),
        large_files=_top(files, top, lambda one: (-one.lines, -one.bytes, one.path)),
        distribution=_distribution(one.complexity for one in functions),
        graph=graph,
        troubles=tuple(sorted(_troubles(ordered), key=lambda one: (not one.is_error, one.path))),
        files=tuple(files),
        risky_functions=tuple(
            sorted(
                (one for one in functions if one.complexity >= _RISKY),
                key=lambda one: (-one.complexity, one.path, one.line),
            )
        ),
    )


def reduce_batches(
    batches: Sequence[Sequence[FileReport]],
    others: Sequence[FileReport] = (),
    limit: Collection[str] | None = None,
    package: str = "",
) -> CodeReport:
    """Reduce what several tasks brought back, and reports from elsewhere. See `reduce_reports`."""
    return reduce_reports([report for batch in (*batches, others) for report in batch], limit=limit, package=package)


def _limited(graph: Graph, paths: set[str]) -> Graph:
    edges = tuple(edge for edge in graph.edges if edge.source in paths or edge.target in paths)
    cycles = tuple(cycle for cycle in graph.cycles if not paths.isdisjoint(cycle.files))
    return replace(graph, edges=edges, cycles=cycles)


def _top(items: Sequence[_T], count: int, key: Callable[[_T], Any]) -> tuple[_T, ...]:
    return tuple(heapq.nsmallest(count, items, key=key))


def _totals(reports: Sequence[FileReport]) -> Totals:
    analysed = sum(1 for report in reports if report.status == "analysed")
    severities = Counter(finding.severity for report in reports for finding in report.findings)
    return Totals(
        files=len(reports),
        analysed=analysed,
        reported=len(reports) - analysed,
        bytes=sum(report.bytes for report in reports),
        lines=sum((report.lines for report in reports), LineCounts()),
        functions=sum(len(report.functions) for report in reports),
        classes=sum(report.classes for report in reports),
        imports=sum(len(report.imports) for report in reports),
        complexity=sum(report.complexity for report in reports),
        peak=max((report.peak for report in reports), default=0),
        errors=severities["error"],
        warnings=severities["warning"],
    )


def _summary(report: FileReport) -> FileSummary:
    return FileSummary(
        path=report.path,
        language=report.language,
        status=report.status,
        bytes=report.bytes,
        lines=report.lines.total,
        code=report.lines.code,
        functions=len(report.functions),
        complexity=report.complexity,
        peak=report.peak,
        findings=len(report.findings),
    )


def _distribution(complexities: Iterable[int]) -> tuple[Bucket, ...]:
    functions = [0] * len(BOUNDS)
    sums = [0] * len(BOUNDS)
    for complexity in complexities:
        index = bisect.bisect_right(BOUNDS, complexity) - 1
        functions[index] += 1
        sums[index] += complexity
    ends = [*(least - 1 for least in BOUNDS[1:]), None]
    return tuple(map(Bucket, BOUNDS, ends, functions, sums))


def _troubles(reports: Sequence[FileReport]) -> Iterable[Trouble]:
    for report in reports:
        if report.problem is not None or report.findings:
            yield Trouble(report.path, report.language, report.problem, report.detail, report.findings)
