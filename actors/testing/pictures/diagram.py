"""A history as a picture: a sequence diagram in SVG."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Collection
from pathlib import Path

from actors.protocol.states import AgentState
from actors.testing.history import Broken, History
from actors.testing.pictures.captions import PERISHED
from actors.testing.pictures.drawing import Drawing, Part
from actors.testing.pictures.excerpt import DULL_MESSAGES, check_most
from actors.testing.pictures.lettering import breadth, printable, wrap
from actors.testing.pictures.lifelines import lay_out
from actors.testing.pictures.plan import AMBER, GREY, HEAD, INK, RED, SIZE, TAG, Arrow, Plan, Tag

__all__ = ["diagram", "write_diagram"]

_PAPER = "#ffffff"
_LINE = "#8a94a3"
_COLOURS = {
    "initializing": "#dfe3e8",
    "idle": "#ffffff",
    "assigned": "#ffd666",
    "working": "#2f7ebc",
    "communicating": "#7b52ab",
    "waiting": "#c8b2e3",
    "completing": "#5fb58c",
    "error": "#d9432f",
    "terminating": "#4a5463",
}
# For states that are none of an agent's nine.
_OTHERS = ("#e59bb7", "#8fd0d6", "#c5a57a", "#a3b04f")
_SHORTER = {"lost": 0.6, "cut": 0.8}
_MARGIN = 14.0
# A picture higher than this names its lanes at the bottom too.
_TALL = 700.0
# Layers from back to front.
_BACK, _LIFE, _BARS, _ARROWS, _TEXT = range(5)


def diagram(
    history: History,
    *,
    title: str = "What happened, in virtual time",
    most: int | None = 60,
    hide: Collection[str] = DULL_MESSAGES,
) -> str:
    """Draw a history as a sequence diagram, on a white background of its own.

    Time goes down. It is compressed: moments are drawn apart, and a long silence is a break that says how long it was.
    An arrow goes from where a message was sent to where it was handled, so its slope is its time on the way. The bar
    on the line of an agent has the colour of its state; an agent's next incarnation begins a new part of its line.
    What had to be shortened is shown in full when a pointer rests on it. The same history gives the same picture.

    Args:
        history: what happened.
        title: stands over the picture.
        most: messages, faults, notes and moves of tasks to draw, 5 or more; those around the first broken promise
            are kept, and of the others those that tell most. None for all.
        hide: names of messages that are left out unless something befell them.

    Returns:
        The text of an SVG file.

    Raises:
        ConfigError: `most` is too small.
    """
    check_most(most)
    plan = lay_out(history.entries, most, hide)
    return _Picture(plan, title, hide).text


def write_diagram(
    history: History,
    path: str | os.PathLike[str],
    *,
    title: str = "What happened, in virtual time",
    most: int | None = 60,
    hide: Collection[str] = DULL_MESSAGES,
) -> Path:
    """Write the picture of a history to a file, whole or not at all.

    Args:
        history: what happened.
        path: of the file, which is replaced if there is one; its folder is made if need be.
        title: as for `diagram`, like `most` and `hide`.

    Returns:
        Where the file is.

    Raises:
        ConfigError: `most` is too small.
        OSError: the file cannot be written.
    """
    text = diagram(history, title=title, most=most, hide=hide)
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name[:80]}-", dir=target.parent)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        # mkstemp keeps others out; the picture has the rights of any new file.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
    return target


class _Picture:
    """Draws a plan under a heading and over the broken promises."""

    def __init__(self, plan: Plan, title: str, hide: Collection[str]) -> None:
        self._plan = plan
        self._drawing = Drawing()
        self._colours = _colours_of(plan)
        self._width = max(plan.width, 480.0) + _MARGIN
        top = self._heading(title, hide)
        self._top = top
        self._lanes()
        self._bars()
        self._silences()
        self._axis()
        for arrow in plan.arrows:
            self._arrow(arrow)
        self._marks()
        bottom = top + plan.bottom
        if bottom - top > _TALL:
            self._heads(bottom)
            bottom += 30
        bottom = self._promises(bottom + 8)
        people = f"{_count(plan.messages, 'message')} between {_count(len(plan.lanes), 'actor')}"
        promises = "; ".join(f"broken: {broken.invariant}" for _, broken in plan.broken)
        description = f"A sequence diagram: {people}" + (f"; {promises}" if promises else "")
        self.text = self._drawing.document(self._width, bottom + _MARGIN, _PAPER, title, description)

    def _heading(self, title: str, hide: Collection[str]) -> float:
        """Title, figures and legend; where the picture itself begins."""
        plan = self._plan
        y = _MARGIN + 14
        for line in wrap(printable(title), self._width - 2 * _MARGIN, 15, most=2):
            self._drawing.text(_TEXT, _MARGIN, y, [(line, f"bold {INK}")], size=15)
            y += 18
        figures = f"{_count(plan.messages, 'message')}, {_count(len(plan.lanes), 'actor')}"
        if plan.hidden:
            figures += f"; {_count(plan.hidden, 'message')} of no interest left out ({', '.join(sorted(hide))})"
        for line in wrap(printable(figures), self._width - 2 * _MARGIN, SIZE, most=2):
            self._drawing.text(_TEXT, _MARGIN, y, [(line, GREY)], size=SIZE)
            y += 16
        return self._legend(y + 4) + 22

    def _legend(self, y: float) -> float:
        fates = {arrow.fate for arrow in self._plan.arrows}
        entries: list[tuple[str, str]] = [(state, "state") for state in self._colours]
        if self._plan.crosses:
            entries.append(("fault", "fault"))
        if fates & PERISHED:
            entries.append(("message that perished", "perished"))
        if "doubled" in fates:
            entries.append(("doubled message", "doubled"))
        if "" in fates:
            entries.append(("still on its way", "way"))
        x = _MARGIN
        for text, kind in entries:
            wide = 34 + breadth(printable(text), SIZE - 1)
            if x + wide > self._width - _MARGIN and x > _MARGIN:
                x, y = _MARGIN, y + 17
            self._sample(x, y - 4, kind, text)
            self._drawing.text(_TEXT, x + 22, y, [(text, INK)], size=SIZE - 1)
            x += wide + 4
        return y

    def _sample(self, x: float, y: float, kind: str, text: str) -> None:
        draw = self._drawing
        if kind == "state":
            draw.rectangle(_BARS, (x + 4, y - 6, x + 16, y + 6), self._colours[text], stroke=_LINE, width=0.8)
        elif kind == "fault":
            self._cross(x + 10, y, 4.5, RED, 2.2)
        elif kind == "perished":
            draw.path(_ARROWS, [(x, y), (x + 12, y)], RED, width=1.3, dashes="5 3")
            self._cross(x + 15, y, 3.2, RED, 1.4)
        elif kind == "doubled":
            draw.path(_ARROWS, [(x, y), (x + 16, y)], AMBER, width=1.3, dashes="2 2")
            self._point((x, y), (x + 18, y), AMBER)
        else:
            draw.path(_ARROWS, [(x, y), (x + 13, y)], INK, width=1.2, dashes="1 3")
            draw.circle(_ARROWS, x + 15, y, 2.6, _PAPER, INK)

    def _lanes(self) -> None:
        plan, draw, top = self._plan, self._drawing, self._top
        for lane in plan.lanes:
            draw.path(_BACK, [(lane.x, top + HEAD), (lane.x, top + plan.bottom)], "#dde1e7", width=1, dashes="1 4")
        for tag in plan.tags:
            bottom = top + (plan.bottom if tag.bottom is None else tag.bottom)
            draw.path(_LIFE, [(tag.x, top + tag.start), (tag.x, bottom)], _LINE, width=1.2)
            if tag.shown:
                self._tag(tag)
        self._heads(top)

    def _heads(self, y: float) -> None:
        for lane in self._plan.lanes:
            text = printable(lane.head)
            half = breadth(text, SIZE + 1) / 2 + 7
            colour = RED if self._plan.about & set(lane.incarnations) else "#46525f"
            box = (lane.x - half, y, lane.x + half, y + HEAD)
            self._drawing.rectangle(_BARS, box, "#eef1f5", stroke=colour, width=1.2, radius=4)
            self._drawing.text(_TEXT, lane.x, y + 16, [(text, f"bold {INK}")], size=SIZE + 1, anchor="middle")

    def _tag(self, tag: Tag) -> None:
        text = printable(tag.actor)
        half = breadth(text, SIZE - 1) / 2 + 6
        y = self._top + tag.top
        colour = RED if tag.actor in self._plan.about else "#46525f"
        box = (tag.x - half, y, tag.x + half, y + TAG)
        self._drawing.rectangle(_BARS, box, "#eef1f5", stroke=colour, width=1, radius=8)
        self._drawing.text(_TEXT, tag.x, y + 11.5, [(text, INK)], size=SIZE - 1, anchor="middle")

    def _bars(self) -> None:
        for bar in self._plan.bars:
            box = (bar.x - 5.5, self._top + bar.top, bar.x + 5.5, self._top + bar.bottom)
            title = f"{bar.actor} {bar.state}"
            self._drawing.rectangle(_BARS, box, self._colours[bar.state], stroke="#566270", width=0.8, title=title)

    def _silences(self) -> None:
        draw, plan = self._drawing, self._plan
        for height, text in plan.breaks:
            y = self._top + height
            for x in [plan.axis, *(lane.x for lane in plan.lanes)]:
                corners = [(x - 8, y - 1), (x + 8, y - 7), (x + 8, y + 1), (x - 8, y + 7)]
                draw.path(_BARS, corners, "none", fill=_PAPER)
                draw.path(_BARS, corners[:2], _LINE)
                draw.path(_BARS, [corners[3], corners[2]], _LINE)
            draw.text(_TEXT, plan.axis - 10, y + 4, [(text, f"bold {INK}")], size=SIZE - 1, anchor="end")
        for height, missing in plan.gaps:
            y = self._top + height
            draw.rectangle(_BARS, (plan.axis - 3, y - 10, plan.right, y + 10), "#f1f2f4", opacity=0.95)
            text = f"… {_count(missing, 'step')} left out"
            middle = (plan.left + plan.right) / 2
            draw.text(_TEXT, middle, y + 4, [(text, f"bold {GREY}")], size=SIZE, anchor="middle")

    def _axis(self) -> None:
        draw, plan = self._drawing, self._plan
        draw.path(_LIFE, [(plan.axis, self._top + HEAD), (plan.axis, self._top + plan.bottom)], _LINE)
        if plan.tasks_moved:
            draw.text(_TEXT, plan.tasks, self._top + 16, [("tasks", f"bold {GREY}")], size=SIZE)
        last = -math.inf
        for height, text in plan.ticks:
            y = self._top + height
            draw.path(_BACK, [(plan.axis, y), (self._width - _MARGIN, y)], "#eef0f3")
            draw.path(_LIFE, [(plan.axis - 4, y), (plan.axis, y)], _LINE)
            if y - last >= SIZE:
                draw.text(_TEXT, plan.axis - 7, y + 3.5, [(text, GREY)], size=SIZE - 1, anchor="end")
                last = y

    def _arrow(self, arrow: Arrow) -> None:
        draw, top = self._drawing, self._top
        start, end = (arrow.start[0], arrow.start[1] + top), (arrow.end[0], arrow.end[1] + top)
        perished = arrow.fate in PERISHED
        colour = RED if perished else AMBER if arrow.fate == "doubled" else INK
        dashes = {"": "1 3", "handled": "", "doubled": "2 2"}.get(arrow.fate, "5 3")
        points = [start, end]
        if arrow.loop:
            out = start[0] + 24
            points = [start, (out, start[1]), (out, end[1]), end]
        elif arrow.fate in _SHORTER:
            part = _SHORTER[arrow.fate]
            end = (start[0] + (end[0] - start[0]) * part, start[1] + (end[1] - start[1]) * part)
            points = [start, end]
        draw.path(_ARROWS, points, colour, width=1.3, dashes=dashes, title=arrow.title)
        if not arrow.fate:
            draw.circle(_ARROWS, end[0], end[1], 2.6, _PAPER, INK)
        elif perished:
            self._cross(end[0], end[1], 4, colour, 1.6)
        else:
            self._point(points[-2], end, colour)

    def _point(self, start: tuple[float, float], end: tuple[float, float], colour: str) -> None:
        """The head of an arrow."""
        angle = math.atan2(end[1] - start[1], end[0] - start[0])
        sides = [
            (end[0] + 8.5 * math.cos(angle + side), end[1] + 8.5 * math.sin(angle + side)) for side in (2.75, -2.75)
        ]
        self._drawing.path(_ARROWS, [end, *sides], "none", fill=colour)

    def _cross(self, x: float, y: float, reach: float, colour: str, width: float, title: str = "") -> None:
        for tilt in (1, -1):
            ends = [(x - reach, y - reach * tilt), (x + reach, y + reach * tilt)]
            self._drawing.path(_ARROWS, ends, colour, width=width, title=title)

    def _marks(self) -> None:
        draw, top = self._drawing, self._top
        for cross in self._plan.crosses:
            self._cross(cross.x, top + cross.y, 7, _PAPER, 5)
            self._cross(cross.x, top + cross.y, 6, RED, 2.6, cross.title)
        for (left, upper, right, lower), lines, title in self._plan.notes:
            box = (left, top + upper, right, top + lower)
            draw.rectangle(_ARROWS, box, "#fff6d6", stroke="#c9a227", width=0.9, radius=2, title=title)
            for index, line in enumerate(lines):
                place = (left + right) / 2, top + upper + 14 + 14 * index
                draw.text(_TEXT, *place, [(line, INK)], size=SIZE, anchor="middle", title=title)
        for words in self._plan.words:
            place = words.x, top + words.y
            draw.text(_TEXT, *place, words.parts, size=SIZE, anchor=words.anchor, backdrop=_PAPER, title=words.title)
        for words in self._plan.tasks_moved:
            draw.text(_TEXT, words.x, top + words.y, words.parts, size=words.size, title=words.title)

    def _promises(self, y: float) -> float:
        """A red box for each broken promise, and a red line where it broke."""
        draw, plan = self._drawing, self._plan
        for height, _ in plan.broken:
            ends = [(plan.axis, self._top + height), (plan.right, self._top + height)]
            draw.path(_LIFE, ends, RED, width=1.4, dashes="7 4")
        for _, broken in plan.broken:
            y = self._promise(broken, y)
        return y

    def _promise(self, broken: Broken, y: float) -> float:
        room = self._width - 2 * _MARGIN - 24
        lines: list[Part] = [
            (line, f"bold {RED}") for line in wrap(printable(f"Broken: {broken.invariant}"), room / 1.08, SIZE + 1)
        ]
        if broken.text:
            lines += [(line, INK) for line in wrap(printable(broken.text), room, SIZE)]
        high = 16 * len(lines) + 12
        box = (_MARGIN, y, self._width - _MARGIN, y + high)
        self._drawing.rectangle(_BARS, box, "#fdeced", stroke=RED, width=1.4, radius=4)
        for index, (line, colour) in enumerate(lines):
            size = SIZE + 1 if colour.startswith("bold") else SIZE
            self._drawing.text(_TEXT, _MARGIN + 12, y + 18 + 16 * index, [(line, colour)], size=size)
        return y + high + 8


def _colours_of(plan: Plan) -> dict[str, str]:
    """The states that are drawn, in the order of an agent's life, then others as they appear, with their colours."""
    seen = dict.fromkeys(bar.state for bar in plan.bars)
    colours = {str(state): _COLOURS[str(state)] for state in AgentState if str(state) in seen}
    others = [state for state in seen if state not in colours]
    return colours | {state: _OTHERS[index % len(_OTHERS)] for index, state in enumerate(others)}


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
