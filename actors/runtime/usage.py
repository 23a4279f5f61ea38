"""What a process tree uses."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

__all__ = ["Usage"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one agent's whole process tree used at one moment.

    Attributes:
        agent: the agent's id.
        pid: the process at the root of the tree.
        time: monotonic seconds of the sample.
        uptime: seconds since the root process started.
        memory: bytes of anonymous memory, in store or swapped out. A page that several processes share since a fork
            counts in equal parts for each of them, so that the tree as a whole pays for what only it holds; files and
            shared memory do not count.
        cpu_percent: cpu time since the previous sample of this process (the first time: since its start), 100 for one
            cpu kept busy. Children that ended in between are included.
        open_files: descriptors held.
        processes: processes in the tree, the root included, those that have ended but are not reaped excluded.
        threads: threads in the tree.
        read_bytes: bytes read from storage since the start, by ended children too.
        written_bytes: bytes written to storage since the start, by ended children too.
        context_switches: of the main threads of the processes that run now, since the start of each.
    """

    agent: str
    pid: int
    time: float
    uptime: float
    memory: int
    cpu_percent: float
    open_files: int
    processes: int
    threads: int
    read_bytes: int
    written_bytes: int
    context_switches: int

    def to_dict(self) -> dict[str, Any]:
        """All figures by name, as values that JSON knows."""
        return dataclasses.asdict(self)
