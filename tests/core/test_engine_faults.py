"""The scheduler's mind when things go wrong: deaths, errors, limits, refusals, late reports."""

# Yes and no are facts and drawn values here.
# ruff: noqa: FBT001, FBT003

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.core.decisions import Assign, Interrupt, Kill, Look, Recall
from actors.core.fleet import AgentExit
from actors.core.profile import Profile
from actors.core.settings import EngineSettings
from actors.core.task import Needs, TaskKind
from actors.errors import AgentDied, LimitExceeded, TaskExited, TaskTimeout
from actors.protocol.messages import CancellationCause, Failure, Outcome
from actors.protocol.states import TaskStatus
from actors.testing.machines.fleet import SimFleet
from tests.core.test_engine import ONE, TWO, Desk

DIED = AgentDied("agent general-1 died", agent_id="general-1", exit_code=-9)


def kind(**fields: object) -> TaskKind:
    """A kind of general work."""
    return TaskKind("work", Needs("general"), **fields)  # type: ignore[arg-type]


def test_the_running_task_is_tried_again_and_those_behind_it_lose_no_attempt() -> None:
    """D8: by what the status block says was running."""
    desk = Desk(ONE)
    tasks = [desk.submit(kind(retries=1, duration=0.01)) for _ in range(3)]
    desk.engine.take()
    desk.engine.agent_gone("general-1", 1, AgentExit((1, 1), DIED, replaced=True), 1.0)
    desk.engine.agent_starting("general-1", 2, ONE, 1, 1.0)
    desk.engine.agent_ready("general-1", 2, 1.0)
    assert [number for _, number in desk.assigned()] == [1, 2, 3]
    assert [(task.attempt, task.retried) for task in tasks] == [(2, 1), (1, 0), (1, 0)]
    assert all(task.incarnation == 2 for task in tasks)
    desk.engine.check()


def test_a_task_that_kills_each_agent_fails_when_its_retries_are_used_up() -> None:
    """D8: with the death of its agent as error; the rest is done."""
    fleet = SimFleet(TWO)
    poison = fleet.submit(("run", 0.1), ("die",), kind=kind(retries=3))
    others = [fleet.submit(("run", 0.1)) for _ in range(10)]
    fleet.run()
    assert poison.status is TaskStatus.FAILED
    assert isinstance(poison.error, AgentDied)
    assert (poison.error.task_id, poison.error.attempt) == (poison.id, 4)
    assert sum(task is poison for _, _, task, _ in fleet.runs) == 4
    assert all(task.status is TaskStatus.COMPLETED for task in others)


def test_a_task_that_kills_its_agent_before_it_begins_does_not_do_so_for_ever() -> None:
    """D8: the first in line is suspected when nothing was running."""
    desk = Desk(ONE)
    task = desk.submit(kind(retries=0))
    for incarnation in range(1, 10):
        desk.engine.take()
        if task.final:
            break
        desk.engine.agent_gone("general-1", incarnation, AgentExit(None, DIED, replaced=True), 1.0)
        desk.engine.agent_starting("general-1", incarnation + 1, ONE, 1, 1.0)
        desk.engine.agent_ready("general-1", incarnation + 1, 1.0)
    assert task.status is TaskStatus.FAILED
    assert incarnation <= 5


@pytest.mark.parametrize(("running", "begun", "again"), [((1, 1), 1, False), (None, 1, False), (None, 0, True)])
def test_a_task_that_is_not_idempotent_runs_again_only_if_it_had_not_begun(
    running: tuple[int, int] | None, begun: int, again: bool
) -> None:
    """Principle 7: also if it was done and only its result was lost."""
    desk = Desk(ONE)
    task = desk.submit(kind(retries=3, idempotent=False))
    desk.engine.take()
    desk.engine.agent_gone("general-1", 1, AgentExit(running, DIED, replaced=True, begun=begun), 1.0)
    desk.engine.take()
    assert task.status is (TaskStatus.PENDING if again else TaskStatus.FAILED)


