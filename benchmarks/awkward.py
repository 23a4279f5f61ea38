"""What programs raise by mistake and no other process can be sent."""

from __future__ import annotations

import threading

__all__ = ["CannotPickle", "CannotRebuild"]


class CannotPickle(Exception):
    """Holds what cannot be sent to another process."""

    def __init__(self) -> None:
        super().__init__("with a lock inside")
        self.lock = threading.Lock()


class CannotRebuild(Exception):
    """Is sent, and cannot be made again from what was sent."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")
