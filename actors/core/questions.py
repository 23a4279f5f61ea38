"""What can be asked of the engine: answers that change nothing."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING

from actors.core import checks, explain, pace
from actors.core.deadletters import dead_task

if TYPE_CHECKING:
    from actors.core.book import Book
    from actors.core.deadletters import DeadTask
    from actors.core.explain import Explanation, QueueInfo
    from actors.core.quotas import ResourceInfo
    from actors.core.task import Task, TaskInfo
    from actors.protocol.messages import Payload

__all__ = ["Questions"]


class Questions:
    """The part of the engine that looks and does nothing; `Engine` is the whole."""

    _book: Book

    @property
    def stale(self) -> int:
        """How many reports were dropped because they were of an old incarnation or attempt."""
        return self._book.stale

    def task(self, number: int) -> Task | None:
        """The task of a number, if it is known."""
        return self._book.tasks.get(number)

    def knows(self, task: Task) -> bool:
        """Whether this very task was accepted, and is not forgotten."""
        return self._book.tasks.holds(task)

    def tasks(self) -> Iterable[Task]:
        """All tasks that are known, in the order of their acceptance."""
        return self._book.tasks.values()

    def info(self, number: int) -> TaskInfo | None:
        """How a task stands."""
        task = self._book.tasks.get(number)
        return explain.info(self._book, task) if task is not None else None

    def queue(self, limit: int = 1000) -> QueueInfo:
        """How all work stands, with at most `limit` tasks of each sort."""
        return explain.queue(self._book, limit)

    def resources(self) -> tuple[ResourceInfo, ...]:
        """How the named resources stand."""
        return self._book.quotas.report(self._book.line.gates.rationed)

    def explain(self, number: int, now: float) -> Explanation:
        """Why a task does not run."""
        return explain.explain(self._book, number, now)

    @property
    def unfinished(self) -> int:
        """How many tasks have no outcome yet."""
        return len(self._book.tasks) - len(self._book.history)

    def check(self) -> None:
        """Check every invariant, for tests; costs as much as there are tasks.

        Raises:
            AssertionError: one does not hold; it says which.
        """
        checks.check(self._book)

    def pace(self, number: int, now: float) -> tuple[float | None, float | None, float | None]:
        """See `pace.pace`."""
        return pace.pace(self._book, number, now)

    def dead_task(self, number: int) -> Task | None:
        """The task of a number, if it is listed as one that failed for good."""
        return self._book.dead.get(number)

    def dead_letters(self, limit: int) -> list[tuple[DeadTask, Payload]]:
        """The tasks that failed for good, the latest first, at most `limit`; each with the arguments, if these are kept."""
        book = self._book
        return [
            (dead_task(explain.info(book, task), retryable=book.dead.retryable(task)), task.payload)
            for task in islice(reversed(book.dead), limit)
        ]
