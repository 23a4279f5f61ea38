"""What a process holds at the moment: its descendants, threads, descriptors and shared memory.

What belongs to the process and not to a piece of its code is left out; `actors.testing.leaks` has the list.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = [
    "PROC",
    "SHARED_MEMORY_AT",
    "all_processes",
    "descendants",
    "descriptors",
    "exempt_processes",
    "mappings",
    "segments",
    "threads",
]

PROC = os.path.isdir("/proc/self/fd")
"""Whether this machine tells of processes and descriptors as Linux does."""

SHARED_MEMORY_AT = "/dev/shm"  # noqa: S108 - nothing is made there

_CHARACTER_DEVICES = frozenset({"/dev/urandom", "/dev/random"})


def descendants(pid: int | None = None) -> Iterator[int]:
    """Yield the pids of all descendants of `pid` (of this process if None), zombies too, without the exempt ones."""
    if not PROC or (pid is None and not _has_children()):
        return
    exempt = exempt_processes()
    waiting = [os.getpid() if pid is None else pid]
    while waiting:
        for child in _children(waiting.pop()):
            if child not in exempt:
                yield child
                waiting.append(child)


def _has_children() -> bool:
    """Whether this process has any child, running or not; the cheapest of questions."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            # A thread, or the whole process, may end between the listing and the reading.
            with contextlib.suppress(OSError):
                found += map(int, Path(f"/proc/{pid}/task/{thread}/children").read_bytes().split())
    return found


def exempt_processes() -> set[int]:
    """The helpers of `multiprocessing` that are this process's own, and no test's."""
    tracker = sys.modules.get("multiprocessing.resource_tracker")
    server = sys.modules.get("multiprocessing.forkserver")
    pids = {
        getattr(getattr(tracker, "_resource_tracker", None), "_pid", None),
        getattr(getattr(server, "_forkserver", None), "_forkserver_pid", None),
    }
    return {pid for pid in pids if pid is not None}


def _exempt_descriptors() -> set[int]:
    tracker = sys.modules.get("multiprocessing.resource_tracker")
    server = sys.modules.get("multiprocessing.forkserver")
    numbers = {
        getattr(getattr(tracker, "_resource_tracker", None), "_fd", None),
        getattr(getattr(server, "_forkserver", None), "_forkserver_alive_fd", None),
    }
    return {number for number in numbers if number is not None}


def threads() -> Iterator[Any]:
    """Yield a key for each thread that runs Python: its Thread object, or its ident where it has none.

    An ident alone would not do: the next thread gets the ident of one that ended.
    """
    running = sys._current_frames()  # noqa: SLF001 - documented, in spite of its name
    named = set()
    for thread in threading.enumerate():
        # The object of a foreign thread stays in the list after its thread has ended.
        if not isinstance(thread, threading._DummyThread) or thread.ident in running:  # noqa: SLF001 - nothing else tells
            named.add(thread.ident)
            yield thread
    yield from (ident for ident in running if ident not in named)


def descriptors() -> Iterator[tuple[int, str]]:
    """Yield each open descriptor with what it leads to."""
    if not PROC:
        return
    exempt = _exempt_descriptors()
    for name in os.listdir("/proc/self/fd"):
        # The descriptor of the listing itself is in the list, and is closed by now.
        with contextlib.suppress(OSError):
            target = os.readlink(f"/proc/self/fd/{name}")
            if int(name) not in exempt and target not in _CHARACTER_DEVICES:
                yield int(name), target


def segments() -> list[str]:
    """The names of all segments of shared memory of this machine."""
    return os.listdir(SHARED_MEMORY_AT) if os.path.isdir(SHARED_MEMORY_AT) else []


def mappings() -> Iterator[str]:
    """Yield each memfd that is mapped and used here, also when its descriptor is closed: `inode name`."""
    # The list of mappings is long. Without one page of shared memory in use there is nothing to look for in it.
    if not PROC or b"\nRssShmem:\t       0 kB" in _read("/proc/self/status"):
        return
    text = _read("/proc/self/maps")
    if b"/memfd:" in text:
        for line in text.splitlines():
            if b"/memfd:" in line:
                yield os.fsdecode(b" ".join(line.split(maxsplit=5)[4:]))


def _read(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.readall()


def all_processes() -> list[int]:
    """The pids of all processes of this machine."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]
