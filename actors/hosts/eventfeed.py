"""Hands a worker the events that it subscribed to, in a thread of its own: a slow handler delays nobody else."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from actors.kernel.threads import Thread, Threads

__all__ = ["EventFeed"]

_BOUND = 10_000


class EventFeed:
    """Starts its thread with the first event.

    Args:
        handle: called with each item, one after the other; must not raise.
        name: of the thread.
        threads: where it comes from.
    """

    def __init__(self, handle: Callable[[Any], object], name: str, threads: Threads) -> None:
        self._handle = handle
        self._name = name
        self._waiting: deque[Any] = deque()
        self._threads = threads
        self._changed = threads.condition()
        self._thread: Thread | None = None
        self._ended = False
        self.missed = 0

    def put(self, item: Any) -> None:
        """Add an item; when too many wait, the oldest is dropped and counted."""
        with self._changed:
            if self._ended:
                return
            if len(self._waiting) >= _BOUND:
                self._waiting.popleft()
                self.missed += 1
            self._waiting.append(item)
            self._changed.notify()
            if self._thread is None:
                self._thread = self._threads.start(self._run, self._name)

    def end(self, timeout: float) -> None:
        """Drop what waits and end the thread, waiting for its present item for at most `timeout` seconds."""
        with self._changed:
            self._ended = True
            self._waiting.clear()
            self._changed.notify()
        if self._thread is not None and self._thread is not self._threads.current():
            self._thread.join(timeout)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ended)
                if self._ended:
                    return
                item = self._waiting.popleft()
            self._handle(item)
