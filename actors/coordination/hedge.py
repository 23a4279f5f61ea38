"""A second copy of a task that takes too long."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from actors.coordination.calls import Invocation
from actors.coordination.gathering import outcome_of, refuse_once
from actors.coordination.hedging import LOOK_AGAIN, decide
from actors.coordination.whole import Whole
from actors.errors import ConfigError
from actors.future import TaskFuture
from actors.hosts.ground import Ground, Pace
from actors.hosts.options import Options
from actors.hosts.taskmethod import TaskMethod, TaskOptions

__all__ = ["Hedge"]

_PLAIN = TaskOptions()


class Hedge(Whole):
    """See `Strategies.hedge`.

    Args:
        call: what is called.
        after: seconds from the start of the first copy to the second; None as `hedging.decide` says.
        ground, options, timeout: see `Whole`.

    Raises:
        ConfigError: the task must never run twice, or `after` is no number of seconds.
    """

    what = "hedge"

    def __init__(
        self, call: Invocation, after: float | None, ground: Ground, options: Options, timeout: float | None
    ) -> None:
        refuse_once("hedge", options)
        below = call.call.options if isinstance(call.call, TaskMethod) else _PLAIN
        if not options.pick("idempotent", below):
            raise ConfigError(
                f"hedge may run {call.name} twice at once, and it is not idempotent: submit it, or say "
                "options(idempotent=True) if two copies do no harm",
                key="idempotent",
                value=False,
                allowed="True",
            )
        if after is not None and (
            isinstance(after, bool) or not isinstance(after, int | float) or not 0 <= after < math.inf
        ):
            raise ConfigError(
                f"after is a number of seconds, 0 or more, or None, not {after!r}", key="after", value=after
            )
        super().__init__(ground, options, timeout)
        self._call = call
        self._after = after
        self._copies: list[TaskFuture[Any]] = []
        self._error: BaseException | None = None

    def begin(self) -> None:
        """Hand in the first copy."""
        self._copies.append(self.submit(0, self._call))
        self.alarm(LOOK_AGAIN if self._after is None else self._after, self._look)
        if self._after is None:
            # There may be history that says less.
            self._look()

    def is_quick(self, part: TaskFuture[Any]) -> bool:
        """Always: a copy that has ended is no reason for another one."""
        return True

    def part_ended(self, key: int, part: TaskFuture[Any]) -> None:
        """The first result wins; of errors the first, once no copy is left."""
        error, value = outcome_of(part)
        if error is None:
            self.succeed(value)
            return
        self._error = self._error or error
        if not self.parts():
            self.fail(self._error)

    def _look(self) -> None:
        if len(self._copies) == 1 and not self._copies[0].done():
            self.ground.pace(self._copies[0], lambda pace: self.post(lambda: self._told_pace(pace)))

    def _told_pace(self, pace: Pace) -> None:
        if len(self._copies) > 1 or self._copies[0].done():
            return
        seconds = decide(pace, self._after).seconds
        if seconds is not None:
            self.alarm(seconds, self._look)
            return
        # The same key would lead it to the same agent.
        self._copies.append(self.submit(1, self._call, replace(self.options, key=None)))
