"""A read-write lock: many readers together, or one writer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from actors.core.sync.holdable import Holdable
from actors.core.sync.request import READ
from actors.core.sync.wait import Hold

__all__ = ["ReadWriteLock"]


@dataclass(frozen=True)
class ReadWriteLock(Holdable):
    """A reader that comes after a writer who waits, waits behind it; so writers do not starve."""

    kind: ClassVar[str] = "rwlock"

    def admits(self, mode: str, held: Sequence[Hold]) -> bool:
        """Whether there are but readers, for one more; or nobody."""
        return not held or (mode == READ and all(hold.mode == READ for hold in held))
