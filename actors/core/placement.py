"""Which of the suitable agents gets a task."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors.core.fleet import Agent, Fleet, Skill
    from actors.core.lane import Bucket
    from actors.core.settings import EngineSettings, Weights
    from actors.core.task import Task

__all__ = ["Placement", "worth"]

_LOOKED_AT = 16
_KEYS_KEPT = 10_000
_WARM_KEPT = 64


def worth(task: Task, agent: Agent, weights: Weights) -> float:
    """How well an agent fits a task: the sum of what the weights name."""
    kind = task.kind
    score = weights.free_slot * agent.free_slots
    score += weights.surplus / (1 + len(agent.skill.capabilities) - len(kind.needs.requires))
    score += weights.free_resources * (agent.free_cpu + agent.free_memory) / 2
    if kind.prefers == agent.skill.type.name:
        score += weights.preferred_type
    if task.inputs and agent.warm:
        score += weights.warm_inputs * sum(name in agent.warm for name in task.inputs) / len(task.inputs)
    return score


class Placement:
    """Chooses among the idle agents that can take a task.

    Of a large number of like agents it looks at the 16 that have been idle longest, and at those that have an input
    of the task warm or had its key last. So a choice does not grow with the number of agents, and is exact up to 16.
    """

    __slots__ = ("_fleet", "_keys", "_score", "_settings", "_turns", "_warm")

    def __init__(self, settings: EngineSettings, fleet: Fleet) -> None:
        self._settings = settings
        self._fleet = fleet
        self._score = settings.score
        self._turns = 0
        # Which agent had a key last, and which has an input warm: by id, the latest last. Ids outlive agents.
        self._keys: dict[str, str] = {}
        self._warm: dict[str, str] = {}

    def choose(self, task: Task, bucket: Bucket, skills: list[Skill]) -> Agent:
        """The agent for a task.

        Args:
            task: the task.
            bucket: what it needs.
            skills: those that serve the bucket and have an idle agent; one at least.
        """
        if len(skills) == 1 and len(skills[0].idle) == 1:
            return next(iter(skills[0].idle))
        candidates = {agent: None for skill in skills for agent in islice(skill.idle, _LOOKED_AT)}
        if task.key is not None:
            sticky = self._idle_of(self._keys.get(task.key), skills)
            if sticky is not None:
                return sticky
        policy = self._settings.policy
        if policy == "round_robin":
            return min(candidates, key=lambda agent: agent.last)
        for name in islice(task.inputs, _LOOKED_AT):
            warm = self._idle_of(self._warm.get(name), skills)
            if warm is not None:
                candidates[warm] = None
        if policy == "least_loaded":
            return min(candidates, key=lambda agent: (len(agent.held) - len(agent.waiting), agent.last))
        score = self._score
        if score is not None:
            return max(candidates, key=lambda agent: score(task, agent))
        weights = self._settings.weights
        # Equals take turns, so that no agent is always the first to be asked.
        return max(candidates, key=lambda agent: (worth(task, agent, weights), -agent.last))

    def given(self, task: Task, agent: Agent) -> None:
        """Remember where a task with a key or inputs went."""
        if task.key is not None:
            self._remember(self._keys, task.key, agent.id)
        if task.inputs:
            for name in task.inputs:
                self._remember(self._warm, name, agent.id)
                agent.warm.pop(name, None)
                agent.warm[name] = None
            while len(agent.warm) > max(_WARM_KEPT, len(task.inputs)):
                del agent.warm[next(iter(agent.warm))]
            group = (task.kind.name, task.inputs)
            agent.group_run = agent.group_run + 1 if group == agent.group else 0
            agent.group = group

    def turn(self) -> int:
        """Counts up: the agent that was given a task longest ago has the lowest."""
        self._turns += 1
        return self._turns

    def _remember(self, table: dict[str, str], name: str, agent: str) -> None:
        table.pop(name, None)
        table[name] = agent
        if len(table) > _KEYS_KEPT:
            del table[next(iter(table))]

    def _idle_of(self, agent_id: str | None, skills: list[Skill]) -> Agent | None:
        agent = self._fleet.agents.get(agent_id) if agent_id is not None else None
        return agent if agent is not None and agent in agent.skill.idle and agent.skill in skills else None
