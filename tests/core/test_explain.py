"""Why a task does not run, in words and in fields."""

# The engine takes its facts as a flat list, yes and no among them.
# ruff: noqa: FBT003

from __future__ import annotations

import json

from actors.core.fleet import AgentExit
from actors.core.profile import Profile
from actors.core.task import Needs, TaskKind
from actors.errors import AgentDied
from tests.core.test_engine import ONE, TWO, Desk

HIGH = Profile("general", frozenset({"general"}), cpu="high", least=2, most=2)


def test_each_reason_is_told_in_words_and_fields() -> None:
    """C5: explain says why a task is not running."""
    desk = Desk(ONE, Profile("other", frozenset("o")), max_agents=1)
    long = TaskKind("long", Needs("general"), duration=10.0, priority=2)
    running = desk.submit(long)
    desk.engine.take()
    second = desk.submit(long)
    urgent = desk.submit(TaskKind("urgent", Needs("general"), duration=10.0, priority=4))
    after = desk.submit(after=(second.number, urgent.number))
    desk.engine.take()

    def explained(number: int) -> tuple[str, str, dict[str, object]]:
        found = desk.engine.explain(number, 2.0)
        assert json.dumps(found.to_dict())
        assert str(found) == found.text
        return found.reason, found.text, found.facts

    reason, text, facts = explained(running.number)
    assert reason == "assigned"
    assert facts["agent"] == "general-1"
    desk.engine.started("general-1", 1, running.number, 1, 0.5, 1.0)
    reason, text, facts = explained(running.number)
    assert (reason, facts["agent"], facts["seconds"]) == ("running", "general-1", 1.5)
    assert "general-1" in text
    reason, text, facts = explained(second.number)
    assert (reason, facts["place"]) == ("busy", 2)
    assert "1 suitable" in text
    assert "most" in str(facts["no_more_agents"])
    assert explained(urgent.number)[2]["place"] == 1
    reason, text, facts = explained(after.number)
    assert (reason, facts["dependencies"]) == ("dependencies", [second.id, urgent.id])
    assert explained(999)[0] == "unknown"

    desk.engine.pause(2.0)
    assert explained(second.number)[0] == "paused"
    desk.engine.resume(2.0)
    desk.engine.admission(False, frozenset(), 2.0)
    assert explained(second.number)[0] == "admission"
    desk.engine.admission(True, frozenset(), 2.0)
    desk.engine.cancel(running.number, "enough", 2.0)
    desk.engine.take()
    assert explained(running.number)[0] == "stopping"
    desk.finish(running)
    assert explained(running.number)[0] == "ended"


def test_a_retry_says_when_it_is_due() -> None:
    """C5: in seconds."""
    desk = Desk(ONE)
    task = desk.submit(TaskKind("w", Needs("general"), error_retries=1, retry_on=("ValueError",)))
    desk.engine.take()
    desk.engine.finished("general-1", 1, (1, 1, 1, (("ValueError",), "", "", None), 0.0, 0.0), 0.0)
    found = desk.engine.explain(task.number, 0.01)
    assert found.reason == "retry"
    assert 0 < found.facts["seconds"] < 0.1


def test_missing_capabilities_and_agents_that_are_not_there_are_named() -> None:
    """C5: what nobody offers, what is starting, what the limit forbids, what is ending."""
    desk = Desk(TWO, Profile("other", frozenset("o")), max_agents=3)
    waiting = desk.submit(TaskKind("o", Needs("other"), duration=9.0))
    desk.engine.take()
    found = desk.engine.explain(waiting.number, 0.0)
    assert (found.reason, found.facts["agent_type"]) == ("starting", "other")
    desk.engine.agent_starting("other-1", 1, Profile("other", frozenset("o")), 1, 0.0)
    desk.engine.take()
    found = desk.engine.explain(waiting.number, 0.0)
    assert (found.reason, found.facts["agents"]) == ("starting", {"other-1": "starting"})
    desk.engine.set_max_agents(2, 0.0)
    desk.engine.agent_gone("other-1", 1, AgentExit(None, AgentDied("dead")), 0.0)
    desk.engine.pause(0.0)
    desk.engine.resume(0.0)
    found = desk.engine.explain(waiting.number, 0.0)
    assert found.reason == "limit"
    assert "2 agents" in found.text
    lone = Desk(TWO)
    task = lone.submit(TaskKind("x", Needs(None, frozenset({"gpu", "general"}))))
    found = lone.engine.explain(task.number, 0.0)
    assert (found.reason, found.facts["missing"]) == ("unsuitable", ["gpu"])


def test_a_short_resource_is_named() -> None:
    """A1: two that take much of it do not start together."""
    desk = Desk(HIGH)
    desk.engine.admission(True, frozenset({"cpu"}), 0.0)
    desk.submit()
    task = desk.submit()
    desk.engine.take()
    found = desk.engine.explain(task.number, 0.0)
    assert (found.reason, found.facts["resources"]) == ("resource", ["cpu"])


def test_the_queue_counts_all_and_lists_as_many_as_asked() -> None:
    """C5: waiting, active, finished."""
    desk = Desk(ONE)
    kind = TaskKind("w", Needs("general"), duration=1.0)
    tasks = [desk.submit(kind) for _ in range(5)]
    desk.submit(kind, after=(tasks[4].number,))
    desk.engine.take()
    desk.finish(tasks[0])
    desk.engine.take()
    queue = desk.engine.queue(2)
    assert (queue.waiting, queue.ready, queue.active, queue.finished) == (4, 3, 1, 1)
    assert [info.id for info in queue.waiting_tasks] == ["t3", "t4"]
    assert [info.id for info in queue.active_tasks] == ["t2"]
    assert [info.id for info in queue.finished_tasks] == ["t1"]
    assert json.dumps(queue.to_dict())
    info = desk.engine.info(6)
    assert info is not None
    assert info.dependencies == ("t5",)
    assert desk.engine.info(99) is None


def test_an_idle_agent_that_is_held_back_is_no_reason_to_say_that_the_task_is_next() -> None:
    """C5: one kind of agent is held back by a shortage, the other one is busy."""
    able = frozenset({"y"})
    heavy, light = Profile("heavy", able, cpu="high", least=2, most=2), Profile("light", able, least=1, most=1)
    desk = Desk(heavy, light)
    kind = TaskKind("any", Needs(None, able), duration=10.0)
    desk.engine.admission(True, frozenset({"cpu"}), 0.0)
    tasks = [desk.submit(kind) for _ in range(2)]
    assert len(desk.assigned()) == 2
    waiting = desk.submit(TaskKind("more", Needs(None, able), duration=10.0))
    desk.engine.agent_drain("light-1", 0.0)
    desk.engine.take()
    assert {task.agent for task in tasks} >= {"light-1"}
    found = desk.engine.explain(waiting.number, 0.0)
    assert found.reason == "busy", found
    assert "held back while the machine is short" in found.text
