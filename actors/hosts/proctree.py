"""Finding processes: the children of one, and those that carry a mark in their environment."""

from __future__ import annotations

import os
import signal
import time

__all__ = [
    "LAUNCHER_MARK",
    "MERCY",
    "children_of",
    "condition_of",
    "end_marked",
    "marked",
    "processor_time_of",
    "tracks_resources",
]

MERCY = 1.0
"""Seconds that `tracks_resources` gives a process to do its work once nothing else of its family is left."""

_TRACKER = b"multiprocessing.resource_tracker import main"

LAUNCHER_MARK = "ACTORS_LAUNCHER_ID"
"""Names the launcher that a process descends from, in the environment that its exec gave it."""


def children_of(pid: int) -> list[int]:
    """The children of a process, those of all its threads, zombies too; empty where there is no /proc.

    The kernel may omit one while another of them ends; the end of that one is reported, and then is the time to ask
    again.
    """
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found += [int(number) for number in file.read().split()]
    except FileNotFoundError:
        # A thread that has just ended has left its children to another one.
        return _children_by_search(pid)
    except OSError:
        return found
    return found


def tracks_resources(pid: int) -> bool:
    """Whether a process is a resource tracker of multiprocessing.

    It ends by itself when all that use it have ended, and removes the shared memory and the semaphores that they have
    left; killed beside them, it would leave these for ever.
    """
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return _TRACKER in file.read()
    except OSError:
        return False


def condition_of(pid: int) -> str:
    """What a process does, as a letter of the kernel's: R runs, S sleeps, D waits in the kernel, T is stopped, Z ended.

    Empty if nobody knows.
    """
    fields = _stat_of(pid)
    return "" if not fields else fields[0].decode("ascii", "replace")


def processor_time_of(pid: int) -> float:
    """Seconds of processor time that a process has had, all its threads together; 0.0 if nobody knows."""
    fields = _stat_of(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") if fields else 0.0


def _stat_of(pid: int) -> list[bytes]:
    """What /proc says of a process, from its condition on; empty if there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name, in parentheses, may hold anything, spaces and parentheses too.
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return []


def _children_by_search(parent: int) -> list[int]:
    """For kernels without the file `children` (CONFIG_PROC_CHILDREN)."""
    return [pid for pid in _all() if (fields := _stat_of(pid)) and int(fields[1]) == parent]


def _all() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


def marked(name: str, value: str) -> list[int]:
    """The processes of this user whose environment at their exec had `name` set to `value`."""
    entry = f"{name}={value}".encode()
    own = os.getpid()
    found = []
    for pid in _all():
        if pid == own:
            continue
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                environment = file.read()
        except OSError:
            continue
        if entry in environment.split(b"\0"):
            found.append(pid)
    return found


def end_marked(name: str, value: str, timeout: float) -> list[int]:
    """Kill all processes that `marked` finds, until it finds none. Returns those that were killed.

    Resource trackers have half of the time to end by themselves.

    Args:
        name: of the variable.
        value: of the variable.
        timeout: seconds after which what could not be ended is left.
    """
    killed: set[int] = set()
    deadline = time.monotonic() + timeout
    spare = deadline - timeout / 2
    while found := marked(name, value):
        for pid in found:
            if time.monotonic() < spare and tracks_resources(pid):
                continue
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue
            killed.add(pid)
        if time.monotonic() > deadline:
            break
        # A killed process needs the processor to end; nothing tells a stranger of that moment.
        time.sleep(0.001)
    return sorted(killed)
