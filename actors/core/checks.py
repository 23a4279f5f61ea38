"""Every invariant of the scheduler's mind, for tests and simulations."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from actors.core.credit import LONG
from actors.core.fleet import READY
from actors.protocol.states import TaskStatus

if TYPE_CHECKING:
    from actors.core.book import Book
    from actors.core.fleet import Agent, Skill
    from actors.core.queue import Lane
    from actors.core.task import Task

__all__ = ["check"]


def check(book: Book) -> None:
    """Check all of it.

    Raises:
        AssertionError: an invariant does not hold; the text says which, and of what.
    """
    for task in book.tasks.values():
        _check_task(book, task)
    _check_line(book)
    for agent in book.fleet.agents.values():
        _check_agent(book, agent)
    _check_fleet(book)
    if not (book.fresh or book.stirred or book.reconsider or book.idled):
        _check_settled(book)


def _must(holds: bool, *said: object) -> None:  # noqa: FBT001
    if not holds:
        raise AssertionError(" ".join(str(part) for part in said))


def _check_task(book: Book, task: Task) -> None:
    agent = book.fleet.agents.get(task.agent) if task.agent is not None else None
    at_agent = agent is not None and agent.held.get(task.number) is task and agent.incarnation == task.incarnation
    if task.status is TaskStatus.PENDING:
        places = [task.queued, task.missing > 0, task.due is not None]
        _must(
            sum(places) == 1, task, "is pending and must be queued, or lack a dependency, or wait for a retry:", places
        )
        _must(task.agent is None, task, "is pending but has an agent")
        _must(task.cancelling is None, task, "is pending although it is cancelled")
    else:
        _must(not task.queued, task, "is not pending but stands in the line")
        _must(task.due is None, task, "is not pending but has a retry due")
        _must(at_agent or task.final, task, "has no outcome and is at no agent")
    limit = max(task.kind.retries, task.kind.error_retries)
    _must(task.retried <= limit, task, "was repeated", task.retried, "times of", limit)
    repeated = task.retried + task.spared
    _must(task.attempt <= repeated + 1, task, "has attempt", task.attempt, "after", repeated, "repetitions")
    if not task.final and task.after:
        before = [book.tasks.get(number) for number in set(task.after)]
        missing = sum(other is not None and not other.final for other in before)
        _must(task.missing == missing, task, "counts", task.missing, "missing dependencies, there are", missing)


def _check_line(book: Book) -> None:
    line = book.line
    live = filled = 0
    children: set[int] = set()
    places: dict[int, Lane] = {}
    for needs, bucket in line.buckets.items():
        lanes = {lane: list(lane.tasks()) for lane in bucket.lanes if lane is not None}
        tasks = [task for standing in lanes.values() for task in standing]
        _must(len(tasks) == bucket.live, needs, "counts", bucket.live, "waiting, there are", len(tasks))
        _must(all(task.kind.needs == needs for task in tasks), needs, "holds tasks with other needs")
        live += bucket.live
        filled += bucket.live > 0
        children.update(task.number for task in tasks if task.parent is not None)
        serving = [skill for skill in line.views if skill.serves(needs)]
        _must(set(serving) == set(bucket.views), needs, "does not know who can serve it")
        for lane, standing in lanes.items():
            _check_lane(lane, standing, serving)
            places.update((task.number, lane) for task in standing)
    _must(line.live == live, "the line counts", line.live, "there are", live)
    _must(line.filled == filled, "the line counts filled buckets", line.filled, "there are", filled)
    indexed = {n for family in line.children.values() for siblings in family.values() for n in siblings}
    _must(indexed == children, "the children in the line are", children, "indexed are", indexed)
    for task in book.tasks.values():
        if task.queued:
            own = line.buckets[task.kind.needs].lane(task.kind.priority)
            _must(places.get(task.number) is own, task, "is not in its lane")


def _check_lane(lane: Lane, tasks: list[Task], serving: list[Skill]) -> None:
    _must(lane.live == len(tasks), "a lane counts", lane.live, "there are", len(tasks))
    entries = len(lane.fifo) + len(lane.late)
    _must(entries == lane.live + lane.dead, "a lane has", entries, "entries for", lane.live, "+", lane.dead)
    _must(lane.head == (tasks[0].order if tasks else 0), "a lane's head is", lane.head)
    if tasks:
        _must(lane.first() is tasks[0], "a lane's first is not its head")
        for view in serving:
            promise = lane.posted.get(view)
            _must(promise is not None and promise <= lane.head, "a lane is not posted with", view)
            _must((promise, lane) in view.heaps[lane.rank], "a lane's promise is not in the heap of", view)


def _check_agent(book: Book, agent: Agent) -> None:
    held = agent.held.values()
    _must(agent.unknowns == sum(t.estimate < 0 for t in held), agent, "counts unknowns wrongly")
    _must(agent.longs == sum(t.estimate >= LONG for t in held), agent, "counts long tasks wrongly")
    work = sum(t.estimate for t in held if 0 <= t.estimate < LONG)
    _must(math.isclose(agent.work, work, abs_tol=1e-9), agent, "counts work", agent.work, "it is", work)
    _must(set(agent.waiting) <= agent.held.keys(), agent, "waits in tasks that it does not hold")
    _must(agent.waits_for.keys() == set(agent.waiting), agent, "waits for sub-tasks of others than it says")
    _must((agent in book.waiting_agents) == bool(agent.waiting), agent, "is wrongly among those that wait")
    _must(set(agent.interrupts) <= agent.held.keys(), agent, "has interrupts for what it does not hold")
    busy = len(agent.held) - len(agent.waiting)
    settings = book.settings
    most = max(agent.slots + 1, settings.assigned_at_once, settings.very_short_at_once)
    _must(busy <= most, agent, "holds more than", most)
    skill = agent.skill
    _must((agent in skill.idle) == (agent.open and busy < agent.slots), agent, "is wrongly in or out of the idle")
    _must(agent.open or agent not in skill.hungry, agent, "is hungry and takes no work")
    _must((agent in skill.laden) == (busy > agent.slots), agent, "is wrongly in or out of the laden")
    for number, task in agent.held.items():
        _must(task.number == number, agent, "holds a task under a wrong number")
        _must(task.agent == agent.id, agent, "holds", task, "which names", task.agent)


def _check_fleet(book: Book) -> None:
    fleet = book.fleet
    for skill in fleet.skills.values():
        members = [agent for agent in fleet.agents.values() if agent.skill is skill]
        _must(set(members) == set(skill.agents), skill, "has other members than it says")
        starting = sum(agent.phase != READY for agent in members)
        _must(skill.starting == starting, skill, "counts starting", skill.starting, "there are", starting)
        leaving = sum(agent.draining for agent in members)
        _must(skill.leaving == leaving, skill, "counts leaving", skill.leaving, "there are", leaving)
        for group in (skill.idle, skill.hungry, skill.laden):
            _must(group.keys() <= skill.agents.keys(), skill, "lists agents that are gone")
    for kind in fleet.types.values():
        count = sum(agent.skill.type is kind for agent in fleet.agents.values())
        _must(kind.agents == count, kind.name, "counts", kind.agents, "agents, there are", count)
        _must(kind.spawning >= 0, kind.name, "has fewer than no agents asked for")
    for name, count in book.highs.items():
        held = sum(len(agent.held) for agent in fleet.agents.values() if name in agent.skill.highs)
        _must(count == held, "of", name, "are counted", count, "there are", held)
    _must(book.waiting_agents.keys() <= set(fleet.agents.values()), "an agent that is gone waits")


def _check_settled(book: Book) -> None:
    """After a turn: no agent that could begin a task stands beside one that nothing holds back."""
    for bucket in book.line.buckets.values():
        if not bucket.live:
            continue
        serving = [skill for skill in book.line.views if skill.serves(bucket.needs)]
        _must(any(skill.viable for skill in serving), bucket.needs, "waits for what nobody will ever offer")
        if book.paused or not book.admitting:
            continue
        for skill in serving:
            _must(
                not skill.idle or book.blocked(skill),
                list(skill.idle),
                "idle beside ready tasks that need",
                bucket.needs,
            )
