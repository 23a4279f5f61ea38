"""All SQL of the journal: its format with the steps from older ones, and every statement."""

# The statements are put together from names of columns alone; no value of anybody is in them.
# ruff: noqa: S105, S608

from __future__ import annotations

from functools import lru_cache
from typing import Final

from actors.runtime.journal.record import TaskRecord

__all__ = [
    "ABSENT",
    "APPLICATION",
    "BY_ID",
    "COUNT",
    "DEAD",
    "FETCHED",
    "FIND",
    "FORGET",
    "KEEP_LAST",
    "LAST",
    "LISTED",
    "MIGRATIONS",
    "NAMED",
    "REMOVE",
    "RETRY",
    "STRIP",
    "TOKEN",
    "TOKEN_SET",
    "UNFETCHED",
    "UNFINISHED",
    "VERSION",
    "rows_of",
    "write",
]

APPLICATION: Final = 0x61637472
"""Stands in the file's head ("actr"), so that another program's database is told from a journal."""

_COLUMNS: Final = TaskRecord._fields
_KEPT: Final = frozenset({"number", "id", "once", "worker", "kind", "payload", "after", "inputs", "key", "created"})
"""Set once, when a task is accepted."""

_FIRST: Final = """
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE task (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    once TEXT UNIQUE,
    worker TEXT,
    kind TEXT NOT NULL,
    payload BLOB,
    after TEXT NOT NULL,
    inputs TEXT NOT NULL,
    key TEXT,
    created REAL NOT NULL,
    status TEXT NOT NULL
        CHECK (status IN ('pending', 'assigned', 'in_progress', 'completed', 'failed', 'cancelled')),
    attempt INTEGER NOT NULL,
    retried INTEGER NOT NULL,
    spared INTEGER NOT NULL,
    agent TEXT,
    started REAL,
    ended REAL,
    cancelling TEXT,
    result BLOB,
    error_types TEXT,
    error_text TEXT,
    error_traceback TEXT,
    error_pickle BLOB,
    fetched INTEGER NOT NULL,
    dead INTEGER NOT NULL,
    story TEXT
);
CREATE INDEX task_open ON task (number) WHERE status IN ('pending', 'assigned', 'in_progress');
CREATE INDEX task_unfetched ON task (number) WHERE fetched = 0;
CREATE INDEX task_dead ON task (number) WHERE dead = 1;
CREATE INDEX task_ended ON task (ended) WHERE ended IS NOT NULL;
"""

MIGRATIONS: Final[tuple[str, ...]] = (_FIRST,)
"""Step n leads from format n to format n + 1. A step that was released is never changed."""

VERSION: Final = len(MIGRATIONS)
"""The format that this library writes, in `PRAGMA user_version`."""

_OPEN: Final = "status IN ('pending', 'assigned', 'in_progress')"
_ALL: Final = ", ".join(_COLUMNS)

TOKEN: Final = "SELECT value FROM about WHERE name = 'token'"
TOKEN_SET: Final = "INSERT INTO about (name, value) VALUES ('token', ?), ('last', '0')"
# Beside the tasks that there are, because the last ones may have been dropped.
LAST: Final = "SELECT max((SELECT CAST(value AS INTEGER) FROM about WHERE name = 'last'), (SELECT ifnull(max(number), 0) FROM task))"
KEEP_LAST: Final = (
    "UPDATE about SET value = (SELECT max(CAST(value AS INTEGER), (SELECT ifnull(max(number), 0) FROM task)))"
    " WHERE name = 'last'"
)
UNFINISHED: Final = f"SELECT {_ALL} FROM task WHERE {_OPEN} ORDER BY number"
UNFETCHED: Final = f"SELECT {_ALL} FROM task WHERE fetched = 0 AND NOT {_OPEN} ORDER BY number"
FIND: Final = f"SELECT {_ALL} FROM task WHERE number IN (SELECT value FROM json_each(?)) ORDER BY number"
NAMED: Final = f"SELECT {_ALL} FROM task WHERE once = ?"
FETCHED: Final = "UPDATE task SET fetched = 1 WHERE number IN (SELECT value FROM json_each(?))"

