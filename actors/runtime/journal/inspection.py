"""Looking into a journal from outside, and tidying it up while no program has it open."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from actors.errors import JournalError
from actors.protocol.states import TaskStatus
from actors.runtime.journal import queries
from actors.runtime.journal.ownership import Ownership
from actors.runtime.journal.record import TaskRecord
from actors.runtime.journal.sqlite import check_format, connect, failure

__all__ = ["Entry", "list_tasks", "purge", "read_task", "retry"]

STATUSES = tuple(str(status) for status in TaskStatus)


class Entry(NamedTuple):
    """A task in a list. Times are UTC seconds, sizes bytes."""

    number: int
    id: str
    once: str | None
    kind: str
    key: str | None
    created: float
    status: str
    attempt: int
    agent: str | None
    started: float | None
    ended: float | None
    payload: int | None
    result: int | None
    error_types: str | None
    error_text: str | None
    fetched: int

    @property
    def type(self) -> str:
        """The task type."""
        name: str = json.loads(self.kind).get("name", "")
        return name

    @property
    def error(self) -> str:
        """The error in a line; empty without one."""
        if self.error_types is None:
            return ""
        names = json.loads(self.error_types)
        text = (self.error_text or "").strip().partition("\n")[0]
        return f"{names[0].rpartition('.')[2] if names else 'error'}: {text}"

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values that print as JSON."""
        return {
            "id": self.id,
            "type": self.type,
            "status": self.status,
            "once": self.once,
            "key": self.key,
            "created": self.created,
            "attempt": self.attempt,
            "agent": self.agent,
            "started": self.started,
            "ended": self.ended,
            "payload_bytes": self.payload,
            "result_bytes": self.result,
            "error": self.error or None,
            "fetched": bool(self.fetched),
        }


def list_tasks(path: Path, *, statuses: Iterable[str] | None = None, limit: int = 50) -> tuple[list[Entry], int]:
    """The latest tasks of a journal, which a program may have open, and how many there are in all.

    Args:
        path: the journal.
        statuses: which; None for all.
        limit: how many at most.

    Raises:
        JournalError: it cannot be read.
    """
    wanted = None if statuses is None else json.dumps(list(statuses))
    with _reading(path) as connection:
        rows = [Entry._make(row) for row in connection.execute(queries.LISTED, (wanted, limit))]
        return rows, connection.execute(queries.COUNT, (wanted,)).fetchone()[0]


def read_task(path: Path, task_id: str) -> TaskRecord:
    """One task of a journal, by its id.

    Raises:
        JournalError: it cannot be read, or has no such task.
    """
    with _reading(path) as connection:
        row = connection.execute(queries.BY_ID, (task_id,)).fetchone()
    if row is None:
        raise JournalError(f"the journal {path} has no task {task_id}", path=str(path), reason="no such task")
    return TaskRecord._make(row)


def retry(path: Path, ids: Iterable[str]) -> tuple[list[str], list[str]]:
    """Let tasks that failed or were cancelled run again at the next start of the program.

    Returns:
        The ids of those that will, and of those that will not: they are unknown, did not fail, or have no call any more.

    Raises:
        JournalError: it cannot be written, or a program has it open.
    """
    done: list[str] = []
    left: list[str] = []
    with _writing(path) as connection:
        for task_id in ids:
            changed = connection.execute(queries.RETRY, (task_id,)).rowcount
            (done if changed else left).append(task_id)
    return done, left


def purge(path: Path, before: float) -> int:
    """Drop all tasks that ended before a time (UTC seconds), also those that nobody fetched, and free their room.

    Returns:
        How many were dropped. What a task without outcome depends on stays.

    Raises:
        JournalError: it cannot be written, or a program has it open.
    """
    with _writing(path) as connection:
        connection.execute(queries.KEEP_LAST)
        dropped = connection.execute(queries.REMOVE, (before,)).rowcount
        connection.execute("COMMIT")
        connection.execute("VACUUM")
        connection.execute("BEGIN IMMEDIATE")
    return dropped


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    _check_there(path)
    try:
        with closing(connect(path, read_only=True)) as connection:
            check_format(connection, path)
            yield connection
    except sqlite3.Error as error:
        raise failure(path, "read", error) from error


@contextmanager
def _writing(path: Path) -> Iterator[sqlite3.Connection]:
    _check_there(path)
    ownership = Ownership(path)
    ownership.take()
    try:
        with closing(connect(path)) as connection:
            check_format(connection, path)
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise failure(path, "written", error) from error
    finally:
        ownership.give_up()


def _check_there(path: Path) -> None:
    if not os.path.isfile(path):
        raise JournalError(f"there is no journal {path}", path=str(path), reason="no such file")
