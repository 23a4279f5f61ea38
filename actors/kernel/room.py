"""The wait of an actor for room in the mailbox of another one."""

from __future__ import annotations

import time
from _thread import allocate_lock
from typing import Any, Self

__all__ = ["Room"]

_PATIENCE = 5.0
"""Seconds after which an actor waits no longer, whatever the other one does: it has messages of its own to handle."""


class Room:
    """A `Wait` that gives way: afterwards the sender goes beyond the bound.

    Args:
        asked: the cell of the actor whose mailbox is full.
    """

    __slots__ = ("_deadline", "_gate", "_given_way", "asked")

    def __init__(self, asked: Any) -> None:
        self.asked = asked
        self._deadline = time.monotonic() + _PATIENCE
        self._given_way = False
        self._gate = allocate_lock()
        self._gate.acquire()

    @classmethod
    def between(cls, sender: Any, owner: Any) -> Self | None:
        """The wait of the actor `sender` for room with `owner`, both cells; None if it must not wait.

        Nobody waits for room with itself, and nobody where one thread carries out all actors by turns.
        """
        if owner is None or owner is sender or owner.drive is not None or not sender.actor_class.waits_for_room:
            return None
        return cls(owner)

    def is_worth_it(self) -> bool:
        """Whether to go on waiting."""
        return not self._given_way and time.monotonic() < self._deadline

    def wait(self) -> None:
        """Sleep until there may be room, or it is no longer worth it."""
        self._gate.acquire(timeout=max(0.0, self._deadline - time.monotonic()))

    def release(self) -> None:
        """There may be room."""
        try:
            self._gate.release()
        except RuntimeError:
            # Somebody else has done so.
            pass

    # --- as a `Wait` ---

    def done(self) -> bool:
        """Whether it is over."""
        return self._given_way

    def give_way(self) -> None:
        """End it: it is part of a circle."""
        self._given_way = True
        self.release()
