"""The order in which a mailbox hands out what waits in it."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

from actors.protocol.messages import Priority

__all__ = ["MailboxOrder"]

T = TypeVar("T")


class MailboxOrder(Generic[T]):
    """Keeps messages in two lanes: system messages first, then those of users by priority; first in, first out.

    The order of one sender holds within a lane and priority, and only there: an urgent message overtakes.

    Invariant: `waiting` is the number of messages in the lane of the users, the one that a bound applies to.
    """

    __slots__ = ("_system", "_users", "waiting")

    def __init__(self) -> None:
        self._system: deque[T] = deque()
        # The most urgent first.
        self._users: dict[int, deque[T]] = {priority: deque() for priority in sorted(Priority, reverse=True)}
        self.waiting = 0

    def __len__(self) -> int:
        return len(self._system) + self.waiting

    def put(self, item: T, priority: int = Priority.NORMAL) -> None:
        """Add a user's message.

        Args:
            item: the message.
            priority: one of `Priority`.

        Raises:
            KeyError: there is no such priority.
        """
        self._users[priority].append(item)
        self.waiting += 1

    def put_system(self, item: T) -> None:
        """Add a system message: it goes before all messages of users."""
        self._system.append(item)

    def pop(self) -> T:
        """Take the next message.

        Raises:
            IndexError: nothing waits.
        """
        if self._system:
            return self._system.popleft()
        for lane in self._users.values():
            if lane:
                self.waiting -= 1
                return lane.popleft()
        raise IndexError("no message waits")

    def take(self, *, system_only: bool = False) -> list[T]:
        """Take all that waits, in order; or the system messages alone, while users' messages are suspended."""
        taken = list(self._system)
        self._system.clear()
        if self.waiting and not system_only:
            for lane in self._users.values():
                if lane:
                    taken += lane
                    lane.clear()
            self.waiting = 0
        return taken

    def drop_oldest(self) -> T | None:
        """Take out the message that a full mailbox can spare first: the oldest of the lowest priority; else None.

        System messages are never dropped.
        """
        for priority in sorted(self._users):
            lane = self._users[priority]
            if lane:
                self.waiting -= 1
                return lane.popleft()
        return None
