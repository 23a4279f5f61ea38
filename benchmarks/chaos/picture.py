"""A run over time as SVG: one strip below the other, on one scale of seconds."""

from __future__ import annotations

import math
from collections.abc import Sequence

from actors.testing.pictures.drawing import Drawing
from benchmarks.chaos import figures
from benchmarks.chaos.run import Outcome

__all__ = ["draw"]

_WIDTH = 1200.0
_LEFT = 190.0
_RIGHT = _WIDTH - 24.0
_STRIP = 84.0
_GAP = 40.0
_ROW = 13.0
_INK = "#1f2933"
_SOFT = "#7b8794"
_GRID = "#e4e7eb"
_COLOURS = ("#2563eb", "#047857", "#b45309", "#7c3aed")
_FAULT = "#b91c1c"
_MIB = 2**20

_Points = Sequence[tuple[float, float]]


class _Picture:
    """Draws strips from top to bottom."""

    def __init__(self, seconds: float) -> None:
        self.drawing = Drawing()
        self.seconds = max(seconds, 1.0)
        self.top = 70.0

    def x(self, seconds: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * min(max(seconds / self.seconds, 0.0), 1.0)

    def strip(self, title: str, unit: str, points: _Points, colour: str) -> None:
        """A line over time, above a scale that begins at 0."""
        top, bottom = self.top, self.top + _STRIP
        most = _round_up(max((value for _, value in points), default=1.0))
        self._frame(title, top, bottom)
        self.drawing.text(2, _LEFT - 8, top + 4, [(f"{most:g} {unit}", _SOFT)], size=11, anchor="end")
        self.drawing.text(2, _LEFT - 8, bottom, [("0", _SOFT)], size=11, anchor="end")
        if len(points) > 1:
            line = [(self.x(at), bottom - (bottom - top) * value / most) for at, value in points]
            self.drawing.path(1, line, colour, width=1.2)
        self.top = bottom + _GAP

    def dots(self, title: str, unit: str, points: Sequence[tuple[float, float, str]]) -> None:
        """A dot for each, on a scale of tenfold steps."""
        top, bottom = self.top, self.top + _STRIP * 1.5
        self._frame(title, top, bottom)
        lowest, highest = -2.0, 1.5
        for power in (-2, -1, 0, 1):
            y = bottom - (bottom - top) * (power - lowest) / (highest - lowest)
            self.drawing.path(0, [(_LEFT, y), (_RIGHT, y)], _GRID)
            self.drawing.text(2, _LEFT - 8, y + 4, [(f"{10.0**power:g} {unit}", _SOFT)], size=11, anchor="end")
        for at, value, kind in points:
            level = min(max(math.log10(max(value, 0.001)), lowest), highest)
            y = bottom - (bottom - top) * (level - lowest) / (highest - lowest)
            left, upper = self.x(at) - 1.5, y - 1.5
            self.drawing.rectangle(
                1, (left, upper, left + 3, upper + 3), _FAULT, opacity=0.6, title=f"{kind}: {value:.2f} s"
            )
        self.top = bottom + _GAP

    def ticks(self, title: str, rows: Sequence[tuple[str, Sequence[float]]]) -> None:
        """A row of ticks for each kind."""
        top, bottom = self.top, self.top + _ROW * max(len(rows), 1)
        self._frame(title, top, bottom)
        for number, (kind, moments) in enumerate(rows):
            y = top + _ROW * number
            self.drawing.text(2, _LEFT - 8, y + _ROW - 3, [(f"{kind} ({len(moments)})", _INK)], size=10, anchor="end")
            for moment in moments:
                x = self.x(moment)
                self.drawing.path(1, [(x, y + 2), (x, y + _ROW - 2)], _FAULT, width=1)
        self.top = bottom + _GAP

    def _frame(self, title: str, top: float, bottom: float) -> None:
        self.drawing.rectangle(0, (_LEFT, top, _RIGHT, bottom), "#fbfcfd", stroke=_GRID)
        self.drawing.text(2, _LEFT, top - 8, [(title, f"bold {_INK}")], size=12)

    def scale(self) -> None:
        """The seconds, below all strips."""
        step = _round_up(self.seconds / 12)
        for number in range(int(self.seconds / step) + 1):
            x = self.x(number * step)
            self.drawing.path(0, [(x, 70.0), (x, self.top - _GAP)], _GRID)
            self.drawing.text(2, x, self.top - _GAP + 16, [(f"{number * step:g} s", _SOFT)], size=11, anchor="middle")


def _round_up(value: float) -> float:
    """Return the next of 1, 2, 5, 10, 20 and so on."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(power * step for step in (1, 2, 5, 10) if power * step >= value * 0.999999)


def draw(outcome: Outcome) -> str:
    """Return the picture: throughput, agents, memory, descriptors, faults by kind, recovery times."""
    book, settings = outcome.book, outcome.settings
    began = book.began
    picture = _Picture(outcome.seconds)
    verdict = "every promise kept" if outcome.kept else "a promise was broken"
    tasks = sum(outcome.outcomes.values())
    picture.drawing.text(2, _LEFT, 24, [(f"Chaos: {verdict}", f"bold {_INK}")], size=18)
    what = (
        f"{tasks:,} tasks, {len(book.faults):,} faults in {outcome.seconds:.0f} s, one each {settings.every:g} s; "
        f"{settings.agents} agents, seed {settings.seed}"
    )
    picture.drawing.text(2, _LEFT, 44, [(what, _SOFT)], size=12)
    samples = book.samples
    rates = [(at - began, rate) for at, rate in figures.throughput(samples)]
    strips: list[tuple[str, str, _Points]] = [
        ("tasks ended per second", "/s", rates),
        ("agents that run", "", [(each.at - began, float(each.agents)) for each in samples]),
        ("memory of the program, without what is shared", "MiB", [(s.at - began, s.memory / _MIB) for s in samples]),
        ("open descriptors of the program", "", [(each.at - began, float(each.descriptors)) for each in samples]),
    ]
    for (title, unit, points), colour in zip(strips, _COLOURS, strict=True):
        picture.strip(title, unit, points, colour)
    kinds = [each.kind for each in figures.recoveries(outcome)]
    rows = [(kind, [fault.at - began for fault in book.faults if fault.kind == kind]) for kind in kinds]
    picture.ticks("faults", rows)
    healed = [(f.at - began, time, f.kind) for f in book.faults if (time := figures.recovery(outcome, f)) is not None]
    picture.dots("from the fault until its agents run again, or the part answers", "s", healed)
    picture.scale()
    return picture.drawing.document(_WIDTH, picture.top, "#ffffff", f"Chaos: {verdict}", what)
