"""A fleet of simulated agents that runs scripts in virtual time, for tests of the scheduler's mind.

A task's payload is its script, a tuple of steps: ("run", seconds), ("raise", type name), ("exit", code), ("die",),
("stubborn", seconds) cannot be interrupted, ("call", payload, ...) submits sub-tasks and waits for all of them.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

from actors.core.decisions import Assign, Decision, Interrupt, Kill, Look, Recall, Resolve, Retire, Spawn
from actors.core.engine import Engine
from actors.core.fleet import AgentExit, Profile
from actors.core.settings import EngineSettings
from actors.core.task import Needs, Task, TaskKind
from actors.errors import AgentDied
from actors.protocol.messages import Outcome
from actors.protocol.states import TaskStatus

GENERAL = Profile("general", frozenset({"general"}))


class Frame:
    """A task that has begun at an agent."""

    def __init__(self, task: Task, attempt: int, now: float) -> None:
        self.task = task
        self.attempt = attempt
        self.started = now
        self.step = 0
        self.waits: set[int] = set()
        # Counts up when what was planned for it no longer holds.
        self.plan = 0


class SimAgent:
    """One agent: an inbox, a stack of what runs, the innermost last."""

    def __init__(self, name: str, incarnation: int, profile: Profile) -> None:
        self.name = name
        self.incarnation = incarnation
        self.profile = profile
        self.alive = True
        self.inbox: deque[Assign] = deque()
        self.stack: list[Frame] = []


class SimFleet:
    """Carries out an engine's decisions and reports back after random delays."""

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
        self.rng = random.Random(seed)
        self.engine = Engine(settings or EngineSettings(), random.Random(seed))
        self.now = 0.0
        self.latency = latency
        self.boot = boot
        self.replace = replace
        self.ordered = ordered
        self.checked = True
        self.profiles = {profile.agent_type: profile for profile in profiles or (GENERAL,)}
        self.agents: dict[str, SimAgent] = {}
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
        agent = self.agents[name] = SimAgent(name, incarnation, profile)
        self.engine.agent_starting(name, incarnation, profile, profile.slots, self.now)
        self._later(self.boot, lambda: agent.alive and self.engine.agent_ready(name, incarnation, self.now))

    def die(self, name: str) -> None:
        """An agent dies now; what it had sent still arrives."""
        agent = self.agents[name]
        if not agent.alive:
            return
        agent.alive = False
        top = agent.stack[-1] if agent.stack else None
        running = (top.task.number, top.attempt) if top is not None else None
        begun = len(agent.stack)
        replaced = self.rng.random() < self.replace
        error = AgentDied(f"agent {name} died", agent_id=name, incarnation=agent.incarnation)

        def tell() -> None:
            self.engine.agent_gone(name, agent.incarnation, AgentExit(running, error, replaced, begun), self.now)
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
            assert moments, f"nothing more happens; unfinished: {self.engine.unfinished}"
            self.now = max(self.now, min(moments))
            if event is not None and event <= self.now:
                heappop(self._events)[2]()
            else:
                self.engine.tick(self.now)
        raise AssertionError(f"no end after {steps} steps; unfinished: {self.engine.unfinished}")

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
            assert agent.incarnation == decision.incarnation
            # An agent reads its tasks before it answers on the other plane; but a full socket can hold them up.
            key = (agent.name, -agent.incarnation)
            due = self.now + self.latency * (0.5 + self.rng.random())
            if self.rng.random() < self.ordered:
                due = max(due, self._sent.get(key, 0.0))
            self._sent[key] = max(due, self._sent.get(key, 0.0))
            self._post(due, lambda: self._arrive(agent, decision))

    def _arrive(self, agent: SimAgent, decision: Decision) -> None:
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
            top = agent.stack[-1] if agent.stack else None
            running = (top.task.number, top.attempt, top.started) if top is not None else None
            self.engine.observed(agent.name, agent.incarnation, running, self.now)
        elif isinstance(decision, Kill):
            self.die(agent.name)
        elif isinstance(decision, Retire):
            assert not agent.stack
            agent.alive = False
            error = AgentDied("retired", agent_id=agent.name)
            name, incarnation = agent.name, agent.incarnation
            self._report(agent, lambda: self.engine.agent_gone(name, incarnation, AgentExit(None, error), self.now))

    def _recall(self, agent: SimAgent, decision: Recall) -> None:
        asked = set(decision.tasks)
        given = [item for item in agent.inbox if (item.task.number, item.attempt) in asked]
        for item in given:
            agent.inbox.remove(item)
        back = [(item.task.number, item.attempt) for item in given]
        self._report(agent, lambda: self.engine.recalled(agent.name, agent.incarnation, back, self.now))

    def _interrupt(self, agent: SimAgent, decision: Interrupt) -> None:
        for item in list(agent.inbox):
            if (item.task.number, item.attempt) == (decision.number, decision.attempt):
                agent.inbox.remove(item)
                self._send(agent, (decision.number, decision.attempt), Outcome.INTERRUPTED, self.now)
        for frame in list(agent.stack):
            if frame.task.number == decision.number and frame.attempt == decision.attempt:
                stubborn = any(step[0] == "stubborn" for step in frame.task.payload or ())
                if (frame is agent.stack[-1] or agent.profile.slots > 1) and not stubborn:
                    self._end(agent, frame, Outcome.INTERRUPTED)

    def _go_on(self, agent: SimAgent) -> None:
        """Begin the next task that the agent may begin."""
        if not agent.alive:
            return
        slots = agent.profile.slots
        for item in list(agent.inbox):
            top = agent.stack[-1] if agent.stack else None
            if slots > 1:
                free = sum(not frame.waits for frame in agent.stack) < slots
            else:
                free = top is None or (bool(top.waits) and item.nested)
            if free and item in agent.inbox:
                agent.inbox.remove(item)
                self._begin(agent, item)

    def _begin(self, agent: SimAgent, item: Assign) -> None:
        task = item.task
        for number in task.after:
            before = self.engine.task(number)
            assert before is None or before.status is TaskStatus.COMPLETED, f"{task} began before {before}"
        self.runs.append((self.now, agent.name, task, item.attempt))
        frame = Frame(task, item.attempt, self.now)
        agent.stack.append(frame)
        self._step(agent, frame)

    def _step(self, agent: SimAgent, frame: Frame) -> None:
        script = frame.task.payload or ()
        if frame.step >= len(script):
            self._end(agent, frame, Outcome.VALUE)
            return
        step = script[frame.step]
        frame.step += 1
        if step[0] in ("run", "stubborn"):
            plan = frame.plan

            def go() -> None:
                if agent.alive and frame.plan == plan and frame in agent.stack:
                    self._step(agent, frame)

            self._later(step[1], go, exact=True)
        elif step[0] == "raise":
            self._end(agent, frame, Outcome.ERROR, ((step[1],), "it raised", "", None))
        elif step[0] == "exit":
            self._end(agent, frame, Outcome.EXITED, step[1])
        elif step[0] == "die":
            self.die(agent.name)
        else:
            self._call(agent, frame, step[1:])

    def _call(self, agent: SimAgent, frame: Frame, scripts: tuple[Any, ...]) -> None:
        for script in scripts:
            kind, steps = (script[0], script[1:]) if isinstance(script[0], TaskKind) else (frame.task.kind, script)
            child = self.submit(*steps, kind=kind, parent=frame.task.number)
            frame.waits.add(child.number)
        number, waits = frame.task.number, tuple(frame.waits)
        self._report(agent, lambda: self.engine.agent_waiting(agent.name, agent.incarnation, number, waits, self.now))
        self._go_on(agent)

    def _resolve(self, task: Task) -> None:
        self.resolved[task.number] += 1
        assert task.final
        assert self.resolved[task.number] == 1, f"{task} has two outcomes"
        for agent in self.agents.values():
            for frame in agent.stack:
                if task.number in frame.waits:
                    self._later(self.latency, lambda a=agent, f=frame: self._awake(a, f, task.number))

    def _awake(self, agent: SimAgent, frame: Frame, number: int) -> None:
        frame.waits.discard(number)
        beside = agent.profile.slots > 1 and frame in agent.stack
        if agent.alive and not frame.waits and (beside or (agent.stack and agent.stack[-1] is frame)):
            self._resume(agent, frame)

    def _resume(self, agent: SimAgent, frame: Frame) -> None:
        number = frame.task.number
        self._report(agent, lambda: self.engine.agent_resumed(agent.name, agent.incarnation, number, self.now))
        self._step(agent, frame)

    def _end(self, agent: SimAgent, frame: Frame, outcome: Outcome, payload: Any = b"") -> None:
        frame.plan += 1
        agent.stack.remove(frame)
        self._send(agent, (frame.task.number, frame.attempt), outcome, frame.started, payload)
        top = agent.stack[-1] if agent.stack else None
        if agent.profile.slots == 1 and top is not None and not top.waits:
            self._resume(agent, top)
        self._go_on(agent)

    def _send(
        self, agent: SimAgent, which: tuple[int, int], outcome: Outcome, started: float, payload: Any = b""
    ) -> None:
        result = (*which, int(outcome), payload, started, self.now)
        self._report(agent, lambda: self.engine.finished(agent.name, agent.incarnation, result, self.now))

    def _report(self, agent: SimAgent, tell: Callable[[], None]) -> None:
        key = (agent.name, agent.incarnation)
        due = max(self.now + self.rng.random() * self.latency, self._sent.get(key, 0.0))
        self._sent[key] = due
        self._post(due, tell)

    def _later(self, delay: float, act: Callable[[], object], *, exact: bool = False) -> None:
        spread = 1.0 if exact else 0.5 + self.rng.random()
        self._post(self.now + delay * spread, lambda: act() and None)

    def _post(self, due: float, act: Callable[[], None]) -> None:
        self._count += 1
        heappush(self._events, (due, self._count, act))
