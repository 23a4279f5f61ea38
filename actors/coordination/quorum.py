"""The answer that enough calls agree on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.coordination.verdict import Verdict
from actors.errors import ConfigError, QuorumFailed

__all__ = ["Votes"]


class Votes:
    """See `Tally`.

    Args:
        count: how many calls.
        need: how many equal answers it takes, from 1 to all.
        key: makes of an answer what is compared; None compares the answers themselves.

    Raises:
        ConfigError: `need` is no such number, or `key` cannot be called.
    """

    reads = True

    def __init__(self, count: int, need: int, key: Callable[[Any], Any] | None = None) -> None:
        if type(need) is not int or not 1 <= need <= count:
            raise ConfigError(
                f"need is how many of the {count} calls must agree, from 1 to {count}, not {need!r}",
                key="need",
                value=need,
                allowed=f"1 to {count}",
            )
        if key is not None and not callable(key):
            raise ConfigError(f"key is called with an answer, and {key!r} cannot be called", key="key", value=key)
        self._need = need
        self._key = key
        self._left = count
        # What was compared, and the answers that were equal in it.
        self._camps: list[tuple[Any, list[Any]]] = []
        self._answers: list[Any] = [None] * count
        self._errors: list[BaseException | None] = [None] * count

    def ended(self, place: int, error: BaseException | None, value: Any) -> Verdict | None:
        """See `Tally.ended`."""
        self._left -= 1
        if error is None:
            self._answers[place] = value
            camp = self._camp(value if self._key is None else self._key(value))
            camp.append(value)
            if len(camp) >= self._need:
                return Verdict(payload=camp[0])
        else:
            self._errors[place] = error
        best = max((len(answers) for _, answers in self._camps), default=0)
        return None if best + self._left >= self._need else Verdict(self._lost(best))

    def _camp(self, compared: Any) -> list[Any]:
        for known, answers in self._camps:
            # Of arrays the equality is one for each item, and of some values it raises: let `key` say what counts.
            if known is compared or bool(known == compared):
                return answers
        self._camps.append((compared, []))
        return self._camps[-1][1]

    def _lost(self, best: int) -> QuorumFailed:
        answers = tuple(answer for _, group in self._camps for answer in group)
        errors = tuple(error for error in self._errors if error is not None)
        told = ", ".join(f"{len(group)} × {group[0]!r:.80}" for _, group in self._camps) or "none"
        failed = f"; {len(errors)} calls failed, the first with {errors[0]!r:.200}" if errors else ""
        error = QuorumFailed(
            f"quorum: {self._need} equal answers cannot be reached any more: at most {best + self._left} can agree. "
            f"Answers: {told}{failed}",
            need=self._need,
            answers=answers,
            errors=errors,
        )
        if errors:
            error.__cause__ = errors[0]
        return error
