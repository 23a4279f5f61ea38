"""A machine for the scheduler's mind."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.core.amounts import exact
from actors.core.engine import Engine
from actors.core.profile import Profile
from actors.core.retry import Backoff
from actors.core.settings import EngineSettings
from actors.core.task import Needs, Task, TaskKind
from actors.errors import CircuitOpen
from actors.protocol.messages import Outcome
from actors.protocol.states import TASK_MOVES, TaskStatus
from actors.testing.machines.fleet import Begun, FleetAgent
from actors.testing.machines.fleetmodel import FleetModel
from actors.testing.machines.promise import broken, must, must_be

__all__ = ["SchedulerMachine"]

_PROFILES = {
    "a": Profile("a", frozenset({"x", "y"}), cpu="high"),
    "b": Profile("b", frozenset({"y", "z"}), least=1),
    "c": Profile("c", frozenset({"x"}), slots=3, most=2),
}
_NEEDS = (
    Needs("a"),
    Needs("b"),
    Needs("c"),
    Needs(None, frozenset({"x"})),
    Needs(None, frozenset({"y"})),
    Needs(None, frozenset({"x", "y"})),
    Needs("a", frozenset({"z"})),
)
_RESOURCES: Mapping[str, float] = MappingProxyType({"gpu": 1, "licence": 3})
_AMOUNTS = tuple(map(exact, ((), (), [("gpu", 1)], [("gpu", 0.5)], [("licence", 2)], [("gpu", 1), ("licence", 1)])))
_ENDS = (Outcome.VALUE, Outcome.VALUE, Outcome.ERROR, Outcome.EXITED, Outcome.REFUSED)


class SchedulerMachine(RuleBasedStateMachine):
    """Drives an engine beside a fleet of simulated agents that do what its rules let them.

    Each rule is something that can happen: a program submits and cancels, agents come, begin, end, refuse, wait, die, the
    machine falls short of something, time passes. After each one all decisions are carried out and all must hold. The
    model is what really is: what each agent has in its hands, how often each task was told as ended. At the end all
    that holds work back is taken away, and each task comes to its outcome with nothing left in any table.

    Override `make` to drive another engine, `profiles` and `needs` for other agents and tasks.

    Example:
        >>> TestScheduler = SchedulerMachine.TestCase
    """

    profiles: ClassVar[Mapping[str, Profile]] = MappingProxyType(_PROFILES)
    needs: ClassVar[tuple[Needs, ...]] = _NEEDS

    def make(self, settings: EngineSettings) -> Engine:
        """The engine that is driven."""
        return Engine(settings, random.Random(0))  # noqa: S311 - the same jitter each time

    @initialize(
        data=st.data(),
        policy=st.sampled_from(["best", "least_loaded", "round_robin", "sticky"]),
        at_once=st.sampled_from([1, 2, 5]),
        ageing=st.sampled_from([0, 2, 16]),
        limit=st.sampled_from([4, 2, 1]),
    )
    def begins(self, data: st.DataObject, policy: Any, at_once: int, ageing: int, limit: int) -> None:
        """A scheduler that knows some of the agent types."""
        settings = EngineSettings(
            max_agents=limit,
            kept_tasks=1000,
            policy=policy,
            assigned_at_once=at_once,
            ageing=ageing,
            breaker_cooldown=Backoff(1.0, limit=5.0),
            resources=tuple(_RESOURCES.items()),
        )
        self.engine = self.make(settings)
        self.fleet = FleetModel(self.engine, self.profiles, settings.max_agents, dict(exact(_RESOURCES.items())))
        self.tasks: list[Task] = []
        self.statuses: dict[int, TaskStatus] = {}
        unknown = data.draw(st.sets(st.sampled_from(sorted(self.profiles))), label="unknown types")
        for name in sorted(set(self.profiles) - unknown):
            self.engine.profile_known(self.profiles[name], self.fleet.now)
        self.fleet.settle()

    def one(self, data: st.DataObject, fits: Callable[[FleetAgent], object] = bool) -> FleetAgent:
        """An agent for which `fits` is true; there must be one."""
        fitting = [agent for agent in self.fleet.agents.values() if fits(agent)]
        return data.draw(st.sampled_from(fitting), label="agent")

    # Rules: the program.

    @rule(
        data=st.data(),
        needs=st.integers(0, 99),
        count=st.integers(1, 3),
        priority=st.integers(1, 4),
        retries=st.integers(0, 2),
        timeout=st.sampled_from([None, 1.0]),
        idempotent=st.booleans(),
        breaker=st.sampled_from([0, 1, 2]),
        inputs=st.sampled_from([frozenset[str](), frozenset({"in"})]),
        key=st.sampled_from([None, "k"]),
        amounts=st.sampled_from(_AMOUNTS),
    )
    def submits(self, data: st.DataObject, needs: int, count: int, priority: int, retries: int, **fields: Any) -> None:
        """Tasks of a kind, perhaps after others, perhaps from inside one."""
        kind = TaskKind(
            f"p{priority}-{fields['breaker']}",
            self.needs[needs % len(self.needs)]._replace(resources=fields["amounts"]),
            priority=priority,
            retries=retries,
            error_retries=retries,
            retry_on=("ValueError",),
            timeout=fields["timeout"],
            idempotent=fields["idempotent"],
            breaker=fields["breaker"],
        )
        known = [task.number for task in self.tasks]
        after = data.draw(st.lists(st.sampled_from(known), max_size=2), label="after") if known else []
        parents = [begun.task.number for agent in self.fleet.agents.values() for begun in agent.running]
        parent = data.draw(st.none() | st.sampled_from(parents), label="parent") if parents else None
        for _ in range(count):
            number = len(self.tasks) + 1
            task = Task(
                number,
                f"t{number}",
                kind,
                after=tuple(after),
                parent=parent,
                inputs=fields["inputs"],
                key=fields["key"],
            )
            try:
                self.engine.submit(task, self.fleet.now)
            except CircuitOpen:
                must(kind.breaker, "F4", task, "is refused, and its type has no circuit breaker")
                break
            self.tasks.append(task)
            self.statuses[number] = TaskStatus.PENDING
        self.fleet.settle()

    @precondition(lambda self: self.tasks)
    @rule(data=st.data())
    def cancels(self, data: st.DataObject) -> None:
        """A task is not wanted any more."""
        task = data.draw(st.sampled_from(self.tasks), label="task")
        final = task.final
        must_be(
            self.engine.cancel(task.number, "unwanted", self.fleet.now), not final, "D6", "whether it can be cancelled"
        )
        self.fleet.settle()

    @precondition(lambda self: self.engine.queue(0).dead)
    @rule(data=st.data())
    def retries_a_dead_letter(self, data: st.DataObject) -> None:
        """A task that failed for good is to run again: a new task, in its place."""
        listed = [dead for dead, _ in self.engine.dead_letters(1000)]
        dead = data.draw(st.sampled_from(listed), label="dead letter")
        must(self.tasks[dead.number - 1].status is TaskStatus.FAILED, "F4", dead, "is listed and has not failed")
        number = len(self.tasks) + 1
        try:
            self.engine.retry_dead(dead.number, dead.id, (number, f"t{number}", None), self.fleet.now)
        except CircuitOpen:
            must_be(self.engine.queue(0).dead, len(listed), "F4", "dead letters after a refusal")
            return
        self.tasks += [task for task in self.engine.tasks() if task.number == number]
        must_be(len(self.tasks), number, "F4", "the tasks there are with the one that is run again")
        self.statuses[number] = TaskStatus.PENDING
        must_be(self.engine.queue(0).dead, len(listed) - 1, "F4", "dead letters")
        self.fleet.settle()

    @precondition(lambda self: len(self.fleet.agents) < 6)
    @rule(which=st.integers(0, 99))
    def spawns_by_hand(self, which: int) -> None:
        """The program starts an agent of its own accord."""
        name = sorted(self.profiles)[which % len(self.profiles)]
        self.fleet.spawned += 1
        self.fleet.launch(self.profiles[name], f"{name}-h{self.fleet.spawned}", 1)
        self.fleet.settle()

    @rule(limit=st.integers(1, 6))
    def limits_agents(self, limit: int) -> None:
        """The program changes how many agents there may be."""
        self.fleet.limit = limit
        self.engine.set_max_agents(limit, self.fleet.now)
        self.fleet.settle()

    @rule(paused=st.sampled_from([False, False, True]))
    def pauses_or_resumes(self, *, paused: bool) -> None:
        """The program holds work back, or no more."""
        self.fleet.paused = paused
        (self.engine.pause if paused else self.engine.resume)(self.fleet.now)
        self.fleet.settle()

    # Rules: agents.

    @precondition(lambda self: any(not agent.ready for agent in self.fleet.agents.values()))
    @rule(data=st.data())
    def an_agent_becomes_ready(self, data: st.DataObject) -> None:
        """An agent is idle for the first time."""
        agent = self.one(data, lambda agent: not agent.ready)
        agent.ready = True
        self.engine.agent_ready(agent.name, agent.incarnation, self.fleet.now)
        self.fleet.settle()

    @precondition(lambda self: self.fleet.agents)
    @rule(data=st.data(), replaced=st.booleans())
    def an_agent_dies(self, *, data: st.DataObject, replaced: bool) -> None:
        """An agent dies, whatever it does."""
        agent = self.one(data)
        self.fleet.die(agent, replaced=replaced)
        self.fleet.settle()

    @precondition(lambda self: any(agent.next() for agent in self.fleet.agents.values()))
    @rule(data=st.data(), told=st.booleans())
    def a_task_begins(self, *, data: st.DataObject, told: bool) -> None:
        """An agent begins a task, and may tell."""
        agent = self.one(data, FleetAgent.next)
        begun = agent.begin_next(self.fleet.now)
        if told:
            args = (agent.name, agent.incarnation, begun.task.number, begun.attempt, self.fleet.now, self.fleet.now)
            self.engine.started(*args)
        self.fleet.settle()

    @precondition(lambda self: any(agent.running for agent in self.fleet.agents.values()))
    @rule(data=st.data(), outcome=st.sampled_from(_ENDS), named=st.booleans())
    def a_task_ends(self, *, data: st.DataObject, outcome: Outcome, named: bool) -> None:
        """An agent ends a task: the innermost, or any of those that run side by side."""
        agent = self.one(data, lambda agent: agent.running)
        inner = agent.running[-1:] if agent.profile.slots == 1 else agent.running
        begun: Begun = data.draw(st.sampled_from(inner), label="task")
        agent.running.remove(begun)
        name = "builtins.ValueError" if named else "builtins.KeyError"
        payload = ((name,), "", "", None) if outcome is Outcome.ERROR else None
        self.fleet.report(agent, begun.task, begun.attempt, outcome, payload)
        self.fleet.settle()

    @precondition(lambda self: any(agent.recalls for agent in self.fleet.agents.values()))
    @rule(data=st.data())
    def an_agent_answers_a_recall(self, data: st.DataObject) -> None:
        """An agent gives back what it has not begun."""
        agent = self.one(data, lambda agent: agent.recalls)
        self.fleet.answer(agent)
        self.fleet.settle()

    @precondition(lambda self: any(agent.inbox for agent in self.fleet.agents.values()))
    @rule(data=st.data())
    def an_agent_refuses(self, data: st.DataObject) -> None:
        """An agent will not run a task."""
        agent = self.one(data, lambda agent: agent.inbox)
        item = agent.inbox.popleft()
        self.engine.refused(agent.name, agent.incarnation, item.task.number, item.attempt, "no", self.fleet.now)
        self.fleet.settle()

    @precondition(
        lambda self: any(agent.running and not agent.running[-1].waits for agent in self.fleet.agents.values())
    )
    @rule(data=st.data())
    def a_task_waits_for_children(self, data: st.DataObject) -> None:
        """A task gives its slot away."""
        agent = self.one(data, lambda agent: agent.running and not agent.running[-1].waits)
        begun = agent.running[-1]
        own = [task.number for task in self.tasks if task.parent == begun.task.number and not task.final]
        begun.waits.update(own or [begun.task.number + 1])
        self.engine.agent_waiting(agent.name, agent.incarnation, begun.task.number, tuple(begun.waits), self.fleet.now)
        self.fleet.settle()

    @precondition(lambda self: any(agent.running and agent.running[-1].waits for agent in self.fleet.agents.values()))
    @rule(data=st.data())
    def a_task_goes_on(self, data: st.DataObject) -> None:
        """A task has what it waited for."""
        agent = self.one(data, lambda agent: agent.running and agent.running[-1].waits)
        begun = agent.running[-1]
        begun.waits.clear()
        self.fleet.went_on.add((begun.task.number, begun.attempt))
        self.engine.agent_resumed(agent.name, agent.incarnation, begun.task.number, self.fleet.now)
        self.fleet.settle()

    @precondition(lambda self: self.fleet.agents)
    @rule(data=st.data())
    def an_agent_is_drained(self, data: st.DataObject) -> None:
        """An agent is to take no more work."""
        agent = self.one(data)
        self.engine.agent_drain(agent.name, self.fleet.now)
        self.fleet.settle()

    @precondition(lambda self: self.fleet.agents)
    @rule(data=st.data())
    def an_agent_reports_nonsense(self, data: st.DataObject) -> None:
        """Reports of attempts and incarnations that are not: dropped and counted."""
        busy = any(agent.tasks() for agent in self.fleet.agents.values())
        agent = self.one(data, FleetAgent.tasks if busy else bool)
        number = data.draw(st.integers(1, len(self.tasks) + 1), label="number")
        before = self.engine.stale
        stale = (number, 77, 0, None, self.fleet.now, self.fleet.now)
        self.engine.finished(agent.name, agent.incarnation, stale, self.fleet.now)
        # What is right but for the incarnation: an attempt that the agent holds, if there is one.
        real = next(((task.number, task.attempt, *stale[2:]) for task in agent.tasks()), stale)
        self.engine.finished(agent.name, agent.incarnation + 1, real, self.fleet.now)
        self.engine.recalled(agent.name, agent.incarnation + 1, [(number, 1)], self.fleet.now)
        must_be(self.engine.stale, before + 3, "D8", "how many reports were dropped")
        self.fleet.settle()

    # Rules: resources and time.

    @precondition(lambda self: any(agent.running for agent in self.fleet.agents.values()))
    @rule(data=st.data())
    def an_agent_breaches_a_limit(self, data: st.DataObject) -> None:
        """An agent goes over a hard limit, and is to be killed."""
        agent = self.one(data, lambda agent: agent.running)
        self.engine.breached(agent.name, agent.incarnation, "memory", 2.0, 1.0, self.fleet.now)
        self.fleet.settle()
        must(agent.doomed, "E2", agent.name, "is over its hard limit and goes on")

    @precondition(lambda self: self.fleet.agents)
    @rule(data=st.data(), inside=st.sampled_from([True, True, False]))
    def an_agent_is_measured(self, *, data: st.DataObject, inside: bool) -> None:
        """An agent is over a soft limit, or no more."""
        agent = self.one(data)
        self.engine.agent_measured(agent.name, agent.incarnation, (50.0, 20.0), inside, self.fleet.now)
        self.fleet.settle()

    @rule(admitting=st.sampled_from([True, True, False]), short=st.sets(st.sampled_from(["cpu", "memory", "io"])))
    def the_machine_is_measured(self, *, admitting: bool, short: set[str]) -> None:
        """The machine is short of something, or no more."""
        self.fleet.admitting = admitting
        self.engine.admission(admitting, frozenset(short), self.fleet.now)
        self.fleet.settle()

    @rule(which=st.integers(0, 99), failed=st.sampled_from([False, False, True]))
    def a_type_fails_or_is_mended(self, *, which: int, failed: bool) -> None:
        """Agents of a type cannot be started, or can again."""
        name = sorted(self.profiles)[which % len(self.profiles)]
        if failed:
            self.engine.type_failed(name, RuntimeError("it does not start"), self.fleet.now)
        else:
            self.engine.type_mended(name, self.fleet.now)
        self.fleet.settle()

    @rule(seconds=st.sampled_from([0.02, 0.3, 1.5, 6.0, 70.0]))
    def time_passes(self, seconds: float) -> None:
        """Timers fire, and agents that were to be killed are dead."""
        self.fleet.now += seconds
        self.engine.tick(self.fleet.now)
        self.fleet.settle()
        for agent in [agent for agent in self.fleet.agents.values() if agent.doomed]:
            self.fleet.die(agent, replaced=True)
        self.fleet.settle()

    # Invariants.

    @invariant()
    def c3_no_suitable_idle_agent_stands_beside_a_ready_task(self) -> None:
        """C3 D2 E3: with every other invariant that the engine can check of itself."""
        self.engine.check()

    @invariant()
    def d8_each_task_has_one_outcome_when_it_has_ended(self) -> None:
        """D8: told exactly once, and not before."""
        for task in self.tasks:
            told = self.fleet.resolved[task.number]
            must_be(told, 1 if task.final else 0, "D8", "how often it was told that", task, "ended")

    @invariant()
    def d1_tasks_move_along_the_table(self) -> None:
        """D1: what was seen before leads to what is seen now."""
        for task in self.tasks:
            before = self.statuses[task.number]
            must(task.status in _REACHABLE[before], "D1", task, "was", before)
            self.statuses[task.number] = task.status

    @invariant()
    def c5_explain_has_a_reason_for_each_task(self) -> None:
        """C5: why it is not running, in words."""
        for task in self.tasks:
            said = self.engine.explain(task.number, self.fleet.now)
            must(said.text, "C5", task, "is explained without a word")
            must(said.to_dict()["reason"] not in ("unknown", "ready"), "C5", task, "is explained as", said)

    @invariant()
    def f4_of_a_type_that_rests_only_the_probe_begins(self) -> None:
        """F4: what was given out since its circuit breaker opened."""
        for circuit in self.engine.queue(0).breakers:
            for agent in self.fleet.agents.values():
                for task in agent.tasks():
                    fresh = task.name == circuit.task_type and (task.assigned or 0.0) > circuit.since
                    must(not fresh or task.id == circuit.probe, "F4", task, "was given out, and", circuit)

    @invariant()
    def d4_the_load_of_each_agent_is_right(self) -> None:
        """D4: what the scheduler counts is what the agent has in its hands."""
        self.fleet.loads_are_right()

    @invariant()
    def e4_what_waits_for_a_resource_finds_too_little_of_it(self) -> None:
        """E4: what no agent has in its hands is free."""
        self.fleet.resources_are_given_back(self.tasks)

    # The end.

    def teardown(self) -> None:
        """Nothing holds work back any more: all comes to its outcome, and nothing is left in any table."""
        if not hasattr(self, "fleet") or broken():
            return
        self.fleet.admitting, self.fleet.paused, self.fleet.limit = True, False, 8
        self.engine.admission(True, frozenset(), self.fleet.now)  # noqa: FBT003 - as the engine takes it
        self.engine.resume(self.fleet.now)
        for name, profile in self.profiles.items():
            self.engine.type_mended(name, self.fleet.now)
            self.engine.profile_known(profile, self.fleet.now)
        self.engine.set_max_agents(self.fleet.limit, self.fleet.now)
        self.fleet.settle()
        for _ in range(2000):
            if not self.engine.unfinished and not any(
                agent.inbox or agent.recalls for agent in self.fleet.agents.values()
            ):
                break
            for agent in list(self.fleet.agents.values()):
                self.fleet.goes_on(agent)
            self.fleet.now = max(self.fleet.now + 0.01, self.engine.next_due() or 0.0)
            self.engine.tick(self.fleet.now)
            self.fleet.settle()
            self.engine.check()
        self.fleet.nothing_is_left(self.tasks)


def _reachable(status: TaskStatus) -> frozenset[TaskStatus]:
    found = {status}
    line = [status]
    for current in line:
        for target in TASK_MOVES[current] - found:
            found.add(target)
            line.append(target)
    return frozenset(found)


_REACHABLE = {status: _reachable(status) for status in TaskStatus}
