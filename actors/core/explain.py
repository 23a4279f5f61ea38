"""What people ask about the work: how a task stands, why it does not run, what waits."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from actors.core.amounts import amount_of, amount_text
from actors.core.breaker import CircuitInfo
from actors.core.errortext import text_of
from actors.core.quotas import ResourceInfo
from actors.protocol.states import TaskStatus

if TYPE_CHECKING:
    from actors.core.book import Book
    from actors.core.breaker import Breaker
    from actors.core.fleet import Agent, Skill
    from actors.core.lane import Bucket
    from actors.core.task import Task, TaskInfo

__all__ = ["Explanation", "QueueInfo", "explain", "info", "queue"]

_LISTED = 20


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a task does not run, or that it does.

    Args:
        task_id, number: the task; `task_id` is "" if it is unknown.
        status: its status, or "unknown".
        reason: one of "unknown", "ended", "running", "assigned", "stopping", "dependencies", "retry", "paused",
            "breaker", "quota", "admission", "resource", "unsuitable", "starting", "limit", "busy", "ready".
        text: the same in words.
        facts: what the words say, as fields; which ones depends on the reason.
    """

    task_id: str
    number: int
    status: str
    reason: str
    text: str
    facts: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values that print as JSON."""
        return asdict(self)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class QueueInfo:
    """The work of the system: counts of all, and the first of each as far as they were asked for.

    `waiting` counts tasks that have not been assigned, `ready` those of them that only lack an agent, `active` those at
    agents, `finished` those that have ended and are kept, `dead` those that failed for good and can be looked at.
    `breakers` are the circuit breakers that are not closed, `resources` the named resources that the system has.
    """

    waiting: int
    ready: int
    active: int
    finished: int
    waiting_tasks: tuple[TaskInfo, ...]
    active_tasks: tuple[TaskInfo, ...]
    finished_tasks: tuple[TaskInfo, ...]
    dead: int = 0
    breakers: tuple[CircuitInfo, ...] = ()
    resources: tuple[ResourceInfo, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values that print as JSON."""
        counts = {name: getattr(self, name) for name in ("waiting", "ready", "active", "finished", "dead")}
        lists = {
            name: [item.to_dict() for item in getattr(self, name)]
            for name in ("waiting_tasks", "active_tasks", "finished_tasks")
        }
        return {
            **counts,
            **lists,
            "breakers": [each.to_dict() for each in self.breakers],
            "resources": [each.to_dict() for each in self.resources],
        }


def info(book: Book, task: Task) -> TaskInfo:
    """How a task stands."""
    return task.info(book.utc_offset, lambda number: _id_of(book, number))


def queue(book: Book, limit: int) -> QueueInfo:
    """All work, with at most `limit` tasks of each sort."""
    held = [task for agent in book.fleet.agents.values() for task in agent.held.values() if not task.final]
    waiting = book.tasks.waiting(limit)
    return QueueInfo(
        waiting=len(book.tasks) - len(book.history) - len(held),
        ready=book.line.live - sum(bucket.live for bucket in book.line.gates.held),
        active=len(held),
        finished=len(book.history),
        waiting_tasks=tuple(info(book, task) for task in waiting),
        active_tasks=tuple(info(book, task) for task in held[:limit]),
        finished_tasks=tuple(info(book, task) for task in book.history.latest(limit)),
        dead=len(book.dead),
        breakers=tuple(_circuit(book, each) for each in book.breakers.known.values() if each.phase != "closed"),
        resources=book.quotas.report(book.line.gates.rationed),
    )


def _circuit(book: Book, breaker: Breaker) -> CircuitInfo:
    return CircuitInfo(
        task_type=breaker.name,
        state=breaker.phase,
        since=breaker.since + book.utc_offset,
        retry_at=None if breaker.due is None else breaker.due + book.utc_offset,
        openings=breaker.openings,
        probe=None if breaker.probe is None else _id_of(book, breaker.probe),
        error=breaker.error,
    )


