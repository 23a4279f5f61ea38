"""Messages that an actor has put aside to handle them later."""

from __future__ import annotations

from typing import Any

from actors.errors import MailboxFull

__all__ = ["Stash"]


class Stash:
    """What one incarnation of an actor has put aside, in order.

    Args:
        owner: the actor's name, for errors.
        bound: how many messages it holds at most.
    """

    __slots__ = ("_bound", "_items", "_owner")

    def __init__(self, owner: str, bound: int) -> None:
        self._owner = owner
        self._bound = bound
        self._items: list[Any] = []

    def __len__(self) -> int:
        return len(self._items)

    def holds(self, item: Any) -> bool:
        """Whether this very item was put aside last."""
        return bool(self._items) and self._items[-1] is item

    def add(self, item: Any) -> None:
        """Put a message aside.

        Raises:
            MailboxFull: it is at its bound.
        """
        if len(self._items) >= self._bound:
            raise MailboxFull(
                f"the stash of {self._owner} is full: {self._bound} messages are put aside; unstash them earlier, refuse "
                "what cannot be handled now, or set a higher stash_bound in the class"
            )
        self._items.append(item)

    def forget(self, item: Any) -> None:
        """Drop the item if it was put aside last: its handling has failed after that."""
        if self.holds(item):
            self._items.pop()

    def take(self) -> list[Any]:
        """Take out everything."""
        items, self._items = self._items, []
        return items
