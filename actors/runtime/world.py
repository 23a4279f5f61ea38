"""What a system takes from the machine that it runs on: time, chance, threads, waits, files and measurements.

All of it comes in here, so that a simulation can stand in for the machine and no actor has to know.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from actors.hosts.world import Settle
from actors.kernel.actor import ActorOptions
from actors.kernel.clock import Clock, SystemClock
from actors.kernel.options import Dispatcher
from actors.kernel.threads import SystemThreads, Threads
from actors.runtime.journal.record import Journal, Survives
from actors.runtime.probe import Probe
from actors.runtime.procfs import cpu_seconds
from actors.runtime.workspaces import DirectoryWorkspaces, Workspaces

__all__ = ["World"]


def _token() -> str:
    return secrets.token_hex(4)


def _journal(path: str, survives: Survives) -> Journal:
    from actors.runtime.journal.sqlite import SqliteJournal  # noqa: PLC0415 - no journal, no sqlite3

    return SqliteJournal(path, survives)


def _settle(ready: Callable[[], bool], timeout: float | None) -> float | None:
    """Nothing is done: the thread sleeps where it waits."""
    del ready
    return timeout


@dataclass(frozen=True)
class World:
    """Where a system runs, as the system sees it.

    Attributes:
        clock: the time.
        random: chance, for the jitter of waits.
        threads: threads and conditions.
        dispatcher: what carries actors out; None: a thread each.
        token: makes the part of an id that no other system has.
        settle: see `Settle`.
        workspaces: makes the workspaces, given the directory below which they are to be.
        probe: makes what measures processes and the machine.
        journal: makes the journal, given its file and what it is to survive.
        cpu_seconds: the processor time that a process has used; None if there is none of that pid.
    """

    clock: Clock = field(default_factory=SystemClock)
    random: random.Random = field(default_factory=random.Random)
    threads: Threads = field(default_factory=SystemThreads)
    dispatcher: Dispatcher | None = None
    token: Callable[[], str] = _token
    settle: Settle = _settle
    workspaces: Callable[[Path], Workspaces] = DirectoryWorkspaces
    probe: Callable[[], Probe] = Probe
    journal: Callable[[str, Survives], Journal] = _journal
    cpu_seconds: Callable[[int], float | None] = cpu_seconds

    def options(self, name: str | None, bound: int | None = None) -> ActorOptions:
        """What surrounds an actor in this world."""
        return ActorOptions(name=name, bound=bound, clock=self.clock, dispatcher=self.dispatcher)
