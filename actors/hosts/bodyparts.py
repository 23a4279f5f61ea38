"""Numbers for the coroutines and threads that the bodies of one agent start, by which the scheduler tells them apart."""

from __future__ import annotations

import itertools
import threading

__all__ = ["BodyParts"]


class BodyParts:
    """Gives numbers from 1, never one twice. Each agent has its own, so that a number depends on nothing but the agent."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._of_threads = threading.local()

    def next(self) -> int:
        """A number for a part that has none."""
        return next(self._numbers)

    def of_thread(self) -> int:
        """The number of the calling thread."""
        found: int | None = getattr(self._of_threads, "number", None)
        if found is None:
            found = self._of_threads.number = self.next()
        return found
