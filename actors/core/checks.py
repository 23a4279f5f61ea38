"""Every invariant of the scheduler's mind, for tests and simulations."""

# Lists of checks, each in its place: a call for each would cost more than the check, and simulations make millions.
# ruff: noqa: C901, PLR0912

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NoReturn

from actors.core.credit import LONG
from actors.core.fleet import READY
from actors.protocol.states import TaskStatus

if TYPE_CHECKING:
    from actors.core.book import Book
    from actors.core.fleet import Agent, Skill
    from actors.core.lane import Lane
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
    _check_breakers(book)
    _check_quotas(book)
    if not (book.fresh or book.stirred or book.reconsider or book.idled):
        _check_settled(book)


def _fail(*said: object) -> NoReturn:
    raise AssertionError(" ".join(str(part) for part in said))


def _check_task(book: Book, task: Task) -> None:
    if task.final:
        if task.queued or task.due is not None:
            _fail(task, "has its outcome and stands in the line, or has a retry due")
        return
    agent = book.fleet.agents.get(task.agent) if task.agent is not None else None
    at_agent = agent is not None and agent.held.get(task.number) is task and agent.incarnation == task.incarnation
    if task.status is TaskStatus.PENDING:
        places = [task.queued, task.missing > 0, task.due is not None]
        if sum(places) != 1:
            _fail(task, "is pending and must be queued, or lack a dependency, or wait for a retry:", places)
        if task.agent is not None:
            _fail(task, "is pending but has an agent")
        if task.cancelling is not None:
            _fail(task, "is pending although it is cancelled")
    else:
        if task.queued:
            _fail(task, "is not pending but stands in the line")
        if task.due is not None:
            _fail(task, "is not pending but has a retry due")
        if not at_agent:
            _fail(task, "has no outcome and is at no agent")
    limit = max(task.kind.retries, task.kind.error_retries)
    if task.retried > limit:
        _fail(task, "was repeated", task.retried, "times of", limit)
    repeated = task.retried + task.spared
    if task.attempt > repeated + 1:
        _fail(task, "has attempt", task.attempt, "after", repeated, "repetitions")
    if task.after:
        before = [book.tasks.get(number) for number in set(task.after)]
        missing = sum(other is not None and not other.final for other in before)
        if task.missing != missing:
            _fail(task, "counts", task.missing, "missing dependencies, there are", missing)


def _check_line(book: Book) -> None:
    line = book.line
    live = filled = 0
    children: set[int] = set()
    places: dict[int, Lane] = {}
    for needs, bucket in line.buckets.items():
        serving = [skill for skill in line.views if skill.serves(needs)]
        if set(serving) != set(bucket.views):
            _fail(needs, "does not know who can serve it")
        stand = 0
        for lane in bucket.lanes:
            if lane is None:
                continue
            if not (lane.entries or lane.live or lane.dead or lane.head):
                continue
            standing = list(lane.tasks())
            stand += len(standing)
            _check_lane(lane, standing, serving)
            for task in standing:
                if task.kind.needs != needs:
                    _fail(needs, "holds", task, "which has other needs")
                if task.parent is not None:
                    children.add(task.number)
                places[task.number] = lane
        if stand != bucket.live:
            _fail(needs, "counts", bucket.live, "waiting, there are", stand)
        live += bucket.live
        filled += bucket.live > 0
    if line.live != live:
        _fail("the line counts", line.live, "there are", live)
    if line.filled != filled:
        _fail("the line counts filled buckets", line.filled, "there are", filled)
    if line.children or children:
        indexed = {n for family in line.children.values() for siblings in family.values() for n in siblings}
        if indexed != children:
            _fail("the children in the line are", children, "indexed are", indexed)
    for task in book.tasks.values():
        if task.queued:
            own = line.buckets[task.kind.needs].lane(task.kind.priority)
            if places.get(task.number) is not own:
                _fail(task, "is not in its lane")


def _check_lane(lane: Lane, tasks: list[Task], serving: list[Skill]) -> None:
    if lane.live != len(tasks):
        _fail("a lane counts", lane.live, "there are", len(tasks))
    entries = lane.entries
    if entries != lane.live + lane.dead:
        _fail("a lane has", entries, "entries for", lane.live, "+", lane.dead)
    if lane.head != (tasks[0].order if tasks else 0):
        _fail("a lane's head is", lane.head)
    if tasks:
        if lane.first() is not tasks[0]:
            _fail("a lane's first is not its head")
        if lane.held is not lane.bucket.held:
            _fail("a lane is held back and its bucket is not, or the other way round")
        for view in serving if not lane.held else ():
            promise = lane.posted.get(view)
            if not (promise is not None and promise <= lane.head):
                _fail("a lane is not posted with", view)
            if (promise, lane) not in view.heaps[lane.rank]:
                _fail("a lane's promise is not in the heap of", view)


