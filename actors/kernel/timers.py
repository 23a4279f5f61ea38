"""Messages that an actor gets later: a heap of due times."""

from __future__ import annotations

import heapq
from typing import Any, NamedTuple

from actors.errors import ConfigError
from actors.kernel.clock import Clock

__all__ = ["ReceiveTimeout", "Timer", "Timers"]


class ReceiveTimeout(NamedTuple):
    """No message has come for `seconds`; see `Actor.set_receive_timeout`."""

    seconds: float


class Timer:
    """One message that is due at a time, once or again and again.

    `live`: whether its message will still be handled. What is due and waits for its turn is not handled any more once it
    is cancelled.
    """

    __slots__ = ("due", "interval", "live", "message", "name", "owner", "queued")

    def __init__(self, timers: Timers, message: Any, interval: float | None, name: str | None) -> None:
        self.owner = timers
        self.message = message
        self.interval = interval
        self.name = name
        self.live = True
        self.due = 0.0
        # Whether it is in the heap.
        self.queued = False

    def __repr__(self) -> str:
        return f"<Timer {self.message!r} due at {self.due:.3f}{'' if self.live else ', over'}>"

    def cancel(self) -> bool:
        """See to it that its message is handled no more. False if it was for the last time or was cancelled already."""
        if not self.live:
            return False
        self.owner.end(self)
        return True


class Timers:
    """The timers of one actor, used in its own thread alone.

    They belong to one incarnation: a replacement starts with none.

    Args:
        clock: whose monotonic time the delays are counted on.
    """

    __slots__ = ("_clock", "_count", "_dead", "_heap", "_idle", "_idle_due", "_named")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # (due, count, timer): the count keeps timers of one moment in the order of their making.
        self._heap: list[tuple[float, int, Timer]] = []
        self._count = 0
        # How many of the heap are cancelled. Invariant: at most half of it, or 16, so that cancelling costs no memory.
        self._dead = 0
        self._named: dict[str, Timer] = {}
        # After how many seconds without a message, and when that will be.
        self._idle: float | None = None
        self._idle_due = 0.0

    def __len__(self) -> int:
        return len(self._heap) - self._dead

    @property
    def idles(self) -> bool:
        """Whether the actor wants to know when nothing comes."""
        return self._idle is not None

    def __contains__(self, name: str) -> bool:
        return name in self._named

    def once(self, delay: float, message: Any, *, name: str | None = None) -> Timer:
        """Deliver `message` to this actor in `delay` seconds (0 or more; a negative delay counts as 0).

        Args:
            delay: seconds.
            message: anything.
            name: by which it can be cancelled. One of the same name that is under way is cancelled: of two only the
                later one's message is handled.
        """
        return self._add(max(delay, 0.0), message, None, name)

    def every(self, interval: float, message: Any, first: float | None = None, *, name: str | None = None) -> Timer:
        """Deliver `message` every `interval` seconds (more than 0), for the first time in `first` seconds.

        A turn that comes too late delivers it once, not once for each interval that was missed. `name` as for `once`.

        Raises:
            ValueError: `interval` is not more than 0.
        """
        if not interval > 0:
            raise ConfigError(
                f"the interval of a timer must be more than 0 seconds, not {interval}", key="interval", value=interval
            )
        return self._add(interval if first is None else max(first, 0.0), message, interval, name)

    def cancel(self, name: str) -> bool:
        """Cancel the timer of this name. False if there is none under way."""
        timer = self._named.get(name)
        return timer is not None and timer.cancel()

    def names(self) -> list[str]:
        """The names of those under way, in the order of their making."""
        return list(self._named)

    def next_due(self) -> float | None:
        """When the next timer is due, on the clock's monotonic time; None if there is none."""
        heap = self._heap
        while heap and not heap[0][2].live:
            heapq.heappop(heap)
            self._dead -= 1
        if self._idle is None:
            return heap[0][0] if heap else None
        return min(heap[0][0], self._idle_due) if heap else self._idle_due

    def due(self, now: float) -> list[Timer]:
        """Take those that are due at `now`, the earliest first. Each is to be handed to `deliver` when its turn comes."""
        timers: list[Timer] = []
        heap = self._heap
        while heap and heap[0][0] <= now:
            timer = heapq.heappop(heap)[2]
            timer.queued = False
            if not timer.live:
                self._dead -= 1
                continue
            timers.append(timer)
            if timer.interval is not None:
                missed = int((now - timer.due) / timer.interval)
                self._push(timer, timer.due + timer.interval * (missed + 1))
        return timers

    def deliver(self, timer: Timer) -> bool:
        """Whether the message of a timer that was due is to be handled: not if it was cancelled since, or is another's."""
        if not timer.live or timer.owner is not self:
            return False
        if timer.interval is None:
            self._over(timer)
        return True

    def clear(self) -> None:
        """Cancel all."""
        for _, _, timer in self._heap:
            timer.live = False
        for timer in self._named.values():
            timer.live = False
        self._heap.clear()
        self._named.clear()
        self._dead = 0
        self._idle = None

    # --- the time without a message ---

    def idle_after(self, seconds: float | None) -> None:
        """Note after how many seconds without a message the actor wants to know of it; None: never."""
        self._idle = seconds
        self.rearm()

    def rearm(self) -> None:
        """A message was handled just now."""
        if self._idle is not None:
            self._idle_due = self._clock.monotonic() + self._idle

    def idle(self, now: float) -> ReceiveTimeout | None:
        """What is to be told at `now` to an actor for which nothing has come."""
        if self._idle is None or now < self._idle_due:
            return None
        return ReceiveTimeout(self._idle)

    # --- inside ---

    def _add(self, delay: float, message: Any, interval: float | None, name: str | None) -> Timer:
        timer = Timer(self, message, interval, name)
        if name is not None:
            self.cancel(name)
            self._named[name] = timer
        self._push(timer, self._clock.monotonic() + delay)
        return timer

    def _push(self, timer: Timer, due: float) -> None:
        timer.due = due
        timer.queued = True
        self._count += 1
        heapq.heappush(self._heap, (due, self._count, timer))

    def _over(self, timer: Timer) -> None:
        timer.live = False
        if timer.name is not None and self._named.get(timer.name) is timer:
            del self._named[timer.name]

    def end(self, timer: Timer) -> None:
        """Cancel a timer; for `Timer.cancel`."""
        self._over(timer)
        if not timer.queued:
            return
        self._dead += 1
        if self._dead > 16 and self._dead * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].live]
            heapq.heapify(self._heap)
            self._dead = 0
