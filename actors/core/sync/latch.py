"""A latch: counted down from anywhere, open for good at zero."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from actors.core.sync.thing import Grants, Thing

__all__ = ["Latch"]


@dataclass(frozen=True)
class Latch(Thing):
    """Lives from the first count to `delete`, or to the system's end.

    Attributes:
        count: how many counts open it.
        done: how many there were.
    """

    kind: ClassVar[str] = "latch"

    count: int = 1
    done: int = 0

    @property
    def size(self) -> int:
        """How many counts open it."""
        return self.count

    @property
    def idle(self) -> bool:
        """Nobody waits, and nobody has counted."""
        return not self.queue and not self.done

    def served(self, grants: Grants) -> Self:
        """Let all go on if it is open."""
        if self.done < self.count:
            return self
        for wait in self.queue:
            grants.grant(wait)
        return replace(self, queue=())

    def counted(self, by: int, grants: Grants) -> Self:
        """Count down; counts of one that is open already change nothing."""
        return replace(self, done=min(self.count, self.done + by)).served(grants)

    def standing(self) -> str:
        """See `Thing.standing`."""
        return f"{self.count - self.done} of {self.count} counts are missing"

    def detail(self) -> dict[str, Any]:
        """What is left to count."""
        return {"count": self.count, "left": self.count - self.done}
