"""Making the scheduler's books anew after a failure in the middle of one of its steps.

The records are: each task's own fields, each agent's own fields with what it holds, the types with what was asked for,
and the decisions that were not carried out. All else (line, edges of the graph, lists of agents, counts, loads, timers)
is derived from them here. So that any moment is a good one to fail, each step writes its records in this order:

- what is written before the commit says nothing by itself: an agent, a result or an error of a task whose status does
  not fit it is wiped out here;
- a task's status is the commit of its move, with the counts (attempt, retried, spared) in the same statement;
- a decision about an agent is noted first, and the field that says the same after it: decisions in `out` are applied
  again here. An assignment that was not sent is taken back;
- what has more steps leaves a note first: whose end an agent is just telling (`hearing`), what becomes of the tasks of a
  dead one (`fates`), why a task is cancelled (`cancelling`), why an agent is to be killed (`verdict`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from actors.core.book import COOLED, EXPIRE, FORGET, GRACE, LOOK, PROBE, RETRY, UNANSWERED, Book
from actors.core.credit import reserve
from actors.core.decisions import Assign, Decision, Interrupt, Kill, Publish, Recall, Resolve, Retire
from actors.core.errortext import text_of
from actors.core.fleet import READY, Skill
from actors.core.queue import WaitingLine
from actors.errors import DependencyFailed
from actors.protocol.states import TaskStatus

if TYPE_CHECKING:
    from actors.core.fleet import Agent
    from actors.core.limits import Limits
    from actors.core.outcomes import Outcomes
    from actors.core.profile import Profile
    from actors.core.sharing import Sharing
    from actors.core.task import Task

__all__ = ["complete", "make_anew"]

_PENDING = TaskStatus.PENDING
_COMPLETED = TaskStatus.COMPLETED
_CANCELLED = TaskStatus.CANCELLED
_FAILED = TaskStatus.FAILED
_AT_AGENT = (TaskStatus.ASSIGNED, TaskStatus.IN_PROGRESS)
_SOON = 0.02
_EVENTS = {_COMPLETED: "TaskCompleted", _FAILED: "TaskFailed", _CANCELLED: "TaskCancelledEvent"}


def make_anew(book: Book, decided: deque[Decision], unsent: Iterable[tuple[Task, int]]) -> None:
    """Derive all tables from the records; a failure in here does no harm, it can be done again.

    Args:
        book: whose `now` is set.
        decided: the decisions that the shell has taken and not carried out; left empty, those that hold are in `out`.
        unsent: tasks whose assignment was taken and not sent, each with its attempt.
    """
    _take_back(book, decided, unsent)
    for agent in book.fleet.agents.values():
        _note_decided(agent, book.out)
        _settle_held(agent)
    for task in book.tasks.values():
        _settle_task(book, task)
    _forget_derived(book)
    _set_gates(book)
    _link(book)
    _make_fleet(book)
    book.quotas.rebuild()
    _line_up(book)
    _set_timers(book)
    _resolve(book)
    book.fresh = {bucket: None for bucket in book.line.buckets.values() if bucket.live}
    book.stir_all()
    for skill in book.fleet.skills.values():
        book.idled.update(skill.idle)


def complete(
    book: Book, outcomes: Outcomes, limits: Limits, sharing: Sharing, stop: Callable[[Agent, Task], None]
) -> None:
    """Do the rest of what was begun and not ended; the tables must fit. `stop` ends a cancelled task at its agent."""
    for agent in book.fleet.agents.values():
        if agent.verdict is not None:
            limits.condemn(agent, agent.verdict)
        if agent.killed is None:
            _ask_again(agent, limits, sharing, stop)
    # In the order of their acceptance: each comes after what it depends on.
    for task in list(book.tasks.values()):
        if task.status is not _PENDING:
            continue
        broken = next((before for before in _before(book, task) if before.status in (_FAILED, _CANCELLED)), None)
        if task.cancelling is not None:
            outcomes.cancel(task, task.cancelling)
        elif broken is not None:
            outcomes.broken(task, broken)
        elif (refusal := book.quotas.refusal(task)) is not None:
            # Of an earlier life that had more.
            outcomes.unservable(task, refusal)


def _ask_again(agent: Agent, limits: Limits, sharing: Sharing, stop: Callable[[Agent, Task], None]) -> None:
    """Ask the agent for what it should have been asked."""
    for task in list(agent.held.values()):
        which = (task.number, task.attempt)
        if task.cancelling is None or task.number in agent.interrupts or any(which in asked for asked in agent.recalls):
            continue
        if task.final:
            sharing.recall(agent, (which,))
            limits.expect_answer(agent, task)
        else:
            stop(agent, task)
    if agent.draining or (agent.waiting and agent.slots == 1):
        sharing.take_back_all(agent)


def _take_back(book: Book, decided: deque[Decision], unsent: Iterable[tuple[Task, int]]) -> None:
    """Let each decision that was not carried out be in `out`, once, and what was never sent wait again."""
    both = [*decided, *book.out]
    never = {(d.task.number, d.attempt): d.task for d in both if isinstance(d, Assign)}
    never.update({(task.number, attempt): task for task, attempt in unsent})
    kept: dict[int, Decision] = {}
    for decision in both:
        if isinstance(decision, Assign):
            continue
        if isinstance(decision, Interrupt) and (decision.number, decision.attempt) in never:
            continue
        if isinstance(decision, Publish) and _is_of_assignment(decision, never):
            continue
        kept[id(decision)] = decision
    for (number, attempt), task in never.items():
        agent = book.fleet.agents.get(task.agent or "")
        if agent is not None and agent.held.get(number) is task:
            del agent.held[number]
        if not task.final:
            task.status, task.attempt = _PENDING, attempt - 1
    book.out = list(kept.values())
    decided.clear()


def _is_of_assignment(decision: Publish, never: dict[tuple[int, int], Task]) -> bool:
    event = decision.event
    if type(event).__name__ != "TaskAssigned":
        return False
    return any(
        task.id == event.task_id and attempt == event.attempt  # type: ignore[attr-defined]
        for (_, attempt), task in never.items()
    )


def _note_decided(agent: Agent, decisions: Iterable[Decision]) -> None:
    """Let the agent's fields say what was decided about it."""
    for decision in decisions:
        if not isinstance(decision, Kill | Retire | Interrupt | Recall):
            continue
        if decision.agent != agent.id or decision.incarnation != agent.incarnation:
            continue
        if isinstance(decision, Kill):
            agent.killed = agent.killed or decision.reason
        elif isinstance(decision, Retire):
            agent.retiring = agent.draining = True
        elif isinstance(decision, Interrupt):
            agent.interrupts.setdefault(decision.number, decision.cause)
        elif not any(decision.tasks is asked for asked in agent.recalls):
            agent.recalls.append(decision.tasks)


