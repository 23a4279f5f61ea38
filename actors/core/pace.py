"""How long tasks of one kind take, from those that are remembered."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from actors.protocol.states import TaskStatus

if TYPE_CHECKING:
    from actors.core.book import Book

__all__ = ["FEWEST", "pace"]

FEWEST = 10
"""So many must have completed before anything is said of how long they take."""

_MOST = 200
"""The last so many count: what was long ago may have been on another load."""


def pace(book: Book, number: int, now: float) -> tuple[float | None, float | None, float | None]:
    """How a task does, in seconds: since when it runs, what 95 of 100 of its kind stay below, and what it is said to take.

    Each is None if it is not known. Costs a look at all ended tasks that are kept, at the most.
    """
    task = book.tasks.get(number)
    if task is None:
        return None, None, None
    ran = now - task.started if task.status is TaskStatus.IN_PROGRESS and task.started is not None else None
    family = task.kind.family
    alike = (
        other.ended - other.started
        for other in book.history.backwards()
        if other.kind.family == family
        and other.status is TaskStatus.COMPLETED
        and other.started is not None
        and other.ended is not None
    )
    took = sorted(islice(alike, _MOST))
    # The smallest value that at least 95 of 100 do not exceed.
    late = took[-(-95 * len(took) // 100) - 1] if len(took) >= FEWEST else None
    return ran, late, task.kind.duration
