"""Actors and workers that publish and hear events; importable from any process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from actors import ActorRef, Event, EventsMissed, Worker, handles, task
from actors.protocol.events import Scope
from tests.remote.parts import Echo


@dataclass(frozen=True, kw_only=True)
class Sold(Event):
    item: Any


@dataclass(frozen=True, kw_only=True)
class SoldOut(Sold):
    pass


class Sell(NamedTuple):
    """Publishes these, one after the other."""

    items: Any
    scope: Scope = "global"
    sold_out: bool = False


class Hear(NamedTuple):
    """Subscribes."""

    scope: Scope = "global"


class Until(NamedTuple):
    """Answered with all that was heard once that has an event of this item."""

    item: Any


class Till(Echo):
    """Publishes, hears, and remembers."""

    event_bound = 10_000

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Any] = []
        self.sources: list[str] = []
        self.lost: list[tuple[int, int]] = []
        self._asked: list[tuple[Any, Any]] = []

    @handles(Sell)
    def _sell(self, message: Sell) -> None:
        kind = SoldOut if message.sold_out else Sold
        for item in message.items:
            self.publish(kind(item=item, scope=message.scope))

    @handles(Hear)
    def _hear(self, message: Hear) -> None:
        self.subscribe(Sold, EventsMissed, scope=message.scope)

    def hear_no_more(self) -> None:
        self.unsubscribe(Sold, EventsMissed)

    def bad(self, what: Any, scope: Any) -> None:
        self.subscribe(what, scope=scope)

    def missed(self) -> int:
        return self.events_missed

    @handles(Until)
    def _until(self, message: Until) -> Any:
        if message.item in self.heard:
            return self.heard
        self._asked.append((message.item, self.defer()))
        return None

    @handles(Sold)
    def _sold(self, event: Sold) -> None:
        self.heard.append(event.item)
        self.sources.append(event.source)
        for item, reply in list(self._asked):
            if item == event.item:
                self._asked.remove((item, reply))
                reply.set(list(self.heard))

    @handles(EventsMissed)
    def _missed(self, event: EventsMissed) -> None:
        self.lost.append((event.count, event.total))

    def child(self) -> ActorRef[Any]:
        """An actor that this one has started."""
        return Till.start()


class Stall(Till):
    """Another class; it keeps few events."""

    event_bound = 10


class Clerk(Worker):
    """An agent beside the actors."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def on_start(self) -> None:
        self.subscribe(Sold)

    def on_event(self, event: Event) -> None:
        if isinstance(event, Sold):
            self.heard.append(event.item)

    @task
    def sells(self, item: Any) -> None:
        self.publish(Sold(item=item))

    @task(timeout=30)
    def until(self, item: Any) -> Any:
        while item not in self.heard:
            self.sleep(0.005)
        return self.heard
