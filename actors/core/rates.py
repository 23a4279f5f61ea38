"""How long work takes by its kind: a fixed part and so much for each unit of cost, learned from what was measured."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Rate", "Rates"]

# What one more measurement leaves of the weight of those before it.
_KEPT = 0.6
# The same where a line is drawn through them, which takes more of them, and how far the fixed part then moves at once:
# durations scatter, and a line through scattered points swings.
_KEPT_OF_LINE = 0.8
_STEP = 0.25
# Beyond this factor from what was expected, the work is another one than before: what was learned counts no more, or,
# where it may have been the fixed part that was wrong, only as another point of the line.
_OTHER = 1.5
_KEPT_OF_OTHER = 0.1
# How many times as much as ever was measured is foretold. A line is not to be trusted far from its points.
_REACH = 4.0
# Costs that differ by less than this share of their mean do not tell the fixed part from the rest.
_SPREAD = 0.15
# The least share of the seconds that goes with the cost: a part must get shorter by being made smaller.
_LEAST_SHARE = 0.05
# Parts of one size cannot tell the fixed part from the rest: until some have differed, more of them is thought to be it.
_MORE_FIXED = 1.3
# What lies beyond is no measurement, and its square no number.
_SMALLEST, _LARGEST = 1e-100, 1e100


@dataclass(frozen=True, slots=True)
class Rate:
    """What a part takes: `fixed` seconds for itself, however small, and `each` seconds for each unit of cost.

    Raises:
        ValueError: `fixed` is negative, `each` is not above 0, or one is not finite.
    """

    fixed: float
    each: float

    def __post_init__(self) -> None:
        if not (0 <= self.fixed < math.inf and 0 < self.each < math.inf):
            message = f"a rate: expected fixed of 0 or more and each above 0, got {self.fixed} and {self.each}"
            raise ValueError(message)

    def seconds(self, cost: float) -> float:
        """What a part of this cost takes."""
        return self.fixed + self.each * cost


class Rates:
    """The rates of kinds of work. No clock: durations are given in.

    The last measurements of a kind count most. Only kinds that are expected to have a fixed part are given one: from
    scattered durations it would be read into others.

    Args:
        otherwise: of kinds of which nothing is known.
    """

    def __init__(self, otherwise: Rate) -> None:
        self._otherwise = otherwise
        self._expected: dict[str, Rate] = {}
        self._fits: dict[str, _Fit] = {}

    def expect(self, kind: str, rate: Rate) -> None:
        """Say what a kind is thought to take until something of it was measured."""
        self._expected[kind] = rate

    def known(self, kind: str) -> bool:
        """Whether something of the kind was measured."""
        return kind in self._fits

    def of(self, kind: str) -> Rate:
        """What is known of a kind, else what is expected."""
        fit = self._fits.get(kind)
        return self._expected.get(kind, self._otherwise) if fit is None else fit.rate

    def reach(self, kind: str) -> float:
        """The cost up to which the rate of a kind may be relied on."""
        fit = self._fits.get(kind)
        return math.inf if fit is None or not fit.has_fixed else fit.most * _REACH

    def note(self, kind: str, cost: float, seconds: float) -> None:
        """A part of the kind took so long.

        Args:
            cost: of the part, above 0.
            seconds: measured; what is no number above 0, or out of all measure, says nothing and is passed over.
        """
        if not (_SMALLEST < seconds < _LARGEST and _SMALLEST < cost < _LARGEST):
            return
        fit = self._fits.get(kind)
        if fit is None:
            fit = self._fits[kind] = _Fit(self.of(kind))
        fit.note(cost, seconds)


class _Fit:
    """A straight line through the last measurements of one kind."""

    __slots__ = ("_told_apart", "_weight", "_x", "_xx", "_xy", "_y", "has_fixed", "most", "rate")

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self.has_fixed = rate.fixed > 0
        self._told_apart = False
        self.most = 0.0
        self._weight = self._x = self._y = self._xx = self._xy = 0.0

    def note(self, cost: float, seconds: float) -> None:
        kept = _KEPT_OF_LINE if self.has_fixed else _KEPT
        if not 1 / _OTHER <= seconds / self.rate.seconds(cost) <= _OTHER:
            kept = _KEPT_OF_OTHER if self.has_fixed else 0.0
        self.most = max(self.most, cost)
        self._weight = self._weight * kept + 1
        self._x = self._x * kept + cost
        self._y = self._y * kept + seconds
        self._xx = self._xx * kept + cost * cost
        self._xy = self._xy * kept + cost * seconds
        self.rate = self._line()

    def _line(self) -> Rate:
        cost, seconds = self._x / self._weight, self._y / self._weight
        fixed = self.rate.fixed
        variance = self._xx / self._weight - cost * cost
        if self.has_fixed and variance > (_SPREAD * cost) ** 2:
            slope = (self._xy / self._weight - cost * seconds) / variance
            fixed += _STEP * (max(seconds - slope * cost, 0.0) - fixed)
            self._told_apart = True
        elif self._weight > 1 and not self._told_apart:
            fixed = max(fixed, min(fixed * _MORE_FIXED, seconds / 2))
        fixed = min(fixed, (1 - _LEAST_SHARE) * seconds)
        return Rate(fixed, (seconds - fixed) / cost)
