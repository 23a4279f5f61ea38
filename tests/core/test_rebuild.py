"""A failure on any line of the scheduler's mind: no task stands in between, each comes to one outcome."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from actors.core.profile import Profile
from actors.core.retry import Backoff
from actors.core.settings import EngineSettings
from actors.core.task import Needs, Task, TaskKind
from actors.protocol.states import TaskStatus
from actors.testing.machines import fleet
from actors.testing.machines.fallible import FallibleEngine
from actors.testing.machines.fleet import SimFleet

PLAIN = Profile("general", frozenset({"general"}), least=1, most=2)
HEAVY = Profile("heavy", frozenset({"general", "big"}), cpu="high", most=1)
WIDE = Profile("wide", frozenset({"wide"}), slots=2, most=1)
WORK = TaskKind("work", Needs("general"), retries=2, error_retries=1, retry_on=("ValueError",))

Scenario = Callable[[SimFleet], None]


def outcomes(sim: SimFleet) -> None:
    """Results, errors, retries, exits, dependencies that hold and break, kept for a short time only."""
    first = sim.submit(("run", 0.01), kind=WORK)
    second = sim.submit(("run", 0.01), kind=WORK, after=(first.number,))
    fails = sim.submit(("raise", "builtins.ValueError"), kind=WORK)
    sim.submit(("run", 0.01), kind=WORK, after=(second.number, fails.number))
    sim.submit(("exit", 3), kind=WORK)
    last = sim.submit(("run", 0.01), kind=WORK, after=(second.number,), inputs=frozenset({"in"}), key="k")
    sim.submit(("run", 0.01), kind=TaskKind("nobody", Needs("nobody")))
    sim.run(until=0.2)
    sim.submit(("run", 0.01), kind=WORK, after=(last.number,))
    sim.engine.take_result(last.number)


def deaths(sim: SimFleet) -> None:
    """Agents that die and come again, with work that waits there, and work that must not run twice."""
    once = TaskKind("once", Needs("general"), retries=2, idempotent=False)
    sim.submit(("run", 0.002), ("die",), kind=WORK)
    for _ in range(5):
        sim.submit(("run", 0.002), kind=once)
        sim.submit(("run", 0.002), kind=WORK)
    sim.run(until=0.06)
    sim.die("general-1")


def cancellations(sim: SimFleet) -> None:
    """Cancelled while it waits, is sent ahead, runs, and will not stop; a time limit."""
    short = TaskKind("short", Needs("general"), timeout=0.05)
    tasks = [sim.submit(("run", 0.02), kind=WORK) for _ in range(8)]
    stubborn = sim.submit(("stubborn", 9.0), kind=WORK)
    sim.submit(("run", 1.0), kind=short)
    sim.submit(("run", 0.01), kind=WORK, after=(tasks[-1].number,))
    sim.run(until=0.08)
    for task in (tasks[-1], *tasks[:5], stubborn):
        sim.engine.cancel(task.number, "unwanted", sim.now)
        sim.settle()
    sim.run(until=0.3)
    sim.engine.cancel(stubborn.number, "unwanted", sim.now)


def families(sim: SimFleet) -> None:
    """Tasks that wait for their own, nested at the limit, also side by side."""
    wide = TaskKind("wide", Needs("wide"), retries=3)
    deep = (("call", (("call", (("run", 0.001),)),)),)
    for _ in range(3):
        sim.submit(("call", (("run", 0.002),), (("run", 0.002),)), kind=WORK)
        sim.submit(*deep, kind=WORK)
    sim.submit(("call", (("run", 0.002),)), kind=wide)
    sim.submit(("run", 0.002), kind=wide)


def circumstances(sim: SimFleet) -> None:
    """Pause, shortage, limits, drains, types that fail, and agents that come and go with the work."""
    big = TaskKind("big", Needs(None, frozenset({"big"})), duration=0.01)
    engine = sim.engine
    engine.pause(sim.now)
    for _ in range(4):
        sim.submit(("run", 0.01), kind=WORK)
        sim.submit(("run", 0.01), kind=big)
    engine.resume(sim.now)
    sim.run(until=0.07)
    engine.admission(True, frozenset({"cpu"}), sim.now)  # noqa: FBT003
    engine.agent_measured("general-1", 1, (5.0, 5.0), False, sim.now)  # noqa: FBT003
    sim.run(until=0.08)
    engine.admission(True, frozenset(), sim.now)  # noqa: FBT003
    engine.agent_measured("general-1", 1, (90.0, 90.0), True, sim.now)  # noqa: FBT003
    engine.agent_drain("general-1", sim.now)
    engine.type_failed("heavy", RuntimeError("it does not start"), sim.now)
    engine.spawn_failed("heavy", sim.now)
    sim.run(until=0.1)
    engine.type_mended("heavy", sim.now)
    engine.set_max_agents(1, sim.now)
    sim.run(until=0.15)
    engine.set_max_agents(3, sim.now)
    sim.submit(("run", 0.01), kind=WORK)
    sim.run(until=0.2)
    for name, agent in list(sim.agents.items()):
        engine.breached(name, agent.incarnation, "memory", 2.0, 1.0, sim.now)
        sim.settle()


def rests(sim: SimFleet) -> None:
    """Circuit breakers that open, probe and close, and dead letters that are run again, expire, and are too many."""
    shaky = TaskKind("shaky", Needs("general"), breaker=2)
    engine = sim.engine
    fails = [sim.submit(("raise", "builtins.ValueError"), kind=shaky) for _ in range(3)]
    waiting = [sim.submit(("run", 0.01), kind=shaky) for _ in range(4)]
    poison = sim.submit(("die",), ("die",), kind=replace(WORK, retries=1))
    sim.run(until=0.06)
    sim.submit(("run", 0.01), kind=WORK)
    engine.cancel(waiting[0].number, "unwanted", sim.now)
    sim.run(until=1.5)
    for dead in (poison, fails[2]):
        sim.number += 1
        engine.retry_dead(dead.number, dead.id, (sim.number, f"t{sim.number}", None), sim.now)
    sim.run(until=5.0)
    late = sim.submit(("run", 0.01), kind=TaskKind("big", Needs("heavy")))
    engine.unservable(late.number, RuntimeError("nobody can"), sim.now)


def resources(sim: SimFleet) -> None:
    """Named resources: waited for, held, lent, held crosswise, and given back by results, deaths, kills and cancellations."""
    gpu, licence = (
        replace(WORK, name=name, needs=Needs("general", resources=needed))
        for name, needed in (("gpu", (("gpu", 1_000_000),)), ("licence", (("licence", 2_000_000),)))
    )
    below = (licence, ("run", 0.002), ("call", (gpu, ("run", 0.002))))
    sim.submit(("run", 0.005), ("call", below, (gpu, ("run", 0.002))), kind=gpu)
    sim.submit(("call", (gpu, ("run", 0.002), ("call", (licence, ("run", 0.002))))), kind=licence)
    waiting = [sim.submit(("run", 0.01), kind=kind) for kind in (gpu, WORK, licence)]
    sim.run(until=0.06)
    sim.engine.cancel(waiting[0].number, "unwanted", sim.now)
    sim.die("general-1")
    late = sim.submit(("stubborn", 9.0), kind=gpu)
    sim.run(until=0.3)
    sim.engine.cancel(late.number, "unwanted", sim.now)
    sim.submit(("run", 0.01), kind=gpu)


def restarts(sim: SimFleet) -> None:
    """Tasks that an earlier life of the program has left."""
    ended, old = Task(1, "t1", WORK), Task(2, "t2", WORK, (("run", 0.01),))
    later = Task(3, "t3", WORK, (("run", 0.01),), after=(2,))
    # There was more in that life.
    needy = Task(4, "t4", replace(WORK, needs=Needs("general", resources=(("gpu", 2_000_000),))))
    ended.move(TaskStatus.CANCELLED)
    # Who waited for it was told in that life.
    sim.resolved[1], sim.number = 1, 4
    sim.engine.restore([ended], [later, old, needy], sim.now)
    sim.settle()


SCENARIOS: tuple[Scenario, ...] = (outcomes, deaths, cancellations, families, circumstances, rests, resources, restarts)
EVENTS = frozenset({"TaskSubmitted", "TaskAssigned", "TaskStarted", "TaskCompleted", "TaskFailed", "TaskRetried"})

SETTINGS = EngineSettings(
    max_agents=3,
    kept_seconds=5.0,
    kept_dead=3,
    kept_dead_seconds=2.0,
    breaker_cooldown=Backoff(0.2, limit=0.5),
    grace=0.1,
    resources=(("gpu", 1), ("licence", 3)),
)


def played(
    scenario: Scenario,
    monkeypatch: pytest.MonkeyPatch,
    failing: Mapping[int, Sequence[int]] | None = None,
    *,
    keep: bool = False,
) -> FallibleEngine:
    """Play a scenario to its end, where each task has its outcome, told once."""
    made: list[FallibleEngine] = []

    def make(settings: EngineSettings, rng: random.Random) -> FallibleEngine:
        made.append(FallibleEngine(settings, rng, failing or {}, keep=keep))
        made[-1].wanted = EVENTS
        return made[-1]

    with monkeypatch.context() as patch:
        patch.setattr(fleet, "Engine", make)
        sim = SimFleet(PLAIN, HEAVY, WIDE, seed=3, settings=SETTINGS)
    # The engine is checked after each failure; between them that would be most of the work.
    sim.checked = False
    scenario(sim)
    sim.run()
    made[0].check()
    told = [sim.resolved[number] for number in range(1, sim.number + 1)]
    assert told == [1] * sim.number, told
    for task in made[0].tasks():
        tries = [each.number for each in task.attempts("")]
        assert tries == sorted(set(tries)), task
    book: Any = made[0]._book
    assert not any(agent.held for agent in book.fleet.agents.values())
    # Whatever still knows a dead agent keeps none of its tasks.
    assert not any(getattr(timer[3], "fates", None) for timer in book.timers)
    assert not any(each.in_use or each.waiting for each in made[0].resources())
    return made[0]


def all_lines(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, tuple[int, int]]]:
    """Each line that a scenario executes, every time: its place, and (call, line in it)."""
    return [
        (place, (call, number))
        for call, (_, lines) in enumerate(played(scenario, monkeypatch, keep=True).calls, 1)
        for number, place in enumerate(lines, 1)
    ]


def first_lines(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> dict[Any, tuple[int, int]]:
    """The first time that a scenario executes each line."""
    return dict(reversed(all_lines(scenario, monkeypatch)))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_failure_on_a_line_leaves_no_task_in_between(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    """F1: each line of each step, its first time; afterwards all tables fit and each task ends once.

    Of the lines that an earlier scenario has as well, one of six.
    """
    lines = first_lines(scenario, monkeypatch)
    assert len(lines) > 400
    known = {place for earlier in SCENARIOS[: SCENARIOS.index(scenario)] for place in first_lines(earlier, monkeypatch)}
    for number, (place, (call, line)) in enumerate(lines.items()):
        if place not in known or number % 6 == 0:
            assert played(scenario, monkeypatch, {call: [line]}).failures


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_failure_on_any_line_at_any_time(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    """F1: every execution of every line."""
    for _, (call, line) in all_lines(scenario, monkeypatch):
        assert played(scenario, monkeypatch, {call: [line]}).failures


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_it_may_fail_again_while_it_is_made_anew(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    """F1: what is done about a failure can fail on any line itself."""
    rng = random.Random(1)
    for _, (call, line) in rng.sample(all_lines(scenario, monkeypatch), 40):
        assert played(scenario, monkeypatch, {call: [line, rng.randrange(1, 300), rng.randrange(1, 900)]}).failures
