"""A mailbox whose owner waits for descriptors at the same time.

The owner's thread sleeps in one system call for both. A message wakes it through a descriptor of the poller's own, and
only if it sleeps. Callbacks run in the owner's thread, so they need no lock for what the actor owns.
"""

from __future__ import annotations

import contextlib
import os
import select
from _thread import allocate_lock
from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeAlias

from actors.errors import ConfigError
from actors.kernel.mailbox import Mailbox, Overflow

__all__ = ["OnReady", "PollMailbox", "Poller", "Waiting"]

OnReady: TypeAlias = Callable[[], Iterable[Any] | None]
"""What is called when a descriptor is ready. It returns messages that join the batch, or None."""

# The numbers are the same for poll and epoll.
_IN, _OUT = 1, 4


class _Watched:
    """One descriptor and what is called for it."""

    __slots__ = ("mask", "on_readable", "on_writable")

    def __init__(self, on_readable: OnReady, on_writable: OnReady | None) -> None:
        self.on_readable = on_readable
        self.on_writable = on_writable
        self.mask = _IN


class Waiting(Protocol):
    """What waits for descriptors, as epoll does; `timeout` in seconds, None without end."""

    def register(self, fd: int, eventmask: int, /) -> None:
        """Wait for the events of a descriptor."""

    def modify(self, fd: int, eventmask: int, /) -> None:
        """Wait for other events of it."""

    def unregister(self, fd: int, /) -> None:
        """Wait for it no more."""

    def poll(self, timeout: float | None, /) -> list[tuple[int, int]]:
        """Wait, and tell which are ready, with the events of each."""

    def close(self) -> None:
        """Free what it holds."""


class _PlainPoll:
    """poll(2) behind the face of epoll, for systems without it. A change takes effect at the next `poll`."""

    needs_waking = True

    def __init__(self) -> None:
        self._masks: dict[int, int] = {}

    def register(self, fd: int, eventmask: int, /) -> None:
        self._masks[fd] = eventmask

    modify = register

    def unregister(self, fd: int, /) -> None:
        self._masks.pop(fd, None)

    def poll(self, timeout: float | None, /) -> list[tuple[int, int]]:
        poll = select.poll()
        for fd, mask in self._masks.copy().items():
            poll.register(fd, mask)
        return poll.poll(None if timeout is None else timeout * 1000)

    def close(self) -> None:
        self._masks.clear()


