"""The scheduler's mind against a model, under any order of events that agents and programs can bring about."""

# Yes and no are facts and drawn values here.
# ruff: noqa: FBT001, FBT003

from __future__ import annotations

import random
from collections import Counter, deque
from typing import Any

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.core.decisions import Assign, Interrupt, Kill, Look, Recall, Resolve, Retire, Spawn
from actors.core.engine import Engine
from actors.core.fleet import AgentExit, Profile
from actors.core.settings import EngineSettings
from actors.core.task import Needs, Task, TaskKind
from actors.errors import AgentDied
from actors.protocol.messages import Outcome
from actors.protocol.states import TASK_MOVES, TaskStatus

PROFILES = {
    "a": Profile("a", frozenset({"x", "y"}), cpu="high"),
    "b": Profile("b", frozenset({"y", "z"}), least=1),
    "c": Profile("c", frozenset({"x"}), slots=3, most=2),
}
NEEDS = [
    Needs("a"),
    Needs("b"),
    Needs("c"),
    Needs(None, frozenset({"x"})),
    Needs(None, frozenset({"y"})),
    Needs(None, frozenset({"x", "y"})),
    Needs("a", frozenset({"z"})),
]


class Model:
    """An agent as it really is: what has reached it, what it runs, what it is to answer."""

    def __init__(self, name: str, incarnation: int, profile: Profile) -> None:
        self.name = name
        self.incarnation = incarnation
        self.profile = profile
        self.ready = False
        self.doomed = False
        self.inbox: deque[Assign] = deque()
        self.running: list[Assign] = []
        self.waiting: list[int] = []
        self.recalls: deque[Recall] = deque()


