"""Tasks that wait for their own sub-tasks give their slot away."""

from __future__ import annotations

from typing import Any

import pytest

from actors.core.decisions import Assign, Recall, Retire, Spawn
from actors.core.fleet import AgentExit
from actors.core.profile import Profile
from actors.core.settings import EngineSettings
from actors.core.task import Needs, TaskKind
from actors.errors import AgentDied
from actors.protocol.states import TaskStatus
from actors.testing.machines.fleet import SimFleet
from tests.core.test_engine import ONE, TWO, Desk


def tree(depth: int, width: int = 1) -> tuple[Any, ...]:
    """A script that calls scripts like itself, so many deep and wide."""
    below = tuple(tree(depth - 1, width) for _ in range(width)) if depth else ()
    return (("run", 0.01), ("call", *below), ("run", 0.01)) if below else (("run", 0.01),)


@pytest.mark.parametrize("ordered", [1.0, 0.5])
@pytest.mark.parametrize("agents", [1, 2, 3])
def test_fifty_deep_on_few_agents_does_not_deadlock(agents: int, ordered: float) -> None:
    """C2: at the limit a waiting agent runs its own children itself."""
    profile = Profile("general", frozenset({"general"}), least=agents, most=agents)
    for seed in range(5):
        fleet = SimFleet(profile, settings=EngineSettings(max_agents=agents), seed=seed, ordered=ordered)
        top = fleet.submit(*tree(50))
        fleet.run()
        assert top.status is TaskStatus.COMPLETED
        assert len(fleet.resolved) == 51
        assert fleet.most_agents == agents


def test_many_trees_at_once_do_not_deadlock() -> None:
    """C2: all of them wait, all of them end."""
    fleet = SimFleet(TWO, settings=EngineSettings(max_agents=2))
    tops = [fleet.submit(*tree(3, 3)) for _ in range(5)]
    fleet.run()
    assert all(task.status is TaskStatus.COMPLETED for task in tops)
    assert len(fleet.resolved) == 5 * (1 + 3 + 9 + 27)


def test_a_further_agent_is_started_up_to_the_limit_before_work_is_nested() -> None:
    """C2: waiting gives the slot away."""
    fleet = SimFleet(settings=EngineSettings(max_agents=3))
    fleet.submit(*tree(2))
    fleet.run()
    assert fleet.most_agents == 3
    assert len({agent for _, agent, _, _ in fleet.runs}) == 3


def test_children_of_another_type_get_one_agent_beyond_the_limit_if_all_wait() -> None:
    """C2: it ends when it is idle."""
    a, b = Profile("a", frozenset("a")), Profile("b", frozenset("b"))
    kinds = {name: TaskKind(name, Needs(name), retries=3) for name in "ab"}
    below = (kinds["a"], ("run", 0.01), ("call", (kinds["b"], ("run", 0.01))))
    script = (("run", 0.01), ("call", (kinds["b"], ("run", 0.01), ("call", below))))
    fleet = SimFleet(a, b, settings=EngineSettings(max_agents=1))
    top = fleet.submit(*script, kind=kinds["a"])
    fleet.run()
    assert top.status is TaskStatus.COMPLETED
    assert fleet.most_agents == 2
    fleet.run(until=fleet.now + 1.0)
    assert sum(agent.alive for agent in fleet.agents.values()) == 1


def test_a_waiting_agent_takes_nothing_but_its_own_children() -> None:
    """C2: unrelated work waits for a free agent."""
    desk = Desk(ONE, max_agents=1)
    parent = desk.submit()
    desk.engine.take()
    stranger = desk.submit()
    desk.engine.take()
    desk.engine.agent_waiting("general-1", 1, parent.number, [3], 0.0)
    (recall,) = [decision for decision in desk.engine.take() if isinstance(decision, Recall)]
    assert recall.tasks == ((stranger.number, 1),)
    desk.engine.recalled("general-1", 1, recall.tasks, 0.0)
    child = desk.submit(parent=parent.number)
    (assign,) = [decision for decision in desk.engine.take() if isinstance(decision, Assign)]
    assert (assign.task, assign.nested) == (child, True)
    desk.engine.check()
    desk.finish(child)
    desk.engine.agent_resumed("general-1", 1, parent.number, 1.0)
    desk.finish(parent)
    assert desk.assigned() == [("general-1", stranger.number)]
    desk.engine.check()


