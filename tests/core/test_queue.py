"""The waiting line: in order, indexed, never searched."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from actors.core.lane import View
from actors.core.queue import WaitingLine
from actors.core.task import Needs, Task, TaskKind

ABILITIES = [frozenset("x"), frozenset("y"), frozenset("xy"), frozenset("xyz")]


class Able(View):
    """A view that counts how many lanes it is asked about."""

    def __init__(self, abilities: frozenset[str]) -> None:
        super().__init__()
        self.abilities = abilities

    def serves(self, needs: Needs) -> bool:
        return needs.requires <= self.abilities


def make(number: int, requires: str = "x", priority: int = 2, **fields: object) -> Task:
    """A task that was accepted as the given one."""
    kind = TaskKind("work", Needs(None, frozenset(requires)), priority=priority)
    task = Task(number, f"t{number}", kind, **fields)  # type: ignore[arg-type]
    task.order = number
    return task


def drain(line: WaitingLine[Able], view: Able, ageing: int = 0) -> list[int]:
    """All that a view can take, in its order."""
    taken = []
    while (lane := view.pick(ageing)) is not None:
        view.picks += 1
        taken.append(line.take(lane).number)
    return taken


@given(st.randoms(use_true_random=False), st.lists(st.integers(0, 5), max_size=120))
def test_each_view_takes_higher_priority_first_then_earlier(  # noqa: C901 - each branch is one thing that can happen
    rng: random.Random, steps: list[int]
) -> None:
    """D2: whatever comes, comes back or is taken out in between; compared with a plain sorted list."""
    line: WaitingLine[Able] = WaitingLine()
    views = [Able(abilities) for abilities in ABILITIES[:2]]
    for view in views:
        line.add_view(view)
    waiting: dict[int, Task] = {}
    gone: list[Task] = []
    late = [Able(abilities) for abilities in ABILITIES[2:]]
    for number, step in enumerate(steps, 1):
        if step <= 2:
            task = make(
                number, rng.choice(["x", "y", "xy", ""]), rng.randint(1, 4), inputs=frozenset(rng.choice(["", "i"]))
            )
            line.put(task)
            waiting[number] = task
        elif step == 3 and waiting:
            task = waiting.pop(rng.choice(sorted(waiting)))
            line.remove(task)
            gone.append(task)
        elif step == 4 and gone:
            task = gone.pop(rng.randrange(len(gone)))
            line.put(task)
            waiting[task.number] = task
        elif step == 5:
            view = rng.choice(views)
            fitting = [t for t in waiting.values() if view.serves(t.needs)]
            best = min(fitting, key=lambda t: (-t.priority, t.order), default=None)
            lane = view.best()
            assert (lane is None) == (best is None)
            if lane is not None and best is not None:
                assert line.take(lane) is best
                del waiting[best.number]
                gone.append(best)
        if late and rng.random() < 0.1:
            views.append(late.pop())
            line.add_view(views[-1])
        assert line.live == len(waiting)
    for view in views[::-1]:
        fitting = [t for t in waiting.values() if view.serves(t.needs)]
        assert drain(line, view) == [t.number for t in sorted(fitting, key=lambda t: (-t.priority, t.order))]
        for task in fitting:
            del waiting[task.number]


def test_every_sixteenth_dispatch_takes_the_oldest() -> None:
    """D2: a low task is not starved by a stream of high ones."""
    line: WaitingLine[Able] = WaitingLine()
    view = Able(frozenset("x"))
    line.add_view(view)
    line.put(make(1, priority=1))
    for number in range(2, 100):
        line.put(make(number, priority=3))
    assert drain(line, view, ageing=16).index(1) == 15


def test_ageing_never_overtakes_critical() -> None:
    """D2: the oldest waits as long as there is critical work."""
    line: WaitingLine[Able] = WaitingLine()
    view = Able(frozenset("x"))
    line.add_view(view)
    line.put(make(1, priority=1))
    for number in range(2, 100):
        line.put(make(number, priority=4))
    assert drain(line, view, ageing=16)[-1] == 1


def test_cancelled_tasks_leave_no_more_than_a_bounded_trace() -> None:
    """D2: taking out is lazy but bounded in memory."""
    line: WaitingLine[Able] = WaitingLine()
    view = Able(frozenset("x"))
    line.add_view(view)
    kept = make(1)
    line.put(kept)
    for number in range(2, 20_000):
        task = make(number, inputs=frozenset({"same"}))
        line.put(task)
        line.remove(task)
    lane = view.best()
    assert lane is not None
    assert len(lane.fifo) + len(lane.late) < 200
    assert not lane.groups
    assert drain(line, view) == [1]


def test_work_that_goes_back_and_forth_leaves_no_trace_in_the_heaps() -> None:
    """D2: promises of lanes that were repaired or emptied do not pile up."""
    line: WaitingLine[Able] = WaitingLine()
    view, other = Able(frozenset("x")), Able(frozenset("xy"))
    line.add_view(view)
    line.add_view(other)
    line.put(make(10**6, "y"))
    for number in range(10**5, 10**5 - 5000, -1):
        task = make(number)
        line.put(task)
        if number % 2:
            line.remove(task)
    assert len(view.heaps[2]) < 200
    assert len(other.heaps[2]) < 200


def test_needs_that_nobody_asks_for_any_more_are_forgotten() -> None:
    """D2: a million different needs, one after the other, keep only a bounded number of empty places."""
    line: WaitingLine[Able] = WaitingLine()
    view = Able(frozenset("x"))
    line.add_view(view)
    for number in range(1, 10_000):
        kind = TaskKind("work", Needs(f"type{number}"))
        task = Task(number, "t", kind)
        task.order = number
        bucket = line.put(task)
        line.remove(task)
        assert not bucket.live
    assert len(line.buckets) < 3000


def test_a_lot_that_nobody_can_take_costs_those_nothing_that_can() -> None:
    """D2: the structures that a dispatch looks at do not know of the unservable, alike or all different."""
    line: WaitingLine[Able] = WaitingLine()
    view = Able(frozenset("x"))
    line.add_view(view)
    for number in range(1, 20_001):
        line.put(make(number, "z" if number % 2 else f"{number}", priority=4))
    assert not any(view.heaps)
    line.put(make(30_000))
    assert sum(map(len, view.heaps)) == 1
    assert drain(line, view) == [30_000]
    assert not any(view.heaps)
    assert line.live == 20_000
