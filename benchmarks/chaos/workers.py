"""The workers whose agents are hit, with tasks of all lengths and sizes, and plain functions beside them."""

from __future__ import annotations

import asyncio
import hashlib
import time
import zlib
from dataclasses import dataclass
from typing import ClassVar

from actors import ActorsError, Backoff, Limits, Worker, handles, task
from benchmarks.chaos.harms import HARMS
from benchmarks.chaos.ledger import Ledger

__all__ = ["FLAKY_UNTIL", "Coro", "Flaky", "Note", "Question", "Steady", "answer", "plain", "square"]

FLAKY_UNTIL = 3
"""The attempt at which a flaky task succeeds."""

# What is no fault of its own costs a task nothing: it is tried again until it is done.
_ALWAYS = 1_000_000


class Flaky(Exception):
    """What a task raises that may be tried again."""


@dataclass(frozen=True)
class Question:
    """To be answered with `answer(number)`."""

    number: int


@dataclass(frozen=True)
class Note:
    """To be written down."""

    number: int


def answer(number: int) -> int:
    """What a task of that number gives."""
    return number * 7 + 1


def square(number: int) -> int:
    """For maps: nothing is written down, so that it is really short."""
    return number * number


def plain(ledger: Ledger, number: int) -> int:
    """A callable that belongs to no worker."""
    with ledger.run(f"plain-{number}", number, 0, "plain", "-"):
        return answer(number)


class Steady(Worker):
    """Does one thing after the other."""

    limits = Limits(memory="256M", processes=64, open_files=400)

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    @task(retries=_ALWAYS)
    def short(self, number: int) -> int:
        """Give the answer at once."""
        with self.ledger.run(self.task_id, number, self.attempt, "short", self.agent_id):
            return answer(number)

    @task(retries=_ALWAYS)
    def long(self, number: int, seconds: float) -> int:
        """Give the answer after some time, and tell of it meanwhile."""
        with self.ledger.run(self.task_id, number, self.attempt, "long", self.agent_id):
            self.progress(0.1, "begun")
            time.sleep(seconds)
            self.progress(0.9, "nearly done")
            return answer(number)

    @task(retries=_ALWAYS)
    def crunch(self, number: int, rounds: int) -> int:
        """Use the processor."""
        with self.ledger.run(self.task_id, number, self.attempt, "crunch", self.agent_id):
            digest = str(number).encode()
            for _ in range(rounds):
                digest = hashlib.sha256(digest).digest()
            return answer(number)

    @task(retries=_ALWAYS)
    def join(self, number: int, first: int, others: list[int]) -> int:
        """Put the results of other tasks together."""
        with self.ledger.run(self.task_id, number, self.attempt, "join", self.agent_id):
            return answer(number) + first + sum(others)

    @task(retries=_ALWAYS)
    def nested(self, number: int, depth: int) -> int:
        """Split the work, and wait for the halves."""
        with self.ledger.run(self.task_id, number, self.attempt, "nested", self.agent_id):
            if depth == 0:
                return 1
            halves = [self.submit(Steady.nested, number, depth - 1) for _ in range(2)]
            return 1 + sum(half.result() for half in halves)

    @task(retries=_ALWAYS)
    def mapped(self, number: int, items: int) -> int:
        """A map inside a task."""
        with self.ledger.run(self.task_id, number, self.attempt, "mapped", self.agent_id):
            return sum(self.options(retries=_ALWAYS).map(square, range(items)))

    @task(retries=_ALWAYS)
    def large(self, number: int, data: bytes, size: int) -> tuple[int, bytes]:
        """Take much and give much."""
        with self.ledger.run(self.task_id, number, self.attempt, "large", self.agent_id):
            return zlib.crc32(data), number.to_bytes(8, "big") * (size // 8)

    @task(retries=_ALWAYS, retry_on=(Flaky,), backoff=Backoff(first=0.01, limit=0.1))
    def flaky(self, number: int) -> int:
        """Fail at first."""
        with self.ledger.run(self.task_id, number, self.attempt, "flaky", self.agent_id):
            if self.attempt < FLAKY_UNTIL:
                raise Flaky(f"attempt {self.attempt} of {number}")
            return answer(number)

    @task(retries=0)
    def fails(self, number: int) -> int:
        """Raise what nobody tries again."""
        with self.ledger.run(self.task_id, number, self.attempt, "fails", self.agent_id):
            raise LookupError(str(number))

    @task(retries=0, timeout=0.3)
    def late(self, number: int) -> int:
        """Take longer than its time limit."""
        with self.ledger.run(self.task_id, number, self.attempt, "late", self.agent_id):
            time.sleep(60)
            return answer(number)

    @task(idempotent=False)
    def once(self, number: int, seconds: float) -> int:
        """What must not be done twice."""
        with self.ledger.run(self.task_id, number, self.attempt, "once", self.agent_id):
            time.sleep(seconds)
            return answer(number)

    @task(retries=_ALWAYS)
    def ask_around(self, number: int, agent: str) -> int | str:
        """Ask another agent, or this one; an agent that is gone is an answer as well."""
        with self.ledger.run(self.task_id, number, self.attempt, "ask_around", self.agent_id):
            try:
                found: int = self.ask(agent, Question(number), timeout=5)
            except ActorsError as error:
                return type(error).__name__
            return found

    @task(idempotent=False)
    def harm(self, number: int, how: str) -> object:
        """Do what a task should not do."""
        with self.ledger.run(self.task_id, number, self.attempt, "harm:" + how.replace(" ", "-"), self.agent_id):
            return HARMS[how].do(self.workspace)

    @handles(Question)
    def reply(self, message: Question) -> int:
        """Answer."""
        return answer(message.number)

    @handles(Note)
    def take_note(self, message: Note) -> None:
        """Write a message down."""
        self.ledger.heard(self.agent_id, message.number)


class Coro(Worker):
    """Has many tasks under way at once."""

    concurrency: ClassVar[int] = 16

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    @task(retries=_ALWAYS)
    async def nap(self, number: int, seconds: float) -> int:
        """Give the answer after some time."""
        with self.ledger.run(self.task_id, number, self.attempt, "nap", self.agent_id):
            await asyncio.sleep(seconds)
            return answer(number)

    @task(retries=_ALWAYS)
    async def gather(self, number: int, parts: int) -> int:
        """Await sub-tasks of the other kind of agent."""
        with self.ledger.run(self.task_id, number, self.attempt, "gather", self.agent_id):
            found = await asyncio.gather(*[self.submit(Steady.short, number) for _ in range(parts)])
            return sum(found)
