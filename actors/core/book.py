"""What all parts of the scheduler's mind write in: the state, the decisions of this turn, the timers."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, Final

from actors.core.breaker import Breakers
from actors.core.credit import LONG, Estimates, release
from actors.core.deadletters import DeadLetters
from actors.core.decisions import Decision, Kill, Publish, Spawn
from actors.core.fleet import Agent, AgentType, Fleet, Skill
from actors.core.history import History
from actors.core.lane import Bucket
from actors.core.placement import Placement
from actors.core.queue import WaitingLine
from actors.core.quotas import Quotas
from actors.core.tasktable import TaskTable
from actors.protocol.events import KNOWN_EVENTS, Event, made

if TYPE_CHECKING:
    import random

    from actors.core.settings import EngineSettings
    from actors.core.task import Task

__all__ = [
    "ASK_AGAIN",
    "COOLED",
    "EXPIRE",
    "FORGET",
    "GRACE",
    "IDLE",
    "LOOK",
    "OVERDUE",
    "PROBE",
    "RETRY",
    "STEAL",
    "UNANSWERED",
    "Book",
]

_new = tuple.__new__

RETRY: Final = 0
GRACE: Final = 1
LOOK: Final = 2
IDLE: Final = 3
COOLED: Final = 4
STEAL: Final = 5
FORGET: Final = 6
ASK_AGAIN: Final = 7
UNANSWERED: Final = 8
EXPIRE: Final = 9
PROBE: Final = 10
OVERDUE: Final = 11


class Book:
    """The shared state of one engine. `now` is the time of the last call, monotonic seconds."""

    __slots__ = (
        "accepted",
        "admitting",
        "breakers",
        "closed",
        "dead",
        "estimates",
        "expire_timer",
        "fleet",
        "forget_timer",
        "fresh",
        "highs",
        "history",
        "idled",
        "line",
        "now",
        "out",
        "overdue_timer",
        "paused",
        "placement",
        "quotas",
        "reconsider",
        "rng",
        "settings",
        "short",
        "stale",
        "starved",
        "steal_timer",
        "stirred",
        "tasks",
        "timer_count",
        "timers",
        "tripped",
        "utc_offset",
        "waiting_agents",
        "wanted",
    )

    def __init__(self, settings: EngineSettings, rng: random.Random) -> None:
        self.settings = settings
        self.rng = rng
        self.now = 0.0
        self.utc_offset = settings.utc_offset
        self.out: list[Decision] = []
        self.wanted: frozenset[str] = frozenset()
        # Every task that is not forgotten, by number.
        self.tasks = TaskTable()
        self.accepted = 0
        self.line: WaitingLine[Skill] = WaitingLine(self.tasks)
        self.fleet = Fleet(settings.max_agents)
        self.quotas = Quotas(settings.resources, self.fleet, self.tasks)
        self.estimates = Estimates()
        self.placement = Placement(settings, self.fleet)
        self.history = History(self.tasks, settings.kept_tasks, settings.kept_seconds)
        self.dead = DeadLetters(settings.kept_dead, settings.kept_dead_seconds, settings.kept_dead_bytes)
        # (due, count, what, subject, detail); one whose subject has changed meanwhile is ignored when it fires.
        self.timers: list[tuple[float, int, int, Any, Any]] = []
        self.timer_count = 0
        self.breakers = Breakers(settings.breaker_window, settings.breaker_cooldown, rng)
        # Task types whose breaker opened in this turn: what is at agents and has not begun is taken back.
        self.tripped: set[str] = set()
        self.forget_timer = False
        self.expire_timer = False
        self.steal_timer = False
        self.overdue_timer = False
        # What holds work back.
        self.paused = False
        self.closed = False
        self.admitting = True
        self.short: frozenset[str] = frozenset()
        # How many tasks are held by agents that take much of a resource, by resource.
        self.highs = {"cpu": 0, "memory": 0, "io": 0}
        # What has changed in this turn: buckets with new tasks, skills with new room, agents fallen idle, and whether
        # all waiting work is to be looked at again for agents to start.
        self.fresh: dict[Bucket, None] = {}
        self.stirred: dict[Skill, None] = {}
        self.idled: dict[Agent, None] = {}
        self.reconsider = False
        # Kinds of agents that are needed and find no place.
        self.starved: dict[Skill, None] = {}
        # Agents with a task that waits for its sub-tasks.
        self.waiting_agents: dict[Agent, None] = {}
        # Reports of agents that were out of date.
        self.stale = 0

    def timer(self, due: float, what: int, subject: Any = None, detail: Any = None) -> None:
        """Be woken at a time."""
        self.timer_count += 1
        heappush(self.timers, (due, self.timer_count, what, subject, detail))

    def look_for_overdue(self) -> None:
        """Look in a while whether what others stand behind takes longer than such work did."""
        if not self.overdue_timer:
            self.overdue_timer = True
            self.timer(self.now + LONG, OVERDUE)

    def due_timer(self, now: float) -> tuple[float, int, int, Any, Any] | None:
        """The next timer that is due, taken out."""
        if self.timers and self.timers[0][0] <= now:
            return heappop(self.timers)
        return None

    def agent(self, agent: str, incarnation: int) -> Agent | None:
        """The agent that a report is from; None if it is not the present incarnation."""
        found = self.fleet.agents.get(agent)
        if found is None or found.incarnation != incarnation:
            self.stale += 1
            return None
        return found

    def hold(self, agent: Agent, number: int, attempt: int) -> Task | None:
        """The task that a report is about; None if the agent does not have this attempt."""
        task = agent.held.get(number)
        if task is None or task.attempt != attempt:
            self.stale += 1
            return None
        return task

    def let_go(self, agent: Agent, task: Task, told: int = 0) -> None:
        """The agent no longer has the task, and has told the end of so many attempts that it had begun (0 or 1)."""
        number = task.number
        agent.told, _ = agent.told + told, agent.held.pop(number)
        release(agent, task.estimate)
        for name in agent.skill.highs:
            self.highs[name] -= 1
        if agent.interrupts:
            agent.interrupts.pop(number, None)
        if agent.waiting and number in agent.waiting:
            agent.waiting.remove(number)
            agent.waits_for.pop(number, None)
            if not agent.waiting:
                self.waiting_agents.pop(agent, None)

    def refit(self, agent: Agent) -> None:
        """After what the agent holds or takes has changed."""
        if self.fleet.refit(agent):
            self.idled[agent] = None
            agent.idle_since = self.now
            if not agent.idle_timer:
                agent.idle_timer = True
                self.timer(self.now + agent.idle_timeout, IDLE, agent, agent.incarnation)
        skill = agent.skill
        self.stirred[skill] = None
        for name in skill.highs:
            if name in self.short:
                self.stir_high(name)

    def stir_high(self, name: str) -> None:
        """Look again at all agents that take much of a resource."""
        for skill in self.fleet.skills.values():
            if name in skill.highs:
                self.stirred[skill] = None

    def stir_all(self) -> None:
        """Look again at everything."""
        self.stirred.update(dict.fromkeys(self.fleet.skills.values()))
        self.reconsider = True

    def blocked(self, skill: Skill) -> bool:
        """Whether the machine is short of what these agents take much of, and one of them is at work already."""
        return any(name in self.short and self.highs[name] > 0 for name in skill.highs)

    def kill(self, agent: Agent, reason: str) -> None:
        """Have the agent killed, once."""
        if agent.killed is None:
            self.out.append(Kill(agent.id, agent.incarnation, reason))
            agent.killed = reason
            self.refit(agent)

    def tell(self, kind: type[Event], **data: Any) -> None:
        """Tell an event that is about no single task; call it only if the kind is in `wanted`."""
        self.out.append(Publish(kind(source="scheduler", time=self.now + self.utc_offset, **data)))

    def ask_for(self, kind: AgentType, spawn: Spawn) -> None:
        """Have an agent started, and count it as one that is to come: both, or with a failure neither."""
        _, kind.spawning = self.out.append(spawn), kind.spawning + 1  # type: ignore[func-returns-value]

    def publish(self, kind: str, task: Task, **data: Any) -> None:
        """Tell an event about a task; call it only if the kind is in `wanted`."""
        of = task.kind
        fields = {
            "source": "scheduler",
            "scope": "global",
            "time": self.now + self.utc_offset,
            "task_id": task.id,
            "name": of.name,
            "job": of.job,
            "attempt": task.attempt,
            "agent": task.agent,
            **data,
        }
        self.out.append(_new(Publish, (made(KNOWN_EVENTS[kind], fields),)))