def test_a_task_that_was_done_and_not_told_runs_again_under_a_number_of_its_own() -> None:
    """Principle 7: results name the attempt, so one number stands for one run. One that never began gives its back."""
    desk = Desk(ONE)
    done, waiting = desk.submit(kind(retries=3)), desk.submit(kind(retries=3))
    desk.engine.take()
    desk.engine.agent_gone("general-1", 1, AgentExit(None, DIED, replaced=True, begun=1), 1.0)
    desk.engine.agent_starting("general-1", 2, ONE, 1, 1.0)
    desk.engine.agent_ready("general-1", 2, 1.0)
    desk.engine.take()
    assert (done.attempt, waiting.attempt) == (2, 1)
    assert done.retried == 0
    desk.engine.check()


def test_a_result_that_arrives_twice_is_told_once() -> None:
    """Principle 7: what a dead agent had begun is not hidden by it."""
    desk = Desk(ONE)
    desk.submit()
    desk.submit()
    desk.engine.take()
    result = (1, 1, 0, b"", 0.0, 1.0)
    desk.engine.finished("general-1", 1, result, 1.0)
    desk.engine.finished("general-1", 1, result, 1.0)
    assert desk.engine.told("general-1", 1) == 1
    assert desk.engine.told("general-1", 2) == 0


def test_reports_of_an_old_incarnation_or_attempt_are_dropped_and_counted() -> None:
    """Principle 7: a task never has two outcomes."""
    desk = Desk(ONE)
    task = desk.submit(kind(retries=1))
    desk.engine.take()
    desk.engine.agent_gone("general-1", 1, AgentExit((1, 1), DIED, replaced=True), 1.0)
    result = (1, 1, 0, b"late", 0.0, 1.0)
    desk.engine.finished("general-1", 1, result, 1.0)
    desk.engine.agent_starting("general-1", 2, ONE, 1, 1.0)
    desk.engine.agent_ready("general-1", 2, 1.0)
    desk.engine.take()
    desk.engine.finished("general-1", 1, result, 1.0)
    desk.engine.finished("general-1", 2, result, 1.0)
    desk.engine.started("general-1", 1, 1, 1, 0.0, 1.0)
    desk.engine.refused("general-1", 2, 1, 1, "", 1.0)
    assert desk.engine.stale == 5
    assert task.status is TaskStatus.ASSIGNED
    assert task.attempt == 2


def test_errors_are_retried_only_for_the_types_named_with_back_off() -> None:
    """D4: and no more often than it says."""
    fleet = SimFleet(ONE)
    named = fleet.submit(("raise", "builtins.ValueError"), kind=kind(error_retries=2, retry_on=("ValueError",)))
    other = fleet.submit(("raise", "builtins.KeyError"), kind=kind(error_retries=2, retry_on=("ValueError",)))
    fleet.run()
    starts = [at for at, _, task, _ in fleet.runs if task is named]
    assert len(starts) == 3
    assert 0.05 <= starts[1] - starts[0] <= 0.15
    assert 0.1 <= starts[2] - starts[1] <= 0.25
    assert sum(task is other for _, _, task, _ in fleet.runs) == 1
    assert isinstance(named.error, Failure)
    assert named.error.type_names == ("builtins.ValueError",)
    assert named.retried == 2


def test_sys_exit_in_a_task_is_an_error_with_its_code() -> None:
    """D1: the agent lives on."""
    fleet = SimFleet(ONE)
    task = fleet.submit(("exit", 3))
    fleet.run()
    assert isinstance(task.error, TaskExited)
    assert task.error.code == 3
    assert len(fleet.agents) == 1


def test_a_time_limit_counts_from_the_start_of_the_task_itself() -> None:
    """D5: time in the line and behind others does not count; then interruption, no retry."""
    fleet = SimFleet(ONE)
    quick = [fleet.submit(("run", 0.9), kind=kind(timeout=1.0, duration=0.05)) for _ in range(4)]
    slow = fleet.submit(("run", 9.0), kind=kind(timeout=1.0, retries=3))
    fleet.run(until=20.0)
    assert all(task.status is TaskStatus.COMPLETED for task in quick)
    assert isinstance(slow.error, TaskTimeout)
    assert slow.error.timeout == 1.0
    assert slow.started is not None
    assert slow.ended is not None
    assert 1.0 <= slow.ended - slow.started < 1.1
    assert sum(task is slow for _, _, task, _ in fleet.runs) == 1


