"""How urgent things are."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["Priority"]


class Priority(IntEnum):
    """How urgent a message or a task is: higher goes first."""

    LOW = 1
    NORMAL = 2
    HIGH = 3
    CRITICAL = 4
