"""Tasks far back in a line: they cost little, and are the tasks they were when anybody asks for them."""

from __future__ import annotations

import gc
import random
from collections import deque
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.core import lane, queue
from actors.core.decisions import Assign, Resolve
from actors.core.engine import Engine
from actors.core.fleet import AgentExit
from actors.core.profile import Profile
from actors.core.settings import EngineSettings
from actors.core.task import Needs, Task, TaskKind
from actors.errors import ActorsError, AgentDied, ConfigError
from actors.protocol.states import TaskStatus

WORK = TaskKind("work", Needs("general"), retries=1)
KINDS = (
    WORK,
    TaskKind("urgent", Needs("general"), priority=4),
    TaskKind("far", Needs(None, frozenset({"far"}))),
    TaskKind("fragile", Needs("general"), breaker=2),
    TaskKind("quick", Needs("general"), duration=0.0001),
)
GENERAL = Profile("general", frozenset({"general"}), most=3)
FAR = Profile("far", frozenset({"far"}), most=1)


def engine() -> Engine:
    """One with no agent that could take anything."""
    one = Engine(EngineSettings(max_agents=4), random.Random(0))
    for profile in (GENERAL, FAR):
        one.profile_known(profile, 0.0)
    one.pause(0.0)
    return one


def submit(one: Engine, number: int, kind: TaskKind = WORK, **fields: Any) -> Task:
    """One task more, with arguments and somebody who waits for it."""
    fields.setdefault("handle", [number])
    task = Task(number, f"t{number}", kind, b"call %d" % number, **fields)
    one.submit(task, float(number))
    return task


def folded(one: Engine) -> int:
    """How many tasks are folded."""
    return len(one._book.tasks.folded)


