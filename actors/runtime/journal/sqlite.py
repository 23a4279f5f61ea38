"""The journal in an SQLite file."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from actors.errors import ConfigError, JournalError
from actors.runtime.journal import queries
from actors.runtime.journal.ownership import Ownership
from actors.runtime.journal.record import Keep, Opened, Survives, TaskRecord
from actors.runtime.journal.rows import Table

__all__ = ["SqliteJournal", "check_format", "connect", "failure"]

_T = TypeVar("_T")
_AT_ONCE = 2000
"""So many are dropped in one go: the scheduler waits meanwhile."""


class SqliteJournal:
    """See `Journal`. One process at a time has it open.

    Args:
        path: the file; it is made if it does not exist, readable by its owner only, since it holds pickled calls.
        survives: "processes": what was written outlives the death of any process; the last moments before a loss of
            power may be missing. "power": it outlives that too, at the price of a wait for the disk in each turn.

    Raises:
        ConfigError: an argument that is not allowed.
    """

    def __init__(self, path: str | os.PathLike[str], survives: Survives = "processes") -> None:
        if survives not in ("processes", "power"):
            allowed = '"processes" or "power"'
            message = f"survives is {allowed}, not {survives!r}"
            raise ConfigError(message, key="survives", value=survives, allowed=allowed)
        self.path = Path(path)
        self.survives = survives
        self._connection: sqlite3.Connection | None = None
        self._ownership = Ownership(self.path)

    def __repr__(self) -> str:
        return f"<SqliteJournal {self.path}>"

    # --- beginning and end ---

    def open(self, token: str) -> Opened:
        """See `Journal.open`."""
        self._ownership.take()
        try:
            self._connection = connection = connect(self.path)
            return self._guarded("opened", lambda: self._begin(connection, token))
        except BaseException:
            self.close()
            raise

    def _begin(self, connection: sqlite3.Connection, token: str) -> Opened:
        _migrate(connection, self.path)
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        connection.execute(f"PRAGMA synchronous = {'FULL' if self.survives == 'power' else 'NORMAL'}")
        connection.execute("PRAGMA busy_timeout = 2000")
        row = connection.execute(queries.TOKEN).fetchone()
        if row is None:
            connection.execute(queries.TOKEN_SET, (token,))
            row = (token,)
        return Opened(row[0], connection.execute(queries.LAST).fetchone()[0])

    def close(self) -> None:
        """See `Journal.close`."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()
        self._ownership.give_up()

    # --- writing ---

    def write(self, records: Sequence[TaskRecord]) -> None:
        """See `Journal.write`."""
        self._guarded("written", lambda: self._write(records))

    def _write(self, records: Sequence[TaskRecord]) -> None:
        connection = self._open_connection()
        if not records:
            return
        table = Table(records)
        if table.statements == 1:
            # A statement of its own is a transaction of its own.
            connection.execute(*table.statement(0))
            return
        with _Transaction(connection):
            for place in range(table.statements):
                connection.execute(*table.statement(place))

    def fetched(self, numbers: Iterable[int]) -> None:
        """See `Journal.fetched`."""
        text = json.dumps(list(numbers))
        self._guarded("written", lambda: self._open_connection().execute(queries.FETCHED, (text,)))

    def forget(self, keep: Keep) -> int:
        """See `Journal.forget`."""

        def drop() -> int:
            connection = self._open_connection()
            with _Transaction(connection):
                connection.execute(queries.KEEP_LAST)
                connection.execute(queries.STRIP, (keep.since, _AT_ONCE))
                return connection.execute(queries.FORGET, (*keep, _AT_ONCE)).rowcount

        return self._guarded("written", drop)

    # --- reading ---

    def unfinished(self) -> Iterator[TaskRecord]:
        """See `Journal.unfinished`."""
        return self._records(queries.UNFINISHED)

    def unfetched(self) -> Iterator[TaskRecord]:
        """See `Journal.unfetched`."""
        return self._records(queries.UNFETCHED)

    def find(self, numbers: Iterable[int]) -> list[TaskRecord]:
        """See `Journal.find`."""
        return list(self._records(queries.FIND, json.dumps(list(numbers))))

    def named(self, once: str) -> TaskRecord | None:
        """See `Journal.named`."""
        return next(self._records(queries.NAMED, once), None)

    def dead(self, most: int) -> list[TaskRecord]:
        """See `Journal.dead`."""
        return list(self._records(queries.DEAD, most))

    def _records(self, statement: str, *values: Any) -> Iterator[TaskRecord]:
        rows = self._guarded("read", lambda: self._open_connection().execute(statement, values).fetchall())
        return map(TaskRecord._make, rows)

    # --- inside ---

    def _open_connection(self) -> sqlite3.Connection:
        if self._connection is None:
            raise JournalError(f"the journal {self.path} is not open", path=str(self.path), reason="closed")
        return self._connection

    def _guarded(self, what: str, act: Callable[[], _T]) -> _T:
        try:
            return act()
        except sqlite3.Error as error:
            raise failure(self.path, what, error) from error


