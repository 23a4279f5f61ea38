"""When a failed attempt is tried again, and after how long."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from actors.errors import ConfigError

if TYPE_CHECKING:
    import random

__all__ = ["Backoff", "exception_names", "retries_for", "type_names"]


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before the next try: growing by a factor up to a limit, spread by chance.

    Args:
        first: seconds before the first repetition, 0 or more.
        factor: each further wait is this many times the one before, 1 or more.
        limit: no wait is longer, in seconds, not below `first`.
        jitter: which share of a wait is left to chance, 0 to 1: with 0.5 a wait of 10 s becomes 5 to 10 s.

    Raises:
        ConfigError: a value outside its range.

    Example:
        >>> Backoff(jitter=0).delay(3, rng)
        0.4
    """

    first: float = 0.1
    factor: float = 2.0
    limit: float = 30.0
    jitter: float = 0.5

    def __post_init__(self) -> None:
        for name, least, most in (
            ("first", 0.0, math.inf),
            ("factor", 1.0, math.inf),
            ("limit", self.first, math.inf),
            ("jitter", 0.0, 1.0),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
                allowed = f"a number from {least:g}" + (f" to {most:g}" if most < math.inf else " on")
                message = f"Backoff.{name} must be {allowed}, not {value!r}"
                raise ConfigError(message, key=f"backoff.{name}", value=value, allowed=allowed)

    def delay(self, repetition: int, rng: random.Random) -> float:
        """Seconds to wait before the given repetition (1 is the first one after the first try)."""
        try:
            full = min(self.limit, self.first * self.factor ** max(0, repetition - 1))
        except OverflowError:
            full = self.limit
        return full - full * self.jitter * rng.random()


def type_names(error: type[BaseException]) -> tuple[str, ...]:
    """The qualified names of an exception type and of its bases, most derived first."""
    return tuple(f"{kind.__module__}.{kind.__qualname__}" for kind in error.__mro__ if kind is not object)


def exception_names(named: Iterable[type[BaseException] | str], key: str = "retry_on") -> tuple[str, ...]:
    """The qualified names of the exception types that a task names for its retries.

    Args:
        named: exception types or their qualified names; a bare name is one of the builtins.
        key: the setting's name, for the error.

    Raises:
        ConfigError: an item is neither an exception type nor a name.
    """
    if isinstance(named, type | str):
        named = (named,)
    names = []
    for item in named:
        if isinstance(item, str) and item:
            names.append(item if "." in item else f"builtins.{item}")
        elif isinstance(item, type) and issubclass(item, BaseException):
            names.append(f"{item.__module__}.{item.__qualname__}")
        else:
            message = f"{key} takes exception types or their qualified names, not {item!r}"
            raise ConfigError(message, key=key, value=item, allowed="exception types or their qualified names")
    return tuple(names)


def retries_for(retry_on: tuple[str, ...], raised: Iterable[str]) -> bool:
    """Whether an exception whose type and bases have the names `raised` is one of those named in `retry_on`."""
    if not retry_on:
        return False
    # Builtins may be named with or without their module.
    wanted = {name.removeprefix("builtins.") for name in retry_on}
    return any(name.removeprefix("builtins.") in wanted for name in raised)
