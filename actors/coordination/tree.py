"""The tree of a reduction over a stream: which results are reduced together, in their order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["Node", "ReductionTree"]


class Node(NamedTuple):
    """The result for the items from `first` to `last`. `level` 0: as mapped, a list; above it: reduced."""

    handle: Any
    level: int
    first: int
    last: int


class ReductionTree:
    """Groups results as they are promised, so that at any time only a few wait on each level.

    Args:
        fan_in: how many are reduced at once, 2 or more.
        reduce: has neighbouring nodes, in order and all of level 0 or none, reduced; gives the handle of the result.

    Invariant: from the highest level to the lowest, the nodes that wait cover the items without gap and in order; fewer than
    `fan_in` wait on each level.
    """

    def __init__(self, fan_in: int, reduce: Callable[[list[Node]], Any]) -> None:
        self._fan_in = fan_in
        self._reduce = reduce
        self._levels: list[list[Node]] = []
        self.items = 0

    @property
    def waiting(self) -> int:
        """How many nodes wait for their neighbours."""
        return sum(map(len, self._levels))

    def add(self, handle: Any, count: int) -> None:
        """The next `count` items are mapped, as a list that `handle` stands for."""
        node = Node(handle, 0, self.items, self.items + count - 1)
        self.items += count
        level = 0
        while True:
            if level == len(self._levels):
                self._levels.append([])
            nodes = self._levels[level]
            nodes.append(node)
            if len(nodes) < self._fan_in:
                return
            node = self._reduced(nodes, level + 1)
            nodes.clear()
            level += 1

    def finish(self) -> Node:
        """There are no more items: what is left is reduced to one node.

        Raises:
            ValueError: there was no item.
        """
        later: list[Node] = []
        for level, nodes in enumerate(self._levels):
            group = [*nodes, *later]
            if group and (level == 0 or len(group) > 1):
                group = [self._reduced(group, level + 1)]
            later = group
        self._levels.clear()
        if not later:
            raise ValueError("nothing to reduce")
        return later[0]

    def _reduced(self, nodes: list[Node], level: int) -> Node:
        return Node(self._reduce(list(nodes)), level, nodes[0].first, nodes[-1].last)
