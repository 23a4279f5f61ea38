"""The scheduler's mind with a simulated fleet: what goes where and when."""

# The engine takes its facts as a flat list, yes and no among them.
# ruff: noqa: FBT003

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise

import pytest

from actors.core.decisions import Assign, Publish, Retire, Spawn
from actors.core.engine import Engine
from actors.core.profile import Profile
from actors.core.settings import EngineSettings
from actors.core.task import Needs, Task, TaskKind
from actors.errors import AgentLimitReached, ConfigError, NoSuitableAgent, SystemClosed, TaskCancelled
from actors.protocol.states import TaskStatus
from actors.testing.machines.fleet import SimFleet

WORK = TaskKind("work", Needs("general"))
ONE = Profile("general", frozenset({"general"}), least=1, most=1)
TWO = Profile("general", frozenset({"general"}), least=2, most=2)


class Desk:
    """An engine with agents that do only what a test says."""

    def __init__(self, *profiles: Profile, **settings: object) -> None:
        self.engine = Engine(EngineSettings(**settings), random.Random(0))  # type: ignore[arg-type]
        self.now = 0.0
        self.number = 0
        for profile in profiles:
            self.engine.profile_known(profile, 0.0)
            for index in range(profile.least):
                self.agent(profile, f"{profile.agent_type}-{index + 1}")

    def agent(self, profile: Profile, name: str) -> None:
        self.engine.agent_starting(name, 1, profile, profile.slots, self.now)
        self.engine.agent_ready(name, 1, self.now)

    def submit(self, kind: TaskKind = WORK, **fields: object) -> Task:
        self.number += 1
        task = Task(self.number, f"t{self.number}", kind, **fields)  # type: ignore[arg-type]
        self.engine.submit(task, self.now)
        return task

    def assigned(self) -> list[tuple[str, int]]:
        return [(d.agent, d.task.number) for d in self.engine.take() if isinstance(d, Assign)]

    def finish(self, task: Task, seconds: float = 1.0) -> None:
        self.now += seconds
        assert task.agent is not None
        fields = (task.number, task.attempt, 0, b"", self.now - seconds, self.now)
        self.engine.finished(task.agent, task.incarnation, fields, self.now)


def test_higher_priority_goes_first_then_earlier() -> None:
    """D2: whatever the order of submission within the line."""
    fleet = SimFleet(ONE)
    fleet.submit(("run", 1.0))
    fleet.run(until=0.5)
    kinds = {n: TaskKind("work", Needs("general"), priority=n) for n in (1, 2, 3, 4)}
    tasks = [fleet.submit(("run", 1.0), kind=kinds[n]) for n in (1, 3, 2, 4, 2, 3)]
    fleet.run()
    order = [task.number for _, _, task, _ in fleet.runs[1:]]
    assert order == [tasks[i].number for i in (3, 1, 5, 2, 4, 0)]


def test_the_oldest_gets_every_sixteenth_dispatch() -> None:
    """D2: ageing, with a stream of more urgent work."""
    fleet = SimFleet(ONE)
    fleet.submit(("run", 1.0))
    fleet.run(until=0.5)
    low = fleet.submit(("run", 0.2), kind=TaskKind("low", Needs("general"), priority=1))
    high = TaskKind("high", Needs("general"), priority=3, duration=1.0)
    for _ in range(40):
        fleet.submit(("run", 0.2), kind=high)
    fleet.run()
    place = [task.number for _, _, task, _ in fleet.runs].index(low.number)
    assert 10 <= place <= 16


def test_a_task_goes_only_to_agents_of_its_type_with_its_capabilities() -> None:
    """C3: type if named, all capabilities."""
    ocr = Profile("ocr", frozenset({"text", "image"}), least=1)
    plain = Profile("plain", frozenset({"text"}), least=1)
    desk = Desk(ocr, plain)
    a = desk.submit(TaskKind("a", Needs(None, frozenset({"image"}))))
    b = desk.submit(TaskKind("b", Needs("plain")))
    assert dict(desk.assigned()) == {"ocr-1": a.number, "plain-1": b.number}


def test_the_agent_with_the_fewest_surplus_capabilities_is_preferred() -> None:
    """C4: the specialist is kept free for what only it can do."""
    ocr = Profile("ocr", frozenset({"text", "image", "pdf"}), least=1)
    plain = Profile("plain", frozenset({"text"}), least=1)
    desk = Desk(ocr, plain)
    desk.submit(TaskKind("a", Needs(None, frozenset({"text"}))))
    assert desk.assigned() == [("plain-1", 1)]


