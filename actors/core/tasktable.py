"""All tasks that are known, by number: those far back in a line in a form that costs little.

A task that many others stand before is not looked at for long, and there may be a million of it. Such a one is folded: a
record of bytes stands for it, and no object that the collector of garbage would have to look at. Whoever reads the table
gets tasks: what is asked for is unfolded.
"""

from __future__ import annotations

import marshal
from array import array
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from actors.core.task import Task
from actors.protocol.states import TaskStatus

if TYPE_CHECKING:
    from actors.core.task import TaskKind

__all__ = ["TaskTable"]

_PENDING = TaskStatus.PENDING
_KINDS_MOST: Final = 4096
# Copying arguments that are larger would cost more than what is saved.
_PAYLOAD_MOST: Final = 16 * 1024
_known = dict.get


class TaskTable(dict[int, Task]):
    """Every task that is not forgotten, by number.

    Invariants: a number is either here or in `folded`. What is folded waits in a lane (`queued`), was never assigned and
    depends on nothing. `_handles` and `_kinds` are empty if nothing is folded.
    """

    __slots__ = ("_free", "_handles", "_kinds", "_mixed", "_places", "folded")

    def __init__(self) -> None:
        super().__init__()
        # Of numbers and bytes: the collector does not look into this, however large it is.
        self.folded: dict[int, bytes] = {}
        # What bytes cannot hold; the record has its place in the list.
        self._handles: list[Any] = []
        self._free = array("q")
        self._kinds: list[TaskKind] = []
        self._places: dict[int, int] = {}
        # Whether the order of the dictionary may not be that of acceptance any more.
        self._mixed = False

    def __missing__(self, number: int) -> Task:
        return self._unfold(number, self.folded[number])

    def __contains__(self, number: object) -> bool:
        return super().__contains__(number) or number in self.folded

    def __len__(self) -> int:
        return super().__len__() + len(self.folded)

    def get(self, number: int, default: None = None) -> Task | None:  # type: ignore[override]
        """The task of a number; None if it is not known."""
        task = _known(self, number)
        if task is None:
            record = self.folded.get(number)
            return default if record is None else self._unfold(number, record)
        return task

    def values(self) -> Iterator[Task]:  # type: ignore[override]
        """All of them, in the order of their acceptance; unfolds each."""
        for number, record in list(self.folded.items()):
            self._unfold(number, record)
        everything = super().values()
        return iter(sorted(everything, key=lambda task: task.order) if self._mixed else everything)

    def waiting(self, most: int) -> list[Task]:
        """So many of those that have not been assigned yet, or all if they are fewer; unfolds none."""
        found: list[Task] = []
        for task in super().values():
            if len(found) >= most:
                return found
            if task.status is _PENDING:
                found.append(task)
        for number, record in self.folded.items():
            if len(found) >= most:
                break
            found.append(self._made(number, record)[0])
        return sorted(found, key=lambda task: task.order)

    def holds(self, task: Task) -> bool:
        """Whether this very task was accepted, and is not forgotten."""
        known = self.get(task.number)
        if known is None or known is task:
            return known is not None
        # It was folded, and is another object since then.
        return known.id == task.id and (known.handle is None or known.handle is task.handle)

    def order(self, number: int) -> int:
        """The order of acceptance of a task that stands in the line, 0 of any other; unfolds none."""
        task = _known(self, number)
        if task is not None:
            return task.order if task.queued else 0
        record = self.folded.get(number)
        return 0 if record is None else int(marshal.loads(record)[5])  # noqa: S302 - our own record

    def stands(self, number: int) -> bool:
        """Whether a task stands in the line."""
        if number in self.folded:
            return True
        task = _known(self, number)
        return task is not None and task.queued

    def fold(self, task: Task) -> None:
        """Fold a task that has just been put into a lane, unless it is one that has to stay as it is."""
        if (
            task.attempt
            or task.after
            or task.inputs
            or task.watched
            or task.retried
            or task.spared
            or task.parent is not None
            or task.results is not None
            or task.story is not None
            or task.dependents is not None
            or task.cancelling is not None
            or task.status is not _PENDING
            or type(task.payload) is not bytes
            or len(task.payload) > _PAYLOAD_MOST
        ):
            return
        kind = self._places.get(id(task.kind))
        if kind is None:
            if len(self._kinds) >= _KINDS_MOST:
                return
            self._kinds.append(task.kind)
            kind = self._places[id(task.kind)] = len(self._kinds) - 1
        if self._free:
            place = self._free.pop()
            self._handles[place] = task.handle
        else:
            place = len(self._handles)
            self._handles.append(task.handle)
        number = task.number
        record = marshal.dumps(
            (task.id, kind, task.payload, task.created, task.ready, task.order, task.key, task.once, place)
        )
        # In one step: a failure in between would have it twice, or lose it.
        self.folded[number], _ = record, self.pop(number)

    def _unfold(self, number: int, record: bytes) -> Task:
        task, place = self._made(number, record)
        self[number], _ = task, self.folded.pop(number)
        self._mixed = True
        if self.folded:
            self._handles[place] = None
            self._free.append(place)
        else:
            self._handles, self._free = [], array("q")
            self._kinds, self._places = [], {}
        return task

    def _made(self, number: int, record: bytes) -> tuple[Task, int]:
        name, kind, payload, created, ready, order, key, once, place = marshal.loads(record)  # noqa: S302 - our own
        task = Task(number, name, self._kinds[kind], payload, key=key, handle=self._handles[place])
        task.created, task.ready, task.order, task.once = created, ready, order, once
        task.queued = True
        return task, place
