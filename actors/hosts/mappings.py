"""Mappings of shared memory in which the reader may write: kept, and used again for what the sender writes there next.

A mapping is private: what is written to it is seen by nobody else, and the kernel copies a page when it is first written
to. Making one is cheap; mapping its pages while they are read, and taking them out again, costs as much as copying them.
So a mapping that nobody sees any more waits until the same memory comes again:

    view ─┐
    view ─┴─▶ lent array ─▶ loan ─┬─▶ mapping     goes back to the mappings, without the pages that were written
                                  └─▶ lease       is let go after that

What was written is found in the kernel's table of the process's pages. Where there is none, no mapping is kept.
"""

from __future__ import annotations

import errno
import functools
import mmap
import os
import pickle
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

__all__ = ["MAP_OPTIONS", "Loan", "Mappings", "soft_limit"]

_PAGE = mmap.PAGESIZE
_IDLE_BYTES = 256 << 20
# Where the private memory of the process is limited, which counts mappings, so much of it may wait here.
_SHARE_OF_LIMIT = 8
# What is returned waits in line for the next one who takes the lock; no more than so many.
_RETURNED = 32
MAP_OPTIONS: dict[str, Any] = {"trackfd": False} if sys.version_info >= (3, 13) else {}

# The last byte of a page's entry in /proc/self/pagemap: bit 7 says that it is in memory, 6 that it is swapped out, 5 that
# it belongs to a file. A page of this process alone is there and belongs to none.
_OWN = bytes(1 if entry & 0xC0 and not entry & 0x20 else 0 for entry in range(256))
_ENTRY = 8


