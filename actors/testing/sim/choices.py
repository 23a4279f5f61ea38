"""The one source of everything that could go one way or another in a simulated run.

Whose turn it is, how long a message travels, when an agent dies: each is a number below some n, and 0 is always the plain
choice (the first in line, no delay, no fault). The same numbers make the same run; fewer and smaller ones a simpler run.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

from actors.errors import ConfigError

__all__ = ["GRAIN", "Choices", "HypothesisChoices", "PlainChoices", "ScriptedChoices", "SeededChoices", "pack_script"]

GRAIN = 1024
"""How finely a chance is drawn."""

_STEPS = 16
"""So many values does a span of time have."""

_FAR = (48, 12)
"""How far apart at most are two choices of Hypothesis that are not plain: in most runs, and in lively ones."""

_QUIET, _NEAR = 3, 8
"""How far apart at most are two faults, as a sum of their probabilities; and the fineness of that."""

_OF_FAULTS = frozenset({"when", "strikes", "cut"})
"""What is chosen for a fault that happens."""

_MOST_ASKED = 2000
"""So many numbers of Hypothesis does one run take at most: there is an end to what it gives."""


class Choices:
    """Makes choices and keeps them. Subclasses say how.

    Attributes:
        taken: every choice so far, for `ScriptedChoices`.
        stopped: why the source gives no more choices, if that is so; all further ones are plain, and whoever conducts
            raises it where it is safe to.
    """

    stopped: BaseException | None = None

    def __init__(self) -> None:
        self.taken: list[int] = []

    def below(self, n: int, what: str) -> int:
        """Choose a number from 0 to n - 1; 0 is the plain choice. What has one outcome only is no choice.

        Args:
            n: how many there are to choose from, 1 or more.
            what: what it is for, for whoever reads.
        """
        if n < 2:
            return 0
        made = self._draw(n, what)
        self.taken.append(made)
        return made

    def chance(self, probability: float, what: str) -> bool:
        """Whether something happens that has a probability (0 to 1). False is the plain choice.

        A probability of 0 or 1 is no choice.
        """
        if probability <= 0.0:
            return False
        if probability >= 1.0:
            return True
        made = self._draw_chance(probability, what)
        self.taken.append(made)
        return made >= GRAIN - max(1, round(probability * GRAIN))

    def between(self, low: float, high: float, what: str) -> float:
        """Choose one of some values from `low`, the plain choice, to `high`."""
        if high <= low:
            return low
        return low + (high - low) * self.below(_STEPS, what) / (_STEPS - 1)

    def script(self) -> str:
        """All choices so far as a short text that `ScriptedChoices` takes."""
        return pack_script(self.taken)

    def new_step(self) -> None:
        """The next step of the test begins."""

    def _draw(self, n: int, what: str) -> int:
        raise NotImplementedError

    def _draw_chance(self, probability: float, what: str) -> int:
        """A number below GRAIN; the uppermost ones, as many as the probability says, mean that it happens."""
        return self._draw(GRAIN, what)


class PlainChoices(Choices):
    """Always the plain choice: a run without any fault, in which everybody takes turns."""

    def _draw(self, n: int, what: str) -> int:
        return 0


class SeededChoices(Choices):
    """Chance from a seed: the same on every machine and Python.

    Args:
        seed: any whole number.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = seed
        # The one method of it whose numbers Python promises to keep.
        self._random = random.Random(seed).random  # noqa: S311 - it is no secret

    def __repr__(self) -> str:
        return f"SeededChoices({self.seed})"

    def _draw(self, n: int, what: str) -> int:
        return int(self._random() * n)


class ScriptedChoices(Choices):
    """The choices of an earlier run; after the last of them, the plain ones.

    Args:
        script: the numbers, or the text that `Choices.script` gave.

    Raises:
        ConfigError: it is no such text.
    """

    def __init__(self, script: str | Iterable[int]) -> None:
        super().__init__()
        self._left = iter(unpack_script(script) if isinstance(script, str) else list(script))

    def _draw(self, n: int, what: str) -> int:
        # One that is too large comes from another version of the code: the last there is stands for it.
        return min(next(self._left, 0), n - 1)


class HypothesisChoices(Choices):
    """Choices that Hypothesis makes, and makes simpler when a run has failed.

    Almost all are plain: Hypothesis is asked how far it is to the next one that is not, and then for that one. So a run
    of thousands of choices takes some dozens of its numbers, and whatever it takes away or makes smaller leaves the rest
    of the run as it was. Few choices off the plain way, at the right places, find most errors of protocols. Faults are
    as frequent as their probabilities say.

    Args:
        data: what `st.data()` gives.
    """

    def __init__(self, data: Any) -> None:
        super().__init__()
        # Not `data.draw`, which would tell of each of some dozens of numbers in the falsifying example.
        self._draw_integer = data.conjecture_data.draw_integer
        self._asked = 0
        self._far = _FAR[self._ask(len(_FAR))]
        self.new_step()

    def new_step(self) -> None:
        """See `Choices.new_step`: what was asked for before concerns it no more.

        So Hypothesis can take a step away with all that belongs to it, and the others stay as they were.
        """
        self._to_choice: float = 0
        self._to_fault: float = 0
        self._choice_comes = self._fault_comes = False

    def _draw(self, n: int, what: str) -> int:
        if what in _OF_FAULTS:
            return self._ask(n)
        if self._to_choice <= 0:
            if self._choice_comes:
                self._choice_comes = False
                return self._ask(n)
            distance = self._ask(self._far + 1)
            self._choice_comes = distance > 0
            self._to_choice = distance or self._far
        self._to_choice -= 1
        return 0

    def _draw_chance(self, probability: float, what: str) -> int:
        if self._to_fault <= 0:
            if self._fault_comes:
                self._fault_comes = False
                return GRAIN - 1
            distance = self._ask(_NEAR * _QUIET + 1)
            self._fault_comes = distance > 0
            self._to_fault = distance / _NEAR if distance else _QUIET
        self._to_fault -= probability
        return 0

    def _ask(self, n: int) -> int:
        if self.stopped is not None or self._asked >= _MOST_ASKED:
            return 0
        self._asked += 1
        try:
            return int(self._draw_integer(0, n - 1))
        except BaseException as error:  # noqa: BLE001 - Hypothesis ends the example; not in the middle of an agent's code
            self.stopped = error
            return 0


def pack_script(taken: Iterable[int]) -> str:
    """Numbers as a text: equal ones in a row are written once, with how many there are ("0*12 3 1*2")."""
    words: list[str] = []
    last, count = -1, 0
    for each in [*taken, -1]:
        if each == last:
            count += 1
            continue
        if count:
            words.append(str(last) if count == 1 else f"{last}*{count}")
        last, count = each, 1
    while words and words[-1].split("*")[0] == "0":
        # They would be chosen anyway.
        words.pop()
    return " ".join(words)


def unpack_script(text: str) -> list[int]:
    """The numbers of a text that `pack_script` made.

    Raises:
        ConfigError: it is no such text.
    """
    taken: list[int] = []
    for word in text.split():
        number, _, times = word.partition("*")
        if not number.isdigit() or not (times.isdigit() or not times):
            raise ConfigError(
                f'a script is numbers as "0*12 3 1*2", and has no {word!r}',
                key="script",
                value=word,
                allowed="n or n*m",
            )
        taken += [int(number)] * int(times or 1)
    return taken
