"""Payloads: what users send, packed into `bytes` when small and into shared memory when large.

A segment is written once, by the process that made it, and read anywhere, through mappings that are read-only or private
(`actors.hosts.mappings`). Its memory is used again for a later payload when nobody can see it any more: copying into memory
that was used before is many times faster than into fresh pages. Who can still see it is a question of references alone:

    Segment ─┐
    views ───┼──▶ lease ──▶ block of the pool        in the process that made it (`actors.hosts.segmentpool`)
    channels ┘                                       (a channel holds it for each receiver that has not let go)

    Segment ─┬──▶ lease ──▶ "let go" to the sender   in a process that received it
    views ───┘

A lease dies with its last reference; then the block goes back to the pool, or the sender is told.
"""

from __future__ import annotations

import mmap
import os
import pickle
from collections.abc import Callable
from typing import Any, ClassVar, TypeAlias

from actors.errors import NotSerializable
from actors.hosts.descriptors import close_all, is_sealed, memory_file, seal
from actors.hosts.mappings import MAP_OPTIONS, Mappings
from actors.hosts.segmentpool import (
    MADV_POPULATE_READ,
    MADV_POPULATE_WRITE,
    PIECE,
    Lease,
    ReceivedLease,
    SegmentPool,
    populate,
)

__all__ = ["THRESHOLD", "Bytes", "Segment", "copy_in_pieces", "pack", "tend", "view_of"]

THRESHOLD = 1 << 20
"""From this many bytes on a payload travels as a segment."""

_PAGE = mmap.PAGESIZE

Bytes: TypeAlias = bytes | bytearray | memoryview | pickle.PickleBuffer


class _Mapping(mmap.mmap):
    """A read-only mapping that keeps its lease; a memoryview keeps the mapping."""

    lease: Lease | None = None


class Segment:
    """A payload in shared memory, or in ordinary memory where that is not to be had.

    Made by `Segment.of` and, in the process that receives it, by the wire.
    """

    pool: ClassVar[SegmentPool] = SegmentPool()
    mappings: ClassVar[Mappings] = Mappings()

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
            populate(block.memory, MADV_POPULATE_WRITE, block.touched // _PAGE * _PAGE, size)
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
                return _Received(size, fd=fd, lease=ReceivedLease(let_go, token, cls.pool))
            data = _read(fd, size)
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)
        if token:
            let_go(token)
        return cls(size, data=data)

    @classmethod
    def trim(cls) -> None:
        """Free all memory, and take out all mappings, that wait for further use in this process."""
        cls.pool.trim()
        cls.mappings.trim()

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
            populate(mapping, MADV_POPULATE_READ, 0, self._size)
            self._mapping = mapping
        return memoryview(mapping)

    def private(self) -> memoryview:
        """The content as it came, to be written to: what is written nobody else sees, and it takes memory only then.

        It stays valid after the segment itself is gone. Where the system cannot do that it is a copy.
        """
        if self._data is None:
            try:
                return self.mappings.lend(self._fd, self._size, self._lease)
            except OSError:
                pass
        made = memoryview(bytearray(self._size))
        if self._data is not None:
            copy_in_pieces(memoryview(self._data), made)
        else:
            _read_into(self._fd, made)
        return made

    def begins_with(self, count: int) -> bytes:
        """The first bytes, read without a mapping.

        Args:
            count: how many, at most.
        """
        return self._data[:count] if self._data is not None else os.pread(self._fd, min(count, self._size), 0)

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


def _read_into(fd: int, target: memoryview) -> None:
    at, size = 0, len(target)
    while at < size:
        read = os.preadv(fd, [target[at : at + PIECE]], at)
        if not read:
            raise ValueError(f"expected {size} bytes, got {at}")
        at += read


def _map(fd: int, size: int) -> _Mapping:
    return _Mapping(fd, size, access=mmap.ACCESS_READ, **MAP_OPTIONS)


def copy_in_pieces(source: memoryview, target: memoryview) -> None:
    """Copy memory of the same size; between two pieces other threads of the process have their turn."""
    at, size = 0, len(source)
    while at < size:
        target[at : at + PIECE] = source[at : at + PIECE]
        at += PIECE


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


def tend() -> None:
    """Give back what waits for further use and was not used since the last call; to be called every so often."""
    Segment.pool.tend()
    Segment.mappings.tend()


def _in_child() -> None:
    Segment.pool.forked()
    Segment.mappings.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child, after_in_parent=Segment.pool.fork_made)
