"""Long lists of work in parts of sensible size: long enough to be worth a task, short enough to share out evenly."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from actors.core.rates import Rates

__all__ = ["LEAST", "MOST", "MOST_ITEMS", "TARGET", "Item", "Part", "PartPlan"]

TARGET = 0.5
"""Seconds that a part is to take. To hand it out and bring its result back takes less than a fiftieth of it, and one
that is lost costs little."""

LEAST = 0.1
"""Seconds below which no part is made smaller to share out the end of the work."""

MOST = 10.0
"""Seconds that a part takes at most, however much of that is its fixed part."""

MOST_ITEMS = 500
"""More items than this never make one part: one that fails is tried again in pieces."""

# A fixed part is at most this share of a part in the middle of the work.
_FIXED_SHARE = 0.1
# What is cut before anything was measured.
_FIRST = TARGET / 4
# So many parts are under way for each agent: one that it does, and one that waits for it.
_AHEAD = 2
# Seconds that starting an agent takes.
_START = 0.05
# A part that failed with more items than this is first tried again in pieces.
_SINGLY = 16


@dataclass(frozen=True, slots=True)
class Item:
    """What is never divided, such as a file.

    Args:
        key: its name.
        cost: what it is thought to take, in any unit, above 0; within a kind in proportion to the seconds.
        kind: of the work.
    """

    key: str
    cost: float
    kind: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Items of one kind that make one task. Two of them are never equal, only the same.

    Args:
        items: one or more.
        again: whether it is a piece of a part that failed.
    """

    items: tuple[Item, ...]
    again: bool = False

    @property
    def kind(self) -> str:
        """Of its items."""
        return self.items[0].kind

    @property
    def keys(self) -> tuple[str, ...]:
        """Of its items."""
        return tuple(item.key for item in self.items)

    @property
    def cost(self) -> float:
        """Of all its items."""
        return sum(item.cost for item in self.items)


