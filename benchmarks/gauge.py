"""What a piece of work cost: cpu time of the program and of all processes it started, and their memory."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any, Self

from benchmarks import cpu
from benchmarks.marked import MARK, marked

__all__ = ["Gauge", "peak", "resident"]

_MIB = 1 << 20


def resident(pid: int | str = "self") -> float:
    """MiB of memory that a process has now, what it shares with others among them; 0 if it is gone."""
    return _status(pid, "VmRSS")


def peak(pid: int | str = "self") -> float:
    """The most that it ever was."""
    return _status(pid, "VmHWM")


def _status(pid: int | str, field: str) -> float:
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1]) / 1024
    except OSError:
        # It has ended meanwhile.
        pass
    return 0.0


class Gauge:
    """Used around a piece of work. Other processes are those with the mark of the measurement, whoever started them.

    Args:
        count: tasks, among which the cpu time is divided.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._mark = os.environ.get(MARK, "")

    def __enter__(self) -> Self:
        gc.collect()
        self._resident = resident()
        self._others = cpu.seconds_of(self._processes())
        self._own = cpu.parent_seconds()
        return self

    def __exit__(self, *exc_info: object) -> None:
        own = cpu.parent_seconds() - self._own
        processes = self._processes()
        others = cpu.spent(self._others, cpu.seconds_of(processes))
        self._cost = {
            "parent_cpu": own / self._count * 1e6,
            "agents_cpu": others / self._count * 1e6,
            "parent_memory": peak(),
            "grown_memory": max(peak() - self._resident, 0.0),
            "agents_memory": sum(map(peak, processes)),
        }

    @property
    def grown(self) -> float:
        """MiB by which the program's memory grew at most; after the work."""
        return self._cost["grown_memory"]

    def _processes(self) -> list[int]:
        return marked(self._mark) if self._mark else list(cpu.children_seconds())

    def sample(self, figures: dict[str, float], wrong: str = "", notes: dict[str, int] | None = None) -> dict[str, Any]:
        """The figures of a measurement with what it cost: cpu in microseconds of each task, memory in MiB.

        Args:
            figures: what was measured.
            wrong: why it is not to be believed.
            notes: what the reader should know of.
        """
        return {"figures": figures, **self._cost, "wrong": wrong, "notes": notes or {}}
