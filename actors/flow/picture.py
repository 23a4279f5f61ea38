"""The graph of a workflow, as a picture."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from actors.flow.flow import Flow
from actors.flow.graph import levels
from actors.review.display import printable, shorten

__all__ = ["svg"]

_WIDTH, _HEIGHT = 190, 44
_ACROSS, _DOWN = 70, 16
_EDGE = 20
_LETTERS = 24
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1b1f24}.kind{font-size:11px;fill:#57606a}"
    "rect.task{fill:#f6f8fa;stroke:#8c959f}path{fill:none;stroke:#8c959f}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.kind{fill:#9198a1}"
    "rect.task{fill:#161b22;stroke:#656c76}path{stroke:#656c76}.ground{fill:#0d1117}}"
)


def svg(flow: Flow) -> str:
    """An SVG image: a column for each level, a line from each task to those that come after it."""
    found = levels(flow)
    places: dict[str, tuple[int, int]] = {}
    rows: dict[int, int] = {}
    for task_id, level in found.items():
        row = rows.get(level, 0)
        rows[level] = row + 1
        places[task_id] = (_EDGE + level * (_WIDTH + _ACROSS), _EDGE + row * (_HEIGHT + _DOWN))
    width = 2 * _EDGE + len(rows) * (_WIDTH + _ACROSS) - _ACROSS
    height = 2 * _EDGE + max(rows.values()) * (_HEIGHT + _DOWN) - _DOWN
    size = f'width="{width}" height="{height}"'
    title = escape(printable(f"The workflow {flow.name}: {len(flow.tasks)} tasks"))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {size} role="img" aria-label="{title}">',
            f"<title>{title}</title>",
            f"<style>{_STYLE}</style>",
            f'<rect class="ground" width="{width}" height="{height}" fill="#ffffff"/>',
            *_lines(flow, places),
            *_boxes(flow, places),
            "</svg>\n",
        ]
    )


def _lines(flow: Flow, places: dict[str, tuple[int, int]]) -> Iterator[str]:
    for task in flow.tasks.values():
        to_x, to_y = places[task.id]
        for needed in task.step.needs():
            x, y = places[needed]
            x, y, end = x + _WIDTH, y + _HEIGHT // 2, to_y + _HEIGHT // 2
            middle = (x + to_x) // 2
            yield f'<path d="M{x} {y}C{middle} {y} {middle} {end} {to_x} {end}"/>'


def _boxes(flow: Flow, places: dict[str, tuple[int, int]]) -> Iterator[str]:
    for task in flow.tasks.values():
        x, y = places[task.id]
        name, kind = printable(task.id), printable(task.step.task or "")
        yield (
            f'<g><title>{escape(name)}</title><rect class="task" x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="6"/>'
            f'<text x="{x + 10}" y="{y + 19}">{escape(shorten(name, _LETTERS))}</text>'
            f'<text class="kind" x="{x + 10}" y="{y + 35}">{escape(shorten(kind, _LETTERS))}</text></g>'
        )