class _Transaction:
    """All of the statements inside, or none."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            try:
                self._connection.execute("COMMIT")
                return
            except sqlite3.Error:
                self._roll_back()
                raise
        self._roll_back()

    def _roll_back(self) -> None:
        # SQLite has done it already after some failures, as of a full disk.
        with suppress(sqlite3.Error):
            self._connection.execute("ROLLBACK")


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection to a journal's file.

    Raises:
        JournalError: it cannot be opened.
    """
    try:
        if not read_only:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Before SQLite makes it for everybody to read.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        name = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rw'}"
        # Each statement is a transaction of its own unless one was begun. The scheduler's thread may change.
        return sqlite3.connect(name, uri=True, isolation_level=None, check_same_thread=False, cached_statements=64)
    except (OSError, sqlite3.Error) as error:
        raise failure(path, "opened", error) from error


def check_format(connection: sqlite3.Connection, path: Path) -> int:
    """Which format a file has; 0 if it is empty.

    Raises:
        JournalError: it is no journal, or of a later format.
    """
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if application != queries.APPLICATION and (application or version or tables):
        raise JournalError(
            f"{path} is a database of something else, and no journal of actors; name another file",
            path=str(path),
            reason="no journal",
        )
    if version > queries.VERSION:
        raise JournalError(
            f"the journal {path} has format {version}, written by a later version of actors; this one reads up to "
            f"format {queries.VERSION}. Nothing was changed: use the version that wrote it, or later",
            path=str(path),
            reason="later format",
        )
    return version


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    version = check_format(connection, path)
    if version == queries.VERSION:
        return
    with _Transaction(connection):
        # Another program may have done it while this one waited.
        for step in queries.MIGRATIONS[check_format(connection, path) :]:
            for statement in step.split(";"):
                if statement.strip():
                    connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {queries.APPLICATION}")
        connection.execute(f"PRAGMA user_version = {queries.VERSION}")


_HINTS = {
    "SQLITE_FULL": "the disk is full",
    "SQLITE_READONLY": "it is read-only",
    "SQLITE_CANTOPEN": "it cannot be opened: is it a folder, or may this user not write there?",
    "SQLITE_BUSY": "another program has it locked",
    "SQLITE_LOCKED": "another program has it locked",
    "SQLITE_CORRUPT": "it is damaged; keep the file, `sqlite3 FILE .recover` reads what can be read",
    "SQLITE_NOTADB": "it is no database; name another file",
    "SQLITE_IOERR": "the disk failed",
    "SQLITE_TOOBIG": "a value is too large",
}


def failure(path: Path, what: str, error: OSError | sqlite3.Error) -> JournalError:
    """The error that says what SQLite could not do, in words."""
    name = getattr(error, "sqlite_errorname", "") or ""
    hint = next((told for code, told in _HINTS.items() if name.startswith(code)), str(error))
    text = f"the journal {path} cannot be {what}: {hint}"
    if hint != str(error):
        text += f" ({error})"
    return JournalError(text, path=str(path), reason=name or type(error).__name__)