def _settle_held(agent: Agent) -> None:
    """Let the agent hold no task that has moved on, and wait in none that it does not hold."""
    for number, task in list(agent.held.items()):
        here = task.agent == agent.id and task.incarnation == agent.incarnation
        if here and task.status in _AT_AGENT:
            continue
        hearing = agent.hearing is not None and agent.hearing[0] == number
        if task.status is _PENDING or task.status is _COMPLETED or hearing or not here:
            told = agent.hearing[1] if agent.hearing is not None and hearing else int(task.status is _COMPLETED)
            agent.told, _ = agent.told + told, agent.held.pop(number)
    agent.hearing = None
    agent.waiting = [number for number in agent.waiting if number in agent.held and number in agent.waits_for]
    agent.waits_for = {number: agent.waits_for[number] for number in agent.waiting}
    agent.interrupts = {number: cause for number, cause in agent.interrupts.items() if number in agent.held}


def _settle_task(book: Book, task: Task) -> None:
    """Wipe out what was written before a commit that did not come, or what should have been after one."""
    task.queued = False
    task.missing = 0
    task.dependents = None
    if task.status in _AT_AGENT:
        agent = book.fleet.agents.get(task.agent or "")
        if agent is None or agent.held.get(task.number) is not task:
            # Nobody has it, and nobody will tell its end.
            task.status = _PENDING
    if not task.final:
        task.result = task.error = task.ended = None
    if task.status is _PENDING:
        task.agent = task.assigned = task.started = None
    else:
        task.due = None
    if task.status is _COMPLETED or task.status is _CANCELLED or isinstance(task.error, DependencyFailed):
        task.payload = task.results = None


def _forget_derived(book: Book) -> None:
    book.line = WaitingLine(book.tasks)
    book.timers = []
    book.forget_timer = book.expire_timer = book.steal_timer = book.overdue_timer = book.reconsider = False
    book.highs = dict.fromkeys(book.highs, 0)
    for table in (book.fresh, book.stirred, book.idled, book.starved, book.waiting_agents):
        table.clear()


def _set_gates(book: Book) -> None:
    """Let each task type whose breaker is not closed wait behind its gate, and be asked back if that is shut."""
    book.breakers.rebuild(lambda number: number in book.tasks and book.tasks[number].status in _AT_AGENT)
    book.tripped.clear()
    for name, breaker in book.breakers.known.items():
        if breaker.due is not None:
            book.tripped.add(name)
            book.timer(breaker.due, PROBE, breaker)
        if breaker.shut:
            book.line.gates.shut(name)
        elif breaker.phase == "half_open":
            book.line.gates.open(name, single=True)


