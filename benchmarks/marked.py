"""The processes of one measurement, whoever their parent is now: they have its mark.

The mark is a directory: its path stands in their environment, and they work in it. Some processes write their title over
their environment, others go elsewhere; none does both.
"""

from __future__ import annotations

import os
import select
import signal
import time
from pathlib import Path

__all__ = ["MARK", "Watched", "called", "kill_all", "marked"]

MARK = "BENCHMARK_OF_ACTORS"
"""The name in the environment. Names that begin with ACTORS_ are settings of the library."""

_MERCY = 2.0


def marked(mark: str) -> list[int]:
    """Those that live now, zombies not among them."""
    sign = f"{MARK}={mark}".encode()
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                if os.readlink(f"/proc/{name}/cwd").removesuffix(" (deleted)") == mark or sign in Path(
                    f"/proc/{name}/environ"
                ).read_bytes().split(b"\0"):
                    found.append(int(name))
            except OSError:
                # It has ended meanwhile, or is another user's.
                continue
    return found


def called(pid: int) -> str:
    """What a process is, in a few words."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return "process"
    text = " ".join(words)
    for sign in ("resource_tracker", "forkserver", "raylet", "gcs_server", "ray::", "runtime_env", "dashboard"):
        if sign in text:
            return sign.strip(":_").replace("_", " ")
    return "process"


class Watched:
    """Waits for the end of all processes with a mark; those that come later are found as well."""

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self._pids: dict[int, int] = {}
        self.look()

    @property
    def pids(self) -> dict[int, int]:
        """Those that are not known to have ended, by a descriptor of each."""
        return self._pids

    def look(self) -> None:
        """Find those that are there now."""
        for pid in marked(self._mark):
            if pid not in self._pids.values():
                try:
                    self._pids[os.pidfd_open(pid)] = pid
                except ProcessLookupError:
                    continue

    def end(self, seconds: float) -> tuple[float | None, list[int]]:
        """Wait until all are gone: when the last one went, or None and those that are left."""
        until = time.monotonic() + seconds
        last = time.monotonic()
        poll = select.poll()
        known: set[int] = set()
        while True:
            for descriptor in self._pids.keys() - known:
                poll.register(descriptor, select.POLLIN)
                known.add(descriptor)
            while self._pids and time.monotonic() < until:
                for descriptor, _ in poll.poll(max(until - time.monotonic(), 0) * 1000):
                    last = time.monotonic()
                    poll.unregister(descriptor)
                    known.discard(descriptor)
                    del self._pids[descriptor]
                    os.close(descriptor)
            left = sorted(self._pids.values())
            self.look()
            if not self._pids:
                return last, []
            if time.monotonic() >= until:
                return None, left

    def close(self) -> None:
        """Let go of them."""
        for descriptor in self._pids:
            os.close(descriptor)
        self._pids.clear()


def kill_all(mark: str, seconds: float = 10.0) -> list[int]:
    """Kill all that have the mark, until none is left; those that nothing can end.

    Resource trackers have some time to remove shared memory and semaphores: they end by themselves when all others have.
    """
    until = time.monotonic() + seconds
    spare = time.monotonic() + _MERCY
    while time.monotonic() < until:
        watched = Watched(mark)
        try:
            if not watched.pids:
                return []
            for descriptor, pid in watched.pids.items():
                if time.monotonic() < spare and called(pid) == "resource tracker":
                    continue
                try:
                    signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            watched.end(0.5)
        finally:
            watched.close()
    return marked(mark)
