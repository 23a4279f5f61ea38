"""What an agent has to tell on the task plane: results and progress, sent in batches."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from actors.hosts.channel import Channel
from actors.protocol.messages import Progress, Result

__all__ = ["FLUSH_AFTER", "FLUSH_BEYOND", "Outbox"]

FLUSH_AFTER = 0.001
"""Seconds that a result may wait for others to go with it."""

FLUSH_BEYOND = 1 << 20
"""So many bytes of results do not wait for more: a frame has a limit."""

_PROGRESS_KEPT = 32


class Outbox:
    """Collects results until there is nothing left to batch, or the oldest has waited for `FLUSH_AFTER`.

    Args:
        channel: the agent's end of the task plane.
        clock: monotonic seconds.

    `add` and `tell` are for the task lane and the task's threads; `flush` for any thread. Order is kept: a task's
    progress goes before its result.
    """

    __slots__ = ("_clock", "_lock", "_waiting", "channel", "flushed", "oldest", "size")

    def __init__(self, channel: Channel, clock: Callable[[], float]) -> None:
        self.channel = channel
        self._clock = clock
        self._waiting: deque[tuple[Any, ...] | Progress] = deque()
        self._lock = threading.Lock()
        # When the oldest that waits was added, on the monotonic clock.
        self.oldest = 0.0
        # When something was sent last.
        self.flushed = 0.0
        # How many bytes of results wait.
        self.size = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, result: tuple[Any, ...], now: float, size: int = 0) -> None:
        """Put in the fields of a `TaskResult`; `size` is how many bytes of it go into the frame."""
        if not self._waiting:
            self.oldest = now
        self._waiting.append(result)
        self.size += size

    def tell(self, progress: Progress, now: float) -> None:
        """Put in a progress message. Of a task that tells more than can be sent, the last story replaces others."""
        with self._lock:
            waiting = self._waiting
            last = waiting[-1] if waiting else None
            if len(waiting) >= _PROGRESS_KEPT and type(last) is Progress and last[:2] == progress[:2]:
                waiting[-1] = progress
                return
            if last is None:
                self.oldest = now
            waiting.append(progress)

    def flush(self) -> bool:
        """Send all that waits as one write. Returns whether there was anything.

        Raises:
            ChannelClosed: the other end is gone.
        """
        if not self._waiting:
            return False
        # The lock keeps the order between two threads that flush at once.
        with self._lock:
            results: list[tuple[Any, ...]] = []
            messages: list[Any] = []
            waiting = self._waiting
            self.size = 0
            while waiting:
                one = waiting.popleft()
                if type(one) is Progress:
                    if results:
                        messages.append(Result(results))
                        results = []
                    messages.append(one)
                else:
                    results.append(one)
            if results:
                messages.append(Result(results))
            if len(messages) == 1:
                self.channel.send(messages[0])
            elif messages:
                self.channel.send_many(messages)
            self.flushed = self._clock()
        return bool(messages)
