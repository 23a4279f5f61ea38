"""Hands a worker the events that it subscribed to, in a thread of its own: a slow handler delays nobody else."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from actors.core.eventbuffer import EVENT_BOUND, EventBuffer
from actors.kernel.threads import Thread, Threads

__all__ = ["EventFeed"]

_log = logging.getLogger("actors.agent")

_PATIENCE = 1.0
"""Seconds that `on_event` may take while others wait, before a warning says so."""


class EventFeed:
    """Starts its thread with the first event.

    Args:
        handle: called with each item, one after the other; must not raise.
        notice: makes the item that tells of a loss, of how many were lost since the last one, and in all.
        agent: whose it is, for the thread and the log.
        threads: where the thread comes from.
        monotonic: seconds that only grow.
        bound: how many events wait.
    """

    def __init__(
        self,
        handle: Callable[[Any], object],
        notice: Callable[[int, int], Any],
        agent: str,
        threads: Threads,
        monotonic: Callable[[], float],
        bound: int = EVENT_BOUND,
    ) -> None:
        self._handle = handle
        self._agent = agent
        self._buffer: EventBuffer[Any] = EventBuffer(bound, notice)
        self._threads = threads
        self._changed = threads.condition()
        self._monotonic = monotonic
        self._thread: Thread | None = None
        # Since when it is in its present item; None between two.
        self._since: float | None = None
        self._told = False
        self._ended = False

    @property
    def missed(self) -> int:
        """How many events were dropped because the worker did not come round to them."""
        return self._buffer.missed

    def put(self, item: Any) -> None:
        """Add an item; when too many wait, the oldest is dropped and counted."""
        self._add(lambda: self._buffer.put(item))

    def miss(self, count: int) -> None:
        """Count events that were lost on their way here."""
        self._add(lambda: self._buffer.miss(count))

    def _add(self, add: Callable[[], object]) -> None:
        with self._changed:
            if self._ended:
                return
            add()
            self._changed.notify()
            if self._thread is None:
                self._thread = self._threads.start(self._run, f"{self._agent} events")
            late = self._since is not None and self._monotonic() - self._since > _PATIENCE
            tell, self._told = not self._told and (late or self.missed > 0), self._told or late or self.missed > 0
        if tell:
            _log.warning(
                "%s: on_event is slow: %d events wait, of at most %d; beyond that the oldest are dropped, and EventsMissed "
                "tells how many (%d so far)",
                self._agent,
                len(self._buffer),
                self._buffer.bound,
                self.missed,
            )

    def end(self, timeout: float) -> None:
        """Drop what waits and end the thread, waiting for its present item for at most `timeout` seconds."""
        with self._changed:
            self._ended = True
            self._buffer.drop()
            self._changed.notify()
        if self._thread is not None and self._thread is not self._threads.current():
            self._thread.join(timeout)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._since = None
                self._changed.wait_for(lambda: len(self._buffer) or self._ended)
                if self._ended:
                    return
                item = self._buffer.take()
                self._since = self._monotonic()
            self._handle(item)
