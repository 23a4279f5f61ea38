"""Workers, actors and events for the tests of events."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import dataclass
from typing import Any

from actors import Actor, ActorSystem, Event, EventsMissed, Worker, handles, task
from tests.agent.gates import Gate
from tests.system import otherheralds


@dataclass(frozen=True, kw_only=True)
class News(Event):
    """Numbered by whoever publishes it."""

    number: int = 0
    data: Any = None


@dataclass(frozen=True, kw_only=True)
class GoodNews(News):
    """One that derives from another."""


@dataclass(frozen=True, kw_only=True)
class TaskFailed(Event):
    """One with the name of the library's own."""

    why: str = ""


class Homemade(Event):
    """One whose constructor is its own."""

    def __init__(self, what: str) -> None:
        object.__setattr__(self, "what", what)


class Untouchable(News):
    """One that nobody may look into."""

    def __reduce__(self) -> Any:
        raise AssertionError("somebody pickles it")

    def __copy__(self) -> Any:
        raise AssertionError("somebody copies it")


@dataclass(frozen=True)
class Say:
    """Ask a worker or an actor to publish."""

    number: int


@dataclass(frozen=True)
class SayNow:
    """The same, while a task runs."""

    number: int


class Herald(Worker):
    """Publishes from everywhere."""

    @task
    def say(self, first: int, count: int = 1, data: Any = None) -> str:
        """Publish so many."""
        for number in range(first, first + count):
            self.publish(News(number=number, data=data))
        return self.agent_id

    @task
    async def say_async(self, number: int) -> None:
        """Publish from a coroutine."""
        self.publish(News(number=number))

    @task
    def say_other(self, why: str) -> None:
        """Publish events whose names others have, too."""
        self.publish(TaskFailed(why=why))
        self.publish(otherheralds.News(title=why))
        self.publish(Homemade(why))

    @task(retries=0)
    def say_and_die(self, count: int) -> None:
        """Publish, and be killed at once."""
        for number in range(count):
            self.publish(News(number=number))
        os.kill(os.getpid(), signal.SIGKILL)

    @task
    def say_wrong(self, what: str) -> None:
        """Publish what cannot be."""
        wrong: dict[str, Any] = {
            "no event": "text",
            "scope": News(scope="world"),  # type: ignore[arg-type]
            "lock": News(data=threading.Lock()),
            "huge": News(data=bytes(65 << 20)),
            "missed": EventsMissed(count=1, total=1),
            "nobody's": Untouchable(),
        }
        self.publish(wrong[what])

    @handles(Say)
    def say_when_asked(self, message: Say) -> None:
        """Publish from a handler."""
        self.publish(News(number=message.number))

    @handles(SayNow, urgent=True)
    def say_at_once(self, message: SayNow) -> None:
        """Publish from the control lane."""
        self.publish(News(number=message.number))

    @task
    def hold(self, gate: Gate) -> None:
        """Stop at a gate."""
        gate.wait()


class Quiet(Herald):
    """A type without coroutines."""

    say_async = None  # type: ignore[assignment]


class Greeter(Quiet):
    """Publishes from its hooks."""

    def on_start(self) -> None:
        """Publish."""
        self.publish(News(number=1, data="on_start"))

    def on_stop(self) -> None:
        """Publish."""
        self.publish(News(number=2, data="on_stop"))


class Listener(Worker):
    """Remembers what it hears."""

    event_bound = 10

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.blocked = threading.Event()
        self.go_on = threading.Event()

    def on_event(self, event: Event) -> None:
        """Remember it; or block, or fail."""
        data = getattr(event, "data", None)
        if data == "block":
            self.blocked.set()
            self.go_on.wait(20)
        if data == "again":
            self.publish(GoodNews(number=event.number, data="echo"))  # type: ignore[attr-defined]
        if isinstance(event, EventsMissed):
            self.heard.append(("missed", event.count, event.total))
        elif isinstance(event, News):
            self.heard.append(event.number)
        else:
            self.heard.append(type(event).__name__)
        if data == "fail":
            raise LookupError("a listener that fails")

    @task
    def listen(self, *, missed: bool = False) -> str:
        """Hear news from now on."""
        self.subscribe(News, *((EventsMissed,) if missed else ()))
        return self.agent_id

    @task
    def listen_no_more(self) -> None:
        """Hear no more of it."""
        self.unsubscribe(News)

    @task
    def listen_and_say(self, number: int) -> None:
        """Subscribe and at once publish."""
        self.subscribe(News)
        self.publish(News(number=number))

    @task
    def is_blocked(self) -> None:
        """Return when the handler is in an event that blocks it."""
        self.blocked.wait(20)

    @task
    def unblock(self) -> None:
        """Let it go on."""
        self.go_on.set()

    @task
    def listen_wrongly(self, what: str) -> None:
        """Subscribe to what there is not."""
        if what == "scope":
            self.subscribe(News, scope="world")  # type: ignore[arg-type]
        elif what == "none":
            self.subscribe()
        else:
            self.subscribe(int)  # type: ignore[arg-type]

    @task
    def told(self) -> tuple[list[Any], int]:
        """What it has heard, and how much it has missed."""
        return list(self.heard), self.events_missed


class Latecomer(Listener):
    """Subscribes elsewhere than in a plain task."""

    @task
    async def listen_async(self) -> str:
        """In a coroutine."""
        self.subscribe(News)
        return self.agent_id

    @handles(Say)
    def listen_when_asked(self, message: Say) -> int:
        """In a handler."""
        self.subscribe(News)
        return message.number

    @handles(SayNow, urgent=True)
    def listen_at_once(self, message: SayNow) -> int:
        """In the control lane, which cannot wait for an answer."""
        self.subscribe(News)
        return message.number


class Speaker(Actor):
    """An actor of the program's own that has the system."""

    def __init__(self, system: ActorSystem) -> None:
        super().__init__()
        self.system = system

    @handles(Say)
    def say(self, message: Say) -> None:
        """Publish."""
        self.system.publish(News(number=message.number))
