"""A semaphore: so many holders at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from actors.core.sync.holdable import Holdable
from actors.core.sync.wait import Hold

__all__ = ["Semaphore"]


@dataclass(frozen=True)
class Semaphore(Holdable):
    """Each permit is held by somebody, and given back by the same one. An owner may hold several."""

    kind: ClassVar[str] = "semaphore"

    permits: int = 1

    @property
    def size(self) -> int:
        """How many may hold it at once."""
        return self.permits

    def admits(self, mode: str, held: Sequence[Hold]) -> bool:
        """Whether a permit is left."""
        del mode
        return len(held) < self.permits

    def detail(self) -> dict[str, Any]:
        """Its permits."""
        return {"permits": self.permits, "free": self.permits - len(self.held)}
