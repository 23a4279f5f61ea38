"""The course of a plan, without any agent: what begins when, and what the end of one step means for the others."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.planorder import first_circle
from actors.core.planrun import PlanRun
from actors.core.workplan import Condition, Plan, Rule, Step, Team, read_plan, read_step
from actors.errors import ConfigError


def step(name: str, *after: str, **more: Any) -> Step:
    return Step(id=name, task="work", after=after, **more)


def begun(run: PlanRun) -> list[str]:
    return [each.id for each in run.begin(0.0)]


def test_steps_begin_when_those_that_come_first_have_ended() -> None:
    """A1: dependencies, named or by their results."""
    run = PlanRun(Plan(steps=(step("a"), step("b", "a"), step("c", data={"in": [{"result_of": "b"}]}), step("d"))))
    assert begun(run) == ["a", "d"]
    run.completed("a", 1, 1.0)
    assert begun(run) == ["b"]
    run.completed("b", 2, 2.0)
    assert begun(run) == ["c"]
    run.completed("c", 3, 3.0)
    assert not run.over
    run.completed("d", 4, 4.0)
    assert run.over
    report = run.report(5.0)
    assert report.status == "completed"
    assert [report[name] for name in "abcd"] == [1, 2, 3, 4]


def test_no_more_run_at_once_than_the_plan_allows() -> None:
    """A1: a parallel limit."""
    run = PlanRun(Plan(steps=tuple(step(name) for name in "abcd"), parallel=2))
    assert begun(run) == ["a", "b"]
    run.completed("b", None, 1.0)
    assert begun(run) == ["c"]


def test_a_failed_step_is_tried_again_then_done_otherwise_then_skipped() -> None:
    """A1: retry, alternative, skip, in this order."""
    other = step("a", attempts=2)
    run = PlanRun(Plan(steps=(step("a", attempts=2, instead=other, on_failure="skip", default=7), step("b", "a"))))
    for _ in range(4):
        assert begun(run) == ["a"]
        run.failed("a", ValueError("no"), 1.0)
    assert begun(run) == ["b"]
    report = run.report(2.0).steps["a"]
    assert (report.status, report.result, report.attempts, report.instead) == ("skipped", 7, 4, False)
    assert report.error == "ValueError: no"


def test_the_result_of_what_was_done_instead_counts() -> None:
    """A1: an alternative step."""
    run = PlanRun(Plan(steps=(step("a", instead=step("other", priority=4)),)))
    begun(run)
    run.failed("a", ValueError("no"), 1.0)
    [again] = run.begin(1.0)
    assert (again.id, again.step.priority) == ("a", 4)
    run.completed("a", "good", 2.0)
    report = run.report(2.0).steps["a"]
    assert (report.status, report.result, report.instead, report.error) == ("completed", "good", True, "")


def test_a_step_that_fails_for_good_stops_the_plan() -> None:
    """A1: stop; nothing begins any more, and what ran is told of."""
    run = PlanRun(Plan(steps=(step("a"), step("b"), step("c", "a"))))
    assert begun(run) == ["a", "b"]
    run.failed("a", ValueError("no"), 1.0)
    assert begun(run) == []
    assert run.running == ("b",)
    run.cancelled("b", 2.0)
    assert run.over
    assert {name: each.status for name, each in run.report(3.0).steps.items()} == {
        "a": "failed",
        "b": "cancelled",
        "c": "not_started",
    }


def test_a_rule_adds_steps_for_each_item_of_a_result() -> None:
    """A1: steps add steps, by a rule in data."""
    rule = {
        "for_each": ["links"],
        "when": [{"at": ["status"], "test": "==", "value": 200}],
        "add": [{"id": "page", "task": "work", "data": {"url": {"item": ["url"]}}, "after": ["other"]}],
    }
    plan = read_plan([{"id": "first", "task": "work", "then": [rule]}, {"id": "other", "task": "work"}])
    run = PlanRun(plan)
    begun(run)
    run.completed("first", {"status": 200, "links": [{"url": "x"}, {"url": "y"}]}, 1.0)
    assert begun(run) == []
    run.completed("other", None, 1.0)
    added = run.begin(1.0)
    assert [(each.id, each.step.data) for each in added] == [("page-1", {"url": "x"}), ("page-2", {"url": "y"})]
    assert run.report(1.0).steps["page-1"].added_by == "first"


@pytest.mark.parametrize(
    ("result", "holds"),
    [({"n": [1, 5]}, True), ({"n": [1, 2]}, False), ({"n": 3}, False), (None, False), ({"n": ["x", "y"]}, False)],
)
def test_a_condition_is_false_where_there_is_nothing_to_compare(result: Any, holds: object) -> None:
    """A1: a rule that does not fit a result adds nothing."""
    assert Condition(at=("n", 1), test=">", value=4).holds(result) is holds


def test_a_result_without_the_list_that_a_rule_goes_through_stops_the_plan() -> None:
    """A1: bad data is named."""
    run = PlanRun(Plan(steps=(step("a", then=(Rule(add=(step("b"),), for_each=("x",)),)),)))
    begun(run)
    with pytest.raises(ConfigError, match=r"step 'a'.*for_each.*a list at"):
        run.completed("a", {"x": 3}, 1.0)
    assert run.stopped
    assert run.over


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"task": "work"}, "a step lacks a field.*id"),
        ({"id": "a"}, "step 'a': task is given, or else call"),
        ({"id": "a", "task": "x", "call": len}, "and not both"),
        ({"id": "a", "task": "x", "afer": ["b"]}, "step 'a': afer is no field; there are id, task"),
        ({"id": "a", "task": "x", "after": "b"}, "step 'a': after is a list"),
        ({"id": "a", "task": "x", "attempts": 0}, "attempts is a whole number of 1 or more"),
        ({"id": "a", "task": "x", "timeout": -1}, "timeout is a number of seconds above 0"),
        ({"id": "a", "task": "x", "priority": 9}, "priority is 1"),
        ({"id": "a", "task": "x", "on_failure": "explode"}, 'on_failure is "stop" or "skip"'),
        ({"id": "a", "task": "x", "data": 3}, "data is a mapping"),
        ({"id": "a", "task": "x", "then": [{"when": [{"test": "~"}], "add": []}]}, "then.when.test is =="),
        ({"id": "a", "task": "x", "instead": 3}, "instead is a step"),
        ({"id": "a", "call": len, "agent_type": "b"}, "agent_type is for steps with a task"),
        ({"id": "a", "task": "x", "resources": {"gpu": -1}}, "gpu"),
        (7, "steps is a mapping"),
    ],
)
def test_a_wrong_field_names_itself(given: Any, text: str) -> None:
    """A1: a plan as data is validated."""
    with pytest.raises(ConfigError, match=text):
        read_step(given)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"steps": 3}, "steps is a list"),
        ({"steps": [], "parallel": 0}, "parallel is a whole number of 1 or more"),
        ({"steps": [], "on_failure": "no"}, "on_failure"),
        ({"steps": [], "agents": [{"type": "x", "count": 0}]}, "count is a whole number"),
        ({"steps": [], "agents": [{"count": 1}]}, "lacks a field"),
    ],
)
def test_a_wrong_field_of_the_plan_names_itself(values: dict[str, Any], text: str) -> None:
    """A1: a plan as data is validated."""
    with pytest.raises(ConfigError, match=text):
        read_plan(**values)


def test_ids_that_stand_twice_that_nothing_has_and_circles_are_refused() -> None:
    """A1: before anything begins."""
    with pytest.raises(ConfigError, match="'a' is in the plan twice"):
        PlanRun(Plan(steps=(step("a"), step("a"))))
    with pytest.raises(ConfigError, match="comes after 'x', which is no step"):
        PlanRun(Plan(steps=(step("a", "x"),)))
    with pytest.raises(ConfigError, match="in a circle: a → c → b → a"):
        PlanRun(Plan(steps=(step("a", "c"), step("b", "a"), step("c", "b"))))
    assert Team(type="x").count == 1


@given(st.data())
def test_any_plan_ends_and_each_step_begins_after_those_it_needs(data: st.DataObject) -> None:
    """A1: whatever fails, each step has one end, and none begins before its time or beyond the bound."""
    count = data.draw(st.integers(1, 12))
    steps = tuple(
        step(
            f"s{number}",
            *(
                f"s{one}"
                for one in data.draw(st.sets(st.integers(0, number - 1), max_size=3) if number else st.just(()))
            ),
            attempts=data.draw(st.integers(1, 3)),
            on_failure=data.draw(st.sampled_from([None, "stop", "skip"])),
            instead=data.draw(st.sampled_from([None, step("x")])),
        )
        for number in range(count)
    )
    parallel = data.draw(st.sampled_from([None, 1, 2]))
    run = PlanRun(Plan(steps=steps, parallel=parallel))
    running: list[str] = []
    ended: Counter[str] = Counter()
    while not run.over:
        for begin in run.begin(0.0):
            assert begin.id not in running
            assert all(ended[one] for one in next(each for each in steps if each.id == begin.id).needs())
            running.append(begin.id)
        assert parallel is None or len(running) <= parallel
        assert running
        one = running.pop(data.draw(st.integers(0, len(running) - 1)))
        if run.stopped:
            run.cancelled(one, 1.0)
        elif data.draw(st.booleans()):
            run.completed(one, one, 1.0)
        else:
            run.failed(one, ValueError(one), 1.0)
        ended[one] += run.step_report(one, 1.0).status != "not_started" and one not in run.running
    report = run.report(2.0)
    assert set(ended.values()) <= {0, 1}
    assert report.status == ("stopped" if run.stopped else "completed")
    if not run.stopped:
        assert all(each.status in ("completed", "skipped") for each in report.steps.values())


@given(st.dictionaries(st.integers(0, 8), st.sets(st.integers(0, 8), max_size=3), max_size=9))
def test_a_circle_is_found_if_and_only_if_there_is_one(edges: dict[int, set[int]]) -> None:
    """A1: against another way to tell: to take away what needs nothing, as long as there is such."""
    needs = {str(one): {str(other) for other in others} for one, others in edges.items()}
    found = first_circle(needs)
    if found:
        assert found[0] == found[-1]
        assert all(after in needs[one] for one, after in itertools.pairwise(found))
    left = {one: others & needs.keys() for one, others in needs.items()}
    while free := [one for one, others in left.items() if not others]:
        left = {one: others - set(free) for one, others in left.items() if one not in free}
    assert bool(found) == bool(left)