def test_free_resources_and_a_preferred_type_count() -> None:
    """C4: the weights that are named."""
    desk = Desk(TWO)
    desk.engine.agent_measured("general-1", 1, (10.0, 10.0), True, 0.0)
    desk.submit()
    assert desk.assigned() == [("general-2", 1)]
    like = frozenset({"text"})
    desk = Desk(Profile("p", like, least=1), Profile("q", like, least=1))
    desk.submit(TaskKind("a", Needs(None, like), prefers="q"))
    assert desk.assigned() == [("q-1", 1)]


def test_an_agent_over_its_soft_limit_gets_nothing_new() -> None:
    """C3: inside its limits."""
    desk = Desk(TWO)
    desk.engine.agent_measured("general-1", 1, (90.0, 90.0), False, 0.0)
    for _ in range(2):
        desk.submit(TaskKind("work", Needs("general"), duration=1.0))
    assert desk.assigned() == [("general-2", 1)]
    desk.engine.agent_measured("general-1", 1, (90.0, 90.0), True, 0.0)
    assert desk.assigned() == [("general-1", 2)]


def test_round_robin_takes_agents_in_turn() -> None:
    """C4: each once before any twice."""
    profile = Profile("general", frozenset({"general"}), least=4, most=4)
    desk = Desk(profile, policy="round_robin")
    seen = []
    for _ in range(8):
        task = desk.submit()
        seen += [agent for agent, _ in desk.assigned()]
        desk.finish(task)
        desk.engine.take()
    assert seen[:4] == seen[4:]
    assert len(set(seen)) == 4


def test_least_loaded_takes_the_one_with_the_fewest_tasks() -> None:
    """C4: counted in tasks that it holds."""
    profile = Profile("general", frozenset({"general"}), slots=3, least=3, most=3)
    desk = Desk(profile, policy="least_loaded")
    for _ in range(7):
        desk.submit()
    assert sorted(Counter(agent for agent, _ in desk.assigned()).values()) == [2, 2, 3]


def test_a_key_sticks_to_its_agent() -> None:
    """C4: the same agent as long as it is free."""
    profile = Profile("general", frozenset({"general"}), least=4, most=4)
    desk = Desk(profile)
    seen = {}
    for _ in range(5):
        for key in "abc":
            task = desk.submit(key=key)
            ((agent, _),) = desk.assigned()
            assert seen.setdefault(key, agent) == agent
            desk.finish(task)
            desk.engine.take()


def test_tasks_with_the_same_inputs_go_to_the_agent_that_has_them_warm() -> None:
    """D10: one of many idle agents, and in a row from the line."""
    profile = Profile("general", frozenset({"general"}), least=30, most=30)
    desk = Desk(profile, max_agents=30)
    inputs = frozenset({"big.csv"})
    first = desk.submit(inputs=inputs)
    ((warm, _),) = desk.assigned()
    desk.finish(first)
    desk.engine.take()
    desk.submit(inputs=inputs)
    assert desk.assigned() == [(warm, 2)]

    fleet = SimFleet(TWO)
    short = TaskKind("read", Needs("general"), duration=0.01)
    for index in range(60):
        fleet.submit(("run", 0.01), kind=short, inputs=frozenset({f"file{index % 3}"}))
    fleet.run()
    names = [next(iter(task.inputs)) for _, agent, task, _ in fleet.runs if agent == "general-1"]
    switches = sum(a != b for a, b in pairwise(names))
    assert switches < len(names) / 2


def test_a_pluggable_score_decides() -> None:
    """C4: the program's own worth of an agent."""
    settings = {"score": lambda _, agent: float(agent.id[-1])}
    desk = Desk(Profile("general", frozenset({"general"}), least=5, most=5), **settings)
    desk.submit()
    assert desk.assigned() == [("general-5", 1)]


def test_unknown_work_gets_one_ahead_long_work_none_and_short_work_more() -> None:
    """A4: how many tasks an agent holds depends on how long they took."""
    for duration, held in ((None, 2), (60.0, 1), (0.1, 1), (0.05, 5), (0.00001, 256), (0.001, 5)):
        desk = Desk(ONE)
        for _ in range(300):
            desk.submit(TaskKind("work", Needs("general"), duration=duration))
        assert len(desk.assigned()) == held, duration
        desk.engine.check()