def _check_agent(book: Book, agent: Agent) -> None:
    held = agent.held
    unknowns = longs = 0
    work = 0.0
    for number, task in held.items():
        if task.number != number:
            _fail(agent, "holds a task under a wrong number")
        if task.agent != agent.id:
            _fail(agent, "holds", task, "which names", task.agent)
        if task.estimate < 0:
            unknowns += 1
        elif task.estimate >= LONG:
            longs += 1
        else:
            work += task.estimate
    if agent.unknowns != unknowns:
        _fail(agent, "counts unknowns wrongly")
    if agent.longs != longs:
        _fail(agent, "counts long tasks wrongly")
    if not math.isclose(agent.work, work, abs_tol=1e-9):
        _fail(agent, "counts work", agent.work, "it is", work)
    if agent.waiting or agent.waits_for:
        if not set(agent.waiting) <= held.keys():
            _fail(agent, "waits in tasks that it does not hold")
        if agent.waits_for.keys() != set(agent.waiting):
            _fail(agent, "waits for sub-tasks of others than it says")
    if (agent in book.waiting_agents) != bool(agent.waiting):
        _fail(agent, "is wrongly among those that wait")
    if not agent.interrupts.keys() <= held.keys():
        _fail(agent, "has interrupts for what it does not hold")
    busy = len(held) - len(agent.waiting)
    settings = book.settings
    most = max(agent.slots + 1, settings.assigned_at_once, settings.very_short_at_once)
    if busy > most:
        _fail(agent, "holds more than", most)
    skill = agent.skill
    if (agent in skill.idle) != (agent.open and busy < agent.slots):
        _fail(agent, "is wrongly in or out of the idle")
    if not (agent.open or agent not in skill.hungry):
        _fail(agent, "is hungry and takes no work")
    if (agent in skill.laden) != (busy > agent.slots):
        _fail(agent, "is wrongly in or out of the laden")


def _check_fleet(book: Book) -> None:
    fleet = book.fleet
    counts: dict[Skill, list[int]] = {skill: [0, 0, 0] for skill in fleet.skills.values()}
    kinds = dict.fromkeys(fleet.types.values(), 0)
    highs = dict.fromkeys(book.highs, 0)
    waiting = 0
    for agent in fleet.agents.values():
        skill = agent.skill
        if agent not in skill.agents:
            _fail(skill, "does not know its member", agent)
        count = counts[skill]
        count[0] += 1
        count[1] += agent.phase != READY
        count[2] += agent.draining
        kinds[skill.type] += 1
        waiting += agent in book.waiting_agents
        for name in skill.highs:
            highs[name] += len(agent.held)
    for skill, (members, starting, leaving) in counts.items():
        if len(skill.agents) != members:
            _fail(skill, "counts members that are gone")
        if skill.starting != starting:
            _fail(skill, "counts starting", skill.starting, "there are", starting)
        if skill.leaving != leaving:
            _fail(skill, "counts leaving", skill.leaving, "there are", leaving)
        for group in (skill.idle, skill.hungry, skill.laden):
            if group and not group.keys() <= skill.agents.keys():
                _fail(skill, "lists agents that are gone")
    for kind, members in kinds.items():
        if kind.agents != members:
            _fail(kind.name, "counts", kind.agents, "agents, there are", members)
        if kind.spawning < 0:
            _fail(kind.name, "has fewer than no agents asked for")
    if highs != book.highs:
        _fail("what takes much is counted as", book.highs, "it is", highs)
    if len(book.waiting_agents) != waiting:
        _fail("an agent that is gone waits")


def _check_breakers(book: Book) -> None:
    known = book.breakers.known
    gates = {needs.gate for needs in book.line.buckets if needs.gate is not None}
    for name in gates | known.keys():
        breaker = known.get(name)
        wanted = None if breaker is None or breaker.phase == "closed" else breaker.shut
        if book.line.gates.state(name) is not wanted:
            _fail("the gate of", name, "is", book.line.gates.state(name), "and its breaker wants", wanted)
    for needs, bucket in book.line.buckets.items():
        state = None if needs.gate is None else book.line.gates.state(needs.gate)
        if (bucket.held, bucket.single) != (state is True or bucket.short, state is False):
            _fail(
                *(needs, "is held", bucket.held, "is single", bucket.single, "is short", bucket.short),
                *("and its gate is", state),
            )
    for breaker in known.values():
        if (breaker.due is not None) != (breaker.phase == "open"):
            _fail("the breaker of", breaker.name, "is", breaker.phase, "and is due at", breaker.due)
        if breaker.phase == "open" and all(timer[3] is not breaker for timer in book.timers):
            _fail("the breaker of", breaker.name, "is open, and nothing will ever wake it")
        probe = book.tasks.get(breaker.probe) if breaker.probe is not None else None
        if breaker.probe is not None and (probe is None or probe.final or probe.status is TaskStatus.PENDING):
            _fail("the probe", breaker.probe, "of", breaker.name, "is at no agent")


def _check_quotas(book: Book) -> None:
    quotas, gates = book.quotas, book.line.gates
    for agent in book.fleet.agents.values():
        for number, task in agent.held.items():
            if task.kind.needs.resources and quotas.holders.get(number) is not task:
                _fail(task, "is at", agent, "and does not count as a holder of what it needs")
    rationed = {bucket for needs, bucket in book.line.buckets.items() if needs.resources and bucket.live}
    if rationed != {bucket for bucket in gates.rationed if bucket.live}:
        _fail("where tasks wait for resources is not known")
    for needs, bucket in book.line.buckets.items():
        if bucket.short and not needs.resources:
            _fail(needs, "is short of nothing and held back")


def _check_settled(book: Book) -> None:
    """After a turn: no agent that could begin a task stands beside one that nothing holds back."""
    for bucket in book.line.buckets.values():
        if not bucket.live:
            continue
        serving = [skill for skill in book.line.views if skill.serves(bucket.needs)]
        if not any(skill.viable for skill in serving):
            _fail(bucket.needs, "waits for what nobody will ever offer")
        if bucket.needs.resources:
            book.quotas.look()
            if bucket.short is not (bucket is not book.quotas.lent and not book.quotas.fits(bucket.needs)):
                _fail(bucket.needs, "is short", bucket.short, "of", book.quotas.report((bucket,)))
        if book.paused or not book.admitting or bucket.held:
            continue
        for skill in serving:
            if not (not skill.idle or book.blocked(skill)):
                _fail(list(skill.idle), "idle beside ready tasks that need", bucket.needs)
