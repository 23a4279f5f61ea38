"""The workers of the campaign: each task does one thing that the system has to cope with, and nothing by chance."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from typing import NamedTuple

from actors.config import Limits
from actors.kernel.handlers import handles
from actors.protocol.events import Event, EventsMissed
from actors.worker import Worker, task

__all__ = ["Clerk", "Question", "Runner", "Said", "Specialist"]

_SLOW = 0.05


class Question(NamedTuple):
    """Ask an agent for the double of a number."""

    number: int


@dataclass(frozen=True, kw_only=True)
class Said(Event):
    """One of several events of an attempt, numbered from 0; `slow` takes its hearers some time."""

    task: str
    attempt: int
    number: int
    slow: bool = False


class Clerk(Worker):
    """One task at a time, in plain functions."""

    capabilities = frozenset({"sums"})
    limits = Limits(memory="256M")
    event_bound = 5

    def __init__(self) -> None:
        self.heard: list[Event] = []

    def on_event(self, event: Event) -> None:
        """Remember it."""
        self.heard.append(event)
        if isinstance(event, Said) and event.slow:
            self.sleep(_SLOW)

    @task(retries=2)
    def listens(self, number: int) -> int:
        """Hear what is said from now on."""
        self.subscribe(Said, EventsMissed)
        return number

    @task(retries=2)
    def says(self, count: int, slow: bool) -> int:  # noqa: FBT001 - an argument as any other
        """So many events."""
        for number in range(count):
            self.publish(Said(task=self.task_id or "", attempt=self.attempt, number=number, slow=slow))
        return count

    @task(retries=3)
    def add(self, a: int, b: int) -> int:
        """The sum."""
        return a + b

    @task(retries=2)
    def slow(self, number: int, seconds: float) -> int:
        """The number, after a while."""
        self.progress(0.5, "half")
        self.sleep(seconds)
        return number

    @task(retries=1)
    def fails(self, number: int) -> int:
        """An error that is not tried again."""
        raise LookupError(f"no {number}")

    @task(retries=3, retry_on=(ValueError,))
    def flaky(self, number: int, good_from: int) -> int:
        """An error in the first attempts."""
        if self.attempt < good_from:
            raise ValueError(f"attempt {self.attempt}")
        return number

    @task(retries=1, breaker_failures=2)
    def shaky(self, number: int, good: bool) -> int:  # noqa: FBT001 - an argument as any other
        """An error, as often as is asked for; its type is let rest for that."""
        if not good:
            raise LookupError(f"no {number}")
        return number

    @task(idempotent=False)
    def once(self, number: int) -> int:
        """Never to be run twice."""
        return number

    @task(timeout=1.0, retries=0)
    def endless(self, number: int) -> int:
        """Out of time."""
        self.sleep(1_000.0)
        return number

    @task
    def leaves(self, code: int) -> None:
        """Ask the interpreter to end."""
        sys.exit(code)

    @task(retries=3)
    def nest(self, width: int, depth: int) -> int:
        """How many tasks there are in a tree of sub-tasks, this one too."""
        if depth == 0:
            return 1
        futures = [self.submit(Clerk.nest, width, depth - 1) for _ in range(width)]
        return 1 + sum(future.result() for future in futures)

    @task(retries=3)
    def lend(self, width: int, first: list[tuple[str, float]], second: list[tuple[str, float]]) -> int:
        """How many sub-tasks there were: those that need something, each with one below that needs something else."""
        if width == 0:
            return self.options(resources=dict(second)).submit(Clerk.add, 1, 0).result()
        below = self.options(resources=dict(first))
        return sum([future.result() for future in [below.submit(Clerk.lend, 0, [], second) for _ in range(width)]])

    @task(retries=2)
    def ask_other(self, other: str, number: int) -> int:
        """The double of a number, from another agent."""
        answer: int = self.ask(other, Question(number), timeout=20)
        return answer

    @task(retries=2)
    def colleagues(self) -> int:
        """How many agents of this type there are."""
        return len([agent for agent in self.agents() if agent.agent_type == self.agent_type])

    @handles(Question)
    def double(self, message: Question) -> int:
        """Answer."""
        return 2 * message.number


class Runner(Worker):
    """Several tasks at once, in coroutines."""

    capabilities = frozenset({"io"})

    @task(retries=3)
    async def fetch(self, number: int, seconds: float) -> int:
        """The number, after a while."""
        await asyncio.sleep(seconds)
        return number

    @task(retries=3)
    async def gather(self, width: int) -> int:
        """The sum of what sub-tasks give."""
        futures = [self.submit(Runner.fetch, number, 0.01 * number) for number in range(width)]
        return sum(await asyncio.gather(*futures))

    @task
    async def fails(self, number: int) -> int:
        """An error."""
        await asyncio.sleep(0)
        raise LookupError(f"no {number}")

    @handles(Question)
    async def double(self, message: Question) -> int:
        """Answer after a moment."""
        await asyncio.sleep(0.001)
        return 2 * message.number


class Specialist(Worker):
    """Can what others cannot."""

    capabilities = frozenset({"sums", "rare"})
    cpu = "high"

    @task(retries=3)
    def hard(self, number: int) -> int:
        """The square."""
        return number * number
