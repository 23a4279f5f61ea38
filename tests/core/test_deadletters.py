"""The tasks that failed for good: listed with their story, bounded, and run again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.deadletters import DeadLetters
from actors.core.decisions import Resolve
from actors.core.fleet import AgentExit
from actors.core.profile import Profile
from actors.core.story import KEPT_ATTEMPTS
from actors.core.task import Needs, Task, TaskKind
from actors.errors import AgentDied, ConfigError, DependencyFailed
from actors.protocol.messages import Failure, Outcome
from actors.protocol.states import TaskStatus
from tests.core.test_engine import ONE, TWO, Desk

FLAKY = TaskKind("flaky", Needs("general"), retries=30, error_retries=30, retry_on=("ValueError",), duration=0.01)
PLAIN = TaskKind("plain", Needs("general"), duration=0.01)


def fail(desk: Desk, task: Task, text: str = "no", name: str = "builtins.KeyError") -> None:
    """The task's attempt ends with an error, one second later."""
    desk.engine.take()
    desk.now += 1.0
    assert task.agent is not None
    payload = Failure((name,), text, f"Traceback of {text}", None)
    fields = (task.number, task.attempt, int(Outcome.ERROR), tuple(payload), desk.now - 0.5, desk.now)
    desk.engine.finished(task.agent, task.incarnation, fields, desk.now)


def listed(desk: Desk) -> list[str]:
    """The ids of the dead letters."""
    return [dead.id for dead, _ in desk.engine.dead_letters(100)]


def test_a_task_that_failed_for_good_is_listed_with_its_whole_story() -> None:
    """F4: id, type, each try with its agent, times and error, the final error with text and traceback."""
    desk = Desk(ONE)
    desk.engine.utc_offset = 1000.0
    task = desk.submit(FLAKY, payload=b"arguments")
    fail(desk, task, "first", "builtins.ValueError")
    desk.now += 60
    desk.engine.tick(desk.now)
    fail(desk, task, "second\nwith details")
    ((dead, payload),) = desk.engine.dead_letters(10)
    assert payload == b"arguments" and dead.retryable
    assert (dead.id, dead.number, dead.type, dead.error, dead.repeats) == ("t1", 1, "flaky", "KeyError", None)
    assert (dead.text, dead.traceback) == ("second\nwith details", "Traceback of second\nwith details")
    assert (dead.created, dead.ended) == (1000.0, 1062.0)
    first, second = dead.attempts
    assert (first.number, first.agent, first.incarnation, first.error) == (
        1,
        "general-1",
        1,
        "builtins.ValueError: first",
    )
    assert (first.assigned, first.started, first.ended) == (1000.0, 1000.5, 1001.0)
    assert (second.number, second.error, second.ended) == (2, "builtins.KeyError: second ...", 1062.0)
    shown = json.loads(json.dumps(dead.to_dict()))
    assert shown["attempts"][0]["error"] == "builtins.ValueError: first"
    assert "KeyError: second" in str(dead)


def test_each_try_is_told_of_a_task_and_nothing_is_recorded_where_the_first_goes_well() -> None:
    """F4: no deque and no story for the many."""
    desk = Desk(TWO)
    good = desk.submit(PLAIN)
    desk.engine.take()
    desk.finish(good)
    assert good.story is None
    info = desk.engine.info(good.number)
    assert info is not None
    assert [(each.number, each.agent, each.error, each.ended) for each in info.attempts] == [(1, good.agent, "", 1.0)]
    waiting = desk.submit(PLAIN, after=(desk.submit(PLAIN).number,))
    found = desk.engine.info(waiting.number)
    assert found is not None and found.attempts == () and found.to_dict()["attempts"] == []
    # Many tries: the last ones are kept.
    flaky = desk.submit(FLAKY)
    for count in range(1, 26):
        fail(desk, flaky, str(count), "builtins.ValueError")
        desk.now += 60
        desk.engine.tick(desk.now)
    desk.engine.take()
    info = desk.engine.info(flaky.number)
    assert info is not None
    assert [each.number for each in info.attempts] == list(range(26 - KEPT_ATTEMPTS, 27))
    assert info.attempts[-1].ended is None and info.attempts[-1].error == ""


def test_the_deaths_of_its_agents_stand_in_the_story() -> None:
    """F4: which agent in which incarnation."""
    desk = Desk(ONE)
    task = desk.submit(TaskKind("deadly", Needs("general"), retries=1, duration=0.01))
    for incarnation in (1, 2):
        desk.engine.take()
        died = AgentDied(f"general-1 died ({incarnation})", agent_id="general-1")
        end = AgentExit((task.number, task.attempt), died, replaced=True)
        desk.engine.agent_gone("general-1", incarnation, end, desk.now)
        desk.engine.agent_starting("general-1", incarnation + 1, ONE, 1, desk.now)
        desk.engine.agent_ready("general-1", incarnation + 1, desk.now)
    ((dead, _),) = desk.engine.dead_letters(10)
    assert [(each.incarnation, each.error) for each in dead.attempts] == [
        (1, "AgentDied: general-1 died (1)"),
        (2, "AgentDied: general-1 died (2)"),
    ]
    assert (dead.error, dead.traceback) == ("AgentDied", "")


def test_cancelled_tasks_and_those_that_failed_for_another_one_are_not_listed() -> None:
    """F4: the first cause is, and it alone; nothing keeps the arguments of the others."""
    desk = Desk(ONE)
    first = desk.submit(PLAIN, payload=b"a")
    later = desk.submit(PLAIN, payload=b"b", after=(first.number,))
    unwanted = desk.submit(PLAIN, payload=b"c")
    desk.engine.cancel(unwanted.number, "enough", desk.now)
    fail(desk, first)
    assert isinstance(later.error, DependencyFailed)
    assert listed(desk) == [first.id]
    assert (first.payload, later.payload, unwanted.payload) == (b"a", None, None)


