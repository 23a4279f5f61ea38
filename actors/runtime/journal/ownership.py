"""Who has a journal open: one program at a time."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from actors.errors import JournalError

__all__ = ["Ownership"]


class Ownership:
    """A lock on a file beside the journal, with the number of the process that holds it.

    It is of the kind that the kernel takes away when its process dies, whatever forks of it live on.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = path.with_name(path.name + "-lock")
        self._fd = -1
        self._pid = 0

    def take(self) -> None:
        """Take it.

        Raises:
            JournalError: another program has it, or the lock cannot be made.
        """
        if _identity(self._lock) in _HERE:
            # Not found out by opening it: to close it again would take the lock from its holder.
            raise self._in_use(str(os.getpid()))
        try:
            self._lock.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise JournalError(
                f"the journal {self._path} cannot be opened: {error.strerror}: {self._lock}",
                path=str(self._path),
                reason=type(error).__name__,
            ) from error
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
            os.close(fd)
            raise self._in_use(holder) from error
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self._fd, self._pid = fd, os.getpid()
        _HERE.add(_identity(self._lock))

    def give_up(self) -> None:
        """Let go; nothing happens if it is not held, or held by the process that this one is a fork of."""
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        if self._pid == os.getpid():
            _HERE.discard(_identity(self._lock))
        with suppress(OSError):
            os.close(fd)

    def _in_use(self, holder: str) -> JournalError:
        return JournalError(
            f"the journal {self._path} is in use by process {holder or 'unknown'}; one program at a time can have it "
            "open: end that one, or name another file",
            path=str(self._path),
            reason="in use",
        )


# Those of this process: locks of this kind never keep a process from its own.
_HERE: set[tuple[int, str]] = set()


def _identity(lock: Path) -> tuple[int, str]:
    return os.getpid(), os.path.realpath(lock)
