"""Chance for the code under test that is drawn like every other choice."""

from __future__ import annotations

import random

from actors.testing.sim.choices import Choices

__all__ = ["ChosenRandom"]

_STEPS = 64
_WORD = 16


class ChosenRandom(random.Random):
    """A `random.Random` whose numbers are choices. What shrinks takes the smallest ones.

    Args:
        choices: where they come from.
    """

    def __init__(self, choices: Choices) -> None:
        self._choices = choices
        super().__init__(0)

    def random(self) -> float:
        """One of some numbers from 0 to below 1."""
        return self._choices.below(_STEPS, "random") / _STEPS

    def getrandbits(self, k: int, /) -> int:
        """A number of `k` bits."""
        value, left = 0, k
        while left > 0:
            bits = min(left, _WORD)
            value = value << bits | self._choices.below(1 << bits, "random bits")
            left -= bits
        return value

    def seed(self, *_args: object, **_kwargs: object) -> None:
        """Nothing: the numbers are chosen."""