class _Mapped:
    """A private mapping of the first `size` bytes of shared memory."""

    __slots__ = ("_ended", "address", "key", "memory", "old", "size")

    def __init__(self, fd: int, size: int, key: tuple[int, int], ended: Callable[[None], object]) -> None:
        self.key = key
        self.size = size
        self.memory = mmap.mmap(fd, size, access=mmap.ACCESS_COPY, **MAP_OPTIONS)
        self.address = 0
        self.old = False
        self._ended = ended

    def __del__(self) -> None:
        if hasattr(self, "_ended"):
            self._ended(None)

    def clean(self) -> bool:
        """Give back the pages that were written to; False if it cannot be told which they are."""
        try:
            table = os.open("/proc/self/pagemap", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            length = -(-self.size // _PAGE) * _ENTRY
            entries = os.pread(table, length, self.address // _PAGE * _ENTRY)
        except OSError:
            return False
        finally:
            os.close(table)
        if len(entries) != length:
            return False
        own = entries[_ENTRY - 1 :: _ENTRY].translate(_OWN)
        first = own.find(1)
        if first >= 0:
            end = own.rfind(1) + 1
            try:
                self.memory.madvise(mmap.MADV_DONTNEED, first * _PAGE, min(end * _PAGE, self.size) - first * _PAGE)
            except OSError:
                # As in a process that has locked its memory.
                return False
        return True


class Loan:
    """A mapping in use, and what keeps the memory behind it from being used for something else."""

    __slots__ = ("_lease", "_mapped", "_mappings", "_pid")

    def __init__(self, mapped: _Mapped, mappings: Mappings, lease: object) -> None:
        self._mapped = mapped
        self._mappings = mappings
        self._lease = lease
        self._pid = os.getpid()

    def __del__(self) -> None:
        # May run in any thread at any moment: hence no lock.
        if self._pid == os.getpid():
            self._mappings.take_back(self._mapped)


class Mappings:
    """The private mappings of this process that nobody sees at the moment.

    Args:
        idle_bytes: how much they may span.
        mappings: how many there may be at once, idle or not: each may hold a descriptor. None: so many that they take a
            sixteenth of the process' limit.
    """

    def __init__(self, idle_bytes: int = _IDLE_BYTES, mappings: int | None = None) -> None:
        self._lock = threading.Lock()
        self._idle_bytes = idle_bytes
        self._limit = mappings
        self._made = 0
        self._ended: deque[None] = deque()
        # The one that was given back last stands last.
        self._idle: list[_Mapped] = []
        self._returned: deque[_Mapped] = deque()

    def lend(self, fd: int, size: int, lease: object) -> memoryview:
        """The first `size` bytes of shared memory, to be read and written, as if they had been copied.

        Args:
            fd: the memory, which nobody changes for as long as the lease lives.
            size: bytes, not none.
            lease: kept for as long as anybody sees any of it.

        Raises:
            OSError: it cannot be mapped (there are too many mappings, or no address space is left).
        """
        stat = os.fstat(fd)
        mapped = self._take_or_make(fd, size, (stat.st_dev, stat.st_ino), stat.st_size)
        lent = _array_of(mapped.size).from_buffer(mapped.memory)
        if not mapped.address:
            mapped.address = _address_of(lent)
        lent.loan = Loan(mapped, self, lease)
        return pickle.PickleBuffer(lent).raw()[:size]

    def take_back(self, mapped: _Mapped) -> None:
        """Called by a loan that ends."""
        waiting = tuple(self._returned)
        room = len(waiting) < _RETURNED and sum(one.size for one in waiting) + mapped.size <= self._idle_bound()
        if room and mapped.clean():
            mapped.old = False
            self._returned.append(mapped)

    def tend(self) -> None:
        """Let go of what was of no use since the last time; to be called every so often."""
        with self._lock:
            self._settle()
            self._idle = [mapped for mapped in self._idle if not mapped.old]
            for mapped in self._idle:
                mapped.old = True

    def trim(self) -> None:
        """Let go of all that waits for further use."""
        with self._lock:
            self._returned.clear()
            self._idle.clear()

    def forked(self) -> None:
        """In a fork of the process: let go of what the other one goes on with."""
        self._lock = threading.Lock()
        self._returned.clear()
        self._idle.clear()

    @property
    def held(self) -> int:
        """How many mappings there are now."""
        return self._made - len(self._ended)

    def _take_or_make(self, fd: int, size: int, key: tuple[int, int], most: int) -> _Mapped:
        with self._lock:
            self._settle()
            for place, mapped in enumerate(self._idle):
                if mapped.key == key and mapped.size >= size:
                    return self._idle.pop(place)
            self._make_room()
            span = min(_rounded(size), most)
            try:
                made = _Mapped(fd, span, key, self._ended.append)
            except OSError:
                # What waits here may be what takes the room.
                self._idle.clear()
                made = _Mapped(fd, span, key, self._ended.append)
            self._made += 1
            return made

    def _make_room(self) -> None:
        if self._limit is None:
            self._limit = (1 << 20) if "trackfd" in MAP_OPTIONS else max(soft_limit("RLIMIT_NOFILE") // 16, 8)
        if self.held >= self._limit:
            del self._idle[: len(self._idle) // 2 + 1]
        while self._ended:
            self._ended.popleft()
            self._made -= 1
        if self._made >= self._limit:
            raise OSError(errno.EMFILE, "too many mappings of shared memory")

    def _settle(self) -> None:
        returned, idle = self._returned, self._idle
        while returned:
            idle.append(returned.popleft())
        spanned = sum(mapped.size for mapped in idle)
        bound = self._idle_bound()
        while spanned > bound:
            spanned -= idle.pop(0).size

    def _idle_bound(self) -> int:
        return min(self._idle_bytes, soft_limit("RLIMIT_DATA") // _SHARE_OF_LIMIT)


def soft_limit(name: str, unlimited: int = 1 << 62) -> int:
    """The soft limit of a resource of this process by its name in `resource`, or what stands for none."""
    import resource  # noqa: PLC0415 - absent on Windows, where this module must still import

    soft, _ = resource.getrlimit(getattr(resource, name))
    return unlimited if soft == resource.RLIM_INFINITY else soft


def _rounded(size: int) -> int:
    """The size, or up to an eighth more, so that the next payload in the same memory need not be of the same size."""
    step = max((1 << size.bit_length()) >> 4, _PAGE)
    return -(-size // step) * step


@functools.lru_cache(maxsize=128)
def _array_of(size: int) -> Any:
    # With the first large value, and not for those who have none: it takes some milliseconds.
    import ctypes  # noqa: PLC0415

    # A class of its own, as instances of the plain array type have no room for a loan. A view keeps what it was made of.
    return type("LentMemory", (ctypes.c_ubyte * size,), {})


def _address_of(lent: Any) -> int:
    import ctypes  # noqa: PLC0415 - as above

    return ctypes.addressof(lent)
