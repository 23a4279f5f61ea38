"""Events as something to iterate over."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

from actors.kernel.clock import Clock, SystemClock
from actors.kernel.threads import SystemThreads, Threads
from actors.protocol.events import Event, Scope
from actors.runtime.event_buffer import EVENT_BOUND, EventBuffer

__all__ = ["EventStream"]


class EventStream:
    """An iterator over events as they come; it ends when it is closed, by its reader or by the system's end.

    Events that come while nobody reads are kept up to a bound; beyond it the oldest are dropped and `missed` counts
    them. Several threads may read: each event goes to one of them.

    Args:
        kinds: the types of event it was opened for; empty means all.
        scope: see `Scope`.
        bound: how many events it keeps, 1 or more.
        on_close: called once, with the stream, by whoever closes it.
        threads, clock: what readers wait with; None: the machine's.

    Example:
        with system.events(TaskFailed) as failures:
            for failure in failures:
                print(failure.task_id, failure.error)
    """

    def __init__(
        self,
        kinds: tuple[type[Event], ...] = (),
        scope: Scope = "global",
        *,
        bound: int = EVENT_BOUND,
        on_close: Callable[[EventStream], None] | None = None,
        threads: Threads | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.kinds = kinds
        self.scope: Scope = scope
        self._buffer: EventBuffer[Event] = EventBuffer(bound)
        self._changed = (threads or SystemThreads()).condition()
        self._monotonic = (clock or SystemClock()).monotonic
        self._closed = False
        self._on_close = on_close

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open"
        return f"<EventStream {_names(self.kinds)}: {state}, {len(self._buffer)} waiting, {self.missed} missed>"

    @property
    def missed(self) -> int:
        """How many events were dropped because nobody read them in time."""
        return self._buffer.missed

    @property
    def closed(self) -> bool:
        """Whether no more events come. Those that wait can still be read."""
        return self._closed

    def offer(self, event: Event) -> bool:
        """Add an event, without ever blocking; False if the stream is closed."""
        with self._changed:
            if self._closed:
                return False
            self._buffer.put(event)
            self._changed.notify()
        return True

    def get(self, timeout: float | None = None) -> Event | None:
        """Wait for the next event.

        Args:
            timeout: seconds to wait at most; 0 only looks, None waits until there is one or the stream is closed.

        Returns:
            The event, or None: nothing came in time, or the stream is closed and empty.
        """
        deadline = None if timeout is None else self._monotonic() + timeout
        with self._changed:
            while not self._buffer:
                left = None if deadline is None else deadline - self._monotonic()
                if self._closed or (left is not None and left <= 0):
                    return None
                self._changed.wait(left)
            return self._buffer.take()

    def close(self) -> None:
        """Take no more events. What waits can still be read; after that the iteration ends. A second call is nothing."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify_all()
        if self._on_close is not None:
            self._on_close(self)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        event = self.get()
        if event is None:
            raise StopIteration
        return event

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _names(kinds: tuple[type[Event], ...]) -> str:
    return ", ".join(kind.__name__ for kind in kinds) or "of all events"
