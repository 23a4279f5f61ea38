"""Reads processes from /proc, where psutil would cost ten times as much."""

from __future__ import annotations

import contextlib
import os
import resource
import time
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

__all__ = ["Process", "ProcessReading", "Procfs", "read_file"]

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICK = 1.0 / os.sysconf("SC_CLK_TCK")
_KEPT_SHARE = 8
"""The fast path keeps at most one in so many of the descriptors that this process may have."""

_MANY = 4096
_FEW = 16


class Process(NamedTuple):
    """A process in a tree. `started` tells it from a later one with the same pid; `cpu` includes reaped children."""

    pid: int
    started: float
    cpu: float
    threads: int


class ProcessReading(NamedTuple):
    """The rest of what is known of one process; the bytes include those of reaped children."""

    memory: int
    open_files: int
    read_bytes: int
    written_bytes: int
    context_switches: int


class Procfs:
    """Processes as /proc shows them.

    A process that has vanished, or that is not ours to look at, is skipped; nothing here raises for that.

    Args:
        root: where proc is mounted.
    """

    def __init__(self, root: str = "/proc") -> None:
        self._root = root
        self._statm: dict[int, int] = {}
        # So many are kept before those of processes that are gone are looked for.
        self._look_at = _FEW
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._most_kept = _MANY if soft == resource.RLIM_INFINITY else soft // _KEPT_SHARE

    def close(self) -> None:
        """Close the descriptors that the fast path keeps."""
        while self._statm:
            os.close(self._statm.popitem()[1])

    def now(self) -> float:
        """The clock that `Process.started` is on."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def trees(self, roots: Collection[int]) -> dict[int, list[Process]]:
        """The living processes of each root's tree, the root first, by one pass over all processes of the machine.

        A root below another root has a tree of its own and is no part of the other's. A root that is gone, or waits
        to be reaped, has no entry.
        """
        known: dict[int, list[bytes]] = {}
        children: dict[int, list[int]] = {}
        for name in os.listdir(self._root):
            if name.isdigit() and (stat := self._stat(name)) is not None:
                pid = int(name)
                known[pid] = stat
                children.setdefault(int(stat[1]), []).append(pid)
        apart = frozenset(roots)
        found: dict[int, list[Process]] = {}
        for root in roots:
            if root not in known or known[root][0] in b"ZX":
                continue
            pids = [root]
            # Every pid has one parent, but the parents were not all read at one moment: a pid that came back as
            # another process could close a circle.
            seen = {root}
            for pid in pids:
                fresh = [child for child in children.get(pid, ()) if child not in apart and child not in seen]
                pids += fresh
                seen.update(fresh)
            found[root] = [_process(pid, known[pid]) for pid in pids if known[pid][0] not in b"ZX"]
        return found

    def members(self, root: int) -> list[int]:
        """The pids of one tree, the root first, without looking at any other process.

        A process that is reparented at this very moment may be missed: the next look has it.
        """
        pids = [root]
        seen = {root}
        for pid in pids:
            fresh = [child for child in self._children(pid) if child not in seen]
            pids += fresh
            seen.update(fresh)
        return pids

    def read(self, pid: int) -> ProcessReading | None:
        """The figures of one process, or None if it has vanished."""
        memory = self.exact(pid)
        if memory is None:
            return None
        read_bytes, written_bytes = self._io(pid)
        return ProcessReading(memory, self._open_files(pid), read_bytes, written_bytes, self._switches(pid))

    def memory_of(self, pids: Iterable[int]) -> dict[int, int]:
        """Bytes of anonymous memory in store, for each of the processes that is there: one read of statm for each.

        It is never less than what the process holds alone, but counts in full what it shares with its parent or
        children since a fork. What is swapped out is missing.
        """
        found: dict[int, int] = {}
        for pid in pids:
            data = self._read_statm(pid)
            fields = data.split(None, 3)
            # A process that has ended but is not reaped has no memory.
            if fields and fields[1] != b"0":
                found[pid] = (int(fields[1]) - int(fields[2])) * _PAGE
        return found

    def exact(self, pid: int) -> int | None:
        """Bytes of anonymous memory, in store and swapped, that this process has to answer for.

        A page shared by n processes counts as 1/n in each. The kernel walks the process's page table for it: 0.1 ms
        for a small process, 10 ms for each GB. Where it is not ours to read: the figure of `memory_of`.
        """
        try:
            data = read_file(f"{self._root}/{pid}/smaps_rollup")
        except PermissionError:
            return self.memory_of((pid,)).get(pid)
        except OSError:
            return None
        if not data:
            return None
        anonymous = _field(data, b"\nPss_Anon:")
        if anonymous is None:
            # Kernels before 5.9 do not tell apart what kind of page it is.
            anonymous = (_field(data, b"\nPrivate_Clean:") or 0) + (_field(data, b"\nPrivate_Dirty:") or 0)
        return (anonymous + (_field(data, b"\nSwapPss:") or 0)) * 1024

    def _read_statm(self, pid: int) -> bytes:
        # An open file of /proc/<pid> belongs to that one process for ever: when it is gone a read fails (ESRCH), also
        # after the pid was given to another. So a kept descriptor never shows somebody else's figures.
        descriptor = self._statm.get(pid)
        if descriptor is not None:
            try:
                return os.pread(descriptor, 256, 0)
            except OSError:
                os.close(self._statm.pop(pid))
        try:
            descriptor = os.open(f"{self._root}/{pid}/statm", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return b""
        kept = False
        try:
            data = os.pread(descriptor, 256, 0)
            kept = len(self._statm) < min(self._most_kept, self._look_at) or self._make_room()
        except OSError:
            return b""
        finally:
            if kept:
                self._statm[pid] = descriptor
            else:
                os.close(descriptor)
        return data

    def _make_room(self) -> bool:
        """Close the kept descriptors of processes that are gone; whether there is room now."""
        for pid, descriptor in list(self._statm.items()):
            try:
                os.pread(descriptor, 1, 0)
            except OSError:
                os.close(self._statm.pop(pid))
        # A process that is gone is not asked about again, so nothing else would close its descriptor; with the double of
        # those that live, the search costs little for each new one.
        self._look_at = _FEW + 2 * len(self._statm)
        return len(self._statm) < self._most_kept

    def _stat(self, name: str) -> list[bytes] | None:
        """The fields of stat from the state on: the command before it may hold blanks and parentheses."""
        try:
            descriptor = os.open(f"{self._root}/{name}/stat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            data = os.read(descriptor, 2048)
        except OSError:
            return None
        finally:
            os.close(descriptor)
        return data[data.rfind(b")") + 2 :].split(None, 20)

    def _children(self, pid: int) -> Iterator[int]:
        try:
            threads = os.listdir(f"{self._root}/{pid}/task")
        except OSError:
            return
        for thread in threads:
            with contextlib.suppress(OSError):
                yield from map(int, read_file(f"{self._root}/{pid}/task/{thread}/children").split())

    def _open_files(self, pid: int) -> int:
        path = f"{self._root}/{pid}/fd"
        try:
            # Since Linux 6.2 the size of the directory is the number of its entries.
            return os.stat(path).st_size or len(os.listdir(path))
        except OSError:
            return 0

    def _io(self, pid: int) -> tuple[int, int]:
        try:
            data = b"\n" + read_file(f"{self._root}/{pid}/io")
        except OSError:
            return 0, 0
        return _field(data, b"\nread_bytes:") or 0, _field(data, b"\nwrite_bytes:") or 0

    def _switches(self, pid: int) -> int:
        try:
            data = read_file(f"{self._root}/{pid}/status")
        except OSError:
            return 0
        voluntary = _field(data, b"\nvoluntary_ctxt_switches:") or 0
        return voluntary + (_field(data, b"\nnonvoluntary_ctxt_switches:") or 0)


def read_file(path: str) -> bytes:
    """All of a file of /proc or /sys, without the layers of `open`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = b""
        while piece := os.read(descriptor, 1 << 16):
            data += piece
    finally:
        os.close(descriptor)
    return data


def _process(pid: int, stat: list[bytes]) -> Process:
    own_and_reaped = int(stat[11]) + int(stat[12]) + int(stat[13]) + int(stat[14])
    return Process(pid, int(stat[19]) * _TICK, own_and_reaped * _TICK, int(stat[17]))


def _field(data: bytes, label: bytes) -> int | None:
    """The number after a label that begins a line."""
    at = data.find(label)
    return int(data[at + len(label) :].split(None, 1)[0]) if at >= 0 else None


def cpu_seconds(pid: int) -> float | None:
    """Processor time that a process has used, user and system, or None if it is gone or cannot be read."""
    try:
        stat = read_file(f"/proc/{pid}/stat")
    except OSError:
        return None
    # The name, in parentheses, may hold anything; what follows the last one is plain.
    fields = stat.rpartition(b")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
