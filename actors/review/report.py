"""The report of a review: one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import functools
import hashlib
import os
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from actors.analysis.languages import label_of
from actors.errors import ConfigError
from actors.review import display
from actors.review.bands import BANDS, band_of
from actors.review.codereport import CodeReport
from actors.review.depgraph import draw_graph
from actors.review.lanes import lay_out_lanes
from actors.review.timeline import RunTimeline
from actors.review.treemap import lay_out_treemap

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["render_report", "write_report"]

_MOST_FILES = 4000
_MOST_TROUBLES = 400
_MOST_CYCLES = 60
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

    Raises:
        ConfigError: the extra `review` is not installed.
    """
    environment = _environment()
    script = environment.get_template("report.js").render()
    page = environment.get_template("report.html.j2").render(
        code=code,
        totals=code.totals,
        title=title,
        root=root,
        notes=notes,
        generated=_utc(generated).strftime("%Y-%m-%d %H:%M UTC"),
        bands=BANDS,
        treemaps=[lay_out_treemap(code.files, *each[0]) for each in (_WIDE, _NARROW)],
        pictures=[draw_graph(code, *each[1]) for each in (_WIDE, _NARROW)],
        lanes=lay_out_lanes(run) if run is not None and run.spans else None,
        distribution=_distribution(code),
        cycles=code.graph.cycles[:_MOST_CYCLES],
        troubles=code.troubles[:_MOST_TROUBLES],
        listed=_listed(code),
        kinds=_KINDS,
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
    return page.encode("utf-8", "backslashreplace").decode("utf-8")


def write_report(path: str, page: str) -> None:
    """Write the page, whole or not at all: a reader never sees half of it.

    Args:
        path: the file; its folder is made if need be.
        page: as from `render_report`.

    Raises:
        OSError: the file cannot be written.
    """
    folder = os.path.dirname(os.path.abspath(path))
    os.makedirs(folder, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=".review-", suffix=".html", dir=folder)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(page)
        # mkstemp keeps others out; the report has the rights of any new file.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


@functools.cache
def _environment() -> Environment:
    try:
        import jinja2  # noqa: PLC0415 - an extra
    except ImportError as error:
        message = "the report needs jinja2, which is not installed: pip install 'actors-hub[review]'"
        raise ConfigError(message, key="review", allowed="actors-hub[review]") from error
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("actors.review"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = {
        "band": band_of,
        "count": display.count,
        "duration": display.duration,
        "language": label_of,
        "percent": _percent,
        "show": display.printable,
        "size": display.size,
    }
    environment.filters.update(filters)
    return environment


def _percent(value: float) -> str:
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
