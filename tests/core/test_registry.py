"""Who is there: ids, groups, incarnations, silence, dead letters."""

from __future__ import annotations

import json
from typing import Any

import pytest

from actors.core.registry import Overdue, Registry
from actors.core.subscriptions import Subject
from actors.errors import ConfigError
from actors.protocol.messages import ALL, HUB, SCHEDULER, Heartbeat, Registration, job_group, type_group
from actors.protocol.states import AgentState


def registration(agent: str, agent_type: str = "a", incarnation: int = 1, **other: Any) -> Registration:
    """What an agent says of itself."""
    fields: dict[str, Any] = {
        "agent": agent,
        "type": agent_type,
        "incarnation": incarnation,
        "pid": 42,
        "host_name": "here",
        "capabilities": ("b", "a"),
        "limits": {"memory": 1},
        "started_at": 1000.0,
        "status": 0,
    }
    return Registration(**(fields | other))


def beat(agent: str, incarnation: int = 1, state: AgentState = AgentState.IDLE) -> Heartbeat:
    """A sign of life."""
    return Heartbeat(agent, incarnation, 1010.0, int(state), 7, 2048, 1.5, 9, 10.0, 2, 5)


def alive(registry: Registry, agent_type: str = "a", now: float = 0.0, job: str | None = None) -> str:
    """An agent that has become idle."""
    agent = registry.new_id(agent_type)
    registry.starting(agent, agent_type, 1, now, job)
    assert registry.register(registration(agent, agent_type), now)
    assert registry.heartbeat(beat(agent), now) is AgentState.INITIALIZING
    return agent


def test_ids_are_readable_and_the_lowest_that_is_free() -> None:
    """A3: `file_analyzer-2`."""
    registry = Registry()
    assert [alive(registry, "file_analyzer") for _ in range(3)] == [f"file_analyzer-{n}" for n in (1, 2, 3)]
    registry.gone("file_analyzer-3", 1, 0)
    registry.gone("file_analyzer-1", 1, 0)
    assert registry.new_id("file_analyzer") == "file_analyzer-1"
    assert registry.new_id("file_analyzer") == "file_analyzer-3"
    assert registry.new_id("file_analyzer") == "file_analyzer-4"
    assert registry.new_id("other") == "other-1"


def test_an_id_is_taken_as_soon_as_it_is_handed_out_and_can_be_given_back() -> None:
    """A3: two starts at the same time never share an id."""
    registry = Registry()
    assert registry.new_id("a") == "a-1"
    assert registry.new_id("a") == "a-2"
    registry.release_id("a-1", "a")
    registry.release_id("a-1", "a")
    registry.release_id("a-99", "a")
    assert [registry.new_id("a"), registry.new_id("a")] == ["a-1", "a-3"]


def test_an_id_that_somebody_brought_is_not_handed_out() -> None:
    """A3: ids are unique."""
    registry = Registry()
    registry.starting("a-1", "a", 1, 0)
    assert registry.new_id("a") == "a-2"


def test_a_replacement_keeps_the_id_and_counts_up_the_incarnation() -> None:
    """A3: replacement."""
    registry = Registry()
    agent = alive(registry)
    assert registry.gone(agent, 1, 5, replaced=True) is not None
    assert agent in registry
    assert not registry.is_ready(agent)
    registry.starting(agent, "a", 2, 5)
    assert registry.incarnation(agent) == 2
    assert registry.register(registration(agent, incarnation=2), 6)
    assert registry.heartbeat(beat(agent, 2), 6) is AgentState.INITIALIZING
    assert registry.is_ready(agent)


@pytest.mark.parametrize(("agent_type", "incarnation"), [("b", 2), ("a", 1), ("a", 0)])
def test_an_id_cannot_be_taken_over(agent_type: str, incarnation: int) -> None:
    """A3: by another type, or an incarnation that is not later."""
    registry = Registry()
    alive(registry)
    with pytest.raises(ConfigError, match="cannot take its place"):
        registry.starting("a-1", agent_type, incarnation, 0)


