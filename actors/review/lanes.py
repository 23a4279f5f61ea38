"""The picture of the run: one lane for each agent, time from left to right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from actors.review.display import count, duration, printable, shorten
from actors.review.timeline import RunTimeline, Span

__all__ = ["Bar", "Lane", "Lanes", "lay_out_lanes"]

_ROW = 14.0
_GAP = 2.0
_MOST_ROWS = 6
_TICK_STEPS = (1.0, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class Bar:
    """One span, or several that are too short to be told apart. `kind` is the number of the task type."""

    x: float
    y: float
    width: float
    kind: int
    status: str
    title: str


@dataclass(frozen=True, slots=True)
class Lane:
    """One agent."""

    agent: str
    height: float
    bars: tuple[Bar, ...]
    tasks: int
    failed: int
    busy: str
    share: int


@dataclass(frozen=True, slots=True)
class Lanes:
    """The whole picture, `WIDTH` units wide and stretched to the width of the page.

    Args:
        ticks: (position in percent, label).
        kinds: the types of tasks with their numbers of spans; the position is the number that bars have.
    """

    lanes: tuple[Lane, ...]
    ticks: tuple[tuple[float, str], ...]
    kinds: tuple[tuple[str, int], ...]
    seconds: float
    spans: int
    merged: bool

    WIDTH = 1000


def lay_out_lanes(run: RunTimeline) -> Lanes:
    """Lay out a run. Spans shorter than a thousandth of it are drawn together with their neighbours.

    Args:
        run: any number of spans.
    """
    first, last = run.bounds
    scale = Lanes.WIDTH / max(last - first, 1e-9)
    kinds = Counter(span.kind for span in run.spans)
    ordered = sorted(kinds, key=lambda kind: (-kinds[kind], kind))
    numbers = {kind: index for index, kind in enumerate(ordered)}
    lanes = []
    for agent, spans in run.lanes().items():
        rows = _rows(spans)
        bars = [
            bar for index, row in enumerate(rows) for bar in _bars(row, first, scale, index * (_ROW + _GAP), numbers)
        ]
        busy = run.busy(agent)
        lanes.append(
            Lane(
                agent=printable(agent),
                height=len(rows) * (_ROW + _GAP) - _GAP,
                bars=tuple(bars),
                tasks=len(spans),
                failed=sum(1 for span in spans if span.status == "failed"),
                busy=duration(busy),
                share=round(100 * busy / (last - first)) if last > first else 0,
            )
        )
    drawn = sum(len(lane.bars) for lane in lanes)
    return Lanes(
        lanes=tuple(lanes),
        ticks=tuple(_ticks(last - first)),
        kinds=tuple((printable(kind), kinds[kind]) for kind in ordered),
        seconds=last - first,
        spans=len(run.spans),
        merged=drawn < len(run.spans),
    )


def _rows(spans: Sequence[Span]) -> list[list[Span]]:
    """Spans of one agent side by side where they overlap, as those of async tasks do."""
    rows: list[list[Span]] = []
    for span in spans:
        for row in rows:
            if row[-1].end <= span.start:
                row.append(span)
                break
        else:
            if len(rows) < _MOST_ROWS:
                rows.append([span])
            else:
                min(rows, key=lambda row: row[-1].end).append(span)
    return rows or [[]]


def _bars(row: Sequence[Span], first: float, scale: float, y: float, numbers: dict[str, int]) -> Iterator[Bar]:
    group: list[Span] = []
    for span in row:
        if group and not _fits(group, span, scale):
            yield _bar(group, first, scale, y, numbers)
            group = []
        group.append(span)
    if group:
        yield _bar(group, first, scale, y, numbers)


def _fits(group: Sequence[Span], span: Span, scale: float) -> bool:
    """Whether a span is too short to be drawn beside those before it. What failed is never hidden among others."""
    if span.status != group[-1].status or span.kind != group[-1].kind:
        return False
    return (span.end - group[0].start) * scale < 2.5 and (span.start - group[-1].end) * scale < 1.0


def _bar(group: Sequence[Span], first: float, scale: float, y: float, numbers: dict[str, int]) -> Bar:
    start = group[0].start
    end = max(span.end for span in group)
    one = group[0]
    if len(group) == 1:
        about = f" ({shorten(printable(one.label), 120)})" if one.label else ""
        what = f"{printable(one.task)}{about}: {printable(one.kind)}, {one.status}, {duration(one.seconds)}"
    else:
        what = f"{count(len(group))} tasks of {printable(one.kind)}, {one.status}, {duration(end - start)} together"
    return Bar(
        x=round((start - first) * scale, 2),
        y=y,
        width=round(max((end - start) * scale, 0.8), 2),
        kind=numbers[one.kind],
        status=one.status,
        title=f"{what}, from {duration(start - first)}",
    )


def _ticks(seconds: float) -> Iterator[tuple[float, str]]:
    if seconds <= 0:
        return
    power = 1e-6
    while True:
        step = next((power * step for step in _TICK_STEPS if seconds / (power * step) <= 6), None)
        if step is not None:
            break
        power *= 10
    index = 0
    while index * step <= seconds * 0.97:
        yield round(100 * index * step / seconds, 2), duration(index * step) if index else "0"
        index += 1
