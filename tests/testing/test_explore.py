"""All interleavings of small set-ups: that the reduction leaves nothing out, that bugs are found, and the set-ups themselves."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

import pytest

from actors.errors import ConfigError
from actors.testing.errors import InvariantBroken
from actors.testing.exploring.explore import (
    STILL,
    Bound,
    InterleavingBroken,
    Report,
    Scenario,
    anytime,
    explore,
    replay,
)
from actors.testing.faults import FaultPlan
from actors.testing.history import Fault
from actors.testing.simulation import Simulation
from actors.worker import Worker
from tests.sabotage.mutations import named
from tests.sabotage.runner import hunt
from tests.testing import small_setups as small

_ALL = Bound(deviations=None, runs=None)
_TWICE = FaultPlan(latency=STILL.latency, boot=STILL.boot, task=STILL.task, doubles=0.5, most=1)


def _compare(scenario: Scenario, workers: dict[type[Worker], int], **options: Any) -> tuple[Report, Report]:
    reduced = explore(scenario, workers, bound=_ALL, **options)
    everything = explore(scenario, workers, bound=_ALL, reduce=False, **options)
    assert reduced.complete
    assert everything.complete
    return reduced, everything


# --- the reduction ---


@pytest.mark.parametrize(
    ("scenario", "agents", "faults"),
    [(small.two_tasks, 2, STILL), (small.cancelled, 1, STILL), (small.two_tasks, 1, _TWICE)],
    ids=["two agents", "a cancel", "what arrives twice"],
)
def test_one_run_of_each_class_shows_all_that_all_runs_show(scenario: Scenario, agents: int, faults: FaultPlan) -> None:
    """J2: with the reduction and without the same classes of runs are reached, and the same can be told of them."""
    reduced, everything = _compare(scenario, {small.Clerk: agents}, faults=faults)
    assert reduced.classes == everything.classes
    assert set(reduced.outcomes) == set(everything.outcomes)
    assert reduced.explored == len(reduced.classes) < everything.explored


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_reduction_leaves_out_no_moment_of_a_death() -> None:
    """J2: each run with two steps out of turn, one a death, is equivalent to one that the reduction makes.

    A step out of turn may be several races turned around, so the reduction is given more deviations.
    """
    workers, two, more = {small.Clerk: 1}, Bound(deviations=2, runs=None), Bound(deviations=4, runs=None)
    reduced = explore(small.until_it_is_known, workers, deaths=1, bound=more)
    everything = explore(small.until_it_is_known, workers, deaths=1, bound=two, reduce=False)
    assert everything.classes <= reduced.classes
    assert set(everything.outcomes) <= set(reduced.outcomes)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_cancel_beside_another_task_loses_nothing_by_the_reduction() -> None:
    """J2: as above, with a second task."""

    def scenario(sim: Simulation) -> Hashable:
        small.cancelled_at_any_moment(sim)
        return small.told(sim)

    reduced, everything = _compare(scenario, {small.Clerk: 1})
    assert reduced.classes == everything.classes
    assert set(reduced.outcomes) == set(everything.outcomes)


# --- what is told ---


def test_the_number_explored_is_returned_and_told() -> None:
    """J2: and how many were cut, and whether a bound was reached."""
    lines: list[str] = []
    report = explore(small.three_tasks, {small.Clerk: 2}, bound=Bound(deviations=1), tell=lines.append)
    assert lines == [str(report)]
    assert re.match(r"explored \d+ interleavings of up to \d+ steps \(\d+ equivalent ones cut\)", lines[0])
    assert report.explored == sum(report.by_deviations) == sum(report.outcomes.values())
    assert report.by_deviations[0] == 1
    assert not report.complete
    assert "bound reached: 1 deviation" in lines[0]


def test_the_same_exploration_is_the_same_again() -> None:
    """J2: it depends on nothing but the set-up."""
    first, second = (
        explore(small.three_tasks, {small.Clerk: 2}, bound=Bound(deviations=2), tell=None) for _ in range(2)
    )
    assert first.classes == second.classes
    assert first.by_deviations == second.by_deviations


@pytest.mark.parametrize(
    ("bound", "said"),
    [(Bound(runs=3), "3 runs"), (Bound(seconds=0), "0 s"), (Bound(steps=2, deviations=None), "2 steps")],
    ids=["runs", "seconds", "steps"],
)
def test_each_bound_ends_the_exploration_and_is_named(bound: Bound, said: str) -> None:
    """J2: a bound that was reached is never told as completeness."""
    report = explore(small.three_tasks, {small.Clerk: 2}, bound=bound, tell=None)
    assert report.stopped == said
    assert not report.complete


def test_a_bound_below_zero_is_refused() -> None:
    """J2: with the name of what is wrong."""
    with pytest.raises(ConfigError, match="deviations is 0 or more"):
        Bound(deviations=-1)


# --- bugs ---


def test_a_race_in_a_users_worker_is_found_with_one_deviation_and_can_be_seen_again() -> None:
    """J2: the fewest deviations first; the script makes the same run again, with its history."""
    workers = {small.Guest: 2, small.Doorkeeper: 1}
    with pytest.raises(InterleavingBroken) as caught:
        explore(small.first_come_first_served, workers, tell=None)
    broken = caught.value
    assert broken.deviations == 1
    assert isinstance(broken.__cause__, AssertionError)
    assert broken.history.entries
    assert broken.script in str(broken)
    with pytest.raises(AssertionError):
        replay(small.first_come_first_served, workers, script=broken.script)
    assert replay(small.first_come_first_served, workers, script="").entries


def test_a_bug_that_needs_a_death_is_found_at_the_moment_that_it_needs() -> None:
    """J2, D8: a task runs again after its agent died, and what it had done already is done twice."""
    with pytest.raises(InterleavingBroken, match="there are 10") as caught:
        explore(small.money_is_brought_once, {small.Teller: 1, small.Bank: 1}, deaths=1, tell=None)
    assert caught.value.deviations == 1
    deaths = [entry for entry in caught.value.history.entries if type(entry) is Fault]
    assert [entry.actor for entry in deaths] in (["teller-1#1"], ["bank-1#1"])


def test_a_promise_that_a_check_of_ones_own_finds_broken_is_named() -> None:
    """J2: what is raised by a check or an invariant is the cause of what the exploration raises."""

    def nobody_is_retried(sim: Simulation) -> None:
        if any(task.retried for task in sim.engine.tasks()):
            sim.break_promise("NobodyIsRetried", "X1", "somebody was")

    with pytest.raises(InterleavingBroken, match="X1 NobodyIsRetried") as caught:
        explore(small.three_tasks, {small.Clerk: 2}, deaths=1, checks=[nobody_is_retried], tell=None)
    assert isinstance(caught.value.__cause__, InvariantBroken)


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "name",
    [
        "a requeue is forgotten",
        "the waiting die with the agent",
        "what may run once runs twice",
        "one dependency is enough",
    ],
)
def test_a_known_bad_change_of_a_shipped_file_is_found(name: str) -> None:
    """J2: by a few set-ups with one deviation, without any chance."""
    found = hunt(named(name), 1, histories=1, entry="tests.testing.small_setups:explore_all")
    assert found.found, found
    assert "InterleavingBroken" in found.story


# --- small set-ups ---


def _shown(report: Report, capsys: pytest.CaptureFixture[str]) -> Report:
    assert str(report) in capsys.readouterr().out
    return report


def test_two_agents_three_tasks_and_a_death(capsys: pytest.CaptureFixture[str]) -> None:
    """D8: all tasks have their results, whenever one of the agents dies."""
    report = _shown(explore(small.three_tasks, {small.Clerk: 2}, deaths=1, bound=Bound(deviations=1)), capsys)
    assert set(report.outcomes) == {("1", "2", "3")}


def test_two_agents_a_diamond_and_a_death(capsys: pytest.CaptureFixture[str]) -> None:
    """D3, D8: the task at the end has what it needs, whenever one of the agents dies."""
    report = _shown(explore(small.diamond, {small.Clerk: 2}, deaths=1, bound=Bound(deviations=1)), capsys)
    assert set(report.outcomes) == {"112"}


def test_one_agent_and_a_cancel_at_any_moment(capsys: pytest.CaptureFixture[str]) -> None:
    """D6: the task is cancelled or has its result, nothing else, and the other one is not touched. All there are."""
    report = _shown(explore(small.cancelled_at_any_moment, {small.Clerk: 1}, bound=_ALL), capsys)
    assert report.complete
    assert set(report.outcomes) == {"cancelled", "1"}


def test_a_question_between_two_agents_and_a_death(capsys: pytest.CaptureFixture[str]) -> None:
    """B3: the one who asks has the answer, or the word that the other one is dead; never silence."""
    workers = {small.Clerk: 1, small.Librarian: 1}
    report = _shown(explore(small.question, workers, deaths=1, bound=Bound(deviations=1)), capsys)
    assert set(report.outcomes) == {"8", "AgentDied"}


def test_a_time_limit_beside_a_result() -> None:
    """D5: time may go by although somebody could go on; the task has its result or is out of time."""

    def scenario(sim: Simulation) -> Hashable:
        future = sim.system.options(timeout=0.02, retries=0).submit(small.Clerk.add, 1)
        sim.run()
        return small.outcome_of(future)

    report = explore(scenario, {small.Clerk: 1}, early=1, bound=Bound(deviations=2, runs=200), tell=None)
    assert set(report.outcomes) <= {"1", "TaskTimeout"}
    assert report.explored > 1


def test_an_action_is_done_in_a_simulation_that_is_not_explored_too() -> None:
    """J2: when its turn comes."""
    done: list[int] = []
    with Simulation({small.Clerk: 1}, seed=1, workspaces=False) as sim:
        anytime(sim, lambda: done.append(1))
        sim.system.submit(small.Clerk.add, 1)
        sim.run()
    assert done == [1]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("scenario", "workers", "deaths", "outcomes"),
    [
        (small.three_tasks, {small.Clerk: 2}, 1, {("1", "2", "3")}),
        (small.diamond, {small.Clerk: 2}, 1, {"112"}),
        (small.question, {small.Clerk: 1, small.Librarian: 1}, 1, {"8", "AgentDied"}),
    ],
    ids=["three tasks", "diamond", "question"],
)
def test_small_set_ups_with_more_deviations(
    scenario: Scenario, workers: dict[type[Worker], int], deaths: int, outcomes: set[Hashable]
) -> None:
    """D3, D8, B3: as above, further from the plain run."""
    report = explore(scenario, workers, deaths=deaths, bound=Bound(deviations=2, runs=None))
    assert set(report.outcomes) == outcomes
    assert report.stopped == "2 deviations"


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_three_tasks_without_any_death_in_all_ways_there_are() -> None:
    """D8: complete."""
    report = explore(small.three_tasks, {small.Clerk: 2}, bound=_ALL)
    assert report.complete
    assert set(report.outcomes) == {("1", "2", "3")}
