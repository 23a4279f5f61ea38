"""Circuit breakers: when a task type is let rest, what waits meanwhile, and how it comes back."""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.breaker import Breakers
from actors.core.decisions import Publish, Recall, Spawn
from actors.core.fleet import AgentExit
from actors.core.profile import Profile
from actors.core.retry import Backoff
from actors.core.task import Needs, Task, TaskKind
from actors.errors import AgentDied, CircuitOpen
from actors.protocol.events import CircuitClosed, CircuitOpened
from actors.protocol.messages import Failure, Outcome
from actors.protocol.states import TaskStatus
from tests.core.test_engine import ONE, TWO, Desk

SHAKY = TaskKind("shaky", Needs("general"), breaker=2, duration=10.0)
SOUND = TaskKind("sound", Needs("general"), duration=10.0)
SOON = Backoff(0.1, limit=0.1)
STEADY = Backoff(10.0, limit=40.0, jitter=0.0)


def desk_of(*profiles: Profile) -> Desk:
    """A desk whose breakers wait 10 s, 20 s, 40 s."""
    return Desk(*profiles, breaker_cooldown=STEADY, assigned_at_once=1, very_short_at_once=1)


def fail(desk: Desk, task: Task, text: str = "no", name: str = "builtins.KeyError") -> None:
    """The task's attempt ends with an error now."""
    assert task.agent is not None, task
    payload = Failure((name,), text, "", None)
    fields = (task.number, task.attempt, int(Outcome.ERROR), tuple(payload), desk.now, desk.now)
    desk.engine.finished(task.agent, task.incarnation, fields, desk.now)


def opened(desk: Desk, kind: TaskKind = SHAKY) -> None:
    """Let tasks of a kind fail until its breaker opens."""
    for _ in range(kind.breaker):
        task = desk.submit(kind)
        desk.engine.take()
        fail(desk, task)
    desk.engine.take()
    assert state(desk) == "open"


def state(desk: Desk) -> str:
    """How the only breaker stands."""
    circuits = desk.engine.queue(0).breakers
    return circuits[0].state if circuits else "closed"


def pass_time(desk: Desk, seconds: float) -> list[tuple[str, int]]:
    """Time passes; what is assigned then."""
    desk.now += seconds
    desk.engine.tick(desk.now)
    given = desk.assigned()
    desk.engine.check()
    return given


def test_after_so_many_failures_submissions_are_refused_and_what_waits_stays_waiting() -> None:
    """F4: the error names type, since when, when it is tried again, and the last error; other types go on."""
    desk = desk_of(ONE)
    desk.engine.utc_offset = 1000.0
    first, second, third = (desk.submit(SHAKY) for _ in range(3))
    later = desk.submit(SHAKY, after=(desk.submit(SOUND).number,))
    desk.engine.take()
    fail(desk, first)
    desk.engine.take()
    desk.now = 2.0
    fail(desk, second, "the disk is gone")
    assert [number for _, number in desk.assigned()] == [4]
    with pytest.raises(
        CircuitOpen, match=r"'shaky' failed again and again.*tried again in 10 s.*the disk is gone"
    ) as caught:
        desk.submit(SHAKY)
    error = caught.value
    assert (error.task_type, error.since, error.retry_at) == ("shaky", 1002.0, 1012.0)
    assert error.last_error == "builtins.KeyError: the disk is gone"
    with pytest.raises(CircuitOpen):
        desk.engine.submit_graph([Task(90, "t90", SHAKY)], desk.now)
    assert (third.status, later.status) == (TaskStatus.PENDING, TaskStatus.PENDING)
    found = desk.engine.explain(third.number, desk.now)
    assert (found.reason, found.facts["seconds"], found.facts["task_type"]) == ("breaker", 10.0, "shaky")
    assert "the disk is gone" in found.text
    info = desk.engine.queue()
    assert (info.waiting, info.ready) == (2, 0)
    (circuit,) = info.breakers
    assert (circuit.task_type, circuit.state, circuit.retry_at) == ("shaky", "open", 1012.0)
    assert json.dumps(info.to_dict())
    desk.engine.check()


