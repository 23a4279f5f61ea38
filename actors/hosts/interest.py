"""Which kinds of events somebody listens to, so that no other event leaves the agent."""

from __future__ import annotations

from collections.abc import Iterable

from actors.protocol.events import Event

__all__ = ["Interest", "event_names"]


def event_names(kind: type[Event]) -> tuple[str, ...]:
    """The names under which an event of this type is known to subscribers: its own and its bases'."""
    return tuple(base.__name__ for base in kind.__mro__ if issubclass(base, Event))


class Interest:
    """Read by any thread, changed by the control lane.

    Args:
        kinds: the names that are wanted from the start.
    """

    def __init__(self, kinds: Iterable[str] = ()) -> None:
        self._wanted = frozenset(kinds)

    def add(self, kinds: Iterable[str]) -> None:
        """Somebody wants these, too."""
        self._wanted |= frozenset(kinds)

    def remove(self, kinds: Iterable[str]) -> None:
        """Nobody wants these any more."""
        self._wanted -= frozenset(kinds)

    def wants(self, *names: str) -> bool:
        """Whether anybody wants an event that is known under any of these names."""
        return not self._wanted.isdisjoint(names)
