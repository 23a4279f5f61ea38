"""What a journal keeps of a task, and what a journal is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple, Protocol

__all__ = ["FINAL", "LARGEST", "Journal", "Keep", "Opened", "Survives", "TaskRecord"]

LARGEST = 900 << 20
"""Bytes of a call or of a result that a journal keeps; SQLite holds a little more."""

Survives = Literal["processes", "power"]
"""What a written record outlives: the death of any process, or a loss of power too."""


class TaskRecord(NamedTuple):
    """A task as a journal keeps it. Times are UTC seconds.

    Attributes:
        number, id: of the task.
        once: the name under which it was submitted once.
        worker: "module:Class" of its worker; None for plain callables.
        kind: what it shares with others of its kind, as JSON.
        payload: the serialised call.
        after: the numbers of its dependencies, as a JSON list.
        inputs: names of what it reads, as a JSON list.
        key: tasks with the same key go to the same agent where possible.
        created: when it was submitted.
        status: one of `TaskStatus`; what was assigned may have begun.
        attempt, retried, spared: see `Task`.
        agent: where it is, or was last.
        started, ended: of its last attempt.
        cancelling: why it is being cancelled.
        result: the serialised value.
        error_types, error_text, error_traceback, error_pickle: the fields of its failure; the types as a JSON list.
        fetched: whether the program has had the outcome.
        dead: whether it is listed as one that failed for good and can be run again.
        story: its earlier attempts and the task that it repeats, as JSON.
    """

    number: int
    id: str
    once: str | None
    worker: str | None
    kind: str
    payload: bytes | memoryview | None
    after: str
    inputs: str
    key: str | None
    created: float
    status: str
    attempt: int = 0
    retried: int = 0
    spared: int = 0
    agent: str | None = None
    started: float | None = None
    ended: float | None = None
    cancelling: str | None = None
    result: bytes | memoryview | None = None
    error_types: str | None = None
    error_text: str | None = None
    error_traceback: str | None = None
    error_pickle: bytes | None = None
    fetched: bool = False
    dead: bool = False
    story: str | None = None

    @property
    def final(self) -> bool:
        """Whether it has its outcome."""
        return self.status in FINAL


FINAL = frozenset({"completed", "failed", "cancelled"})


class Keep(NamedTuple):
    """What is not dropped yet. Times are UTC seconds.

    Attributes:
        since: what ended from then on.
        most: so many of the last tasks that were fetched.
        dead_since, most_dead: the same of dead letters, which these two alone are asked about.
    """

    since: float
    most: int
    dead_since: float
    most_dead: int


class Opened(NamedTuple):
    """What a journal says when it is opened.

    Attributes:
        token: the beginning of all ids of its tasks.
        last: the highest number of a task that it ever had; 0 if it is new.
    """

    token: str
    last: int


class Journal(Protocol):
    """Keeps tasks beyond the life of the program. One thread at a time uses it.

    Everything that is written by one call of `write` is kept, or nothing of it.
    """

    def open(self, token: str) -> Opened:
        """Begin. `token` is for one that is new.

        Raises:
            JournalError: it cannot be used: it is locked, read-only, damaged, of a later format, or no journal.
        """

    def write(self, records: Sequence[TaskRecord]) -> None:
        """Add tasks, or say how known ones stand now; of those, only the fields from `status` on are taken.

        Raises:
            JournalError: nothing was written, and what was there is as it was.
        """

    def unfinished(self) -> Iterator[TaskRecord]:
        """Tasks without an outcome, in the order of their numbers."""

    def unfetched(self) -> Iterator[TaskRecord]:
        """Tasks whose outcome the program has never had, in the order of their numbers."""

    def find(self, numbers: Iterable[int]) -> list[TaskRecord]:
        """Those of some numbers that there are."""

    def named(self, once: str) -> TaskRecord | None:
        """The task that was submitted under a name."""

    def fetched(self, numbers: Iterable[int]) -> None:
        """The program has had the outcomes of these tasks."""

    def dead(self, most: int) -> list[TaskRecord]:
        """The last dead letters, the one first that failed first."""

    def forget(self, keep: Keep) -> int:
        """Drop some of what is older, or fetched and more, than is to be kept.

        What a task without outcome depends on stays, and so does what was submitted under a name, without its payload.

        Returns:
            How many were dropped; there may be more.
        """

    def close(self) -> None:
        """End. Nothing that was written is lost if this is never called."""