def test_what_is_sent_ahead_follows_what_was_measured() -> None:
    """A4: a duration that was only said counts until there is history."""
    desk = Desk(ONE)
    kind = TaskKind("work", Needs("general"), duration=60.0)
    tasks = [desk.submit(kind) for _ in range(300)]
    desk.engine.take()
    desk.finish(tasks[0], seconds=0.00001)
    assert len(desk.assigned()) == 256


def test_work_sent_ahead_is_stolen_by_an_agent_that_falls_idle() -> None:
    """C4: a task behind a long one does not wait for it."""
    fleet = SimFleet(TWO, settings=EngineSettings(max_agents=2))
    quick = TaskKind("quick", Needs("general"), duration=0.01)
    fleet.submit(("run", 100.0), kind=quick)
    for _ in range(7):
        fleet.submit(("run", 0.01), kind=quick)
    fleet.run(until=5.0)
    assert sum(fleet.resolved.values()) == 7
    fleet.run()
    assert set(fleet.resolved.values()) == {1}
    assert all(task.attempt == 1 for _, _, task, _ in fleet.runs)


def test_even_very_short_work_does_not_stay_behind_a_long_task() -> None:
    """C4: when it should have been done by now, it is taken back."""
    fleet = SimFleet(TWO)
    tiny = TaskKind("tiny", Needs("general"), duration=0.00001)
    fleet.submit(("run", 100.0), kind=tiny)
    for _ in range(50):
        fleet.submit(("run", 0.00001), kind=tiny)
    fleet.run(until=5.0)
    assert sum(fleet.resolved.values()) == 50


def test_agents_are_started_for_ready_work_up_to_the_limit() -> None:
    """C2: no more than there is work for, no more than the limit."""
    fleet = SimFleet(settings=EngineSettings(max_agents=3))
    fleet.submit(("run", 1.0))
    fleet.run(until=0.5)
    assert len(fleet.agents) == 1
    for _ in range(10):
        fleet.submit(("run", 1.0))
    fleet.run()
    assert fleet.most_agents == 3


def test_work_that_is_done_soon_starts_no_further_agent() -> None:
    """C2: scaling follows the backlog by measured durations."""
    fleet = SimFleet()
    fleet.submit(("run", 0.001))
    fleet.run(until=1.0)
    for _ in range(20):
        fleet.submit(("run", 0.001))
    fleet.run(until=2.0)
    assert len(fleet.agents) == 1


def test_idle_agents_above_the_least_end_and_those_at_the_least_stay() -> None:
    """C2: after 60 s."""
    fleet = SimFleet(Profile("general", frozenset({"general"}), least=1))
    for _ in range(5):
        fleet.submit(("run", 1.0))
    fleet.run(until=30.0)
    assert sum(agent.alive for agent in fleet.agents.values()) == 5
    fleet.run(until=200.0)
    assert sum(agent.alive for agent in fleet.agents.values()) == 1


def test_an_idle_agent_gives_its_place_to_a_type_that_is_needed() -> None:
    """C2: the limit is no reason to wait for the idle timeout; nor is other work that came later."""
    a, b = Profile("a", frozenset("a")), Profile("b", frozenset("b"))
    fleet = SimFleet(a, b, settings=EngineSettings(max_agents=2))
    for _ in range(2):
        fleet.submit(("run", 0.5), kind=TaskKind("a", Needs("a")))
    fleet.run(until=10.0)
    needed = fleet.submit(("run", 0.5), kind=TaskKind("b", Needs("b")))
    fleet.run(until=12.0)
    assert needed.status is TaskStatus.COMPLETED

    fleet = SimFleet(a, b, settings=EngineSettings(max_agents=1))
    slow = TaskKind("a", Needs("a"), duration=1.0)
    fleet.submit(("run", 1.0), kind=slow)
    fleet.run(until=0.5)
    needed = fleet.submit(("run", 1.0), kind=TaskKind("b", Needs("b")))
    for _ in range(20):
        fleet.submit(("run", 1.0), kind=slow)
    fleet.run(until=5.0)
    assert needed.status is TaskStatus.COMPLETED


