"""What the machine has, and how busy it is."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from actors.runtime.procfs import read_file

__all__ = ["Counters", "Machine", "MachineFiles"]

_NO_LIMIT = 1 << 60
"""A cgroup of version 1 without a limit names a number near 2**63."""

_TICK = 1.0 / os.sysconf("SC_CLK_TCK")

_DISK_BUSY = 12
"""The column of diskstats that counts the milliseconds in which the disk had something to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The figures of the machine, or of the container that this process is confined to where that is less.

    Attributes:
        time: monotonic seconds of the sample.
        memory_total: bytes.
        memory_available: bytes that can be had without swapping.
        cpus: cpus that this process may use.
        cpu_percent: share of all cpus that was busy since the previous sample, 0 to 100.
        io_wait_percent: share of the time in which some task waited for a disk, 0 to 100.
        disk_percent: how long the busiest disk was busy since the previous sample, 0 to 100.
    """

    time: float
    memory_total: int
    memory_available: int
    cpus: int
    cpu_percent: float
    io_wait_percent: float
    disk_percent: float

    @property
    def memory_available_share(self) -> float:
        """Available of total memory, 0 to 1."""
        return self.memory_available / self.memory_total if self.memory_total else 1.0

    def to_dict(self) -> dict[str, Any]:
        """All figures by name, as values that JSON knows."""
        return dataclasses.asdict(self)


class Counters(NamedTuple):
    """Counts that only grow.

    `busy` of `total` cpu time in any unit; `waiting` seconds in which something waited for a disk; `disks`: milliseconds
    in which each was busy.
    """

    busy: float
    waiting: float
    total: float
    disks: Mapping[str, float]


class MachineFiles:
    """Reads the machine's figures from /proc, and a container's limits from its control group (version 1 or 2).

    Args:
        proc: where proc is mounted.
        sys: where sysfs is mounted.
    """

    def __init__(self, proc: str = "/proc", sys: str = "/sys") -> None:
        self._proc = proc
        self._disks = frozenset(_disks(Path(sys) / "block"))
        self._groups = tuple(_groups(Path(proc) / "self" / "cgroup", Path(sys) / "fs" / "cgroup"))

    def memory(self) -> tuple[int, int]:
        """Total and available bytes."""
        fields = _fields(read_file(f"{self._proc}/meminfo"))
        total = fields["MemTotal:"] * 1024
        # Kernels before 3.14 have no estimate of what is available; free is the careful answer there.
        available = fields.get("MemAvailable:", fields.get("MemFree:", 0)) * 1024
        for group in self._groups:
            limit, left = group.memory()
            total = min(total, limit)
            available = min(available, left)
        return total, available

    def counters(self) -> Counters:
        """The cpu's and the disks' counts at this moment."""
        values = [int(text) for text in read_file(f"{self._proc}/stat").split(b"\n", 1)[0].split()[1:9]]
        values += [0] * (8 - len(values))
        idle, waiting = values[3], values[4]
        total = sum(values)
        return Counters(total - idle - waiting, self._waiting(waiting * _TICK), total, self._disk_times())

    def _waiting(self, otherwise: float) -> float:
        """Seconds in which some task waited for a disk; a kernel that does not count this has cpus' idle time only."""
        try:
            some = read_file(f"{self._proc}/pressure/io").split(b"\n", 1)[0]
            return int(some.rpartition(b"total=")[2]) / 1e6
        except (OSError, ValueError):
            return otherwise

    def _disk_times(self) -> dict[str, float]:
        try:
            lines = read_file(f"{self._proc}/diskstats").decode().splitlines()
        except OSError:
            return {}
        rows = (line.split() for line in lines)
        return {row[2]: float(row[_DISK_BUSY]) for row in rows if len(row) > _DISK_BUSY and row[2] in self._disks}


class _Group(NamedTuple):
    """One control group above this process that may limit memory."""

    limit: str
    used: str
    stat: str
    cache: str

    def memory(self) -> tuple[int, int]:
        """The limit and what is left of it. Pages of files that were not used lately can be had back."""
        try:
            text = read_file(self.limit).strip()
            if text == b"max" or int(text) >= _NO_LIMIT:
                return _NO_LIMIT, _NO_LIMIT
            limit = int(text)
            used = int(read_file(self.used))
            cache = _fields(read_file(self.stat)).get(self.cache, 0)
        except (OSError, ValueError):
            return _NO_LIMIT, _NO_LIMIT
        return limit, max(0, limit - used + cache)


def _groups(membership: Path, mount: Path) -> Iterator[_Group]:
    """The groups that this process is in and those above them, as far as they are visible here."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if number == "0":
            names = ("memory.max", "memory.current", "memory.stat", "inactive_file")
            tops = [mount, mount / "unified"]
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "memory.stat", "total_inactive_file")
            tops = [mount / "memory"]
        else:
            continue
        for top in tops:
            place = top / path.lstrip("/")
            for directory in (place, *place.parents):
                if directory.is_relative_to(top) and (directory / names[0]).exists():
                    limit, used, stat = (str(directory / name) for name in names[:3])
                    yield _Group(limit, used, stat, names[3])


def _disks(directory: Path) -> Iterator[str]:
    """Whole disks: no partitions, nothing that is memory or a file in disguise."""
    try:
        names = [entry.name for entry in directory.iterdir()]
    except OSError:
        return
    yield from (name for name in names if not name.startswith(("loop", "ram", "zram")))


def _fields(data: bytes) -> dict[str, int]:
    rows = (line.split() for line in data.decode().splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) > 1}
