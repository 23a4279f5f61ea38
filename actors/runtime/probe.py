"""Measures agents' process trees and the machine."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple, Protocol

from actors.runtime.machine import Counters, Machine, MachineFiles
from actors.runtime.portable import Portable
from actors.runtime.procfs import Process, ProcessReading, Procfs
from actors.runtime.usage import Usage

__all__ = ["MachineSource", "Probe", "ProcessSource"]

_SHORTEST = 0.05
"""Seconds. The kernel counts cpu time in hundredths: over less than this a percentage says nothing."""


class ProcessSource(Protocol):
    """Where the figures of processes come from: `Procfs` or `Portable`, which see for the promises."""

    def now(self) -> float:
        """The clock that `Process.started` is on."""
        ...

    def close(self) -> None:
        """Close what is kept open."""
        ...

    def trees(self, roots: Collection[int]) -> dict[int, list[Process]]:
        """The living processes of each root's tree."""
        ...

    def members(self, root: int) -> list[int]:
        """The pids of one tree, found cheaply."""
        ...

    def read(self, pid: int) -> ProcessReading | None:
        """The figures of one process."""
        ...

    def memory_of(self, pids: Iterable[int]) -> dict[int, int]:
        """An upper bound of each process's memory, found very cheaply."""
        ...

    def exact(self, pid: int) -> int | None:
        """The memory of one process with its part of what it shares."""
        ...


class MachineSource(Protocol):
    """Where the machine's figures come from: `MachineFiles` or `Portable`."""

    def memory(self) -> tuple[int, int]:
        """Total and available bytes."""
        ...

    def counters(self) -> Counters:
        """The counts of cpu and disk time so far."""
        ...


class _Cpu(NamedTuple):
    """A tree's cpu time at a sample, and the percentage found then; `started` tells which process the root was."""

    started: float
    at: float
    seconds: float
    percent: float


class Probe:
    """Measures agents' process trees and the machine.

    Not for several threads at once.

    Args:
        processes, machine: where the figures come from; None: /proc on Linux, psutil elsewhere.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        processes: ProcessSource | None = None,
        machine: MachineSource | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if processes is None or machine is None:
            if sys.platform.startswith("linux"):
                processes, machine = processes or Procfs(), machine or MachineFiles()
            else:
                portable = Portable()
                processes, machine = processes or portable, machine or portable
        self._processes = processes
        self._machine = machine
        self._clock = clock
        self._cpu: dict[str, _Cpu] = {}
        self._last = (clock(), machine.counters())
        self._busy = (0.0, 0.0, 0.0)

    def close(self) -> None:
        """Give back what is kept open. The probe can be used on, and is then to be closed again."""
        self._processes.close()

    def sample(self, agents: Mapping[str, int]) -> dict[str, Usage]:
        """Measure the whole process trees of all agents in one pass.

        Args:
            agents: the pid at the root of each agent's tree, by the agent's id.

        Returns:
            The figures by agent. An agent whose process has ended is missing.
        """
        trees = self._processes.trees(frozenset(agents.values()))
        found = {}
        for agent, pid in agents.items():
            if pid in trees and (usage := self._measure(agent, trees[pid])) is not None:
                found[agent] = usage
        self._cpu = {agent: cpu for agent, cpu in self._cpu.items() if agent in agents}
        return found

    def machine(self) -> Machine:
        """Measure the machine. Percentages are over the time since the last call, or since the probe was made."""
        now = self._clock()
        then, before = self._last
        if now - then >= _SHORTEST:
            counters = self._machine.counters()
            self._busy = _percentages(before, counters, now - then)
            self._last = (now, counters)
        total, available = self._machine.memory()
        cpu, waiting, disk = self._busy
        return Machine(
            time=now,
            memory_total=total,
            memory_available=available,
            cpus=_cpus(),
            cpu_percent=cpu,
            io_wait_percent=waiting,
            disk_percent=disk,
        )

    def memory_of(self, pids: Iterable[int]) -> dict[int, int]:
        """Bytes of memory of each process that is there, in a few microseconds each: an upper bound.

        It counts in full what a process shares with others since a fork; `tree_memory` does not.
        """
        return self._processes.memory_of(pids)

    def members(self, root: int) -> list[int]:
        """The pids of one tree as they are now, the root first. Costs some 20 microseconds for each process in it."""
        return self._processes.members(root)

    def tree_memory(self, root: int) -> int:
        """Bytes of memory that one process tree has to answer for, as `Usage.memory` counts it.

        The tree is looked up afresh, so that a pid which was given to another process in the meantime does not count.
        Costs about 0.1 ms for each small process and 10 ms for each GB in use.
        """
        return sum(self._processes.exact(pid) or 0 for pid in self._processes.members(root))

    def _measure(self, agent: str, tree: list[Process]) -> Usage | None:
        readings = [reading for process in tree if (reading := self._processes.read(process.pid)) is not None]
        if not readings:
            return None
        root = tree[0]
        age = self._processes.now() - root.started
        return Usage(
            agent=agent,
            pid=root.pid,
            time=self._clock(),
            uptime=max(0.0, age),
            memory=sum(reading.memory for reading in readings),
            cpu_percent=self._cpu_percent(agent, root.started, age, sum(process.cpu for process in tree)),
            open_files=sum(reading.open_files for reading in readings),
            processes=len(readings),
            threads=sum(process.threads for process in tree),
            read_bytes=sum(reading.read_bytes for reading in readings),
            written_bytes=sum(reading.written_bytes for reading in readings),
            context_switches=sum(reading.context_switches for reading in readings),
        )

    def _cpu_percent(self, agent: str, started: float, age: float, seconds: float) -> float:
        # A child that ends moves its cpu time into its parent's account of reaped children, so the sum over the tree
        # does not fall. It does when a child is reaped unseen (SIGCHLD ignored) or leaves the tree: that counts as 0.
        now = self._processes.now()
        before = self._cpu.get(agent)
        if before is None or before.started != started:
            before = _Cpu(started, now - age, 0.0, 0.0)
        span = now - before.at
        if span < _SHORTEST:
            return before.percent
        percent = max(0.0, 100.0 * (seconds - before.seconds) / span)
        self._cpu[agent] = _Cpu(started, now, seconds, percent)
        return percent


def _percentages(before: Counters, after: Counters, seconds: float) -> tuple[float, float, float]:
    total = after.total - before.total
    cpu = 100.0 * max(0.0, after.busy - before.busy) / total if total > 0 else 0.0
    waiting = 100.0 * max(0.0, after.waiting - before.waiting) / seconds
    grown = (busy - before.disks[disk] for disk, busy in after.disks.items() if disk in before.disks)
    disk = max(grown, default=0.0) / (10.0 * seconds)
    return min(100.0, cpu), min(100.0, waiting), min(100.0, max(0.0, disk))


def _cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
