"""One run as a partial order: which of its steps could not change places, and which could.

Two steps are dependent if both touch the same thing and at least one changes it. Runs that order all dependent steps in
the same way are equivalent (Mazurkiewicz, "Trace theory", 1986): each actor and agent does the same in them, and they
end in the same state. Each step gets a hash of what it is, of what it touches, and of the steps that changed that
before; the sum of the hashes of all steps so far stands for the state (Musuvathi and Qadeer, "Partial-order reduction for
context-bounded state exploration", 2007, call it happens-before caching).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import NamedTuple

from actors.testing.sim.conductor import ADD, READ, WRITE

__all__ = ["EVERYTHING", "Event", "Step", "Trace"]

EVERYTHING = "*"
"""What each step reads, and a step changes of which nobody knows what it touches."""

_BYTES = 12
_MASK = (1 << 8 * _BYTES) - 1


class Step(NamedTuple):
    """What was chosen for a step: who takes it, and the choices inside of it."""

    label: str
    values: tuple[int, ...] = ()


class Event:
    """A step that was taken.

    Attributes:
        label: who took it.
        options: the labels of all that could have been taken.
        before: the state in which it was taken.
        points: the choices inside: what for, of how many, which.
        touched: what it touched, and how.
        hash: stands for it and for all that it depends on.
        content: what it was seen to do.
        direct: the events with which it is dependent, without those before them.
        past: the events that come before it in each equivalent run, as bits.
    """

    __slots__ = ("before", "content", "direct", "hash", "label", "options", "past", "points", "touched")

    def __init__(self, label: str, options: tuple[str, ...], before: int) -> None:
        self.label = label
        self.options = options
        self.before = before
        self.points: list[tuple[str, int, int]] = []
        self.touched: dict[str, int] = {EVERYTHING: READ}
        self.hash = 0
        self.content = ""
        self.direct: set[int] = set()
        self.past = 0

    @property
    def step(self) -> Step:
        """What was chosen for it."""
        return Step(self.label, tuple([value for _, _, value in self.points]))

    def touch(self, what: str, how: int) -> None:
        """It touches something."""
        touched = self.touched
        before = touched.get(what)
        if before is None or before == how:
            touched[what] = how
        elif before != WRITE:
            # To read what one also adds to is more than either.
            touched[what] = WRITE

    def meets(self, other: Event) -> bool:
        """Whether the two are dependent."""
        touched = other.touched
        return any(_clash(how, touched[name]) for name, how in self.touched.items() if name in touched)

    def clashes(self, names: Iterable[str]) -> bool:
        """Whether it is dependent with whoever changes one of these things."""
        return self.touched[EVERYTHING] == WRITE or any(name in self.touched for name in names)


class _Thing:
    """What is known of something that steps touch: which events changed it last, and which read it since."""

    __slots__ = ("added", "adds", "read", "write", "written")

    def __init__(self) -> None:
        self.written = 0
        self.added = 0
        self.write: int | None = None
        self.adds: list[int] = []
        self.read: list[int] = []

    def before(self, how: int) -> Iterator[int]:
        """The events that one which touches it in this way is dependent with."""
        if self.write is not None:
            yield self.write
        if how != ADD:
            yield from self.adds
        if how != READ:
            yield from self.read


class Trace:
    """The events of one run.

    Attributes:
        events: all that have come to their end.
        state: stands for the state after them.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.state = 0
        self._things: dict[str, _Thing] = {}

    def add(self, event: Event, content: str) -> None:
        """An event has come to its end.

        Args:
            event: which.
            content: what it was seen to do.
        """
        index = len(self.events)
        parts: list[object] = [event.step]
        for name in sorted(event.touched):
            how = event.touched[name]
            thing = self._things.get(name)
            if thing is None:
                thing = self._things[name] = _Thing()
            parts += (name, how, thing.written, 0 if how == ADD else thing.added)
            event.direct.update(thing.before(how))
        event.hash = _hash(repr(parts))
        event.content = content
        for before in event.direct:
            event.past |= self.events[before].past | 1 << before
        for name, how in event.touched.items():
            thing = self._things[name]
            if how == WRITE:
                thing.written, thing.added, thing.write = event.hash, 0, index
                thing.adds, thing.read = [], []
            elif how == ADD:
                thing.added = (thing.added + event.hash) & _MASK
                thing.adds.append(index)
            else:
                thing.read.append(index)
        self.events.append(event)
        self.state = (self.state + event.hash) & _MASK

    def races(self, later: int) -> Iterator[int]:
        """The events that are dependent with a later one and could be the next after it: nothing lies between."""
        direct = self.events[later].direct
        for index in sorted(direct):
            if not any(self.events[other].past >> index & 1 for other in direct if other != index):
                yield index

    def needed(self, first: int, later: int) -> list[int]:
        """The events before `first`, and those that a later one needs and that do not need `first`."""
        events, past = self.events, self.events[later].past
        between = range(first + 1, later)
        return [
            *range(first),
            *(index for index in between if past >> index & 1 and not events[index].past >> first & 1),
        ]

    def state_after(self, kept: Iterable[int]) -> int:
        """The state after some of the events, of which none needs one that is left out."""
        return sum([self.events[index].hash for index in kept]) & _MASK


def _clash(one: int, other: int) -> bool:
    return WRITE in (one, other) or one != other


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_BYTES).digest(), "big")
