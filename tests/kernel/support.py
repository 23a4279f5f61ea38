"""Waiting for what happens in other threads, with a time limit and without a sleep."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

LIMIT = 20.0
"""Seconds after which a test gives up on an event that should come at once."""


def in_thread(function: Callable[..., Any], *args: Any) -> threading.Thread:
    """Call a function in a thread of its own."""
    thread = threading.Thread(target=function, args=args, daemon=True)
    thread.start()
    return thread


def finished(thread: threading.Thread) -> None:
    """Wait for the end of a thread."""
    thread.join(LIMIT)
    assert not thread.is_alive(), f"{thread.name} is stuck"


def happens(event: threading.Event) -> None:
    """Wait for an event."""
    assert event.wait(LIMIT), "it did not happen"


class Seen:
    """A list that threads append to and a test waits for."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self._changed = threading.Condition()

    def __call__(self, item: Any) -> None:
        with self._changed:
            self.items.append(item)
            self._changed.notify_all()

    def wait(self, count: int) -> list[Any]:
        """Wait until there are `count` items, and return all."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.items) >= count, LIMIT), f"only {self.items}"
            return list(self.items)
