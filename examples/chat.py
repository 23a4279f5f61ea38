"""A chat of agents: they ask one another, tell a whole group, publish what all may hear, and pass each other's refs on.

Run it: python examples/chat.py
"""

from __future__ import annotations

from dataclasses import dataclass

from actors import ActorSystem, AgentConfig, AgentRef, Event, Worker, handles


@dataclass(frozen=True)
class Hello:
    """Who somebody is, and how to reach them."""

    name: str
    ref: AgentRef


@dataclass(frozen=True)
class Introduce:
    """Asks somebody to say hello to all of these."""

    to: list[AgentRef]


@dataclass(frozen=True)
class Question:
    """Is answered by whoever is asked, or by whom they ask."""

    topic: str
    asked: tuple[str, ...] = ()


@dataclass(frozen=True)
class Announcement:
    """Is for everybody."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Said(Event):
    """Somebody said something that all may hear."""

    name: str
    text: str


class Guest(Worker):
    def __init__(self, name: str, knows: str) -> None:
        self.name = name
        self.knows = knows
        self.friends: dict[str, AgentRef] = {}

    @handles(Hello)
    def greet(self, message: Hello) -> None:
        if message.name != self.name:
            self.friends[message.name] = message.ref

    @handles(Question)
    def answer(self, message: Question) -> str | None:
        if message.topic == self.knows:
            return f"{self.name} knows about {self.knows}"
        # Ask friends who have not been asked; they may ask this one for something meanwhile.
        asked = (*message.asked, self.name)
        for name, friend in sorted(self.friends.items()):
            if name not in asked:
                found: str | None = friend.ask(Question(message.topic, asked), timeout=10)
                if found is not None:
                    return found
        return None

    @handles(Announcement)
    def announce(self, message: Announcement) -> None:
        self.publish(Said(name=self.name, text=message.text))

    @handles(Introduce)
    def introduce(self, message: Introduce) -> None:
        # One message to several, in one go.
        self.tell(message.to, Hello(self.name, self.ref))


if __name__ == "__main__":
    people = [("ada", "engines"), ("emmy", "rings"), ("grace", "compilers")]
    with ActorSystem([Guest]) as system, system.events(Said) as said:
        guests = {
            name: system.spawn(Guest, AgentConfig(arguments={"name": name, "knows": knows})) for name, knows in people
        }
        system.tell("type:guest", Announcement("I am here"))
        for _ in guests:
            event = said.get(timeout=10)
            if isinstance(event, Said):
                print(f"{event.name}: {event.text}")
        everybody = list(guests.values())
        for ref in everybody:
            ref.ask(Introduce(everybody), timeout=10)
        print(guests["ada"].ask(Question("compilers"), timeout=10))
        print(guests["grace"].ask(Question("rings"), timeout=10))
        print(guests["emmy"].ask(Question("gardening"), timeout=10))
