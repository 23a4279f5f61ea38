"""The agents as the scheduler sees them: what they can do, what they hold, who is free."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from actors.core.lane import View
from actors.core.profile import Profile

if TYPE_CHECKING:
    from actors.core.lane import Bucket
    from actors.core.task import Needs, Task
    from actors.errors import AgentDied
    from actors.protocol.messages import CancellationCause

__all__ = ["READY", "STARTING", "Agent", "AgentExit", "AgentType", "Fleet", "Skill", "Verdict"]

STARTING: Final = 0
READY: Final = 1


class Verdict(NamedTuple):
    """What an agent is ended for: the limit, what was measured and is allowed, and earlier figures with their age."""

    limit: str
    figure: float
    allowed: float
    growth: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class AgentExit:
    """What is known about an agent that has ended.

    Args:
        running: number and attempt of the task that ran at its end, by its status block.
        error: what that task fails with, unless it is tried again.
        replaced: whether an agent of the same id is being started; its place stays taken.
        begun: how many of the tasks whose results have not arrived had begun, in the order of their assignment.
        since: when the task that ran at its end had begun, if that is known.
        ordered: whether it was asked to end, so that its end says nothing about the task.
    """

    running: tuple[int, int] | None
    error: AgentDied
    replaced: bool = False
    begun: int = 0
    since: float | None = None
    ordered: bool = False


class AgentType:
    """All agents of one type, whatever they can do besides.

    Invariant: `agents` counts its members in the fleet, `spawning` those that were asked for and are not yet in it.
    Beyond `allowed` they end when they are idle; that is so after their number was lowered.
    """

    __slots__ = ("agents", "allowed", "failed", "name", "profile", "spawning")

    def __init__(self, name: str) -> None:
        self.name = name
        self.profile: Profile | None = None
        self.failed: BaseException | None = None
        self.agents = 0
        self.allowed = math.inf
        self.spawning = 0

    @property
    def least(self) -> int:
        """How many there should be at least."""
        return self.profile.least if self.profile is not None else 0


class Skill(View):
    """Agents that are alike in type and capabilities.

    `idle` are those that could begin a task now, the one that has been idle longest first; `hungry` those that may
    take more ahead; `laden` those that hold work ahead. `starting` counts those that are not ready yet, `leaving` those that
    take no more work because they are to end.
    """

    __slots__ = ("agents", "capabilities", "highs", "hungry", "idle", "laden", "leaving", "profile", "starting", "type")

    def __init__(self, profile: Profile, kind: AgentType) -> None:
        super().__init__()
        self.profile = profile
        self.type = kind
        self.capabilities = profile.capabilities
        self.highs = profile.highs
        self.agents: dict[Agent, None] = {}
        self.idle: dict[Agent, None] = {}
        self.hungry: dict[Agent, None] = {}
        self.laden: dict[Agent, None] = {}
        self.starting = 0
        self.leaving = 0

    def __repr__(self) -> str:
        return f"<Skill {self.type.name} {sorted(self.capabilities)}>"

    def serves(self, needs: Needs) -> bool:
        """Whether its agents have the type and the capabilities."""
        return (needs.agent_type is None or needs.agent_type == self.type.name) and needs.requires <= self.capabilities

    @property
    def spawnable(self) -> bool:
        """Whether more of its agents can be started, apart from limits."""
        own = self.type
        return own.profile is not None and own.failed is None and own.profile.capabilities == self.capabilities

    @property
    def viable(self) -> bool:
        """Whether its tasks may ever run."""
        return bool(self.agents) or self.spawnable


class Agent:
    """One agent. Its id is taken over by its replacement, with the next incarnation."""

    __slots__ = (
        "asked",
        "awaited",
        "cooling",
        "culprit",
        "draining",
        "fates",
        "free_cpu",
        "free_memory",
        "grace",
        "group",
        "group_run",
        "heard",
        "hearing",
        "held",
        "id",
        "idle_since",
        "idle_timeout",
        "idle_timer",
        "incarnation",
        "inside",
        "interrupts",
        "job",
        "killed",
        "last",
        "longs",
        "look_due",
        "moved",
        "phase",
        "recalls",
        "refusals",
        "replaced",
        "retiring",
        "skill",
        "slots",
        "told",
        "unknowns",
        "verdict",
        "waiting",
        "waits_for",
        "warm",
        "work",
    )

    def __init__(
        self,
        id: str,  # noqa: A002
        incarnation: int,
        skill: Skill,
        slots: int,
        job: str | None,
        grace: float,
        idle_timeout: float,
    ) -> None:
        self.id = id
        self.skill = skill
        self.slots = slots
        self.job = job
        self.grace = grace
        self.idle_timeout = idle_timeout
        self.free_cpu = 100.0
        self.free_memory = 100.0
        self.last = 0
        self.incarnation = incarnation
        self.phase = STARTING
        # Whether it stands for a replacement that has not been started yet.
        self.awaited = False
        # Takes no new work; is to end because its place is needed; waits a moment after a refusal; is over a soft limit.
        self.draining = False
        self.retiring = False
        self.cooling = False
        self.inside = True
        # Why it is being killed, if it is.
        self.killed: str | None = None
        # The task for whose sake that is, by number, if it is for one's.
        self.culprit: int | None = None
        # What it holds, by number, in the order of assignment; ended ones stay until the agent has let go of them.
        self.held: dict[int, Task] = {}
        # The numbers of those that wait for their sub-tasks, the innermost last. Part of `held`.
        self.waiting: list[int] = []
        # The sub-tasks that each of them waits for.
        self.waits_for: dict[int, set[int]] = {}
        # What was asked back and not yet answered, one item for each request.
        self.recalls: list[tuple[tuple[int, int], ...]] = []
        # How often it was asked in a row and kept something, while it was to give back all.
        self.asked = 0
        # Interrupted tasks by number, with the cause.
        self.interrupts: dict[int, CancellationCause] = {}
        # What a hard limit ended it for: (limit, figure, allowed).
        self.verdict: Verdict | None = None
        # Credit: how many of `held` are long, of unknown length, and the seconds of the rest.
        self.longs = 0
        self.unknowns = 0
        self.work = 0.0
        self.refusals = 0
        # How many attempts that it had begun it has told the end of.
        self.told = 0
        # For a failure in the middle, see `actors.core.rebuild`: whose end is being taken in, and what that adds to `told`;
        # the last answer to a recall; once it is dead, what becomes of each task, and whether it is replaced.
        self.hearing: tuple[int, int] | None = None
        self.heard: object = None
        self.fates: list[tuple[Task, Callable[[], None]]] | None = None
        self.replaced = False
        # When it last told the end of a task, or that one goes on.
        self.moved = 0.0
        self.idle_since = 0.0
        self.idle_timer = False
        self.look_due: float | None = None
        # The inputs it has warm, the latest last; the type and inputs of its last task, how many of them in a row.
        self.warm: dict[str, None] = {}
        self.group: tuple[str, frozenset[str]] | None = None
        self.group_run = 0

    def __repr__(self) -> str:
        return f"<Agent {self.id}.{self.incarnation} holds {list(self.held)} waits {self.waiting}>"

    @property
    def open(self) -> bool:
        """Whether it takes ordinary work: a single lane that waits takes only what its own task waits for."""
        return (
            self.phase == READY
            and not self.draining
            and not self.cooling
            and self.inside
            and self.killed is None
            and not (self.waiting and self.slots == 1)
        )

    @property
    def free_slots(self) -> int:
        """How many tasks it could begin at once."""
        return max(0, self.slots - len(self.held) + len(self.waiting))


class Fleet:
    """All agents, and the kinds of agents that could be started."""

    __slots__ = ("agents", "max_agents", "resized", "skills", "types")

    def __init__(self, max_agents: int) -> None:
        self.max_agents = max_agents
        # Whether the number of any type was ever changed.
        self.resized = False
        self.agents: dict[str, Agent] = {}
        self.skills: dict[tuple[str, frozenset[str], tuple[str, ...]], Skill] = {}
        self.types: dict[str, AgentType] = {}

    @property
    def count(self) -> int:
        """All agents, with those that are starting or were asked for."""
        return len(self.agents) + sum(kind.spawning for kind in self.types.values())

    def type(self, name: str) -> AgentType:
        """The type of the name."""
        kind = self.types.get(name)
        if kind is None:
            kind = self.types[name] = AgentType(name)
        return kind

    def add(self, agent: Agent) -> None:
        """One more agent, not yet ready. It takes the place of one with its id, or of one that was asked for."""
        known = self.agents.get(agent.id)
        kind = agent.skill.type
        kind.spawning, self.agents[agent.id] = max(0, kind.spawning - (known is None)), agent
        if known is not None:
            self._forget(known)
        agent.skill.agents[agent] = None
        agent.skill.starting += 1
        kind.agents += 1

    def remove(self, agent: Agent) -> None:
        """The agent is gone and its place is free."""
        del self.agents[agent.id]
        self._forget(agent)

    def restart(self, agent: Agent) -> None:
        """The agent is gone and one of the same id is to come."""
        which = agent.incarnation + (not agent.awaited)
        following = Agent(agent.id, which, agent.skill, agent.slots, agent.job, agent.grace, agent.idle_timeout)
        following.free_cpu, following.free_memory, following.last = agent.free_cpu, agent.free_memory, agent.last
        following.awaited = True
        self.agents[agent.id] = following
        self._forget(agent)
        following.skill.agents[following] = None
        following.skill.starting += 1
        following.skill.type.agents += 1

    def _forget(self, agent: Agent) -> None:
        self.halt(agent)
        del agent.skill.agents[agent]
        agent.skill.starting -= 1
        agent.skill.type.agents -= 1

    def ready(self, agent: Agent) -> None:
        """The agent takes work from now on."""
        if agent.phase == STARTING:
            agent.phase = READY
            agent.skill.starting -= 1

    def drain(self, agent: Agent) -> None:
        """The agent takes no more work."""
        if not agent.draining:
            agent.draining = True
            agent.skill.leaving += 1

    def halt(self, agent: Agent) -> None:
        """The agent no longer runs: it counts as starting, and is in no list of those that can take or give work."""
        skill = agent.skill
        if agent.draining:
            agent.draining = False
            skill.leaving -= 1
        if agent.phase == READY:
            agent.phase = STARTING
            skill.starting += 1
        skill.idle.pop(agent, None)
        skill.hungry.pop(agent, None)
        skill.laden.pop(agent, None)

    def refit(self, agent: Agent) -> bool:
        """Put the agent into the lists that fit what it holds; true if it has become idle."""
        skill = agent.skill
        held = len(agent.held)
        became_idle = False
        if agent.open:
            skill.hungry[agent] = None
            if held - len(agent.waiting) < agent.slots:
                if agent not in skill.idle:
                    skill.idle[agent] = None
                    became_idle = True
            else:
                skill.idle.pop(agent, None)
        else:
            skill.idle.pop(agent, None)
            skill.hungry.pop(agent, None)
        if held - len(agent.waiting) > agent.slots:
            skill.laden[agent] = None
        else:
            skill.laden.pop(agent, None)
        return became_idle

    def room_for(self, kind: AgentType, *, asked: bool = False) -> str:
        """Why no agent of the type may be started, or "" if one may; `asked`: by the program, above its most as well."""
        if kind.failed is not None:
            return f"agents of type {kind.name} cannot be started: {kind.failed}"
        most = kind.profile.most if kind.profile is not None else None
        if not asked and most is not None and kind.agents + kind.spawning >= most:
            return f"there are {most} agents of type {kind.name}, which is the most allowed"
        if self.count >= self.max_agents:
            return f"the limit of {self.max_agents} agents is reached"
        return ""

    def dispensable(self, agent: Agent) -> bool:
        """Whether the agent's type has more than its least without it."""
        return self.staying(agent.skill.type) > agent.skill.type.least

    def too_many(self, kind: AgentType) -> bool:
        """Whether there are more of a type than are allowed since their number was lowered."""
        return self.staying(kind) > kind.allowed

    def staying(self, kind: AgentType) -> int:
        """How many agents of a type there are without those that are to end."""
        return kind.agents - sum(skill.leaving for skill in self.skills.values() if skill.type is kind)

    def spawner(self, bucket: Bucket) -> Skill | None:
        """The kind of agent to start for these needs: of those that can be, the one with the fewest capabilities."""
        found: Skill | None = None
        for skill in self.serving(bucket):
            if skill.spawnable and (found is None or len(skill.capabilities) < len(found.capabilities)):
                found = skill
        return found

    def serving(self, bucket: Bucket) -> Iterator[Skill]:
        """The skills that can serve a bucket."""
        for view in bucket.views:
            assert isinstance(view, Skill)  # noqa: S101 - all views of a scheduler's line are skills
            yield view