def test_a_short_limit_holds_also_after_a_task_with_a_long_one() -> None:
    """D5: the look at the agent that the long one asked for would come too late."""
    fleet = SimFleet(ONE)
    long = fleet.submit(("run", 0.1), kind=kind(timeout=300.0))
    fleet.run()
    short = fleet.submit(("run", 100.0), kind=kind(timeout=2.0, retries=0))
    fleet.run()
    assert long.status is TaskStatus.COMPLETED
    assert isinstance(short.error, TaskTimeout)
    assert short.ended is not None and short.started is not None and short.ended - short.started < 10.0


def test_no_look_is_taken_without_time_limits_and_one_for_many_tasks() -> None:
    """D5: nothing is done for a single task."""
    desk = Desk(ONE)
    for limited in (False, True):
        task_kind = kind(timeout=100.0 if limited else None, duration=0.001)
        looks = 0
        for _ in range(100):
            task = desk.submit(task_kind)
            desk.engine.take()
            desk.finish(task)
            desk.engine.tick(desk.now)
            looks += sum(isinstance(decision, Look) for decision in desk.engine.take())
        assert looks <= int(limited)


def test_a_task_that_does_not_stop_has_its_agent_killed() -> None:
    """D5, D6: after the grace; what waited behind it is done elsewhere."""
    fleet = SimFleet(ONE)
    for how in ("limit", "cancel"):
        stubborn = fleet.submit(("stubborn", 1000.0), kind=kind(timeout=1.0 if how == "limit" else None, retries=3))
        behind = fleet.submit(("run", 0.1))
        start = fleet.now
        fleet.run(until=start + 0.5)
        if how == "cancel":
            fleet.engine.cancel(stubborn.number, "enough", fleet.now)
        fleet.run(until=start + 10.0)
        assert stubborn.status is (TaskStatus.FAILED if how == "limit" else TaskStatus.CANCELLED)
        assert isinstance(stubborn.error, TaskTimeout) is (how == "limit")
        assert stubborn.ended is not None
        assert 5.0 <= stubborn.ended - start < 6.5
        assert behind.status is TaskStatus.COMPLETED
        assert behind.attempt == 1


def test_the_grace_is_that_of_the_agent_which_is_interrupted() -> None:
    """D5, D6: each type may have its own; where it has none, that of the scheduler holds."""
    for grace, due in ((0.5, 1.5), (None, 6.0), (20.0, 21.0)):
        desk = Desk(replace(ONE, grace=grace))
        late = desk.submit(kind(timeout=1.0))
        desk.engine.take()
        desk.engine.observed("general-1", 1, (late.number, late.attempt, 0.0), 1.0)
        desk.engine.tick(due - 0.1)
        assert not any(isinstance(each, Kill) for each in desk.engine.take())
        desk.engine.tick(due + 0.1)
        (kill,) = [each for each in desk.engine.take() if isinstance(each, Kill)]
        assert f"within {due - 1.0:g} s" in kill.reason


def test_a_value_that_comes_when_the_agent_is_to_be_killed_for_the_task_comes_too_late() -> None:
    """D5: the kill itself may have woken it."""
    desk = Desk(ONE)
    late = desk.submit(kind(timeout=1.0))
    desk.engine.take()
    desk.engine.observed("general-1", 1, (late.number, late.attempt, 0.0), 1.0)
    desk.engine.tick(6.0)
    assert any(isinstance(each, Kill) for each in desk.engine.take())
    desk.engine.finished("general-1", 1, (late.number, late.attempt, int(Outcome.VALUE), b"late", 0.0, 6.0), 6.0)
    assert isinstance(late.error, TaskTimeout)
    desk.engine.check()


def test_a_task_that_was_begun_when_the_kill_was_on_its_way_to_another_is_not_blamed() -> None:
    """D8: the one that did not stop has ended just before its agent is killed for it."""
    desk = Desk(ONE)
    late, innocent = desk.submit(kind(timeout=1.0, duration=0.01)), desk.submit(kind(retries=0, duration=0.01))
    desk.engine.take()
    desk.engine.observed("general-1", 1, (late.number, late.attempt, 0.0), 1.0)
    desk.engine.tick(6.0)
    assert any(isinstance(each, Kill) for each in desk.engine.take())
    desk.engine.finished("general-1", 1, (late.number, late.attempt, int(Outcome.INTERRUPTED), None, 0.0, 6.0), 6.0)
    running = (innocent.number, innocent.attempt)
    desk.engine.agent_gone("general-1", 1, AgentExit(running, DIED, replaced=True), 6.0)
    assert isinstance(late.error, TaskTimeout)
    assert innocent.status is TaskStatus.PENDING and innocent.retried == 0


