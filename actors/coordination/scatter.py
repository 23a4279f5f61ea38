"""All results of many calls, in their order."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from actors.coordination.verdict import Verdict, group_of
from actors.errors import ConfigError

__all__ = ["Failures", "Scatter"]

Failures: TypeAlias = Literal["raise", "collect", "drop"]
"""What becomes of a call that fails: it fails the whole; its error stands in its place; its place is left out."""

_ALLOWED = '"raise", "collect" or "drop"'


class Scatter:
    """See `Tally`.

    Args:
        count: how many calls.
        failures: see `Failures`.
        minimum: how many must have results; as soon as that cannot be any more, the whole fails.

    Raises:
        ConfigError: a value that is not allowed.
    """

    reads = False

    def __init__(self, count: int, failures: Failures = "raise", minimum: int | None = None) -> None:
        if failures not in ("raise", "collect", "drop"):
            raise ConfigError(
                f"failures is {_ALLOWED}, not {failures!r}", key="failures", value=failures, allowed=_ALLOWED
            )
        if minimum is not None and failures == "raise":
            raise ConfigError(
                f'minimum={minimum!r} says how many results must be there where calls may fail; name failures="collect" '
                'or "drop" with it',
                key="minimum",
                value=minimum,
            )
        if minimum is not None and (type(minimum) is not int or not 0 <= minimum <= count):
            raise ConfigError(
                f"minimum is a whole number from 0 to the {count} calls, not {minimum!r}", key="minimum", value=minimum
            )
        self._failures = failures
        self._minimum = minimum or 0
        self._ends: list[tuple[BaseException | None, Any] | None] = [None] * count
        self._left = count
        self._failed = 0

    def ended(self, place: int, error: BaseException | None, value: Any) -> Verdict | None:
        """See `Tally.ended`."""
        self._ends[place] = (error, value)
        self._left -= 1
        if error is not None:
            self._failed += 1
            if self._failures == "raise":
                return Verdict(error)
            count = len(self._ends)
            if count - self._failed < self._minimum:
                errors = [end[0] for end in self._ends if end is not None and end[0] is not None]
                return Verdict(
                    group_of(
                        f"{self._failed} of {count} calls failed, and {self._minimum} results were to be there", errors
                    )
                )
        return None if self._left else Verdict(payload=self._ends, decode=self._results)

    def _results(self, ends: Any) -> list[Any]:
        results = []
        for error, value in ends:
            if error is None:
                try:
                    results.append(value.result())
                    continue
                except Exception as unreadable:
                    if self._failures == "raise":
                        raise
                    error = unreadable  # noqa: PLW2901 - as above
            if self._failures == "collect":
                results.append(error)
        return results