def test_after_the_cool_down_one_task_is_tried_and_its_success_lets_the_others_go() -> None:
    """F4: half-open lets one through at a time, with as many agents as there are."""
    desk = desk_of(TWO)
    tasks = [desk.submit(SHAKY) for _ in range(6)]
    desk.engine.take()
    fail(desk, tasks[0])
    fail(desk, tasks[1])
    assert desk.assigned() == []
    assert pass_time(desk, 9.9) == []
    given = pass_time(desk, 0.2)
    assert [number for _, number in given] == [3]
    assert state(desk) == "half_open"
    with pytest.raises(CircuitOpen, match="one task of it is being tried"):
        desk.submit(SHAKY)
    found = desk.engine.explain(4, desk.now)
    assert (found.reason, found.facts["probe"]) == ("breaker", "t3")
    desk.finish(tasks[2])
    assert sorted(number for _, number in desk.assigned()) == [4, 5]
    assert state(desk) == "closed"
    desk.submit(SHAKY)
    desk.engine.check()


def test_each_failed_probe_makes_the_wait_longer_up_to_a_limit() -> None:
    """F4: bounded."""
    desk = desk_of(ONE)
    opened(desk)
    waiting = 0.0
    for wait in (10.0, 20.0, 40.0, 40.0):
        assert pass_time(desk, wait - 0.1) == []
        pass_time(desk, 0.2)
        waiting += wait
        probe = desk.submit(SHAKY)
        desk.engine.take()
        fail(desk, probe)
        assert state(desk) == "open"
    assert desk.engine.queue(0).breakers[0].openings == 5


def test_the_cool_down_varies_by_chance() -> None:
    """F4: types that broke together are not tried together."""
    dues = set()
    for seed in range(10):
        breakers = Breakers(60.0, Backoff(10.0, limit=40.0), random.Random(seed))
        breaker = breakers.failed("a", 1, 1, "no", 0.0)
        assert breaker is not None and breaker.due is not None and 5.0 <= breaker.due <= 10.0
        dues.add(breaker.due)
    assert len(dues) == 10


def test_a_success_or_a_quiet_window_starts_the_count_anew() -> None:
    """F4: in a row, inside the window."""
    desk = desk_of(ONE)
    for _ in range(5):
        task = desk.submit(SHAKY)
        desk.engine.take()
        fail(desk, task)
        good = desk.submit(SHAKY)
        desk.engine.take()
        desk.finish(good)
    assert state(desk) == "closed"
    for _ in range(5):
        desk.now += 61.0
        task = desk.submit(SHAKY)
        desk.engine.take()
        fail(desk, task)
    assert state(desk) == "closed"


def test_deaths_count_each_and_what_is_tried_again_after_an_exception_does_not() -> None:
    """F4: a death costs a process, whether the task is tried again or not."""
    desk = desk_of(ONE)
    retried = TaskKind(
        "retried", Needs("general"), retries=9, error_retries=9, retry_on=("KeyError",), backoff=SOON, breaker=2
    )
    task = desk.submit(retried)
    for _ in range(4):
        desk.engine.take()
        fail(desk, task)
        desk.now += 31.0
        desk.engine.tick(desk.now)
    assert state(desk) == "closed"
    for incarnation in (1, 2):
        pass_time(desk, 29.0)
        died = AgentDied("general-1 died", agent_id="general-1")
        desk.engine.agent_gone("general-1", incarnation, AgentExit((1, task.attempt), died, replaced=True), desk.now)
        desk.engine.agent_starting("general-1", incarnation + 1, ONE, 1, desk.now)
        desk.engine.agent_ready("general-1", incarnation + 1, desk.now)
    assert state(desk) == "open"
    assert task.status is TaskStatus.PENDING
    pass_time(desk, 0.2)
    assert desk.engine.explain(1, desk.now).reason == "breaker"


def test_what_says_nothing_about_the_type_does_not_count() -> None:
    """F4: an agent that was asked to end, a cancellation, a type that nobody offers."""
    desk = desk_of(ONE)
    once = TaskKind("once", Needs("general"), breaker=1)
    task = desk.submit(once)
    desk.engine.take()
    died = AgentDied("general-1 died", agent_id="general-1")
    desk.engine.agent_gone("general-1", 1, AgentExit((1, 1), died, replaced=True, ordered=True), desk.now)
    assert task.status is TaskStatus.FAILED and state(desk) == "closed"
    unwanted = desk.submit(once)
    desk.engine.cancel(unwanted.number, "enough", desk.now)
    nowhere = desk.submit(TaskKind("once", Needs("nobody"), breaker=1))
    desk.engine.take()
    assert nowhere.status is TaskStatus.FAILED and state(desk) == "closed"


