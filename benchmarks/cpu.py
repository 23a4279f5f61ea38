"""The cpu time of this process and of its descendants, to the nanosecond where the kernel keeps it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from pathlib import Path

import psutil


def parent_seconds() -> float:
    """Return the cpu seconds of all threads of this process."""
    return time.process_time()


def children_seconds() -> dict[int, float]:
    """Return the cpu seconds of each living descendant by pid, those of its threads that have ended excepted."""
    return seconds_of(process.pid for process in psutil.Process().children(recursive=True))


def seconds_of(pids: Iterable[int]) -> dict[int, float]:
    """Return the cpu seconds of some processes by pid, those that are gone and threads that have ended excepted."""
    found = {}
    for pid in pids:
        with contextlib.suppress(OSError, psutil.Error):
            found[pid] = _seconds(psutil.Process(pid))
    return found


def spent(before: dict[int, float], after: dict[int, float]) -> float:
    """Return what the descendants used between two readings; one that began in between counts in full."""
    return sum(seconds - before.get(pid, 0.0) for pid, seconds in after.items())


def _seconds(process: psutil.Process) -> float:
    directory = Path(f"/proc/{process.pid}/task")
    if not (directory / str(process.pid) / "schedstat").exists():
        times = process.cpu_times()
        return times.user + times.system
    nanoseconds = 0
    for thread in os.listdir(directory):
        with contextlib.suppress(OSError):
            nanoseconds += int((directory / thread / "schedstat").read_text().split()[0])
    return nanoseconds / 1e9
