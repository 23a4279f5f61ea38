"""Workers for the tests of strategies on real agents."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

from actors import ResultFrom, Worker, task
from tests.agent.gates import Gate
from tests.system.storm import note


class Maker(Worker):
    """Does what a test asks for."""

    @task(retries=3)
    def square(self, number: int, plus: int = 0) -> int:
        """The square."""
        return number * number + plus

    @task
    def hold(self, gate: Gate, value: Any = None) -> Any:
        """Stop at a gate, then give the value back."""
        gate.wait()
        return value

    @task
    def endless(self, _: Any = None) -> None:
        """Stop until interrupted."""
        self.sleep(1000)

    @task
    def nap(self, seconds: float) -> float:
        """Stop for a while."""
        self.sleep(seconds)
        return seconds

    @task
    def races(self, *calls: Any) -> Any:
        """Race some calls."""
        return self.race(list(calls)).result()

    @task
    def refuse(self, number: Any) -> None:
        """Fail."""
        raise LookupError(f"no {number}")

    @task
    def odd(self, number: int) -> int:
        """Fail on even ones."""
        if number % 2 == 0:
            raise LookupError(f"{number} is even")
        return number

    @task(retries=3)
    def dies_once(self, number: int, folder: str) -> int:
        """Be killed at the first attempt, by signal 9."""
        mark = Path(folder, f"died-{number}")
        if number % 5 == 0 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    @task(idempotent=False)
    def once(self, number: int) -> int:
        """Never twice."""
        return number

    @task(retries=0)
    def slow_once(self, folder: str) -> str:
        """Stand still the first time, and be quick the second time."""
        mark = Path(folder, "slow")
        try:
            mark.touch(exist_ok=False)
        except FileExistsError:
            return "quick"
        self.sleep(1000)
        return "slow"

    @task
    def closed(self, number: int) -> Any:
        """A value that cannot be rebuilt where it arrives."""
        return Closed()

    @task
    def inside(self) -> list[Any]:
        """Every strategy, inside a task."""
        return [
            self.scatter_gather(Maker.square, range(5)).result(),
            self.race([(Maker.square, 3), (Adder.one, 8)]).result(),
            self.quorum([(Maker.square, 2), (Maker.square, -2), (Maker.square, 7)], need=2).result(),
            self.hedge(Maker.square, 4).result(),
            self.map_reduce(Maker.square, range(50), Adder.add, chunksize=3, fan_in=4).result(),
            list(self.pipeline(range(10), Maker.square, partial(Maker.square, plus=1), buffer=3)),
            sorted(self.pipeline(range(10), Maker.square, Adder.one, ordered=False)),
            self.saga([((Maker.square, 2), None), ((Maker.square, ResultFrom(0)), None)]).result(),
        ]

    @task
    def alone(self) -> list[int]:
        """What can be done one after the other."""
        return [
            *self.scatter_gather(Maker.square, range(5)).result(),
            self.map_reduce(Maker.square, range(8), Adder.add, chunksize=1, fan_in=2).result(),
            *self.pipeline(range(4), Maker.square, Adder.one),
        ]

    @task
    def beside(self, gate: Gate) -> int:
        """Race a sub-task that can run nowhere but inside this task, and does not end, with one elsewhere."""
        won: int = self.race([(Maker.endless,), (Adder.hold, gate, 7)]).result()
        return won

    @task
    def fails_beside(self, gate: Gate) -> str:
        """The same with a failure that ends the whole."""
        try:
            self.scatter_gather([(Maker.endless,), (Adder.hold_and_refuse, gate)]).result()
        except LookupError as error:
            return str(error.args[0])
        return "no error"

    @task
    def waits_for_endless(self) -> None:
        """Wait for a strategy that does not end."""
        self.race([(Maker.endless, 1), (Maker.endless, 2)]).result()

    @task
    def iterates_endless(self) -> None:
        """The same with a pipeline."""
        list(self.pipeline(range(3), Maker.endless))


class Closed:
    """Can be pickled and not unpickled."""

    def __reduce__(self) -> Any:
        return int, ("seven",)


class Adder(Worker):
    """Adds."""

    @task(retries=3)
    def add(self, values: list[int]) -> int:
        """The sum."""
        return sum(values)

    @task
    def one(self, number: int) -> int:
        """One more."""
        return number + 1

    @task
    def hold(self, gate: Gate, value: int) -> int:
        """Stop at a gate, then give the value back."""
        gate.wait()
        return value

    @task
    def hold_and_refuse(self, gate: Gate) -> None:
        """Stop at a gate, then fail."""
        gate.wait()
        raise LookupError("refused")

    @task
    def join(self, values: list[str]) -> str:
        """In order."""
        return "".join(values)


class Spinner(Worker):
    """Several tasks at once."""

    concurrency = 4

    @task
    async def square(self, number: int) -> int:
        """The square."""
        return number * number

    @task
    async def inside(self) -> list[Any]:
        """Every strategy, in a coroutine."""
        return [
            await self.scatter_gather(Spinner.square, range(5)),
            await self.race([(Maker.endless,), (Spinner.square, 3)]),
            await self.quorum([(Spinner.square, 2), (Spinner.square, 2), (Maker.endless,)], need=2),
            await self.hedge(Spinner.square, 4),
            await self.map_reduce(Spinner.square, range(50), Adder.add, chunksize=3, fan_in=4),
            [one async for one in self.pipeline(range(10), Spinner.square, (Maker.square, 1), buffer=3)],
            sorted([one async for one in self.pipeline(range(10), Spinner.square, Adder.one, ordered=False)]),
            await self.saga([((Spinner.square, 2), None), ((Spinner.square, ResultFrom(0)), None)]),
        ]


class Ledger(Worker):
    """Writes down what it does."""

    @task(retries=0)
    def do(self, path: str, what: str) -> str:
        """Do it."""
        note(path, f"do {what}")
        return what

    @task
    def undo(self, path: str, what: str) -> None:
        """Undo it."""
        note(path, f"undo {what}")

    @task(retries=0)
    def do_held(self, path: str, what: str, gate: Gate) -> str:
        """Do it as soon as the gate is open."""
        gate.wait()
        note(path, f"do {what}")
        return what

    @task
    def undo_at_third(self, path: str, what: str) -> None:
        """Undo it, at the third try."""
        note(path, f"try {what}")
        if self.attempt < 3:
            raise ConnectionError("not now")

    @task
    def never_undone(self, what: str) -> None:
        """Fail."""
        raise ConnectionError(f"{what} stands")

    @task(retries=0)
    def killed(self) -> None:
        """Be killed."""
        os.kill(os.getpid(), signal.SIGKILL)
