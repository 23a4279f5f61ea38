"""Payloads: what users send, packed into `bytes` when small and into shared memory when large.

A segment is written once, by the process that made it, and read through read-only mappings anywhere. Its memory is
used again for a later payload when nobody can see it any more: copying into memory that was used before is many
times faster than into fresh pages. Who can still see it is a question of references alone:

    Segment ─┐
    views ───┼──▶ lease ──▶ block of the pool        in the process that made it
    channels ┘                                       (a channel holds it for each receiver that has not let go)

    Segment ─┬──▶ lease ──▶ "let go" to the sender   in a process that received it
    views ───┘

A lease dies with its last reference; then the block goes back to the pool, or the sender is told.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import pickle
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar, Protocol, TypeAlias

from actors.errors import NotSerializable
from actors.hosts.descriptors import close_all, is_sealed, memory_file, seal

__all__ = ["THRESHOLD", "Bytes", "Segment", "SegmentPool", "copy_in_pieces", "pack", "view_of"]

THRESHOLD = 1 << 20
"""From this many bytes on a payload travels as a segment."""

_IDLE_BYTES = 256 << 20
_PAGE = mmap.PAGESIZE
# Memory is copied in pieces of so many bytes, some milliseconds each: Python lets no other thread run during one.
_PIECE = 8 << 20
# Linux 5.14; they only save page faults, so a kernel that refuses them is no matter.
_MADV_POPULATE_READ = 22
_MADV_POPULATE_WRITE = 23
_MAP_OPTIONS: dict[str, Any] = {"trackfd": False} if sys.version_info >= (3, 13) else {}

Bytes: TypeAlias = bytes | bytearray | memoryview | pickle.PickleBuffer


class Lease(Protocol):
    """Keeps shared memory from being used for something else for as long as it is referenced."""

    def spoil(self) -> None:
        """The memory must never be used again: somebody may still see it who will not tell."""


class _Mapping(mmap.mmap):
    """A read-only mapping that keeps its lease; a memoryview keeps the mapping."""

    lease: Lease | None = None


class _Block:
    """Shared memory of this process with the writable mapping that stays warm."""

    __slots__ = ("_pool", "capacity", "fd", "memory", "touched")

    def __init__(self, capacity: int, pool: SegmentPool) -> None:
        self._pool = pool
        self.capacity = capacity
        self.touched = 0
        self.fd = memory_file("actors-payload", capacity)
        try:
            self.memory = mmap.mmap(self.fd, capacity, **_MAP_OPTIONS)
            # After the writable mapping was made, which a seal against further ones does not touch.
            seal(self.fd, future_write=True)
        except BaseException:
            os.close(self.fd)
            raise

    def __del__(self) -> None:
        if hasattr(self, "memory"):
            close_all([self.fd])
            self._pool.closed()


class _OwnLease:
    """A block in use. When the last reference is gone, the pool gets the block back."""

    __slots__ = ("_pool", "block", "pid", "spoiled")

    def __init__(self, block: _Block, pool: SegmentPool) -> None:
        self.block = block
        self.pid = os.getpid()
        self.spoiled = False
        self._pool = pool

    def spoil(self) -> None:
        self.spoiled = True

    def __del__(self) -> None:
        # May run in any thread at any moment, also while this thread holds the pool's lock: hence no lock here.
        self._pool.take_back(self)


class _ReceivedLease:
    """Memory of another process in use here. When the last reference is gone, that process is told."""

    __slots__ = ("_let_go", "_token")

    def __init__(self, let_go: Callable[[int], None], token: int) -> None:
        self._let_go = let_go
        self._token = token

    def spoil(self) -> None:
        """The memory is the sender's business; it is simply never told that it is free."""
        self._token = 0

    def __del__(self) -> None:
        if self._token:
            self._let_go(self._token)


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

    def lease(self, size: int) -> _OwnLease | None:
        """Memory for `size` bytes; None if descriptors or memory are short."""
        with self._lock:
            self._settle()
            capacity = max(1 << (size - 1).bit_length(), _PAGE)
            blocks = self._idle.get(capacity)
            if blocks:
                block = blocks.pop()
                self._idle_total -= block.touched
                return _OwnLease(block, self)
            if not self._has_room():
                return None
            try:
                block = _Block(capacity, self)
            except (OSError, ValueError, OverflowError):
                return None
            self._open += 1
            return _OwnLease(block, self)

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
            self._limit = max(_descriptor_limit() // 8, 16)
        return self._open < self._limit

    def take_back(self, lease: _OwnLease) -> None:
        """Called by a lease that dies; the block is put away at the next `lease`."""
        # In a fork of the program the memory is still the program's: never write there.
        if not lease.spoiled and lease.pid == os.getpid():
            self._returned.append(lease.block)

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


def _descriptor_limit() -> int:
    import resource  # noqa: PLC0415 - absent on Windows, where this module must still import

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 20 if soft == resource.RLIM_INFINITY else soft


class Segment:
    """A payload in shared memory, or in ordinary memory where that is not to be had.

    Made by `Segment.of` and, in the process that receives it, by the wire.
    """

    pool: ClassVar[SegmentPool] = SegmentPool()

    __slots__ = ("__weakref__", "_data", "_fd", "_lease", "_mapping", "_size")

    def __init__(self, size: int, *, fd: int = -1, lease: Lease | None = None, data: bytes | None = None) -> None:
        self._size = size
        self._fd = fd
        self._lease = lease
        self._data = data
        self._mapping: _Mapping | None = None

    @classmethod
    def of(cls, *parts: Bytes) -> Segment:
        """Copy `parts`, one after the other, into a new segment."""
        raws = [_raw(part) for part in parts]
        size = sum(map(len, raws))
        lease = cls.pool.lease(size) if size else None
        if lease is None:
            return cls(size, data=b"".join(raws))
        block = lease.block
        if block.touched < size:
            _populate(block.memory, _MADV_POPULATE_WRITE, block.touched // _PAGE * _PAGE, size)
            block.touched = size
        at = 0
        target = memoryview(block.memory)
        for raw in raws:
            copy_in_pieces(raw, target[at : at + len(raw)])
            at += len(raw)
        target.release()
        return cls(size, fd=block.fd, lease=lease)

    @classmethod
    def received(cls, fd: int, size: int, let_go: Callable[[int], None], token: int) -> Segment:
        """Take over a descriptor that came from another process.

        Args:
            fd: closed by the segment.
            size: how many bytes the sender says it has.
            let_go: called with `token` when the last view is gone; in any thread, must not raise or wait.
            token: 0 if the sender does not want to know.

        Raises:
            ValueError: the memory is smaller than said, or could be cut away while it is read.
        """
        try:
            _check_received(fd, size)
            if cls.pool.open():
                return _Received(size, fd=fd, lease=_ReceivedLease(let_go, token))
            data = _read(fd, size)
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)
        if token:
            let_go(token)
        return cls(size, data=data)

    def __len__(self) -> int:
        return self._size

    def __repr__(self) -> str:
        kind = "ordinary memory" if self._data is not None else "shared memory"
        return f"<Segment: {self._size} bytes in {kind}>"

    def __reduce__(self) -> tuple[Any, ...]:
        raise NotSerializable(
            "a Segment travels only inside a message on a channel; to keep its content, pickle bytes(segment.view())",
            what="Segment",
            reason="shared memory",
        )

    def view(self) -> memoryview:
        """The content, read-only. It stays valid after the segment itself is gone.

        Raises:
            OSError: the system cannot map it (out of descriptors or address space).
        """
        if self._data is not None:
            return memoryview(self._data)
        mapping = self._mapping
        if mapping is None:
            mapping = _map(self._fd, self._size)
            mapping.lease = self._lease
            _populate(mapping, _MADV_POPULATE_READ, 0, self._size)
            self._mapping = mapping
        return memoryview(mapping)

    def lend(self) -> tuple[int, Lease | None, bool]:
        """What a channel sends.

        Returns:
            A descriptor, the lease to hold until the receiver lets go, and whether to close the descriptor once sent.

        Raises:
            OSError: there is no descriptor to be had.
        """
        if self._data is None:
            return self._fd, self._lease, False
        fd = memory_file("actors-payload", self._size)
        try:
            at = 0
            content = memoryview(self._data)
            while at < self._size:
                at += os.pwrite(fd, content[at:], at)
            seal(fd, future_write=True)
        except BaseException:
            os.close(fd)
            raise
        return fd, None, True


class _Received(Segment):
    """A segment whose descriptor is its own to close."""

    __slots__ = ()

    def __del__(self) -> None:
        close_all([self._fd])
        self.pool.closed()


def _check_received(fd: int, size: int) -> None:
    found = os.fstat(fd)
    if size < 1 or found.st_size < size or not is_sealed(fd):
        raise ValueError(f"expected sealed memory of {size} bytes or more, got {found.st_size} bytes")
    # Pages that nobody wrote would be made here, by reading them: a sender must have paid for what it sends.
    if hasattr(os, "memfd_create") and found.st_blocks * 512 < size:
        raise ValueError(f"expected {size} bytes that are there, got {found.st_blocks * 512}")


def _read(fd: int, size: int) -> bytes:
    parts = []
    at = 0
    while at < size:
        part = os.pread(fd, size - at, at)
        if not part:
            raise ValueError(f"expected {size} bytes, got {at}")
        parts.append(part)
        at += len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _map(fd: int, size: int) -> _Mapping:
    return _Mapping(fd, size, access=mmap.ACCESS_READ, **_MAP_OPTIONS)


def _populate(memory: mmap.mmap, advice: int, start: int, end: int) -> None:
    """Have pages made, or mapped, at once; in pieces, as other threads wait meanwhile."""
    with contextlib.suppress(OSError, AttributeError, ValueError):
        while start < end:
            memory.madvise(advice, start, min(_PIECE, end - start))
            start += _PIECE


def copy_in_pieces(source: memoryview, target: memoryview) -> None:
    """Copy memory of the same size; between two pieces other threads of the process have their turn."""
    at, size = 0, len(source)
    while at < size:
        target[at : at + _PIECE] = source[at : at + _PIECE]
        at += _PIECE


def _raw(part: Bytes) -> memoryview:
    if isinstance(part, pickle.PickleBuffer):
        return part.raw()
    return memoryview(part).cast("B")


def pack(data: Bytes, *more: Bytes) -> bytes | Segment:
    """One payload of all the parts: `bytes` below `THRESHOLD`, else a segment, written without joining them first."""
    if not more and type(data) is bytes and len(data) < THRESHOLD:
        return data
    raws = [_raw(data), *map(_raw, more)]
    if sum(map(len, raws)) < THRESHOLD:
        return b"".join(raws)
    return Segment.of(*raws)


def view_of(payload: bytes | Segment) -> memoryview:
    """The content of a payload of either kind, read-only."""
    return payload.view() if isinstance(payload, Segment) else memoryview(payload)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=Segment.pool.forked)