def test_a_hard_limit_ends_the_task_that_ran_and_only_that() -> None:
    """E2: the error names limit, figure and task; no retry."""
    fleet = SimFleet(ONE)
    greedy = fleet.submit(("run", 10.0), kind=kind(retries=3))
    behind = fleet.submit(("run", 0.1))
    fleet.run(until=1.0)
    fleet.engine.breached("general-1", 1, "memory", 2048.0, 1024.0, fleet.now)
    fleet.engine.breached("general-1", 1, "memory", 4096.0, 1024.0, fleet.now)
    fleet.run()
    assert isinstance(greedy.error, LimitExceeded)
    assert (greedy.error.limit, greedy.error.figure, greedy.error.task_id) == ("memory", 2048.0, greedy.id)
    assert behind.status is TaskStatus.COMPLETED


def test_a_result_that_arrived_before_the_kill_counts() -> None:
    """D8: what is done is done."""
    desk = Desk(ONE)
    task = desk.submit()
    desk.engine.take()
    desk.engine.breached("general-1", 1, "memory", 2.0, 1.0, 1.0)
    desk.finish(task)
    desk.engine.agent_gone("general-1", 1, AgentExit(None, DIED), 1.0)
    assert task.status is TaskStatus.COMPLETED


@pytest.mark.parametrize(
    "garbage",
    [
        (),
        (1, 1),
        (1, 1, 0, None, "a", "b"),
        ([], 1, 0, None, 0.0, 1.0),
        (1, 1, 99, None, 0.0, 1.0),
        (1, 1, "x", None, 0.0, 1.0),
        (1, 1, 0, None, 5.0, 1.0),
        (1, 1, 0, None, float("nan"), 1.0),
        (1, 1, 1, "no failure", 0.0, 1.0),
        (1, 1, 1, ((3,), "", "", None), 0.0, 1.0),
        None,
    ],
)
def test_a_result_that_cannot_be_read_costs_the_agent_its_life_and_nothing_else(garbage: tuple[object, ...]) -> None:
    """I3: the engine goes on."""
    desk = Desk(TWO)
    task = desk.submit(kind(retries=1))
    ((agent, _),) = desk.assigned()
    desk.engine.finished(agent, 1, garbage, 1.0)
    kills = [decision for decision in desk.engine.take() if isinstance(decision, Kill)]
    assert [kill.agent for kill in kills] == [agent]
    desk.engine.check()
    desk.engine.agent_gone(agent, 1, AgentExit((1, 1), DIED), 1.0)
    desk.engine.take()
    assert task.status in (TaskStatus.ASSIGNED, TaskStatus.FAILED)
    desk.engine.check()


def test_a_refused_task_moves_on_without_losing_an_attempt() -> None:
    """D8: to another agent; one that refuses always is replaced."""
    desk = Desk(TWO)
    task = desk.submit()
    ((first, _),) = desk.assigned()
    desk.engine.refused(first, 1, 1, 1, "terminating", 0.0)
    ((second, _),) = desk.assigned()
    assert second != first
    assert (task.attempt, task.retried) == (1, 0)
    desk = Desk(ONE)
    desk.submit()
    kills = 0
    for _ in range(10):
        for decision in desk.engine.take():
            kills += isinstance(decision, Kill)
            if isinstance(decision, Assign):
                desk.engine.refused("general-1", 1, 1, decision.attempt, "no", desk.now)
        desk.now += 100.0
        desk.engine.tick(desk.now)
    assert kills == 1


