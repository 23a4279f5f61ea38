"""Time limits and interruptions of running tasks.

Nothing is done for a single task: for each agent with a limited task one timer says when the earliest limit could
expire. Then the shell is asked to look what runs there since when, and only then a limit is judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.core.book import GRACE, LOOK, UNANSWERED, Book
from actors.core.decisions import Interrupt, Look
from actors.core.figures import figure_text
from actors.core.fleet import Verdict
from actors.core.record import task_facts
from actors.core.stacks import interrupted
from actors.errors import AgentDied, LimitExceeded, TaskTimeout
from actors.protocol.messages import CancellationCause
from actors.protocol.states import TaskStatus

if TYPE_CHECKING:
    from actors.core.fleet import Agent
    from actors.core.task import Task
    from actors.protocol.messages import Failure

__all__ = ["Limits"]

_ASSIGNED = TaskStatus.ASSIGNED
_IN_PROGRESS = TaskStatus.IN_PROGRESS
_TIMEOUT = CancellationCause.TIMEOUT


class Limits:
    """Ends what runs too long, or is no longer wanted."""

    __slots__ = ("_book",)

    def __init__(self, book: Book) -> None:
        self._book = book

    def interrupt(self, agent: Agent, task: Task, cause: CancellationCause, reason: str) -> None:
        """Interrupt a task that may run; if it has not ended after the grace, the agent is killed."""
        book = self._book
        if task.number in agent.interrupts:
            return
        book.out.append(Interrupt(agent.id, agent.incarnation, task.number, task.attempt, cause, reason))
        agent.interrupts[task.number] = cause
        book.timer(book.now + agent.grace, GRACE, agent, (agent.incarnation, task.number, task.attempt))

    def grace_over(self, agent: Agent, whom: tuple[int, int, int]) -> None:
        """The grace after an interruption has passed; `whom` is incarnation, number and attempt."""
        incarnation, number, attempt = whom
        book = self._book
        task = agent.held.get(number)
        if agent.incarnation != incarnation or task is None or task.attempt != attempt:
            return
        if number in agent.waiting and (agent.waiting[-1] != number or len(agent.held) > len(agent.waiting)):
            # It cannot unwind before the tasks that run inside it have: these have limits of their own.
            book.timer(book.now + agent.grace, GRACE, agent, whom)
            return
        cause = agent.interrupts.get(number, CancellationCause.CANCELLED)
        if agent.slots == 1 and number != _first(agent, number) and number not in agent.waiting:
            # Others come first there, so it does not run: its interruption got lost on the way.
            book.out.append(
                Interrupt(agent.id, agent.incarnation, number, attempt, cause, task.cancelling or "it is not wanted")
            )
            book.timer(book.now + agent.grace, GRACE, agent, whom)
            return
        self._kill_for(agent, task, cause)

    def expect_answer(self, agent: Agent, task: Task) -> None:
        """A cancelled task is asked back, of which nobody knows whether it has begun: the agent has the grace to answer."""
        book = self._book
        book.timer(book.now + agent.grace, UNANSWERED, agent, (agent.incarnation, task.number, task.attempt))

    def answer_due(self, agent: Agent, whom: tuple[int, int, int]) -> None:
        """The grace for the answer to a recall has passed; `whom` as for `grace_over`."""
        incarnation, number, attempt = whom
        task = agent.held.get(number)
        asked = any((number, attempt) in recall for recall in agent.recalls)
        if agent.incarnation != incarnation or task is None or task.attempt != attempt or not asked:
            return
        if number == _first(agent, number):
            # All before it have ended, so it is what runs there, and the agent does not even say so.
            self._kill_for(agent, task, CancellationCause.CANCELLED)
        else:
            self.expect_answer(agent, task)

    def _kill_for(self, agent: Agent, task: Task, cause: CancellationCause) -> None:
        book = self._book
        agent.culprit = task.number
        book.kill(agent, f"task {task.id} did not stop within {agent.grace:g} s ({cause.name.lower()})")

    def look_due(self, agent: Agent, incarnation: int) -> None:
        """A limit of one of the agent's tasks could have expired by now."""
        if agent.incarnation != incarnation or agent.look_due is None:
            return
        agent.look_due = None
        if agent.killed is None and any(task.kind.timeout is not None for task in agent.held.values()):
            self._book.out.append(Look(agent.id, agent.incarnation))

    def observed(self, agent: Agent, running: tuple[int, int, float] | None) -> None:
        """What runs at the agent since when: end what is over its limit, and say when to look again."""
        book = self._book
        now = book.now
        if running is not None:
            number, attempt, at = running
            task = agent.held.get(number)
            if task is not None and task.attempt == attempt and not task.final:
                self.begun(task, at)
                # What was noted before may have been a guess.
                task.started = at
        due: float | None = None
        for index, task in enumerate(agent.held.values()):
            timeout = task.kind.timeout
            if timeout is None or task.number in agent.interrupts or task.final:
                continue
            start = task.started
            if start is None and agent.slots > 1 and index < agent.slots:
                # One of several that run side by side: it began when it came.
                start = task.assigned
            if start is None:
                start = now
            elif start + timeout <= now:
                told = f"task {task.id} ran longer than its limit of {timeout:g} s"
                self.interrupt(agent, task, _TIMEOUT, told)
                continue
            due = start + timeout if due is None else min(due, start + timeout)
        if due is not None and (agent.look_due is None or due < agent.look_due):
            agent.look_due = due
            book.timer(due, LOOK, agent, agent.incarnation)

    def begun(self, task: Task, at: float) -> bool:
        """The task has begun at a time; false if that was known."""
        if task.started is None:
            task.started = at
        if task.status is not _ASSIGNED:
            return False
        task.status = _IN_PROGRESS
        if "TaskStarted" in self._book.wanted:
            self._book.publish("TaskStarted", task)
        return True

    def condemn(self, agent: Agent, verdict: Verdict) -> None:
        """Have an agent killed that went over a hard limit."""
        agent.verdict = verdict
        limit, figure, allowed, _ = verdict
        self._book.kill(
            agent, f"over its limit of {limit}: {figure_text(limit, figure)} of {figure_text(limit, allowed)}"
        )

    def timed_out(self, task: Task, failure: Failure | None = None) -> TaskTimeout:
        """What a task fails with that ran too long; `failure` is how its interruption ended it."""
        limit = task.kind.timeout or 0.0
        return TaskTimeout(
            f"task {task.id} ran longer than its time limit of {limit:g} s on {task.agent}; give it a higher timeout if "
            "that is how long it takes",
            timeout=limit,
            stack=None if failure is None else interrupted(failure.traceback),
            **task_facts(task, self._book.now),
        )

    def exceeded(self, agent: Agent, task: Task, verdict: Verdict) -> LimitExceeded:
        """What a task fails with whose agent went over a hard limit."""
        limit, figure, allowed, growth = verdict
        return LimitExceeded(
            f"task {task.id} took its agent {agent.id} over the limit of {limit}: {figure_text(limit, figure)} of "
            f"{figure_text(limit, allowed)} allowed",
            limit=limit,
            figure=figure,
            allowed=allowed,
            growth=growth,
            **task_facts(task, self._book.now),
        )

    def ended(self, agent: Agent, task: Task, failure: Failure | None = None) -> AgentDied:
        """What a task fails with that was interrupted because its agent was to end."""
        why = "" if failure is None else failure.text.partition("(shutdown): ")[2]
        if why.startswith("signal "):
            why += ", which this program has not sent (somebody's `kill`, a service manager, the end of a batch job)"
        return AgentDied(
            f"agent {agent.id} was ended while it ran task {task.id}" + (f": {why}" if why else ""),
            reason=why or "the agent was ended",
            stack=None if failure is None else interrupted(failure.traceback),
            **task_facts(task, self._book.now),
        )


def _first(agent: Agent, otherwise: int) -> int:
    """The number of the first task at the agent that waits for no sub-tasks: with one slot, the one that runs."""
    return next((held for held in agent.held if held not in agent.waiting), otherwise)