def test_what_an_old_incarnation_says_is_dropped() -> None:
    """A3: registration, heartbeat, move and end of an incarnation that is past."""
    registry = Registry()
    agent = alive(registry)
    registry.gone(agent, 1, 0, replaced=True)
    registry.starting(agent, "a", 2, 0)
    assert not registry.register(registration(agent), 1)
    assert registry.heartbeat(beat(agent), 1) is None
    assert registry.moved(agent, 1, AgentState.WORKING, 1) is None
    assert registry.gone(agent, 1, 1) is None
    assert not registry.set_unresponsive(agent, 1)
    status = registry.status(agent, 1)
    assert status is not None
    assert (status.incarnation, status.state) == (2, AgentState.INITIALIZING)


def test_nothing_is_taken_from_an_agent_that_has_not_registered() -> None:
    """A3: registration comes first, and of the type that was started."""
    registry = Registry()
    registry.starting("a-1", "a", 1, 0)
    assert registry.heartbeat(beat("a-1"), 0) is None
    assert not registry.register(registration("a-1", "b"), 0)
    assert not registry.register(registration("stranger"), 0)


def test_an_agent_is_ready_when_it_was_idle_and_not_when_its_start_failed() -> None:
    """A2: a failed start is initializing, error, terminating."""
    registry = Registry()
    registry.starting("a-1", "a", 1, 0)
    registry.register(registration("a-1"), 0)
    registry.heartbeat(beat("a-1", state=AgentState.INITIALIZING), 0)
    registry.moved("a-1", 1, AgentState.ERROR, 0)
    registry.moved("a-1", 1, AgentState.TERMINATING, 0)
    assert not registry.is_ready("a-1")
    assert registry.next_overdue() is None


def test_recipients_are_an_agent_all_a_type_a_job_the_hub_or_nobody() -> None:
    """B1: who a recipient is."""
    registry = Registry()
    first, second = alive(registry, job="night"), alive(registry)
    other = alive(registry, "b", job="night")
    assert registry.resolve(first) == [first]
    assert registry.resolve(ALL) == [first, second, other]
    assert registry.resolve(type_group("a")) == [first, second]
    assert registry.resolve(job_group("night")) == [first, other]
    assert registry.resolve(HUB) == [HUB]
    assert registry.resolve(SCHEDULER) == [SCHEDULER]
    assert registry.resolve("nobody") == registry.resolve(type_group("x")) == registry.resolve(job_group("x")) == []
    assert registry.is_group(type_group("x"))
    assert not registry.is_group("nobody")


def test_an_agent_belongs_to_a_job_as_long_as_it_works_for_it() -> None:
    """B5: the scope `local`."""
    registry = Registry()
    agent = alive(registry)
    registry.joins(agent, "j")
    registry.joins(agent, "j")
    registry.leaves(agent, "j")
    assert registry.resolve(job_group("j")) == [agent]
    assert registry.subject(agent) == Subject("a", frozenset({"j"}))
    registry.leaves(agent, "j")
    registry.leaves(agent, "j")
    registry.leaves("nobody", "j")
    registry.joins("nobody", "j")
    assert registry.resolve(job_group("j")) == []
    assert registry.subject("nobody") is None


def test_the_jobs_of_an_agents_tasks_end_with_it_and_its_own_does_not() -> None:
    """B5: a replacement works for what it is given itself."""
    registry = Registry()
    agent = registry.new_id("a")
    registry.starting(agent, "a", 1, 0.0, "own")
    registry.joins(agent, "j", 1)
    registry.gone(agent, 1, 1.0, replaced=True)
    assert registry.subject(agent) == Subject("a", frozenset({"own"}))
    registry.joins(agent, "late", 1)
    registry.starting(agent, "a", 2, 2.0)
    registry.joins(agent, "later", 1)
    registry.joins(agent, "j", 2)
    registry.leaves(agent, "j", 1)
    assert registry.subject(agent) == Subject("a", frozenset({"own", "j"}))
    assert registry.resolve(job_group("late")) == registry.resolve(job_group("later")) == []
    registry.check()


