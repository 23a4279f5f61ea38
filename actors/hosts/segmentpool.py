"""Memory of this process that travels: blocks that are used again, and leases on them.

A lease says that somebody may still see the memory. It dies with its last reference; then the block goes back to the pool,
or, if the memory is another process', that one is told. Memory that was in use when a process was forked is never used
again: the child may see it, and tells nobody.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

from actors.hosts.descriptors import close_all, memory_file, seal
from actors.hosts.mappings import MAP_OPTIONS, soft_limit

__all__ = [
    "MADV_POPULATE_READ",
    "MADV_POPULATE_WRITE",
    "PIECE",
    "SPOILED",
    "Lease",
    "OwnLease",
    "ReceivedLease",
    "SegmentPool",
    "populate",
    "release",
]

PIECE = 8 << 20
"""Memory is copied in pieces of so many bytes, some milliseconds each: Python lets no other thread run during one."""

MADV_POPULATE_READ = 22
MADV_POPULATE_WRITE = 23
"""Linux 5.14; they only save page faults, so a kernel that refuses them is no matter."""

_IDLE_BYTES = 256 << 20
_PAGE = mmap.PAGESIZE
# What is returned waits in line for the next lease; no more than so many.
_RETURNED = 32


class Lease(Protocol):
    """Keeps shared memory from being used for something else for as long as it is referenced."""

    def spoil(self) -> None:
        """The memory must never be used again: somebody may still see it who will not tell."""


SPOILED = 1 << 63
"""Beside a token that is let go: somebody may still see the memory, so that it must never be used again."""


class _Block:
    """Shared memory of this process with the writable mapping that stays warm."""

    __slots__ = ("_pool", "capacity", "fd", "memory", "old", "touched")

    def __init__(self, capacity: int, pool: SegmentPool) -> None:
        self._pool = pool
        self.capacity = capacity
        self.touched = 0
        self.old = False
        self.fd = memory_file("actors-payload", capacity)
        try:
            self.memory = mmap.mmap(self.fd, capacity, **MAP_OPTIONS)
            # After the writable mapping was made, which a seal against further ones does not touch.
            seal(self.fd, future_write=True)
        except BaseException:
            os.close(self.fd)
            raise

    def __del__(self) -> None:
        if hasattr(self, "memory"):
            close_all([self.fd])
            self._pool.closed()


class OwnLease:
    """A block in use. When the last reference is gone, the pool gets the block back."""

    __slots__ = ("_pool", "block", "forks", "pid", "spoiled")

    def __init__(self, block: _Block, pool: SegmentPool) -> None:
        self.block = block
        self.pid = os.getpid()
        self.forks = pool.forks
        self.spoiled = False
        self._pool = pool

    def spoil(self) -> None:
        """See `Lease.spoil`."""
        self.spoiled = True

    def __del__(self) -> None:
        # May run in any thread at any moment, also while this thread holds the pool's lock: hence no lock here.
        self._pool.take_back(self)


class ReceivedLease:
    """Memory of another process in use here. When the last reference is gone, that process is told."""

    __slots__ = ("_forks", "_let_go", "_pool", "_token")

    def __init__(self, let_go: Callable[[int], None], token: int, pool: SegmentPool) -> None:
        self._let_go = let_go
        self._token = token
        self._pool = pool
        self._forks = pool.forks

    def spoil(self) -> None:
        """See `Lease.spoil`; the memory is the sender's business, who is told."""
        if self._token:
            self._token |= SPOILED

    def __del__(self) -> None:
        if self._token:
            self._let_go(self._token if self._forks == self._pool.forks else self._token | SPOILED)


