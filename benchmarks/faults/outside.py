"""The faults that happen to a whole program, seen from another one."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmarks.faults.desk import Desk, Visitor
from benchmarks.faults.stage import Sample
from benchmarks.lines import command, environment, temporary
from benchmarks.marked import Watched, called, kill_all

__all__ = ["PROGRAM", "TASKS", "interrupt", "orphans", "restart"]

PROGRAM = "benchmarks.faults.program"
TASKS = 20
_START = 60.0
_KILL_AFTER = 5


@contextlib.contextmanager
def _program(*words: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A program with a group of its own; nothing of it outlives the context."""
    with temporary() as mark:
        yield from _running(words, mark)


def _running(words: tuple[str, ...], mark: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    # What it writes goes nowhere: a pipe would be held open by what it leaves behind.
    program = subprocess.Popen(
        command(PROGRAM, *words),
        cwd=mark,
        env=environment(mark),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield program, mark
    finally:
        kill_all(mark)
        program.wait()


def _busy(desk: Desk) -> None:
    if desk.wait(["busy-0", "busy-1"], _START) is None:
        raise RuntimeError(f"the program's tasks did not begin within {_START:g} s")


def _left(pids: list[int], workers: dict[int, str]) -> str:
    """Who is left, in words."""
    kinds = Counter(workers.get(pid) or called(pid) for pid in pids)
    return ", ".join(f"{count} × {kind}" for kind, count in sorted(kinds.items()))


def _first(desk: Desk, name: str) -> Visitor:
    """The first visit of a name that is known to have come."""
    return (desk.wait([name], 0) or [])[0]


def _last(desk: Desk, name: str) -> Visitor:
    """The latest of them."""
    return (desk.wait([name], 0, desk.visits(name)) or [])[0]


def _who(desk: Desk) -> dict[int, str]:
    who = {}
    for name in ("busy-0", "busy-1"):
        visitor = _first(desk, name)
        who[visitor.pid] = "worker"
        who[visitor.said[0]] = "child of a task"
    return who


def orphans(library: str, limit: float) -> Sample:
    """SIGKILL to the program."""
    with Desk() as desk, _program("busy", library, desk.address) as (program, mark):
        _busy(desk)
        who = _who(desk)
        watched = Watched(mark)
        began = time.monotonic()
        program.kill()
        gone, left = watched.end(limit)
        watched.close()
        said = f"left: {_left(left, who)}" if left else "nothing is left"
        times = {"gone": None if gone is None else gone - began}
        return Sample(said, times, "left behind" if left else "", hangs=bool(left))


def interrupt(library: str, limit: float) -> Sample:
    """SIGINT to the program's group."""
    with Desk() as desk, _program("busy", library, desk.address) as (program, mark):
        _busy(desk)
        who = _who(desk)
        watched = Watched(mark)
        before = desk.visits("waiting")
        began = time.monotonic()
        os.killpg(program.pid, signal.SIGINT)
        try:
            program.wait(limit)
            over: float | None = time.monotonic() - began
        except subprocess.TimeoutExpired:
            over = None
        gone, left = watched.end(max(began + limit - time.monotonic(), 0.5))
        watched.close()
        ended = "the program ends" if over is not None else "the program hangs"
        said = f"{ended}, nothing is left" if not left else f"{ended}, left: {_left(left, who)}"
        times = {"over": over, "gone": None if gone is None else gone - began}
        figures = {"begun": float(desk.visits("waiting") - before)}
        harm = "hangs" if over is None else "left behind" if left else ""
        return Sample(said, times, harm, hangs=bool(harm), figures=figures)


def restart(library: str, limit: float) -> Sample:
    """SIGKILL in the middle of accepted work, and the same program once more."""
    with tempfile.TemporaryDirectory(prefix="faults-") as directory, Desk() as desk:
        ledger, journal = Path(directory, "ledger"), Path(directory, "journal.db")
        with _program("work", library, desk.address, str(ledger), str(journal)) as (program, mark):
            if desk.wait(["accepted"], _START) is None or desk.wait(["noted"], limit, _KILL_AFTER) is None:
                raise RuntimeError("the program's tasks did not begin")
            program.kill()
            # Workers that outlive it may go on for a while: what they do counts.
            watched = Watched(mark)
            watched.end(2.0)
            watched.close()
        before = len(_lines(ledger))
        with _program("again", library, desk.address, str(ledger), str(journal)) as (program, _):
            if desk.wait(["restarted"], _START) is None:
                raise RuntimeError(f"the program did not start again within {_START:g} s")
            visitor = _first(desk, "restarted")
            try:
                program.wait(limit)
                hangs = False
            except subprocess.TimeoutExpired:
                hangs = True
            last = _last(desk, "noted")
        lines = Counter(_lines(ledger))
        done = len(lines)
        said = f"{done} of {TASKS} done" if done == TASKS else f"{TASKS - done} of {TASKS} are lost"
        took = last.at - visitor.at if done == TASKS else None
        figures = {"done before": float(before), "done": float(done), "twice": float(sum(lines.values()) - done)}
        if done < TASKS:
            # How many were done when the signal came is chance.
            said = "what was not done is lost"
        return Sample(said, {"done": took}, "" if done == TASKS else "work lost", hangs=hangs, figures=figures)


def _lines(ledger: Path) -> list[str]:
    return ledger.read_text(encoding="utf-8").split() if ledger.exists() else []
