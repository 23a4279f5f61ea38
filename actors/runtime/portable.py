"""Reads processes and the machine through psutil, where there is no /proc."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from typing import Any

from actors.runtime.machine import Counters
from actors.runtime.procfs import Process, ProcessReading

__all__ = ["Portable"]


class Portable:
    """The same answers as `Procfs` and `MachineFiles` give, as far as psutil has them on this system.

    Memory is what psutil knows best: unique memory where it can be had, else what is resident without what is shared.
    """

    def __init__(self) -> None:
        # Imported when first used: it takes longer than the rest of the package, and Linux does without.
        import psutil  # noqa: PLC0415

        self._psutil: Any = psutil

    def close(self) -> None:
        """Nothing is kept open."""

    def now(self) -> float:
        """The clock that `Process.started` is on."""
        return time.time()

    def trees(self, roots: Collection[int]) -> dict[int, list[Process]]:
        """See `Procfs.trees`."""
        children: dict[int, list[int]] = {}
        for process in self._psutil.process_iter(["ppid"]):
            children.setdefault(process.info["ppid"] or 0, []).append(process.pid)
        apart = frozenset(roots)
        found: dict[int, list[Process]] = {}
        for root in roots:
            pids = [root]
            seen = {root}
            for pid in pids:
                fresh = [child for child in children.get(pid, ()) if child not in apart and child not in seen]
                pids += fresh
                seen.update(fresh)
            processes = [process for pid in pids if (process := self._process(pid)) is not None]
            if processes and processes[0].pid == root:
                found[root] = processes
        return found

    def members(self, root: int) -> list[int]:
        """See `Procfs.members`."""
        try:
            return [root, *(child.pid for child in self._psutil.Process(root).children(recursive=True))]
        except self._psutil.Error:
            return [root]

    def read(self, pid: int) -> ProcessReading | None:
        """See `Procfs.read`."""
        memory = self.exact(pid)
        if memory is None:
            return None
        try:
            process = self._psutil.Process(pid)
            with process.oneshot():
                switches = process.num_ctx_switches()
                moved = process.io_counters() if hasattr(process, "io_counters") else None
                return ProcessReading(
                    memory,
                    process.num_fds(),
                    moved.read_bytes if moved else 0,
                    moved.write_bytes if moved else 0,
                    switches.voluntary + switches.involuntary,
                )
        except self._psutil.AccessDenied:
            return ProcessReading(memory, 0, 0, 0, 0)
        except self._psutil.Error:
            return None

    def memory_of(self, pids: Iterable[int]) -> dict[int, int]:
        """See `Procfs.memory_of`."""
        found: dict[int, int] = {}
        for pid in pids:
            try:
                info = self._psutil.Process(pid).memory_info()
            except self._psutil.Error:
                continue
            if info.rss:
                found[pid] = info.rss - getattr(info, "shared", 0)
        return found

    def exact(self, pid: int) -> int | None:
        """See `Procfs.exact`."""
        try:
            return int(self._psutil.Process(pid).memory_full_info().uss) or None
        except self._psutil.AccessDenied:
            return self.memory_of((pid,)).get(pid)
        except self._psutil.Error:
            return None

    def memory(self) -> tuple[int, int]:
        """Total and available bytes."""
        memory = self._psutil.virtual_memory()
        return memory.total, memory.available

    def counters(self) -> Counters:
        """See `MachineFiles.counters`."""
        times = self._psutil.cpu_times()._asdict()
        # On Linux guests' time is part of the users' already.
        total = sum(value for name, value in times.items() if not name.startswith("guest"))
        waiting = times.get("iowait", 0.0)
        disks = self._psutil.disk_io_counters(perdisk=True) or {}
        busy = {name: float(getattr(disk, "busy_time", 0)) for name, disk in disks.items()}
        return Counters(total - times["idle"] - waiting, waiting, total, busy)

    def _process(self, pid: int) -> Process | None:
        try:
            process = self._psutil.Process(pid)
            with process.oneshot():
                if process.status() == self._psutil.STATUS_ZOMBIE:
                    return None
                return Process(pid, process.create_time(), sum(process.cpu_times()[:4]), process.num_threads())
        except self._psutil.Error:
            return None
