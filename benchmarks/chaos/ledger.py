"""What tasks themselves write down: independent of the library, and there also when the writer dies right after.

One file for each agent's process, so that a process that writes garbage harms its own alone. A line has a checksum and
is written by one `write` with O_APPEND: it is there whole or is recognised as garbled.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import struct
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Conflict", "Heard", "Ledger", "Pages", "Run"]

_LOCKS = "locks"
# struct flock of 64-bit Linux: type, whence, start, length, pid.
_FLOCK = "hhqqi4x"


@dataclass(slots=True)
class Run:
    """One run of a task's body. `ended` is None if the body never said that it came to its end."""

    task: str
    number: int
    attempt: int
    kind: str
    agent: str
    pid: int
    began: float
    ended: float | None = None


@dataclass(frozen=True, slots=True)
class Conflict:
    """A body began in `pid` while process `holder` was still in the body of the same task."""

    task: str
    attempt: int
    at: float
    pid: int
    holder: int


@dataclass(frozen=True, slots=True)
class Heard:
    """A message that an agent's process took; numbers of one sender rise."""

    agent: str
    pid: int
    number: int


@dataclass(slots=True)
class Pages:
    """All that was written down."""

    runs: list[Run] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    garbled: int = 0


class Ledger:
    """A directory that many processes write to.

    Args:
        directory: exists, and is for this run alone.
    """

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self._locks = -1
        self._locks_of = 0
        self._held: set[str] = set()

    def __reduce__(self) -> tuple[type[Ledger], tuple[str]]:
        return Ledger, (self.directory,)

    @contextmanager
    def run(self, task: str | None, number: int, attempt: int, kind: str, agent: str) -> Iterator[None]:
        """Write down the begin and the end of a body, and look whether another process is in the same task."""
        task = str(task)
        holder = self._hold(task)
        self._write("B", task, attempt, number, kind, agent)
        if holder:
            self._write("C", task, attempt, holder)
        try:
            yield
            self._write("E", task, attempt)
        finally:
            self._let_go(task)

    def heard(self, agent: str, number: int) -> None:
        """Write down that a message was taken."""
        self._write("M", agent, number)

    def _write(self, sign: str, *words: object) -> None:
        text = " ".join(map(str, (sign, f"{time.monotonic():.6f}", *words))).encode()
        # A line break before it as well: what somebody else wrote before does not spoil it.
        line = b"\n%08x %s\n" % (zlib.crc32(text), text)
        file = os.open(f"{self.directory}/{os.getpid()}", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(file, line)
        finally:
            os.close(file)

    # A lock of the kernel's for each task: it is free when its process is dead, and a fork does not inherit it.

    def _hold(self, task: str) -> int:
        """Lock a task; the pid of whoever holds it already, or 0."""
        pid = os.getpid()
        if self._locks_of != pid or not _is_open(self._locks):
            self._locks = os.open(f"{self.directory}/{_LOCKS}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._locks_of = pid
            self._held = set()
        if task in self._held:
            return pid
        self._held.add(task)
        place = _place(task)
        try:
            fcntl.lockf(self._locks, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except OSError:
            asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, place, 1, 0)
            kind, _, _, _, holder = struct.unpack(_FLOCK, fcntl.fcntl(self._locks, fcntl.F_GETLK, asked))
            return 0 if kind == fcntl.F_UNLCK else int(holder)
        return 0

    def _let_go(self, task: str) -> None:
        self._held.discard(task)
        if self._locks_of == os.getpid() and _is_open(self._locks):
            fcntl.lockf(self._locks, fcntl.LOCK_UN, 1, _place(task))

    # Reading

    def read(self) -> Pages:
        """Read all files, after the writers are gone."""
        pages = Pages()
        for path in sorted(Path(self.directory).iterdir()):
            if path.name.isdigit():
                _read_file(path, int(path.name), pages)
        return pages


def _place(task: str) -> int:
    return int.from_bytes(hashlib.blake2b(task.encode(), digest_size=7).digest(), "big")


def _is_open(descriptor: int) -> bool:
    """Whether it still leads to a file of locks: a task may have closed all descriptors of its process."""
    try:
        return descriptor >= 0 and os.readlink(f"/proc/self/fd/{descriptor}").endswith(_LOCKS)
    except OSError:
        return False


def _read_file(path: Path, pid: int, pages: Pages) -> None:
    running: dict[tuple[str, str], Run] = {}
    for line in path.read_bytes().split(b"\n"):
        if not line:
            continue
        checksum, _, text = line.partition(b" ")
        if checksum != b"%08x" % zlib.crc32(text):
            pages.garbled += 1
            continue
        sign, at, *words = text.decode().split(" ")
        if sign == "B":
            task, attempt, number, kind, agent = words
            run = Run(task, int(number), int(attempt), kind, agent, pid, float(at))
            running[task, attempt] = run
            pages.runs.append(run)
        elif sign == "E" and (words[0], words[1]) in running:
            running[words[0], words[1]].ended = float(at)
        elif sign == "C":
            pages.conflicts.append(Conflict(words[0], int(words[1]), float(at), pid, int(words[2])))
        elif sign == "M":
            pages.heard.append(Heard(words[0], pid, int(words[1])))