def explain(book: Book, number: int, now: float) -> Explanation:
    """Why a task does not run. Costs as much as there is work before it."""
    task = book.tasks.get(number)
    if task is None:
        return Explanation(
            "",
            number,
            "unknown",
            "unknown",
            f"No task has the number {number}, or it ended so long ago that it is forgotten.",
        )
    if task.final:
        reason, text, facts = _ended(task)
    elif task.status is not TaskStatus.PENDING:
        reason, text, facts = _at_agent(book, task, now)
    elif task.missing:
        reason, text, facts = _for_dependencies(book, task)
    elif task.due is not None:
        left = max(0.0, task.due - now)
        reason = "retry"
        text = f"It failed and is tried again in {left:.3g} s (repetition {task.retried})."
        facts = {"seconds": left, "repetition": task.retried}
    else:
        reason, text, facts = _for_agent(book, task)
    return Explanation(task.id, number, str(task.status), reason, text, facts)


def _ended(task: Task) -> tuple[str, str, dict[str, Any]]:
    told = f": {text_of(task.error)}" if task.error is not None else ""
    return "ended", f"It has ended: {task.status}{told}.", {"status": str(task.status)}


def _at_agent(book: Book, task: Task, now: float) -> tuple[str, str, dict[str, Any]]:
    agent = book.fleet.agents[task.agent or ""]
    facts: dict[str, Any] = {"agent": agent.id, "incarnation": agent.incarnation, "attempt": task.attempt}
    since = now - (task.started if task.started is not None else task.assigned or now)
    facts["seconds"] = since
    if task.cancelling is not None:
        return "stopping", f"It was cancelled and is being stopped on {agent.id}.", facts
    if task.number in agent.waiting:
        return "running", f"It runs on {agent.id} since {since:.3g} s and waits for its sub-tasks.", facts
    if task.status is TaskStatus.IN_PROGRESS:
        return "running", f"It runs on {agent.id} since {since:.3g} s.", facts
    before = list(agent.held).index(task.number)
    facts["before"] = before
    if before < agent.slots:
        return "assigned", f"It was sent to {agent.id} {since:.3g} s ago and should be running there.", facts
    return "assigned", f"It was sent to {agent.id} {since:.3g} s ago, where {before} other tasks come first.", facts


def _for_dependencies(book: Book, task: Task) -> tuple[str, str, dict[str, Any]]:
    open_ones = [number for number in dict.fromkeys(task.after) if number not in (task.results or {})]
    shown = [_id_of(book, number) for number in open_ones[:_LISTED]]
    more = f" and {len(open_ones) - len(shown)} more" if len(open_ones) > len(shown) else ""
    text = f"It waits for {len(open_ones)} of its dependencies: {', '.join(shown)}{more}."
    return "dependencies", text, {"dependencies": shown, "count": len(open_ones)}


def _for_agent(book: Book, task: Task) -> tuple[str, str, dict[str, Any]]:
    needs = task.kind.needs
    bucket = book.line.bucket(needs)
    skills = list(book.fleet.serving(bucket))
    place = _place(task, bucket, skills)
    facts: dict[str, Any] = {"place": place, "needs": str(needs)}
    agents = [agent for skill in skills for agent in skill.agents]
    if book.paused:
        reason, text = "paused", "The system is paused; resume() lets work go on."
    elif bucket.held and needs.gate is not None and book.line.gates.state(needs.gate):
        reason, text = _behind_breaker(book, task, facts)
    elif bucket.short:
        reason, text = _for_resources(book, task, facts)
    elif not book.admitting:
        reason, text = "admission", "No new work starts while the machine is short of resources; it goes on by itself."
    elif not agents:
        reason, text = _without_agent(book, bucket, facts)
    else:
        reason, text = _among_agents(book, skills, agents, facts)
    return reason, text, facts


def _behind_breaker(book: Book, task: Task, facts: dict[str, Any]) -> tuple[str, str]:
    breaker = book.breakers.known[task.kind.name]
    facts["task_type"], facts["error"] = breaker.name, breaker.error
    if breaker.due is not None:
        facts["seconds"] = left = max(0.0, breaker.due - book.now)
        when = f"one of them is tried in {left:.3g} s"
    else:
        facts["probe"] = probe = _id_of(book, breaker.probe or 0)
        when = f"task {probe} is being tried, and if that goes well, the others go on"
    text = f"Tasks of type {breaker.name} failed again and again, and their circuit breaker holds them back: {when}. "
    return "breaker", f"{text}The last error was {breaker.error}."


