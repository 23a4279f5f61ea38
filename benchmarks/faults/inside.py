"""The faults that happen inside a pool whose program lives on."""

from __future__ import annotations

import os
import re
import select
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.faults import tasks
from benchmarks.faults.desk import Visitor
from benchmarks.faults.library import Outcome
from benchmarks.faults.stage import Again, Others, Sample, Stage, named, text_of

__all__ = [
    "cancelled",
    "crashed",
    "exhausted",
    "exited",
    "hung_in_c",
    "hung_in_python",
    "killed",
    "left_child",
    "poisoned",
    "raised_unpicklable",
    "raised_unrebuildable",
    "returned_unpicklable",
    "stopped",
]

_TIMEOUT = 1.0
_MOST_MEMORY = 3 << 30
_GOOD = 20


def _after(moment: float | None, began: float) -> float | None:
    return None if moment is None else moment - began


def _said(outcome: Outcome, *, value: str = "a result") -> str:
    if outcome.late:
        return "the task hangs"
    return value if outcome.error is None else named(outcome.error)


def _sum_up(
    stage: Stage, began: float, outcome: Outcome, told: float | None, again: Again, said: str, others: Others | None
) -> Sample:
    """What became of the task, of the others, and of the pool."""
    left = max(began + stage.limit - time.monotonic(), 2.0)
    parts = [said]
    hangs = outcome.late
    harm = "hangs" if hangs else ""
    back = again.wait(left)
    if others is not None:
        lost, stuck = others.lost(left)
        hangs |= stuck
        if lost:
            parts.append(f"{lost} of {len(others)} other tasks {'hang' if stuck else 'lost'}")
            harm = harm or ("others hang" if stuck else "others lost")
    if back is None:
        parts.append("the pool hangs" if again.reason == "hangs" else "the pool is broken")
        harm = "hangs" if again.reason == "hangs" else harm if harm == "hangs" else "pool broken"
        hangs |= again.reason == "hangs"
    times = {"told": None if outcome.late else _after(told, began), "again": _after(back, began)}
    return Sample(", ".join(parts), times, harm, back is not None, hangs, text_of(outcome.error))


def killed(stage: Stage) -> Sample:
    """SIGKILL from outside, while the task runs."""
    handle, name, visitor = stage.begin(tasks.stay)
    others = Others(stage)
    # If it is tried again, it does not stay.
    began = time.monotonic()
    os.kill(visitor.pid, signal.SIGKILL)
    stage.desk.open(name)
    again = Again(stage, beside=1)
    outcome = stage.library.outcome(handle, stage.limit)
    told = time.monotonic()
    said = "run again, has its result" if stage.desk.visits(name) > 1 and outcome.error is None else _said(outcome)
    return _sum_up(stage, began, outcome, told, again, said, others)


def stopped(stage: Stage) -> Sample:
    """SIGSTOP: the process is there, and does nothing any more."""
    handle, name, visitor = stage.begin(tasks.stay)
    began = time.monotonic()
    os.kill(visitor.pid, signal.SIGSTOP)
    stage.desk.open(name)
    again = Again(stage)
    try:
        outcome = stage.library.outcome(handle, stage.limit)
        told = time.monotonic()
        noticed = stage.desk.visits(name) > 1 and outcome.error is None
        said = "not noticed" if outcome.late else "run again, has its result" if noticed else _said(outcome)
        sample = _sum_up(stage, began, outcome, told, again, said, None)
        sample.harm = "not noticed" if outcome.late else sample.harm
        return sample
    finally:
        _go_on(visitor)


def _go_on(visitor: Visitor) -> None:
    if not visitor.gone.is_set():
        try:
            os.kill(visitor.pid, signal.SIGCONT)
        except ProcessLookupError:
            return


def _dies(stage: Stage, function: Callable[..., Any], signs: dict[str, str]) -> Sample:
    handle, name, _ = stage.begin(function, tasks.MARKER)
    others = Others(stage)
    began = time.monotonic()
    stage.desk.open(name)
    again = Again(stage, beside=1)
    outcome = stage.library.outcome(handle, stage.limit)
    told = time.monotonic()
    said = _said(outcome)
    if outcome.error is not None:
        text = text_of(outcome.error)
        found = [sign for sign, pattern in signs.items() if re.search(pattern, text)]
        said += f" with {_listed(found)}" if found else " without any of these"
    return _sum_up(stage, began, outcome, told, again, said, others)


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def exited(stage: Stage) -> Sample:
    """`os._exit(7)` in the task."""
    signs = {
        "exit code": r"(?i)(exit|code|status)\D{0,12}\b7\b",
        "stack": r"tasks\.py",
        "task": r"leave_process",
        "arguments": tasks.MARKER,
    }
    return _dies(stage, tasks.leave_process, signs)


def crashed(stage: Stage) -> Sample:
    """A crash in native code."""
    signs = {
        "signal": r"SIGSEGV|Segmentation|-11\b|signal 11",
        "stack": r"tasks\.py|string_at",
        "task": r"\bcrash\b(?! in)",
        "arguments": tasks.MARKER,
    }
    return _dies(stage, tasks.crash, signs)


def _hangs(stage: Stage, function: Callable[..., Any]) -> Sample:
    handle, _, visitor = stage.begin(function, timeout=_TIMEOUT)
    return _stops(stage, handle, visitor, visitor.at + _TIMEOUT)


