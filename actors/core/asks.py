"""Requests that wait for their answer: each has exactly one end."""

from __future__ import annotations

import heapq
from typing import Any, Generic, NamedTuple, TypeVar

__all__ = ["Ask", "PendingAsks"]

W = TypeVar("W")


class Ask(NamedTuple, Generic[W]):
    """A request that waits.

    `target` is who is to answer, in that `incarnation` if one is named; `deadline` is monotonic, None is never;
    `waiter` is whatever its keeper needs to pass the end on.
    """

    correlation: int
    target: str
    deadline: float | None
    waiter: W
    incarnation: int | None
    what: str


class PendingAsks(Generic[W]):
    """Knows who waits for an answer of whom until when.

    Each ask ends by exactly one of `answered`, `target_gone`, `due`, `forget` and `close`, whichever comes first: it
    is handed out then and never again, so its waiter gets one end and not two. An answer that comes later is None.

    Invariant: an ask is in `_asks`, or it has ended. The heap of deadlines may hold some that have; they are less than
    half of it, or few.
    """

    __slots__ = ("_asks", "_by_target", "_deadlines")

    def __init__(self) -> None:
        self._asks: dict[int, Ask[W]] = {}
        self._by_target: dict[str, dict[int, None]] = {}
        self._deadlines: list[tuple[float, int]] = []

    def __len__(self) -> int:
        return len(self._asks)

    def add(
        self,
        correlation: int,
        target: str,
        deadline: float | None,
        waiter: W,
        *,
        incarnation: int | None = None,
        what: str = "",
    ) -> Ask[W]:
        """Note that somebody waits.

        Args:
            correlation: the number that its answer will carry; unique among those that wait.
            target: who is to answer.
            deadline: monotonic seconds, or None.
            waiter: what comes back with the end.
            incarnation: the one that was asked; None is whichever lives.
            what: the request's type, for texts.

        Raises:
            ValueError: an ask of this correlation waits already.
        """
        if correlation in self._asks:
            message = (
                f"correlation {correlation} waits already, for {self._asks[correlation].target}; take a new number"
            )
            raise ValueError(message)
        ask: Ask[Any] = Ask(correlation, target, deadline, waiter, incarnation, what)
        self._asks[correlation] = ask
        self._by_target.setdefault(target, {})[correlation] = None
        if deadline is not None:
            heapq.heappush(self._deadlines, (deadline, correlation))
        return ask

    def answered(self, correlation: int | None, sender: str | None = None) -> Ask[W] | None:
        """The ask that an answer ends, or None if it has ended already or was never made.

        Args:
            correlation: the one that the answer carries.
            sender: who answers; an answer by another than the target ends nothing. None is not checked.
        """
        ask = self._asks.get(correlation) if correlation is not None else None
        if ask is None or (sender is not None and ask.target != sender):
            return None
        return self._end(ask)

    def target_gone(self, target: str, incarnation: int | None = None) -> list[Ask[W]]:
        """The asks that end because their target has, in the order they were made.

        Args:
            target: who is gone.
            incarnation: which; asks made to a later one go on. None is all.
        """
        asks = [self._asks[correlation] for correlation in self._by_target.get(target, ())]
        return [
            self._end(ask)
            for ask in asks
            if incarnation is None or ask.incarnation is None or ask.incarnation <= incarnation
        ]

    def due(self, now: float) -> list[Ask[W]]:
        """The asks that end because their deadline has passed, the earliest first."""
        ended = []
        while self._deadlines and self._deadlines[0][0] <= now:
            deadline, correlation = heapq.heappop(self._deadlines)
            ask = self._asks.get(correlation)
            # A number may be used again after its end: only the deadline of the ask that waits now counts.
            if ask is not None and ask.deadline == deadline:
                ended.append(self._end(ask))
        return ended

    def next_due(self) -> float | None:
        """When `due` has something to do next, or None."""
        while self._deadlines:
            deadline, correlation = self._deadlines[0]
            ask = self._asks.get(correlation)
            if ask is not None and ask.deadline == deadline:
                return deadline
            heapq.heappop(self._deadlines)
        return None

    def forget(self, correlation: int) -> Ask[W] | None:
        """End an ask whose waiter does not want the answer any more; None if it has ended."""
        ask = self._asks.get(correlation)
        return None if ask is None else self._end(ask)

    def close(self) -> list[Ask[W]]:
        """End all asks, in the order they were made."""
        return [self._end(ask) for ask in tuple(self._asks.values())]

    def _end(self, ask: Ask[W]) -> Ask[W]:
        del self._asks[ask.correlation]
        same = self._by_target[ask.target]
        del same[ask.correlation]
        if not same:
            del self._by_target[ask.target]
        if len(self._deadlines) > 64 and len(self._deadlines) > 2 * len(self._asks):
            self._deadlines = [
                (each.deadline, each.correlation) for each in self._asks.values() if each.deadline is not None
            ]
            heapq.heapify(self._deadlines)
        return ask
