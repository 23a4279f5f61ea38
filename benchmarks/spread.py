"""What some values come to, and whether two runs differ by more than chance."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Spread", "percentile", "rank_test", "surest"]

_MOST = 20_000


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some values, with the least and the most of them."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Sum up at least one value."""
        known = sorted(values)
        return cls(statistics.median(known), known[0], known[-1])


def percentile(ordered: Sequence[float], percent: int) -> float:
    """The value that so many percent of them do not exceed."""
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def rank_test(one: Sequence[float], other: Sequence[float]) -> float:
    """How likely two samples of the same thing differ in their ranks as much as these: the U test of Mann and Whitney.

    Two-sided. Exact, by counting all ways to deal the values out again, where there are not too many of them; beyond
    that by the normal distribution, with its correction for ties.

    Args:
        one: at least one value.
        other: at least one value.
    """
    values = [*one, *other]
    ranks = _ranks(values)
    mean = len(one) * (len(values) + 1) / 2
    off = abs(sum(ranks[: len(one)]) - mean)
    ways = math.comb(len(values), len(one))
    if ways <= _MOST:
        as_far = sum(abs(sum(dealt) - mean) >= off - 1e-9 for dealt in itertools.combinations(ranks, len(one)))
        return as_far / ways
    ties = sum(count**3 - count for count in (values.count(value) for value in set(values)))
    whole = len(values)
    variance = len(one) * len(other) / 12 * (whole + 1 - ties / (whole * (whole - 1)))
    if variance == 0:
        return 1.0
    return math.erfc(max(off - 0.5, 0) / math.sqrt(2 * variance))


def surest(one: int, other: int) -> float:
    """The least that `rank_test` can give for samples of so many values: all of one are below all of the other."""
    return min(2 / math.comb(one + other, one), 1.0)


def _ranks(values: Sequence[float]) -> list[float]:
    """From 1; equal values share the mean of theirs."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    begin = 0
    for end in range(1, len(order) + 1):
        if end == len(order) or values[order[end]] != values[order[begin]]:
            for place in order[begin:end]:
                ranks[place] = (begin + end + 1) / 2
            begin = end
    return ranks
