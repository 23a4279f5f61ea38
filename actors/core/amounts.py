"""How much of a named resource there is, or a task needs: read from what people write, and counted without rounding."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from actors.errors import ConfigError

__all__ = ["Amounts", "Needed", "amount_of", "amount_text", "exact", "needed_text", "read_amounts", "refuse_unmeetable"]

Amounts = tuple[tuple[str, float], ...]
"""(name, amount) each, by name, as people wrote it."""

Needed = tuple[tuple[str, int], ...]
"""The same in millionths."""

_ONE: Final = 1_000_000
_MOST: Final = 10**12
_PAIR = 2


def read_amounts(name: str, value: Any, what: str, *, none: bool = False) -> Amounts:
    """Amounts of named resources, from a mapping (or from pairs, as they travel).

    Args:
        name: the option or setting, for the error.
        value: what was given.
        what: whose it is, for the error: "of a task".
        none: whether an amount may be 0.

    Raises:
        ConfigError: a name is no text or empty, or an amount is no number, below a millionth (with `none`: below 0), or
            above a million million.
    """
    allowed = 'a mapping from a name to an amount above 0, as {"gpu": 1} or {"gpu": 0.5}'
    if none:
        allowed = 'a mapping from a name to how much there is of it, as {"gpu": 1, "licence": 4}'
    pairs = _pairs(value)
    if pairs is None:
        raise ConfigError(f"{name} {what} takes {allowed}, not {value!r}", key=name, value=value, allowed=allowed)
    for each, amount in pairs:
        if not isinstance(each, str) or not each:
            raise ConfigError(
                f"{name} {what} has a resource named {each!r}; a name is a text that is not empty",
                key=name,
                value=value,
                allowed=allowed,
            )
        number = isinstance(amount, int | float) and not isinstance(amount, bool)
        if not (number and math.isfinite(amount) and 0 <= amount <= _MOST and (none or _units(amount))):
            least = "0" if none else "a millionth"
            raise ConfigError(
                f"{name} {what} takes a number from {least} to {_MOST:,} as the amount of {each!r}, not {amount!r}"
                + ("; leave out what it does not need" if number and amount == 0 else ""),
                key=name,
                value=value,
                allowed=allowed,
            )
    return tuple(sorted(pairs))


def _pairs(value: Any) -> list[tuple[Any, Any]] | None:
    if isinstance(value, Mapping):
        return list(value.items())
    if not isinstance(value, tuple | list) or not all(isinstance(e, tuple | list) and len(e) == _PAIR for e in value):
        return None
    names = [each[0] for each in value]
    return None if any(names.count(each) > 1 for each in names) else [(each[0], each[1]) for each in value]


def exact(amounts: Iterable[tuple[str, float]]) -> Needed:
    """Amounts in millionths, rounded down, so that three times a third is not more than one."""
    return tuple((name, _units(amount)) for name, amount in amounts)


def _units(amount: float) -> int:
    # A float is a little off: 0.29 is 289999.99999999994 millionths.
    return amount * _ONE if isinstance(amount, int) else math.floor(round(amount * _ONE, 3))


def amount_of(units: int) -> float:
    """Millionths as people write them: a whole number where it is one."""
    return units // _ONE if units % _ONE == 0 else units / _ONE


def amount_text(units: int) -> str:
    """The same in words."""
    return f"{amount_of(units):,}"


def needed_text(needed: Needed) -> str:
    """What a task needs, in words: "1 gpu and 2 licence"."""
    return " and ".join(f"{amount_text(units)} {name}" for name, units in needed)


def refuse_unmeetable(needed: Needed, capacity: Mapping[str, int], who: str) -> None:
    """Refuse what would wait for ever.

    Args:
        needed: what is needed.
        capacity: how much there is in all, in millionths.
        who: what needs it, for the error.

    Raises:
        ConfigError: a resource is unknown, or there is less of it in all.
    """
    for name, units in needed:
        there_is = capacity.get(name)
        if there_is is None:
            known = ", ".join(sorted(capacity)) or "none"
            raise ConfigError(
                f"{who} needs {amount_text(units)} {name}, but the system has no resource of that name (it has: {known}); "
                f"say how much there is of it with ActorSystem(…, resources={{{name!r}: …}})",
                key="resources",
                value=name,
                allowed=known,
            )
        if units > there_is:
            raise ConfigError(
                f"{who} needs {amount_text(units)} {name}, but there is {amount_text(there_is)} of it in all; let it need "
                f"less, or give the system more with ActorSystem(…, resources={{{name!r}: {amount_text(units)}}})",
                key="resources",
                value=amount_of(units),
                allowed=f"up to {amount_text(there_is)}",
            )
