"""A fleet of simulated agents for the scheduler's mind: agents as they really are, and a fleet that runs scripts.

The scheduler's machine has its rules drive the agents. `SimFleet` lets them run by themselves in virtual time: a task's
payload is its script, a tuple of steps: ("run", seconds), ("raise", type name), ("exit", code), ("die",),
("stubborn", seconds) cannot be interrupted, ("call", payload, ...) submits sub-tasks and waits for all of them.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush
from typing import Any

from actors.core.decisions import Assign, Decision, Interrupt, Kill, Look, Recall, Resolve, Retire, Spawn
from actors.core.engine import Engine
from actors.core.fleet import AgentExit
from actors.core.profile import Profile
from actors.core.settings import EngineSettings
from actors.core.task import Needs, Task, TaskKind
from actors.errors import AgentDied
from actors.protocol.messages import Outcome
from actors.protocol.states import TaskStatus
from actors.testing.machines.promise import must, must_be

__all__ = ["GENERAL", "Begun", "FleetAgent", "SimFleet"]

GENERAL = Profile("general", frozenset({"general"}))
"""What a fleet consists of that is given no profile."""


class Begun:
    """A task that has begun at an agent."""

    def __init__(self, item: Assign, now: float) -> None:
        self.task = item.task
        self.attempt = item.attempt
        self.started = now
        # The numbers of the sub-tasks that it waits for.
        self.waits: set[int] = set()
        # The next step of its script, and what counts up when that which was planned for it no longer holds.
        self.step = 0
        self.plan = 0


class FleetAgent:
    """One agent as it really is: what has reached it, what it runs, what it is asked.

    An agent of one slot runs its tasks inside each other: `running` is a stack, the innermost last, and only a task that
    waits makes room for one that is meant for it. An agent of several runs them side by side.
    """

    def __init__(self, name: str, incarnation: int, profile: Profile) -> None:
        self.name = name
        self.incarnation = incarnation
        self.profile = profile
        self.alive = True
        self.ready = False
        self.doomed = False
        self.inbox: deque[Assign] = deque()
        self.running: list[Begun] = []
        self.recalls: deque[Recall] = deque()

    @property
    def top(self) -> Begun | None:
        """What began last of all that it runs."""
        return self.running[-1] if self.running else None

    def tasks(self) -> list[Task]:
        """All that it has in its hands."""
        return [*(item.task for item in self.inbox), *(begun.task for begun in self.running)]

    def next(self) -> Assign | None:
        """The task that may begin now, or None."""
        if self.profile.slots > 1:
            free = sum(not begun.waits for begun in self.running) < self.profile.slots
            return self.inbox[0] if free and self.inbox else None
        top = self.top
        if top is None:
            return self.inbox[0] if self.inbox else None
        return next((item for item in self.inbox if item.nested), None) if top.waits else None

    def begin(self, item: Assign, now: float) -> Begun:
        """Begin a task of the inbox."""
        self.inbox.remove(item)
        begun = Begun(item, now)
        self.running.append(begun)
        return begun

    def begin_next(self, now: float) -> Begun:
        """Begin the task that may begin now; there must be one."""
        item = self.next()
        if item is None:
            raise AssertionError(f"{self.name} has no task that may begin")
        return self.begin(item, now)

    def give_back(self, recall: Recall) -> list[tuple[int, int]]:
        """Give back what a recall asks for and has not begun."""
        asked = set(recall.tasks)
        given = [item for item in self.inbox if (item.task.number, item.attempt) in asked]
        for item in given:
            self.inbox.remove(item)
        return [(item.task.number, item.attempt) for item in given]

    def waits_of(self, decision: Interrupt) -> Assign | None:
        """The task of the inbox that is to be interrupted, if it is there."""
        which = (decision.number, decision.attempt)
        return next((item for item in self.inbox if (item.task.number, item.attempt) == which), None)

    def runs_of(self, decision: Interrupt) -> Begun | None:
        """The task that runs and is to be interrupted, if it does."""
        which = (decision.number, decision.attempt)
        return next((begun for begun in self.running if (begun.task.number, begun.attempt) == which), None)

    def exit(self, why: str, *, replaced: bool) -> AgentExit:
        """What is known of its end, were it now."""
        top = self.top
        running = (top.task.number, top.attempt) if top is not None else None
        error = AgentDied(f"agent {self.name} {why}", agent_id=self.name, incarnation=self.incarnation)
        return AgentExit(running, error, replaced, begun=len(self.running))


class SimFleet:
    """Carries out an engine's decisions in virtual time and reports back after random delays.

    Args:
        profiles: the agent types; one type without limits if none is given.
        seed: where chance comes from.
        settings: the engine's rules.
        latency: the mean seconds that a message travels.
        boot: seconds until an agent is ready.
        replace: the probability that an agent that dies is replaced.
        ordered: the probability that what is sent to an agent keeps its order.

    Raises:
        AssertionError: an invariant of the engine, or a promise about the tasks, does not hold.
    """

    def __init__(
        self,
        *profiles: Profile,
        seed: int = 0,
        settings: EngineSettings | None = None,
        latency: float = 0.001,
        boot: float = 0.05,
        replace: float = 1.0,
        ordered: float = 0.9,
    ) -> None:
        self.rng = random.Random(seed)  # noqa: S311 - the same chance for the same seed
        self.engine = Engine(settings or EngineSettings(), random.Random(seed))  # noqa: S311
        self.now = 0.0
        self.latency = latency
        self.boot = boot
        self.replace = replace
        self.ordered = ordered
        self.checked = True
        self.profiles = {profile.agent_type: profile for profile in profiles or (GENERAL,)}
        self.agents: dict[str, FleetAgent] = {}
        self.resolved: Counter[int] = Counter()
        self.runs: list[tuple[float, str, Task, int]] = []
        self.most_agents = 0
        self.number = 0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._names: Counter[str] = Counter()
        # Reports of an agent keep their order.
        self._sent: dict[tuple[str, int], float] = {}
        for profile in self.profiles.values():
            self.engine.profile_known(profile, self.now)
            for _ in range(profile.least):
                self.start(profile)

    def submit(self, *script: tuple[Any, ...], kind: TaskKind | None = None, **fields: Any) -> Task:
        """Submit a task that runs a script."""
        kind = kind or TaskKind("work", Needs(next(iter(self.profiles))), retries=3)
        self.number += 1
        task = Task(self.number, f"t{self.number}", kind, script, **fields)
        self.engine.submit(task, self.now)
        return task

    def start(self, profile: Profile, name: str = "", incarnation: int = 1) -> None:
        """Start an agent, or the replacement of one."""
        if not name:
            self._names[profile.agent_type] += 1
            name = f"{profile.agent_type}-{self._names[profile.agent_type]}"
        agent = self.agents[name] = FleetAgent(name, incarnation, profile)
        self.engine.agent_starting(name, incarnation, profile, profile.slots, self.now)

        def is_ready() -> None:
            if agent.alive:
                self.engine.agent_ready(name, incarnation, self.now)

        self._later(self.boot, is_ready)

    def die(self, name: str) -> None:
        """An agent dies now; what it had sent still arrives."""
        agent = self.agents[name]
        if not agent.alive:
            return
        agent.alive = False
        replaced = self.rng.random() < self.replace
        end = agent.exit("died", replaced=replaced)

        def tell() -> None:
            self.engine.agent_gone(name, agent.incarnation, end, self.now)
            if replaced:
                self._later(self.boot / 2, lambda: self.start(agent.profile, name, agent.incarnation + 1))

        self._report(agent, tell)

    def run(self, until: float | None = None, steps: int = 200_000) -> None:
        """Let time pass until a time, or until all work is done and told."""
        for _ in range(steps):
            self.settle()
            due = self.engine.next_due()
            event = self._events[0][0] if self._events else None
            if until is None and not self.engine.unfinished and event is None:
                return
            moments = [moment for moment in (due, event) if moment is not None]
            if until is not None and (not moments or min(moments) > until):
                self.now = until
                return
            must(moments, "D8", f"nothing more happens; unfinished: {self.engine.unfinished}")
            self.now = max(self.now, min(moments))
            if event is not None and event <= self.now:
                heappop(self._events)[2]()
            else:
                self.engine.tick(self.now)
        raise AssertionError(f"D8: no end after {steps} steps; unfinished: {self.engine.unfinished}")

    def settle(self) -> None:
        """Carry out what the engine decides now."""
        while decisions := self.engine.take():
            for decision in decisions:
                self._carry_out(decision)
            living = sum(agent.alive for agent in self.agents.values())
            self.most_agents = max(self.most_agents, living)
        if self.checked:
            self.engine.check()

    def _carry_out(self, decision: Decision) -> None:
        if isinstance(decision, Resolve):
            self._resolve(decision.task)
        elif isinstance(decision, Spawn):
            self.start(self.profiles[decision.agent_type])
        elif not isinstance(decision, Assign | Recall | Interrupt | Look | Kill | Retire):
            return
        else:
            agent = self.agents[decision.agent]
            must_be(decision.incarnation, agent.incarnation, "D8", "the incarnation of", agent.name)
            # An agent reads its tasks before it answers on the other plane; but a full socket can hold them up.
            key = (agent.name, -agent.incarnation)
            due = self.now + self.latency * (0.5 + self.rng.random())
            if self.rng.random() < self.ordered:
                due = max(due, self._sent.get(key, 0.0))
            self._sent[key] = max(due, self._sent.get(key, 0.0))
            self._post(due, lambda: self._arrive(agent, decision))

    def _arrive(self, agent: FleetAgent, decision: Decision) -> None:
        if not agent.alive:
            return
        if isinstance(decision, Assign):
            agent.inbox.append(decision)
            self._go_on(agent)
        elif isinstance(decision, Recall):
            self._recall(agent, decision)
        elif isinstance(decision, Interrupt):
            self._interrupt(agent, decision)
        elif isinstance(decision, Look):
            top = agent.top
            running = (top.task.number, top.attempt, top.started) if top is not None else None
            self.engine.observed(agent.name, agent.incarnation, running, self.now)
        elif isinstance(decision, Kill):
            self.die(agent.name)
        elif isinstance(decision, Retire):
            must(not agent.running, "C2", agent.name, "is retired while it runs a task")
            agent.alive = False
            end = agent.exit("was retired", replaced=False)
            self._report(agent, lambda: self.engine.agent_gone(agent.name, agent.incarnation, end, self.now))

    def _recall(self, agent: FleetAgent, decision: Recall) -> None:
        back = agent.give_back(decision)
        self._report(agent, lambda: self.engine.recalled(agent.name, agent.incarnation, back, self.now))

    def _interrupt(self, agent: FleetAgent, decision: Interrupt) -> None:
        item, begun = agent.waits_of(decision), agent.runs_of(decision)
        if item is not None:
            agent.inbox.remove(item)
            self._send(agent, (decision.number, decision.attempt), Outcome.INTERRUPTED, self.now)
        if begun is not None:
            stubborn = any(step[0] == "stubborn" for step in begun.task.payload or ())
            if (begun is agent.top or agent.profile.slots > 1) and not stubborn:
                self._end(agent, begun, Outcome.INTERRUPTED)

    def _go_on(self, agent: FleetAgent) -> None:
        """Begin what the agent may begin."""
        while agent.alive and (item := agent.next()) is not None:
            self._begin(agent, item)

    def _begin(self, agent: FleetAgent, item: Assign) -> None:
        task = item.task
        for number in task.after:
            before = self.engine.task(number)
            must(before is None or before.status is TaskStatus.COMPLETED, "D3", task, "began before", before)
        self.runs.append((self.now, agent.name, task, item.attempt))
        self._step(agent, agent.begin(item, self.now))

    def _step(self, agent: FleetAgent, begun: Begun) -> None:
        script = begun.task.payload or ()
        if begun.step >= len(script):
            self._end(agent, begun, Outcome.VALUE)
            return
        step = script[begun.step]
        begun.step += 1
        if step[0] in ("run", "stubborn"):
            plan = begun.plan

            def go() -> None:
                if agent.alive and begun.plan == plan and begun in agent.running:
                    self._step(agent, begun)

            self._later(step[1], go, exact=True)
        elif step[0] == "raise":
            self._end(agent, begun, Outcome.ERROR, ((step[1],), "it raised", "", None))
        elif step[0] == "exit":
            self._end(agent, begun, Outcome.EXITED, step[1])
        elif step[0] == "die":
            self.die(agent.name)
        else:
            self._call(agent, begun, step[1:])

    def _call(self, agent: FleetAgent, begun: Begun, scripts: tuple[Any, ...]) -> None:
        for script in scripts:
            kind, steps = (script[0], script[1:]) if isinstance(script[0], TaskKind) else (begun.task.kind, script)
            child = self.submit(*steps, kind=kind, parent=begun.task.number)
            begun.waits.add(child.number)
        number, waits = begun.task.number, tuple(begun.waits)
        self._report(agent, lambda: self.engine.agent_waiting(agent.name, agent.incarnation, number, waits, self.now))
        self._go_on(agent)

    def _resolve(self, task: Task) -> None:
        self.resolved[task.number] += 1
        must(task.final, "D8", task, "is told as ended and has no outcome")
        must(self.resolved[task.number] == 1, "D8", task, "has two outcomes")
        for agent in self.agents.values():
            for begun in agent.running:
                if task.number in begun.waits:
                    self._later(self.latency, partial(self._awake, agent, begun, task.number))

    def _awake(self, agent: FleetAgent, begun: Begun, number: int) -> None:
        begun.waits.discard(number)
        beside = agent.profile.slots > 1 and begun in agent.running
        if agent.alive and not begun.waits and (beside or agent.top is begun):
            self._resume(agent, begun)

    def _resume(self, agent: FleetAgent, begun: Begun) -> None:
        number = begun.task.number
        self._report(agent, lambda: self.engine.agent_resumed(agent.name, agent.incarnation, number, self.now))
        self._step(agent, begun)

    def _end(self, agent: FleetAgent, begun: Begun, outcome: Outcome, payload: Any = b"") -> None:
        begun.plan += 1
        agent.running.remove(begun)
        self._send(agent, (begun.task.number, begun.attempt), outcome, begun.started, payload)
        top = agent.top
        if agent.profile.slots == 1 and top is not None and not top.waits:
            self._resume(agent, top)
        self._go_on(agent)

    def _send(
        self, agent: FleetAgent, which: tuple[int, int], outcome: Outcome, started: float, payload: Any = b""
    ) -> None:
        result = (*which, int(outcome), payload, started, self.now)
        self._report(agent, lambda: self.engine.finished(agent.name, agent.incarnation, result, self.now))

    def _report(self, agent: FleetAgent, tell: Callable[[], None]) -> None:
        key = (agent.name, agent.incarnation)
        due = max(self.now + self.rng.random() * self.latency, self._sent.get(key, 0.0))
        self._sent[key] = due
        self._post(due, tell)

    def _later(self, delay: float, act: Callable[[], None], *, exact: bool = False) -> None:
        spread = 1.0 if exact else 0.5 + self.rng.random()
        self._post(self.now + delay * spread, act)

    def _post(self, due: float, act: Callable[[], None]) -> None:
        self._count += 1
        heappush(self._events, (due, self._count, act))
