"""Which kinds of events somebody listens to, so that no other event leaves the agent."""

from __future__ import annotations

import threading
from collections.abc import Iterable

__all__ = ["Interest"]


class Interest:
    """Read by any thread. What others want is changed by the control lane, what the worker wants by the worker.

    Args:
        kinds: the names that others want from the start.
    """

    # What the worker wants is kept apart, because the hub may say that nobody wants an event while word is on its way
    # to it that this worker does.

    def __init__(self, kinds: Iterable[str] = ()) -> None:
        self._wanted = frozenset(kinds)
        # The worker has several threads.
        self._lock = threading.Lock()
        self._own: frozenset[tuple[str, str]] = frozenset()
        self._names: frozenset[str] = frozenset()
        self._left: frozenset[str] = frozenset()

    def add(self, kinds: Iterable[str]) -> None:
        """Somebody wants these, too."""
        self._wanted |= frozenset(kinds)

    def remove(self, kinds: Iterable[str]) -> None:
        """Nobody wants these any more."""
        self._wanted -= frozenset(kinds)

    def wants(self, *names: str) -> bool:
        """Whether anybody wants an event that is known under any of these names."""
        return not (self._wanted.isdisjoint(names) and self._names.isdisjoint(names))

    def subscribe(self, names: Iterable[str], scope: str) -> None:
        """The worker itself wants these."""
        names = frozenset(names)
        with self._lock:
            self._own |= {(name, scope) for name in names}
            self._names |= names
            self._left -= names

    def unsubscribe(self, names: Iterable[str], scope: str) -> None:
        """The worker itself wants these no more."""
        names = frozenset(names)
        with self._lock:
            self._own -= {(name, scope) for name in names}
            self._names = frozenset(name for name, _ in self._own)
            self._left |= names - self._names

    def hears(self, names: Iterable[str]) -> bool:
        """Whether an event that came under these names is for the worker still: it may have unsubscribed meanwhile."""
        given = frozenset(names)
        return self._left.isdisjoint(given) or self.subscribed(given)

    def subscribed(self, names: Iterable[str]) -> bool:
        """Whether the worker has subscribed to any of these names."""
        return not self._names.isdisjoint(names)
