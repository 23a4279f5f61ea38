"""Which runs are to be made because of what happened in one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from actors.testing.exploring.steering import TIME, agent_of, floats
from actors.testing.exploring.trace import EVERYTHING, Event, Step, Trace
from actors.testing.sim.conductor import READ, WRITE

__all__ = ["Variant", "Variants"]

_ALONE = frozenset({"random", "random bits"})
"""Choices of which one value is tried unless it is said otherwise."""

_ACTS = frozenset({f"{what} {actor}" for what in ("actor", "mailbox") for actor in ("scheduler", "hub")})
"""What something that the test does is taken to change in any case."""


class Variant(NamedTuple):
    """A run that is to be made: some events of an earlier one, then another step, then the plain course.

    Attributes:
        events: of the earlier run.
        kept: the indices of those that are taken again, in their order.
        step: what is taken then; None: the plain course.
    """

    events: Sequence[Event]
    kept: Sequence[int]
    step: Step | None

    @classmethod
    def plain(cls) -> Variant:
        """The plain run."""
        return cls((), (), None)

    def plan(self) -> tuple[list[Step], list[int]]:
        """The steps that are taken first, and the hashes of the events that they must be."""
        kept = [self.events[index] for index in self.kept]
        steps = [event.step for event in kept]
        return (steps if self.step is None else [*steps, self.step]), [event.hash for event in kept]


class Variants:
    """Finds the runs that are to be made, none twice.

    Args:
        levels: see `explore`.
        most: only the first so many steps of a run count.
        reduce: whether runs that are equivalent to others are left out.

    Attributes:
        equivalent: how many were left out.
        beyond: whether a step was beyond the first `most`.
    """

    def __init__(self, levels: Mapping[str, int], most: int | None, *, reduce: bool) -> None:
        self.reduce = reduce
        self.equivalent = 0
        self.beyond = False
        self._levels = levels
        self._most = most
        # State, and the step that was taken in it.
        self._tried: set[tuple[int, Step]] = set()
        # What actions of the test were seen to change, by label.
        self._changed: dict[str, set[str]] = {}

    def of(self, trace: Trace, steps: Sequence[Step], length: int | None) -> Iterator[Variant]:
        """The runs that differ from one in one respect.

        Args:
            trace: what happened.
            steps: those that were given; what differs before the last of them has been looked at.
            length: after how many of its steps the scenario was over; None: the run was cut before.
        """
        events = trace.events
        begin = max(0, len(steps) - 1)
        for event in events[begin:]:
            self._tried.add((event.before, Step(event.label)))
            if floats(event.label):
                self._learn(event)
        end = len(events) if length is None else length
        if self._most is not None and end > self._most:
            self.beyond = True
            end = self._most
        turns = _turns(events) if self.reduce else []
        for index in range(begin, end):
            yield from self._inside(trace, index, len(steps[index].values) if index < len(steps) else 0)
            if self.reduce:
                yield from self._disabled(trace, index)
                yield from self._floating(trace, index)
            elif index >= len(steps):
                yield from self._others(trace, index)
        if self.reduce:
            for index in range(end):
                yield from self._earlier(trace, index, turns[index], begin)
            for later in range(begin, len(events)):
                yield from self._races(trace, later, end)

    def _inside(self, trace: Trace, index: int, given: int) -> Iterator[Variant]:
        """Other choices inside of a step, after those that were given."""
        event = trace.events[index]
        values = event.step.values
        for place in range(given, len(values)):
            what, n, _ = event.points[place]
            for value in self._values(what, n):
                yield from self._new(trace, range(index), Step(event.label, (*values[:place], value)))

    def _values(self, what: str, n: int) -> list[int]:
        count = min(n, self._levels.get(what, 1 if what in _ALONE else 2))
        return [round(place * (n - 1) / (count - 1)) for place in range(1, count)]

    def _earlier(self, trace: Trace, index: int, turns: Mapping[str, int], begin: int) -> Iterator[Variant]:
        """The runs in which somebody else who is ready steps instead, unless that could as well be after this event.

        Steps before `begin` have been compared with each other.
        """
        event = trace.events[index]
        for label in event.options:
            turn = turns.get(label)
            if turn is None or turn < begin or label == event.label:
                continue
            if event.meets(trace.events[turn]):
                yield from self._new(trace, range(index), Step(label))
            else:
                self.equivalent += 1

    def _races(self, trace: Trace, later: int, end: int) -> Iterator[Variant]:
        """The runs in which an event goes before one that it is in a race with, after those that make it ready."""
        events = trace.events
        event = events[later]
        for first in trace.races(later):
            if first >= end or event.label in events[first].options:
                continue
            kept = trace.needed(first, later)
            if _enabled(events, kept, first, later):
                yield from self._new(trace, kept, Step(event.label))

    def _disabled(self, trace: Trace, index: int) -> Iterator[Variant]:
        """The runs in which somebody steps who was ready, and is not after this step."""
        if index + 1 >= len(trace.events):
            return
        event, after = trace.events[index], trace.events[index + 1].options
        for label in event.options:
            if label != event.label and label not in after and not floats(label):
                yield from self._new(trace, range(index), Step(label))

    def _floating(self, trace: Trace, index: int) -> Iterator[Variant]:
        """The runs in which an agent dies, the test acts, or time goes by, before a step that would notice."""
        event = trace.events[index]
        for label in event.options:
            if not floats(label) or label == event.label:
                continue
            if label == TIME or event.clashes(self._changes(label)):
                yield from self._new(trace, range(index), Step(label))
            else:
                self.equivalent += 1

    def _changes(self, label: str) -> Iterable[str]:
        agent = agent_of(label)
        if not agent:
            return _ACTS | self._changed.get(label, set())
        return (agent, *(f"{agent} {plane} {way}" for plane in ("task", "control") for way in ("up", "down")))

    def _learn(self, event: Event) -> None:
        changed = self._changed.setdefault(event.label, set())
        changed.update(name for name, how in event.touched.items() if name != EVERYTHING)

    def _others(self, trace: Trace, index: int) -> Iterator[Variant]:
        """Whatever else could have been taken."""
        event = trace.events[index]
        for label in event.options:
            if label != event.label:
                yield from self._new(trace, range(index), Step(label))

    def _new(self, trace: Trace, kept: Sequence[int], step: Step) -> Iterator[Variant]:
        if self.reduce:
            key = trace.state_after(kept), step
            if key in self._tried:
                self.equivalent += 1
                return
            self._tried.add(key)
        yield Variant(trace.events, kept, step)


def _turns(events: Sequence[Event]) -> list[dict[str, int]]:
    """For each place in a run, who steps when from there on."""
    turns: list[dict[str, int]] = []
    after: dict[str, int] = {}
    for index in range(len(events) - 1, -1, -1):
        after = {**after, events[index].label: index}
        turns.append(after)
    turns.reverse()
    return turns


def _enabled(events: Sequence[Event], kept: Sequence[int], first: int, later: int) -> bool:
    """Whether somebody who was not ready before `first` may have been made ready by an event that is kept."""
    event = events[later]
    for index in kept:
        if index < first or not event.past >> index & 1:
            continue
        if event.touched[EVERYTHING] == WRITE:
            # It waits for nobody knows what.
            return True
        other = events[index]
        if other.label == event.label:
            if event.label in events[index + 1].options:
                return True
        elif any(how != READ and name in event.touched for name, how in other.touched.items()):
            return True
    return False
