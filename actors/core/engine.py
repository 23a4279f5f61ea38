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

from collections import deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from actors.core import rebuild
from actors.core.alarms import Alarms
from actors.core.crew import Crew
from actors.core.fleet import Agent
from actors.core.graph import check_dependencies, in_order, link
from actors.core.questions import Questions
from actors.errors import ConfigError, SystemClosed
from actors.protocol.messages import CancellationCause
from actors.protocol.states import TaskStatus

if TYPE_CHECKING:
    import random

    from actors.core.decisions import Decision
    from actors.core.settings import EngineSettings
    from actors.core.task import Task

__all__ = ["Engine"]

_PENDING = TaskStatus.PENDING


class Engine(Crew, Questions):
    """Decides for one system. Not thread-safe: one actor owns it.

    Args:
        settings: its rules.
        rng: where chance comes from (the jitter of retries).
    """

    def __init__(self, settings: EngineSettings, rng: random.Random) -> None:
        super().__init__(settings, rng)
        self._alarms = Alarms(self._book, self._dispatcher, self._limits, self._outcomes, self._sharing)

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

    def take(self) -> list[Decision]:
        """Let everything follow that follows from what was noted since the last call, and give the decisions."""
        decided: deque[Decision] = deque()
        self.decide(decided)
        return list(decided)

    def decide(self, decided: deque[Decision]) -> None:
        """Like `take`, with the decisions added to those that are given.

        With a failure they may be in both places, and are never in none; `rebuild` puts that right.
        """
        book = self._book
        if book.tripped:
            self._sharing.take_back_types(book.tripped)
            book.tripped.clear()
        if book.line.gates.rationed:
            book.quotas.settle(book.line.gates, book.fresh)
        if book.fresh or book.stirred or book.reconsider or book.idled:
            if book.line.live:
                self._dispatcher.run()
            else:
                # What has room again finds nothing to do.
                book.stirred.clear()
                book.reconsider = False
            while book.line.live:
                self._scaling.run()
                self._sharing.nest()
                if not book.waiting_agents or not self._scaling.unstick():
                    break
                self._dispatcher.run()
            book.fresh.clear()
            if book.idled:
                self._end_surplus()
                self._sharing.steal()
        book.history.trim()
        decided.extend(book.out)
        book.out = []

    @property
    def restless(self) -> bool:
        """Whether `decide` has something to do that was not there when it was called last."""
        book = self._book
        return bool(book.out or book.fresh or book.stirred or book.reconsider or book.idled or book.tripped)

    def rebuild(self, decided: deque[Decision], unsent: Iterable[tuple[Task, int]], now: float) -> None:
        """Go on after a failure in the middle of any method: all that is derived is made anew, what was begun is completed.

        What had not been noted when it failed is to be said again; what had been does no harm when it is said twice.

        Args:
            decided: the decisions that were not carried out; those that no longer hold are taken out.
            unsent: tasks whose assignment was taken up and never sent, each with its attempt.
            now: monotonic seconds.
        """
        self._book.now = now
        rebuild.make_anew(self._book, decided, unsent)
        for agent in list(self._book.fleet.agents.values()):
            if agent.fates is not None:
                self._bury(agent)
        rebuild.complete(self._book, self._outcomes, self._limits, self._sharing, self._stop)

    # Work

    def submit(self, task: Task, now: float) -> None:
        """Accept a task. It has its outcome in the same turn if it can never run.

        Raises:
            ConfigError: its number is in use, it depends on itself, or on a task that is unknown or forgotten, or on
                a result that was freed; or it needs a named resource that is unknown, or more of it than there is.
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
        if task.kind.needs.resources:
            book.quotas.check(task)
            book.quotas.tie(task)
        if book.breakers.known:
            self._refuse_if_open(task)
        if task.after:
            check_dependencies(task, tasks)
            self._accept(task, now)
            return
        # The usual case of `_accept`, without the calls.
        book.accepted = task.order = book.accepted + 1
        task.created = task.ready = now
        if "TaskSubmitted" in book.wanted:
            # Both, or with a failure neither: then it is submitted once more.
            _, tasks[number] = book.publish("TaskSubmitted", task), task  # type: ignore[func-returns-value]
        else:
            tasks[number] = task
        book.fresh[book.line.put(task)] = None

    def submit_graph(self, tasks: Sequence[Task], now: float) -> None:
        """Accept tasks that may depend on each other, in any order: all of them or, with an error, none.

        Raises:
            ConfigError, CircuitOpen, SystemClosed: as `submit`, or a circle among them.
        """
        book = self._book
        book.now = now
        self._check_graph(tasks)
        for task in tasks:
            book.quotas.check(task)
        for task in in_order(tasks, book.tasks):
            book.quotas.tie(task)
            self._accept(task, now)

    def restore(self, ended: Sequence[Task], tasks: Sequence[Task], now: float, dead: Sequence[Task] = ()) -> None:
        """Take in tasks that were accepted in an earlier life: ended ones as they are, the others to be run.

        One that needs more of a named resource than there is now fails. Those that failed for good are listed, in the
        order given; one whose payload is None cannot be run again.

        Raises:
            ConfigError: as for `submit_graph`; of the others none was taken in.
        """
        # With a failure in between it is said again: what was taken in stays as it is.
        book = self._book
        book.now = now
        for task in ended:
            if task.number not in book.tasks:
                # In this order a failure in between makes no end of now out of it.
                book.history.add(task, now)
                book.tasks[task.number] = task
        for task in dead:
            book.dead.restore(task)
        self._outcomes.expire_later()
        new = [task for task in tasks if not book.tasks.holds(task)]
        self._check_graph(new)
        for task in in_order(new, book.tasks):
            self._accept(task, task.created)
        for task in tasks:
            if (error := book.quotas.refusal(task)) is not None:
                self.unservable(task.number, error, now)

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
        self._stop(book.fleet.agents[task.agent or ""], task)
        return True

    def _stop(self, agent: Agent, task: Task) -> None:
        """Have a cancelled task ended that is at an agent."""
        number, reason = task.number, task.cancelling or ""
        ahead = agent.slots == 1 and task.status is TaskStatus.ASSIGNED and not agent.waiting
        if ahead and next(iter(agent.held)) != number:
            self._outcomes.cancel(task, reason)
            self._sharing.recall(agent, ((number, task.attempt),))
            self._limits.expect_answer(agent, task)
        else:
            self._limits.interrupt(agent, task, CancellationCause.CANCELLED, reason)

    def unservable(self, number: int, error: BaseException, now: float) -> None:
        """A task that waits for an agent cannot be given to any: it fails."""
        self._book.now = now
        task = self._book.tasks.get(number)
        if task is not None and task.status is _PENDING:
            self._outcomes.unservable(task, error)

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
        # With a failure in between it is said again, of a task that is accepted already.
        task = self._book.tasks.get(again[0])
        if task is None:
            task = dead.find(number, name).again(*again)
            self.submit(task, now)
        if number in dead:
            dead.remove(number)
        return task

    # The rest

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
            self._alarms.ring(what, subject, detail)

    def next_due(self) -> float | None:
        """When `tick` must be called next."""
        timers = self._book.timers
        return timers[0][0] if timers else None

    def _refuse_if_open(self, task: Task) -> None:
        book = self._book
        if task.kind.breaker:
            refusal = book.breakers.refusal(task.kind.name, task.id, book.now, book.utc_offset)
            if refusal is not None:
                raise refusal

    def _check_graph(self, tasks: Sequence[Task]) -> None:
        book = self._book
        if book.closed:
            raise _closed()
        for task in tasks:
            if task.number in book.tasks:
                raise _in_use(book.tasks[task.number])
            self._refuse_if_open(task)

    def _accept(self, task: Task, created: float) -> None:
        book = self._book
        book.accepted = task.order = book.accepted + 1
        task.created = created
        if "TaskSubmitted" in book.wanted:
            # As in `submit`.
            _, book.tasks[task.number] = book.publish("TaskSubmitted", task), task  # type: ignore[func-returns-value]
        else:
            book.tasks[task.number] = task
        if task.after:
            broken = link(task, book.tasks)
            if broken is not None:
                self._outcomes.broken(task, broken)
                return
            if task.missing:
                return
        self._outcomes.wait(task)

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
