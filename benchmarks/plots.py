"""What was measured as pictures in SVG, each on its own white ground, so that it can be read on a page of any colour."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence

from actors.testing.pictures.drawing import Drawing
from benchmarks.peers.registry import BARE, ENTRANTS, OURS
from benchmarks.report import Measured, Report
from benchmarks.row import Row
from benchmarks.rows import ROWS

__all__ = ["curve", "pictures", "ratios"]

_WIDTH = 960.0
_INK = "#1f2933"
_SOFT = "#5f6c7b"
_GRID = "#e4e7eb"
_GROUND = "#ffffff"
_COLOURS = (
    "#2563eb", "#b45309", "#047857", "#7c3aed", "#be123c", "#0e7490", "#4d7c0f", "#a21caf", "#92400e", "#334155",
)  # fmt: skip
_Scale = tuple[float, float]
"""The powers of ten at both ends."""


def pictures(report: Report, rows: Sequence[Row] = ROWS) -> dict[str, str]:
    """Each curve by the key of its row, and "ratios" of all others, if there is anything to draw."""
    known = [(row, report.rows[row.key]) for row in rows if row.key in report.rows]
    drawn = {row.key: curve(row, measured) for row, measured in known if row.axes is not None and _lines(row, measured)}
    if any(_dots(row, measured) for row, measured in known if row.axes is None):
        drawn["ratios"] = ratios([pair for pair in known if pair[0].axes is None])
    return drawn


def _colour(name: str) -> str:
    return _COLOURS[list(ENTRANTS).index(name) % len(_COLOURS)] if name in ENTRANTS else _INK


# --- how many times as good ------------------------------------------------------------------------------------------


def _dots(row: Row, measured: Measured) -> list[tuple[str, float]]:
    """By peer, how many times as good this library is; limits of the machine and its own variants are no peers."""
    found = []
    for name in measured.samples:
        values = [] if name.startswith(OURS) or name in BARE else measured.ratios(row.figure, name, row.entrants[0])
        times = [value if row.more_is_better else 1 / value for value in values if value > 0]
        if times:
            found.append((name, statistics.median(times)))
    return sorted(found, key=lambda dot: dot[1])


def ratios(known: Sequence[tuple[Row, Measured]]) -> str:
    """A line for each piece of work, with a dot for each peer, on a scale of tenfold steps."""
    rows = [(row, dots) for row, measured in known if (dots := _dots(row, measured))]
    values = [value for _, dots in rows for _, value in dots]
    scale = _scale([*values, 1.0])
    left, right, step, top = 340.0, _WIDTH - 30, 46.0, 100.0
    bottom = top + step * len(rows)
    drawing = Drawing()
    drawing.text(2, 20, 28, [("So many times as good as the peer, by work", f"bold {_INK}")], size=15)
    _legend(drawing, list(dict.fromkeys(name for _, dots in rows for name, _ in dots)), 52)

    def x(value: float) -> float:
        return left + (right - left) * _part(value, scale)

    _ticks(drawing, scale, x, (top - 8, bottom))
    drawing.path(1, [(x(1), top - 8), (x(1), bottom)], _SOFT, width=1.5)
    drawing.text(2, x(1) - 6, bottom + 34, [("the peer is better", _SOFT)], size=11, anchor="end")
    drawing.text(2, x(1) + 6, bottom + 34, [("actors is better", _SOFT)], size=11)
    for number, (row, dots) in enumerate(rows):
        y = top + step * number + step / 2
        drawing.path(0, [(left, y), (right, y)], _GRID)
        drawing.text(2, left - 12, y + 4, [(row.title, _INK)], size=12, anchor="end")
        for place, (name, value) in enumerate(dots):
            drawing.circle(1, x(value), y, 5, _colour(name), _GROUND)
            above = y - 9 if place % 2 == 0 else y + 17
            drawing.text(2, x(value), above, [(_short(value), _colour(name))], size=10, anchor="middle")
    told = "; ".join(f"{row.title}: {', '.join(f'{name} {_short(v)}' for name, v in dots)}" for row, dots in rows)
    return drawing.document(_WIDTH, bottom + 50, _GROUND, "Ratios to each peer", told)


# --- cost against size -----------------------------------------------------------------------------------------------


def _lines(row: Row, measured: Measured) -> dict[str, list[tuple[float, float]]]:
    """The medians of each entrant, by their place on the x axis."""
    found = {}
    for name in measured.samples:
        points = {point for sample in measured.samples[name] for point in sample["figures"]}
        line = [
            (float(point), statistics.median(values)) for point in points if (values := measured.values(name, point))
        ]
        if line:
            found[name] = sorted(line)
    return {name: found[name] for name in row.entrants if name in found}


def curve(row: Row, measured: Measured) -> str:
    """Both axes in tenfold steps, a line with dots for each entrant."""
    lines = _lines(row, measured)
    across = _scale([place for line in lines.values() for place, _ in line])
    along = _scale([value for line in lines.values() for _, value in line])
    left, right, top, bottom = 90.0, _WIDTH - 30, 100.0, 440.0
    drawing = Drawing()
    drawing.text(2, 20, 28, [(row.title, f"bold {_INK}")], size=15)
    _legend(drawing, list(lines), 52)

    def x(value: float) -> float:
        return left + (right - left) * _part(value, across)

    def y(value: float) -> float:
        return bottom - (bottom - top) * _part(value, along)

    _ticks(drawing, across, x, (top, bottom))
    for power in range(math.ceil(along[0]), math.floor(along[1]) + 1):
        level = y(10.0**power)
        drawing.path(0, [(left, level), (right, level)], _GRID)
        drawing.text(2, left - 8, level + 4, [(_short(10.0**power), _SOFT)], size=11, anchor="end")
    axes = row.axes
    drawing.text(2, left, top - 10, [(axes.y if axes is not None else row.unit, _SOFT)], size=11)
    drawing.text(2, right, bottom + 36, [(axes.x if axes is not None else "", _SOFT)], size=11, anchor="end")
    for name, line in lines.items():
        drawing.path(1, [(x(place), y(value)) for place, value in line], _colour(name), width=2)
        for place, value in line:
            drawing.circle(1, x(place), y(value), 3.5, _colour(name), _GROUND)
    told = "; ".join(
        f"{name}: {', '.join(f'{_short(p)}: {_short(v)}' for p, v in line)}" for name, line in lines.items()
    )
    return drawing.document(_WIDTH, bottom + 52, _GROUND, row.title, f"{row.unit}. {told}")


# --- both --------------------------------------------------------------------------------------------------------------


def _legend(drawing: Drawing, names: Sequence[str], y: float) -> None:
    x = 20.0
    for name in names:
        if x + 20 + 6.6 * len(name) > _WIDTH:
            x, y = 20.0, y + 18
        drawing.circle(1, x + 5, y - 4, 5, _colour(name), _GROUND)
        drawing.text(2, x + 15, y, [(name, _INK)], size=12)
        x += 32 + 6.6 * len(name)


def _ticks(drawing: Drawing, scale: _Scale, x: Callable[[float], float], ends: tuple[float, float]) -> None:
    for power in range(math.ceil(scale[0]), math.floor(scale[1]) + 1):
        place = x(10.0**power)
        drawing.path(0, [(place, ends[0]), (place, ends[1])], _GRID)
        drawing.text(2, place, ends[1] + 18, [(_short(10.0**power), _SOFT)], size=11, anchor="middle")


def _scale(values: Sequence[float]) -> _Scale:
    """Whole powers would leave half of a picture empty: to the next third of one."""
    known = [value for value in values if value > 0] or [1.0]
    low, high = math.floor(math.log10(min(known)) * 3 - 0.5) / 3, math.ceil(math.log10(max(known)) * 3 + 0.5) / 3
    return low, max(high, low + 1)


def _part(value: float, scale: _Scale) -> float:
    at = math.log10(value) if value > 0 else scale[0]
    return min(max((at - scale[0]) / (scale[1] - scale[0]), 0.0), 1.0)


def _short(value: float) -> str:
    for size, sign in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= size:
            shown = value / (1e3 if sign == "k" else size)
            return f"{shown:,.3g} {sign}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
