"""What depends on what."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.engine import Engine
from actors.core.graph import in_order
from actors.core.settings import EngineSettings
from actors.core.task import Needs, Task, TaskKind
from actors.errors import ConfigError, DependencyFailed
from actors.protocol.states import TaskStatus
from actors.testing.machines.fleet import SimFleet

KIND = TaskKind("work", Needs("general"))


def make(number: int, *after: int) -> Task:
    """A task after others."""
    return Task(number, f"t{number}", KIND, (), after=after)


@given(st.randoms(use_true_random=False), st.integers(1, 30))
def test_a_graph_is_put_in_an_order_or_its_circle_is_named(rng: random.Random, size: int) -> None:
    """D3: compared with a search for circles by hand."""
    edges = {n: [rng.randint(1, size) for _ in range(rng.randint(0, 2))] for n in range(1, size + 1)}
    tasks = [make(n, *after) for n, after in edges.items()]
    rng.shuffle(tasks)
    alive = dict(edges)
    while free := [n for n, after in alive.items() if not any(m in alive for m in after)]:
        for n in free:
            del alive[n]
    if alive:
        with pytest.raises(ConfigError, match="circle") as caught:
            in_order(tasks, {})
        circle = [int(name[1:]) for name in str(caught.value.value).split(" -> ")]
        assert circle[0] == circle[-1]
        assert all(later in edges[earlier] for earlier, later in pairwise(circle))
    else:
        place = {task.number: index for index, task in enumerate(in_order(tasks, {}))}
        assert all(place[m] < place[n] for n, after in edges.items() for m in after)


def engine() -> Engine:
    """One that could start agents."""
    return SimFleet().engine


def test_an_unknown_dependency_is_refused_at_submission() -> None:
    """D3: the error names the number, and nothing is accepted."""
    mind = engine()
    with pytest.raises(ConfigError, match="never accepted") as caught:
        mind.submit(make(1, 99), 0.0)
    assert caught.value.value == 99
    assert mind.task(1) is None
    with pytest.raises(ConfigError, match="itself"):
        mind.submit(make(1, 1), 0.0)


def test_a_graph_is_accepted_as_a_whole_or_not_at_all() -> None:
    """D3: one bad edge refuses all of it."""
    mind = engine()
    with pytest.raises(ConfigError, match="never accepted"):
        mind.submit_graph([make(1), make(2, 1), make(3, 2, 77)], 0.0)
    with pytest.raises(ConfigError, match="circle"):
        mind.submit_graph([make(1, 3), make(2, 1), make(3, 2)], 0.0)
    with pytest.raises(ConfigError, match="twice"):
        mind.submit_graph([make(1), make(1)], 0.0)
    assert not mind.unfinished
    mind.submit_graph([make(3, 2), make(2, 1), make(1)], 0.0)
    assert mind.unfinished == 3


def test_a_number_is_used_once() -> None:
    """D1: a number in use is refused."""
    mind = engine()
    mind.submit(make(1), 0.0)
    with pytest.raises(ConfigError, match="in use"):
        mind.submit(make(1), 0.0)


@pytest.mark.parametrize("how", ["fails", "cancelled"])
def test_a_broken_dependency_fails_all_that_follow_at_once_naming_the_first_cause(how: str) -> None:
    """D3: also those far away, and those submitted afterwards."""
    fleet = SimFleet()
    first = fleet.submit(("run", 1.0), ("raise", "builtins.ValueError"))
    second = fleet.submit(after=(first.number,))
    third = fleet.submit(after=(second.number, first.number))
    if how == "fails":
        fleet.run()
    else:
        fleet.engine.cancel(first.number, "unwanted", fleet.now)
        fleet.settle()
    fourth = fleet.submit(after=(third.number,))
    fleet.settle()
    for task in (second, third, fourth):
        assert task.status is TaskStatus.FAILED
        assert isinstance(task.error, DependencyFailed)
        assert task.error.first == first.id
        assert task.error.task_id == task.id
        assert fleet.resolved[task.number] == 1
        assert not any(ran is task for _, _, ran, _ in fleet.runs)


def test_results_of_dependencies_come_with_the_task() -> None:
    """D3: as they were when the dependency completed, whatever is forgotten since."""
    fleet = SimFleet(settings=EngineSettings(kept_tasks=0))
    first = fleet.submit(("run", 0.1))
    gate = fleet.submit(("run", 5.0))
    last = fleet.submit(after=(first.number, gate.number))
    fleet.run(until=4.0)
    assert fleet.engine.task(first.number) is None
    assert last.results == {first.number: b""}
    fleet.run()
    assert last.status is TaskStatus.COMPLETED
    assert fleet.resolved == {1: 1, 2: 1, 3: 1}


def test_a_result_that_was_taken_cannot_be_depended_on() -> None:
    """D9: freed is freed; the error says so."""
    fleet = SimFleet()
    first = fleet.submit()
    fleet.run()
    assert fleet.engine.take_result(first.number) == b""
    assert fleet.engine.take_result(first.number) is None
    with pytest.raises(ConfigError, match="taken"):
        fleet.submit(after=(first.number,))


def test_a_thousand_that_wait_for_one_are_released_together() -> None:
    """D3: each once."""
    fleet = SimFleet()
    fleet.checked = False
    first = fleet.submit(("run", 0.01))
    for _ in range(1000):
        fleet.submit(after=(first.number,))
    fleet.run()
    fleet.engine.check()
    assert set(fleet.resolved.values()) == {1}
    assert len(fleet.resolved) == 1001
