"""Sub-tasks in the order in which they end, for a task that goes on with each as it comes."""

from __future__ import annotations

import concurrent.futures
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from actors.errors import ConfigError
from actors.hosts.subtasks import SubTaskFuture

if TYPE_CHECKING:
    from actors.future import TaskFuture
    from actors.hosts.subtasks import SubTasks

__all__ = ["Completed"]


class Completed(Iterator["TaskFuture[Any]"]):
    """An iterator over futures of own sub-tasks as they get their outcomes; more may be added while it goes on.

    To wait gives the slot of the task away. It ends when there is none left.

    Args:
        subtasks: knows how a body waits.
        futures: the first ones.
        timeout: seconds for all of them; None waits without end.
    """

    def __init__(self, subtasks: SubTasks, futures: Iterable[TaskFuture[Any]], timeout: float | None) -> None:
        self._subtasks = subtasks
        self._timeout = timeout
        self._until = None if timeout is None else subtasks.clock() + timeout
        self._lock = threading.Lock()
        self._open: dict[TaskFuture[Any], None] = {}
        self._ended: deque[TaskFuture[Any]] = deque()
        # Set when one ends; there while somebody waits.
        self._bell: concurrent.futures.Future[None] | None = None
        for future in futures:
            self.add(future)

    def __len__(self) -> int:
        """How many have not come yet."""
        return len(self._open) + len(self._ended)

    def add(self, future: TaskFuture[Any]) -> None:
        """Wait for this one, too; a second time it is overlooked.

        Raises:
            ConfigError: it is no future of this agent's sub-tasks.
        """
        if not isinstance(future, SubTaskFuture):
            message = f"as_completed takes futures of this agent's own sub-tasks, not {future!r}"
            raise ConfigError(message, key="futures", value=future)
        with self._lock:
            if future in self._open or future in self._ended:
                return
            self._open[future] = None
        future.add_done_callback(self._has_ended)

    def _has_ended(self, future: Any) -> None:
        with self._lock:
            if future not in self._open:
                return
            del self._open[future]
            self._ended.append(future)
            bell, self._bell = self._bell, None
        if bell is not None:
            bell.set_result(None)

    def __next__(self) -> TaskFuture[Any]:
        """The next one that has its outcome.

        Raises:
            TimeoutError: none has in time.
        """
        while True:
            with self._lock:
                if self._ended:
                    return self._ended.popleft()
                if not self._open:
                    raise StopIteration
                bell = self._bell = concurrent.futures.Future()
                numbers = [future.number for future in self._open]
            left = None if self._until is None else self._until - self._subtasks.clock()
            if left is not None and left <= 0:
                raise TimeoutError(f"{len(numbers)} sub-tasks have no outcome after {self._timeout} s")
            concurrent.futures.wait([bell], self._subtasks.wait_for(bell, bell.done, left, numbers))
