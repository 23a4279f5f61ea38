"""What the simulation measures: the memory of simulated processes, and a machine that is never short of anything."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from actors.runtime.machine import Counters
from actors.runtime.procfs import Process, ProcessReading

__all__ = ["BASE_MEMORY", "SimFigures", "SimMachine", "SimProcesses"]

BASE_MEMORY = 20 << 20
"""What a simulated agent holds, in bytes, as long as none of its tasks leaks."""

_TOTAL = 16 << 30
_OPEN_FILES = 10


class SimProcesses:
    """See `ProcessSource`: every agent is a process alone, with as much memory as was chosen for it.

    Args:
        clock: monotonic seconds.
        memory: the bytes of the process of a pid; None if there is none.
    """

    def __init__(self, clock: Callable[[], float], memory: Callable[[int], int | None]) -> None:
        self._clock = clock
        self._memory = memory

    def now(self) -> float:
        """See `ProcessSource.now`."""
        return self._clock()

    def close(self) -> None:
        """Nothing is open."""

    def trees(self, roots: Collection[int]) -> dict[int, list[Process]]:
        """See `ProcessSource.trees`."""
        return {pid: [Process(pid, 0.0, 0.0, 2)] for pid in sorted(roots) if self._memory(pid) is not None}

    def members(self, root: int) -> list[int]:
        """See `ProcessSource.members`."""
        return [root]

    def read(self, pid: int) -> ProcessReading | None:
        """See `ProcessSource.read`."""
        memory = self._memory(pid)
        return None if memory is None else ProcessReading(memory, _OPEN_FILES, 0, 0, 0)

    def memory_of(self, pids: Iterable[int]) -> dict[int, int]:
        """See `ProcessSource.memory_of`."""
        return {pid: memory for pid in pids if (memory := self._memory(pid)) is not None}

    def exact(self, pid: int) -> int | None:
        """See `ProcessSource.exact`."""
        return self._memory(pid)


class SimMachine:
    """See `MachineSource`: idle, with plenty of memory, unless somebody takes it.

    Attributes:
        available: bytes that can be had; a test may set it.
    """

    def __init__(self) -> None:
        self.available = _TOTAL // 2

    def memory(self) -> tuple[int, int]:
        """See `MachineSource.memory`."""
        return _TOTAL, self.available

    def counters(self) -> Counters:
        """See `MachineSource.counters`."""
        return Counters(0.0, 0.0, 0.0, {})


class SimFigures:
    """See `Vitals`.

    Args:
        clock: monotonic seconds.
        memory: the bytes of this agent.
    """

    def __init__(self, clock: Callable[[], float], memory: Callable[[], int]) -> None:
        self._clock = clock
        self._born = clock()
        self._memory = memory

    @property
    def uptime(self) -> float:
        """See `Vitals.uptime`."""
        return self._clock() - self._born

    def memory_kb(self) -> int:
        """See `Vitals.memory_kb`."""
        return self._memory() // 1024

    def cpu_percent(self) -> float:
        """None is used that could be measured."""
        return 0.0

    def open_files(self) -> int:
        """See `Vitals.open_files`."""
        return _OPEN_FILES
