"""A barrier: nobody passes before all parties have come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from actors.core.sync.owner import Owner
from actors.core.sync.thing import Grants, Thing
from actors.core.sync.wait import Wait
from actors.errors import BarrierBroken, WaitTimeout

__all__ = ["Barrier"]


@dataclass(frozen=True)
class Barrier(Thing):
    """Passed by generation after generation of as many parties.

    Attributes:
        parties: how many a generation has.
        generation: how many have passed.
        broken: why nobody can pass any more; None if it is whole.
        party: who was of the last generation, or was there when it broke, and has not ended since. A later generation
            counts on them, so it breaks if one of them dies; threads of the program do not die.
    """

    kind: ClassVar[str] = "barrier"

    parties: int = 1
    generation: int = 0
    broken: str | None = None
    party: tuple[Owner, ...] = ()

    @property
    def size(self) -> int:
        """Its parties."""
        return self.parties

    @property
    def idle(self) -> bool:
        """Nobody waits, and no generation counts on anybody."""
        return not self.queue and not self.party

    def members(self) -> tuple[Owner, ...]:
        """See `party`."""
        return self.party

    def enter(self, wait: Wait, grants: Grants) -> Thing:
        """See `Thing.enter`."""
        if self.broken is not None:
            grants.fail(wait, self.error())
            party = self.party if wait.owner.whole in self.party else (*self.party, wait.owner.whole)
            return replace(self, party=party)
        return super().enter(wait, grants)

    def served(self, grants: Grants) -> Self:
        """Let all pass if they are complete."""
        if self.broken is not None or len(self.queue) < self.parties:
            return self
        for place, wait in enumerate(self.queue):
            grants.grant(wait, place)
        party = tuple(dict.fromkeys(wait.owner.whole for wait in self.queue if wait.owner.agent))
        return replace(self, queue=(), generation=self.generation + 1, party=party)

    def without(self, wait: Wait, grants: Grants, why: str) -> Thing:
        """One that had come goes away again: the others would wait for ever."""
        rest = replace(self, queue=tuple(each for each in self.queue if each is not wait))
        return rest.breaks(why, grants, wait.owner.whole)

    def overdue(self, wait: Wait, grants: Grants) -> Thing:
        """See `Thing.overdue`."""
        seconds = grants.now - wait.since
        missing = self.parties - len(self.queue)
        text = (
            f"{wait.owner} waited at {self} for {seconds:.3g} s, and {missing} of {self.parties} parties did not come"
        )
        grants.fail(wait, WaitTimeout(text, name=self.name, kind=self.kind, timeout=seconds))
        return self.without(wait, grants, f"{wait.owner} had waited for {seconds:.3g} s, which was its time limit")

    def breaks(self, why: str, grants: Grants, *owners: Owner) -> Thing:
        """Nobody passes any more, and all that wait are told why.

        Args:
            why: in words.
            grants: takes what follows.
            *owners: who was there beside those that wait.
        """
        party = tuple(dict.fromkeys([*self.party, *(wait.owner.whole for wait in self.queue), *owners]))
        broken = replace(self, queue=(), broken=why, party=party)
        for wait in self.queue:
            grants.fail(wait, broken.error())
        return broken

    def reset(self, grants: Grants, who: Owner) -> Thing:
        """It is whole again, and counts on nobody; those that wait are told."""
        for wait in self.queue:
            grants.fail(wait, replace(self, broken=f"{who} has reset it").error())
        return replace(self, queue=(), broken=None, party=())

    def left(self, owners: Mapping[Owner, str], grants: Grants, *, badly: bool) -> Thing:
        """See `Thing.left`: without one that counts it breaks, unless that one has just done its work."""
        lost = [owner for wait in self.queue if (owner := wait.owner.whole) in owners]
        if badly:
            lost += [owner for owner in self.party if owner in owners]
        rest = replace(self.parted(owners, grants), party=tuple(each for each in self.party if each not in owners))
        if lost and self.broken is None:
            return rest.breaks("; ".join(dict.fromkeys(owners[owner] for owner in lost)), grants)
        return rest

    def detail(self) -> dict[str, Any]:
        """Its parties, and whether it is broken."""
        return {"parties": self.parties, "generation": self.generation, "broken": self.broken}

    def error(self) -> BarrierBroken:
        """What whoever wants to pass gets while it is broken."""
        return BarrierBroken(
            f"{self} is broken: {self.broken}. Nobody passes it before somebody calls reset()",
            name=self.name,
            reason=self.broken,
        )