def test_a_recall_that_comes_too_late_changes_nothing() -> None:
    """D8: the result after the recall counts, and the answer names nothing."""
    desk = Desk(TWO)
    tasks = [desk.submit(kind(duration=0.05)) for _ in range(6)]
    desk.engine.take()
    mine = [task for task in tasks if task.agent == "general-1"]
    for task in mine:
        desk.finish(task)
    (recall,) = [decision for decision in desk.engine.take() if isinstance(decision, Recall)]
    assert recall.agent == "general-2"
    others = [task for task in tasks if task.agent == "general-2"]
    for task in others:
        desk.finish(task)
    desk.engine.recalled("general-2", 1, [], desk.now)
    desk.engine.recalled("general-2", 1, recall.tasks, desk.now)
    desk.engine.take()
    desk.engine.check()
    assert all(task.status is TaskStatus.COMPLETED for task in tasks)


def test_a_task_cancelled_ahead_that_had_begun_after_all_is_interrupted() -> None:
    """D6: its outcome stays cancelled."""
    desk = Desk(ONE)
    first, second = (desk.submit(kind(duration=0.05)) for _ in range(2))
    desk.engine.take()
    desk.engine.cancel(second.number, "unwanted", 0.0)
    decisions = desk.engine.take()
    assert any(isinstance(decision, Recall) for decision in decisions)
    assert second.status is TaskStatus.CANCELLED
    desk.finish(first)
    desk.engine.recalled("general-1", 1, [], desk.now)
    (interrupt,) = [decision for decision in desk.engine.take() if isinstance(decision, Interrupt)]
    assert (interrupt.number, interrupt.cause) == (second.number, CancellationCause.CANCELLED)
    desk.engine.finished("general-1", 1, (2, 1, int(Outcome.VALUE), b"", 0.0, 1.0), desk.now)
    desk.engine.take()
    desk.engine.check()
    assert second.status is TaskStatus.CANCELLED


def test_what_waits_at_an_agent_is_asked_back_before_what_runs_there_is_interrupted() -> None:
    """D6: when all is cancelled, nothing begins in the place of what was interrupted."""
    desk = Desk(ONE)
    tasks = [desk.submit(kind(duration=0.05)) for _ in range(4)]
    desk.engine.take()
    desk.engine.cancel_all("the end", 0.0)
    decisions = [each for each in desk.engine.take() if isinstance(each, Interrupt | Recall)]
    *recalls, interrupt = decisions
    assert isinstance(interrupt, Interrupt) and interrupt.number == tasks[0].number
    asked = [number for each in recalls if isinstance(each, Recall) for number, _ in each.tasks]
    assert sorted(asked) == [task.number for task in tasks[1:]]
    assert all(task.status is TaskStatus.CANCELLED for task in tasks[1:])


def test_an_agent_that_does_not_answer_for_a_task_cancelled_ahead_is_killed() -> None:
    """D6: it has begun it after all, and stands still in it."""
    desk = Desk(ONE)
    first, second = (desk.submit(kind(duration=0.05)) for _ in range(2))
    desk.engine.take()
    desk.engine.cancel(second.number, "unwanted", 0.0)
    desk.engine.take()
    grace = desk.engine._book.settings.grace
    desk.now = grace
    desk.engine.tick(desk.now)
    # As far as is known the first one runs, and is nobody's concern.
    assert not [decision for decision in desk.engine.take() if isinstance(decision, Kill)]
    desk.finish(first)
    desk.engine.take()
    desk.now = 2 * grace
    desk.engine.tick(desk.now)
    (kill,) = [decision for decision in desk.engine.take() if isinstance(decision, Kill)]
    assert second.id in kill.reason


def test_an_agent_that_has_answered_for_a_task_cancelled_ahead_is_left_alone() -> None:
    """D6: it gave the task back."""
    desk = Desk(ONE)
    first, second = (desk.submit(kind(duration=0.05)) for _ in range(2))
    desk.engine.take()
    desk.engine.cancel(second.number, "unwanted", 0.0)
    desk.finish(first)
    desk.engine.recalled("general-1", 1, [(second.number, 1)], desk.now)
    desk.engine.take()
    desk.now = 2 * desk.engine._book.settings.grace
    desk.engine.tick(desk.now)
    assert not [decision for decision in desk.engine.take() if isinstance(decision, Kill)]
    desk.engine.check()