_NEEDED: Final = f"SELECT dependency.value FROM task AS open, json_each(open.after) AS dependency WHERE open.{_OPEN}"
DEAD: Final = (
    f"SELECT {_ALL} FROM (SELECT * FROM task WHERE dead = 1 ORDER BY number DESC LIMIT ?) ORDER BY ended, number"
)
_OLD: Final = "SELECT number FROM task WHERE fetched = 1 AND dead = 0 ORDER BY number DESC LIMIT 1 OFFSET ?2"
_OLD_DEAD: Final = "SELECT number FROM task WHERE dead = 1 ORDER BY number DESC LIMIT 1 OFFSET ?4"
FORGET: Final = (
    f"DELETE FROM task WHERE number IN (SELECT number FROM task WHERE NOT {_OPEN} AND once IS NULL"
    f" AND ((dead = 0 AND (ended < ?1 OR (fetched = 1 AND number <= ({_OLD}))))"
    f" OR (dead = 1 AND (ended < ?3 OR number <= ({_OLD_DEAD}))))"
    f" AND number NOT IN ({_NEEDED}) LIMIT ?5)"
)
STRIP: Final = (
    "UPDATE task SET payload = NULL WHERE number IN (SELECT number FROM task WHERE once IS NOT NULL"
    " AND status = 'completed' AND payload IS NOT NULL AND ended < ?1 LIMIT ?2)"
)

LISTED: Final = (
    "SELECT number, id, once, kind, key, created, status, attempt, agent, started, ended, length(payload),"
    " length(result), error_types, error_text, fetched FROM task"
    " WHERE (?1 IS NULL OR status IN (SELECT value FROM json_each(?1))) ORDER BY number DESC LIMIT ?2"
)
COUNT: Final = "SELECT count(*) FROM task WHERE (?1 IS NULL OR status IN (SELECT value FROM json_each(?1)))"
RETRY: Final = (
    "UPDATE task SET status = 'pending', attempt = 0, retried = 0, spared = 0, agent = NULL, started = NULL, ended = NULL,"
    " cancelling = NULL, error_types = NULL, error_text = NULL, error_traceback = NULL, error_pickle = NULL, fetched = 0,"
    " dead = 0"
    " WHERE id = ? AND status IN ('failed', 'cancelled') AND payload IS NOT NULL"
)
REMOVE: Final = f"DELETE FROM task WHERE NOT {_OPEN} AND ended < ? AND number NOT IN ({_NEEDED})"
BY_ID: Final = f"SELECT {_ALL} FROM task WHERE id = ?"


ABSENT: Final = {name: "" if name in ("started", "ended") else 0 for name in _COLUMNS}
"""What stands for a value that is not there, of a kind that the column has not: Python's adapter takes a microsecond for each
None, and 0.1 for a number."""


def rows_of(count: int, columns: int) -> int:
    """How many rows a statement for so many records has: a power of two, so that few statements serve all numbers.

    Args:
        count: of records, from 1 on.
        columns: how many of them it has.
    """
    return min(_MOST_ROWS, _MOST_VALUES // columns, 1 << (count - 1).bit_length())


_MOST_ROWS: Final = 1024
_MOST_VALUES: Final = 32766


@lru_cache(maxsize=256)
def write(rows: int, columns: tuple[str, ...], gaps: frozenset[str]) -> str:
    """The statement that adds or changes up to so many tasks; rows whose number is 0 are left out.

    It is one statement for all, because each call of SQLite lets other threads run, and has to wait for its turn
    afterwards.

    Args:
        rows: how many.
        columns: those that have values, the number first; the others become NULL.
        gaps: those of them in which `ABSENT` stands for NULL.
    """
    row = f"({', '.join('?' * len(columns))})"
    values = ", ".join([row] * rows)
    taken = ", ".join(
        f"nullif(column{place}, {ABSENT[name]!r})" if name in gaps else f"column{place}"
        for place, name in enumerate(columns, 1)
    )
    changed = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS if name not in _KEPT)
    return (
        f"INSERT INTO task ({', '.join(columns)}) SELECT {taken} FROM (VALUES {values}) WHERE column1 != 0"
        f" ON CONFLICT (number) DO UPDATE SET {changed}"
    )
