"""An actor that is told when others end."""

from __future__ import annotations

from typing import Any, NamedTuple

from actors.errors import ConfigError, MailboxClosed

__all__ = ["ActorEnded", "WatchEnd", "Watches"]


class ActorEnded(NamedTuple):
    """An actor that this one watched has ended for good.

    Attributes:
        ref: whose end it is.
        reason: "normal", "shutdown" or "failure".
        error: what it failed with; None if it did not.
    """

    ref: Any
    reason: str
    error: BaseException | None


class WatchEnd:
    """What is put into the mailbox of the watcher. It is void if the watch is over when its turn comes."""

    __slots__ = ("exit", "watch")

    def __init__(self, watch: _Watch, end: Any) -> None:
        self.watch = watch
        self.exit = end


class _Watch:
    """The callback of one watch."""

    __slots__ = ("_cell", "ref")

    def __init__(self, cell: Any, ref: Any) -> None:
        self._cell = cell
        self.ref = ref

    def __call__(self, end: Any) -> None:
        try:
            # Behind what the ended one has sent, and beyond the bound: who tells of an end cannot wait.
            self._cell.mailbox.force(WatchEnd(self, end))
        except MailboxClosed:
            pass


class Watches:
    """What one incarnation of an actor watches; used in its thread alone.

    Args:
        cell: the actor's `Cell`.
    """

    __slots__ = ("_cell", "_watches")

    def __init__(self, cell: Any) -> None:
        self._cell = cell
        self._watches: dict[Any, _Watch] = {}

    def add(self, ref: Any) -> None:
        """Watch an actor; nothing happens if it is watched already.

        Raises:
            ConfigError: it is no reference, or the actor's own.
        """
        if not callable(getattr(ref, "watch", None)) or isinstance(ref, type):
            raise ConfigError(f"watch takes the reference of an actor, not {ref!r}", key="ref", value=ref)
        if tuple(getattr(ref, "address", ()))[:2] == self._cell.address[:2]:
            raise ConfigError(f"{self._cell.name} cannot watch itself: its end has on_stop and on_failure", key="ref")
        if ref not in self._watches:
            watch = self._watches[ref] = _Watch(self._cell, ref)
            ref.watch(watch)

    def drop(self, ref: Any) -> bool:
        """Watch it no more. False if it was not watched, or its end has been told."""
        watch = self._watches.pop(ref, None)
        if watch is None:
            return False
        ref.unwatch(watch)
        return True

    def clear(self) -> None:
        """Watch nothing any more."""
        for ref in list(self._watches):
            self.drop(ref)

    def arrived(self, message: WatchEnd) -> ActorEnded | None:
        """The message for the actor; None if the watch is over, or was one of an earlier incarnation."""
        ref = message.watch.ref
        if self._watches.get(ref) is not message.watch:
            return None
        del self._watches[ref]
        return ActorEnded(ref, message.exit.reason, message.exit.error)
