"""What is held and released; the kinds of it differ only in who may hold it at once."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from typing import Self

from actors.core.sync.owner import Owner
from actors.core.sync.thing import Grants, Thing
from actors.core.sync.wait import Hold, Wait
from actors.errors import LockNotHeld

__all__ = ["Holdable"]


@dataclass(frozen=True)
class Holdable(Thing):
    """Fair: only the first of the queue is ever looked at, so nobody is overtaken and no writer starves."""

    held: tuple[Hold, ...] = ()

    @property
    def holds(self) -> tuple[Hold, ...]:
        """Who holds it."""
        return self.held

    @property
    def idle(self) -> bool:
        """Nobody holds it or waits."""
        return not self.queue and not self.held

    def admits(self, mode: str, held: Sequence[Hold]) -> bool:
        """Whether one more can hold it in this mode beside those."""
        raise NotImplementedError

    def served(self, grants: Grants) -> Self:
        """Grant it to the first ones as long as they can have it."""
        queue, held = self.queue, self.held
        count = 0
        while count < len(queue) and self.admits(queue[count].mode, held):
            held = (*held, grants.hold(queue[count]))
            count += 1
        return replace(self, queue=queue[count:], held=held) if count else self

    def find(self, owner: Owner, fence: int) -> Hold:
        """What an owner holds with a fencing number.

        Raises:
            LockNotHeld: it does not.
        """
        for hold in self.held:
            if hold.fence == fence and hold.owner.whole == owner.whole:
                return hold
        raise LockNotHeld(
            f"{owner} does not hold {self} with fencing number {fence} (any more): {self.standing()}; "
            "it was released, or was lost because its holder had ended",
            name=self.name,
            kind=self.kind,
            fence=fence,
        )

    def released(self, hold: Hold, grants: Grants) -> Holdable:
        """It is given back."""
        grants.let_go(hold)
        return replace(self, held=tuple(each for each in self.held if each is not hold)).served(grants)

    def parted(self, owners: Container[Owner], grants: Grants) -> Self:
        """See `Thing.parted`; what they held is free."""
        for hold in self.held:
            if hold.owner.whole in owners:
                grants.let_go(hold)
        held = tuple(hold for hold in self.held if hold.owner.whole not in owners)
        return replace(super().parted(owners, grants), held=held)

    def blockers(self, wait: Wait) -> list[Owner]:
        """Whom a wait in the queue waits for: those who hold it and cannot hold it beside one more, else those ahead."""
        against = [hold.owner for hold in self.held if not self.admits(wait.mode, (hold,))]
        if against or not self.admits(wait.mode, self.held):
            return against or [hold.owner for hold in self.held]
        ahead = []
        for other in self.queue:
            if other is wait:
                break
            ahead.append(other)
        # It could be had if nobody stood before it: those count who cannot have it.
        return [other.owner for other in ahead if not self.admits(other.mode, self.held)]
