"""Follows the memory of process trees that must not go over a limit, often and cheaply."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

__all__ = ["MemoryReader", "MemoryWatch"]

_WALK_SHARE = 50
"""A tree's processes are looked up again after this many times what the last look-up took, times the number of trees:
together the look-ups take 2 % of the time at most."""

_EXACT_SHARE = 20
"""The same for the exact figures, which cost more and are needed only beyond the soft limit: 5 % at most."""

_SHORTEST = 0.005
"""Seconds between two looks at a tree that is about to reach its limit."""


_STEPS = 8
_STEPS_KEPT = 4


class MemoryReader(Protocol):
    """The part of `Probe` that is needed here."""

    def members(self, root: int) -> list[int]:
        """The pids of one tree."""
        ...

    def memory_of(self, pids: Iterable[int]) -> dict[int, int]:
        """An upper bound of the memory of each process, cheap."""
        ...

    def tree_memory(self, root: int) -> int:
        """The exact memory of one tree, dear."""
        ...


class MemoryWatch:
    """Follows the memory of process trees that must not go over a limit.

    The cheap figure counts in full what processes share since a fork, so it is never too small. Below the soft limit it
    is good enough. Beyond it, it is corrected by the last exact figure, and nothing is said to be over the hard limit
    without an exact figure of this very moment.

    Not for several threads at once.

    Args:
        reader: the probe.
        clock: monotonic seconds, also to measure what a look costs.
        period: seconds between two looks.
    """

    def __init__(self, reader: MemoryReader, clock: Callable[[], float], period: float) -> None:
        self._reader = reader
        self._clock = clock
        self._period = period
        self._trees: dict[str, _Tree] = {}

    def __len__(self) -> int:
        return len(self._trees)

    def watch(self, agent: str, pid: int, hard: float, soft: float) -> None:
        """Follow the tree of an agent from now on, or with other limits (bytes) than before."""
        tree = self._trees.get(agent)
        if tree is None or tree.pid != pid:
            tree = self._trees[agent] = _Tree(pid)
        tree.hard, tree.soft = hard, soft

    def forget(self, agent: str) -> None:
        """Follow it no longer."""
        self._trees.pop(agent, None)

    def look(self) -> dict[str, int]:
        """Measure all; the bytes by agent. A tree that is gone is missing."""
        found = {}
        for agent, tree in self._trees.items():
            figure = self._measure(tree)
            if figure:
                found[agent] = figure
        return found

    def growth(self, agent: str) -> tuple[tuple[float, float], ...]:
        """How a tree came to its last figure: some earlier ones, (seconds before now, bytes) each, the oldest first."""
        tree = self._trees.get(agent)
        if tree is None:
            return ()
        now = self._clock()
        return tuple((now - at, float(figure)) for at, figure in tree.steps if figure != tree.last)

    def pause(self) -> float:
        """Seconds until the next look is due: the period, or less if a tree will reach its limit before at its rate."""
        return max(min((tree.pause for tree in self._trees.values()), default=self._period), _SHORTEST)

    def _measure(self, tree: _Tree) -> int:
        began = self._clock()
        if began >= tree.walk_due:
            tree.members = self._reader.members(tree.pid)
            now = self._clock()
            tree.walk_due = now + _WALK_SHARE * (now - began) * len(self._trees)
        bound = sum(self._reader.memory_of(tree.members).values())
        figure = bound if bound < tree.soft else self._corrected(tree, bound)
        tree.pause = min(self._period, _time_left(tree, figure, began) / 2)
        tree.last, tree.last_at = figure, began
        if not tree.steps or abs(figure - tree.steps[-1][1]) >= tree.hard / _STEPS:
            tree.steps.append((began, figure))
        return figure

    def _corrected(self, tree: _Tree, bound: int) -> int:
        # What was shared when the exact figure was taken is taken as still shared; all growth since then counts. A page
        # that stops being shared when it is written to does not move the bound: hence the exact figure every so often.
        began = self._clock()
        if tree.exact is not None and began < tree.exact_due:
            figure = min(bound, tree.exact + max(0, bound - tree.exact_bound))
            if figure < tree.hard:
                return figure
        tree.exact = self._reader.tree_memory(tree.pid)
        tree.exact_bound = bound
        now = self._clock()
        tree.exact_due = now + _EXACT_SHARE * (now - began) * len(self._trees)
        return tree.exact


class _Tree:
    """What is known of one tree; times are monotonic seconds, the rest bytes."""

    __slots__ = (
        "exact",
        "exact_bound",
        "exact_due",
        "hard",
        "last",
        "last_at",
        "members",
        "pause",
        "pid",
        "soft",
        "steps",
        "walk_due",
    )

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.hard = self.soft = 0.0
        self.members = [pid]
        self.walk_due = 0.0
        # The last exact figure, the cheap one of the same moment, and when the next is due.
        self.exact: int | None = None
        self.exact_bound = 0
        self.exact_due = 0.0
        # The last figure, for the rate of growth.
        self.last: int | None = None
        self.last_at = 0.0
        self.pause = 0.0
        # When it had which figure, noted when that had changed by a part of the limit.
        self.steps: deque[tuple[float, int]] = deque(maxlen=_STEPS_KEPT)


def _time_left(tree: _Tree, figure: int, now: float) -> float:
    """Seconds until the tree reaches its limit if it grows on as it did since the last look."""
    if tree.last is None or figure <= tree.last or now <= tree.last_at:
        return float("inf")
    return max(0.0, tree.hard - figure) * (now - tree.last_at) / (figure - tree.last)
