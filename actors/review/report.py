"""The report of a review: one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import dataclasses
import functools
import hashlib
import importlib.resources
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from actors.review.assessment import Assessment, assess, selected
from actors.review.bands import BANDS, band_of
from actors.review.codereport import CodeReport
from actors.review.depgraph import draw_graph
from actors.review.lanes import lay_out_lanes
from actors.review.reduce import reduce_reports
from actors.review.timeline import RunTimeline
from actors.review.treemap import lay_out_treemap
from actors.workers.template_processor import sandbox_module
from actors.workers.templates import Rules, Templates

if TYPE_CHECKING:
    from jinja2 import Template

__all__ = ["REPORT_TEMPLATE", "page_figures", "percent", "prepare_report", "render_report", "report_context"]

_PACKAGE = "actors.review"

REPORT_TEMPLATE: dict[str, Any] = {
    "name": "report.html.j2",
    "folder": str(importlib.resources.files(_PACKAGE).joinpath("templates")),
    "rules": {
        "trim": True,
        "max_output": 256 * 1024 * 1024,
        "filters": {
            "band": "actors.review.bands:band_of",
            "count": "actors.review.display:count",
            "duration": "actors.review.display:duration",
            "language": "actors.analysis.languages:label_of",
            "percent": "actors.review.report:percent",
            "show": "actors.review.display:printable",
            "size": "actors.review.display:size",
        },
    },
}
"""What the template processor renders the report with, beside its context."""

_MOST_FILES = 4000
_MOST_TROUBLES = 400
_MOST_CYCLES = 60
_MOST_FINDINGS = 300
_OF_A_RULE = 20
_MOST_CHANGES = 60
_MOST_HOT = 25
_KINDS = 6
# Width and height of the treemap, width and most boxes of the graph: for a wide screen and for a phone.
_WIDE = ((1200, 640), (1180, 48))
_NARROW = ((360, 560), (360, 18))


@dataclass(frozen=True, slots=True)
class _DistributionRow:
    """One bucket of the distribution, with its share of all functions and of all complexity."""

    label: str
    band: int
    functions: int
    share: float
    weight: float


def render_report(
    code: CodeReport,
    run: RunTimeline | None = None,
    *,
    title: str,
    root: str = "",
    notes: tuple[str, ...] = (),
    generated: datetime | None = None,
    assessment: Assessment | None = None,
) -> str:
    """Render the report as one self-contained HTML page.

    It loads nothing, runs no script but its own (a content security policy says so), and is useful without any.

    Args:
        code: the tree.
        run: who did what, when; without it that section is left out.
        title: the name of what was reviewed.
        root: where it lies.
        notes: sentences on how the files were found, as `Discovery.notes` has them.
        generated: when; now, if it is not given. Naive times are taken as UTC.
        assessment: the score, the findings and how they compare; made of the tree if it is not given.

    Raises:
        ConfigError: the extra `review` is not installed.
    """
    context = report_context(code, run, title=title, root=root, notes=notes, generated=generated, assessment=assessment)
    text: str = sandbox_module().render_bounded(_page(), context, REPORT_TEMPLATE["rules"]["max_output"])
    return text


def prepare_report() -> None:
    """Do beforehand what the first rendering in a process takes a tenth of a second for.

    Raises:
        ConfigError: the extra `review` is not installed.
    """
    render_report(reduce_reports([]), title="")


@functools.cache
def _page() -> Template:
    """The template, compiled: it belongs to the package and does not change."""
    sandbox = sandbox_module()
    environment = sandbox.Sandbox(Rules(**REPORT_TEMPLATE["rules"]), Templates(folder=REPORT_TEMPLATE["folder"]))
    page: Template = sandbox.load_template(environment, REPORT_TEMPLATE["name"])
    return page


def report_context(
    code: CodeReport,
    run: RunTimeline | None = None,
    *,
    title: str,
    root: str = "",
    notes: tuple[str, ...] = (),
    generated: datetime | None = None,
    assessment: Assessment | None = None,
) -> dict[str, Any]:
    """What the template of the report is given: the data with the pictures laid out. Arguments as `render_report`."""
    script = importlib.resources.files(_PACKAGE).joinpath("templates", "report.js").read_text("utf-8")
    made = assess(code) if assessment is None else assessment
    return {
        "assessment": made,
        "shown_findings": selected(made.findings, _MOST_FINDINGS, _OF_A_RULE),
        "new_findings": () if made.comparison is None else selected(made.comparison.new, _MOST_FINDINGS, _OF_A_RULE),
        "of_a_rule": _OF_A_RULE,
        "most_changes": _MOST_CHANGES,
        "most_hot": _MOST_HOT,
        "code": code,
        "totals": code.totals,
        "title": title,
        "root": root,
        "notes": notes,
        "generated": _utc(generated).strftime("%Y-%m-%d %H:%M UTC"),
        "bands": BANDS,
        "treemaps": [lay_out_treemap(code.files, *each[0]) for each in (_WIDE, _NARROW)],
        "pictures": [draw_graph(code, *each[1]) for each in (_WIDE, _NARROW)],
        "lanes": lay_out_lanes(run) if run is not None and run.spans else None,
        "distribution": _distribution(code),
        "cycles": code.graph.cycles[:_MOST_CYCLES],
        "troubles": code.troubles[:_MOST_TROUBLES],
        "listed": _listed(code),
        "kinds": _KINDS,
        "script": script,
        "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    }


def page_figures(context: dict[str, Any]) -> dict[str, Any]:
    """The figures that the page's pictures show, without where they are drawn: plain values, ready for JSON.

    Args:
        context: as `report_context` gives it.
    """
    lanes = context["lanes"]
    return {
        "generated": context["generated"],
        "treemaps": [
            {
                "files": one.files,
                "cells": [{"label": cell.label, "note": cell.note, "title": cell.title} for cell in one.cells],
            }
            for one in context["treemaps"]
        ],
        "graphs": [
            {
                "units": one.units,
                "all_units": one.all_units,
                "boxes": [{"label": box.label, "title": box.title} for box in one.boxes],
                "curves": [curve.title for curve in one.curves],
            }
            for one in context["pictures"]
        ],
        "distribution": [dataclasses.asdict(row) for row in context["distribution"]],
        "listed_files": len(context["listed"]),
        "listed_findings": len(context["shown_findings"]),
        "run": None
        if lanes is None
        else {
            "tasks": lanes.spans,
            "seconds": lanes.seconds,
            "kinds": [{"kind": kind, "tasks": number} for kind, number in lanes.kinds],
            "ticks": [label for _, label in lanes.ticks],
            "agents": [
                {
                    "agent": lane.agent,
                    "tasks": lane.tasks,
                    "failed": lane.failed,
                    "busy": lane.busy,
                    "share": lane.share,
                    "bars": [bar.title for bar in lane.bars],
                }
                for lane in lanes.lanes
            ],
        },
    }


def percent(value: float) -> str:
    """A share that is not nothing is never shown as 0."""
    return f"{value:.1f} %" if value == 0 or value >= 0.05 else "< 0.1 %"


def _utc(moment: datetime | None) -> datetime:
    if moment is None:
        return datetime.now(UTC)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _distribution(code: CodeReport) -> list[_DistributionRow]:
    """The buckets up to the last that has a function."""
    last = max((index for index, bucket in enumerate(code.distribution) if bucket.functions), default=-1)
    rows = []
    for bucket in code.distribution[: last + 1]:
        most = bucket.most
        label = str(bucket.least) if most == bucket.least else f"{bucket.least}–{most}" if most else f"{bucket.least}+"
        share = 100 * bucket.functions / max(1, code.totals.functions)
        weight = 100 * bucket.complexity / max(1, code.totals.complexity)
        rows.append(_DistributionRow(label, band_of(bucket.least), bucket.functions, share, weight))
    return rows


def _listed(code: CodeReport) -> list[Any]:
    """The files of the long table: all, or the largest of a very big tree."""
    if len(code.files) <= _MOST_FILES:
        return list(code.files)
    largest = sorted(code.files, key=lambda one: (-one.lines, one.path))[:_MOST_FILES]
    return sorted(largest, key=lambda one: one.path)
