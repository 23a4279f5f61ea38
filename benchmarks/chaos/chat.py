"""Messages and maps beside the tasks, each from a thread of its own."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable

from actors import ActorsError, ActorSystem, AgentDied, AskTimeout, DeadLetter, MessageRefused, SystemClosed
from benchmarks.chaos.book import Book
from benchmarks.chaos.workers import Note, Question, answer, square

__all__ = ["Chat"]

_PATIENCE = 5.0
"""The time limit of a question in seconds."""
_ROOM = 2.0
_ENDS = (AgentDied, AskTimeout, DeadLetter, MessageRefused)


class Chat:
    """Asks and tells agents, and maps, until it is told to stop.

    Args:
        agents: how many agents may be asked: steady-1 and so on.
    """

    def __init__(self, system: ActorSystem, book: Book, seed: int, agents: int) -> None:
        self._system = system
        self._book = book
        self._agents = agents
        self._over = threading.Event()
        self.counts: Counter[str] = Counter()
        self._threads = [
            threading.Thread(target=self._repeat, args=(turn, random.Random(f"{seed}-{turn.__name__}")), daemon=True)
            for turn in (self._ask, self._tell, self._map)
        ]
        self._told = 0

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float) -> None:
        """End what is under way."""
        self._over.set()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0))
            if thread.is_alive():
                self._book.breach(f"a question or a map had no end within {timeout:g} s of the last")

    def _repeat(self, turn: Callable[[random.Random], None], rng: random.Random) -> None:
        while not self._over.wait(rng.uniform(0, 0.1)):
            try:
                turn(rng)
            except SystemClosed as error:
                self._book.breach(f"{turn.__name__[1:]}: {error}")
                return
            except Exception as error:  # noqa: BLE001 - none of them may be
                self._book.breach(f"{turn.__name__[1:]} ended with {type(error).__name__}: {error}")

    def _agent(self, rng: random.Random) -> str:
        return f"steady-{rng.randrange(1, self._agents + 1)}"

    def _ask(self, rng: random.Random) -> None:
        number, agent, began = rng.randrange(10**6), self._agent(rng), time.monotonic()
        try:
            found = self._system.ask(agent, Question(number), timeout=_PATIENCE)
        except _ENDS as error:
            self.counts[f"ask: {type(error).__name__}"] += 1
        else:
            self.counts["ask: answer"] += 1
            if found != answer(number):
                self._book.breach(f"{agent} answered {found!r} to {number}")
        took = time.monotonic() - began
        if took > _PATIENCE + _ROOM:
            self._book.breach(f"a question to {agent} with {_PATIENCE:g} s had its end after {took:.1f} s")

    def _tell(self, rng: random.Random) -> None:
        for _ in range(rng.randrange(1, 20)):
            self._told += 1
            self._system.tell(self._agent(rng), Note(self._told))
            self.counts["tell"] += 1

    def _map(self, rng: random.Random) -> None:
        items = rng.randrange(1, 3000)
        try:
            found = list(self._system.options(retries=10**6).map(square, range(items)))
        except ActorsError as error:
            self._book.breach(f"a map of {items} ended with {type(error).__name__}: {error}")
            return
        self.counts["map: items"] += items
        if found != [square(number) for number in range(items)]:
            self._book.breach(f"a map of {items} has wrong results")
