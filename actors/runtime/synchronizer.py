"""The actor around the book of locks, barriers, flags and values.

It is started with the first request. Whoever waits brings a `Reply`, which outlives a restart of the actor: a wait is
answered when it ends, by whichever incarnation is there then.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from actors.core.sync.book import Book
from actors.errors import ActorsError, SystemClosed
from actors.kernel.actor import Actor
from actors.kernel.handlers import handles
from actors.runtime import messages as m

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from actors.core.sync.info import SyncInfo
    from actors.core.sync.owner import TaskKey
    from actors.core.sync.request import Request
    from actors.core.sync.step import Answer
    from actors.core.sync.wait import Ticket
    from actors.kernel.reply import Reply
    from actors.kernel.timers import Timer
    from actors.runtime.peers import Peers

__all__ = ["ListSync", "SyncAsk", "SyncState", "Synchronizer", "TaskWaits", "unheard"]

_log = logging.getLogger("actors.sync")

# While somebody waits, it is looked so often, in seconds, whether a thread of the program has ended that holds something.
_SWEEP = 0.25

Ended: TypeAlias = "Callable[[], list[tuple[Request, list[str]]]]"


class SyncAsk(NamedTuple):
    """A request for the book. `reply` gets its end; None if nobody waits for that.

    `ended` gives those owners of the program that have ended and left something behind; None: nobody knows.
    """

    request: Request
    reply: Reply[Any] | None
    ended: Ended | None = None


class _Sweep(NamedTuple):
    """Look whether one that others wait for has ended."""


class TaskWaits(NamedTuple):
    """A task waits for another one to end; `number` None: no more."""

    key: TaskKey
    name: str
    number: int | None


class ListSync(NamedTuple):
    """As an ask: a list of `SyncInfo`."""


class _Due(NamedTuple):
    """A time limit is over."""


def unheard(_: Any, message: Any) -> None:
    """A message will never be handled, because the system has ended: whoever waits is told."""
    if isinstance(message, SyncAsk) and message.reply is not None:
        message.reply.fail(_ended(message.request))


def _ended(request: Request) -> SystemClosed:
    return SystemClosed(f"the system has ended: {request.kind} {request.name!r} is no more")


class SyncState:
    """What outlives a restart of the synchronizer: the book, and who is to hear what it answers."""

    def __init__(self) -> None:
        self.book = Book()
        self.replies: dict[Ticket, Reply[Any]] = {}
        self.ended: Ended | None = None

    def deliver(self, answers: Iterable[Answer]) -> None:
        """Tell answers to those who wait for them; one that was told already is told to nobody."""
        for answer in answers:
            reply = self.replies.get(answer.ticket)
            if reply is None:
                continue
            if answer.error is None:
                reply.set(answer.value)
            else:
                reply.fail(answer.error)
            del self.replies[answer.ticket]

    def close(self, now: float) -> None:
        """Nobody works with it any more: answer all who wait."""
        self.deliver(self.book.close(now))
        for ticket, reply in list(self.replies.items()):
            reply.fail(SystemClosed("the system has ended"))
            del self.replies[ticket]


class Synchronizer(Actor):
    """Takes requests, deaths and the time to the book, and its answers to whoever waits.

    Args:
        state: what outlives a restart.
        peers: the system's other actors; hears whether anybody holds anything.
    """

    bears = (ActorsError,)
    repeats = True

    def __init__(self, state: SyncState, peers: Peers) -> None:
        super().__init__()
        self._state = state
        self._book = state.book
        self._peers = peers
        self._timer: Timer | None = None
        self._timer_due = 0.0
        self._sweeps = False

    def on_start(self) -> None:
        """After a restart: end what was begun."""
        if self.incarnation > 1:
            self._tell(self._book.recover())
            self.on_turn_end()

    def on_given_up(self, message: Any, exception: BaseException | None) -> None:
        """A message cannot be handled."""
        if isinstance(message, SyncAsk):
            if message.reply is not None:
                self._state.replies.pop(message.request.ticket, None)
                error = ActorsError(f"{message.request.op} failed twice: {exception}")
                error.__cause__ = exception
                message.reply.fail(error)
        elif isinstance(message, m.AgentGone):
            self.try_again(message)

    def on_turn_end(self) -> None:
        """Set the clock for the next time limit."""
        if self._state.ended is not None and self._book.contended and not self._sweeps:
            self._sweeps = True
            self.timers.once(_SWEEP, _Sweep())
        due = self._book.next_due()
        if due is not None and (self._timer is None or due < self._timer_due):
            if self._timer is not None:
                self._timer.cancel()
            self._timer_due = due
            self._timer = self.timers.once(max(0.0, due - self.clock.monotonic()), _Due())

    def _tell(self, answers: list[Answer]) -> None:
        # First: whoever hears that it holds something, and waits for a task then, is to be known.
        self._peers.synchronized = self._book.used
        self._state.deliver(answers)

    @handles(_Due)
    def _due(self, message: _Due) -> None:
        self._timer = None
        self._tell(self._book.tick(self.clock.monotonic()))

    @handles(SyncAsk)
    def _ask(self, message: SyncAsk) -> None:
        request, reply, ended = message
        self._state.ended = ended or self._state.ended
        if reply is not None:
            self._state.replies[request.ticket] = reply
        try:
            answers = self._book.handle(request, self.clock.monotonic())
        except ActorsError as error:
            if reply is None:
                _log.warning("%s: %s", request.owner, error)
            else:
                del self._state.replies[request.ticket]
                reply.fail(error)
            return
        self._tell(answers)

    @handles(_Sweep)
    def _sweep(self, message: _Sweep) -> None:
        self._sweeps = False
        ended = self._state.ended
        for request, names in [] if ended is None else ended():
            if names:
                _log.warning("%s has ended and held %s: that is released", request.owner, ", ".join(map(repr, names)))
            self._tell(self._book.handle(request, self.clock.monotonic()))

    @handles(TaskWaits)
    def _task_waits(self, message: TaskWaits) -> None:
        self._tell(self._book.waits_for_task(message.key, message.name, message.number, self.clock.monotonic()))

    @handles(m.AgentGone)
    def _gone(self, message: m.AgentGone) -> None:
        now, cause = self.clock.monotonic(), message.report.cause
        self._tell(self._book.gone(message.agent, message.incarnation, now, cause))
        for ticket in [each for each in self._state.replies if each[:2] == (message.agent, message.incarnation)]:
            del self._state.replies[ticket]

    @handles(ListSync)
    def _list(self, message: ListSync) -> list[SyncInfo]:
        return self._book.info(self.clock.monotonic())

    @handles(m.Ping)
    def _ping(self, message: m.Ping) -> bool:
        return True
