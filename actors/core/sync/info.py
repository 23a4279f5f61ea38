"""What can be seen of a thing from outside."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["HolderInfo", "SyncInfo", "WaiterInfo"]


@dataclass(frozen=True, slots=True)
class HolderInfo:
    """One who holds it: who, in which mode, with which fencing number, and for how many seconds."""

    owner: str
    mode: str
    fence: int
    seconds: float


@dataclass(frozen=True, slots=True)
class WaiterInfo:
    """One who waits for it: who, for what, and for how many seconds."""

    owner: str
    mode: str
    seconds: float


@dataclass(frozen=True, slots=True)
class SyncInfo:
    """One lock, barrier, flag or the like at a moment.

    Attributes:
        name, kind: which it is.
        holders: who holds it.
        waiters: who waits for it, in the order in which they will get it.
        detail: what else there is to it: permits, parties, what is left to count, whether it is set, the version.
    """

    name: str
    kind: str
    holders: tuple[HolderInfo, ...]
    waiters: tuple[WaiterInfo, ...]
    detail: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)
