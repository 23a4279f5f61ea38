"""A lock: one holder at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from actors.core.sync.holdable import Holdable
from actors.core.sync.wait import Hold

__all__ = ["Lock"]


@dataclass(frozen=True)
class Lock(Holdable):
    """Not reentrant: an owner that waits for what it holds itself is in a deadlock, and hears so at once."""

    kind: ClassVar[str] = "lock"

    def admits(self, mode: str, held: Sequence[Hold]) -> bool:
        """Whether nobody holds it."""
        del mode
        return not held
