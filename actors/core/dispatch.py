"""Giving waiting tasks to agents, at the end of each turn."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

from actors.core.book import LOOK, Book
from actors.core.credit import LONG, allowance, reserve
from actors.core.decisions import Assign, Retire
from actors.errors import NoSuitableAgent
from actors.protocol.states import TaskStatus

if TYPE_CHECKING:
    from actors.core.fleet import Agent, Skill
    from actors.core.lane import Bucket, Lane
    from actors.core.outcomes import Outcomes
    from actors.core.task import Task

__all__ = ["Dispatcher"]

_PENDING = TaskStatus.PENDING
_ASSIGNED = TaskStatus.ASSIGNED
_WARM_RUN = 16
_AT_A_TIME = 64
_new = tuple.__new__


class Dispatcher:
    """Brings ready tasks and agents with room together."""

    __slots__ = ("_book", "_outcomes")

    def __init__(self, book: Book, outcomes: Outcomes) -> None:
        self._book = book
        self._outcomes = outcomes

    def run(self) -> None:
        """Give out all that can be given out. Afterwards no idle agent stands beside a task that it could begin."""
        book = self._book
        stirred = book.stirred
        for bucket in book.fresh:
            if not bucket.live:
                continue
            viable = False
            for view in book.fleet.serving(bucket):
                viable = viable or view.viable
                if view.idle or view.hungry:
                    stirred[view] = None
            if not viable:
                self.abandon(bucket)
        if book.admitting and not book.paused:
            for skill in stirred:
                if skill.idle:
                    self._begin(skill)
                if skill.hungry:
                    self._send_ahead(skill)
        stirred.clear()

    def abandon(self, bucket: Bucket) -> None:
        """Fail all tasks that wait for what no agent offers, if that is so."""
        if any(skill.viable for skill in self._book.fleet.serving(bucket)):
            return
        needs = bucket.needs
        causes = [s.type.failed for s in self._book.fleet.serving(bucket) if s.type.failed is not None]
        if needs.agent_type is not None and not causes:
            own = self._book.fleet.types.get(needs.agent_type)
            causes = [own.failed] if own is not None and own.failed is not None else []
        for lane in bucket.lanes:
            if lane is None or not lane.live:
                continue
            for task in list(lane.tasks()):
                error = NoSuitableAgent(
                    f"task {task.id} needs {needs._replace(resources=())}, "
                    + (
                        f"whose agents cannot be started: {causes[0]}"
                        if causes
                        else "which no worker offers; add a worker that does"
                    ),
                    task_id=task.id,
                    requires=tuple(sorted(needs.requires)),
                )
                error.__cause__ = causes[0] if causes else None
                self._outcomes.unservable(task, error)

    def assign(self, agent: Agent, task: Task, *, nested: bool = False) -> None:
        """Give a task, already taken out of the line, to an agent."""
        self._assign(agent, (task,), self._book.estimates.of(task.kind), nested=nested)

    def _assign(self, agent: Agent, tasks: Sequence[Task], estimate: float, *, nested: bool = False) -> None:
        """Give tasks of one kind to an agent. They are counted with what is known now, and released with the same."""
        book = self._book
        now = book.now
        kind = tasks[0].kind
        name, incarnation = agent.id, agent.incarnation
        held = agent.held
        out = book.out
        for task in tasks:
            if task.status is not _PENDING:
                task.check_move(_ASSIGNED)
            attempt = task.attempt + 1
            task.assigned = now
            task.agent = name
            task.incarnation = incarnation
            task.estimate = estimate
            # From here on it is assigned: an assignment that is still in `out` after a failure is taken back.
            out.append(_new(Assign, (name, incarnation, task, attempt, nested)))
            task.attempt = attempt
            held[task.number] = task
            task.status = _ASSIGNED
        if kind.breaker and book.breakers.begins(kind.name, tasks[0].number) is not None:
            book.line.gates.shut(kind.name)
        book.quotas.note(tasks, book.line.gates, book.fresh)
        self._account(agent, len(tasks), estimate)
        # The task may begin at once, so no look may be later than its limit; one that comes too early does no harm.
        if kind.timeout is not None and (agent.look_due is None or now + kind.timeout < agent.look_due):
            agent.look_due = now + kind.timeout
            book.timer(agent.look_due, LOOK, agent, incarnation)
        first = tasks[0]
        if first.inputs or first.key is not None or agent.group is not None:
            for task in tasks:
                book.placement.given(task, agent)
        if "TaskAssigned" in book.wanted:
            for task in tasks:
                book.publish("TaskAssigned", task)

    def _account(self, agent: Agent, count: int, estimate: float) -> None:
        """Count so many more tasks that the agent holds."""
        reserve(agent, estimate, count)
        skill = agent.skill
        busy = len(agent.held) - len(agent.waiting)
        if (estimate < 0 or estimate >= LONG) and self._book.line.live:
            # What waits for a busy agent may now be better off with one more.
            self._book.reconsider = True
        if busy >= agent.slots:
            skill.idle.pop(agent, None)
            if busy > agent.slots:
                skill.laden[agent] = None
        for resource in skill.highs:
            self._book.highs[resource] += count

    def _begin(self, skill: Skill) -> None:
        """Give tasks to agents that can begin them at once."""
        book = self._book
        ageing = book.settings.ageing
        line = book.line
        placement = book.placement
        while skill.idle:
            if book.short and book.blocked(skill):
                return
            lane = skill.pick(ageing)
            if lane is None:
                return
            if book.starved and self._make_way(skill, lane):
                continue
            skills = [other for other in book.fleet.serving(lane.bucket) if other.idle]
            if book.short and len(skills) > 1:
                skills = [other for other in skills if not book.blocked(other)]
            agent = placement.choose(lane.first(), lane.bucket, skills)
            agent.last = placement.turn()
            skill.picks += 1
            self.assign(agent, line.take(lane))

    def _send_ahead(self, skill: Skill) -> None:
        """Send tasks to agents that are busy, as far as their credit reaches; each gets its share."""
        book = self._book
        if book.short and any(name in book.short for name in skill.highs):
            return
        ageing = book.settings.ageing
        hungry = skill.hungry
        left, kept = len(hungry), 0
        # A few at a time: there may be thousands of them, and one task.
        while skill.pick(ageing) is not None and (some := list(islice(hungry, kept, kept + _AT_A_TIME))):
            for agent in some:
                lane = skill.pick(ageing)
                if lane is None:
                    return
                self._fill(agent, skill, 1 + lane.live // left)
                left -= 1
                kept += agent in hungry

    def _fill(self, agent: Agent, skill: Skill, share: int) -> None:
        book = self._book
        settings = book.settings
        ageing, at_once, very_short = settings.ageing, settings.assigned_at_once, settings.very_short_at_once
        line, estimates = book.line, book.estimates
        last = None
        estimate = 0.0
        while share > 0:
            lane = skill.pick(ageing)
            if lane is None:
                return
            if lane.bucket.needs.resources:
                # It is for the next that is free: sent ahead, it would hold what it needs and not begin.
                return
            task = lane.first()
            if (
                agent.group is not None
                and lane.groups
                and task.inputs
                and skill.picks % (ageing or 1 << 30) != ageing - 1
            ):
                task = self._similar(agent, lane) or task
            if task.kind is not last:
                last = task.kind
                estimate = estimates.of(last)
            allowed = allowance(agent, estimate, at_once, very_short)
            busy = agent.free_slots == 0
            # Nobody knows when what stands behind work of unknown length begins, or what stands behind that.
            unsure = busy and (estimate < 0 or agent.unknowns > 0)
            if allowed <= 0 or (unsure and self.could_go(task)):
                del skill.hungry[agent]
                return
            if busy and not book.overdue_timer and self.could_go(task):
                book.look_for_overdue()
            if task.order != lane.head:
                line.remove(task)
                run = [task]
            else:
                # Of unknown work one at a time: what is ahead of it has its own rule.
                alone = estimate < 0 or lane.bucket.single or not skill.only()
                run = line.take_run(lane, 1 if alone else min(share, allowed))
            skill.picks += len(run)
            share -= len(run)
            self._assign(agent, run, estimate)

    def _similar(self, agent: Agent, lane: Lane) -> Task | None:
        """A task like the agent's last one, whose inputs it has warm; not for ever before older ones."""
        if agent.group is None or agent.group_run >= _WARM_RUN:
            return None
        return lane.similar(agent.group)

    def could_go(self, task: Task) -> bool:
        """Whether a task need not stand behind another: an agent can be started for it, or what waits for it can run it."""
        parent = self._book.tasks.get(task.parent) if task.parent is not None else None
        if parent is not None and parent.agent is not None:
            agent = self._book.fleet.agents.get(parent.agent)
            if (
                agent is not None
                and parent.number in agent.waiting
                and agent.slots == 1
                and agent.skill.serves(task.kind.needs)
            ):
                return True
        return self.more_to_come(self._book.line.bucket(task.kind.needs))

    def more_to_come(self, bucket: Bucket) -> bool:
        """Whether an agent for these needs is starting or can be started."""
        fleet = self._book.fleet
        for skill in fleet.serving(bucket):
            if skill.starting or (skill.spawnable and (skill.type.spawning or not fleet.room_for(skill.type))):
                return True
        return False

    def _make_way(self, skill: Skill, lane: Lane) -> bool:
        """End an idle agent whose place is needed for older or more urgent work than it could take."""
        book = self._book
        agent = next((agent for agent in skill.idle if not agent.held), None)
        if agent is None or not book.fleet.dispensable(agent) or any(a.retiring for a in book.fleet.agents.values()):
            return False
        for other in book.starved:
            needed = other.best()
            if needed is not None and (needed.rank, needed.head) < (lane.rank, lane.head):
                self.retire(agent)
                return True
        return False

    def retire(self, agent: Agent) -> None:
        """Have an idle agent ended."""
        book = self._book
        book.out.append(Retire(agent.id, agent.incarnation))
        agent.retiring = True
        book.fleet.drain(agent)
        book.refit(agent)
