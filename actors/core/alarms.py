"""What the scheduler's mind does when a time has come."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from actors.core.book import (
    ASK_AGAIN,
    COOLED,
    EXPIRE,
    FORGET,
    GRACE,
    IDLE,
    LOOK,
    OVERDUE,
    PROBE,
    RETRY,
    STEAL,
    UNANSWERED,
    Book,
)
from actors.protocol.states import TaskStatus

if TYPE_CHECKING:
    from actors.core.dispatch import Dispatcher
    from actors.core.fleet import Agent
    from actors.core.limits import Limits
    from actors.core.outcomes import Outcomes
    from actors.core.sharing import Sharing
    from actors.core.task import Task

__all__ = ["Alarms"]

_PENDING = TaskStatus.PENDING


class Alarms:
    """Knows what to do for each kind of timer; one whose subject has changed since it was set does nothing."""

    __slots__ = ("_book", "_dispatcher", "_due", "_outcomes")

    def __init__(
        self, book: Book, dispatcher: Dispatcher, limits: Limits, outcomes: Outcomes, sharing: Sharing
    ) -> None:
        self._book = book
        self._dispatcher = dispatcher
        self._outcomes = outcomes
        self._due: dict[int, Callable[[Any, Any], None]] = {
            RETRY: self._retry_due,
            LOOK: limits.look_due,
            GRACE: limits.grace_over,
            IDLE: self._idle_due,
            COOLED: self._cooled,
            STEAL: sharing.steal_late,
            OVERDUE: sharing.overdue,
            FORGET: self._forget_due,
            ASK_AGAIN: sharing.ask_again,
            UNANSWERED: limits.answer_due,
            EXPIRE: self._expire_due,
            PROBE: outcomes.probe_due,
        }

    def ring(self, what: int, subject: Any, detail: Any) -> None:
        """A timer has fallen due: its kind, its subject and a detail, as `Book.timer` was told."""
        self._due[what](subject, detail)

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
