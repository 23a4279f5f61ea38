"""Thousands of agents that are only numbers, around the shipped minds of scheduler and hub, in virtual time."""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import replace
from heapq import heapify, heappop, heappush, heapreplace
from typing import Any

from actors.core.decisions import Assign, Decision, Kill, Look, Recall, Resolve, Spawn
from actors.core.engine import Engine
from actors.core.profile import Profile
from actors.core.registry import Registry
from actors.core.settings import EngineSettings
from actors.core.task import Needs, Task, TaskKind
from actors.errors import ActorsError
from actors.protocol.messages import Heartbeat, Registration
from actors.protocol.states import AgentState

__all__ = ["FakeFleet"]

_PROFILE = Profile("general", frozenset({"general"}))
# As tasks of users are: with a time limit that has to be watched, retries, a measured duration.
_KIND = TaskKind("work", Needs("general"), timeout=60.0, retries=2)
_BEAT = 5.0
_PAYLOAD = b"\x80\x05arguments of a small call"
_ONE_TURN = 64


class FakeFleet:
    """One scheduler's mind and one hub's registry, with agents that answer by themselves.

    Nothing is left out of the minds: waiting line, placement, work sent ahead and taken back, time limits, the history,
    heartbeats and the watch over them. Left out is what each agent and each message costs: processes, lanes, sockets,
    payloads, futures. Each report of an agent is a turn of its own, as when reports come one at a time.

    Args:
        agents: how many there are, 1 or more.
        seed: of the durations.
        seconds: what a task takes on the average, in virtual seconds.

    Attributes:
        done: how many tasks have completed.
        decided: how many decisions there were of each kind, but for assignments and outcomes.
    """

    def __init__(self, agents: int, seed: int = 0, seconds: float = 0.01) -> None:
        self.agents = agents
        self.done = 0
        self.decided: Counter[str] = Counter()
        self._seconds = seconds
        self._chance = random.Random(seed)  # noqa: S311 - nothing secret: how long a task takes
        self._engine = Engine(EngineSettings(max_agents=agents, kept_tasks=0), self._chance)
        self._registry = Registry()
        self._now = 0.0
        self._decided: deque[Decision] = deque()
        # What each agent holds, and when the first of it ends: by the agent's place.
        self._held: list[deque[tuple[int, int]]] = [deque() for _ in range(agents)]
        self._ends: list[tuple[float, int]] = []
        self._names = [f"general-{place}" for place in range(agents)]
        self._places = {name: place for place, name in enumerate(self._names)}
        self._beats = [(_BEAT * place / agents, place) for place in range(agents)]
        heapify(self._beats)
        self._carry: dict[type[Any], Callable[[Any], None]] = {
            Assign: self._assign,
            Resolve: self._resolve,
            Look: self._look,
            Recall: self._recall,
        }

    def start(self) -> None:
        """Let all agents come, and be idle."""
        self._engine.profile_known(replace(_PROFILE, least=self.agents, most=self.agents), 0.0)
        for name in self._names:
            self._registry.starting(name, "general", 1, 0.0)
            self._registry.register(Registration(name, "general", 1, 1, "", ("general",), {}, 0.0, 0), 0.0)
            self._engine.agent_starting(name, 1, _PROFILE, 1, 0.0)
            self._engine.agent_ready(name, 1, 0.0)
        self._carry_out()

    def work(self, tasks: int, ahead: int, told: Callable[[int], object]) -> None:
        """Hand in so many tasks, and go on until each has completed.

        Args:
            tasks: how many.
            ahead: how many are handed in before others have completed, for each agent.
            told: called now and then with how many have completed.

        Raises:
            ActorsError: a task did not complete.
        """
        given_in = 0
        while self.done < tasks:
            while given_in < tasks and given_in - self.done < ahead * self.agents:
                given_in += 1
                self._engine.submit(Task(given_in, f"t-{given_in}", _KIND, _PAYLOAD), self._now)
                if given_in % _ONE_TURN == 0:
                    self._carry_out()
            self._carry_out()
            for _ in range(_ONE_TURN):
                if not self._ends:
                    break
                self._report()
            if not self._ends and self.done < tasks and given_in - self.done >= ahead * self.agents:
                raise ActorsError(f"{given_in - self.done} tasks were handed in, and nobody runs any")
            told(self.done)
        if self._engine.unfinished:
            raise ActorsError(f"{self._engine.unfinished} tasks have no outcome")

    def _report(self) -> None:
        """The next agent that is through tells of its task, and what is due by then is done first."""
        self._now, place = heappop(self._ends)
        now = self._now
        self._beat(now)
        due = self._engine.next_due()
        if due is not None and due <= now:
            self._engine.tick(now)
        held = self._held[place]
        number, attempt = held.popleft()
        if held:
            self._begin(place)
        # A mind that fails fails here, and not silently: it is handed what an agent would send.
        self._engine.finished_many(self._names[place], 1, [(number, attempt, 0, b"", now - self._seconds, now)], now)
        self._carry_out()

    def _beat(self, now: float) -> None:
        beats, registry = self._beats, self._registry
        while beats[0][0] <= now:
            due, place = beats[0]
            working = int(AgentState.WORKING if self._held[place] else AgentState.IDLE)
            registry.heartbeat(Heartbeat(self._names[place], 1, due, working, None, 1000, 1.0, 9, due, 0, 0), due)
            heapreplace(beats, (due + _BEAT, place))
        overdue = registry.next_overdue()
        if overdue is not None and overdue <= now and registry.overdue(now):
            raise ActorsError("an agent counts as silent that is not")

    def _begin(self, place: int) -> None:
        heappush(self._ends, (self._now + self._seconds * self._chance.uniform(0.5, 1.5), place))

    def _carry_out(self) -> None:
        decided, carry = self._decided, self._carry
        self._engine.decide(decided)
        while decided:
            decision = decided.popleft()
            act = carry.get(type(decision))
            if act is not None:
                act(decision)
            else:
                self._refuse(decision)
            if not decided:
                self._engine.decide(decided)

    def _assign(self, decision: Assign) -> None:
        place = self._places[decision.agent]
        self._held[place].append((decision.task.number, decision.attempt))
        if len(self._held[place]) == 1:
            self._begin(place)

    def _resolve(self, decision: Resolve) -> None:
        if decision.task.error is not None:
            raise ActorsError(f"{decision.task.id} failed: {decision.task.error}")
        self.done += 1

    def _look(self, decision: Look) -> None:
        self.decided["Look"] += 1
        held = self._held[self._places[decision.agent]]
        self._engine.observed(decision.agent, 1, (*held[0], self._now) if held else None, self._now)

    def _recall(self, decision: Recall) -> None:
        self.decided["Recall"] += 1
        held = self._held[self._places[decision.agent]]
        back = [each for each in decision.tasks if each in held and each != held[0]]
        for each in back:
            held.remove(each)
        self._engine.recalled(decision.agent, 1, back, self._now, decision)

    def _refuse(self, decision: Decision) -> None:
        self.decided[type(decision).__name__] += 1
        if isinstance(decision, Kill | Spawn):
            raise ActorsError(f"nothing went wrong, and the scheduler decided {decision}")
