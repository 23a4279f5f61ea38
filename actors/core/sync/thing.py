"""What all kinds of things have in common: a name, a queue, and that they are never changed in place."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol, Self

from actors.core.sync.info import HolderInfo, SyncInfo, WaiterInfo
from actors.core.sync.owner import Owner
from actors.core.sync.wait import Hold, Ticket, Wait
from actors.errors import WaitTimeout

__all__ = ["Grants", "Thing"]


class Grants(Protocol):
    """What the step in hand has come to so far."""

    now: float

    def grant(self, wait: Wait, value: Any = None) -> None:
        """A wait has ended well."""

    def fail(self, wait: Wait, error: BaseException) -> None:
        """A wait has ended badly."""

    def hold(self, wait: Wait) -> Hold:
        """A wait has ended well, and its owner holds something from now on."""

    def let_go(self, hold: Hold) -> None:
        """Somebody holds something no more."""


@dataclass(frozen=True)
class Thing:
    """A thing that owners wait for.

    Each change gives a new thing. So a step that fails in its middle has changed nothing.

    Attributes:
        name: which; there is one thing of a name, whatever its kind.
        queue: who waits, first come, first served.
    """

    kind: ClassVar[str] = ""

    name: str
    queue: tuple[Wait, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r}"

    @property
    def holds(self) -> tuple[Hold, ...]:
        """Who holds it."""
        return ()

    @property
    def idle(self) -> bool:
        """Whether nothing is lost if it is forgotten."""
        return not self.queue

    @property
    def size(self) -> int:
        """The number that it was made with; 0 if it needs none."""
        return 0

    def waiting(self, ticket: Ticket) -> Wait | None:
        """The wait of that ticket, if it is in the queue."""
        return next((wait for wait in self.queue if wait.ticket == ticket), None)

    def enter(self, wait: Wait, grants: Grants) -> Thing:
        """Somebody wants it: grant it at once, or let them wait."""
        return replace(self, queue=(*self.queue, wait)).served(grants)

    def served(self, grants: Grants) -> Self:
        """Grant it to whoever can have it now."""
        raise NotImplementedError

    def without(self, wait: Wait, grants: Grants, why: str) -> Thing:
        """A wait ends before it was granted; `why` in words, for others whom it concerns."""
        del why
        return replace(self, queue=tuple(each for each in self.queue if each is not wait)).served(grants)

    def overdue(self, wait: Wait, grants: Grants) -> Thing:
        """The time limit of a wait is over."""
        seconds = grants.now - wait.since
        grants.fail(
            wait,
            WaitTimeout(
                f"{wait.owner} did not get {self} within {seconds:.3g} s: {self.standing()}",
                name=self.name,
                kind=self.kind,
                timeout=seconds,
            ),
        )
        return self.without(wait, grants, f"{wait.owner} had waited for {seconds:.3g} s, which was its time limit")

    def standing(self) -> str:
        """In words, why it cannot be had at present."""
        held = ", ".join(str(hold.owner) for hold in self.holds)
        return f"it is held by {held}" if held else f"{len(self.queue)} wait for it"

    def left(self, owners: Mapping[Owner, str], grants: Grants, *, badly: bool) -> Thing:
        """Owners are no more, all at once; whoever waits for what they had gets it.

        Args:
            owners: who, and why in words.
            grants: takes what follows.
            badly: they died, or failed.
        """
        del badly
        return self.parted(owners, grants).served(grants)

    def parted(self, owners: Container[Owner], grants: Grants) -> Self:
        """It without all that owners had of it; nobody else gets anything yet."""
        for wait in self.queue:
            if wait.owner.whole in owners:
                grants.fail(wait, WaitTimeout(f"{wait.owner} has ended", name=self.name, kind=self.kind))
        return replace(self, queue=tuple(wait for wait in self.queue if wait.owner.whole not in owners))

    def members(self) -> tuple[Owner, ...]:
        """Owners without whom it cannot go on, beside those that hold it or wait."""
        return ()

    def detail(self) -> dict[str, Any]:
        """What there is to be seen of it beside holders and waiters."""
        return {}

    def info(self, now: float) -> SyncInfo:
        """What there is to be seen of it."""
        return SyncInfo(
            self.name,
            self.kind,
            tuple(HolderInfo(str(each.owner), each.mode, each.fence, now - each.since) for each in self.holds),
            tuple(WaiterInfo(str(each.owner), each.mode, now - each.since) for each in self.queue),
            self.detail(),
        )
