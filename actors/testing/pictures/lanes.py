"""The lanes of a diagram from left to right: which there are, and how far apart they stand."""

from __future__ import annotations

import math
from collections.abc import Sequence

from actors.testing.history import Fault, Moved, Note, Received, Sent
from actors.testing.pictures.captions import Captions, move_text
from actors.testing.pictures.chosen import Chosen
from actors.testing.pictures.lettering import breadth, printable
from actors.testing.pictures.plan import SIZE, Lane, Plan, breadth_of

__all__ = ["TASK_ROOM", "Lanes"]

TASK_ROOM = 210.0
"""How broad the column of the moves of tasks may be."""
_AXIS = 26.0
_LEAST_GAP, _MOST_GAP = 84.0, 250.0
# More lanes make narrower gaps, so that the whole stays about as broad as a page is.
_ALL_GAPS, _LEAST_MOST = 1150.0, 140.0


class Lanes:
    """Gives each actor its lane, in the order of appearance, and each lane its place.

    Args:
        chosen: what is drawn.
        captions: the words, which need room.
        plan: gets the lanes and the measures across.
        silences: what is written beside long silences.
    """

    def __init__(self, chosen: Chosen, captions: Captions, plan: Plan, silences: Sequence[str]) -> None:
        self._chosen = chosen
        self._captions = captions
        self._plan = plan
        self._lanes: dict[str, Lane] = {}
        self._find_all()
        self._spread(silences)

    def of(self, actor: str) -> Lane:
        """The lane of an actor that is drawn: all incarnations of an agent share one."""
        return self._lanes[_name(actor)]

    def find(self, actor: str) -> Lane | None:
        """The lane of an actor, if it has one."""
        return self._lanes.get(_name(actor)) if actor else None

    def room_beside(self, lane: Lane) -> float:
        """How far it is to the right from a lane to the next."""
        return min((other.x for other in self._plan.lanes if other.x > lane.x), default=self._plan.right) - lane.x

    def room_before(self, lane: Lane) -> float:
        """How far it is to the left from a lane to the next, or to the edge."""
        return lane.x - max((other.x for other in self._plan.lanes if other.x < lane.x), default=self._plan.left - 18)

    def _find_all(self) -> None:
        names: list[str] = []
        for index, entry in enumerate(self._chosen.entries):
            if not self._chosen.is_drawn(index, entry):
                continue
            match entry:
                case Sent(sender=sender, recipient=recipient):
                    names += [sender, recipient]
                case Received(actor=actor) | Fault(actor=actor):
                    names.append(actor)
                case Note(actor=actor) if actor:
                    names.append(actor)
                case _:
                    pass
        moved = [entry.actor for entry in self._chosen.entries if isinstance(entry, Moved) and entry.kind == "agent"]
        known = {_name(name) for name in names}
        for name in [*names, *(name for name in moved if not known or _name(name) in known)]:
            lane = self._lanes.setdefault(_name(name), Lane(_name(name)))
            if name not in lane.incarnations:
                lane.incarnations.append(name)
        with_states = {_name(name) for name in moved}
        for lane in self._lanes.values():
            lane.agent = lane.name in with_states or "#" in lane.incarnations[0]
        self._plan.lanes = list(self._lanes.values())

    def _spread(self, silences: Sequence[str]) -> None:
        plan, lanes = self._plan, self._plan.lanes
        entries = self._chosen.entries
        moments = [self._captions.moment(entries[index].time) for index in (0, -1)] if entries else []
        plan.axis = _AXIS + max((breadth(text, SIZE - 1) for text in [*moments, *silences]), default=40.0)
        halves = [breadth(printable(lane.head), SIZE + 1) / 2 + 12 for lane in lanes]
        needs = self._needs()
        least = [
            max(_LEAST_GAP if after else 0.0, half + after)
            for half, after in zip(halves, [*halves[1:], 0.0], strict=False)
        ]
        most = _fair(least, needs)
        plan.left = plan.axis + 12
        x = plan.left + max(halves[:1], default=40.0)
        for index, lane in enumerate(lanes):
            lane.x = x
            x += max(least[index], min(needs[index], most))
        plan.right = x if lanes else plan.left + 240
        moves = [
            move_text(entry)
            for index, entry in enumerate(entries)
            if isinstance(entry, Moved) and self._chosen.is_drawn(index, entry)
        ]
        room = max((breadth(printable(text), SIZE - 1) * 1.08 for text in moves), default=-14.0)
        plan.tasks = plan.right + 14
        plan.width = plan.tasks + min(room, TASK_ROOM)

    def _needs(self) -> list[float]:
        """How much room the words to the right of each lane would like to have."""
        places = {lane.name: index for index, lane in enumerate(self._plan.lanes)}
        needs = [0.0] * len(places)
        for index, entry in enumerate(self._chosen.entries):
            if not self._chosen.is_drawn(index, entry):
                continue
            if isinstance(entry, Sent):
                left, right = sorted((places[_name(entry.sender)], places[_name(entry.recipient)]))
                if right - left <= 1:
                    aside = 32 if left == right else 40
                    needs[left] = max(needs[left], breadth_of(self._captions.message(entry, math.inf)) + aside)
            elif isinstance(entry, Fault):
                left = places[_name(entry.actor)]
                needs[left] = max(needs[left], breadth(printable(entry.what), SIZE) * 1.08 + 30)
        return needs


def _fair(least: Sequence[float], needs: Sequence[float]) -> float:
    """How broad a gap may be at most, so that all together keep to the breadth of a page if they can."""
    for most in range(int(_MOST_GAP), int(_LEAST_MOST), -5):
        if sum(max(low, min(need, most)) for low, need in zip(least, needs, strict=True)) <= _ALL_GAPS:
            return float(most)
    return _LEAST_MOST


def _name(actor: str) -> str:
    return actor.partition("#")[0]