def test_a_task_that_nobody_could_take_is_listed() -> None:
    """F4: it failed for good, and can be run again when somebody can."""
    desk = Desk(ONE)
    task = desk.submit(TaskKind("rare", Needs("rare")), payload=b"x")
    desk.engine.take()
    assert listed(desk) == [task.id]
    ((dead, _),) = desk.engine.dead_letters(1)
    assert dead.attempts == () and dead.error == "NoSuitableAgent"
    desk.engine.profile_known(Profile("rare", frozenset({"rare"})), desk.now)
    desk.engine.retry_dead(task.number, task.id, (9, "t9", None), desk.now)
    again = desk.engine.task(9)
    assert again is not None and again.status is TaskStatus.PENDING and listed(desk) == []


def test_what_is_run_again_is_a_new_task_that_names_the_old_one() -> None:
    """F4: the same call, options and results of dependencies; the old one leaves the list, the new one may return to it."""
    desk = Desk(ONE)
    before = desk.submit(PLAIN)
    desk.engine.take()
    now = desk.now
    desk.engine.finished("general-1", 1, (before.number, 1, 0, b"result", now, now), now)
    task = desk.submit(PLAIN, payload=b"call", after=(before.number,), key="k", inputs=frozenset({"in"}))
    fail(desk, task)
    desk.engine.retry_dead(task.number, task.id, (7, "t7", "handle"), desk.now)
    again = desk.engine.task(7)
    assert again is not None
    assert (again.kind, again.key, again.inputs, again.handle) == (task.kind, "k", task.inputs, "handle")
    assert (again.payload, again.results, again.after) == (b"call", {before.number: b"result"}, ())
    assert (task.payload, task.results) == (None, None) and listed(desk) == []
    with pytest.raises(ConfigError, match="t2 is not among the dead letters"):
        desk.engine.retry_dead(task.number, task.id, (8, "t8", None), desk.now)
    desk.number = 7
    fail(desk, again, "still no")
    ((dead, _),) = desk.engine.dead_letters(10)
    assert (dead.id, dead.repeats, [each.number for each in dead.attempts]) == ("t7", task.id, [1])
    info = desk.engine.info(7)
    assert info is not None and info.to_dict()["repeats"] == task.id
    assert sum(isinstance(each, Resolve) for each in desk.engine.take()) == 1
    desk.engine.check()


def test_the_list_is_bounded_in_number_age_and_bytes() -> None:
    """F4: the oldest go first, and what is gone is said to be."""
    desk = Desk(ONE, kept_dead=3, kept_dead_seconds=100.0, kept_dead_bytes=25)
    tasks = []
    for _ in range(4):
        tasks.append(desk.submit(PLAIN, payload=b"ten bytes!"))
        fail(desk, tasks[-1])
    assert listed(desk) == ["t4", "t3", "t2"]
    assert [dead.retryable for dead, _ in desk.engine.dead_letters(9)] == [True, True, False]
    assert [task.payload for task in tasks] == [None, None, b"ten bytes!", b"ten bytes!"]
    with pytest.raises(ConfigError, match=r"arguments of task t2 are not kept.*kept_dead_bytes \(25\)"):
        desk.engine.retry_dead(2, "t2", (9, "t9", None), desk.now)
    with pytest.raises(ConfigError, match="t1 is not among the dead letters"):
        desk.engine.retry_dead(1, "t1", (9, "t9", None), desk.now)
    desk.now = 103.5
    due = desk.engine.next_due()
    assert due is not None and due <= desk.now
    desk.engine.tick(desk.now)
    assert listed(desk) == ["t4"]
    desk.engine.tick(1000.0)
    assert listed(desk) == [] and tasks[-1].payload is None
    assert desk.engine.info(4) is not None


def test_nothing_is_kept_where_nothing_is_to_be() -> None:
    """F4: kept_dead=0 lets the arguments go at once."""
    desk = Desk(ONE, kept_dead=0)
    task = desk.submit(PLAIN, payload=b"x")
    fail(desk, task)
    assert listed(desk) == [] and task.payload is None


@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "add", "add", "remove", "expire"]), st.integers(0, 30), st.floats(0, 20))
    ),
    st.integers(0, 5),
    st.integers(0, 60),
)
def test_the_sums_are_right_whatever_comes_and_goes(steps: list[Any], most: int, most_bytes: int) -> None:
    """F4: never more than was allowed, and a payload exactly as long as it counts."""
    dead = DeadLetters(most, 50.0, most_bytes)
    made: list[Task] = []
    now = 0.0
    for what, size, seconds in steps:
        now += seconds
        if what == "add":
            task = Task(len(made), f"t{len(made)}", PLAIN, b"x" * size)
            task.results = {1: b"y"} if size % 2 else None
            made.append(task)
            dead.add(task, now)
        elif what == "remove" and len(dead):
            dead.remove(next(iter(dead)).number)
        else:
            dead.expire(now)
            due = dead.next_due()
            assert due is None or due > now
        loaded = [task for task in made if task.payload is not None]
        assert dead.size == sum(len(task.payload) + len(task.results or ()) for task in loaded) <= most_bytes
        assert {task.number for task in loaded} == {task.number for task in dead if dead.retryable(task)}
        assert len(dead) <= most
        assert [task.number for task in reversed(dead)] == sorted((task.number for task in dead), reverse=True)
