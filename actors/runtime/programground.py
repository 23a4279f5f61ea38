"""What a strategy stands on that the program calls."""

from __future__ import annotations

import concurrent.futures
import contextlib
import threading
from collections.abc import Callable, Iterable
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

from actors.errors import ActorsError, SystemClosed
from actors.future import TaskFuture
from actors.hosts.ground import Alarm, Member, Pace
from actors.hosts.mapping import Sent
from actors.hosts.options import Options
from actors.kernel.ref import ActorRef
from actors.runtime import messages as m
from actors.runtime.alarmclock import AlarmClock, ProgramAlarm, Set

if TYPE_CHECKING:
    from actors.kernel.reply import Reply
    from actors.runtime.peers import Peers
    from actors.runtime.submission import Submission
    from actors.runtime.world import World

__all__ = ["ProgramGround"]


class ProgramIntake(Protocol):
    """Where the program hands in work, as far as strategies need it."""

    world: World
    peers: Peers
    submission: Submission

    def hand_in(
        self,
        call: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: Options,
        items: list[tuple[Any, ...]] | None,
        form: str,
    ) -> Sent:
        """Hand in a part of a strategy."""

    def call_soon(self, callback: Callable[[], object]) -> None:
        """Run a callback where it can hold up nobody."""

    def check_process(self) -> None:
        """Refuse in a fork of the program."""


class ProgramGround:
    """See `Ground`. One for each system; it knows the strategies under way, for the system's end.

    Args:
        intake: where the program hands in work.
    """

    def __init__(self, intake: ProgramIntake) -> None:
        self._intake = intake
        self._numbers = count(1)
        self._lock = threading.Lock()
        self._members: dict[Member, None] = {}
        self._alarms: ActorRef[AlarmClock] | None = None
        self._closed: BaseException | None = None
        self.shielded: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
        self.monotonic = intake.world.clock.monotonic

    def group(self, what: str, options: Options) -> tuple[str, Options]:
        """See `Ground.group`."""
        name = f"{what}-{self._intake.submission.token}-{next(self._numbers)}"
        return name, options if options.job else options.updated({"job": name})

    def check(self, call: Any, args: tuple[Any, ...], kwargs: dict[str, Any], options: Options) -> None:
        """See `Ground.check`."""
        self._intake.submission.task(call, args, kwargs, options)

    def submit(
        self,
        call: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: Options,
        items: list[tuple[Any, ...]] | None = None,
        form: str = "",
    ) -> Sent:
        """See `Ground.submit`."""
        if self._closed is not None:
            raise SystemClosed(f"the system takes no more work: {self._closed}") from self._closed
        return self._intake.hand_in(call, args, kwargs, options, items, form)

    def soon(self, act: Callable[[], object]) -> None:
        """See `Ground.soon`: ends are told on the dispatcher's thread, where user code may run."""
        act()

    def call_soon(self, callbacks: Callable[[], object]) -> None:
        """See `Ground.call_soon`."""
        self._intake.call_soon(callbacks)

    def alarm(self, seconds: float, act: Callable[[], object]) -> Alarm:
        """See `Ground.alarm`."""
        alarm = ProgramAlarm(lambda: self._intake.call_soon(act))
        with self._lock:
            if self._closed is None and self._alarms is None:
                self._alarms = AlarmClock.start_with(self._intake.world.options("actors-alarms"))
            clock = self._alarms
        if clock is not None:
            clock.tell(Set(seconds, alarm))
        return alarm

    def pace(self, part: TaskFuture[Any], tell: Callable[[Pace], object]) -> None:
        """See `Ground.pace`."""
        number = part.number
        question = m.Inspect(lambda engine, now, _utc: engine.pace(number, now))

        def told(reply: Reply[Any]) -> None:
            pace = Pace() if reply.exception() is not None else Pace(*reply.get())
            self._intake.call_soon(lambda: tell(pace))

        self._intake.peers.scheduler.ask_later(question).add_done_callback(told)

    def before_wait(
        self,
        outcome: concurrent.futures.Future[Any],
        ready: Callable[[], bool],
        timeout: float | None,
        parts: Iterable[TaskFuture[Any]],
    ) -> float | None:
        """See `Ground.before_wait`."""
        self._intake.check_process()
        return self._intake.world.settle(ready, timeout)

    def awaiting(self, parts: Iterable[TaskFuture[Any]]) -> contextlib.AbstractContextManager[object]:
        """See `Ground.awaiting`."""
        return contextlib.nullcontext()

    # --- the end of the system ---

    def opened(self, member: Member) -> None:
        """See `Ground.opened`."""
        with self._lock:
            closed = self._closed
            if closed is None:
                self._members[member] = None
        if closed is not None:
            raise SystemClosed(f"the system takes no more work: {closed}") from closed
        member.future.add_done_callback(lambda _: self._members.pop(member, None))

    def join(self, timeout: float | None = None) -> bool:
        """Wait until no strategy is under way, for so many seconds at most. Whether it is so."""
        deadline = None if timeout is None else self.monotonic() + timeout
        for member in list(self._members):
            left = None if deadline is None else max(0.0, deadline - self.monotonic())
            left = self._intake.world.settle(member.future.done, left)
            if concurrent.futures.wait([member.future], left).not_done:
                return False
        return True

    def cancel_all(self, reason: str, timeout: float) -> None:
        """End all strategies. What has to be undone has so many seconds for that."""
        for member in list(self._members):
            member.cancel(reason)
        self.join(timeout)

    def abandon(self, error: BaseException) -> None:
        """Answer everybody who waits for a strategy; nothing is handed in any more."""
        with self._lock:
            if self._closed is None:
                self._closed = error
            clock, self._alarms = self._alarms, None
            members = list(self._members)
        for member in members:
            member.abandon(error)
        if clock is not None:
            with contextlib.suppress(ActorsError):
                clock.stop(block=False)
