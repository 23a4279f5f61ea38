"""A program with a journal, which tests start, kill and start again.

    python -m tests.journal.program DIRECTORY MODE [NUMBER]

Its tasks write what they do into `ledger` in the directory, and the program writes what it was told into `told`: lines
that are whole or absent, whatever is killed.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from actors import ActorSystem, Worker, task
from actors.runtime.journal.record import TaskRecord
from actors.runtime.journal.sqlite import SqliteJournal

DIRECTORY = Path(sys.argv[1]) if len(sys.argv) > 1 else Path()


def append(name: str, *fields: Any) -> None:
    """Write a line at the end of a file, in one call."""
    fd = os.open(DIRECTORY / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(fd, (json.dumps(fields) + "\n").encode())
    finally:
        os.close(fd)


class Clerk(Worker):
    """Writes down what it does."""

    @task()
    def work(self, name: str, directory: str, seconds: float = 0.0) -> str:
        """Take some time."""
        global DIRECTORY  # noqa: PLW0603 - the agent's own
        DIRECTORY = Path(directory)
        append("ledger", "begin", name, self.attempt)
        time.sleep(seconds)
        append("ledger", "end", name, self.attempt)
        return name.upper()

    @task(idempotent=False)
    def pay(self, name: str, directory: str) -> str:
        """Something that must not be done twice."""
        global DIRECTORY  # noqa: PLW0603 - as above
        DIRECTORY = Path(directory)
        append("ledger", "begin", name, self.attempt)
        return name.upper()


class DeadlyJournal(SqliteJournal):
    """Ends the program by signal 9 at one boundary of its writes: an even number is before a write, an odd one after."""

    def __init__(self, path: Path, boundary: int) -> None:
        super().__init__(path)
        self._boundary = boundary

    def _pass(self) -> None:
        if self._boundary == 0:
            os.kill(os.getpid(), 9)
        self._boundary -= 1

    def write(self, records: Sequence[TaskRecord]) -> None:
        """See `Journal.write`."""
        self._pass()
        super().write(records)
        self._pass()


def submit(system: ActorSystem, start: int, count: int) -> list[Any]:
    """Hand in some work, and write down what was accepted."""
    futures = []
    for number in range(start, start + count):
        name = f"n{number}"
        call = Clerk.pay if number % 10 == 7 else Clerk.work
        after = futures[-1:] if number % 5 == 4 else []
        future = system.options(once=name if number % 7 == 3 else None, after=after).submit(call, name, str(DIRECTORY))
        futures.append(future)
        future.accepted()
        append("told", "accepted", name, future.task_id)
    return futures


def tell(futures: list[Any], names: dict[str, str]) -> None:
    """Write down the outcomes that the program is told of."""
    for future in futures:
        error = future.exception()
        outcome = "completed" if error is None else type(error).__name__
        append("told", "outcome", names.get(future.task_id, ""), future.task_id, outcome)


def main() -> None:
    """Go on with what there is, hand in more, and end, if nobody ends it before."""
    mode = sys.argv[2]
    journal: Any = DIRECTORY / "journal.db"
    if mode == "deadly":
        journal = DeadlyJournal(journal, int(sys.argv[3]))
    with ActorSystem({Clerk: 2}, journal=journal) as system:
        append("told", "started")
        recovered = system.recovered()
        count = int(sys.argv[3]) if mode == "work" else 12 if mode == "deadly" else 0
        futures = submit(system, int(sys.argv[4]) if mode == "work" else 0, count)
        tell(recovered + futures, {})
    append("told", "ended")


if __name__ == "__main__":
    main()