def test_no_place_for_ever_is_an_error_and_not_a_wait() -> None:
    """C1: the limit is used up by what the program itself asked for."""
    desk = Desk(TWO, Profile("other"), max_agents=2)
    task = desk.submit(TaskKind("x", Needs("other")))
    desk.engine.take()
    assert isinstance(task.error, AgentLimitReached)
    assert "max_agents" in str(task.error)


def test_what_nobody_offers_fails_at_once() -> None:
    """C3: the error names what is missing."""
    desk = Desk(TWO)
    task = desk.submit(TaskKind("x", Needs(None, frozenset({"gpu"}))))
    later = desk.submit(after=(task.number,))
    desk.engine.take()
    assert isinstance(task.error, NoSuitableAgent)
    assert task.error.requires == ("gpu",)
    assert later.status is TaskStatus.FAILED


def test_a_type_that_cannot_start_fails_its_tasks_until_it_is_mended() -> None:
    """F2: nobody waits for agents that will not come; others' work goes on."""
    sick, well = Profile("sick", frozenset("s")), Profile("well", frozenset("w"), least=1)
    desk = Desk(sick, well)
    kind = TaskKind("x", Needs("sick"))
    waiting = desk.submit(kind)
    assert any(isinstance(decision, Spawn) for decision in desk.engine.take())
    cause = RuntimeError("no such module")
    desk.engine.type_failed("sick", cause, 0.0)
    desk.engine.spawn_failed("sick", 0.0)
    later = desk.submit(kind)
    other = desk.submit(TaskKind("y", Needs("well")))
    desk.engine.take()
    for task in (waiting, later):
        assert isinstance(task.error, NoSuitableAgent)
        assert task.error.__cause__ is cause
    assert other.status is TaskStatus.ASSIGNED
    desk.engine.type_mended("sick", 0.0)
    desk.submit(kind)
    assert any(isinstance(decision, Spawn) for decision in desk.engine.take())
    desk.engine.check()


def test_nothing_starts_while_the_machine_is_short_of_memory() -> None:
    """E3: and goes on by itself afterwards."""
    desk = Desk(TWO)
    desk.engine.admission(False, frozenset({"memory"}), 0.0)
    desk.submit()
    assert desk.assigned() == []
    assert desk.engine.explain(1, 0.0).reason == "admission"
    desk.engine.admission(True, frozenset(), 0.0)
    assert len(desk.assigned()) == 1


def test_two_that_take_much_of_what_is_short_do_not_run_together() -> None:
    """A1: resource class high, of two types; others go on."""
    a = Profile("a", frozenset("a"), cpu="high", least=2)
    b = Profile("b", frozenset("b"), cpu="high", least=1)
    c = Profile("c", frozenset("c"), least=1)
    desk = Desk(a, b, c)
    desk.engine.admission(True, frozenset({"cpu"}), 0.0)
    tasks = [desk.submit(TaskKind(name, Needs(name))) for name in "aabc"]
    assert sorted(number for _, number in desk.assigned()) == [1, 4]
    assert desk.engine.explain(2, 0.0).reason == "resource"
    desk.finish(tasks[0])
    assert len(desk.assigned()) == 1
    desk.engine.admission(True, frozenset(), 0.0)
    assert len(desk.assigned()) == 1
    desk.engine.check()


def test_pause_holds_new_work_and_resume_lets_it_go() -> None:
    """H4: from outside."""
    desk = Desk(ONE)
    desk.engine.pause(0.0)
    desk.submit()
    assert desk.assigned() == []
    desk.engine.resume(0.0)
    assert len(desk.assigned()) == 1


def test_a_closed_engine_takes_no_more() -> None:
    """F2: the error comes at submission."""
    desk = Desk(ONE)
    desk.engine.close(0.0)
    with pytest.raises(SystemClosed):
        desk.submit()


def test_finished_tasks_are_kept_up_to_a_number_and_an_age() -> None:
    """D9: then forgotten."""
    desk = Desk(ONE, kept_tasks=3, kept_seconds=100.0)
    for _ in range(5):
        task = desk.submit()
        desk.engine.take()
        desk.finish(task)
    desk.engine.take()
    assert [task.number for task in desk.engine.tasks()] == [3, 4, 5]
    due = desk.engine.next_due()
    while due is not None and due < 200.0:
        desk.engine.tick(due)
        desk.engine.take()
        due = desk.engine.next_due()
    assert list(desk.engine.tasks()) == []


