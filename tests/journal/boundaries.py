"""Kill a program, or let it fail, at each boundary of what it writes into its journal, and say what stands in between.

    python -m tests.journal.boundaries DIRECTORY [MUTATION]

Prints a line for each boundary that leaves a table that is neither the one before nor the one after, and "done". In a
process of its own, because it forks.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.sabotage.loader import install
from tests.sabotage.mutation import Mutation

_MODULE = "actors.runtime.journal.sqlite"
MUTATIONS = {
    name: Mutation(name, _MODULE, old, new, "F3", "a table between two steps")
    for name, old, new in (
        (
            "no transaction",
            "        with _Transaction(connection):\n            for start",
            "        if True:\n            for start",
        ),
        ("no commit", 'self._connection.execute("COMMIT")\n', "pass\n"),
        ("no rollback", 'self._connection.execute("ROLLBACK")', "pass"),
    )
}

if __name__ == "__main__" and len(sys.argv) > 2:
    install(MUTATIONS[sys.argv[2]])

from actors.errors import JournalError  # noqa: E402 - the mutation comes first
from actors.runtime.journal.record import Keep  # noqa: E402
from actors.runtime.journal.sqlite import SqliteJournal  # noqa: E402
from actors.testing.conformance.journal import record  # noqa: E402

Table = tuple[Any, ...]
_MANY = 600


class Deadly:
    """A connection that ends something at one of the boundaries of its statements, counted from 0.

    An even boundary is before a statement, an odd one after it.
    """

    def __init__(self, connection: sqlite3.Connection, boundary: int, end: Callable[[], None]) -> None:
        self._connection = connection
        self._left = boundary
        self._end = end

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        """See `sqlite3.Connection.execute`."""
        self._pass()
        done = self._connection.execute(*arguments)
        self._pass()
        return done

    def close(self) -> None:
        """See `sqlite3.Connection.close`."""
        self._connection.close()

    def _pass(self) -> None:
        self._left -= 1
        if self._left == -1:
            self._end()


def table(path: Path) -> Table:
    """All that a file has, seen from outside."""
    connection = sqlite3.connect(path)
    try:
        tables = sorted(name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE sql IS NOT NULL"))
        found = connection.execute("SELECT * FROM task ORDER BY number").fetchall() if "task" in tables else []
        return (*tables, *found)
    finally:
        connection.close()


def change_many(journal: SqliteJournal) -> None:
    """Tasks go on and new ones come, more than one statement has room for."""
    changed = [record(number, status="completed", result=b"done", ended=1.0) for number in range(1, _MANY, 2)]
    journal.write([*changed, *(record(number) for number in range(_MANY + 1, _MANY + 1000))])


def forget(journal: SqliteJournal) -> None:
    """Old tasks are dropped."""
    journal.forget(Keep(1e9, 0, 1e9, 0))


ACTIONS = (change_many, forget)


def filled(path: Path) -> None:
    """A journal with tasks of all sorts."""
    journal = SqliteJournal(path)
    journal.open("token")
    journal.write([record(number, once=f"o{number}" if number % 9 == 0 else None) for number in range(1, 256)])
    journal.write([record(number, status="completed", result=b"r", ended=1.0) for number in range(256, _MANY + 1)])
    journal.close()


def kill() -> None:
    """End this process."""
    os.kill(os.getpid(), signal.SIGKILL)


def fail() -> None:
    """What SQLite raises when the disk fails."""
    raise sqlite3.OperationalError("disk I/O error")


def killed(path: Path, action: Callable[[SqliteJournal], None], boundary: int) -> bool:
    """Carry it out in a child that is killed at a boundary; whether it came to its end."""
    child = os.fork()
    if not child:
        journal = SqliteJournal(path)
        journal.open("token")
        arm(journal, boundary, kill)
        action(journal)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def arm(journal: SqliteJournal, boundary: int, end: Callable[[], None]) -> None:
    """Let its connection end something."""
    inside: Any = journal
    inside._connection = Deadly(inside._connection, boundary, end)


def first_open(path: Path, boundary: int) -> bool:
    """Make a journal in a child that is killed at a boundary; whether it came to its end."""
    child = os.fork()
    if not child:
        from actors.runtime.journal import sqlite

        connect: Any = sqlite.connect
        patched: Any = sqlite
        patched.connect = lambda place: Deadly(connect(place), boundary, kill)
        SqliteJournal(path).open("token")
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def broken(directory: Path) -> Iterator[str]:
    """What stands in between, boundary by boundary."""
    original = directory / "original.db"
    filled(original)
    before = table(original)
    for action in ACTIONS:
        path = directory / "after.db"
        shutil.copy(original, path)
        journal = SqliteJournal(path)
        journal.open("token")
        action(journal)
        journal.close()
        after = table(path)
        path.unlink()
        count = 0
        ended = False
        while not ended:
            path = directory / f"{action.__name__}-{count}.db"
            shutil.copy(original, path)
            ended = killed(path, action, count)
            now = table(path)
            if now not in (before, after) or (ended and now != after):
                yield f"killed at boundary {count} of {action.__name__}: {len(now)} rows, {len(before)} or {len(after)}"
            if count % 2 == 0:
                yield from failed(directory / f"failed-{count}.db", original, action, count)
            count += 1
        if count < 7:
            yield f"{action.__name__} has only {count} boundaries"
    yield from beginnings(directory)


def failed(path: Path, original: Path, action: Callable[[SqliteJournal], None], boundary: int) -> Iterator[str]:
    """Let a statement fail in a program that goes on: nothing of the step is there, and the next one is made whole."""
    shutil.copy(original, path)
    journal = SqliteJournal(path)
    journal.open("token")
    arm(journal, boundary, fail)
    try:
        action(journal)
    except JournalError:
        if table(path) != table(original):
            yield f"failed at boundary {boundary} of {action.__name__}, and half of it is there"
        try:
            action(journal)
        except JournalError as error:
            yield f"failed at boundary {boundary} of {action.__name__}, and then for ever: {error}"
    finally:
        journal.close()


def beginnings(directory: Path) -> Iterator[str]:
    """A new file has all of its tables or none."""
    whole = directory / "whole.db"
    SqliteJournal(whole).open("token")
    wanted = table(whole)
    for boundary in range(1_000):
        path = directory / f"new-{boundary}.db"
        ended = first_open(path, boundary)
        now = table(path)
        if now not in ((), wanted):
            yield f"killed at boundary {boundary} of its making: it has {now}"
        journal = SqliteJournal(path)
        journal.open("token")
        journal.write([record(1)])
        journal.close()
        if ended:
            return


if __name__ == "__main__":
    for line in broken(Path(sys.argv[1])):
        sys.stdout.write(f"{line}\n")
    sys.stdout.write("done\n")