def _before(book: Book, task: Task) -> list[Task]:
    """What the task depends on, as far as it is not forgotten."""
    if not task.after:
        return []
    return [book.tasks[number] for number in dict.fromkeys(task.after) if number in book.tasks]


def _link(book: Book) -> None:
    for task in book.tasks.values():
        if not task.after:
            continue
        if task.status is _PENDING and task.results is None:
            task.results = {}
        for before in _before(book, task):
            if not before.final:
                task.missing += 1
                if before.dependents is None:
                    before.dependents = []
                before.dependents.append(task)
            elif task.status is _PENDING and task.results is not None and before.status is _COMPLETED:
                # One that it has was there before the result was taken and freed.
                task.results.setdefault(before.number, before.result)


def _make_fleet(book: Book) -> None:
    fleet = book.fleet
    for key, old in list(fleet.skills.items()):
        skill = fleet.skills[key] = Skill(old.profile, old.type)
        skill.picks = old.picks
        book.line.add_view(skill)
    for kind in fleet.types.values():
        kind.agents = 0
        if kind.profile is not None:
            _skill(book, kind.profile)
    for agent in fleet.agents.values():
        skill = agent.skill = _skill(book, agent.skill.profile)
        skill.type.agents += 1
        skill.agents[agent] = None
        skill.starting += agent.phase != READY
        skill.leaving += agent.draining
        agent.longs = agent.unknowns = 0
        agent.work = 0.0
        for task in agent.held.values():
            reserve(agent, task.estimate)
        for name in skill.highs:
            book.highs[name] += len(agent.held)
        if agent.waiting:
            book.waiting_agents[agent] = None
        agent.idle_timer = False
        book.refit(agent)


def _skill(book: Book, profile: Profile) -> Skill:
    fleet = book.fleet
    key = (profile.agent_type, profile.capabilities, profile.highs)
    skill = fleet.skills.get(key)
    if skill is None:
        skill = fleet.skills[key] = Skill(profile, fleet.type(profile.agent_type))
        book.line.add_view(skill)
    return skill


def _line_up(book: Book) -> None:
    """Let wait what can run: not what lacks a dependency, is to be cancelled, or waits for its next try."""
    for task in book.tasks.values():
        if task.status is not _PENDING or task.missing:
            continue
        if task.due is not None and task.due > book.now:
            book.timer(task.due, RETRY, task)
            continue
        task.due = None
        if task.ready is None:
            task.ready = book.now
        book.line.put(task)


def _set_timers(book: Book) -> None:
    now = book.now
    for agent in book.fleet.agents.values():
        which = agent.incarnation
        for number, task in agent.held.items():
            if number in agent.interrupts:
                book.timer(now + agent.grace, GRACE, agent, (which, number, task.attempt))
            elif task.final:
                book.timer(now + agent.grace, UNANSWERED, agent, (which, number, task.attempt))
        agent.look_due = None
        if any(task.kind.timeout is not None for task in agent.held.values()):
            agent.look_due = now
            book.timer(now, LOOK, agent, which)
        if agent.cooling:
            book.timer(now + _SOON, COOLED, agent, which)
        if len(agent.held) > agent.slots:
            book.look_for_overdue()


def _resolve(book: Book) -> None:
    """Let each task that has its outcome be told and kept, once."""
    told = {decision.task.number for decision in book.out if isinstance(decision, Resolve)}
    published = {
        event.task_id  # type: ignore[attr-defined]
        for decision in book.out
        if isinstance(decision, Publish) and type(event := decision.event).__name__ in _EVENTS.values()
    }
    for number in told:
        _publish_end(book, book.tasks.get(number), published)
    book.dead.rebuild()
    for task in book.history.rebuild(book.now):
        if task.status is _FAILED and task.number not in book.dead and not isinstance(task.error, DependencyFailed):
            book.dead.add(task, book.now)
        if task.number not in told:
            book.out.append(Resolve(task))
            _publish_end(book, task, published)
    due = book.history.next_due()
    if due is not None:
        book.forget_timer = True
        book.timer(due, FORGET)
    due = book.dead.next_due()
    if due is not None:
        book.expire_timer = True
        book.timer(due, EXPIRE)


def _publish_end(book: Book, task: Task | None, published: set[str]) -> None:
    if task is None or task.id in published or _EVENTS.get(task.status) not in book.wanted:
        return
    if task.status is _COMPLETED:
        book.publish("TaskCompleted", task, seconds=(task.ended or 0.0) - (task.started or 0.0))
    elif task.status is _FAILED:
        book.publish("TaskFailed", task, error=text_of(task.error))
    else:
        book.publish("TaskCancelledEvent", task, reason=task.cancelling or "")
