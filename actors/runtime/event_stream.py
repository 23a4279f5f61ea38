"""Events as something to iterate over."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from actors.core.eventbuffer import EVENT_BOUND, EventBuffer
from actors.kernel.clock import Clock, SystemClock
from actors.kernel.threads import SystemThreads, Threads
from actors.protocol.events import Event, Scope

if TYPE_CHECKING:
    import asyncio

__all__ = ["EventStream"]


class EventStream:
    """An iterator over events as they come; it ends when it is closed, by its reader or by the system's end.

    Events that come while nobody reads are kept up to a bound; beyond it the oldest are dropped and `missed` counts
    them. Several threads, and coroutines of any event loops, may read: each event goes to one of them. A coroutine that
    waits holds up no thread, and one that is cancelled takes no event with it.

    Args:
        kinds: the types of event it was opened for; empty means all.
        scope: see `Scope`.
        bound: how many events it keeps, 1 or more.
        notice: makes the event that is read after a loss; None: nobody wants to be told.
        on_close: called once, with the stream, by whoever closes it.
        threads, clock: what readers wait with; None: the machine's.

    Example:
        with system.events(TaskFailed) as failures:
            for failure in failures:
                print(failure.task_id, failure.error)

    Attributes:
        opening: what `async with` and the first `async for` wait for before they go on; None: nothing.
    """

    def __init__(
        self,
        kinds: tuple[type[Event], ...] = (),
        scope: Scope = "global",
        *,
        bound: int = EVENT_BOUND,
        notice: Callable[[int, int], Event] | None = None,
        on_close: Callable[[EventStream], None] | None = None,
        threads: Threads | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.kinds = kinds
        self.scope: Scope = scope
        self._buffer: EventBuffer[Event] = EventBuffer(bound, notice)
        self._changed = (threads or SystemThreads()).condition()
        self._monotonic = (clock or SystemClock()).monotonic
        self._closed = False
        self._on_close = on_close
        self._waiters: deque[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = deque()
        self.opening: Awaitable[Any] | None = None

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
        return self.offer_all((event,))

    def offer_all(self, events: Sequence[Event]) -> bool:
        """Add events in their order, without ever blocking; False if the stream is closed."""
        with self._changed:
            if self._closed:
                return False
            for event in events:
                self._buffer.put(event)
            self._changed.notify(len(events))
            self._wake_coroutines()
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
            while not len(self._buffer):
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
            self._wake_coroutines()
        if self._on_close is not None:
            self._on_close(self)

    def end(self) -> None:
        """The system has ended."""
        self.close()

    # In threads

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

    # In coroutines

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        import asyncio  # noqa: PLC0415 - only who has a loop pays for it

        await self._opened()
        loop = asyncio.get_running_loop()
        while True:
            with self._changed:
                if len(self._buffer):
                    return self._buffer.take()
                if self._closed:
                    raise StopAsyncIteration
                entry = (loop, loop.create_future())
                self._waiters.append(entry)
            try:
                await entry[1]
            finally:
                with self._changed:
                    if entry in self._waiters:
                        self._waiters.remove(entry)

    async def aclose(self) -> None:
        """As `close`, for `contextlib.aclosing`."""
        self.close()

    async def __aenter__(self) -> Self:
        await self._opened()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def _opened(self) -> None:
        """Wait until everybody knows that somebody listens."""
        if self.opening is not None:
            try:
                await self.opening
            except Exception:
                self.close()
                raise
            self.opening = None

    def _wake_coroutines(self) -> None:
        """With the lock held: let all that wait look again. Whoever comes first takes what there is."""
        while self._waiters:
            loop, waiter = self._waiters.popleft()
            # A loop that is closed has nobody left who waits.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_wake, waiter)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def _names(kinds: tuple[type[Event], ...]) -> str:
    return ", ".join(kind.__name__ for kind in kinds) or "of all events"
