"""How the running process does: the figures of its heartbeats."""

from __future__ import annotations

import os
import time

__all__ = ["Vitals"]

_PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024 if hasattr(os, "sysconf") else 4


class Vitals:
    """Figures of this process alone; the whole tree is measured from outside."""

    def __init__(self) -> None:
        self._born = time.monotonic()
        self._seen = self._born
        self._cpu = self._cpu_seconds()

    @staticmethod
    def _cpu_seconds() -> float:
        times = os.times()
        return times.user + times.system

    @property
    def uptime(self) -> float:
        """Seconds since this was made."""
        return time.monotonic() - self._born

    def memory_kb(self) -> int:
        """Resident memory that is not shared, in KiB; its peak with what is shared where there is no /proc."""
        try:
            with open("/proc/self/statm", "rb") as file:
                fields = file.read().split()
            return (int(fields[1]) - int(fields[2])) * _PAGE_KB
        except OSError:
            import resource  # noqa: PLC0415 - only where /proc is missing

            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def cpu_percent(self) -> float:
        """Percent of one core since the last time this was asked."""
        now, used = time.monotonic(), self._cpu_seconds()
        percent = 100.0 * (used - self._cpu) / max(now - self._seen, 1e-3)
        self._seen, self._cpu = now, used
        return round(percent, 1)

    def open_files(self) -> int:
        """How many descriptors are open; 0 where that cannot be told."""
        for directory in ("/proc/self/fd", "/dev/fd"):
            try:
                # The listing itself holds one.
                return len(os.listdir(directory)) - 1
            except OSError:
                continue
        return 0