def test_a_drained_agent_gives_back_what_it_has_not_begun() -> None:
    """A6: its running task goes on."""
    desk = Desk(TWO)
    tasks = [desk.submit(kind(duration=0.05)) for _ in range(4)]
    desk.engine.take()
    desk.engine.agent_drain("general-1", 0.0)
    (recall,) = [decision for decision in desk.engine.take() if isinstance(decision, Recall)]
    mine = [task for task in tasks if task.agent == "general-1"]
    assert {number for number, _ in recall.tasks} == {task.number for task in mine}
    desk.engine.recalled("general-1", 1, [(mine[1].number, 1)], 0.0)
    desk.engine.take()
    assert mine[0].agent == "general-1"
    assert mine[1].agent == "general-2"
    desk.engine.check()


def test_a_replacement_that_never_comes_gives_its_place_back() -> None:
    """F2: the supervisor gave up after all."""
    desk = Desk(ONE, max_agents=1)
    task = desk.submit()
    desk.engine.take()
    desk.engine.agent_gone("general-1", 1, AgentExit(None, DIED, replaced=True), 0.0)
    desk.engine.take()
    assert desk.engine.room_for("general")
    desk.engine.type_failed("general", RuntimeError("no"), 0.0)
    desk.engine.take()
    assert not task.final
    desk.engine.agent_gone("general-1", 1, AgentExit(None, DIED), 0.0)
    desk.engine.take()
    assert task.status is TaskStatus.FAILED
    desk.engine.check()


SCRIPTS = st.sampled_from(
    [
        (("run", 0.5),),
        (("run", 0.0001),),
        (("raise", "builtins.ValueError"),),
        (("run", 0.05), ("die",)),
        (("run", 0.1), ("call", (("run", 0.2),), (("run", 0.0001), ("call", (("run", 0.1),))))),
        (("stubborn", 20.0),),
        (("exit", 1),),
    ]
)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    scripts=st.lists(SCRIPTS, min_size=1, max_size=40),
    agents=st.integers(1, 4),
    ordered=st.sampled_from([1.0, 0.8]),
)
def test_whatever_happens_every_task_has_one_outcome(
    seed: int, scripts: list[tuple[tuple[object, ...], ...]], agents: int, ordered: float
) -> None:
    """D8: random work, deaths, cancels and delays; all invariants after every step; all tables empty at the end."""
    profiles = (Profile("general", frozenset({"x"})), Profile("other", frozenset({"x", "y"}), slots=2, io="high"))
    fleet = SimFleet(*profiles, seed=seed, settings=EngineSettings(max_agents=agents), replace=0.7, ordered=ordered)
    rng = fleet.rng
    tasks = []
    for script in scripts:
        needs = rng.choice([Needs("general"), Needs(None, frozenset({"x"})), Needs("other")])
        own = TaskKind(
            f"k{rng.randrange(3)}",
            needs,
            priority=rng.randrange(1, 5),
            retries=rng.randrange(3),
            error_retries=rng.randrange(2),
            retry_on=("ValueError",),
            timeout=rng.choice([None, 0.3, 1.0]),
            idempotent=rng.random() < 0.8,
        )
        after = tuple(task.number for task in rng.sample(tasks, min(len(tasks), rng.randrange(3))))
        tasks.append(fleet.submit(*script, kind=own, after=after))
        if rng.random() < 0.4:
            fleet.run(until=fleet.now + rng.random() * 0.3)
        if rng.random() < 0.2:
            fleet.engine.cancel(rng.choice(tasks).number, "unwanted", fleet.now)
        if rng.random() < 0.1:
            for name in [agent.name for agent in fleet.agents.values() if agent.alive][:1]:
                fleet.die(name)
        if rng.random() < 0.1:
            fleet.engine.admission(True, frozenset(rng.choice([(), ("io",)])), fleet.now)
    fleet.engine.admission(True, frozenset(), fleet.now)
    fleet.run()
    assert fleet.resolved == dict.fromkeys(range(1, fleet.number + 1), 1)
    runs = [task.number for _, _, task, _ in fleet.runs]
    for task in fleet.engine.tasks():
        assert runs.count(task.number) <= 1 + max(task.retries, task.error_retries) + 4
    book = fleet.engine._book  # nothing may be left
    assert not book.line.live
    assert not any(agent.held for agent in book.fleet.agents.values())
