"""A descriptor that can be made readable, for whoever polls it."""

from __future__ import annotations

import contextlib
import os
import select

from actors.hosts.descriptors import close_all

__all__ = ["Wakeup", "wait_readable"]


def wait_readable(fd: int, timeout: float | None) -> bool:
    """Whether a descriptor is readable within `timeout` seconds (None: wait for ever)."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(None if timeout is None else max(timeout, 0) * 1000))


class Wakeup:
    """An eventfd, or a pipe where there is none. Any thread may call its methods."""

    def __init__(self) -> None:
        if hasattr(os, "eventfd"):
            self.reader = self._writer = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        else:
            self.reader, self._writer = os.pipe()
            os.set_blocking(self.reader, False)
            os.set_blocking(self._writer, False)

    def set(self) -> None:
        """Make it readable."""
        # Full is readable enough.
        with contextlib.suppress(BlockingIOError):
            os.write(self._writer, b"\1\0\0\0\0\0\0\0")

    def clear(self) -> None:
        """Make it not readable."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.reader, 4096)

    def close(self) -> None:
        """Free the descriptors."""
        close_all({self.reader, self._writer})
        self.reader = self._writer = -1
