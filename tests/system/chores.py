"""Workers for the tests of tasks."""

from __future__ import annotations

import asyncio
import ctypes
import itertools
import time
from collections.abc import Iterator
from typing import Any

from actors import Backoff, Worker, task
from tests.agent.gates import Gate
from tests.system.storm import note


class Passing(Exception):
    """Goes by itself."""


class Lasting(Exception):
    """Does not."""


class Chores(Worker):
    """Tasks of every sort."""

    capabilities = frozenset({"chores"})

    @task
    def echo(self, value: Any) -> Any:
        """Give it back."""
        return value

    @task
    def hold(self, gate: Gate, value: Any = None) -> Any:
        """Stop at a gate, then give the value back."""
        gate.wait()
        return value

    @task
    def write(self, ledger: str, line: str) -> None:
        """Note a line."""
        note(ledger, line)

    @task
    def add(self, first: int, *rest: int, named: int = 0) -> int:
        """Add up."""
        return first + sum(rest) + named

    @task
    def add_all(self, numbers: Any) -> int:
        """Add up what a container holds."""
        return sum(numbers.values() if isinstance(numbers, dict) else numbers)

    @task
    def fail(self, text: str) -> None:
        """Raise."""
        raise Lasting(text)

    @task(retries=3, retry_on=(Passing,), backoff=Backoff(first=0.05, factor=1, jitter=0))
    def flaky(self, ledger: str, good_from: int, error: type[Exception] = Passing) -> int:
        """Fail until a certain try."""
        note(ledger, f"{time.monotonic()} {self.agent_id}")
        if self.attempt < good_from:
            raise error(f"try {self.attempt}")
        return self.attempt

    @task(timeout=0.3, retries=0)
    def late(self, how: str, gate: Gate | None = None) -> None:
        """Take longer than is allowed, in different ways."""
        if how == "sleep":
            time.sleep(60)
        elif how == "loop":
            while True:
                pass
        elif how == "call":
            # Waits in C, with the interpreter let go: for a child that is not there it would return at once.
            ctypes.CDLL(None).pause()
        elif how == "stubborn":
            while True:
                try:
                    time.sleep(60)
                except BaseException:  # noqa: BLE001 - that is the point
                    pass
        elif how == "c code":
            sum(range(10**13))

    @task
    def step(self, gate: Gate) -> str:
        """Tell how far it is, stop, and tell again."""
        self.progress(0.25, "begun")
        gate.wait()
        self.progress(1.0, "done")
        return "result"

    @task
    def nap(self, seconds: float) -> float:
        """Take some time."""
        time.sleep(seconds)
        return seconds

    @task
    def deep(self, levels: int) -> int:
        """Have a sub-task do the rest."""
        return 0 if levels == 0 else 1 + self.submit(Chores.deep, levels - 1).result()

    @task
    def spread(self, numbers: list[int]) -> list[Any]:
        """Map over sub-tasks, and keep errors as text."""
        found: list[Any] = []
        results = self.map(Chores.odd, numbers, chunksize=2)
        while True:
            try:
                found.append(next(results))
            except StopIteration:
                return found
            except Lasting as error:
                found.append(str(error))

    @task
    def spread_plain(self, numbers: list[int]) -> list[int]:
        """Map a plain callable, and submit one."""
        return [*self.map(abs, numbers), self.submit(pow, 2, 5).result()]

    @task
    def peek(self, count: int) -> list[int]:
        """Take the first results of an endless map."""
        results: Iterator[int] = self.map(Chores.echo, itertools.count())
        return [next(results) for _ in range(count)]

    @task
    def combine(self) -> int:
        """Hand futures of sub-tasks to another sub-task."""
        parts = [self.submit(Chores.echo, number) for number in (1, 2, 3)]
        return self.submit(Chores.add, parts[0], named=self.submit(Chores.add_all, parts[1:])).result()

    @task
    def child_fails(self) -> None:
        """Have a sub-task fail."""
        self.submit(Chores.fail, "in the child").result()

    @task
    def odd(self, number: int) -> int:
        """Take odd numbers only."""
        if number % 2 == 0:
            raise Lasting(f"{number} is even")
        return number


class Loops(Worker):
    """Async tasks, several at once."""

    concurrency = 4

    def __init__(self) -> None:
        self.here = 0
        self.all_here = asyncio.Event()

    @task
    async def meet(self, others: int) -> int:
        """End when so many are here at once."""
        self.here += 1
        if self.here == others:
            self.all_here.set()
        await self.all_here.wait()
        return self.here

    @task
    async def rest(self, ledger: str) -> None:
        """Wait until cancelled, and note it."""
        note(ledger, "began")
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            note(ledger, "cancelled")
            raise

    @task(timeout=0.3, retries=0)
    async def late(self) -> None:
        """Take longer than is allowed."""
        await asyncio.sleep(60)

    @task
    async def echo(self, value: Any) -> Any:
        """Give it back."""
        await asyncio.sleep(0)
        return value

    @task
    async def parent(self, value: int) -> int:
        """Await a sub-task."""
        return 1 + await self.submit(Chores.echo, value)
