"""A flag: set or not, and one can wait until it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from actors.core.sync.thing import Grants, Thing

__all__ = ["Flag"]


@dataclass(frozen=True)
class Flag(Thing):
    """Whoever waits when it is set goes on, also if it is cleared at once. Lives while it is set."""

    kind: ClassVar[str] = "flag"

    up: bool = False

    @property
    def idle(self) -> bool:
        """Nobody waits, and it is not set."""
        return not self.queue and not self.up

    def served(self, grants: Grants) -> Self:
        """Let all go on if it is set."""
        if not self.up:
            return self
        for wait in self.queue:
            grants.grant(wait)
        return replace(self, queue=())

    def turned(self, up: bool, grants: Grants) -> Self:  # noqa: FBT001 - what a flag is about
        """Set or clear it."""
        return replace(self, up=up).served(grants)

    def standing(self) -> str:
        """See `Thing.standing`."""
        return "nobody has set it"

    def detail(self) -> dict[str, Any]:
        """Whether it is set."""
        return {"set": self.up}