def test_silence_is_noticed_the_longest_first_and_again_a_period_later() -> None:
    """A5: missed heartbeats."""
    registry = Registry(60)
    first, second, third = (alive(registry, now=n) for n in (0.0, 10.0, 20.0))
    registry.heartbeat(beat(first), 30.0)
    assert registry.overdue(70) == []
    assert registry.next_overdue() == 70
    assert registry.overdue(81) == [Overdue(second, 1, 71), Overdue(third, 1, 61)]
    assert registry.overdue(82) == []
    assert registry.overdue(91) == [Overdue(first, 1, 61)]
    assert registry.overdue(142) == [Overdue(second, 1, 132), Overdue(third, 1, 122)]


def test_a_busy_silent_agent_is_shown_as_unresponsive_until_it_is_heard() -> None:
    """A5: C code that holds the interpreter."""
    registry = Registry()
    agent = alive(registry)
    assert registry.set_unresponsive(agent, 1)
    status = registry.status(agent, 90)
    assert status is not None
    assert status.unresponsive
    assert status.silence == 90
    registry.heartbeat(beat(agent), 91)
    status = registry.status(agent, 91)
    assert status is not None
    assert not status.unresponsive


def test_agents_that_are_starting_are_not_overdue() -> None:
    """A5: a start has its own time limit."""
    registry = Registry(60)
    registry.starting("a-1", "a", 1, 0)
    assert registry.overdue(1000) == []


def test_the_end_names_the_watchers_once() -> None:
    """F2: death watch."""
    registry = Registry()
    agent = alive(registry)
    assert registry.watch("w1", agent)
    assert registry.watch("w2", agent)
    assert registry.watch("w1", agent)
    assert not registry.watch("w1", "nobody")
    departure = registry.gone(agent, 1, 3)
    assert departure is not None
    assert departure.watchers == ("w1", "w2")
    assert departure.status.state is AgentState.IDLE
    assert registry.gone(agent, 1, 3) is None


def test_dead_letters_are_counted_and_the_last_are_kept() -> None:
    """B1: dead letters, in bounded memory."""
    registry = Registry()
    for number in range(1500):
        registry.dead_letter("nobody", f"m{number}", "me", 1.0)
    assert registry.dead_letter_count == 1500
    kept = registry.dead_letters()
    assert len(kept) == 1000
    assert kept[-1] == ("nobody", "m1499", "me", 1.0)


def test_a_status_is_complete_and_prints_as_json() -> None:
    """C5: status."""
    registry = Registry()
    agent = alive(registry, job="j")
    registry.starting("a-9", "a", 1, 0)
    (status, fresh) = registry.statuses(4.0)
    assert json.loads(json.dumps(status.to_dict())) == {
        "agent": agent,
        "agent_type": "a",
        "incarnation": 1,
        "state": "idle",
        "pid": 42,
        "host_name": "here",
        "capabilities": ["a", "b"],
        "limits": {"memory": 1},
        "jobs": ["j"],
        "started_at": 1000.0,
        "uptime": 10.0,
        "last_heartbeat": 1010.0,
        "silence": 4.0,
        "unresponsive": False,
        "task": 7,
        "tasks_assigned": 2,
        "tasks_done": 5,
        "memory_kb": 2048,
        "cpu_percent": 1.5,
        "open_files": 9,
    }
    assert (fresh.state, fresh.pid, fresh.last_heartbeat) == (AgentState.INITIALIZING, None, None)
    assert registry.types() == {"a": 2}
    assert registry.status("nobody", 0) is None
