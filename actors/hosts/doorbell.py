"""Wakes a thread that waits in `poll`, from another thread or from a signal handler."""

from __future__ import annotations

import contextlib
import math
import os
import select

__all__ = ["Doorbell"]


class Doorbell:
    """A descriptor to sleep on beside others. Only the thread that owns it calls `sleep`; anyone may `ring`.

    Invariant: who has something for the owner puts it in place first and rings afterwards; the owner looks for such
    things after it has set `asleep` and before it sleeps. So none is overlooked, and nobody writes to the descriptor
    while the owner is awake.
    """

    __slots__ = ("_others", "_poll", "asleep", "reader", "writer")

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC) if hasattr(os, "pipe2") else _pipe()
        self._poll = select.poll()
        self._poll.register(self.reader, select.POLLIN)
        self._others: set[int] = set()
        self.asleep = False

    def watch(self, descriptor: int) -> None:
        """Wake also when `descriptor` is readable."""
        if descriptor not in self._others:
            self._others.add(descriptor)
            self._poll.register(descriptor, select.POLLIN)

    def unwatch(self, descriptor: int) -> None:
        """The opposite of `watch`."""
        if descriptor in self._others:
            self._others.discard(descriptor)
            self._poll.unregister(descriptor)

    def ring(self) -> None:
        """Wake the owner if it sleeps."""
        if self.asleep:
            self.asleep = False
            # A full pipe wakes just as well; a closed one has no owner any more.
            with contextlib.suppress(OSError):
                os.write(self.writer, b"\0")

    def sleep(self, timeout: float | None) -> bytes:
        """Wait until somebody rings, a watched descriptor is readable, or `timeout` seconds are over.

        Returns:
            What was written to the descriptor: NUL bytes of rings, and the numbers of signals if it is the process's
            wake-up descriptor.
        """
        try:
            ready = self._poll.poll(None if timeout is None or timeout == math.inf else max(0.0, timeout * 1000.0))
        finally:
            self.asleep = False
        for descriptor, _ in ready:
            if descriptor == self.reader:
                return self.drain()
        return b""

    def drain(self) -> bytes:
        """What was written, without waiting."""
        try:
            return os.read(self.reader, 4096)
        except (BlockingIOError, OSError):
            return b""

    def close(self) -> None:
        """Close its descriptors; later rings do nothing."""
        self.asleep = False
        for descriptor in (self.reader, self.writer):
            with contextlib.suppress(OSError):
                os.close(descriptor)


def _pipe() -> tuple[int, int]:
    reader, writer = os.pipe()
    for descriptor in (reader, writer):
        os.set_blocking(descriptor, False)
    return reader, writer