@pytest.fixture(scope="module", autouse=True)
def _short_front() -> Iterator[None]:
    """Fewer tasks do then."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lane, "NEAR", 1024)
        patch.setattr(queue, "NEAR", 1024)
        yield


def test_of_a_task_far_back_the_collector_sees_nothing() -> None:
    """D2: what waits costs the program no pause: only what its submitter holds is looked at."""
    one = engine()
    count = 20_000
    gc.collect()
    before = len(gc.get_objects())
    for number in range(1, count + 1):
        submit(one, number, handle=number)
    one.take()
    gc.collect()
    assert len(gc.get_objects()) - before < 2 * lane.NEAR
    assert folded(one) == count - lane.NEAR
    assert one.unfinished == one.queue(10).waiting == count
    assert [info.number for info in one.queue(3).waiting_tasks] == [1, 2, 3]


def test_they_are_given_out_in_their_order_and_are_what_they_were() -> None:
    """D2: with arguments, key, times and handle; the table is empty of records when none is left."""
    one = engine()
    count = lane.NEAR * 3
    given_in = [submit(one, number, key=f"k{number % 7}") for number in range(1, count + 1)]
    one.take()
    one.agent_starting("general-1", 1, GENERAL, 1, 9000.0)
    one.agent_ready("general-1", 1, 9000.0)
    one.resume(9000.0)
    seen: list[int] = []
    now = 9000.0
    while len(seen) < count:
        assigned = [each for each in one.take() if isinstance(each, Assign)]
        assert assigned
        for agent, incarnation, task, attempt, _ in assigned:
            first = given_in[task.number - 1]
            assert (task.id, task.payload, task.key) == (first.id, first.payload, first.key)
            assert (task.created, task.ready, task.order) == (first.created, first.ready, first.order)
            assert task.handle is first.handle
            assert task.kind is first.kind
            seen.append(task.number)
            now += 0.001
            one.finished(agent, incarnation, (task.number, attempt, 0, b"", now, now), now)
    assert seen == list(range(1, count + 1))
    assert folded(one) == 0
    assert not one._book.tasks._handles
    one.check()


def test_one_that_is_asked_for_is_a_task_again_in_its_old_place() -> None:
    """D6, D2: information, a cancellation, a dependency; a number that is in use is refused."""
    one = engine()
    count = lane.NEAR + 100
    tasks = [submit(one, number) for number in range(1, count + 1)]
    last, other = tasks[-1], tasks[-2]
    told = one.info(last.number)
    assert told is not None
    assert (told.status, told.created) == ("pending", last.created)
    assert one.knows(last)
    assert not one.knows(Task(last.number, last.id, WORK, handle=[0]))
    assert one.cancel(other.number, "unwanted", 9000.0)
    (resolved,) = [each.task for each in one.take() if isinstance(each, Resolve)]
    assert resolved.handle is other.handle
    assert resolved.status is TaskStatus.CANCELLED
    dependent = submit(one, count + 1, after=(tasks[-3].number,))
    assert dependent.missing == 1
    assert one._book.line.buckets[WORK.needs].lane(2).before(last.order) == count - 2
    assert [task.number for task in one.tasks()] == list(range(1, count + 2))
    assert folded(one) == 0
    one.take()
    one.check()


def test_what_somebody_else_reads_stays_the_object_it_is() -> None:
    """D2: `map` learns from its tasks how long they took."""
    one = engine()
    for number in range(1, lane.NEAR + 10):
        submit(one, number)
    task = Task(9999, "t9999", WORK, b"")
    task.watched = True
    one.submit(task, 0.0)
    assert one.task(9999) is task
    assert folded(one) > 0


def story(  # noqa: C901, PLR0912 - each branch is one thing that can happen
    seed: int, steps: list[int]
) -> list[Any]:
    """All that an engine decides while this and that happens."""
    rng = random.Random(seed)
    one = engine()
    now, number = 1.0, 0
    told: list[Any] = []
    held: list[tuple[str, int, int, int]] = []
    incarnations = {"general-1": 0, "general-2": 0, "far-1": 0}

    def carry_out() -> None:
        for each in one.take():
            if isinstance(each, Assign):
                held.append((each.agent, each.incarnation, each.task.number, each.attempt))
                told.append((*held[-1], each.task.payload, each.task.handle))
            elif isinstance(each, Resolve):
                told.append((each.task.number, str(each.task.status), each.task.handle, each.task.attempt))
            else:
                told.append(each)

    for step in steps:
        now += rng.choice((0.0, 0.001, 0.2))
        if step <= 5:
            for _ in range(rng.randint(1, 6)):
                number += 1
                after = tuple({rng.randint(1, number) for _ in range(rng.choice((0, 0, 0, 1, 2)))} - {number})
                task = Task(number, f"t{number}", rng.choice(KINDS), b"%d" % number, after=after, handle=[number])
                try:
                    one.submit(task, now)
                except (ActorsError, ConfigError) as error:
                    told.append((number, type(error).__name__))
        elif step == 6 and number:
            told.append(one.cancel(rng.randint(1, number), "unwanted", now))
        elif step == 7:
            name = rng.choice(sorted(incarnations))
            if incarnations[name] % 2:
                gone = AgentExit(running=None, error=AgentDied("dead"), begun=rng.randint(0, 1))
                one.agent_gone(name, incarnations[name], gone, now)
                held[:] = [each for each in held if each[0] != name]
            else:
                profile = GENERAL if name.startswith("general") else FAR
                one.agent_starting(name, incarnations[name] + 1, profile, 1, now)
                one.agent_ready(name, incarnations[name] + 1, now)
            incarnations[name] += 1
        elif step == 8:
            rng.choice((one.pause, one.resume))(now)
        elif step == 9:
            carry_out()
            one.rebuild(deque(), [], now)
        elif step == 10 and number:
            told.append(one.info(rng.randint(1, number)))
        elif step == 11:
            # This unfolds all.
            one.check()
        else:
            for name, incarnation, which, attempt in held[:3]:
                fields = (which, attempt, rng.choice((0, 0, 0, 1)), b"", now, now)
                fields = fields if fields[2] == 0 else (*fields[:3], (["E"], "e", "", None), now, now)
                one.finished(name, incarnation, fields, now)
            del held[:3]
        one.tick(now)
        carry_out()
    one.check()
    told.append([(task.number, str(task.status), task.queued) for task in one.tasks()])
    return told


@settings(deadline=None)
@given(st.integers(0, 10**6), st.lists(st.integers(0, 12), max_size=60))
def test_an_engine_decides_the_same_whether_tasks_are_folded_or_not(seed: int, steps: list[int]) -> None:
    """D2: to fold a task is no decision and changes none."""
    told = []
    for near in (2, 10**9):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lane, "NEAR", near)
            patch.setattr(queue, "NEAR", near)
            told.append(list(map(repr, story(seed, steps))))
    assert told[0] == told[1]
