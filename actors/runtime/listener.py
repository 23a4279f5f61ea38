"""Whoever in the program hears events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from actors.protocol.events import Event, Scope

__all__ = ["Listener"]


class Listener(Protocol):
    """Whoever in the program hears events: a subscription or a stream."""

    kinds: tuple[type[Event], ...]
    scope: Scope

    def offer(self, event: Event) -> bool:
        """Take an event, without ever blocking."""

    def offer_all(self, events: Sequence[Event]) -> object:
        """Take events in their order, without ever blocking."""

    def end(self) -> None:
        """Take no more events, because the system ends."""
