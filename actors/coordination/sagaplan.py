"""The course of a saga: forward step by step, and back over what was done."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

__all__ = ["Course", "Move", "SagaPlan"]


class Course(Enum):
    """Where a saga goes."""

    FORWARD = "forward"
    BACK = "back"


class Move(NamedTuple):
    """Do a step, or undo it."""

    step: int
    undo: bool


class SagaPlan:
    """Says what is to be done next. Pure.

    Args:
        undoable: for each step, whether it has a compensation.

    Invariants: at most one move is under way; a step is undone only if it is known to be done, once, and after all that
    were done after it; once it goes back it never goes forward again.
    """

    def __init__(self, undoable: Sequence[bool]) -> None:
        self._undoable = undoable
        self._course = Course.FORWARD
        self._at: Move | None = None
        # How many steps are done, and not undone or found to need no undoing.
        self._done = 0
        self.failed: int | None = None
        self.undone: list[int] = []
        self.unmended: list[int] = []

    @property
    def course(self) -> Course:
        """Where it goes."""
        return self._course

    def next(self) -> Move | None:
        """What is to be done now; None if it is over. The caller begins it, and tells its end by `ended`."""
        if self._at is not None:
            raise RuntimeError(f"{self._at} has not ended")
        if self._course is Course.FORWARD:
            if self._done == len(self._undoable):
                return None
            self._at = Move(self._done, undo=False)
            return self._at
        while self._done:
            self._done -= 1
            if self._undoable[self._done]:
                self._at = Move(self._done, undo=True)
                return self._at
        return None

    def ended(self, *, good: bool) -> None:
        """What was being done has ended."""
        move, self._at = self._at, None
        if move is None:
            raise RuntimeError("nothing was being done")
        if move.undo:
            (self.undone if good else self.unmended).append(move.step)
        elif good:
            self._done += 1
        else:
            self.failed = move.step
            self._course = Course.BACK

    def turn_back(self) -> None:
        """Somebody wants it undone: what is being done may end, and counts if it ends well."""
        self._course = Course.BACK
