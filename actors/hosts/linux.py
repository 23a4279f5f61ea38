"""What Linux offers beyond Python's `os`, each with what happens where it is missing."""

from __future__ import annotations

import ctypes
import functools
import os
import signal
import sys
from collections.abc import Callable

__all__ = ["adopt_orphans", "die_with_parent", "oom_kills", "process_descriptor"]

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def _find_prctl() -> Callable[..., int] | None:
    if sys.platform != "linux":
        return None
    try:
        return ctypes.CDLL(None, use_errno=True).prctl
    except (OSError, AttributeError):
        return None


# Looked up once, so that a freshly forked process need not load anything.
_prctl = _find_prctl()


def die_with_parent(parent: int) -> bool:
    """Have the kernel kill this process when its parent ends; kept across exec, not across fork.

    The kernel means the parent's thread, so the parent must have forked in a thread that lives as long as it does.

    Args:
        parent: the pid that the parent must have. If it has ended already, this process is killed now.

    Returns:
        Whether the kernel offers this.
    """
    if _prctl is None:
        return False
    if _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        return False
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
    return True


def adopt_orphans() -> bool:
    """Have detached descendants become children of this process; kept across exec, not across fork.

    Returns:
        Whether the kernel offers this.
    """
    return _prctl is not None and _prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


def process_descriptor(pid: int) -> int | None:
    """A descriptor that is readable once the process has ended; None where there is no such thing, or no process."""
    opener = getattr(os, "pidfd_open", None)
    if opener is None:
        return None
    try:
        return int(opener(pid))
    except OSError:
        return None


def oom_kills() -> int | None:
    """How many processes the kernel has killed for want of memory since it started; None if it does not say.

    Those of this process's own cgroup where that is known, and else those of the whole machine.
    """
    group = _cgroup_events()
    for path in (group, "/proc/vmstat") if group else ("/proc/vmstat",):
        try:
            with open(path, "rb") as file:
                for line in file:
                    if line.startswith(b"oom_kill "):
                        return int(line.split()[1])
        except (OSError, ValueError):
            continue
    return None


@functools.cache
def _cgroup_events() -> str | None:
    """The file in which the memory cgroup of this process counts kills; None if there is none (as in the root's)."""
    try:
        with open("/proc/self/cgroup", encoding="utf-8", errors="surrogateescape") as file:
            entries = [line.rstrip("\n").split(":", 2) for line in file]
    except OSError:
        return None
    for _, kinds, path in (entry for entry in entries if len(entry) == 3):
        files = [f"/sys/fs/cgroup{path}/memory.events", "/sys/fs/cgroup/memory.events"] if not kinds else []
        if "memory" in kinds.split(","):
            files = [f"/sys/fs/cgroup/memory{path}/memory.oom_control", "/sys/fs/cgroup/memory/memory.oom_control"]
        for found in files:
            if os.path.exists(found):
                return found
    return None
