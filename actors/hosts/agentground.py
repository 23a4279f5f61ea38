"""What a strategy stands on that a task calls: its parts are sub-tasks, and its steps run where the task waits."""

from __future__ import annotations

import concurrent.futures
import contextlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from actors.errors import AskTimeout, ConfigError
from actors.future import TaskFuture
from actors.hosts.ground import Alarm, Member, Pace
from actors.hosts.mapping import Sent
from actors.hosts.options import Options
from actors.hosts.submission import describe
from actors.protocol.messages import CoordinationRequest

if TYPE_CHECKING:
    from actors.hosts.attempt import Attempt
    from actors.hosts.parts import AgentParts
    from actors.hosts.subtasks import SubTaskFuture, SubTasks

__all__ = ["AgentGround"]

_PACE_TIMEOUT = 30.0


class AgentGround:
    """See `Ground`. One for each call of a strategy.

    Args:
        parts: what the lanes share.
        subtasks: submits.
        attempt: whose body calls; None in a hook or a handler.
        send: submits a described task for an attempt.
    """

    def __init__(
        self,
        parts: AgentParts,
        subtasks: SubTasks,
        attempt: Attempt | None,
        send: Callable[[dict[str, Any], Attempt | None], SubTaskFuture[Any]],
    ) -> None:
        self._parts = parts
        self._subtasks = subtasks
        self._attempt = attempt
        self._send = send
        self._waits = 0
        self.shielded = parts.interrupter.shielded
        self.monotonic = parts.monotonic

    def group(self, what: str, options: Options) -> tuple[str, Options]:
        """See `Ground.group`."""
        if options.once is not None:
            raise ConfigError(
                f"once={options.once!r} is for what the program hands in: a task that runs again makes its sub-tasks again",
                key="once",
                value=options.once,
            )
        spec = self._parts.spec
        name = f"{what}-{spec.agent}.{spec.incarnation}-{next(self._subtasks.strategies)}"
        job = spec.job if self._attempt is None else self._attempt.job
        return name, options if options.job or job else options.updated({"job": name})

    def check(self, call: Any, args: tuple[Any, ...], kwargs: dict[str, Any], options: Options) -> None:
        """See `Ground.check`."""
        describe(call, args, kwargs, options)

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
        attempt = self._attempt
        # A task that has ended is nobody's parent any more.
        alive = attempt if attempt is not None and not attempt.ended else None
        future = self._send(describe(call, args, kwargs, options, items, form), alive)
        if self._waits and alive is not None:
            self._subtasks.waits_too(alive.number, future.number)
        return future, lambda: future.seconds

    def soon(self, act: Callable[[], object]) -> None:
        """See `Ground.soon`: the task lane does it, as the control lane must not wait."""
        self._parts.leave(act)

    def call_soon(self, callbacks: Callable[[], object]) -> None:
        """See `Ground.call_soon`: what users do there may wait, too."""
        self._parts.leave(callbacks)

    def alarm(self, seconds: float, act: Callable[[], object]) -> Alarm:
        """See `Ground.alarm`."""
        alarm = self._parts.requests.alarm(seconds)

        def due(answer: concurrent.futures.Future[Any]) -> None:
            if not answer.cancelled() and isinstance(answer.exception(), AskTimeout):
                self.soon(act)

        alarm.add_done_callback(due)
        return alarm

    def pace(self, part: TaskFuture[Any], tell: Callable[[Pace], object]) -> None:
        """See `Ground.pace`."""
        with self.shielded:
            answer = self._parts.requests.send(CoordinationRequest("pace", part.number), timeout=_PACE_TIMEOUT)

        def told(answer: concurrent.futures.Future[Any]) -> None:
            pace = Pace() if answer.exception() is not None else Pace(*answer.result())
            self.soon(lambda: tell(pace))

        answer.add_done_callback(told)

    def before_wait(
        self,
        outcome: concurrent.futures.Future[Any],
        ready: Callable[[], bool],
        timeout: float | None,
        parts: Iterable[TaskFuture[Any]],
    ) -> float | None:
        """See `Ground.before_wait`: the slot is given away, to the parts that there are and to those to come."""
        self._waits += 1
        try:
            return self._subtasks.wait_for(outcome, ready, timeout, [part.number for part in parts])
        finally:
            self._waits -= 1

    @contextlib.contextmanager
    def _awaiting(self, numbers: list[int]) -> Any:
        self._waits += 1
        try:
            with self._subtasks.awaiting(*numbers):
                yield
        finally:
            self._waits -= 1

    def awaiting(self, parts: Iterable[TaskFuture[Any]]) -> contextlib.AbstractContextManager[object]:
        """See `Ground.awaiting`."""
        return self._awaiting([part.number for part in parts])

    def opened(self, member: Member) -> None:
        """See `Ground.opened`: the end of the agent ends its sub-tasks' futures, and so the strategy."""
