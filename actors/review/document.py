"""The report as one document of plain values, which is written as JSON and read by a later comparison."""

from __future__ import annotations

import dataclasses
from typing import Any

from actors.review.bands import BANDS
from actors.review.discover import Discovery
from actors.review.outcome import Outcome
from actors.review.report import page_figures, report_context

__all__ = ["FORMAT", "report_document"]

FORMAT = 2
"""The number of the format. 1 had neither score nor findings."""


def report_document(found: Discovery, outcome: Outcome, version: str, title: str) -> dict[str, Any]:
    """Everything that a review has to say.

    Args:
        found: what was looked for.
        outcome: what came of it.
        version: of the library.
        title: as the page has it.
    """
    run = outcome.run
    lanes = [
        {"agent": agent, "tasks": len(spans), "busy": run.busy(agent)} for agent, spans in sorted(run.lanes().items())
    ]
    context = report_context(
        outcome.code,
        outcome.page_run,
        title=title,
        notes=outcome.notes,
        generated=outcome.generated,
        assessment=outcome.assessment,
    )
    return {
        "format": FORMAT,
        "version": version,
        "root": found.root,
        "method": found.method,
        "notes": list(outcome.notes),
        "left_out": [{"path": one.path, "reason": one.reason} for one in found.left_out],
        "complete": outcome.complete,
        "interrupted": outcome.interrupted,
        "files_found": outcome.found,
        "files_covered": outcome.covered,
        "files_known": outcome.known,
        "analyses_failed": outcome.written_off,
        **outcome.assessment.to_dict(),
        "report": outcome.code.to_dict(),
        "bands": [dataclasses.asdict(band) for band in BANDS],
        "run": run.to_dict() | {"seconds": run.seconds, "lanes": lanes},
        "page": page_figures(context),
    }
