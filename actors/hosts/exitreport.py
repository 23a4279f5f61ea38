"""What is known of an agent's end, and the sentence that tells it."""

from __future__ import annotations

import os
from dataclasses import dataclass

from actors.core.stacks import crashed
from actors.hosts.lastwords import STACK_SIGNAL
from actors.platforms import signal_name
from actors.protocol.states import AgentState, Move

__all__ = ["Ending", "ExitReport", "explain", "native_stack"]


# With the signal that asks for the stacks an agent may die that has become another program by exec.
_OWN = frozenset({"SIGKILL", "SIGTERM", signal_name(STACK_SIGNAL)})
_CONDITIONS = {
    "T": "; its process was stopped (by SIGSTOP, or by a debugger)",
    "D": "; its process waited in the kernel, most likely for a disk or a network file system",
}
_SENT = {
    "SIGTERM": "by somebody else: `kill`, a service manager, the end of a batch job or of a container",
    "SIGHUP": "by somebody else: its terminal or its session has ended",
    "SIGINT": "by somebody else, as Ctrl-C does",
    "SIGALRM": "by a timer of its own (signal.alarm, signal.setitimer) that nobody handles",
    "SIGXFSZ": "because it wrote a file beyond its limit (RLIMIT_FSIZE)",
    "SIGPIPE": "because it wrote to a pipe that nobody reads, and native code had SIGPIPE at its default",
    "SIGSYS": "because it made a system call that its sandbox (seccomp) forbids",
}
_CRASHES = frozenset({"SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL"})


@dataclass(frozen=True, slots=True)
class Ending:
    """The bare facts of how a process ended, as whoever waited for it tells them.

    `status` is what `os.wait` gives, or None where nobody could wait for it. `peak_kb` is the most memory that it
    had resident; `oom_kills` how many processes the kernel killed for want of memory during its life, or None
    where the kernel does not say. `uptime` and `cpu` (user and system together) are seconds. `condition` is what the
    process did when it was killed, a letter as /proc/<pid>/stat has it.
    """

    status: int | None
    peak_kb: int = 0
    cpu: float = 0.0
    uptime: float = 0.0
    oom_kills: int | None = None
    stderr: tuple[str, ...] = ()
    condition: str = ""


@dataclass(frozen=True, slots=True)
class ExitReport:
    """How an agent's process or thread ended, and what it did last.

    `exit_code` is None when a signal ended it, `signal` (by name) None when none did; both are None when nobody could
    learn it. `running` is (number, attempt, start) of the task in hand at the end; tasks after the first
    `flushed_seq` of the `started_seq` that were begun may have run without their result having been told.
    `cause` says in words what most likely happened; `reason` is why this program killed it, if it did. `log` are the
    last lines that it logged, `stack` where its threads were, if it could write that down.
    """

    agent: str
    incarnation: int
    pid: int | None
    exit_code: int | None
    signal: str | None
    cause: str
    reason: str | None
    stderr: tuple[str, ...]
    moves: tuple[Move[AgentState], ...]
    running: tuple[int, int, float] | None
    started_seq: int
    flushed_seq: int
    uptime: float
    peak_kb: int = 0
    cpu: float = 0.0
    log: tuple[str, ...] = ()
    stack: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether it ended by itself with exit code 0."""
        return self.exit_code == 0


def native_stack(stderr: tuple[str, ...]) -> tuple[str, ...]:
    """The last report of `faulthandler` among the lines of an agent's stderr, to their end; empty if there is none."""
    for at in range(len(stderr) - 1, -1, -1):
        if stderr[at].startswith("Fatal Python error"):
            return stderr[at:]
    return ()


def explain(ending: Ending, reason: str | None) -> tuple[int | None, str | None, str]:
    """The exit code, the name of the signal and the likely cause of an end.

    Args:
        ending: the facts.
        reason: why this program killed the agent, or None if it did not.
    """
    if ending.status is None:
        return None, None, reason or "it is gone, and how it ended could not be learnt"
    code = os.waitstatus_to_exitcode(ending.status)
    if code >= 0:
        return code, None, _of_code(code, reason)
    name = signal_name(-code)
    return None, name, _of_signal(name, ending, reason)


def _of_signal(name: str, ending: Ending, reason: str | None) -> str:
    if reason is not None and name in _OWN:
        return f"killed by this program with {name}: {reason}{_CONDITIONS.get(ending.condition, '')}"
    if name == "SIGKILL":
        return _of_kill(ending)
    if name in _CRASHES:
        return _of_crash(name, ending)
    if name == "SIGXCPU":
        return "ended by SIGXCPU: it used up its limit of processor time (RLIMIT_CPU)"
    return f"ended by {name}, and not in order: sent {_SENT.get(name, 'by somebody else, or by its own code')}"


def _of_code(code: int, reason: str | None) -> str:
    if code == 0:
        return f"ended in order with exit code 0: {reason}" if reason else "ended in order with exit code 0"
    because = f" after this program asked it to end ({reason})" if reason else ""
    if code == 1:
        return f"ended with exit code 1{because}: an error of its own, see its last lines on stderr"
    return f"ended with exit code {code}{because}: its code called os._exit({code}), or native code called exit({code})"


def _of_kill(ending: Ending) -> str:
    peak = f"it had up to {ending.peak_kb // 1024} MiB resident"
    if ending.oom_kills:
        return (
            f"killed by SIGKILL, and not by this program: most likely the kernel's out-of-memory killer, which struck "
            f"{ending.oom_kills} time{'s' if ending.oom_kills > 1 else ''} while it ran ({peak})"
        )
    likely = "somebody's `kill -9`" if ending.oom_kills == 0 else "the kernel's out-of-memory killer or a `kill -9`"
    return f"killed by SIGKILL, and not by this program: most likely {likely} ({peak})"


def _of_crash(name: str, ending: Ending) -> str:
    words = {
        "SIGSEGV": "a crash in native code (invalid memory access)",
        "SIGBUS": "a crash in native code, or a mapped file that was cut off (SIGBUS)",
        "SIGABRT": "native code gave up (abort), often after a failed check or a corrupted heap",
        "SIGFPE": "a crash in native code (arithmetic)",
        "SIGILL": "a crash in native code (invalid instruction), often a library built for another processor",
    }[name]
    stack = native_stack(ending.stderr)
    if not stack:
        words += "; where could not be written down, as when the stack of a thread has overflown"
    if name == "SIGSEGV" and _too_deep(stack):
        words = (
            "a crash in native code, most likely a stack overflow: its calls were nested deeper than a stack holds "
            "(sys.setrecursionlimit, or recursion through native code)"
        )
    return f"ended by {name}: {words}"


def _too_deep(stack: tuple[str, ...]) -> bool:
    """Whether the thread that crashed had more calls than `faulthandler` shows."""
    return any(line.strip() == "..." for line in crashed(stack))