def test_what_was_nested_and_not_begun_when_its_parent_goes_on_is_taken_back() -> None:
    """C2: the parent does not have to wait for it."""
    desk = Desk(ONE, max_agents=1)
    parent = desk.submit()
    desk.engine.take()
    desk.engine.agent_waiting("general-1", 1, parent.number, [2], 0.0)
    child = desk.submit(parent=parent.number)
    desk.engine.take()
    desk.engine.agent_resumed("general-1", 1, parent.number, 0.0)
    (recall,) = [decision for decision in desk.engine.take() if isinstance(decision, Recall)]
    assert recall.tasks == ((child.number, 1),)
    desk.engine.recalled("general-1", 1, recall.tasks, 0.0)
    desk.engine.take()
    desk.engine.check()
    assert child.status in (TaskStatus.PENDING, TaskStatus.ASSIGNED)


def test_async_slots_that_wait_are_free_for_any_work() -> None:
    """C2: async tasks suspend."""
    profile = Profile("general", frozenset({"general"}), slots=2, least=1, most=1)
    desk = Desk(profile, max_agents=1)
    kind = TaskKind("work", Needs("general"), duration=1.0)
    tasks = [desk.submit(kind) for _ in range(5)]
    assert len(desk.assigned()) == 2
    for task in tasks[:2]:
        desk.engine.agent_waiting("general-1", 1, task.number, [99], 0.0)
    assert len(desk.assigned()) == 2
    desk.engine.check()


def test_a_death_in_a_nested_task_costs_the_waiting_one_an_attempt_too() -> None:
    """D8: bounded, also when the child kills every agent it runs in."""
    fleet = SimFleet(ONE, settings=EngineSettings(max_agents=1))
    top = fleet.submit(("run", 0.01), ("call", (("die",),)), kind=TaskKind("work", Needs("general"), retries=2))
    fleet.run()
    assert top.final
    assert len(fleet.runs) < 20
    assert set(fleet.resolved.values()) == {1}


def test_waiting_starts_no_agent_beyond_the_limit_while_others_can_go_on() -> None:
    """C1: the exception is for when nothing else can."""
    desk = Desk(TWO, Profile("other", frozenset("o")), max_agents=2)
    parent, busy = desk.submit(), desk.submit()
    desk.engine.take()
    desk.submit(TaskKind("o", Needs("other")), parent=parent.number)
    desk.engine.agent_waiting(parent.agent or "", 1, parent.number, [3], 0.0)
    assert not [decision for decision in desk.engine.take() if isinstance(decision, Spawn)]
    desk.engine.agent_waiting(busy.agent or "", 1, busy.number, [3], 0.0)
    assert [decision for decision in desk.engine.take() if isinstance(decision, Spawn)] == [Spawn("other", None)]
    assert not [decision for decision in desk.engine.take() if isinstance(decision, Spawn)]


def test_no_agent_is_started_beyond_the_limit_for_a_task_whose_sub_tasks_have_ended() -> None:
    """C1: it is about to go on, and then there is an agent again."""
    desk = Desk(TWO, Profile("other", frozenset("o")), max_agents=2)
    parent, child = desk.submit(), desk.submit()
    desk.engine.take()
    other = desk.submit(TaskKind("o", Needs("other")))
    desk.engine.agent_waiting(parent.agent or "", 1, parent.number, [child.number], 0.0)
    desk.engine.take()
    desk.engine.finished(child.agent or "", 1, (child.number, 1, 0, b"", 0.0, 0.0), 0.0)
    decided = desk.engine.take()
    assert not [decision for decision in decided if isinstance(decision, Spawn)]
    desk.engine.agent_resumed(parent.agent or "", 1, parent.number, 0.0)
    desk.engine.check()
    assert not other.final


def spawned(desk: Desk) -> list[str]:
    """The types of the agents that are asked for."""
    return [decision.agent_type for decision in desk.engine.take() if isinstance(decision, Spawn)]


