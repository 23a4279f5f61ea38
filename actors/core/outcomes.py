"""How a task goes on after something happened to it: into the line, to its outcome, or to another try."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

from actors.core.book import EXPIRE, FORGET, PROBE, RETRY, Book
from actors.core.decisions import Resolve
from actors.core.errortext import line_of, text_of
from actors.core.graph import doomed, released
from actors.core.record import task_facts
from actors.core.retry import retries_for, type_names
from actors.errors import AgentDied, DependencyFailed, TaskCancelled
from actors.protocol.events import CircuitClosed, CircuitOpened
from actors.protocol.messages import Failure
from actors.protocol.states import TaskStatus

if TYPE_CHECKING:
    from actors.core.breaker import Breaker
    from actors.core.task import Task

__all__ = ["Outcomes", "read_failure"]

_PENDING = TaskStatus.PENDING
_ASSIGNED = TaskStatus.ASSIGNED
_IN_PROGRESS = TaskStatus.IN_PROGRESS
_COMPLETED = TaskStatus.COMPLETED
_FAILED = TaskStatus.FAILED
_CANCELLED = TaskStatus.CANCELLED
_FAILURE_FIELDS = 4
_SPARED_AT_MOST = 3
_new = tuple.__new__


def read_failure(payload: Any) -> Failure | None:
    """The failure that an agent sent, or None if these are not the fields of one."""
    if not isinstance(payload, list | tuple) or len(payload) != _FAILURE_FIELDS:
        return None
    names, text, traceback, pickled = payload
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        return None
    if not isinstance(text, str) or not isinstance(traceback, str) or not isinstance(pickled, bytes | None):
        return None
    return Failure(tuple(names), text, traceback, pickled)


class Outcomes:
    """Moves tasks along. Each task that is given an outcome gets exactly one `Resolve`."""

    __slots__ = ("_book",)

    def __init__(self, book: Book) -> None:
        self._book = book

    def wait(self, task: Task) -> None:
        """A pending task whose dependencies have completed stands in the line from now on."""
        book = self._book
        if task.ready is None:
            task.ready = book.now
        task.due = None
        book.fresh[book.line.put(task)] = None

    def hand_back(self, task: Task, *, begun: bool = False) -> None:
        """An assigned task waits again: one that never began as if it had not been assigned."""
        self._back(task, begun=begun, spared=0)

    def complete(self, task: Task, payload: Any, started: float, ended: float) -> None:
        """The task has a result."""
        book = self._book
        if "TaskStarted" in book.wanted:
            self._began(task, started)
        if task.status is not _ASSIGNED and task.status is not _IN_PROGRESS:
            task.check_move(_COMPLETED)
        task.result = payload
        task.started = started
        task.ended = ended
        task.status = _COMPLETED
        task.payload = None
        task.results = None
        book.out.append(_new(Resolve, (task,)))
        book.history.add(task, book.now)
        if not book.forget_timer:
            self._forget_later()
        if book.breakers.known and task.kind.breaker:
            self._went_well(task)
        if "TaskCompleted" in book.wanted:
            book.publish("TaskCompleted", task, seconds=ended - started)
        if task.dependents is not None:
            for later in released(task):
                self.wait(later)

    def fail(self, task: Task, error: BaseException | Failure, *, blamed: bool = True) -> None:
        """The task has failed for good, and with it all that depend on it; `blamed`: that speaks against its type."""
        self._end(task, _FAILED, error, dead=True)
        if task.kind.breaker:
            self._failed(task, error, blamed=blamed)
        if "TaskFailed" in self._book.wanted:
            self._book.publish("TaskFailed", task, error=text_of(error))
        self._doom(task)

    def cancel(self, task: Task, reason: str) -> None:
        """The task is cancelled, and what depends on it fails."""
        told = f": {reason}" if reason else ""
        self._end(
            task, _CANCELLED, TaskCancelled(f"task {task.id} was cancelled{told}", task_id=task.id, reason=reason)
        )
        task.payload = task.results = None
        if task.kind.breaker:
            self._returned(task)
        if "TaskCancelledEvent" in self._book.wanted:
            self._book.publish("TaskCancelledEvent", task, reason=reason)
        self._doom(task)

    def broken(self, task: Task, before: Task) -> None:
        """A dependency of the task failed or was cancelled: the task fails, naming the first cause."""
        cause = before.error
        first = cause.first if isinstance(cause, DependencyFailed) and cause.first is not None else before.id
        root = cause.__cause__ if isinstance(cause, DependencyFailed) else cause
        error = DependencyFailed(
            f"task {task.id} cannot run: task {first}, on which it depends, "
            + (f"failed with {text_of(root)}" if root is not None else "failed"),
            task_id=task.id,
            first=first,
        )
        if isinstance(root, BaseException):
            error.__cause__ = root
        self._end(task, _FAILED, error)
        # It is not listed as a dead letter: that is for the first cause.
        task.payload = task.results = None
        if "TaskFailed" in self._book.wanted:
            self._book.publish("TaskFailed", task, error=text_of(error))

    def _began(self, task: Task, started: float) -> None:
        """Somebody listens: tell that the task began, if its agent did not know yet that this was to be told."""
        if task.status is _ASSIGNED:
            task.started = started
            self._book.publish("TaskStarted", task)

    def raised(self, task: Task, error: BaseException | Failure) -> None:
        """The task ended with an error: once more if it names that type for retries, else it fails."""
        names = error.type_names if isinstance(error, Failure) else type_names(type(error))
        kind = task.kind
        if task.retried < kind.error_retries and retries_for(kind.retry_on, names):
            self._again(task, error, kind.backoff.delay(task.retried + 1, self._book.rng))
            # What is tried again has not failed; but a probe has told that it is too soon.
            self._failed(task, error, blamed=self._is_probe(task))
        else:
            self.fail(task, error)

    def died(self, task: Task, error: AgentDied, *, begun: bool, ordered: bool = False) -> None:
        """The agent died while it ran the task, or after it had ended it but before it told.

        `ordered`: it was asked to end, which says nothing about the task.
        """
        kind = task.kind
        if (begun and not kind.idempotent) or task.retried >= kind.retries:
            own = copy(error)
            own.__dict__.update(task_facts(task, self._book.now))
            own.__cause__ = error.__cause__
            self.fail(task, own, blamed=not ordered)
            return
        # The first repetition is at once: most deaths are not the task's own doing.
        delay = kind.backoff.delay(task.retried, self._book.rng) if task.retried else 0.0
        self._again(task, error, delay)
        # Each death counts against the task type: it costs a process, whether the task is tried again or not.
        self._failed(task, error, blamed=not ordered)

    def displaced(self, task: Task, error: AgentDied, *, suspect: bool, begun: bool) -> None:
        """The agent died while the task waited there: it moves on without losing an attempt.

        `begun`: it was done already, and only its result was lost: its next attempt has a number of its own.

        `suspect`: nothing was running, and this may have been what killed it; so it moves on only a few times.
        """
        if suspect and task.spared >= max(_SPARED_AT_MOST, task.kind.retries):
            self.died(task, error, begun=True)
            return
        if begun:
            task.note_attempt(line_of(error), self._book.now)
        self._back(task, begun=begun, spared=int(suspect or begun))

    def unservable(self, task: Task, error: BaseException) -> None:
        """No agent can take the task any more."""
        if task.queued:
            self._book.line.remove(task)
        self.fail(task, error, blamed=False)

    def _back(self, task: Task, *, begun: bool, spared: int) -> None:
        task.check_move(_PENDING)
        task.status, task.attempt, task.spared = _PENDING, task.attempt - (not begun), task.spared + spared
        task.agent = None
        task.assigned = task.started = None
        self.wait(task)
        if task.kind.breaker:
            self._returned(task)

    def _again(self, task: Task, error: BaseException | Failure, delay: float) -> None:
        book = self._book
        task.check_move(_PENDING)
        task.note_attempt(line_of(error), book.now)
        if delay > 0:
            task.due = book.now + delay
        task.status, task.retried = _PENDING, task.retried + 1
        if "TaskRetried" in book.wanted:
            book.publish("TaskRetried", task, error=text_of(error), delay=delay)
        task.agent = None
        task.assigned = task.started = None
        if task.due is not None:
            book.timer(task.due, RETRY, task)
        else:
            self.wait(task)

    # The circuit breaker of its type

    def _is_probe(self, task: Task) -> bool:
        breaker = self._book.breakers.known.get(task.kind.name)
        return breaker is not None and breaker.probe == task.number

    def _failed(self, task: Task, error: BaseException | Failure, *, blamed: bool) -> None:
        book, kind = self._book, task.kind
        if not kind.breaker:
            return
        if not blamed:
            self._returned(task)
            return
        breaker = book.breakers.failed(kind.name, task.number, kind.breaker, line_of(error), book.now)
        if breaker is None or breaker.due is None:
            return
        book.line.gates.shut(kind.name)
        book.tripped.add(kind.name)
        book.timer(breaker.due, PROBE, breaker)
        if "CircuitOpened" in book.wanted:
            seconds = breaker.due - book.now
            book.tell(
                CircuitOpened, task_type=kind.name, error=breaker.error, seconds=seconds, openings=breaker.openings
            )

    def _went_well(self, task: Task) -> None:
        book, name = self._book, task.kind.name
        breaker = book.breakers.succeeded(name, task.number)
        if breaker is not None:
            self._open_gate(name, single=False)
            if "CircuitClosed" in book.wanted:
                book.tell(CircuitClosed, task_type=name, seconds=book.now - breaker.since)

    def _returned(self, task: Task) -> None:
        """The task ended or came back without a word for or against its type: another one may be the probe."""
        if self._book.breakers.returned(task.kind.name, task.number) is not None:
            self._open_gate(task.kind.name, single=True)

    def probe_due(self, breaker: Breaker, _: None) -> None:
        """A breaker's cool-down may have passed: let one task through."""
        if self._book.breakers.rested(breaker, self._book.now):
            self._open_gate(breaker.name, single=True)

    def _open_gate(self, name: str, *, single: bool) -> None:
        book = self._book
        for bucket in book.line.gates.open(name, single=single):
            book.fresh[bucket] = None

    def _end(self, task: Task, status: TaskStatus, error: BaseException | Failure, *, dead: bool = False) -> None:
        book = self._book
        if task.queued:
            book.line.remove(task)
        task.check_move(status)
        task.error = error
        task.ended = book.now
        task.status = status
        task.due = None
        book.out.append(Resolve(task))
        if dead:
            self._list(task)
        # The last of all: what is in the history has got all that comes with an end.
        book.history.add(task, book.now)
        if not book.forget_timer:
            self._forget_later()

    def _doom(self, task: Task) -> None:
        if task.dependents is None:
            return
        # All of them name the same first cause, so they can fail one by one without looking at the edges again.
        for later in doomed(task):
            self.broken(later, task)

    def _list(self, task: Task) -> None:
        book = self._book
        book.dead.add(task, book.now)
        self.expire_later()

    def expire_later(self) -> None:
        """Be woken when the oldest dead letter is too old."""
        book = self._book
        due = book.dead.next_due()
        if due is not None and not book.expire_timer:
            book.expire_timer = True
            book.timer(due, EXPIRE)

    def _forget_later(self) -> None:
        book = self._book
        due = book.history.next_due()
        if due is not None:
            book.forget_timer = True
            book.timer(due, FORGET)