class EngineMachine(RuleBasedStateMachine):
    """Every rule is something that can happen; after each one all decisions are carried out and all must hold."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.engine = Engine(EngineSettings(max_agents=4, kept_tasks=1000), random.Random(0))
        self.agents: dict[str, Model] = {}
        self.tasks: list[Task] = []
        self.statuses: dict[int, TaskStatus] = {}
        self.resolved: Counter[int] = Counter()
        self.tries: Counter[int] = Counter()
        self.spawned = 0

    @initialize(known=st.sets(st.sampled_from(sorted(PROFILES))))
    def begin(self, known: set[str]) -> None:
        for name in sorted(known):
            self.engine.profile_known(PROFILES[name], self.now)
        self.settle()

    def settle(self) -> None:
        while decisions := self.engine.take():
            for decision in decisions:
                self.carry_out(decision)

    def carry_out(self, decision: Any) -> None:
        if isinstance(decision, Resolve):
            self.resolved[decision.task.number] += 1
            assert decision.task.final
            return
        if isinstance(decision, Spawn):
            self.spawned += 1
            self.launch(PROFILES[decision.agent_type], f"{decision.agent_type}-s{self.spawned}", 1)
            return
        agent = self.agents[decision.agent]
        assert agent.incarnation == decision.incarnation
        if isinstance(decision, Assign):
            task = decision.task
            assert agent.ready
            assert task.status is TaskStatus.ASSIGNED
            profile = agent.profile
            assert task.needs.agent_type in (None, profile.agent_type)
            assert task.needs.requires <= profile.capabilities
            known = (self.engine.task(number) for number in task.after)
            assert all(before is None or before.status is TaskStatus.COMPLETED for before in known)
            agent.inbox.append(decision)
        elif isinstance(decision, Recall):
            agent.recalls.append(decision)
        elif isinstance(decision, Kill):
            agent.doomed = True
        elif isinstance(decision, Interrupt):
            self.interrupt(agent, decision)
        elif isinstance(decision, Look):
            first = agent.running[-1] if agent.running else None
            seen = (first.task.number, first.attempt, self.now) if first else None
            self.engine.observed(agent.name, agent.incarnation, seen, self.now)
        elif isinstance(decision, Retire):
            assert not agent.running
            self.die(agent, replaced=False)

    def interrupt(self, agent: Model, decision: Interrupt) -> None:
        for item in [*agent.inbox, *agent.running]:
            if (item.task.number, item.attempt) == (decision.number, decision.attempt):
                (agent.inbox if item in agent.inbox else agent.running).remove(item)
                self.report(agent, item, Outcome.INTERRUPTED)

    def launch(self, profile: Profile, name: str, incarnation: int) -> None:
        self.agents[name] = Model(name, incarnation, profile)
        self.engine.agent_starting(name, incarnation, profile, profile.slots, self.now)

    def die(self, agent: Model, *, replaced: bool) -> None:
        top = agent.running[-1] if agent.running else None
        running = (top.task.number, top.attempt) if top else None
        error = AgentDied("it died", agent_id=agent.name)
        end = AgentExit(running, error, replaced, begun=len(agent.running))
        self.engine.agent_gone(agent.name, agent.incarnation, end, self.now)
        del self.agents[agent.name]
        if replaced:
            self.launch(agent.profile, agent.name, agent.incarnation + 1)

    def report(self, agent: Model, item: Assign, outcome: Outcome, payload: Any = None) -> None:
        if item.task.number in agent.waiting:
            agent.waiting.remove(item.task.number)
        result = (item.task.number, item.attempt, int(outcome), payload, self.now, self.now)
        self.engine.finished(agent.name, agent.incarnation, result, self.now)

    def one(self, data: st.DataObject, fits: Any = bool) -> Model | None:
        fitting = [agent for agent in self.agents.values() if fits(agent)]
        return data.draw(st.sampled_from(fitting), label="agent") if fitting else None

    @rule(
        data=st.data(),
        needs=st.sampled_from(NEEDS),
        priority=st.integers(1, 4),
        retries=st.integers(0, 2),
        timeout=st.sampled_from([None, 1.0]),
        idempotent=st.booleans(),
        inputs=st.sampled_from([frozenset(), frozenset({"in"})]),
        key=st.sampled_from([None, "k"]),
    )
    def submit(self, data: st.DataObject, needs: Needs, priority: int, retries: int, **fields: Any) -> None:
        kind = TaskKind(
            f"p{priority}",
            needs,
            priority=priority,
            retries=retries,
            error_retries=retries,
            retry_on=("ValueError",),
            timeout=fields["timeout"],
            idempotent=fields["idempotent"],
        )
        known = [task.number for task in self.tasks]
        after = data.draw(st.lists(st.sampled_from(known), max_size=2)) if known else []
        parents = [item.task.number for agent in self.agents.values() for item in agent.running]
        parent = data.draw(st.sampled_from(parents)) if parents and data.draw(st.booleans()) else None
        number = len(self.tasks) + 1
        task = Task(
            number, f"t{number}", kind, after=tuple(after), parent=parent, inputs=fields["inputs"], key=fields["key"]
        )
        self.tasks.append(task)
        self.statuses[number] = TaskStatus.PENDING
        self.engine.submit(task, self.now)
        self.settle()

    @precondition(lambda self: self.tasks)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        task = data.draw(st.sampled_from(self.tasks))
        final = task.final
        assert self.engine.cancel(task.number, "unwanted", self.now) is not final
        self.settle()

    @precondition(lambda self: len(self.agents) < 6)
    @rule(name=st.sampled_from(sorted(PROFILES)))
    def spawn_by_hand(self, name: str) -> None:
        self.spawned += 1
        self.launch(PROFILES[name], f"{name}-h{self.spawned}", 1)
        self.settle()

    @rule(data=st.data())
    def become_ready(self, data: st.DataObject) -> None:
        agent = self.one(data, lambda agent: not agent.ready)
        if agent is not None:
            agent.ready = True
            self.engine.agent_ready(agent.name, agent.incarnation, self.now)
            self.settle()

    @rule(data=st.data(), replaced=st.booleans())
    def end_agent(self, data: st.DataObject, replaced: bool) -> None:
        agent = self.one(data)
        if agent is not None:
            self.die(agent, replaced=replaced)
            self.settle()

    @rule(data=st.data(), told=st.booleans())
    def begin_task(self, data: st.DataObject, told: bool) -> None:
        agent = self.one(data, self.can_begin)
        if agent is not None:
            item = next(item for item in agent.inbox if not agent.running or item.nested or agent.profile.slots > 1)
            agent.inbox.remove(item)
            agent.running.append(item)
            if told:
                args = (agent.name, agent.incarnation, item.task.number, item.attempt, self.now, self.now)
                self.engine.started(*args)
            self.settle()

    @staticmethod
    def can_begin(agent: Model) -> bool:
        if agent.profile.slots > 1:
            return bool(agent.inbox) and len(agent.running) - len(agent.waiting) < agent.profile.slots
        if not agent.running:
            return bool(agent.inbox)
        return agent.running[-1].task.number in agent.waiting and any(item.nested for item in agent.inbox)

    @rule(
        data=st.data(),
        outcome=st.sampled_from([Outcome.VALUE, Outcome.VALUE, Outcome.ERROR, Outcome.EXITED, Outcome.REFUSED]),
        named=st.booleans(),
    )
    def end_task(self, data: st.DataObject, outcome: Outcome, named: bool) -> None:
        agent = self.one(data, lambda agent: agent.running)
        if agent is not None:
            item = agent.running.pop()
            name = "builtins.ValueError" if named else "builtins.KeyError"
            self.report(agent, item, outcome, ((name,), "", "", None) if outcome is Outcome.ERROR else None)
            self.settle()

    @rule(data=st.data())
    def answer_recall(self, data: st.DataObject) -> None:
        agent = self.one(data, lambda agent: agent.recalls)
        if agent is not None:
            asked = set(agent.recalls.popleft().tasks)
            given = [item for item in agent.inbox if (item.task.number, item.attempt) in asked]
            for item in given:
                agent.inbox.remove(item)
            back = [(item.task.number, item.attempt) for item in given]
            self.engine.recalled(agent.name, agent.incarnation, back, self.now)
            self.settle()

    @rule(data=st.data())
    def refuse(self, data: st.DataObject) -> None:
        agent = self.one(data, lambda agent: agent.inbox)
        if agent is not None:
            item = agent.inbox.popleft()
            self.engine.refused(agent.name, agent.incarnation, item.task.number, item.attempt, "no", self.now)
            self.settle()

    @rule(data=st.data())
    def wait_for_children(self, data: st.DataObject) -> None:
        agent = self.one(data, lambda agent: agent.running and agent.running[-1].task.number not in agent.waiting)
        if agent is not None:
            number = agent.running[-1].task.number
            agent.waiting.append(number)
            self.engine.agent_waiting(agent.name, agent.incarnation, number, [number + 1], self.now)
            self.settle()

    @rule(data=st.data())
    def go_on(self, data: st.DataObject) -> None:
        agent = self.one(data, lambda agent: agent.running and agent.running[-1].task.number in agent.waiting)
        if agent is not None:
            number = agent.running[-1].task.number
            agent.waiting.remove(number)
            self.engine.agent_resumed(agent.name, agent.incarnation, number, self.now)
            self.settle()

    @rule(data=st.data())
    def drain(self, data: st.DataObject) -> None:
        agent = self.one(data)
        if agent is not None:
            self.engine.agent_drain(agent.name, self.now)
            self.settle()

    @rule(data=st.data())
    def report_nonsense(self, data: st.DataObject) -> None:
        agent = self.one(data)
        if agent is not None:
            number = data.draw(st.integers(1, len(self.tasks) + 1))
            before = self.engine.stale
            stale = (number, 77, 0, None, self.now, self.now)
            self.engine.finished(agent.name, agent.incarnation, stale, self.now)
            self.engine.finished(agent.name, agent.incarnation + 1, stale, self.now)
            self.engine.recalled(agent.name, agent.incarnation + 1, [(number, 1)], self.now)
            assert self.engine.stale == before + 3
            self.settle()

    @rule(data=st.data())
    def breach(self, data: st.DataObject) -> None:
        agent = self.one(data, lambda agent: agent.running)
        if agent is not None:
            self.engine.breached(agent.name, agent.incarnation, "memory", 2.0, 1.0, self.now)
            self.settle()
            assert agent.doomed

    @rule(data=st.data(), inside=st.booleans())
    def measure(self, data: st.DataObject, inside: bool) -> None:
        agent = self.one(data)
        if agent is not None:
            self.engine.agent_measured(agent.name, agent.incarnation, (50.0, 20.0), inside, self.now)
            self.settle()

    @rule(open_=st.booleans(), short=st.sets(st.sampled_from(["cpu", "memory", "io"])))
    def admit(self, open_: bool, short: set[str]) -> None:
        self.engine.admission(open_, frozenset(short), self.now)
        self.settle()

    @rule(paused=st.booleans())
    def pause_or_resume(self, paused: bool) -> None:
        (self.engine.pause if paused else self.engine.resume)(self.now)
        self.settle()

    @rule(name=st.sampled_from(sorted(PROFILES)), failed=st.booleans())
    def fail_or_mend_type(self, name: str, failed: bool) -> None:
        if failed:
            self.engine.type_failed(name, RuntimeError("it does not start"), self.now)
        else:
            self.engine.type_mended(name, self.now)
        self.settle()

    @rule(limit=st.integers(1, 6))
    def limit_agents(self, limit: int) -> None:
        self.engine.set_max_agents(limit, self.now)
        self.settle()

    @rule(seconds=st.sampled_from([0.02, 0.3, 1.5, 6.0, 70.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.now += seconds
        self.engine.tick(self.now)
        self.settle()
        for agent in [agent for agent in self.agents.values() if agent.doomed]:
            self.die(agent, replaced=True)
        self.settle()

    @invariant()
    def everything_fits(self) -> None:
        self.engine.check()
        for task in self.tasks:
            assert self.resolved[task.number] == (1 if task.final else 0), task
            text = self.engine.explain(task.number, self.now)
            assert text.text
            assert text.to_dict()["reason"] not in ("unknown", "ready")
            before = self.statuses[task.number]
            assert task.status is before or task.status in _reachable(before), (task, before)
            self.statuses[task.number] = task.status
        for agent in self.agents.values():
            really = len(agent.inbox) + len(agent.running)
            held = self.engine._book.fleet.agents[agent.name].held  # the load must be right
            assert len(held) == really, (agent.name, held, agent.inbox, agent.running)

    def teardown(self) -> None:
        """At rest nothing is left in any table, whatever went before."""
        self.engine.admission(True, frozenset(), self.now)
        self.engine.resume(self.now)
        for name, profile in PROFILES.items():
            self.engine.type_mended(name, self.now)
            self.engine.profile_known(profile, self.now)
        self.engine.set_max_agents(8, self.now)
        self.settle()
        for _ in range(2000):
            if not self.engine.unfinished and not any(agent.inbox or agent.recalls for agent in self.agents.values()):
                break
            self.finish_something()
            self.now = max(self.now + 0.01, self.engine.next_due() or 0.0)
            self.engine.tick(self.now)
            self.settle()
            self.engine.check()
        assert not self.engine.unfinished, [self.engine.explain(t.number, self.now) for t in self.tasks if not t.final]
        assert all(self.resolved[task.number] == 1 for task in self.tasks)
        book = self.engine._book  # nothing may be left
        assert not book.line.live
        assert not book.line.children
        assert not any(agent.held or agent.interrupts or agent.waiting for agent in book.fleet.agents.values())
        assert not any(task.dependents for task in self.tasks)

    def finish_something(self) -> None:
        for agent in list(self.agents.values()):
            if agent.doomed:
                self.die(agent, replaced=True)
            elif not agent.ready:
                agent.ready = True
                self.engine.agent_ready(agent.name, agent.incarnation, self.now)
            else:
                self.engine.agent_measured(agent.name, agent.incarnation, (100.0, 100.0), True, self.now)
                while agent.recalls:
                    asked = set(agent.recalls.popleft().tasks)
                    given = [item for item in agent.inbox if (item.task.number, item.attempt) in asked]
                    agent.inbox = deque(item for item in agent.inbox if item not in given)
                    back = [(item.task.number, item.attempt) for item in given]
                    self.engine.recalled(agent.name, agent.incarnation, back, self.now)
                if agent.running:
                    self.report(agent, agent.running.pop(), Outcome.VALUE)
                elif agent.inbox:
                    self.report(agent, agent.inbox.popleft(), Outcome.VALUE)
                elif self.engine._book.fleet.agents[agent.name].draining:
                    self.die(agent, replaced=False)
            self.settle()


def _reachable(status: TaskStatus) -> set[TaskStatus]:
    found = {status}
    line = [status]
    for current in line:
        for target in TASK_MOVES[current] - found:
            found.add(target)
            line.append(target)
    return found


TestEngineMachine = EngineMachine.TestCase
TestEngineMachine.settings = hypothesis_settings(max_examples=40, stateful_step_count=50, deadline=None)
