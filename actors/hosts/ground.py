"""What a strategy stands on: the program, or an agent in which a task calls it."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

from actors.future import TaskFuture
from actors.hosts.mapping import Sent
from actors.hosts.options import Options

__all__ = ["Alarm", "Ground", "Member", "Pace"]


class Pace(NamedTuple):
    """How a task does, in seconds.

    `ran` since it began, None before; `late` is what 95 of 100 tasks of its kind stay below, None if too few are known;
    `expected` is what it was said to take, None if nobody did.
    """

    ran: float | None = None
    late: float | None = None
    expected: float | None = None


class Alarm(Protocol):
    """Something that is to happen."""

    def cancel(self) -> object:
        """It need not happen any more."""


class Member(Protocol):
    """A strategy under way, as the end of the system sees it."""

    @property
    def future(self) -> concurrent.futures.Future[Any]:
        """Of all of it."""

    def cancel(self, reason: str) -> bool:
        """End it, and what belongs to it."""

    def abandon(self, error: BaseException) -> None:
        """Answer whoever waits; nothing can be done any more."""


class Ground(Protocol):
    """Hands in the parts of strategies, and lets things happen later, where user code may run.

    `shielded` holds interruptions of the calling body off.
    """

    shielded: AbstractContextManager[None]

    def group(self, what: str, options: Options) -> tuple[str, Options]:
        """A name for a strategy, and the options of its parts: with a job of that name if they would have none."""

    def submit(
        self,
        call: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: Options,
        items: list[tuple[Any, ...]] | None = None,
        form: str = "",
    ) -> Sent:
        """Hand in a part; see `Call` for `items` and `form`."""

    def check(self, call: Any, args: tuple[Any, ...], kwargs: dict[str, Any], options: Options) -> None:
        """See whether this could be handed in.

        Raises:
            TypeError, ConfigError: it could not.
        """

    def soon(self, act: Callable[[], object]) -> None:
        """Do something; called where a part's end is told, which may be a thread that must not wait."""

    def call_soon(self, callbacks: Callable[[], object]) -> None:
        """Run done-callbacks of users."""

    def monotonic(self) -> float:
        """Seconds."""

    def alarm(self, seconds: float, act: Callable[[], object]) -> Alarm:
        """Do something in so many seconds, as `soon` does."""

    def pace(self, part: TaskFuture[Any], tell: Callable[[Pace], object]) -> None:
        """Find out how a part does, and tell it, as `soon` does."""

    def before_wait(
        self,
        outcome: concurrent.futures.Future[Any],
        ready: Callable[[], bool],
        timeout: float | None,
        parts: Iterable[TaskFuture[Any]],
    ) -> float | None:
        """A thread is about to wait for an outcome that these parts bring. See `FutureOwner.before_wait`."""

    def awaiting(self, parts: Iterable[TaskFuture[Any]]) -> AbstractContextManager[object]:
        """A coroutine awaits an outcome that these parts bring."""

    def opened(self, member: Member) -> None:
        """A strategy is under way, until its future is done."""