def test_a_probe_that_is_cancelled_or_comes_back_makes_place_for_the_next() -> None:
    """F4: it has told nothing; the type does not rest for ever."""
    desk = desk_of(ONE)
    tasks = [desk.submit(SHAKY) for _ in range(5)]
    for task in tasks[:2]:
        desk.engine.take()
        fail(desk, task)
    assert [number for _, number in pass_time(desk, 10.0)] == [3]
    desk.engine.refused("general-1", 1, 3, 1, "no", desk.now)
    assert [number for _, number in pass_time(desk, 1.0)] == [3]
    desk.engine.cancel(3, "enough", desk.now)
    fields = (3, tasks[2].attempt, int(Outcome.INTERRUPTED), None, desk.now, desk.now)
    desk.engine.finished("general-1", 1, fields, desk.now)
    assert [number for _, number in pass_time(desk, 0.0)] == [4]
    assert state(desk) == "half_open"
    desk.finish(tasks[3])
    assert [number for _, number in desk.assigned()] == [5]


def test_what_was_sent_ahead_and_has_not_begun_is_taken_back() -> None:
    """F4: of that type alone."""
    desk = Desk(ONE, breaker_cooldown=STEADY)
    quick = TaskKind("quick", Needs("general"), breaker=1, duration=0.0001)
    other = TaskKind("other", Needs("general"), duration=0.0001)
    tasks = [desk.submit(kind) for kind in (quick, quick, quick, other)]
    desk.engine.take()
    assert all(task.status is TaskStatus.ASSIGNED for task in tasks)
    fail(desk, tasks[0])
    (recall,) = [each for each in desk.engine.take() if isinstance(each, Recall)]
    assert [number for number, _ in recall.tasks] == [2, 3]
    desk.engine.recalled("general-1", 1, recall.tasks, desk.now)
    assert desk.assigned() == []
    assert [desk.engine.explain(number, desk.now).reason for number in (2, 3)] == ["breaker", "breaker"]
    desk.engine.check()


def test_no_agent_is_started_for_tasks_that_are_held_back() -> None:
    """F4, C2: nor is one more started for the others while one is tried."""
    desk = desk_of(Profile("general", frozenset({"general"}), most=4))
    tasks = [desk.submit(SHAKY) for _ in range(10)]
    spawned = [each for each in desk.engine.take() if isinstance(each, Spawn)]
    assert spawned
    desk.agent(Profile("general", frozenset({"general"}), most=4), "general-1")
    for _ in spawned[1:]:
        desk.engine.spawn_failed("general", desk.now)
    desk.engine.take()
    for task in tasks[:2]:
        fail(desk, task)
        more = [each for each in desk.engine.take() if isinstance(each, Spawn)]
        for _ in more:
            desk.engine.spawn_failed("general", desk.now)
    desk.engine.take()
    desk.engine.set_max_agents(20, desk.now)
    assert not [each for each in desk.engine.take() if isinstance(each, Spawn)]
    desk.now += 10.0
    desk.engine.tick(desk.now)
    assert not [each for each in desk.engine.take() if isinstance(each, Spawn)]
    assert sum(task.status is TaskStatus.ASSIGNED for task in tasks) == 1


def test_what_is_held_back_fails_with_its_agents_type() -> None:
    """F4, F1: a gate keeps no task from the word that nobody will ever take it."""
    desk = desk_of(ONE)
    tasks = [desk.submit(SHAKY) for _ in range(4)]
    for task in tasks[:2]:
        desk.engine.take()
        fail(desk, task)
    desk.engine.take()
    desk.engine.type_failed("general", RuntimeError("it does not start"), desk.now)
    died = AgentDied("general-1 died", agent_id="general-1")
    desk.engine.agent_gone("general-1", 1, AgentExit(None, died, replaced=False), desk.now)
    desk.engine.take()
    assert all(task.status is TaskStatus.FAILED for task in tasks)
    desk.engine.check()


