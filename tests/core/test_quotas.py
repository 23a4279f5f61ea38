"""Named resources: a task that needs one waits until it is free, and it is always given back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from actors.core.amounts import amount_text, exact, needed_text, read_amounts
from actors.core.decisions import Assign, Recall, Spawn
from actors.core.fleet import AgentExit
from actors.core.profile import Profile
from actors.core.settings import EngineSettings
from actors.core.task import Needs, Task, TaskKind
from actors.errors import AgentDied, ConfigError
from actors.protocol.messages import Outcome
from actors.protocol.states import TaskStatus
from actors.testing.machines.fleet import SimFleet
from tests.core.test_engine import Desk

THREE = Profile("general", frozenset({"general"}), least=3, most=3)
WIDE = Profile("wide", frozenset({"wide"}), slots=3, least=1, most=1)
THERE_IS = {"gpu": 1, "licence": 4}


def kind(resources: dict[str, float], name: str = "work", agent_type: str = "general", **fields: Any) -> TaskKind:
    return TaskKind(name, Needs(agent_type, resources=exact(sorted(resources.items()))), **fields)


GPU = kind({"gpu": 1})
PLAIN = kind({})


def desk(*profiles: Profile, resources: dict[str, float] | None = None, **settings: Any) -> Desk:
    return Desk(*(profiles or (THREE,)), resources=THERE_IS if resources is None else resources, **settings)


def in_use(desk: Desk) -> dict[str, float]:
    return {each.name: each.in_use for each in desk.engine.resources()}


def end(desk: Desk, task: Task, outcome: Outcome, payload: object = b"") -> None:
    assert task.agent is not None
    fields = (task.number, task.attempt, int(outcome), payload, desk.now, desk.now)
    desk.engine.finished(task.agent, task.incarnation, fields, desk.now)


def die(desk: Desk, agent: str) -> None:
    running = next(iter(desk.engine._book.fleet.agents[agent].held.items()), None)
    which = (running[0], running[1].attempt) if running is not None else None
    desk.engine.agent_gone(agent, 1, AgentExit(which, AgentDied("it died"), begun=1), desk.now)


# Amounts


@pytest.mark.parametrize(
    "bad",
    [
        5,
        "gpu",
        ["gpu"],
        {"gpu": 0},
        {"gpu": -1},
        {"gpu": "1"},
        {"gpu": True},
        {"gpu": None},
        {"gpu": float("nan")},
        {"gpu": float("inf")},
        {"gpu": 1e-9},
        {"gpu": 1e18},
        {"": 1},
        {1: 1},
        [("gpu", 1), ("gpu", 1)],
    ],
)
def test_an_amount_that_makes_no_sense_is_refused_with_what_is_allowed(bad: object) -> None:
    """E4: it says what was expected, what came, and how to mend it."""
    with pytest.raises(ConfigError, match="resources of a task") as caught:
        read_amounts("resources", bad, "of a task")
    assert caught.value.key == "resources"
    assert '{"gpu": 1}' in str(caught.value.allowed)


def test_amounts_are_counted_without_rounding() -> None:
    """E4: ten times a tenth is one, three times a third is not more than one, and 0.29 is 0.29."""
    assert 10 * exact((("gpu", 0.1),))[0][1] == exact((("gpu", 1),))[0][1]
    assert 3 * exact((("gpu", 1 / 3),))[0][1] <= exact((("gpu", 1),))[0][1]
    assert 6 * exact((("gpu", 1 / 6),))[0][1] <= exact((("gpu", 1),))[0][1]
    assert [amount_text(exact((("gpu", amount),))[0][1]) for amount in (0.29, 2, 2.5, 1000)] == [
        "0.29",
        "2",
        "2.5",
        "1,000",
    ]
    assert needed_text(exact((("gpu", 1), ("licence", 0.5)))) == "1 gpu and 0.5 licence"
    assert read_amounts("resources", {"b": 1, "a": 2.0}, "of a task") == (("a", 2.0), ("b", 1))
    assert str(GPU.needs) == "type general and 1 gpu"


def test_none_of_a_resource_is_an_amount_for_a_system_and_not_for_a_task() -> None:
    """E4: a machine without a GPU says so, and what needs one is refused."""
    with pytest.raises(ConfigError, match="there is 0 of it"):
        desk(resources={"gpu": 0}).submit(GPU)


@pytest.mark.parametrize(
    ("needs", "told"),
    [
        ({"fpga": 1}, r"needs 1 fpga, but the system has no resource of that name \(it has: gpu, licence\)"),
        ({"gpu": 2}, "needs 2 gpu, but there is 1 of it in all"),
        ({"gpu": 1, "licence": 4.5}, "needs 4.5 licence, but there is 4 of it in all"),
    ],
)
def test_what_could_never_run_is_refused(needs: dict[str, float], told: str) -> None:
    """E4: an unknown name, or more than there is; nothing is taken in."""
    one = desk()
    with pytest.raises(ConfigError, match=told) as caught:
        one.submit(kind(needs))
    assert caught.value.key == "resources"
    with pytest.raises(ConfigError, match=told):
        one.engine.submit_graph([Task(8, "t8", PLAIN), Task(9, "t9", kind(needs))], 0.0)
    assert one.engine.unfinished == 0
    with pytest.raises(ConfigError, match="it has: none"):
        desk(resources={}).submit(GPU)


# Waiting, and giving back


def test_a_task_waits_until_what_it_needs_is_free_and_others_pass_it() -> None:
    """E4: one GPU, one task with it; what needs none goes on."""
    one = desk()
    first, second, third = one.submit(GPU), one.submit(GPU), one.submit(PLAIN)
    assert {number for _, number in one.assigned()} == {first.number, third.number}
    assert in_use(one) == {"gpu": 1, "licence": 0}
    one.engine.check()
    one.finish(first)
    assert [number for _, number in one.assigned()] == [second.number]
    one.finish(second)
    one.engine.take()
    assert in_use(one) == {"gpu": 0, "licence": 0}
    one.engine.check()


def test_as_many_run_as_fit_and_all_that_one_needs_it_gets_at_once() -> None:
    """E4: fractions, several of a kind, and several kinds."""
    one = desk(Profile("general", frozenset({"general"}), least=8, most=8))
    halves = [one.submit(kind({"gpu": 0.5})) for _ in range(3)]
    assert {number for _, number in one.assigned()} == {each.number for each in halves[:2]}
    pairs = [one.submit(kind({"licence": 2})) for _ in range(3)]
    both = one.submit(kind({"gpu": 0.5, "licence": 1}))
    assert {number for _, number in one.assigned()} == {each.number for each in pairs[:2]}
    one.finish(pairs[0])
    # Two licences are free, and no GPU: of these two, the one that gets all that it needs.
    assert [number for _, number in one.assigned()] == [pairs[2].number]
    one.finish(halves[0])
    assert [number for _, number in one.assigned()] == [halves[2].number]
    one.finish(halves[1])
    one.finish(pairs[1])
    assert [number for _, number in one.assigned()] == [both.number]
    one.engine.check()


def end_by_value(one: Desk, task: Task) -> None:
    one.finish(task)


def end_by_error(one: Desk, task: Task) -> None:
    end(one, task, Outcome.ERROR, (("builtins.KeyError",), "", "", None))


def end_by_an_error_that_is_retried(one: Desk, task: Task) -> None:
    end(one, task, Outcome.ERROR, (("builtins.ValueError",), "", "", None))


def end_by_exit(one: Desk, task: Task) -> None:
    end(one, task, Outcome.EXITED, 3)


def end_by_refusal(one: Desk, task: Task) -> None:
    one.engine.refused(task.agent or "", 1, task.number, 1, "no", one.now)


def end_by_recall(one: Desk, task: Task) -> None:
    task.status = TaskStatus.ASSIGNED
    one.engine.agent_drain(task.agent or "", one.now)
    one.engine.take()
    one.engine.recalled(task.agent or "", 1, [(task.number, 1)], one.now)


def end_by_interruption(one: Desk, task: Task) -> None:
    one.engine.cancel(task.number, "unwanted", one.now)
    one.engine.take()
    assert in_use(one)["gpu"] == 1, "it may still use it"
    end(one, task, Outcome.INTERRUPTED)


def end_by_a_value_after_cancelling(one: Desk, task: Task) -> None:
    one.engine.cancel(task.number, "unwanted", one.now)
    end_by_value(one, task)


def end_by_time_limit(one: Desk, task: Task) -> None:
    agent, one.now = task.agent or "", 6.0
    one.engine.observed(agent, 1, (task.number, 1, 0.0), one.now)
    one.engine.take()
    one.now = 8.0
    one.engine.tick(one.now)
    one.engine.take()
    assert in_use(one)["gpu"] == 1, "its agent is to be killed, and is not dead yet"
    die(one, agent)


def end_by_death(one: Desk, task: Task) -> None:
    die(one, task.agent or "")


def end_by_limit(one: Desk, task: Task) -> None:
    agent = task.agent or ""
    one.engine.breached(agent, 1, "memory", 2.0, 1.0, one.now)
    one.engine.take()
    assert in_use(one)["gpu"] == 1, "its agent is to be killed, and is not dead yet"
    die(one, agent)


@pytest.mark.parametrize(
    "how",
    [
        end_by_value,
        end_by_error,
        end_by_an_error_that_is_retried,
        end_by_exit,
        end_by_refusal,
        end_by_recall,
        end_by_interruption,
        end_by_a_value_after_cancelling,
        end_by_time_limit,
        end_by_death,
        end_by_limit,
    ],
)
def test_it_is_given_back_however_the_task_ends(how: Callable[[Desk, Task], None]) -> None:
    """E4: the next gets it, and at rest nothing is held."""
    one = desk(grace=1.0)
    first = one.submit(kind({"gpu": 1}, timeout=5.0, error_retries=1, retry_on=("builtins.ValueError",)))
    second = one.submit(GPU)
    one.assigned()
    one.engine.started(first.agent or "", 1, first.number, 1, one.now, one.now)
    how(one, first)
    assert len(one.assigned()) == 1
    assert in_use(one)["gpu"] == 1
    for _ in range(3):
        for task in (first, second):
            if task.agent is not None and not task.final:
                one.finish(task)
        one.now += 1.0
        one.engine.tick(one.now)
        one.engine.take()
        one.engine.check()
    assert second.status is TaskStatus.COMPLETED
    assert first.final
    assert in_use(one)["gpu"] == 0


def test_what_waits_for_a_resource_can_be_cancelled_and_its_agent_type_may_end() -> None:
    """E4: nothing that is held back is forgotten."""
    one = desk()
    holds, waits, gone = one.submit(GPU), one.submit(GPU), one.submit(GPU)
    one.engine.take()
    assert one.engine.cancel(waits.number, "unwanted", 0.0)
    one.engine.check()
    one.engine.profile_forgotten("general", 0.0)
    for name in ("general-1", "general-2", "general-3"):
        die(one, name)
    one.engine.take()
    assert [task.status for task in (holds, waits, gone)] == [
        TaskStatus.FAILED,
        TaskStatus.CANCELLED,
        TaskStatus.FAILED,
    ]
    assert "gpu" not in str(gone.error)
    one.engine.check()


def test_a_resource_is_not_held_by_what_waits_behind_others() -> None:
    """E4: nothing that needs one is sent ahead to an agent that is busy; what needs none is, unless it is later."""
    one = desk(Profile("general", frozenset({"general"}), least=1, most=1))
    short = kind({}, "short")
    one.engine._book.estimates.note("short", 0.00001)
    one.submit(short)
    one.assigned()
    ahead, gpu, behind = one.submit(short), one.submit(GPU), one.submit(short)
    assert [number for _, number in one.assigned()] == [ahead.number]
    assert in_use(one)["gpu"] == 0
    one.engine.check()
    for number in (1, 2):
        task = one.engine.task(number)
        assert task is not None
        one.finish(task)
        one.engine.take()
    assert gpu.status is TaskStatus.ASSIGNED
    one.finish(gpu)
    one.engine.take()
    assert behind.status is TaskStatus.ASSIGNED


def test_no_more_agents_are_started_than_can_have_what_they_need() -> None:
    """C2, E4: a hundred tasks for one GPU need one agent."""
    one = desk(Profile("general", frozenset({"general"})), max_agents=5)
    for _ in range(100):
        one.submit(GPU)
    assert sum(isinstance(each, Spawn) for each in one.engine.take()) == 1
    two = desk(Profile("general", frozenset({"general"})), max_agents=5)
    for _ in range(100):
        two.submit(kind({"licence": 2}))
    assert sum(isinstance(each, Spawn) for each in two.engine.take()) == 2


def test_several_at_once_in_one_agent_share_what_there_is() -> None:
    """E4: slots of one agent are not more of a resource."""
    one = desk(WIDE)
    tasks = [one.submit(kind({"licence": 2}, agent_type="wide")) for _ in range(3)]
    assert [number for _, number in one.assigned()] == [1, 2]
    one.finish(tasks[0])
    assert [number for _, number in one.assigned()] == [3]


def test_a_breaker_and_a_resource_both_hold_back() -> None:
    """E4, F4: what is open for the one may be shut for the other."""
    one = desk()
    shaky = kind({"gpu": 1}, "shaky", breaker=1)
    first, second = one.submit(shaky), one.submit(shaky)
    one.assigned()
    assert one.engine.explain(second.number, 0.0).reason == "quota"
    end(one, first, Outcome.ERROR, (("builtins.KeyError",), "", "", None))
    assert one.assigned() == []
    assert one.engine.explain(second.number, 0.0).reason == "breaker"
    holder = one.submit(GPU)
    assert [number for _, number in one.assigned()] == [holder.number]
    one.now = one.engine.next_due() or 0.0
    one.engine.tick(one.now)
    assert one.assigned() == []
    assert one.engine.explain(second.number, one.now).reason == "quota"
    one.engine.check()
    one.finish(holder)
    assert [number for _, number in one.assigned()] == [second.number]
    one.engine.check()


# Lending


def test_a_task_that_waits_lends_to_its_sub_tasks() -> None:
    """E4: not to strangers, and no longer than it waits."""
    one = desk()
    parent = one.submit(GPU)
    one.assigned()
    stranger = one.submit(GPU)
    children = [one.submit(GPU, parent=parent.number) for _ in range(2)]
    assert one.assigned() == []
    one.engine.agent_waiting(parent.agent or "", 1, parent.number, [each.number for each in children], 0.0)
    assert [number for _, number in one.assigned()] == [children[0].number]
    assert in_use(one)["gpu"] == 1
    assert one.engine.explain(children[1].number, 0.0).reason == "quota"
    one.engine.check()
    one.finish(children[0])
    assert [number for _, number in one.assigned()] == [children[1].number]
    one.finish(children[1])
    assert one.assigned() == [], "the parent is about to go on"
    one.engine.agent_resumed(parent.agent or "", 1, parent.number, one.now)
    assert one.assigned() == []
    one.finish(parent)
    assert [number for _, number in one.assigned()] == [stranger.number]
    one.engine.check()


def test_a_task_that_goes_on_lends_no_more() -> None:
    """E4: its next sub-task waits until it waits again."""
    one = desk()
    parent = one.submit(GPU)
    one.assigned()
    first, second = (one.submit(GPU, parent=parent.number) for _ in range(2))
    one.engine.agent_waiting(parent.agent or "", 1, parent.number, [first.number], 0.0)
    assert [number for _, number in one.assigned()] == [first.number]
    one.finish(first)
    assert one.assigned() == []
    one.engine.agent_resumed(parent.agent or "", 1, parent.number, one.now)
    assert one.assigned() == []
    one.engine.agent_waiting(parent.agent or "", 1, parent.number, [second.number], one.now)
    assert [number for _, number in one.assigned()] == [second.number]
    one.engine.check()


def test_what_is_lent_is_lent_on_and_only_the_rest_is_taken_from_all() -> None:
    """E4: a parent with 3 of 4, and a child that needs 4, of which a grandchild needs 2."""
    one = desk()
    top = one.submit(kind({"licence": 3}))
    one.assigned()
    middle = one.submit(kind({"licence": 4}), parent=top.number)
    one.engine.agent_waiting(top.agent or "", 1, top.number, [middle.number], 0.0)
    stranger = one.submit(kind({"licence": 1}))
    assert [number for _, number in one.assigned()] == [middle.number]
    assert in_use(one)["licence"] == 4
    below = one.submit(kind({"licence": 2}), parent=middle.number)
    one.engine.agent_waiting(middle.agent or "", 1, middle.number, [below.number], 0.0)
    assert [number for _, number in one.assigned()] == [below.number]
    assert in_use(one)["licence"] == 4
    assert [(each.task, each.amount, each.lends) for each in one.engine.resources()[1].holders] == [
        ("t1", 3, True),
        ("t2", 4, True),
        ("t4", 2, False),
    ]
    for task in (below, middle):
        one.finish(task)
        one.engine.take()
    assert in_use(one)["licence"] == 3 + 1
    assert stranger.status is TaskStatus.ASSIGNED
    one.engine.check()


def test_a_sub_task_is_lent_to_through_one_that_needs_nothing() -> None:
    """E4: the nearest above it that holds what it needs."""
    one = desk()
    top = one.submit(GPU)
    one.assigned()
    middle = one.submit(PLAIN, parent=top.number)
    one.engine.agent_waiting(top.agent or "", 1, top.number, [middle.number], 0.0)
    one.assigned()
    below = one.submit(GPU, parent=middle.number)
    one.engine.agent_waiting(middle.agent or "", 1, middle.number, [below.number], 0.0)
    assert [number for _, number in one.assigned()] == [below.number]
    # The one in between may go on; the holder still waits.
    assert in_use(one)["gpu"] == 1


def test_a_lender_that_dies_leaves_what_it_lent_to_whoever_has_it() -> None:
    """E4: its sub-task goes on with it, and its own next attempt waits until that has ended."""
    one = desk()
    parent = one.submit(kind({"gpu": 1}, retries=1))
    one.assigned()
    child = one.submit(GPU, parent=parent.number)
    one.engine.agent_waiting(parent.agent or "", 1, parent.number, [child.number], 0.0)
    one.assigned()
    die(one, parent.agent or "")
    assert one.assigned() == []
    assert parent.status is TaskStatus.PENDING
    assert in_use(one)["gpu"] == 1
    one.finish(child)
    assert [number for _, number in one.assigned()] == [parent.number]
    one.engine.check()


def test_a_child_runs_inside_its_parents_agent_when_there_is_no_other() -> None:
    """C2, E4: nested, with what the parent lends."""
    one = desk(Profile("general", frozenset({"general"}), least=1, most=1), max_agents=1)
    parent = one.submit(GPU)
    one.assigned()
    child = one.submit(GPU, parent=parent.number)
    one.engine.agent_waiting("general-1", 1, parent.number, [child.number], 0.0)
    given = [each for each in one.engine.take() if isinstance(each, Assign)]
    assert [(each.task.number, each.nested) for each in given] == [(child.number, True)]
    one.engine.agent_resumed("general-1", 1, parent.number, 0.0)
    assert [each.tasks for each in one.engine.take() if isinstance(each, Recall)] == [((child.number, 1),)]
    one.engine.recalled("general-1", 1, [(child.number, 1)], 0.0)
    one.engine.take()
    assert in_use(one)["gpu"] == 1
    assert child.status is TaskStatus.PENDING
    one.engine.check()


def test_tasks_that_wait_for_what_the_other_holds_do_not_wait_for_ever() -> None:
    """E4: one holds the GPU and waits for a sub-task with a licence, the other the other way round."""
    for agents in (1, 2, 3):
        profile = Profile("general", frozenset({"general"}), least=agents, most=agents)
        settings = EngineSettings(max_agents=agents, resources=(("gpu", 1), ("licence", 1)))
        fleet = SimFleet(profile, settings=settings)
        gpu, licence = kind({"gpu": 1}), kind({"licence": 1})
        one = fleet.submit(("run", 0.01), ("call", (licence, ("run", 0.05))), kind=gpu)
        two = fleet.submit(("run", 0.01), ("call", (gpu, ("run", 0.05)), (gpu, ("run", 0.05))), kind=licence)
        fleet.run()
        assert (one.status, two.status) == (TaskStatus.COMPLETED, TaskStatus.COMPLETED)
        assert all(each.in_use == 0 for each in fleet.engine.resources())


def test_trees_of_tasks_with_resources_all_end() -> None:
    """E4, C2: many of them, on few agents, deep and wide, whatever dies."""
    deep = (GPU, ("run", 0.001), ("call", (PLAIN, ("call", (GPU, ("run", 0.001))))))
    wide = (kind({"licence": 2}), ("run", 0.001), ("call", deep, (kind({"licence": 3}), ("run", 0.001))))
    for seed in range(20):
        settings = EngineSettings(max_agents=3, resources=(("gpu", 1), ("licence", 4)))
        fleet = SimFleet(THREE, settings=settings, seed=seed)
        tops = [fleet.submit(("run", 0.01), ("call", wide, deep), kind=kind({"gpu": 0.5}, retries=3)) for _ in range(4)]
        fleet.run(until=0.1)
        fleet.die("general-2")
        fleet.run()
        assert all(task.status is TaskStatus.COMPLETED for task in tops if task.kind.retries)
        assert all(each.in_use == 0 for each in fleet.engine.resources())


# Looking, restoring


def test_explain_says_who_holds_what_a_task_waits_for() -> None:
    """C5, E4: in words and in fields, and so do queue and resources."""
    one = desk()
    holder, waits = one.submit(GPU), one.submit(kind({"gpu": 0.5, "licence": 1}))
    one.engine.take()
    said = one.engine.explain(waits.number, 0.0)
    assert said.reason == "quota"
    assert f"It waits for gpu (it needs 0.5): 1 of 1 is held by t1 ({holder.agent})" in said.text
    assert said.facts["resources"]["gpu"]["holders"] == [
        {"task": "t1", "agent": holder.agent, "amount": 1, "lends": False}
    ]
    assert "licence" not in said.facts["resources"]
    gpu, licence = one.engine.queue().resources
    assert (gpu.name, gpu.capacity, gpu.in_use, gpu.waiting) == ("gpu", 1, 1, 1)
    assert (licence.capacity, licence.in_use, licence.holders) == (4, 0, ())
    assert one.engine.queue().ready == 0
    assert json.loads(json.dumps(one.engine.queue().to_dict()))["resources"][0]["holders"][0]["task"] == "t1"
    info = one.engine.info(waits.number)
    assert info is not None
    assert info.resources == (("gpu", 0.5), ("licence", 1))
    assert json.loads(json.dumps(info.to_dict()))["resources"] == {"gpu": 0.5, "licence": 1}


def test_a_restored_task_that_needs_more_than_there_is_now_fails_and_the_others_go_on() -> None:
    """E4, F3: the program was started again with fewer resources."""
    one = desk()
    big, fits = Task(1, "t1", kind({"gpu": 2})), Task(2, "t2", GPU)
    after = Task(3, "t3", PLAIN, after=(1,))
    late = Task(4, "t4", kind({"fpga": 1}), after=(2,))
    one.engine.restore([], [big, fits, after, late], 0.0)
    assert [number for _, number in one.assigned()] == [2]
    assert isinstance(big.error, ConfigError)
    assert isinstance(late.error, ConfigError)
    assert after.status is TaskStatus.FAILED
    one.engine.check()


def test_a_dead_letter_that_was_a_sub_task_runs_again_as_a_task_of_its_own() -> None:
    """E4, F4: nobody lends to it."""
    one = desk()
    parent = one.submit(GPU)
    one.assigned()
    child = one.submit(GPU, parent=parent.number)
    one.engine.agent_waiting(parent.agent or "", 1, parent.number, [child.number], 0.0)
    one.assigned()
    assert child.kind.needs.lender == parent.number
    end(one, child, Outcome.ERROR, (("builtins.KeyError",), "", "", None))
    again = one.engine.retry_dead(child.number, child.id, (9, "t9", None), one.now)
    assert again.kind.needs.lender is None
    assert one.assigned() == []
    one.finish(parent)
    assert [number for _, number in one.assigned()] == [9]


def test_an_agent_that_names_a_circle_of_parents_harms_nobody() -> None:
    """I3: what an agent says of its sub-tasks may be nonsense."""
    one = desk()
    first = one.submit(GPU, parent=2)
    second = one.submit(GPU, parent=1)
    third = one.submit(GPU, parent=3)
    for task in (first, second, third):
        assert [number for _, number in one.assigned()] == [task.number]
        one.engine.check()
        one.finish(task)