class Poller:
    """The descriptors that a `PollMailbox` watches. All but `poll` may be called from any thread.

    Readiness is level-triggered: a callback that leaves something unread is called again in the next turn. It must not
    block, and must bear being called for nothing.

    Args:
        waiting: what waits for the descriptors, without being woken by anybody; None: the machine, and a descriptor of
            the poller's own to wake it.
    """

    def __init__(self, waiting: Waiting | None = None) -> None:
        self._watched: dict[int, _Watched] = {}
        self._lock = allocate_lock()
        self._closed = False
        self._restless = False
        self._read_bell = False
        self._bell_out = self._bell_in = -1
        if waiting is not None:
            self._wait: Waiting = waiting
            return
        self._wait = select.epoll() if hasattr(select, "epoll") else _PlainPoll()
        self._restless = isinstance(self._wait, _PlainPoll)
        if hasattr(os, "eventfd"):
            self._bell_out = self._bell_in = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        else:
            self._bell_out, self._bell_in = os.pipe()
            os.set_blocking(self._bell_out, False)
            os.set_blocking(self._bell_in, False)
        # Edge-triggered, each ring is told once without being read, which saves a system call for each time it wakes.
        self._read_bell = self._restless or self._bell_in != self._bell_out
        self._wait.register(self._bell_out, _IN if self._read_bell else _IN | select.EPOLLET)

    def __len__(self) -> int:
        return len(self._watched)

    @property
    def closed(self) -> bool:
        """Whether its own descriptors were given back."""
        return self._closed

    def register(self, fd: int, on_readable: OnReady, on_writable: OnReady | None = None) -> None:
        """Watch a descriptor.

        Args:
            fd: it must stay open until it is unregistered.
            on_readable: called when there is something to read, the other end is gone, or there is an error.
            on_writable: called when there is room to write, while `want_write` says that this is of interest.

        Raises:
            ConfigError: it is watched already.
            OSError: it cannot be watched.
        """
        with self._lock:
            if self._closed:
                return
            if fd in self._watched:
                raise ConfigError(f"descriptor {fd} is watched already: unregister it first", key="fd", value=fd)
            self._wait.register(fd, _IN)
            self._watched[fd] = _Watched(on_readable, on_writable)
        self._changed()

    def want_write(self, fd: int, wanted: bool) -> None:  # noqa: FBT001 - it is what the call is about
        """Say whether `on_writable` of a descriptor is to be called. Nothing happens if it is not watched."""
        with self._lock:
            watched = self._watched.get(fd)
            if watched is None:
                return
            mask = _IN | _OUT if wanted and watched.on_writable is not None else _IN
            if mask == watched.mask:
                return
            watched.mask = mask
            self._wait.modify(fd, mask)
        self._changed()

    def unregister(self, fd: int) -> None:
        """Watch a descriptor no more; before it is closed. Nothing happens if it is not watched."""
        with self._lock:
            if self._watched.pop(fd, None) is not None:
                # A descriptor that was closed too early has left the epoll set by itself.
                with contextlib.suppress(OSError, ValueError):
                    self._wait.unregister(fd)
        self._changed()

    def clear(self) -> None:
        """Watch nothing any more."""
        for fd in list(self._watched):
            self.unregister(fd)

    def wake(self) -> None:
        """Make a `poll` that sleeps, or else the next one, return at once."""
        if self._bell_in >= 0:
            with contextlib.suppress(BlockingIOError):
                os.write(self._bell_in, b"\1\0\0\0\0\0\0\0")

    def poll(self, timeout: float | None) -> list[Any]:
        """Wait for descriptors and call their callbacks; in the owner's thread alone.

        Args:
            timeout: seconds; 0 only looks, None waits without end.

        Returns:
            The messages of the callbacks.

        Raises:
            PollFailed: a callback raised; what the others of the round returned is in it.
        """
        messages: list[Any] = []
        for fd, events in self._wait.poll(timeout):
            if fd == self._bell_out:
                if self._read_bell:
                    with contextlib.suppress(BlockingIOError):
                        os.read(fd, 4096)
                continue
            # A callback of the same round may have unregistered it.
            watched = self._watched.get(fd)
            if watched is None:
                continue
            try:
                if events & ~_OUT:
                    messages += watched.on_readable() or ()
                if events & _OUT and watched.on_writable is not None and self._watched.get(fd) is watched:
                    messages += watched.on_writable() or ()
            except BaseException as error:
                raise PollFailed(error, messages) from error
        return messages

    def close(self) -> None:
        """Give back the poller's own descriptors. The watched ones belong to whoever registered them."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._watched.clear()
            self._wait.close()
            if self._bell_out >= 0:
                os.close(self._bell_out)
            if self._bell_in != self._bell_out:
                os.close(self._bell_in)

    def __del__(self) -> None:
        # Of a mailbox that was never used, and so never released.
        self.close()

    def _changed(self) -> None:
        if self._restless:
            self.wake()


class PollFailed(Exception):
    """A callback raised `error`; `messages` are what the others of the round returned."""

    def __init__(self, error: BaseException, messages: list[Any]) -> None:
        super().__init__("a callback of a descriptor raised")
        self.error = error
        self.messages = messages


class PollMailbox(Mailbox):
    """A mailbox whose `take` also watches the descriptors of its `poller`, and returns what their callbacks return.

    Every turn looks at the descriptors, however many messages wait, so neither starves the other. Arguments as for
    `Mailbox`; `poller` is its own, None makes one.
    """

    def __init__(
        self,
        bound: int = 10_000,
        overflow: Overflow = Overflow.BLOCK,
        on_dropped: Callable[[Any], None] | None = None,
        poller: Poller | None = None,
    ) -> None:
        super().__init__(bound, overflow, on_dropped)
        self.poller = Poller() if poller is None else poller
        self._released = False

    def take(self, timeout: float | None = None) -> list[Any]:
        """Like `Mailbox.take`; messages that callbacks returned come last.

        Raises:
            BaseException: whatever a callback raised; no message is lost by it.
        """
        with self._lock:
            if self._released:
                return []
            if self._order.waiting or self.pressing or self._returned or self._closed:
                timeout = 0.0
            elif timeout is None or timeout > 0:
                self._asleep = True
        try:
            found = self.poller.poll(timeout)
        except ValueError:
            # Released in this very moment: an actor that was given up has no more to take.
            if not self.poller.closed:
                raise
            return []
        except PollFailed as failed:
            with self._lock:
                self._asleep = False
                for message in failed.messages:
                    self._order.put(message)
            raise failed.error from failed.error.__cause__
        with self._lock:
            self._asleep = False
            taken = self._drain()
        return taken + found if found else taken

    def release(self) -> None:
        """Close the poller's own descriptors."""
        with self._lock:
            self._released = True
            self.poller.close()

    def _rouse(self) -> None:
        if not self._released:
            self.poller.wake()