def test_opening_and_closing_are_told_to_who_listens() -> None:
    """F4: events, once each."""
    desk = desk_of(ONE)
    desk.engine.wanted = frozenset({"CircuitOpened", "CircuitClosed"})
    tasks = [desk.submit(SHAKY) for _ in range(3)]
    desk.engine.take()
    fail(desk, tasks[0])
    desk.engine.take()
    fail(desk, tasks[1], "gone")
    told = [each.event for each in desk.engine.take() if isinstance(each, Publish)]
    assert told == [
        CircuitOpened(source="scheduler", task_type="shaky", error="builtins.KeyError: gone", seconds=10.0, openings=1)
    ]
    desk.now = 10.0
    desk.engine.tick(desk.now)
    desk.engine.take()
    desk.finish(tasks[2], 1.0)
    told = [each.event for each in desk.engine.take() if isinstance(each, Publish)]
    assert told == [CircuitClosed(source="scheduler", time=11.0, task_type="shaky", seconds=11.0)]


def test_a_dead_letter_of_a_type_that_rests_stays_listed() -> None:
    """F4: running it again is a submission like any other."""
    desk = desk_of(ONE)
    opened(desk)
    with pytest.raises(CircuitOpen):
        desk.engine.retry_dead(1, "t1", (50, "t50", None), desk.now)
    assert {dead.number for dead, _ in desk.engine.dead_letters(9)} == {1, 2}
    assert desk.engine.task(50) is None


def test_holding_back_a_hundred_thousand_tasks_costs_as_much_as_holding_back_one() -> None:
    """D2, F4: no waiting task is looked at when the gate shuts, while others go past, or when it opens."""
    looked: list[int] = []

    class Watched(deque[Task]):
        def __iter__(self) -> Iterator[Task]:
            looked.append(len(self))
            return super().__iter__()

        def popleft(self) -> Task:
            looked.append(1)
            return super().popleft()

    desk = desk_of(ONE)
    for _ in range(100_000):
        desk.submit(SHAKY)
    desk.engine.take()
    bucket = desk.engine._book.line.buckets[SHAKY.needs]
    lane = bucket.lane(2)
    lane.fifo = Watched(lane.fifo)
    for number in (1, 2):
        task = desk.engine.task(number)
        assert task is not None
        fail(desk, task)
        desk.engine.take()
    looked.clear()
    for _ in range(20):
        other = desk.submit(SOUND)
        desk.engine.take()
        desk.finish(other)
    desk.engine.take()
    assert looked == []
    desk.now += 30.0
    desk.engine.tick(desk.now)
    desk.engine.take()
    assert sum(looked) <= 2


@given(
    st.lists(st.tuples(st.sampled_from("fsbrt"), st.integers(1, 4), st.floats(0, 30)), max_size=60), st.integers(1, 3)
)
def test_a_breaker_opens_after_so_many_failures_in_a_row_and_closes_with_a_good_probe(
    steps: list[tuple[str, int, float]], most: int
) -> None:
    """F4: against a model of what was said of the type since its last success."""
    breakers = Breakers(60.0, STEADY, random.Random(0))
    state, fresh, probe, due = "closed", [], None, 0.0
    now = 0.0
    for what, number, seconds in steps:
        now += seconds
        known = breakers.known.get("a")
        if state == "open" and known is not None and breakers.rested(known, now):
            assert now >= due
            state, probe = "half_open", None
        if what == "f":
            breaker = breakers.failed("a", number, most, "no", now)
            if state == "closed":
                fresh = [time for time in fresh if time >= now - 60.0] + [now]
            counts = (state == "closed" and len(fresh) >= most) or (state == "half_open" and probe == number)
            assert (breaker is not None) == counts
            if breaker is not None:
                assert breaker.due is not None and now + 10.0 <= breaker.due <= now + 40.0
                state, fresh, probe, due = "open", [], None, breaker.due
        elif what == "s":
            closed = breakers.succeeded("a", number)
            assert (closed is not None) == (state == "half_open" and probe == number)
            if state == "closed" or closed is not None:
                state, fresh, probe = "closed", [], None
                assert "a" not in breakers.known
        elif what == "b":
            begun = breakers.begins("a", number)
            assert (begun is not None) == (state == "half_open" and probe is None)
            probe = number if begun is not None else probe
        elif what == "r":
            back = breakers.returned("a", number)
            assert (back is not None) == (probe == number)
            probe = None if back is not None else probe
        refusal = breakers.refusal("a", "t1", now, 0.0)
        assert (refusal is not None) == (state == "open" or probe is not None)