def test_no_agent_is_started_beyond_the_limit_while_one_is_left_alone_after_a_refusal() -> None:
    """C1: it takes work again in a moment, or has gone and is replaced; both are told."""
    desk = Desk(Profile("leader", least=1, most=1), Profile("clerk", least=1, most=1), max_agents=2)
    parent = desk.submit(TaskKind("lead", Needs("leader")))
    child = desk.submit(TaskKind("write", Needs("clerk")), parent=parent.number)
    assert desk.assigned() == [("leader-1", parent.number), ("clerk-1", child.number)]
    desk.engine.agent_waiting("leader-1", 1, parent.number, [child.number], 0.0)
    desk.engine.refused("clerk-1", 1, child.number, 1, "it is terminating", 0.0)
    assert not spawned(desk)
    desk.engine.tick(desk.engine.next_due() or 0.0)
    assert desk.assigned() == [("clerk-1", child.number)]
    desk.engine.check()


def test_no_agent_is_started_beyond_the_limit_while_an_idle_one_is_about_to_end() -> None:
    """C1: it leaves its place to another."""
    desk = Desk(Profile("leader", least=1, most=1), Profile("clerk", least=1), max_agents=2)
    parent = desk.submit(TaskKind("lead", Needs("leader")))
    desk.engine.take()
    desk.engine.agent_drain("clerk-1", 0.0)
    child = desk.submit(TaskKind("write", Needs("clerk")), parent=parent.number)
    desk.engine.agent_waiting("leader-1", 1, parent.number, [child.number], 0.0)
    assert not spawned(desk)
    desk.engine.agent_gone("clerk-1", 1, AgentExit(None, AgentDied("it was to end")), 0.0)
    assert spawned(desk) == ["clerk"]
    desk.engine.check()


def test_an_idle_agent_that_nobody_needs_is_ended_before_one_is_started_beyond_the_limit() -> None:
    """C1: also one that falls idle only when all others wait."""
    desk = Desk(Profile("leader", least=1), Profile("sharer", least=1), max_agents=2)
    desk.engine.profile_known(Profile("sharer"), 0.0)
    desk.engine.profile_known(Profile("clerk"), 0.0)
    busy = desk.submit(TaskKind("share", Needs("sharer")))
    parent = desk.submit(TaskKind("lead", Needs("leader")))
    assert len(desk.assigned()) == 2
    child = desk.submit(TaskKind("write", Needs("clerk")), parent=parent.number)
    desk.engine.agent_waiting("leader-1", 1, parent.number, [child.number], 0.0)
    assert not desk.engine.take()
    desk.finish(busy)
    decided = desk.engine.take()
    assert [decision.agent for decision in decided if isinstance(decision, Retire)] == ["sharer-1"]
    assert not [decision for decision in decided if isinstance(decision, Spawn)]
    desk.engine.agent_gone("sharer-1", 1, AgentExit(None, AgentDied("it was to end")), 1.0)
    assert spawned(desk) == ["clerk"]
    desk.engine.check()


def test_a_task_whose_own_have_ended_goes_on_only_when_what_runs_inside_it_has() -> None:
    """C2: until then it is no reason to believe that the innermost, which waits for another type, will go on by itself."""
    a, b = Profile("a", frozenset("a"), least=1), Profile("b", frozenset("b"))
    desk = Desk(a, b, max_agents=1)
    outer = desk.submit(TaskKind("a", Needs("a")))
    desk.engine.take()
    inner = desk.submit(TaskKind("a", Needs("a")), parent=outer.number)
    awaited = desk.submit(TaskKind("a", Needs("a")), parent=outer.number)
    desk.engine.agent_waiting("a-1", 1, outer.number, [awaited.number], 0.0)
    assert desk.assigned() == [("a-1", inner.number)]
    desk.engine.cancel(awaited.number, "unwanted", 0.0)
    below = desk.submit(TaskKind("b", Needs("b")), parent=inner.number)
    desk.engine.agent_waiting("a-1", 1, inner.number, [below.number], 0.0)
    assert [decision.agent_type for decision in desk.engine.take() if isinstance(decision, Spawn)] == ["b"]


SHORT = TaskKind("short", Needs("general"), duration=0.001)
LONG = TaskKind("long", Needs("general"), duration=10.0)
GENERAL = frozenset({"general"})


def recalls(desk: Desk) -> list[Recall]:
    """What is asked back."""
    return [decision for decision in desk.engine.take() if isinstance(decision, Recall)]