class SegmentPool:
    """The shared memory that this process has made and may use again.

    Args:
        idle_bytes: how much memory may wait for further use.
        segments: how many segments may hold descriptors, two each; beyond it payloads stay in ordinary memory.
            None: so many that they take a quarter of the process' limit.
    """

    def __init__(self, idle_bytes: int = _IDLE_BYTES, segments: int | None = None) -> None:
        self._lock = threading.Lock()
        self._idle_bytes = idle_bytes
        self._idle: dict[int, list[_Block]] = {}
        self._idle_total = 0
        self._returned: deque[_Block] = deque()
        self._limit = segments
        self._open = 0
        self._closed: deque[None] = deque()
        self.forks = 0
        """How often this process was forked: what was in use then the child may see for as long as it likes."""

    def lease(self, size: int) -> OwnLease | None:
        """Memory for `size` bytes; None if descriptors or memory are short."""
        with self._lock:
            self._settle()
            capacity = max(1 << (size - 1).bit_length(), _PAGE)
            blocks = self._idle.get(capacity)
            if blocks:
                block = blocks.pop()
                self._idle_total -= block.touched
                return OwnLease(block, self)
            if not self._has_room():
                return None
            try:
                block = _Block(capacity, self)
            except (OSError, ValueError, OverflowError):
                return None
            self._open += 1
            return OwnLease(block, self)

    def open(self) -> bool:
        """Count one more segment that holds descriptors, if one more may; else return False."""
        with self._lock:
            if not self._has_room():
                return False
            self._open += 1
            return True

    def closed(self) -> None:
        """Count one fewer. Called by finalizers, hence without the lock."""
        self._closed.append(None)

    @property
    def held(self) -> int:
        """How many segments hold descriptors now."""
        return self._open - len(self._closed)

    def _has_room(self) -> bool:
        while self._closed:
            self._closed.popleft()
            self._open -= 1
        if self._limit is None:
            # A segment holds two descriptors, its own and its mapping's.
            self._limit = max(soft_limit("RLIMIT_NOFILE", 1 << 20) // 8, 16)
        return self._open < self._limit

    def take_back(self, lease: OwnLease) -> None:
        """Called by a lease that dies; the block is put away at the next `lease`."""
        # In a fork of the program the memory is still the program's: never write there.
        if lease.spoiled or lease.forks != self.forks or lease.pid != os.getpid():
            return
        waiting = tuple(self._returned)
        if len(waiting) < _RETURNED and sum(one.touched for one in waiting) + lease.block.touched <= self._idle_bytes:
            lease.block.old = False
            self._returned.append(lease.block)

    def tend(self) -> None:
        """Free what was of no use since the last time; to be called every so often."""
        with self._lock:
            self._settle()
            for capacity, blocks in list(self._idle.items()):
                self._idle_total -= sum(block.touched for block in blocks if block.old)
                blocks[:] = [block for block in blocks if not block.old]
                for block in blocks:
                    block.old = True
                if not blocks:
                    del self._idle[capacity]

    def trim(self) -> None:
        """Free all memory that waits for further use."""
        with self._lock:
            self._settle()
            self._idle.clear()
            self._idle_total = 0

    def _settle(self) -> None:
        while self._returned:
            block = self._returned.popleft()
            if self._idle_total + block.touched <= self._idle_bytes:
                self._idle_total += block.touched
                self._idle.setdefault(block.capacity, []).append(block)

    def forked(self) -> None:
        """In a fork of the process: let go of memory that the other one still uses."""
        self._lock = threading.Lock()
        self._returned.clear()
        self._idle.clear()
        self._idle_total = 0

    def fork_made(self) -> None:
        """This process was forked."""
        self.forks += 1


def release(leases: dict[int, Lease], tokens: Iterable[int]) -> None:
    """Take out the leases of tokens that the other end has let go of.

    Args:
        leases: by token.
        tokens: with or without `SPOILED`.
    """
    for token in tokens:
        lease = leases.pop(token & ~SPOILED, None)
        if lease is not None and token & SPOILED:
            lease.spoil()


def populate(memory: mmap.mmap, advice: int, start: int, end: int) -> None:
    """Have pages made, or mapped, at once; in pieces, as other threads wait meanwhile."""
    with contextlib.suppress(OSError, AttributeError, ValueError):
        while start < end:
            memory.madvise(advice, start, min(PIECE, end - start))
            start += PIECE
