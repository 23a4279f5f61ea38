"""Many calls at once, of which a tally says what comes of them: scatter_gather, race and quorum."""

from __future__ import annotations

from typing import Any

from actors.coordination.calls import Invocation
from actors.coordination.verdict import Tally
from actors.coordination.whole import Whole, noted
from actors.errors import ConfigError
from actors.future import TaskFuture
from actors.hosts.ground import Ground
from actors.hosts.options import Options

__all__ = ["Gathering"]


class Gathering(Whole):
    """Hands in all calls at once.

    Args:
        what: the name of the strategy.
        tally: says what comes of it.
        calls: one or more.
        ground, options, timeout: see `Whole`.
    """

    def __init__(
        self,
        what: str,
        tally: Tally,
        calls: list[Invocation],
        ground: Ground,
        options: Options,
        timeout: float | None,
    ) -> None:
        self.what = what
        refuse_once(what, options)
        super().__init__(ground, options, timeout)
        self._tally = tally
        self._calls = calls

    def begin(self) -> None:
        """Hand in all calls."""
        for place, call in enumerate(self._calls):
            self.submit(place, call)

    def is_quick(self, part: TaskFuture[Any]) -> bool:
        """Always: all calls are handed in at the beginning."""
        return True

    def part_ended(self, key: int, part: TaskFuture[Any]) -> None:
        """Ask the tally."""
        error, value = outcome_of(part) if self._tally.reads or part.failed() else (None, part)
        if error is not None:
            noted(error, f"in {self.what}: call {key + 1} of {len(self._calls)}, {self._calls[key].name}")
        verdict = self._tally.ended(key, error, value)
        if verdict is None:
            return
        if verdict.error is not None:
            self.fail(verdict.error)
        else:
            self.succeed(verdict.payload, verdict.decode)


def outcome_of(part: TaskFuture[Any]) -> tuple[BaseException | None, Any]:
    """Error and value of a part that has ended."""
    try:
        return None, part.result(0)
    except BaseException as error:  # noqa: BLE001 - whatever the task raised is its outcome
        return error.with_traceback(None), None


def refuse_once(what: str, options: Options) -> None:
    """See to it that a name for one task is not given to many.

    Raises:
        ConfigError: it is.
    """
    if options.once is not None:
        raise ConfigError(
            f"once={options.once!r} names one task, and {what} makes many; of the strategies only saga takes it",
            key="once",
            value=options.once,
        )