class PartPlan:
    """Cuts parts from a list of items, one at a time, each as large as what was measured until then says.

    The first parts of a kind are small. Then they are to take `TARGET`, or as much longer as keeps a fixed part at a
    tenth; towards the end they get smaller, so that all agents end at about the same time (guided self-scheduling, with
    the most expensive items first). An item that takes longer by itself is a part of its own.

    No clock, thread or task: whoever carries the parts out says how they ended. Every item ends in exactly one way: in
    a part that has ended, or lost. A part that fails is tried again in pieces, at last item by item, so that one item
    costs no other its result.

    Args:
        items: what is to be done.
        agents: how many share it, 1 or more.
        rates: what is known, and learns from the parts.
        most_items: the most items in a part, 1 or more.

    Attributes:
        agents: may be changed at any time.
        cost, done_cost: of all items, and of those that have ended; without rounding if the costs are whole numbers.
        items, done_items: how many there are, and how many have ended.

    Raises:
        ValueError: a cost is not a finite number above 0, or a bound is below 1.
    """

    def __init__(self, items: Iterable[Item], agents: int, rates: Rates, *, most_items: int = MOST_ITEMS) -> None:
        if agents < 1 or most_items < 1:
            message = f"agents and most_items: expected 1 or more, got {agents} and {most_items}"
            raise ValueError(message)
        self.agents = agents
        self._rates = rates
        self._most_items = most_items
        waiting: dict[str, list[Item]] = {}
        for item in items:
            if not 0 < item.cost < math.inf:
                message = f"the cost of {item.key!r}: expected a finite number above 0, got {item.cost}"
                raise ValueError(message)
            waiting.setdefault(item.kind, []).append(item)
        # By kind, the most expensive first.
        self._waiting = {
            kind: deque(sorted(some, key=lambda item: (-item.cost, item.key))) for kind, some in waiting.items()
        }
        self._left: dict[str, float] = {kind: sum(one.cost for one in some) for kind, some in waiting.items()}
        # As it was expected at the beginning: a share of progress does not change when more is known.
        self._weights = {kind: rates.of(kind) for kind in waiting}
        self._whole = sum(self._weight(item) for some in waiting.values() for item in some)
        self._done = 0.0
        self._again: deque[Part] = deque()
        self._under_way: dict[Part, None] = {}
        self.cost = sum(self._left.values())
        self.done_cost: float = 0
        self.items = sum(map(len, waiting.values()))
        self.done_items = 0

    # --- how it stands ---------------------------------------------------------------------------------------------

    @property
    def left(self) -> bool:
        """Whether something is still to be cut."""
        return bool(self._waiting or self._again)

    @property
    def under_way(self) -> int:
        """How many parts have been cut and have not ended."""
        return len(self._under_way)

    @property
    def under_way_cost(self) -> float:
        """The cost of all parts that are under way."""
        return sum(part.cost for part in self._under_way)

    @property
    def fraction(self) -> float:
        """How much is done, from 0 to 1."""
        return self.fraction_with(None, 0.0)

    def fraction_with(self, part: Part | None, share: float) -> float:
        """How much is done, if so much is of a part that is under way."""
        if self.done_items == self.items:
            return 1.0
        begun = 0.0 if part is None else share * sum(map(self._weight, part.items))
        return min((self._done + begun) / self._whole, 1.0)

    def is_short(self) -> bool:
        """Whether all of it is expected to take no longer than one part: then it is not worth being divided."""
        kinds = [self._rates.of(kind) for kind in self._waiting]
        fixed = sum(rate.fixed for rate in kinds)
        return self.items <= self._most_items and fixed + self._seconds_left() <= max(TARGET, 2 * fixed)

    def agents_for(self, most: int) -> int:
        """How many agents, up to so many and 1 or more, have enough to do that starting them is worth it."""
        return max(1, min(most, int(self._seconds_left() / _START)))

    # --- the parts -------------------------------------------------------------------------------------------------

    def cut(self) -> Part | None:
        """The next part, which is under way from now on; None if there is none, or enough are under way."""
        # Nothing waits ahead that was cut before anything was known.
        ahead = _AHEAD if self._again or any(map(self._rates.known, self._waiting)) else 1
        if len(self._under_way) >= self.agents * ahead:
            return None
        return self.cut_one_more()

    def cut_one_more(self) -> Part | None:
        """The next part, however many are under way; None if there is none."""
        if self._again:
            part = self._again.popleft()
        elif self._waiting:
            part = self._cut(self._next_kind())
        else:
            return None
        self._under_way[part] = None
        return part

    def ended(self, part: Part, seconds: float | None = None) -> None:
        """A part has brought its result.

        Args:
            part: one that is under way.
            seconds: what it took; None if nobody knows.
        """
        del self._under_way[part]
        if seconds is not None:
            self._rates.note(part.kind, part.cost, seconds)
        self._count(part)

    def failed(self, part: Part) -> bool:
        """A part has failed.

        Returns:
            Whether it is tried again, in pieces; otherwise it was a single item, which is lost.
        """
        del self._under_way[part]
        count = len(part.items)
        if count == 1:
            self._count(part)
            return False
        size = math.isqrt(count) if count > _SINGLY else 1
        self._again.extend(Part(part.items[at : at + size], again=True) for at in range(0, count, size))
        return True

    # --- inside ----------------------------------------------------------------------------------------------------

    def _count(self, part: Part) -> None:
        self.done_items += len(part.items)
        self.done_cost += part.cost
        self._done += sum(map(self._weight, part.items))

    def _weight(self, item: Item) -> float:
        return self._weights[item.kind].seconds(item.cost)

    def _seconds_left(self) -> float:
        """What is expected of all that is not cut yet, without the fixed parts."""
        return sum(self._rates.of(kind).each * cost for kind, cost in self._left.items())

    def _next_kind(self) -> str:
        """What nothing is known of first, then the longest single items, then what there is most of."""
        begun = {part.kind for part in self._under_way}

        def order(kind: str) -> tuple[bool, float, float, str]:
            rate = self._rates.of(kind)
            longest = rate.seconds(self._waiting[kind][0].cost)
            return (
                not self._rates.known(kind) and kind not in begun,
                longest if longest >= self._longest(kind) else 0.0,
                rate.seconds(self._left[kind]),
                kind,
            )

        return max(self._waiting, key=order)

    def _longest(self, kind: str) -> float:
        """Seconds that a part of the kind is to take at most."""
        return max(TARGET, min(MOST, self._rates.of(kind).fixed / _FIXED_SHARE))

    def _wanted(self, kind: str) -> float:
        """Seconds that the next part of a kind is to take beside its fixed part."""
        fixed = self._rates.of(kind).fixed
        most = max(self._longest(kind) - fixed, LEAST)
        if not self._rates.known(kind):
            most = min(most, max(_FIRST, fixed))
        if self.agents == 1:
            return most
        share = self._seconds_left() / self.agents
        # To divide what an agent still has to do costs one more fixed part, which must be worth it.
        return min(most, max(share / 2, LEAST, 2 * fixed, min(share, 8 * fixed)))

    def _cut(self, kind: str) -> Part:
        waiting, each = self._waiting[kind], self._rates.of(kind).each
        known = self._rates.known(kind)
        # In even parts, so that none is left that is hardly worth its fixed part.
        parts = math.ceil(self._left[kind] * each / self._wanted(kind))
        bound = min(self._left[kind] / max(parts, 1), self._rates.reach(kind))
        if not known:
            # What is usual tells most about the rest.
            waiting.rotate(-(len(waiting) // 2))
        taken = [waiting.popleft()]
        total = taken[0].cost
        while waiting and len(taken) < self._most_items and total + waiting[0].cost <= bound * (1 + 1e-9):
            taken.append(waiting.popleft())
            total += taken[-1].cost
        if not known:
            self._waiting[kind] = waiting = deque(sorted(waiting, key=lambda item: (-item.cost, item.key)))
        if waiting:
            self._left[kind] -= total
        else:
            del self._waiting[kind], self._left[kind]
        return Part(tuple(taken))
