"""How long tasks of one kind take, as far as that is remembered."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from actors.core.history import History
from actors.core.pace import FEWEST, pace
from actors.core.task import Needs, Task, TaskKind
from actors.protocol.states import TaskStatus

KIND = TaskKind("worker.job", Needs("worker"), duration=7.0)
OTHER = TaskKind("worker.other", Needs("worker"))


def book_of(ended: list[tuple[TaskKind, float, TaskStatus]]) -> Any:
    """What an engine has of ended tasks, and of one (number 0) that runs since the time 100."""
    tasks: dict[int, Task] = {}
    history = History(tasks, 10_000, 1e9)
    for number, (kind, seconds, status) in enumerate(ended, 1):
        task = tasks[number] = Task(number, f"t-{number}", kind)
        task.status, task.started, task.ended = status, 1.0, 1.0 + seconds
        history.add(task, float(number))
    running = tasks[0] = Task(0, "t-0", KIND)
    running.status, running.started = TaskStatus.IN_PROGRESS, 100.0
    return SimpleNamespace(tasks=tasks, history=history)


@given(st.lists(st.floats(0.001, 1000), max_size=400))
def test_what_95_of_100_stay_below_is_taken_from_the_last_200_that_completed(seconds: list[float]) -> None:
    """G2: for a second copy; of fewer than ten nothing is said."""
    ended = [(KIND, each, TaskStatus.COMPLETED) for each in seconds]
    ran, late, expected = pace(book_of(ended), 0, 103.0)
    assert (ran, expected) == (3.0, 7.0)
    if len(seconds) < FEWEST:
        assert late is None
        return
    last = sorted(seconds[-200:])
    assert late is not None
    below = [each for each in last if each <= late + 1e-9]
    assert len(below) >= 0.95 * len(last)
    assert sum(each < late - 1e-9 for each in last) < 0.95 * len(last)


def test_others_and_what_failed_say_nothing_about_it() -> None:
    """G2: only completed runs of the same kind count."""
    ended = [(KIND, 500.0, TaskStatus.FAILED), (OTHER, 500.0, TaskStatus.COMPLETED)] * 50
    ended += [(KIND, 0.5, TaskStatus.COMPLETED)] * FEWEST
    assert pace(book_of(ended), 0, 100.0) == (0.0, 0.5, 7.0)
    assert pace(book_of(ended), 12345, 100.0) == (None, None, None)
