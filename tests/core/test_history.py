"""The tasks that have ended, as long as they are kept."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actors.core.history import History
from actors.core.task import Needs, Task, TaskKind

KIND = TaskKind("work", Needs())


@given(
    st.lists(st.floats(0, 1e6), min_size=1, max_size=30),
    st.integers(0, 40),
    st.floats(0, 1e6),
)
def test_a_task_is_gone_when_its_time_is_due(gaps: list[float], most: int, seconds: float) -> None:
    """D9: at `next_due` there is always one to forget, whatever floats do."""
    tasks: dict[int, Task] = {}
    history = History(tasks, most, seconds)
    now = 0.0
    for number, gap in enumerate(gaps):
        now += gap
        tasks[number] = Task(number, f"t{number}", KIND)
        history.add(tasks[number], now)
        history.trim()
        assert len(history) == len(tasks) <= most
    while (due := history.next_due()) is not None:
        before = len(history)
        history.expire(due)
        assert len(history) == len(tasks) < before
    assert history.forgotten == len(gaps)
