"""One handler's claim to events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol, Self

from actors.protocol.events import Event, Scope

__all__ = ["Subscription"]


class _Feed(Protocol):
    """What a subscription needs of its dispatcher."""

    @property
    def active(self) -> bool: ...

    @property
    def missed(self) -> int: ...

    @property
    def failures(self) -> int: ...

    def offer(self, item: Event) -> bool: ...

    def offer_all(self, items: Sequence[Event]) -> bool: ...

    def end(self) -> bool: ...


class Subscription:
    """One handler's claim to events; made by `system.subscribe`.

    A context manager that unsubscribes at its end.

    Attributes:
        kinds: the types of event; empty means all.
        scope: see `Scope`.
        handler: what is called with each event.
    """

    def __init__(
        self,
        kinds: tuple[type[Event], ...],
        handler: Callable[[Event], object],
        scope: Scope,
        feed: _Feed,
        on_end: Callable[[Subscription], None] | None,
    ) -> None:
        self.kinds = kinds
        self.handler = handler
        self.scope: Scope = scope
        self._feed = feed
        self._on_end = on_end

    def __repr__(self) -> str:
        kinds = ", ".join(kind.__name__ for kind in self.kinds) or "all events"
        state = "active" if self.active else "ended"
        return f"<Subscription to {kinds}: {state}, {self.missed} missed>"

    @property
    def active(self) -> bool:
        """Whether events are still delivered."""
        return self._feed.active

    @property
    def missed(self) -> int:
        """How many events were dropped because the handler did not come round to them in time.

        A handler that subscribed to `EventsMissed` as well is called with one after each loss.
        """
        return self._feed.missed

    @property
    def failures(self) -> int:
        """How many calls of the handler raised; the first of them is in the log."""
        return self._feed.failures

    def offer(self, event: Event) -> bool:
        """Have the handler called with the event, without ever blocking; False if nobody will."""
        return self._feed.offer(event)

    def offer_all(self, events: Sequence[Event]) -> None:
        """Have the handler called with each of the events, in their order, without ever blocking."""
        self._feed.offer_all(events)

    def unsubscribe(self) -> None:
        """Stop the delivery: what waits is dropped, and no further call of the handler begins.

        A call that is under way goes on to its end; this does not wait for it. A second call is nothing.
        """
        if self._feed.end() and self._on_end is not None:
            self._on_end(self)

    def end(self) -> None:
        """The system ends: its dispatcher delivers what waits, and takes no more."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.unsubscribe()
