"""The scheduler's mind: which task goes where, when, and what becomes of it.

    submit ──▶ graph ──▶ line ──▶ dispatch ──▶ agent ──▶ reports ──▶ outcome
                 ▲         ▲                     │          │
                 │         └── hand back, retry ─┴──────────┘
                 └── completed: what waited for it is ready

Every method notes what has happened at a time; `take` then lets all that follows from it happen and gives the
decisions, in the order in which they are to be carried out. There is no clock, thread or I/O in here: the same calls
give the same decisions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from actors.core import checks, explain
from actors.core.book import ASK_AGAIN, COOLED, EXPIRE, FORGET, GRACE, IDLE, LOOK, PROBE, RETRY, STEAL, UNANSWERED
from actors.core.crew import Crew
from actors.core.deadletters import dead_task
from actors.core.fleet import Agent
from actors.core.graph import check_dependencies, in_order, link
from actors.errors import ConfigError, SystemClosed
from actors.protocol.messages import CancellationCause
from actors.protocol.states import TaskStatus

if TYPE_CHECKING:
    import random

    from actors.core.deadletters import DeadTask
    from actors.core.decisions import Decision
    from actors.core.explain import Explanation, QueueInfo
    from actors.core.settings import EngineSettings
    from actors.core.task import Task, TaskInfo
    from actors.protocol.messages import Payload

__all__ = ["Engine"]

_PENDING = TaskStatus.PENDING


class Engine(Crew):
    """Decides for one system. Not thread-safe: one actor owns it.

    Args:
        settings: its rules.
        rng: where chance comes from (the jitter of retries).
    """

    def __init__(self, settings: EngineSettings, rng: random.Random) -> None:
        super().__init__(settings, rng)
        self._due: dict[int, Callable[[Any, Any], None]] = {
            RETRY: self._retry_due,
            LOOK: self._limits.look_due,
            GRACE: self._limits.grace_over,
            IDLE: self._idle_due,
            COOLED: self._cooled,
            STEAL: self._sharing.steal_late,
            FORGET: self._forget_due,
            ASK_AGAIN: self._sharing.ask_again,
            UNANSWERED: self._limits.answer_due,
            EXPIRE: self._expire_due,
            PROBE: self._outcomes.probe_due,
        }

    @property
    def wanted(self) -> frozenset[str]:
        """The names of the event types that somebody listens to; no other event is made."""
        return self._book.wanted

    @wanted.setter
    def wanted(self, names: frozenset[str]) -> None:
        self._book.wanted = names

    @property
    def utc_offset(self) -> float:
        """What to add to the engine's time to get UTC seconds."""
        return self._book.utc_offset

    @utc_offset.setter
    def utc_offset(self, seconds: float) -> None:
        self._book.utc_offset = seconds

    @property
    def stale(self) -> int:
        """How many reports were dropped because they were of an old incarnation or attempt."""
        return self._book.stale

    def take(self) -> list[Decision]:
        """Let everything follow that follows from what was noted since the last call, and give the decisions."""
        book = self._book
        if book.tripped:
            self._sharing.take_back_types(book.tripped)
            book.tripped.clear()
        if book.fresh or book.stirred or book.reconsider or book.idled:
            self._dispatcher.run()
            if book.line.live:
                self._scaling.run()
                self._sharing.nest()
                if book.waiting_agents:
                    self._scaling.unstick()
            book.fresh.clear()
            if book.idled:
                self._end_surplus()
                self._sharing.steal()
        out = book.out
        book.out = []
        return out

    # Work

    def submit(self, task: Task, now: float) -> None:
        """Accept a task. It has its outcome in the same turn if it can never run.

        Raises:
            ConfigError: its number is in use, it depends on itself, or on a task that is unknown or forgotten, or on
                a result that was freed.
            CircuitOpen: its task type has failed too often, and rests.
            SystemClosed: `close` was called.
        """
        book = self._book
        book.now = now
        number = task.number
        tasks = book.tasks
        if book.closed:
            raise _closed()
        if number in tasks:
            raise _in_use(tasks[number])
        if book.breakers.known:
            self._refuse_if_open(task)
        if task.after:
            check_dependencies(task, tasks)
            self._accept(task)
            return
        # The usual case of `_accept`, without the calls.
        book.accepted = task.order = book.accepted + 1
        task.created = task.ready = now
        tasks[number] = task
        if "TaskSubmitted" in book.wanted:
            book.publish("TaskSubmitted", task)
        book.fresh[book.line.put(task)] = None

    def submit_graph(self, tasks: Sequence[Task], now: float) -> None:
        """Accept tasks that may depend on each other, in any order: all of them or, with an error, none.

        Raises:
            ConfigError, CircuitOpen: as `submit`, or a circle among them.
            CircuitOpen: its task type has failed too often, and rests.
            SystemClosed: `close` was called.
        """
        book = self._book
        book.now = now
        if book.closed:
            raise _closed()
        for task in tasks:
            if task.number in book.tasks:
                raise _in_use(book.tasks[task.number])
            self._refuse_if_open(task)
        for task in in_order(tasks, book.tasks):
            self._accept(task)

    def restore(self, ended: Sequence[Task], tasks: Sequence[Task], now: float) -> None:
        """Take in tasks that were accepted in an earlier life: ended ones as they are, the others to be run.

        Raises:
            ConfigError: as for `submit_graph`; of the others none was taken in.
        """
        book = self._book
        book.now = now
        for task in ended:
            if task.number not in book.tasks:
                book.tasks[task.number] = task
                book.history.add(task, now)
        created = {task.number: task.created for task in tasks}
        self.submit_graph(tasks, now)
        for task in tasks:
            task.created = created[task.number]

    def cancel(self, number: int, reason: str, now: float) -> bool:
        """Cancel a task; false if it is unknown or has its outcome.

        One that waits is cancelled at once, one that runs when it has stopped.
        """
        book = self._book
        book.now = now
        task = book.tasks.get(number)
        if task is None or task.final:
            return False
        if task.status is _PENDING:
            self._outcomes.cancel(task, reason)
            return True
        if task.cancelling is not None:
            return True
        task.cancelling = reason
        agent = book.fleet.agents[task.agent or ""]
        ahead = agent.slots == 1 and task.status is TaskStatus.ASSIGNED and not agent.waiting
        if ahead and next(iter(agent.held)) != number:
            self._outcomes.cancel(task, reason)
            self._sharing.recall(agent, ((number, task.attempt),))
            self._limits.expect_answer(agent, task)
        else:
            self._limits.interrupt(agent, task, CancellationCause.CANCELLED, reason)
        return True

    def cancel_all(self, reason: str, now: float) -> None:
        """Cancel every task that has no outcome."""
        tasks = list(self._book.tasks.values())
        # First what waits at an agent, the last of it first: as soon as what runs there is interrupted, the next begins.
        held = [task for task in reversed(tasks) if task.agent is not None]
        for task in (*held, *tasks):
            if not task.final:
                self.cancel(task.number, reason, now)

    def take_result(self, number: int) -> Any:
        """The result of a completed task, which is freed; None if there is none (any more)."""
        task = self._book.tasks.get(number)
        if task is None or task.status is not TaskStatus.COMPLETED or task.taken:
            return None
        result, task.result, task.taken = task.result, None, True
        return result

    def dead_letters(self, limit: int) -> list[tuple[DeadTask, Payload]]:
        """The tasks that failed for good, the latest first, at most `limit`; each with the arguments, if these are kept."""
        book = self._book
        return [
            (dead_task(explain.info(book, task), retryable=book.dead.retryable(task)), task.payload)
            for task in islice(reversed(book.dead), limit)
        ]

    def retry_dead(self, number: int, name: str, again: tuple[int, str, Any], now: float) -> Task:
        """Accept a task that repeats one of the dead letters, which leaves the list.

        Args:
            number, name: number and id of the one that failed.
            again: number, id and handle of the new task.
            now: monotonic seconds.

        Returns:
            The new task.

        Raises:
            ConfigError: it is not listed, or its arguments are not kept any more.
            CircuitOpen: as `submit`; it stays listed.
            SystemClosed: `close` was called.
        """
        dead = self._book.dead
        task = dead.find(number, name).again(*again)
        self.submit(task, now)
        dead.remove(number)
        return task

    # The rest

    def admission(self, open: bool, short: frozenset[str], now: float) -> None:  # noqa: A002, FBT001
        """Whether new work may start, and the resources (cpu, memory, io) of which the machine is short."""
        book = self._book
        book.now = now
        book.admitting = open
        book.short = short
        book.stir_all()

    def pause(self, now: float) -> None:
        """Assign no more work."""
        self._book.now = now
        self._book.paused = True

    def resume(self, now: float) -> None:
        """Go on after `pause`."""
        self._book.now = now
        self._book.paused = False
        self._book.stir_all()

    def close(self, now: float) -> None:
        """Accept no more tasks; those that there are go on."""
        self._book.now = now
        self._book.closed = True

    def tick(self, now: float) -> None:
        """Do what is due by now."""
        book = self._book
        book.now = now
        while (timer := book.due_timer(now)) is not None:
            _, _, what, subject, detail = timer
            self._due[what](subject, detail)

    def next_due(self) -> float | None:
        """When `tick` must be called next."""
        timers = self._book.timers
        return timers[0][0] if timers else None

    def told(self, agent: str, incarnation: int) -> int:
        """How many attempts that an agent had begun it has told the end of; 0 if it is gone."""
        found = self._book.fleet.agents.get(agent)
        return found.told if found is not None and found.incarnation == incarnation else 0

    def task(self, number: int) -> Task | None:
        """The task of a number, if it is known."""
        return self._book.tasks.get(number)

    def tasks(self) -> Iterable[Task]:
        """All tasks that are known, in the order of their acceptance."""
        return self._book.tasks.values()

    def info(self, number: int) -> TaskInfo | None:
        """How a task stands."""
        task = self._book.tasks.get(number)
        return explain.info(self._book, task) if task is not None else None

    def queue(self, limit: int = 1000) -> QueueInfo:
        """How all work stands, with at most `limit` tasks of each sort."""
        return explain.queue(self._book, limit)

    def explain(self, number: int, now: float) -> Explanation:
        """Why a task does not run."""
        return explain.explain(self._book, number, now)

    @property
    def unfinished(self) -> int:
        """How many tasks have no outcome yet."""
        return len(self._book.tasks) - len(self._book.history)

    @property
    def working(self) -> bool:
        """Whether any agent holds a task."""
        return any(agent.held for agent in self._book.fleet.agents.values())

    def check(self) -> None:
        """Check every invariant, for tests; costs as much as there are tasks.

        Raises:
            AssertionError: one does not hold; it says which.
        """
        checks.check(self._book)

    def _refuse_if_open(self, task: Task) -> None:
        book = self._book
        if task.kind.breaker:
            refusal = book.breakers.refusal(task.kind.name, task.id, book.now, book.utc_offset)
            if refusal is not None:
                raise refusal

    def _accept(self, task: Task) -> None:
        book = self._book
        book.accepted = task.order = book.accepted + 1
        task.created = book.now
        book.tasks[task.number] = task
        if "TaskSubmitted" in book.wanted:
            book.publish("TaskSubmitted", task)
        if task.after:
            broken = link(task, book.tasks)
            if broken is not None:
                self._outcomes.broken(task, broken)
                return
            if task.missing:
                return
        self._outcomes.wait(task)

    def _retry_due(self, task: Task, _: None) -> None:
        # It may have been cancelled meanwhile, and even tried again.
        if task.status is _PENDING and task.due is not None and task.due <= self._book.now:
            self._outcomes.wait(task)

    def _cooled(self, agent: Agent, incarnation: int) -> None:
        if agent.incarnation == incarnation and self._book.fleet.agents.get(agent.id) is agent:
            agent.cooling = False
            self._book.refit(agent)

    def _forget_due(self, _: None, __: None) -> None:
        book = self._book
        book.forget_timer = False
        book.history.expire(book.now)
        due = book.history.next_due()
        if due is not None:
            book.forget_timer = True
            book.timer(due, FORGET)

    def _expire_due(self, _: None, __: None) -> None:
        book = self._book
        book.dead.expire(book.now)
        due = book.dead.next_due()
        book.expire_timer = due is not None
        if due is not None:
            book.timer(due, EXPIRE)

    def _idle_due(self, agent: Agent, incarnation: int) -> None:
        book = self._book
        if agent.incarnation != incarnation or book.fleet.agents.get(agent.id) is not agent:
            return
        agent.idle_timer = False
        if not agent.open or agent.held:
            return
        due = agent.idle_since + agent.idle_timeout
        if due > book.now:
            agent.idle_timer = True
            book.timer(due, IDLE, agent, incarnation)
        elif book.fleet.dispensable(agent):
            self._dispatcher.retire(agent)

    def _end_surplus(self) -> None:
        """Agents beyond the limit (which waiting tasks made necessary), or too many of a type, end as soon as they are idle."""
        book = self._book
        if book.fleet.count <= book.fleet.max_agents and not book.fleet.resized:
            return
        for agent in list(book.idled):
            if not agent.held and agent.open and self._scaling.surplus(agent):
                self._dispatcher.retire(agent)


def _closed() -> SystemClosed:
    return SystemClosed("the system takes no more tasks: it is shutting down")


def _in_use(task: Task) -> ConfigError:
    message = f"task number {task.number} is in use by task {task.id}"
    return ConfigError(message, key="number", value=task.number, allowed="a number that was never used")
