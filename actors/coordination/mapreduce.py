"""map_reduce: items are mapped in chunks, and the results reduced as a tree; both by tasks, in the agents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from actors.coordination.calls import Invocation
from actors.coordination.gathering import refuse_once
from actors.coordination.tree import Node, ReductionTree
from actors.coordination.unset import NOTHING
from actors.coordination.whole import Whole, noted
from actors.errors import ConfigError
from actors.future import TaskFuture
from actors.hosts.ground import Ground
from actors.hosts.mapping import UNDER_WAY, Chunking, Sent, check_chunksize
from actors.hosts.options import Options
from actors.hosts.serialize import SPLICED, WHOLE

__all__ = ["MapReduce"]

_WIDEST = 1024


class _Mapped(NamedTuple):
    """A chunk of items that is being mapped."""

    first: int
    last: int
    sent: Sent


class _Reduced(NamedTuple):
    """Results that are being reduced."""

    nodes: list[Node]


class MapReduce(Whole):
    """See `Strategies.map_reduce`.

    Args:
        calls: what maps an item, and what reduces a list of results.
        items: read as chunks end.
        chunksize: how many items make a task; None starts with one and grows while tasks are short.
        fan_in: how many results are reduced at once.
        initial: stands before all results.
        ground, options, timeout: see `Whole`.

    Raises:
        ConfigError: a value that is not allowed.
        TypeError: `items` is no iterable.
    """

    what = "map_reduce"

    def __init__(
        self,
        calls: tuple[Invocation, Invocation],
        items: Iterable[Any],
        *,
        chunksize: int | None,
        fan_in: int,
        initial: Any,
        ground: Ground,
        options: Options,
        timeout: float | None,
    ) -> None:
        refuse_once(self.what, options)
        check_chunksize(chunksize)
        if type(fan_in) is not int or not 2 <= fan_in <= _WIDEST:
            raise ConfigError(
                f"fan_in is a whole number from 2 to {_WIDEST}, not {fan_in!r}", key="fan_in", value=fan_in
            )
        super().__init__(ground, options, timeout)
        self._map, self._reduce = calls
        self._items: Iterator[Any] = iter(items)
        self._chunking = Chunking(chunksize)
        self._initial = initial
        self._tree = ReductionTree(fan_in, self._reduce_nodes)
        self._mapping = 0
        # Set when all items are read: the one that has the result of all.
        self._root: TaskFuture[Any] | None = None

    def begin(self) -> None:
        """Hand in the first chunks."""
        self._fill()

    def part_ended(self, key: _Mapped | _Reduced, part: TaskFuture[Any]) -> None:
        """Go on reading, or be done."""
        if part.failed():
            self._part_failed(key, part)
            return
        if isinstance(key, _Mapped):
            self._mapping -= 1
            seconds = key.sent[1]()
            if seconds is not None:
                self._chunking.took(key.last - key.first + 1, seconds)
            self._fill()
            return
        for node in key.nodes:
            node.handle.discard()
        if part is self._root:
            self.succeed(part, _value_of)

    def _part_failed(self, key: _Mapped | _Reduced, part: TaskFuture[Any]) -> None:
        error: BaseException | None
        try:
            error = part.exception(0)
        except BaseException as cancelled:  # noqa: BLE001 - a part that somebody cancelled
            error = cancelled.with_traceback(None)
        if error is None or self.comes_from_a_part(error):
            return
        if isinstance(key, _Mapped):
            doing, first, last = f"mapping with {self._map.name}", key.first, key.last
        else:
            doing = f"reducing with {self._reduce.name}"
            first, last = (key.nodes[0].first, key.nodes[-1].last) if key.nodes else (0, self._tree.items - 1)
        which = f"item {first}" if first == last else f"items {first} to {last}"
        self.fail(noted(error, f"in map_reduce: {doing}, {which} ({part.task_id})"))

    def _fill(self) -> None:
        """Read on while there is room."""
        while self._root is None and self._mapping < UNDER_WAY and not self.over:
            chunk = [(item, *self._map.args) for item in islice(self._items, self._chunking.next_size())]
            if not chunk:
                self._all_read()
                return
            first = self._tree.items
            sent = self.ground.submit(self._map.call, (), self._map.kwargs, self.options, chunk, WHOLE)
            self._mapping += 1
            self.watch(_Mapped(first, first + len(chunk) - 1, sent), sent[0])
            self._tree.add(sent[0], len(chunk))

    def _all_read(self) -> None:
        if not self._tree.items:
            if self._initial is NOTHING:
                raise ValueError("map_reduce of no items has no result: give initial, which it has then")
            self.succeed(self._initial)
            return
        root = self._tree.finish().handle
        if self._initial is not NOTHING:
            root = self._submit_reduction([self._initial, root], [Node(root, 1, 0, self._tree.items - 1)], "")
        self._root = root
        if root not in self.parts():
            # It has ended before it was known to be the last.
            self.succeed(root, _value_of)

    def _reduce_nodes(self, nodes: list[Node]) -> TaskFuture[Any]:
        form = SPLICED if nodes[0].level == 0 else ""
        return self._submit_reduction([node.handle for node in nodes], nodes, form)

    def _submit_reduction(self, values: list[Any], nodes: list[Node], form: str) -> TaskFuture[Any]:
        reduce = self._reduce.on(values)
        sent = self.ground.submit(reduce.call, reduce.args, reduce.kwargs, self.options, None, form)
        self.watch(_Reduced(nodes), sent[0])
        return sent[0]


def _value_of(part: TaskFuture[Any]) -> Any:
    return part.take()
