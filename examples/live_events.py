"""Events of one's own: agents hear each other, the program follows with `async for`, a slow reader learns what it missed.

Run it: python examples/live_events.py
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from actors import ActorSystem, Event, EventsMissed, Worker, task


@dataclass(frozen=True, kw_only=True)
class Price(Event):
    share: str
    cents: int


@dataclass(frozen=True, kw_only=True)
class Bought(Event):
    share: str
    cents: int


class Exchange(Worker):
    @task
    def trade(self, share: str, prices: list[int]) -> None:
        for cents in prices:
            self.publish(Price(share=share, cents=cents))


class Buyer(Worker):
    """Hears prices in a thread of its own, beside its tasks; what it publishes there is heard like all else."""

    def __init__(self) -> None:
        self.lowest: dict[str, int] = {}

    def on_start(self) -> None:
        # What anybody publishes after this has returned is heard.
        self.subscribe(Price)

    def on_event(self, event: Event) -> None:
        if isinstance(event, Price) and event.cents < 90 and event.share not in self.lowest:
            self.lowest[event.share] = event.cents
            self.publish(Bought(share=event.share, cents=event.cents))


async def main() -> None:
    with ActorSystem({Exchange: 2}) as system:
        system.spawn(Buyer)
        # Room for three, and nobody reads for now.
        slow = system.events(Price, EventsMissed, bound=3)
        async with system.events(Bought) as bought:
            trades = [
                system.submit(Exchange.trade, "oak", [120, 95, 88, 70]),
                system.submit(Exchange.trade, "elm", [89, 130]),
            ]
            deals = {}
            async for deal in bought:
                if isinstance(deal, Bought):
                    deals[deal.share] = deal.cents
                if len(deals) == 2:
                    break
        print("bought:", dict(sorted(deals.items())))
        await asyncio.gather(*trades)
        # Trades may be done before the last of what they published has come. The end of the system ends the stream,
        # with all that was published in it.
    heard = [event async for event in slow]
    print(
        "the slow reader missed", sum(event.count for event in heard if isinstance(event, EventsMissed)), "of 6 prices"
    )
    print("it has", len([event for event in heard if isinstance(event, Price)]), "left")


if __name__ == "__main__":
    asyncio.run(main())
