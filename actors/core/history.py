"""The tasks that have ended, as long as they are kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors.core.task import Task

__all__ = ["History"]


class History:
    """Keeps the last ended tasks, up to a number and an age; older ones leave the table of all tasks.

    Args:
        tasks: the table of all tasks by number, from which forgotten ones are removed.
        most: how many are kept, 0 or more.
        seconds: how long they are kept.

    Invariant: holds exactly the ended tasks of the table, in the order of their end. There may be more than `most` until
    `trim`: nothing is forgotten while what follows from its end is still to happen.
    """

    __slots__ = ("_ended", "_most", "_seconds", "_tasks", "forgotten")

    def __init__(self, tasks: dict[int, Task], most: int, seconds: float) -> None:
        self._tasks = tasks
        self._most = most
        self._seconds = seconds
        # With the time at which each was added: what agents report as their end need not be in order.
        self._ended: deque[tuple[float, Task]] = deque()
        self.forgotten = 0

    def __len__(self) -> int:
        return len(self._ended)

    def add(self, task: Task, now: float) -> None:
        """A task has ended."""
        self._ended.append((now, task))

    def trim(self) -> None:
        """Forget those that are too many."""
        ended = self._ended
        while len(ended) > self._most:
            del self._tasks[ended.popleft()[1].number]
            self.forgotten += 1

    def rebuild(self, now: float) -> list[Task]:
        """Hold what the table has, after a failure; gives the ended tasks that had not been added."""
        tasks = self._tasks
        self._ended = deque((when, task) for when, task in self._ended if tasks.get(task.number) is task)
        known = {task.number for _, task in self._ended}
        added = [task for task in tasks.values() if task.final and task.number not in known]
        self._ended.extend((now, task) for task in added)
        return added

    def expire(self, now: float) -> None:
        """Forget those that are too old."""
        ended = self._ended
        # The same sum as in `next_due`: rounded otherwise, a timer could come due and find nothing to do, for ever.
        while ended and ended[0][0] + self._seconds <= now:
            del self._tasks[ended.popleft()[1].number]
            self.forgotten += 1

    def next_due(self) -> float | None:
        """When the oldest is to be forgotten."""
        return self._ended[0][0] + self._seconds if self._ended else None

    def backwards(self) -> Iterator[Task]:
        """All of them, the latest first."""
        return (task for _, task in reversed(self._ended))

    def latest(self, count: int) -> list[Task]:
        """The last that ended, the latest first."""
        ended = self._ended
        return [ended[-index][1] for index in range(1, min(count, len(ended)) + 1)]