def nested(desk: Desk) -> list[tuple[str, int]]:
    """What is to be run inside a task that waits."""
    return [(d.agent, d.task.number) for d in desk.engine.take() if isinstance(d, Assign) and d.nested]


def test_nothing_stands_behind_work_of_unknown_length_while_an_agent_can_be_started() -> None:
    """C2, G2: a short task would wait for an endless one, and with it whoever races both."""
    desk = Desk(Profile("general", GENERAL, least=2, most=3), max_agents=4)
    parent, endless = desk.submit(), desk.submit()
    assert len(desk.assigned()) == 2
    short = desk.submit(SHORT, parent=parent.number)
    assert spawned(desk) == ["general"]
    desk.engine.agent_waiting("general-1", 1, parent.number, [endless.number, short.number], 0.0)
    desk.agent(Profile("general", GENERAL, least=2, most=3), "general-3")
    assert desk.assigned() == [("general-3", short.number)]
    desk.engine.check()


@pytest.mark.parametrize("late", [False, True])
def test_at_the_limit_a_task_that_waits_runs_what_stood_behind_work_of_unknown_length(late: bool) -> None:  # noqa: FBT001
    """C2, G2: it was sent ahead before anybody waited for it, or the wait is told of first."""
    desk = Desk(TWO, max_agents=2)
    parent, endless = desk.submit(LONG), desk.submit()
    assert len(desk.assigned()) == 2
    if late:
        desk.engine.agent_waiting("general-1", 1, parent.number, [endless.number], 0.0)
        desk.engine.take()
    short = desk.submit(SHORT, parent=parent.number)
    if late:
        assert nested(desk) == [("general-1", short.number)]
        return
    assert desk.assigned() == [(endless.agent, short.number)]
    desk.engine.agent_waiting("general-1", 1, parent.number, [endless.number, short.number], 0.0)
    (recall,) = recalls(desk)
    assert (recall.agent, recall.tasks) == (endless.agent, ((short.number, 1),))
    desk.engine.recalled("general-2", 1, recall.tasks, 0.0)
    assert nested(desk) == [("general-1", short.number)]
    desk.engine.check()


@pytest.mark.parametrize("most", [2, 3])
def test_what_stands_behind_a_task_that_takes_longer_than_its_kind_did_goes_elsewhere(most: int) -> None:
    """C2, G2: to one that can be started, or into the task that waits for it."""
    profile = Profile("general", GENERAL, least=2, most=most)
    desk = Desk(profile, max_agents=most)
    parent = desk.submit(LONG)
    desk.engine.take()
    first, second = desk.submit(SHORT, parent=parent.number), desk.submit(SHORT, parent=parent.number)
    assert desk.assigned() == [("general-2", first.number), ("general-2", second.number)]
    desk.engine.agent_waiting("general-1", 1, parent.number, [first.number, second.number], 0.0)
    assert not recalls(desk)
    desk.engine.tick(1.0)
    (recall,) = recalls(desk)
    assert recall.tasks == ((second.number, 1),)
    desk.engine.recalled("general-2", 1, recall.tasks, 1.0)
    if most == 2:
        assert nested(desk) == [("general-1", second.number)]
    else:
        assert spawned(desk) == ["general"]
    desk.engine.check()
    desk.engine.finished("general-2", 1, (first.number, 1, 0, b"", 0.0, 1.0), 1.0)
    desk.engine.take()
    desk.engine.check()


def test_what_had_begun_when_it_was_asked_back_is_left_where_it_is() -> None:
    """C2: and not asked for in each turn."""
    desk = Desk(TWO, max_agents=2)
    parent, other = desk.submit(LONG), desk.submit()
    desk.engine.take()
    short = desk.submit(SHORT, parent=parent.number)
    desk.engine.take()
    desk.engine.agent_waiting("general-1", 1, parent.number, [short.number], 0.0)
    assert recalls(desk)
    desk.engine.recalled("general-2", 1, (), 0.0)
    assert not desk.engine.take()
    desk.engine.finished("general-2", 1, (other.number, 1, 0, b"", 0.0, 0.0), 0.0)
    desk.engine.tick(1.0)
    assert not recalls(desk)
    desk.engine.finished("general-2", 1, (short.number, 1, 0, b"", 0.0, 1.0), 1.0)
    desk.engine.take()
    desk.engine.check()