def _stops(stage: Stage, handle: Any, visitor: Visitor, since: float) -> Sample:
    """A task is to be stopped from a moment on: when that is told, and when it is so."""
    again = Again(stage)
    outcome = stage.library.outcome(handle, stage.limit)
    told = time.monotonic()
    visitor.gone.wait(max(since + stage.limit - time.monotonic(), 0))
    said = f"{_said(outcome)}, stopped" if visitor.gone_at is not None else f"{_said(outcome)}, but it runs on"
    sample = _sum_up(stage, since, outcome, told, again, said, None)
    sample.times["stopped"] = _after(visitor.gone_at, since)
    if visitor.gone_at is None:
        sample.hangs, sample.harm = True, "runs on"
    return sample


def hung_in_python(stage: Stage) -> Sample:
    """A loop without end, with a time limit."""
    return _hangs(stage, tasks.loop)


def hung_in_c(stage: Stage) -> Sample:
    """The same in native code that never lets go of the interpreter."""
    return _hangs(stage, tasks.hold_interpreter)


def cancelled(stage: Stage) -> Sample:
    """Cancel what runs."""
    handle, _, visitor = stage.begin(tasks.loop)
    began = time.monotonic()
    stage.library.cancel(handle)
    return _stops(stage, handle, visitor, began)


def exhausted(stage: Stage) -> Sample:
    """Memory without end; the pool has a limit."""
    figure = Path(stage.directory, stage.name("figure"))
    handle, _, visitor = stage.begin(tasks.allocate, str(figure), _MOST_MEMORY)
    again = Again(stage)
    outcome = stage.library.outcome(handle, stage.limit)
    told = time.monotonic()
    said = _said(outcome, value="not stopped")
    sample = _sum_up(stage, visitor.at, outcome, told, again, said, None)
    if outcome.error is None and not outcome.late:
        sample.harm = "not stopped"
    sample.figures["peak MiB"] = int(figure.read_text()) / 2**20
    return sample


def _cannot_travel(stage: Stage, function: Callable[..., Any], cause: str) -> Sample:
    handle, name, _ = stage.begin(function)
    others = Others(stage)
    began = time.monotonic()
    stage.desk.open(name)
    again = Again(stage, beside=1)
    outcome = stage.library.outcome(handle, stage.limit)
    told = time.monotonic()
    said = _said(outcome)
    if outcome.error is not None and not re.search(cause, text_of(outcome.error), re.DOTALL):
        said += " without what was raised"
    sample = _sum_up(stage, began, outcome, told, again, said, others)
    sample.harm = sample.harm or ("cause lost" if said.endswith("was raised") else "")
    return sample


def returned_unpicklable(stage: Stage) -> Sample:
    """A result that cannot be pickled."""
    return _cannot_travel(stage, tasks.return_unpicklable, r"pickle.*lock|lock.*pickle")


def raised_unpicklable(stage: Stage) -> Sample:
    """An exception that cannot be pickled."""
    return _cannot_travel(stage, tasks.raise_unpicklable, r"CannotPickle|with a lock inside")


def raised_unrebuildable(stage: Stage) -> Sample:
    """An exception that is pickled, and cannot be made again."""
    return _cannot_travel(stage, tasks.raise_unrebuildable, r"CannotRebuild|1 and 2")


def left_child(stage: Stage) -> Sample:
    """A process that the task left behind, with all descriptors of its worker; then the pool is ended in order."""
    name = stage.name("leave_child")
    handle = stage.library.submit(tasks.leave_child, stage.desk.address, name)
    outcome = stage.library.outcome(handle, stage.limit)
    if outcome.error is not None or outcome.late:
        return Sample(_said(outcome), {}, "no child", usable=False, hangs=outcome.late, error=text_of(outcome.error))
    child = os.pidfd_open(outcome.value)
    began = time.monotonic()

    def over(ended: float | None) -> Sample:
        gone = _ends_within(child, 2.0)
        said = "shutdown hangs" if ended is None else "shutdown ends"
        left = "the child lives on" if gone is None else "the child is gone"
        harm = "hangs" if ended is None else "child lives on" if gone is None else ""
        times = {"over": _after(ended, began), "gone": _after(gone, began)}
        return Sample(f"{said}, {left}", times, harm, usable=False, hangs=ended is None)

    def hangs() -> None:
        stage.report(over(None))
        os._exit(0)

    # It ends in the thread in which it began, as some libraries ask for; so another one looks at the time.
    watchdog = threading.Timer(stage.limit, hangs)
    watchdog.daemon = True
    watchdog.start()
    stage.library.stop()
    ended = time.monotonic()
    watchdog.cancel()
    return over(ended)


def _ends_within(descriptor: int, seconds: float) -> float | None:

    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return time.monotonic() if poll.poll(seconds * 1000) else None


def poisoned(stage: Stage) -> Sample:
    """A task that kills each worker that it meets, in the middle of good ones."""
    library = stage.library
    began = time.monotonic()
    good = []
    bad: Any = None
    refused = 0
    for number in range(_GOOD):
        if number == _GOOD // 2:
            bad = library.submit(tasks.poison)
        try:
            good.append((number, library.submit(tasks.answer, number)))
        except BaseException:  # noqa: BLE001 - whatever the library says is what is looked at
            refused += 1
    until = began + stage.limit
    ends = [(number, library.outcome(handle, until - time.monotonic())) for number, handle in good]
    well = sum(end.error is None and not end.late and end.value == tasks.answer(number) for number, end in ends)
    at = time.monotonic()
    outcome = library.outcome(bad, until - time.monotonic())
    told = time.monotonic()
    stuck = any(end.late for _, end in ends)
    times_good = None if stuck else at - began
    again = Again(stage)
    said = f"{well} of {_GOOD} good ones done{', the others hang' if stuck else ''}; the poison: {_said(outcome)}"
    sample = _sum_up(stage, began, outcome, told, again, said, None)
    sample.times["good"] = times_good
    if well < _GOOD:
        sample.harm = "good ones lost"
    sample.hangs |= stuck
    return sample
