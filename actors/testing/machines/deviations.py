"""The choices of a machine: plain ones, but for a few that Hypothesis names before each step."""

from __future__ import annotations

from typing import Any

from actors.testing.sim.choices import GRAIN, Choices

__all__ = ["Deviations"]

# The places at which a choice is not plain: each of the first ones, and some further on.
_PLACES = (*range(16), 18, 21, 24, 28, 32, 37, 43, 50, 58, 67, 78, 90, 105, 122, 142, 165)
_VALUES = 32
_TIMES = 3
_SHARES = 8
_STRIKES = 24
_WHENS = 4


class Deviations(Choices):
    """Plain choices with some deviations, which one number names before each step of the test.

    Few choices off the plain way, at the right places, find most errors of protocols. All those of a step are in one
    number, which is drawn before it, and 0 is none. So Hypothesis has little to draw, takes away what is not needed by
    trying 0 once, and can take away a step with all that belongs to it while the rest of the run stays as it was.

    Args:
        data: what `st.data()` gives.
        faults: whether anything may go wrong at all.
    """

    def __init__(self, data: Any, *, faults: bool) -> None:
        super().__init__()
        # Not `data.draw`, which would tell of each of them in the falsifying example.
        self._draw_integer = data.conjecture_data.draw_integer
        self._many = _TIMES * _VALUES * len(_PLACES)
        if faults:
            self._many *= (_SHARES + 1) * _STRIKES * _WHENS
        # Of this step: how many choices are not plain, after how many plain ones each, and what they are.
        self._times = self._place = self._value = self._plain = 0
        # After how much probability a fault happens, and how it strikes; None for no further one.
        self._spared: float | None = None
        self._details = {"strikes": 0, "when": 0, "cut": 0}

    def new_step(self) -> None:
        """See `Choices.new_step`."""
        number = self._draw_integer(0, self._many)
        self._times, self._spared = 0, None
        if not number:
            return
        number -= 1
        number, place = divmod(number, len(_PLACES))
        number, value = divmod(number, _VALUES)
        number, times = divmod(number, _TIMES)
        number, share = divmod(number, _SHARES + 1)
        when, strikes = divmod(number, _STRIKES)
        self._place, self._value, self._times, self._plain = _PLACES[place], value, times + (value > 0), 0
        if share:
            self._spared = share / _SHARES
            self._details = {"strikes": strikes, "when": when, "cut": strikes}

    def _draw(self, n: int, what: str) -> int:
        if what in self._details:
            return self._details[what] % n
        if self._times:
            if self._plain == self._place:
                self._times -= 1
                self._plain = 0
                return self._value % n
            self._plain += 1
        return 0

    def _draw_chance(self, probability: float, what: str) -> int:
        if self._spared is not None:
            self._spared -= probability
            if self._spared <= 0:
                self._spared = None
                return GRAIN - 1
        return 0
