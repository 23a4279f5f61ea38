"""Agents that are busy until they are let go, so that what is submitted after that must wait."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["Gate", "gate", "hold", "until"]

_PATIENCE = 60.0


def hold(path: str) -> int:
    """Wait until the gate opens. The kernel wakes whoever waits: nobody asks again and again."""
    with open(path, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
    return os.getpid()


class Gate:
    """Shut until it is opened.

    Args:
        path: a file, which `hold` takes.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._file = open(path, "rb")  # noqa: SIM115 - it is shut while it is open
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def open(self) -> None:
        """Let all go who wait, and who come later. A process that was forked has the file open, too: closing is not enough."""
        if not self._file.closed:
            fcntl.flock(self._file, fcntl.LOCK_UN)
            self._file.close()

    def waiting(self) -> int:
        """How many wait."""
        inode = f":{os.stat(self.path).st_ino} "
        with open("/proc/locks", encoding="ascii") as locks:
            return sum("->" in line and inode in line for line in locks)


@contextlib.contextmanager
def gate() -> Iterator[Gate]:
    """One that is open at the end, whatever happens."""
    with tempfile.NamedTemporaryFile(prefix="gate-") as file:
        made = Gate(file.name)
        try:
            yield made
        finally:
            made.open()


def until(condition: Callable[[], Any], what: str) -> None:
    """Wait for what no event tells.

    Raises:
        RuntimeError: it did not become true within a minute.
    """
    end = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"{what} did not come to be in {_PATIENCE:g} s")
        time.sleep(0.01)
