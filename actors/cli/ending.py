"""How a command of `actors` ends."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from typing import NoReturn, Protocol

__all__ = [
    "DONE",
    "FAILED",
    "PROBLEMS",
    "USAGE",
    "Interruptible",
    "Stop",
    "Stopped",
    "installed_version",
    "leave",
    "refuse",
    "text_of",
]

DONE = 0
PROBLEMS = 1
USAGE = 2
FAILED = 3
INTERRUPTED = 128
"""Plus the number of the signal, as shells count: 130 for Ctrl-C, 143 for TERM."""

# Where one of them does not exist, --help and --version work all the same.
_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Stopped(Exception):
    """The command ends with a code and a message for people."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def refuse(code: int, message: str) -> NoReturn:
    """End the command.

    Raises:
        Stopped: always.
    """
    raise Stopped(code, message) from None


def text_of(error: Exception) -> str:
    """An error in words, for people."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename!r}" if error.filename else error.strerror
    return str(error)


def installed_version() -> str:
    """The version of the library."""
    try:
        return version("actors-hub")
    except PackageNotFoundError:
        return "of a source tree that is not installed"


def leave(code: int) -> NoReturn:
    """End the process with nothing more than what stands in the buffers. The agents are gone by now."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


class Interruptible(Protocol):
    """What a command has under way."""

    def interrupt(self) -> None:
        """End it soon, at a place of its own choice. Called by a signal's handler."""


class Stop:
    """Signals that ask the command to end: the first one what it has under way, a second one at once."""

    def __init__(self) -> None:
        self._signal: int | None = None
        self.running: Interruptible | None = None

    @property
    def code(self) -> int:
        """The exit code that says so."""
        return INTERRUPTED + (self._signal or signal.SIGINT)

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """Heed the signals inside the block; those that the command was started to ignore stay ignored."""
        earlier = {number: signal.getsignal(number) for number in _SIGNALS}
        for number, handler in earlier.items():
            if handler not in {signal.SIG_IGN, None}:
                signal.signal(number, self._heed)
        try:
            yield
        finally:
            for number, handler in earlier.items():
                if handler is not None:
                    signal.signal(number, handler)

    def _heed(self, number: int, frame: object) -> None:
        first, self._signal = self._signal is None, number
        if first and self.running is not None:
            # Not by an exception, which could come anywhere.
            self.running.interrupt()
        else:
            raise KeyboardInterrupt
