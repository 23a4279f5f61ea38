"""Where everything of a sequence diagram stands: actors from left to right, virtual time downwards."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Collection, Sequence

from actors.testing.history import Broken, Entry, Fault, Moved, Note, Received, Sent
from actors.testing.pictures.captions import Captions, move_text
from actors.testing.pictures.chosen import Chosen, choose
from actors.testing.pictures.labels import settle
from actors.testing.pictures.lanes import TASK_ROOM, Lanes
from actors.testing.pictures.lettering import breadth, decimals_for, printable, shorten, span, wrap
from actors.testing.pictures.plan import (
    GREY,
    HEAD,
    RED,
    SIZE,
    TAG,
    Arrow,
    Bar,
    Box,
    Cross,
    Lane,
    Plan,
    Tag,
    Words,
)

__all__ = ["lay_out"]

_NOTE_ROOM = 190.0
# The least way down from one moment to the next.
_STEP = 12.0
# A silence so many times as long as usual is drawn as a break.
_LONG = 40.0
# The least length of a bar, so that a state left at once is seen too.
_LEAST_BAR = 7.0


def lay_out(entries: Sequence[Entry], most: int | None, hide: Collection[str]) -> Plan:
    """Find a place for everything, so that no text covers another.

    Args:
        entries: of the history.
        most: steps to draw, None for all.
        hide: names of messages that are left out unless something befell them.
    """
    plan = _Layout(choose(entries, most, hide)).plan
    settle(plan)
    return plan


class _Layout:
    """One pass over the entries from top to bottom.

    Invariant: `_y` never goes up, and whatever is placed is pushed down until its text meets no other text.
    """

    def __init__(self, chosen: Chosen) -> None:
        self._chosen = chosen
        self.plan = Plan(about=chosen.about, hidden=len(chosen.dull))
        times = [entry.time for index, entry in enumerate(chosen.entries) if chosen.is_drawn(index, entry)]
        waits = [after - before for before, after in itertools.pairwise(times) if after > before]
        self._unit = statistics.median_low(waits) if waits else 1.0
        self._captions = Captions(chosen, decimals_for(times))
        silences = [_silence(wait) for wait in waits if self._is_long(wait)]
        self._across = Lanes(chosen, self._captions, self.plan, silences)
        self._boxes: list[Box] = []
        self._tags: dict[str, Tag] = {}
        # The state of each agent, and since where it is drawn.
        self._states: dict[str, tuple[str, float]] = {}
        # What became of agents in steps that are left out: by lane, the incarnation and its state, None if it died.
        self._meanwhile: dict[str, tuple[str, str | None]] = {}
        self._starts: dict[int, tuple[float, float]] = {}
        self._texts: dict[int, Words] = {}
        self._time: float | None = None
        self._missing = 0
        self._task_mark = 0.0
        several = any(len(lane.incarnations) > 1 for lane in self.plan.lanes)
        self._y = HEAD + (TAG + 6 if several else 0) + 14
        for index, entry in enumerate(chosen.entries):
            if isinstance(entry, Moved) and entry.kind == "agent":
                self._agent_moved(entry)
            elif chosen.is_drawn(index, entry):
                self._step(entry)
            elif index in chosen.steps:
                self._missing += 1
                if isinstance(entry, Fault) and entry.what.startswith("dies"):
                    self._meanwhile[entry.actor.partition("#")[0]] = (entry.actor, None)
        self._finish()

    def _step(self, entry: Entry) -> None:
        if not isinstance(entry, Received):
            # The fate of a message belongs to a step before the gap, and does not cut the gap in two.
            self._close_gap()
        self._go_on_to(entry.time)
        match entry:
            case Sent():
                self._sent(entry)
            case Received():
                self._received(entry)
            case Fault():
                self._fault(entry)
            case Note():
                self._note(entry)
            case Broken():
                self._y += _STEP
                self.plan.broken.append((self._y, entry))
            case Moved():
                self._task_moved(entry)
        self._tick(entry.time)

    def _tick(self, time: float) -> None:
        if time != self._time:
            self._time = time
            self.plan.ticks.append((self._y, self._captions.moment(time)))

    def _close_gap(self) -> None:
        """Show how many steps were left out, if any were, and what became of the agents meanwhile."""
        if not self._missing:
            return
        self._y += 18
        self.plan.gaps.append((self._y, self._missing))
        self._boxes.append((self.plan.left, self._y - 11, self.plan.right, self._y + 11))
        self._y += 14
        self._missing = 0
        self._time = None
        meanwhile, self._meanwhile = self._meanwhile, {}
        for actor, state in meanwhile.values():
            if self._across.find(actor) is None:
                continue
            self._live(actor)
            if state is None:
                self._end(self._tags[actor], self._y)
            else:
                self._show_state(actor, "", state)

    def _is_long(self, wait: float) -> bool:
        return wait > _LONG * self._unit

    def _go_on_to(self, time: float) -> None:
        if self._time is None:
            self._y += _STEP
            return
        wait = time - self._time
        if wait <= 0:
            return
        if self._is_long(wait):
            self._y += 22
            self.plan.breaks.append((self._y, _silence(wait)))
            self._boxes.append((self.plan.left, self._y - 8, self.plan.right, self._y + 8))
            self._y += 22
        else:
            self._y += _STEP + min(24.0, 8 * math.log10(1 + wait / self._unit))

    def _free(self, left: float, right: float, above: float, below: float) -> float:
        """Go down until the box from `above` over to `below` under `_y` meets no other, and take the place."""
        moved = True
        while moved:
            moved = False
            for box in self._boxes:
                if box[0] < right and left < box[2] and box[1] < self._y + below and self._y - above < box[3]:
                    self._y = box[3] + above + 0.5
                    moved = True
        # What ends this far above can meet nothing that comes: no text is that high.
        self._boxes = [box for box in self._boxes if box[3] > self._y - 60]
        self._boxes.append((left, self._y - above, right, self._y + below))
        return self._y

    def _mark(self, lane: Lane, apart: float = 9.0) -> float:
        """A height on a lane that is apart from the last thing there."""
        self._y = max(self._y, lane.mark + apart)
        lane.mark = self._y
        return self._y

    def _live(self, actor: str) -> float:
        """See to it that the part of an incarnation has begun; how broad its tag is beside `_y`, 0 if it was there."""
        lane = self._across.find(actor)
        if lane is None:
            return 0.0
        known = self._tags.get(actor)
        if known is not None:
            known.last = max(known.last, self._y)
            return 0.0
        several = len(lane.incarnations) > 1
        others = [tag for tag in self._tags.values() if tag.x == lane.x]
        if not others:
            lane.mark = HEAD + (TAG + 6 if several else 0)
            self._tags[actor] = Tag(actor, lane.x, HEAD + 6, lane.mark, several, last=self._y)
            return 0.0
        for other in others:
            if other.bottom is None:
                self._end(other, other.last + 4)
        half = breadth(printable(actor), SIZE - 1) / 2 + 6
        self._y = max(self._y, lane.mark + 14)
        self._free(lane.x - half, lane.x + half, TAG / 2, TAG / 2)
        top = self._y - TAG / 2
        self._tags[actor] = Tag(actor, lane.x, top, top + TAG, shown=True, last=self._y)
        lane.mark = top + TAG
        return half

    def _end(self, tag: Tag, y: float) -> None:
        tag.bottom = y
        state = self._states.pop(tag.actor, None)
        if state is not None and y > state[1]:
            self.plan.bars.append(Bar(tag.x, state[1], y, state[0], tag.actor))

    def _sent(self, entry: Sent) -> None:
        self.plan.messages += 1
        self._live(entry.sender)
        lane, other = self._across.of(entry.sender), self._across.of(entry.recipient)
        self._mark(lane)
        title = self._captions.title(entry)
        if lane is other:
            parts = self._captions.message(entry, self._across.room_beside(lane) - 36)
            words = Words(lane.x + 32, 0, "start", parts, title)
            y = self._free(words.box[0], words.box[2], 7, 8)
            words.y = y + 4
        else:
            way = 1 if other.x > lane.x else -1
            parts = self._captions.message(entry, abs(other.x - lane.x) - 26)
            words = Words(lane.x + way * 12, 0, "start" if way > 0 else "end", parts, title)
            y = self._free(words.box[0], words.box[2], 14, 0)
            words.y = y - 4
            # The line goes down from here, nobody knows how steeply: room for its beginning.
            left, right = sorted((lane.x, lane.x + way * min(abs(other.x - lane.x), 130.0)))
            self._boxes.append((left, y - 1, right, y + 6))
        self.plan.words.append(words)
        self._texts[entry.number] = words
        lane.mark = y
        self._starts[entry.number] = (lane.x, y)
        if entry.number not in self._chosen.fates:
            way = 0 if lane is other else 1 if other.x > lane.x else -1
            end = (lane.x + (way * 46 or 26), y + 9)
            self.plan.arrows.append(Arrow((lane.x + (way or 1) * lane.inset, y), end, "", title))

    def _received(self, entry: Received) -> None:
        sent = self._chosen.sent.get(entry.number)
        lane = self._across.of(entry.actor)
        # What perishes shows no life.
        half = self._live(entry.actor) if entry.fate in {"handled", "doubled"} else 0.0
        start = self._starts.get(entry.number)
        if not half:
            at_once = start is not None and start[1] == self._y
            self._mark(lane, 0.0 if at_once and lane.mark < self._y else 8.0)
        inset = half or lane.inset
        if start is None or sent is None:
            title = f"message {entry.number}, which nobody was seen to send: {entry.fate}"
            ends = (lane.x - 40, self._y - 6), (lane.x - inset, self._y)
            self.plan.arrows.append(Arrow(*ends, entry.fate, title))
            return
        title = self._captions.title(sent)
        x, y = start
        if lane.x == x:
            self._y = lane.mark = max(self._y, y + 9)
            end = (lane.x + inset, self._y)
            self.plan.arrows.append(Arrow((x + lane.inset, y), end, entry.fate, title, loop=True))
            return
        way = 1 if lane.x > x else -1
        begin = (x + way * self._across.of(sent.sender).inset, y)
        arrow = Arrow(begin, (lane.x - way * inset, self._y), entry.fate, title)
        self.plan.arrows.append(arrow)
        words = self._texts[entry.number]
        if words.arrow is None:
            words.arrow = arrow
        self._avoid(arrow)

    def _avoid(self, arrow: Arrow) -> None:
        """Keep texts that come later off a line that is drawn already."""
        (x0, y0), (x1, y1) = arrow.start, arrow.end
        pieces = 1 if abs(y1 - y0) < 3 else 12
        for piece in range(pieces):
            a, b = piece / pieces, (piece + 1) / pieces
            left, right = sorted((x0 + (x1 - x0) * a, x0 + (x1 - x0) * b))
            self._boxes.append((left, y0 + (y1 - y0) * a - 1, right, y0 + (y1 - y0) * b + 1))

    def _fault(self, entry: Fault) -> None:
        self._live(entry.actor)
        lane = self._across.of(entry.actor)
        self._mark(lane, 11)
        text = shorten(printable(entry.what), (self._across.room_beside(lane) - 26) / 1.08, SIZE)
        title = f"{self._captions.moment(entry.time)}, fault of {entry.actor}: {entry.what}"
        words = Words(lane.x + 13, 0, "start", [(text, f"bold {RED}")], title)
        y = self._free(words.box[0], words.box[2], 7, 7)
        words.y = y + 4
        lane.mark = y
        self.plan.crosses.append(Cross(lane.x, y, title))
        self.plan.words.append(words)
        tag = self._tags.get(entry.actor)
        if tag is not None and tag.bottom is None and entry.what.startswith("dies"):
            self._end(tag, y)

    def _note(self, entry: Note) -> None:
        lane = self._across.find(entry.actor)
        if lane is None:
            centre, back, reach = self.plan.left, 0.0, self.plan.right - self.plan.left
        else:
            centre = lane.x
            back, reach = self._across.room_before(lane) - 14, self._across.room_beside(lane) - 14
            self._live(entry.actor)
            self._y = max(self._y, lane.mark + 5)
        lines = wrap(printable(entry.text), min(_NOTE_ROOM, back + reach) - 14, SIZE, most=3)
        wide = max(breadth(line, SIZE) for line in lines) + 14
        # In the middle of its lane, as far as the lanes beside it allow.
        left = centre - min(max(wide / 2, wide - reach), back)
        high = 14 * len(lines) + 6
        top = self._free(left - 2, left + wide + 2, 2, high + 2)
        title = f"{self._captions.moment(entry.time)}, {entry.actor or 'the test'}: {entry.text}"
        self.plan.notes.append(((left, top, left + wide, top + high), lines, title))
        if lane is not None:
            lane.mark = top + high

    def _task_moved(self, entry: Moved) -> None:
        self._y = max(self._y, self._task_mark + 14)
        self._task_mark = self._y
        colour = f"bold {RED}" if entry.actor in self._chosen.about else GREY
        text = shorten(printable(move_text(entry)), TASK_ROOM / 1.08, SIZE - 1)
        title = f"{self._captions.moment(entry.time)}, {move_text(entry)}"
        words = Words(self.plan.tasks, self._y + 3.5, "start", [(text, colour)], title, size=SIZE - 1)
        self.plan.tasks_moved.append(words)

    def _agent_moved(self, entry: Moved) -> None:
        lane = self._across.find(entry.actor)
        if lane is None:
            return
        if self._missing:
            self._meanwhile[lane.name] = (entry.actor, entry.target)
            return
        if self._time is not None and entry.time > self._time:
            self._go_on_to(entry.time)
            self._tick(entry.time)
        self._live(entry.actor)
        self._show_state(entry.actor, entry.source, entry.target)

    def _show_state(self, actor: str, source: str, target: str) -> None:
        """Let the bar of an agent change its colour here."""
        tag = self._tags[actor]
        if tag.bottom is not None:
            return
        self._y = max(self._y, tag.start)
        state, since = self._states.get(actor, (source, tag.start))
        if state:
            self._y = max(self._y, since + _LEAST_BAR)
            self.plan.bars.append(Bar(tag.x, since, self._y, state, actor))
        self._states[actor] = (target, self._y)
        tag.last = max(tag.last, self._y)

    def _finish(self) -> None:
        self._close_gap()
        self._y += 16
        for tag in self._tags.values():
            if tag.bottom is None:
                self._end(tag, self._y)
        self.plan.tags = list(self._tags.values())
        self.plan.bottom = self._y


def _silence(wait: float) -> str:
    return f"… {span(wait)}"
