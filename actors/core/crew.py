"""What the scheduler's mind is told about agents, and what they report."""

# A report is a flat list of facts, in the order of the message that brings it.
# ruff: noqa: FBT001

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from actors.core.book import Book
from actors.core.decisions import Spawn
from actors.core.dispatch import Dispatcher
from actors.core.fleet import Agent, AgentExit, Skill, Verdict
from actors.core.limits import Limits
from actors.core.outcomes import Outcomes
from actors.core.profile import Profile
from actors.core.reports import Reports
from actors.core.scaling import Scaling
from actors.core.sharing import Sharing
from actors.errors import ConfigError

if TYPE_CHECKING:
    import random

    from actors.core.settings import EngineSettings

__all__ = ["Crew"]


class Crew:
    """The half of the engine that agents speak to; `Engine` is the whole."""

    def __init__(self, settings: EngineSettings, rng: random.Random) -> None:
        self._book = book = Book(settings, rng)
        self._outcomes = Outcomes(book)
        self._limits = Limits(book)
        self._dispatcher = Dispatcher(book, self._outcomes)
        self._scaling = Scaling(book, self._dispatcher, self._outcomes)
        self._sharing = Sharing(book, self._dispatcher)
        self._reports = Reports(book, self._outcomes, self._limits, self._sharing)

    # Agents

    def profile_known(self, profile: Profile, now: float) -> None:
        """Agents of this profile may be started for work; replaces what was known of its type.

        Agents beyond a most that was lowered end: idle ones now, busy ones when they fall idle.
        """
        book = self._book
        book.now = now
        kind = book.fleet.type(profile.agent_type)
        if kind.profile is not None:
            kind.allowed = math.inf if profile.most is None else profile.most
            book.fleet.resized = True
            for skill in book.fleet.skills.values():
                if skill.type is kind:
                    book.idled.update(skill.idle)
        kind.profile = profile
        self._skill(profile)
        self._book.stir_all()

    def profile_forgotten(self, agent_type: str, now: float) -> None:
        """No more agents of the type may be started."""
        self._book.now = now
        self._book.fleet.type(agent_type).profile = None
        self._abandon(agent_type)

    def agent_starting(
        self, agent: str, incarnation: int, profile: Profile, slots: int, now: float, job: str | None = None
    ) -> None:
        """An agent is being started; it counts against the limit from now on.

        Args:
            agent: its id; one that ended with `replaced` is the same agent with the next incarnation.
            incarnation: counts up with each replacement, from 1.
            profile: what it can do.
            slots: how many tasks it runs at once, 1 or more.
            now: monotonic seconds.
            job: the job that it was started for.
        """
        book = self._book
        book.now = now
        skill = self._skill(profile)
        known = book.fleet.agents.get(agent)
        if known is not None and known.held:
            message = f"agent {agent} is started again before it was said to be gone"
            raise ConfigError(message, key="agent", value=agent, allowed="agent_gone first")
        grace = book.settings.grace if profile.grace is None else profile.grace
        idle_timeout = book.settings.idle_timeout if profile.idle_timeout is None else profile.idle_timeout
        book.fleet.add(Agent(agent, incarnation, skill, slots, job, grace, idle_timeout))
        book.reconsider = True

    def agent_requested(self, agent_type: str, now: float, order: Any = None, job: str | None = None) -> None:
        """The shell wants an agent of the type of its own accord: a `Spawn` with its order and job follows."""
        self._book.now = now
        kind = self._book.fleet.type(agent_type)
        # Whoever asks for one by name gets it, beyond the most, too, and keeps it.
        kind.allowed = max(kind.allowed, kind.agents + kind.spawning + 1)
        self._book.ask_for(kind, Spawn(agent_type, job, order))

    def missing(self, agent_type: str) -> int:
        """How many agents of the type have to be started so that there is its least."""
        fleet = self._book.fleet
        kind = fleet.type(agent_type)
        return max(0, kind.least - fleet.staying(kind) - kind.spawning)

    def spawn_failed(self, agent_type: str, now: float) -> None:
        """An agent that `Spawn` asked for, or that was requested, will not come."""
        self._book.now = now
        kind = self._book.fleet.type(agent_type)
        kind.spawning = max(0, kind.spawning - 1)
        self._book.stir_all()

    def agent_ready(self, agent: str, incarnation: int, now: float) -> None:
        """The agent takes work from now on."""
        book = self._book
        book.now = now
        found = book.agent(agent, incarnation)
        if found is not None:
            book.fleet.ready(found)
            book.refit(found)
            book.reconsider = True

    def agent_gone(self, agent: str, incarnation: int, end: AgentExit, now: float) -> None:
        """The agent is dead, and all that it has sent was reported."""
        book = self._book
        book.now = now
        found = book.fleet.agents.get(agent)
        if found is None or found.incarnation != incarnation + found.awaited:
            book.stale += 1
            return
        self._reports.judge(found, end)
        self._bury(found)

    def agent_drain(self, agent: str, now: float) -> None:
        """The agent takes no new work; what it has not begun is asked back."""
        book = self._book
        book.now = now
        found = book.fleet.agents.get(agent)
        if found is not None and not found.draining:
            book.fleet.drain(found)
            self._sharing.take_back_all(found)
            book.refit(found)
            book.reconsider = True

    def agent_waiting(self, agent: str, incarnation: int, number: int, on: Sequence[int], now: float) -> None:
        """A task of the agent waits for sub-tasks: its slot is given away until `agent_resumed`."""
        self._book.now = now
        found = self._book.agent(agent, incarnation)
        if found is not None and on:
            self._reports.waiting(found, number, on)

    def agent_resumed(self, agent: str, incarnation: int, number: int, now: float) -> None:
        """The task of the agent goes on."""
        self._book.now = now
        found = self._book.agent(agent, incarnation)
        if found is not None:
            self._reports.resumed(found, number)

    def agent_measured(
        self,
        agent: str,
        incarnation: int,
        free: tuple[float, float],
        inside: bool,
        now: float,
    ) -> None:
        """What share of its cpu and memory limits is free, in percent, and whether it is inside its soft limits."""
        book = self._book
        book.now = now
        found = book.agent(agent, incarnation)
        if found is not None:
            found.free_cpu, found.free_memory = free
            if found.inside is not inside:
                found.inside = inside
                book.refit(found)

    def type_failed(self, agent_type: str, error: BaseException, now: float) -> None:
        """Agents of the type cannot be started: tasks that no other agent can take fail with the error as cause.

        What was asked for and will not come is told by `spawn_failed`, each: some may be on its way in a further try.
        """
        book = self._book
        book.now = now
        book.fleet.type(agent_type).failed = error
        self._abandon(agent_type)
        book.stir_all()

    def type_mended(self, agent_type: str, now: float) -> None:
        """Agents of the type can be started again."""
        self._book.now = now
        self._book.fleet.type(agent_type).failed = None
        self._book.stir_all()

    def room_for(self, agent_type: str) -> str:
        """Why the program may start no further agent of the type, in words; "" if it may."""
        return self._book.fleet.room_for(self._book.fleet.type(agent_type), asked=True)

    def set_max_agents(self, limit: int, now: float) -> None:
        """How many agents there may be, 1 or more. Idle ones above it end; busy ones when they fall idle."""
        book = self._book
        book.now = now
        book.fleet.max_agents = limit
        for skill in book.fleet.skills.values():
            book.idled.update(skill.idle)
        book.stir_all()

    # Reports of agents

    def started(self, agent: str, incarnation: int, number: int, attempt: int, at: float, now: float) -> None:
        """The task's body began to run at a time."""
        book = self._book
        book.now = now
        found = book.agent(agent, incarnation)
        task = book.hold(found, number, attempt) if found is not None else None
        if task is not None and not task.final:
            self._limits.begun(task, at)

    def finished(self, agent: str, incarnation: int, result: Sequence[Any], now: float) -> None:
        """One attempt has ended: the fields of a `TaskResult`."""
        self.finished_many(agent, incarnation, (result,), now)

    def finished_many(self, agent: str, incarnation: int, results: Sequence[Sequence[Any]], now: float) -> None:
        """Attempts have ended: the fields of a `TaskResult` each. An agent that sends anything else is killed."""
        book = self._book
        book.now = now
        found = book.agent(agent, incarnation)
        if found is not None:
            self._reports.finished(found, results)

    def refused(self, agent: str, incarnation: int, number: int, attempt: int, reason: str, now: float) -> None:
        """The agent will not run the task; it moves on without losing an attempt."""
        book = self._book
        book.now = now
        found = book.agent(agent, incarnation)
        task = book.hold(found, number, attempt) if found is not None else None
        if found is not None and task is not None:
            self._reports.refused(found, task, reason)

    def withheld(self, agent: str, incarnation: int, number: int, attempt: int, now: float) -> None:
        """An assignment cannot be sent at present, which is not the agent's doing; the task loses no attempt."""
        book = self._book
        book.now = now
        found = book.agent(agent, incarnation)
        task = book.hold(found, number, attempt) if found is not None else None
        if found is not None and task is not None:
            self._reports.withheld(found, task)

    def recalled(
        self,
        agent: str,
        incarnation: int,
        given_back: Iterable[tuple[int, int]],
        now: float,
        answer: object = None,
    ) -> None:
        """The answer to the oldest open `Recall` of the agent: the (number, attempt) of those that it gave back.

        `answer` is an object that stands for it, if it may be told twice.
        """
        self._book.now = now
        found = self._book.agent(agent, incarnation)
        if found is not None:
            self._reports.recalled(found, given_back, answer)

    def progressed(
        self, agent: str, incarnation: int, number: int, attempt: int, fraction: float, note: str, at: float, now: float
    ) -> None:
        """A task told how far it has come; `at` is UTC seconds."""
        book = self._book
        book.now = now
        found = book.agent(agent, incarnation)
        task = book.hold(found, number, attempt) if found is not None else None
        if task is None or task.final:
            return
        self._limits.begun(task, now)
        task.note_progress(fraction, note, at)
        if "TaskProgressed" in book.wanted:
            book.publish("TaskProgressed", task, fraction=fraction, note=note)

    def observed(self, agent: str, incarnation: int, running: tuple[int, int, float] | None, now: float) -> None:
        """The answer to a `Look`: number, attempt and start of what runs there, by its status block."""
        self._book.now = now
        found = self._book.agent(agent, incarnation)
        if found is not None:
            self._limits.observed(found, running)

    def breached(
        self,
        agent: str,
        incarnation: int,
        limit: str,
        figure: float,
        allowed: float,
        now: float,
        growth: tuple[tuple[float, float], ...] = (),
    ) -> None:
        """The agent went over a hard limit: it is killed, and what it runs fails with `LimitExceeded`."""
        self._book.now = now
        found = self._book.agent(agent, incarnation)
        if found is not None and found.verdict is None:
            self._limits.condemn(found, Verdict(limit, figure, allowed, growth))

    def told(self, agent: str, incarnation: int) -> int:
        """How many attempts that an agent had begun it has told the end of; 0 if it is gone."""
        found = self._book.fleet.agents.get(agent)
        return found.told if found is not None and found.incarnation == incarnation else 0

    @property
    def working(self) -> bool:
        """Whether any agent holds a task."""
        return any(agent.held for agent in self._book.fleet.agents.values())

    def admission(self, open: bool, short: frozenset[str], now: float) -> None:  # noqa: A002
        """Whether new work may start, and the resources (cpu, memory, io) of which the machine is short."""
        book = self._book
        book.now = now
        book.admitting = open
        book.short = short
        book.stir_all()

    def _bury(self, agent: Agent) -> None:
        """Part from an agent that is dead, once it is noted what becomes of its tasks."""
        book = self._book
        skill = agent.skill
        self._reports.bury(agent)
        book.waiting_agents.pop(agent, None)
        book.idled.pop(agent, None)
        if agent.replaced:
            book.fleet.restart(agent)
        else:
            book.fleet.remove(agent)
            if not skill.viable:
                self._abandon(skill.type.name, skill)
        # Timers know the agent for some time yet, and its tasks may have large results.
        agent.fates = None
        book.stir_all()

    def _skill(self, profile: Profile) -> Skill:
        fleet = self._book.fleet
        key = (profile.agent_type, profile.capabilities, profile.highs)
        skill = fleet.skills.get(key)
        if skill is None:
            skill = fleet.skills[key] = Skill(profile, fleet.type(profile.agent_type))
            self._book.line.add_view(skill)
        return skill

    def _abandon(self, agent_type: str, only: Skill | None = None) -> None:
        """Fail what nobody can take now that agents of a type are no longer to come."""
        book = self._book
        for skill in [only] if only is not None else list(book.fleet.skills.values()):
            if skill.type.name == agent_type and not skill.viable:
                for bucket in {lane.bucket: None for heap in skill.heaps for _, lane in heap if lane.live}:
                    self._dispatcher.abandon(bucket)
        for bucket in book.line.gates.held:
            # Views do not know of what is held back.
            self._dispatcher.abandon(bucket)
