"""The faults in the order of the table: what happens, what is measured, for how long at most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.faults import inside, outside
from benchmarks.faults.library import Need
from benchmarks.faults.stage import Sample, Stage

__all__ = ["FAULTS", "Fault"]

_AGAIN = "full strength"
_KILLED_TIMES = {"told": "the task has its end", "again": _AGAIN}
_HUNG_TIMES = {"told": "told", "stopped": "stopped", "again": _AGAIN}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Args:
        key: its name for the command line.
        title: the heading.
        text: what is done, and from when on time counts.
        times: headings of the times, in their order.
        inside: makes it happen in a running pool; or
        outside: makes it happen to a whole program.
        need: what of the library is to be set.
        limit: after so many seconds it hangs.
        once: the pool does not outlive a round.
    """

    key: str
    title: str
    text: str
    times: dict[str, str]
    inside: Callable[[Stage], Sample] | None = None
    outside: Callable[[str, float], Sample] | None = None
    need: Need = field(default_factory=Need)
    limit: float = 20.0
    once: bool = False
    figures: dict[str, str] = field(default_factory=dict)


FAULTS: tuple[Fault, ...] = (
    Fault(
        "killed",
        "A worker is killed",
        "SIGKILL to the process that runs a task, while the other worker is busy and four tasks wait. Retries as the "
        "library has them by itself. From the signal.",
        _KILLED_TIMES,
        inside.killed,
    ),
    Fault(
        "exit",
        "`os._exit(7)` in a task",
        "Without retries, so that it happens once. Looked for in the error: exit code, stack, the task's name, its "
        "arguments. The other worker is busy, four tasks wait. From the moment at which it happens.",
        _KILLED_TIMES,
        inside.exited,
        need=Need(retries=False),
    ),
    Fault(
        "crash",
        "A crash in native code",
        "`ctypes.string_at(0)`, otherwise as before.",
        _KILLED_TIMES,
        inside.crashed,
        need=Need(retries=False),
    ),
    Fault(
        "hung-python",
        "A loop in Python, time limit 1 s",
        "From the second that the task was allowed: until the program has the error, until the task has really ended.",
        _HUNG_TIMES,
        inside.hung_in_python,
    ),
    Fault(
        "hung-c",
        "A loop in C that holds the interpreter, time limit 1 s",
        "`all(itertools.repeat(1))`: no signal handler of Python's can run. Otherwise as before.",
        _HUNG_TIMES,
        inside.hung_in_c,
    ),
    Fault(
        "cancel",
        "Cancel a running task",
        "The loop in Python. From the call of `cancel`.",
        _HUNG_TIMES,
        inside.cancelled,
        limit=10.0,
    ),
    Fault(
        "memory",
        "Memory without end, limit 256 MiB",
        "4 MiB at a time, as fast as it goes. No retries. From the begin of the task; beside it, how much it had got.",
        _KILLED_TIMES,
        inside.exhausted,
        need=Need(retries=False, memory=256 << 20),
        figures={"peak MiB": "it got, MiB"},
    ),
    Fault(
        "stopped",
        "A worker is stopped (SIGSTOP)",
        "The process is there and does nothing. Set to notice silence of 3 s, where there is such a setting. From the "
        "signal.",
        _KILLED_TIMES,
        inside.stopped,
        need=Need(silence=3.0),
        limit=15.0,
    ),
    Fault(
        "result",
        "A result that cannot be pickled",
        "A lock; the other worker is busy, four tasks wait. From the end of the task.",
        _KILLED_TIMES,
        inside.returned_unpicklable,
    ),
    Fault(
        "exception",
        "An exception that cannot be pickled",
        "It holds a lock. Otherwise as before.",
        _KILLED_TIMES,
        inside.raised_unpicklable,
    ),
    Fault(
        "rebuild",
        "An exception that cannot be rebuilt",
        "Its constructor takes other arguments than it hands on: an everyday mistake. Otherwise as before.",
        _KILLED_TIMES,
        inside.raised_unrebuildable,
    ),
    Fault(
        "child",
        "A task leaves a child process behind",
        "It is a fork, so it has all the descriptors of its worker. The task is done; then the pool is ended in order. "
        "From that call. A child that is there 2 s later lives on.",
        {"over": "shutdown is over", "gone": "the child is gone"},
        inside.left_child,
        limit=10.0,
        once=True,
    ),
    Fault(
        "orphans",
        "The program is killed",
        "SIGKILL to the program; both workers run a task without end with a child process, twenty tasks of half a "
        "second wait. From the signal until no process of it is left.",
        {"gone": "all are gone"},
        outside=outside.orphans,
        limit=10.0,
    ),
    Fault(
        "interrupt",
        "Ctrl-C",
        "SIGINT, once, to the process group of the same program, as a terminal sends it. From the signal.",
        {"over": "the program has ended", "gone": "all are gone"},
        outside=outside.interrupt,
        limit=15.0,
        figures={"begun": "waiting tasks begun after it"},
    ),
    Fault(
        "restart",
        "The program is killed and started again",
        "Twenty tasks are handed in, each writes a line into a file. SIGKILL after the fifth line; then the program is "
        "started once more and goes on with what the library has kept. The file tells what was done.",
        {"done": "restart until all done"},
        outside=outside.restart,
        limit=20.0,
        figures={"done before": "done at the kill", "done": "done in the end", "twice": "done twice"},
    ),
    Fault(
        "poison",
        "A poisonous task among good ones",
        "Ten good tasks, one that kills its process at each try, ten good ones. Retries as the library has them by "
        "itself. From the first submission.",
        {"good": "the good have their end", "told": "the poison has", "again": _AGAIN},
        inside.poisoned,
        limit=60.0,
    ),
)
