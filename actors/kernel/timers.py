"""Messages that an actor gets later: a heap of due times."""

from __future__ import annotations

import heapq
from typing import Any

from actors.kernel.clock import Clock

__all__ = ["Timer", "Timers"]


class Timer:
    """One message that is due at a time, once or again and again. `live`: whether it will still fire."""

    __slots__ = ("_timers", "due", "interval", "live", "message")

    def __init__(self, timers: Timers, due: float, message: Any, interval: float | None) -> None:
        self._timers = timers
        self.message = message
        self.interval = interval
        self.live = True
        self.due = due

    def __repr__(self) -> str:
        return f"<Timer {self.message!r} due at {self.due:.3f}{'' if self.live else ', over'}>"

    def cancel(self) -> bool:
        """See to it that it fires no more. False if it had fired for the last time or was cancelled already."""
        if not self.live:
            return False
        self.live = False
        self._timers.forget()
        return True


class Timers:
    """The timers of one actor, used in its own thread alone.

    They belong to one incarnation: a replacement starts with none.

    Args:
        clock: whose monotonic time the delays are counted on.
    """

    __slots__ = ("_clock", "_count", "_dead", "_heap")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # (due, count, timer): the count keeps timers of one moment in the order of their making.
        self._heap: list[tuple[float, int, Timer]] = []
        self._count = 0
        # How many of the heap are cancelled. Invariant: at most half of it, or 16, so that cancelling costs no memory.
        self._dead = 0

    def __len__(self) -> int:
        return len(self._heap) - self._dead

    def once(self, delay: float, message: Any) -> Timer:
        """Deliver `message` to this actor in `delay` seconds (0 or more; a negative delay counts as 0)."""
        return self._add(max(delay, 0.0), message, None)

    def every(self, interval: float, message: Any, first: float | None = None) -> Timer:
        """Deliver `message` every `interval` seconds (more than 0), for the first time in `first` seconds.

        A turn that comes too late delivers it once, not once for each interval that was missed.

        Raises:
            ValueError: `interval` is not more than 0.
        """
        if interval <= 0:
            raise ValueError(f"the interval of a timer must be more than 0 seconds, not {interval}")
        return self._add(interval if first is None else max(first, 0.0), message, interval)

    def next_due(self) -> float | None:
        """When the next timer is due, on the clock's monotonic time; None if there is none."""
        heap = self._heap
        while heap and not heap[0][2].live:
            heapq.heappop(heap)
            self._dead -= 1
        return heap[0][0] if heap else None

    def due(self, now: float) -> list[Any]:
        """Take the messages that are due at `now`, the earliest first."""
        messages: list[Any] = []
        heap = self._heap
        while heap and heap[0][0] <= now:
            timer = heapq.heappop(heap)[2]
            if not timer.live:
                self._dead -= 1
                continue
            messages.append(timer.message)
            if timer.interval is None:
                timer.live = False
            else:
                missed = int((now - timer.due) / timer.interval)
                self._push(timer, timer.due + timer.interval * (missed + 1))
        return messages

    def clear(self) -> None:
        """Cancel all."""
        for _, _, timer in self._heap:
            timer.live = False
        self._heap.clear()
        self._dead = 0

    def _add(self, delay: float, message: Any, interval: float | None) -> Timer:
        timer = Timer(self, 0.0, message, interval)
        self._push(timer, self._clock.monotonic() + delay)
        return timer

    def _push(self, timer: Timer, due: float) -> None:
        timer.due = due
        self._count += 1
        heapq.heappush(self._heap, (due, self._count, timer))

    def forget(self) -> None:
        """Note that a timer was cancelled; for `Timer.cancel`."""
        self._dead += 1
        if self._dead > 16 and self._dead * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].live]
            heapq.heapify(self._heap)
            self._dead = 0
