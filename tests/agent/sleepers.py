"""Workers that sleep, look at the clock and throw dice the way the library offers."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

from actors.protocol.events import Event
from actors.worker import Worker, handles, task
from tests.agent.gates import Gate


@dataclass
class Doze:
    """For the task lane: sleep, and say how long it took."""

    seconds: float


@dataclass
class DozeUrgently:
    """The same in the control lane."""

    seconds: float


@dataclass
class Knock:
    """Answered with what was heard before."""


@dataclass(frozen=True, kw_only=True)
class Lullaby(Event):
    seconds: float = 0.0


def timed(sleep: Any, seconds: float) -> float:
    """Seconds that a sleep took."""
    began = time.monotonic()
    sleep(seconds)
    return time.monotonic() - began


class Sleeper(Worker):
    """Sleeps in every place that a worker's code runs in."""

    def __init__(self, start: float = 0.0) -> None:
        self.heard: list[str] = []
        self.took: float | None = None
        self.woken = threading.Event()
        self.start_took = timed(self.sleep, start)

    def on_event(self, event: Event) -> None:
        if isinstance(event, Lullaby):
            self.took = timed(self.sleep, event.seconds)
            self.woken.set()

    @handles(Doze)
    def doze(self, message: Doze) -> float:
        return timed(self.sleep, message.seconds)

    @handles(DozeUrgently, urgent=True)
    def doze_urgently(self, message: DozeUrgently) -> float:
        return timed(self.sleep, message.seconds)

    @handles(Knock)
    def knock(self, message: Knock) -> list[str]:
        return self.heard

    @task
    def nap(self, seconds: float) -> float:
        took = timed(self.sleep, seconds)
        self.heard.append("nap over")
        return took

    @task
    def nap_at(self, arrived: Gate, seconds: float) -> None:
        arrived.wait()
        self.sleep(seconds)

    @task
    def nap_again(self, arrived: Gate) -> str:
        """Catches the first interruption."""
        arrived.wait()
        try:
            self.sleep(3600)
        except BaseException:  # noqa: BLE001 - this is what it is for
            self.sleep(3600)
        return "slept through"

    @task
    def nap_in_thread(self, seconds: float) -> float:
        took: list[float] = []
        thread = threading.Thread(target=lambda: took.append(timed(self.sleep, seconds)))
        thread.start()
        thread.join()
        return took[0]

    @task
    def hear_lullaby(self, seconds: float) -> float | None:
        self.subscribe(Lullaby)
        self.publish(Lullaby(seconds=seconds))
        self.woken.wait(20)
        return self.took

    @task
    def start_nap(self) -> float:
        return self.start_took

    @task
    def refuse(self, seconds: Any) -> None:
        self.sleep(seconds)

    @task
    def times(self) -> tuple[float, float, float | None]:
        return self.clock.monotonic(), self.clock.utc(), self.deadline

    @task
    def throw(self) -> tuple[float, bool]:
        return self.random.random(), self.random is self.random


class AsyncSleeper(Worker):
    """Its lane is an event loop."""

    concurrency = 2

    def __init__(self) -> None:
        self.heard: list[str] = []

    @handles(Knock)
    def knock(self, message: Knock) -> list[str]:
        return self.heard

    @task
    async def be_async(self) -> str:
        return "awaited"

    @task
    def nap(self, seconds: float) -> float:
        took = timed(self.sleep, seconds)
        self.heard.append("nap over")
        return took

    @task
    async def nap_in_coroutine(self, arrived: Gate) -> None:
        arrived.wait()
        self.sleep(3600)
