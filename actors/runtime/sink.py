"""Where work is handed in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from actors.core.task import Task
    from actors.future import TaskFuture
    from actors.runtime.submission import Submission

__all__ = ["Sink"]


class Sink(Protocol):
    """Where tasks are handed in."""

    @property
    def submission(self) -> Submission:
        """Makes tasks of calls."""

    def send(self, task: Task) -> TaskFuture[Any]:
        """Hand in a task; its future."""