def test_only_wanted_events_are_made() -> None:
    """B5: no listener, no event."""
    desk = Desk(ONE)
    task = desk.submit()
    assert not [d for d in desk.engine.take() if isinstance(d, Publish)]
    desk.engine.wanted = frozenset({"TaskCompleted", "TaskSubmitted"})
    desk.engine.utc_offset = 1000.0
    desk.finish(task)
    desk.submit()
    events = [d.event for d in desk.engine.take() if isinstance(d, Publish)]
    assert [type(event).__name__ for event in events] == ["TaskCompleted", "TaskSubmitted"]
    assert events[0].time == 1001.0


def test_a_million_that_wait_for_nobody_do_not_touch_the_rest() -> None:
    """D2: no structure that serves one task grows with what cannot be served."""
    desk = Desk(ONE, Profile("far", frozenset("f"), most=0))
    for _ in range(20_000):
        desk.submit(TaskKind("far", Needs("far"), priority=4))
    desk.engine.take()
    book = desk.engine._book  # sizes are what is promised
    desk.submit()
    assert desk.assigned() == [("general-1", 20_001)]
    general = next(skill for skill in book.fleet.skills.values() if skill.type.name == "general")
    assert sum(map(len, general.heaps)) <= 1
    assert not book.fresh
    assert not book.stirred
    assert len(book.timers) < 5


def test_a_limit_that_is_lowered_ends_idle_agents() -> None:
    """C1: how many there may be can change."""
    profile = Profile("general", frozenset({"general"}))
    desk = Desk(profile)
    for index in range(3):
        desk.agent(profile, f"general-{index}")
    desk.engine.take()
    desk.engine.set_max_agents(1, 0.0)
    assert sum(isinstance(decision, Retire) for decision in desk.engine.take()) == 2
    assert desk.engine.room_for("general").startswith("the limit")


def test_cancel_in_each_status() -> None:
    """D6: waiting and sent ahead at once, running when it has stopped, ended not at all."""
    fleet = SimFleet(ONE)
    running = fleet.submit(("run", 10.0))
    ahead = fleet.submit(("run", 10.0))
    waiting = fleet.submit(("run", 10.0))
    blocked = fleet.submit(after=(waiting.number,))
    fleet.run(until=1.0)
    for task in (waiting, ahead, running):
        assert fleet.engine.cancel(task.number, "unwanted", fleet.now)
    fleet.settle()
    assert waiting.status is TaskStatus.CANCELLED
    assert ahead.status is TaskStatus.CANCELLED
    assert blocked.status is TaskStatus.FAILED
    assert not running.final
    assert fleet.engine.cancel(running.number, "again", fleet.now)
    fleet.run(until=2.0)
    assert running.status is TaskStatus.CANCELLED
    assert isinstance(running.error, TaskCancelled)
    assert running.error.reason == "unwanted"
    assert not fleet.engine.cancel(running.number, "late", fleet.now)
    assert not fleet.engine.cancel(999, "unknown", fleet.now)
    fleet.run()
    assert len(fleet.runs) == 1
    assert set(fleet.resolved.values()) == {1}


def test_bad_settings_are_refused() -> None:
    """A4: the error names key and value."""
    with pytest.raises(ConfigError, match="max_agents"):
        EngineSettings(max_agents=0)
    with pytest.raises(ConfigError, match="policy"):
        EngineSettings(policy="best-ever")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="least"):
        Profile("x", least=3, most=2)
    with pytest.raises(ConfigError, match="memory"):
        Profile("x", memory="huge")


def test_agents_beyond_a_number_that_was_lowered_end_when_they_are_idle() -> None:
    """C2: an idle one at once, a busy one after its task; one that is asked for by name then stays."""
    desk = Desk(TWO)
    busy = [desk.submit(), desk.submit()]
    assert len(desk.assigned()) == 2
    desk.engine.profile_known(ONE, desk.now)
    assert not [d for d in desk.engine.take() if isinstance(d, Retire)]
    assert desk.engine.missing("general") == 0
    desk.finish(busy[0])
    (retired,) = [d for d in desk.engine.take() if isinstance(d, Retire)]
    assert retired.agent == busy[0].agent
    desk.finish(busy[1])
    assert not [d for d in desk.engine.take() if isinstance(d, Retire)]
    desk.engine.profile_known(TWO, desk.now)
    assert desk.engine.missing("general") == 1
    desk.engine.agent_requested("general", desk.now)
    assert desk.engine.missing("general") == 0
