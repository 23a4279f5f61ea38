"""What two processes owe each other over one connection: answers, order, room.

    one end                                         the other end
    ask ──▶ number ───────── question ──────────▶  actor's mailbox, or, while that is full, `parked`
    ended ◀── number ◀──────── answer ───────────  the actor, once
    held ◀── actor ◀────────── hold, release ────  parked / room again

Each end has a `Peering`. It knows no socket, no thread and no clock: whoever carries it out brings what comes in and
does what comes out.
"""

from __future__ import annotations

import itertools
from collections import deque
from typing import Any, Generic, Literal, NamedTuple, TypeAlias, TypeVar

__all__ = ["How", "Parked", "Peering"]

How: TypeAlias = Literal["block", "fail"]
"""What a full mailbox does to its senders."""

W = TypeVar("W")


class Parked(NamedTuple):
    """A message that waits for room in the mailbox of its recipient."""

    item: Any
    priority: int
    urgent: bool


class Peering(Generic[W]):
    """The books of one end of a connection.

    A question has exactly one end: `ended` hands out its waiter once, and `lost` all that are left, once. After `lost`
    nothing is taken in any more. `ask`, `ended` and `lost` may be called by several threads at once; each of the others by
    one.

    Invariants: a waiter is in `_waiting`, or was handed out. What is parked for an actor is delivered before anything
    that came later for it, so each pair of sender and recipient keeps its order.
    """

    __slots__ = ("_closed", "_held", "_numbers", "_parked", "_waiting")

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._waiting: dict[int, W] = {}
        self._closed = False
        self._held: dict[int, How] = {}
        self._parked: dict[int, deque[Parked]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    # --- questions of this end ---

    def ask(self, waiter: W) -> int | None:
        """Note that somebody waits for an answer.

        Returns:
            The number that question and answer carry; None if the connection is lost, and then nobody will answer.
        """
        number = next(self._numbers)
        # First: `lost` closes and then looks, so one of the two sees the other.
        self._waiting[number] = waiter
        if self._closed and self._waiting.pop(number, None) is not None:
            return None
        return number

    def ended(self, number: int) -> W | None:
        """The waiter of a question that is answered or given up; None if it has had its end."""
        return self._waiting.pop(number, None)

    def lost(self) -> list[W]:
        """The connection is lost: all who wait, in the order in which they asked."""
        self._closed = True
        left = []
        for number in sorted(self._waiting):
            waiter = self._waiting.pop(number, None)
            if waiter is not None:
                left.append(waiter)
        self._held.clear()
        return left

    # --- room at the other end ---

    def hold(self, actor: int, how: How) -> None:
        """The mailbox of an actor there is full."""
        if not self._closed:
            self._held[actor] = how

    def release(self, actor: int) -> None:
        """There is room again."""
        self._held.pop(actor, None)

    def held(self, actor: int) -> How | None:
        """What to do to a sender to that actor; None if it may send."""
        return self._held.get(actor)

    @property
    def holding(self) -> bool:
        """Whether any actor there is full."""
        return bool(self._held)

    # --- room at this end ---

    def is_parked(self, actor: int) -> bool:
        """Whether something waits for room in the mailbox of an actor here, so that what comes has to wait behind it."""
        return actor in self._parked

    def park(self, actor: int, message: Parked) -> bool:
        """Let a message wait for room. Whether it is the first one, so that the other end is to be told to hold."""
        waiting = self._parked.get(actor)
        if waiting is not None:
            waiting.append(message)
            return False
        self._parked[actor] = deque((message,))
        return True

    def next_parked(self, actor: int) -> Parked | None:
        """The first of those that wait, which stays until `unpark`."""
        waiting = self._parked.get(actor)
        return waiting[0] if waiting else None

    def unpark(self, actor: int) -> bool:
        """The first of those that wait was delivered. Whether it was the last, so that the other end may send again."""
        waiting = self._parked[actor]
        waiting.popleft()
        if waiting:
            return False
        del self._parked[actor]
        return True
