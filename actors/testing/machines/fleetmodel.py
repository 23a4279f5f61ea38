"""What really is, beside the scheduler's mind: agents, and what was told of tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from actors.core.decisions import Assign, Decision, Interrupt, Kill, Look, Publish, Recall, Resolve, Retire, Spawn
from actors.core.engine import Engine
from actors.core.fleet import Agent
from actors.core.profile import Profile
from actors.core.task import Task
from actors.protocol.messages import Outcome
from actors.protocol.states import TaskStatus
from actors.testing.machines.fleet import FleetAgent
from actors.testing.machines.promise import must, must_be

__all__ = ["FleetModel"]


class FleetModel:
    """Carries out an engine's decisions at once, each of which must be possible and right.

    Agents do nothing by themselves: whoever drives the model says what they do next.

    Args:
        engine: what decides.
        profiles: by name, the agent types that there are.
        limit: how many agents there may be.
        capacity: how much there is of each named resource, in millionths.

    Its methods raise AssertionError when a promise does not hold.
    """

    def __init__(
        self, engine: Engine, profiles: Mapping[str, Profile], limit: int, capacity: Mapping[str, int] | None = None
    ) -> None:
        self.engine = engine
        self.profiles = profiles
        self.limit = limit
        self.capacity = capacity or {}
        # Attempts that waited for sub-tasks and do not any more.
        self.went_on: set[tuple[int, int]] = set()
        self.now = 0.0
        self.agents: dict[str, FleetAgent] = {}
        self.resolved: Counter[int] = Counter()
        self.spawned = 0
        # Whether new work may start, by what the machine and the program say.
        self.admitting = True
        self.paused = False

    # What the engine decides.

    def settle(self) -> None:
        """Carry out all decisions."""
        while decisions := self.engine.take():
            for decision in decisions:
                self.carry_out(decision)

    def carry_out(self, decision: Decision) -> None:
        """Do what the engine decided; it must be possible and right."""
        if isinstance(decision, Publish):
            return
        if isinstance(decision, Resolve):
            self.resolved[decision.task.number] += 1
            must(decision.task.final, "D8", decision.task, "is told as ended and has no outcome")
            return
        if isinstance(decision, Spawn):
            self.spawned += 1
            self.is_spawned(self.profiles[decision.agent_type])
            return
        agent = self.agents[decision.agent]
        must_be(decision.incarnation, agent.incarnation, "D8", "the incarnation of", agent.name, "in", decision)
        if isinstance(decision, Assign):
            self.is_assigned(agent, decision)
        elif isinstance(decision, Recall):
            agent.recalls.append(decision)
        elif isinstance(decision, Kill):
            must(not agent.doomed, "A6", agent.name, "is killed twice")
            agent.doomed = True
        elif isinstance(decision, Interrupt):
            self.is_interrupted(agent, decision)
        elif isinstance(decision, Look):
            top = agent.top
            seen = (top.task.number, top.attempt, top.started) if top else None
            self.engine.observed(agent.name, agent.incarnation, seen, self.now)
        elif isinstance(decision, Retire):
            must(not agent.running, "C2", agent.name, "is retired while it runs a task")
            self.die(agent, replaced=False)

    def is_spawned(self, profile: Profile) -> None:
        """An agent is started because work waits, if the limits allow it."""
        # Beyond it only if a task waits for its sub-tasks, for which there may be no other way to run.
        waits = any(agent.running and agent.running[-1].waits for agent in self.agents.values())
        must(waits or len(self.agents) < self.limit, "C1", f"an agent beyond the limit of {self.limit}")
        alike = sum(agent.profile is profile for agent in self.agents.values())
        must(profile.most is None or alike < profile.most, "C2", "more agents of type", profile.agent_type, "than most")
        self.launch(profile, f"{profile.agent_type}-s{self.spawned}", 1)

    def is_assigned(self, agent: FleetAgent, item: Assign) -> None:
        """An agent is given a task that it can take, when that may be."""
        task, profile = item.task, agent.profile
        must(agent.ready and not agent.doomed, "C3", agent.name, "takes no work and is given", task)
        must_be(task.status, TaskStatus.ASSIGNED, "D1", "the status of", task)
        must(task.needs.agent_type in (None, profile.agent_type), "C3", task, "needs another type than", agent.name)
        must(task.needs.requires <= profile.capabilities, "C3", task, "needs more than", agent.name, "can do")
        for before in map(self.engine.task, task.after):
            must(before is None or before.status is TaskStatus.COMPLETED, "D3", task, "is assigned before", before)
        must(item.nested or (self.admitting and not self.paused), "E3", task, "is assigned while work is held back")
        must(not any(task in other.tasks() for other in self.agents.values()), "D8", task, "is at an agent already")
        agent.inbox.append(item)
        if task.needs.resources:
            self.is_free(agent, task)

    def is_free(self, agent: FleetAgent, task: Task) -> None:
        """What an agent was just given finds enough of the named resources beside all that does not wait."""
        must(len(agent.inbox) <= agent.profile.slots, "E4", task, "holds a resource and cannot begin at", agent.name)
        taken: Counter[str] = Counter()
        for other in self.agents.values():
            working = [(begun.task, begun.attempt) for begun in other.running if not begun.waits]
            for held, attempt in working + [(each.task, each.attempt) for each in other.inbox]:
                if held.needs.resources and (held.number, attempt) in self.went_on:
                    # It went on beside those to which it lends.
                    return
                taken.update(dict(held.needs.resources))
        over = {name: units for name, units in taken.items() if units > self.capacity[name]}
        must(not over, "E4", task, "was given out, and now more is in use than there is:", over)

    def resources_are_given_back(self, tasks: Sequence[Task]) -> None:
        """A task waits for a resource only while agents hold so much of it that it does not fit."""
        taken: Counter[str] = Counter()
        for agent in self.agents.values():
            for held in agent.tasks():
                taken.update(dict(held.needs.resources))
        for task in tasks:
            if task.status is TaskStatus.PENDING and self.engine.explain(task.number, self.now).reason == "quota":
                lacks = [name for name, units in task.needs.resources if taken[name] + units > self.capacity[name]]
                must(lacks, "E4", task, "waits for a resource, and all that is held is", taken)

    def is_interrupted(self, agent: FleetAgent, decision: Interrupt) -> None:
        """What is to be interrupted ends at once, whether it runs or waits."""
        item, begun = agent.waits_of(decision), agent.runs_of(decision)
        if item is not None:
            agent.inbox.remove(item)
            self.report(agent, item.task, item.attempt, Outcome.INTERRUPTED)
        if begun is not None:
            agent.running.remove(begun)
            self.report(agent, begun.task, begun.attempt, Outcome.INTERRUPTED)

    # What agents do.

    def launch(self, profile: Profile, name: str, incarnation: int) -> None:
        """An agent is started, or the replacement of one."""
        self.agents[name] = FleetAgent(name, incarnation, profile)
        self.engine.agent_starting(name, incarnation, profile, profile.slots, self.now)

    def die(self, agent: FleetAgent, *, replaced: bool) -> None:
        """An agent is gone with all that it had."""
        self.engine.agent_gone(agent.name, agent.incarnation, agent.exit("died", replaced=replaced), self.now)
        del self.agents[agent.name]
        if replaced:
            self.launch(agent.profile, agent.name, agent.incarnation + 1)

    def report(self, agent: FleetAgent, task: Task, attempt: int, outcome: Outcome, payload: Any = None) -> None:
        """An agent tells how an attempt ended."""
        result = (task.number, attempt, int(outcome), payload, self.now, self.now)
        self.engine.finished(agent.name, agent.incarnation, result, self.now)

    def answer(self, agent: FleetAgent) -> None:
        """An agent answers the oldest recall."""
        back = agent.give_back(agent.recalls.popleft())
        self.engine.recalled(agent.name, agent.incarnation, back, self.now)

    def goes_on(self, agent: FleetAgent) -> None:
        """Let an agent do the next thing that is asked of it, if it is still there."""
        if self.agents.get(agent.name) is not agent:
            return
        if agent.doomed:
            self.die(agent, replaced=True)
        elif not agent.ready:
            agent.ready = True
            self.engine.agent_ready(agent.name, agent.incarnation, self.now)
        else:
            self.engine.agent_measured(agent.name, agent.incarnation, (100.0, 100.0), True, self.now)  # noqa: FBT003
            while agent.recalls:
                self.answer(agent)
            if agent.running:
                begun = agent.running.pop()
                self.report(agent, begun.task, begun.attempt, Outcome.VALUE)
            elif agent.inbox:
                item = agent.inbox.popleft()
                self.report(agent, item.task, item.attempt, Outcome.VALUE)
            elif self.thought_of(agent).draining:
                self.die(agent, replaced=False)
        self.settle()

    def thought_of(self, agent: FleetAgent) -> Agent:
        """An agent as the engine sees it; it must know each that there is."""
        known = self.engine._book.fleet.agents.get(agent.name)  # noqa: SLF001 - shown to nobody
        if known is None:
            raise AssertionError(f"C5: the scheduler does not know of {agent.name}")
        return known

    # What must hold.

    def loads_are_right(self) -> None:
        """The scheduler counts of each agent what it has in its hands."""
        for agent in self.agents.values():
            really = {task.number for task in agent.tasks()}
            must_be(set(self.thought_of(agent).held), really, "D4", "what", agent.name, "is thought to hold")

    def nothing_is_left(self, tasks: Sequence[Task]) -> None:
        """At rest none of the tasks is without an outcome, and no table has an entry."""
        waiting = [self.engine.explain(task.number, self.now) for task in tasks if not task.final]
        must_be(waiting, [], "D8", "tasks without an outcome")
        for task in tasks:
            must_be(self.resolved[task.number], 1, "D8", "how often it was told that", task, "ended")
            must(not task.dependents, "D3", task, "still has others that wait for it")
        book = self.engine._book  # noqa: SLF001 - nothing may be left in it
        must_be((book.line.live, len(book.line.children)), (0, 0), "D8", "what stands in the line")
        probed = [each for each in self.engine.queue(0).breakers if each.probe is not None]
        must_be(probed, [], "F4", "circuit breakers that wait for a task")
        must_be(book.highs, dict.fromkeys(book.highs, 0), "E4", "what is taken of each resource")
        held = [each for each in self.engine.resources() if each.in_use or each.waiting or each.holders]
        must_be(held, [], "E4", "named resources that are held at rest")
        for agent in book.fleet.agents.values():
            left = [agent.held, agent.interrupts, agent.waiting]
            must(not any(left), "D4", agent, "has left", left)