def _for_resources(book: Book, task: Task, facts: dict[str, Any]) -> tuple[str, str]:
    """A named resource that it needs is not free."""
    needs = task.kind.needs
    lacking = book.quotas.lacking(needs)
    facts["resources"] = {name: info.to_dict() for name, info in lacking.items()}
    told = []
    for name, units in needs.resources:
        if name not in lacking:
            continue
        info = lacking[name]
        by = ", ".join(f"{each.task} ({each.agent}{', which lends it' if each.lends else ''})" for each in info.holders)
        needed = "" if amount_of(units) == 1 else f" (it needs {amount_text(units)})"
        told.append(f"{name}{needed}: {info.in_use:,} of {info.capacity:,} is held by {by}")
    return "quota", f"It waits for {'; '.join(told)}. It is number {facts['place']} in line."


def _among_agents(book: Book, skills: list[Skill], agents: list[Agent], facts: dict[str, Any]) -> tuple[str, str]:
    place = facts["place"]
    if book.short and all(book.blocked(skill) for skill in skills if skill.agents):
        short = sorted(book.short & {name for skill in skills for name in skill.highs})
        facts["resources"] = short
        text = f"Its agents take much {' and '.join(short)}, of which the machine is short, and one of them is at work."
        return "resource", text
    facts["agents"] = {agent.id: _standing(book, agent) for agent in agents[:_LISTED]}
    able = [agent for agent in agents if agent.open and not (book.short and book.blocked(agent.skill))]
    if not able:
        standing = ", ".join(f"{name} is {what}" for name, what in facts["agents"].items())
        reason = "starting" if any(skill.starting for skill in skills) else "busy"
        return reason, f"No suitable agent takes work now: {standing}. It is number {place} in line."
    if not any(agent.free_slots for agent in able):
        text = f"All {len(agents)} suitable agents are busy; it is number {place} in line."
        why = _no_more(book, skills)
        if why:
            facts["no_more_agents"] = why
            text += f" No further one is started: {why}."
        return "busy", text
    return "ready", f"It is ready and number {place} in line; the next turn gives it to an agent."


def _without_agent(book: Book, bucket: Bucket, facts: dict[str, Any]) -> tuple[str, str]:
    needs = bucket.needs
    skill = book.fleet.spawner(bucket)
    if skill is None:
        offered = frozenset[str]().union(*(s.capabilities for s in book.fleet.skills.values()))
        missing = sorted(needs.requires - offered)
        facts["missing"] = missing
        told = f"no agent offers {', '.join(missing)}" if missing else f"no single agent is {needs}"
        return "unsuitable", f"It needs {needs}, but {told}."
    facts["agent_type"] = skill.type.name
    if skill.type.spawning:
        return "starting", f"An agent of type {skill.type.name} is being started for it."
    why = book.fleet.room_for(skill.type)
    facts["no_more_agents"] = why
    return "limit", f"It needs an agent of type {skill.type.name}, but {why or 'none was started yet'}."


def _no_more(book: Book, skills: list[Skill]) -> str:
    reasons = [book.fleet.room_for(skill.type) for skill in skills if skill.spawnable]
    if not reasons:
        return "no type that could take it can be started"
    return reasons[0] if all(reasons) else ""


def _standing(book: Book, agent: Agent) -> str:
    """What an agent is doing, in words."""
    for told, holds in (
        (f"being killed ({agent.killed})", agent.killed is not None),
        ("starting", not agent.phase),
        ("ending", agent.draining),
        ("resting after a refusal", agent.cooling),
        ("over a soft limit", not agent.inside),
        ("waiting for its sub-tasks", bool(agent.waiting)),
        (f"busy with {len(agent.held)}", not agent.free_slots),
        ("held back while the machine is short", bool(book.short) and book.blocked(agent.skill)),
    ):
        if holds:
            return told
    return "idle"


def _place(task: Task, bucket: Bucket, skills: list[Skill]) -> int:
    """Its place in line, 1 for the next, among all that the agents which can take it could take."""
    lanes = {lane for skill in skills for heap in skill.heaps for _, lane in heap} | {
        lane for lane in bucket.lanes if lane
    }
    before = 0
    own = (4 - task.kind.priority, task.order)
    for lane in lanes:
        if lane.rank < own[0]:
            before += lane.live
        elif lane.rank == own[0]:
            before += lane.before(task.order)
    return before + 1


def _id_of(book: Book, number: int) -> str:
    task = book.tasks.get(number)
    return task.id if task is not None else str(number)
