"""What an earlier run of a workflow has left in its journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from actors.runtime.journal.inspection import list_tasks
from actors.runtime.journal.ownership import Ownership

__all__ = ["Past", "forget", "once_name"]

_ALL = 1 << 31
_BAD = ("failed", "cancelled")
# What SQLite and the lock leave beside the file itself; the lock goes last.
_BESIDE = ("", "-wal", "-shm", "-lock")


def once_name(digest: str, before: str, task: str, tries: int) -> str:
    """The name under which a task is submitted: the same for the same work on the same results.

    Args:
        digest: of what the task is.
        before: of what it comes after, as it ended.
        task: its id in the workflow.
        tries: how many have failed before.
    """
    return f"{digest}/{before}/{task}#{tries}"


class Past:
    """How the tasks of an earlier run stand. Reads the journal; it is not to be open.

    Args:
        journal: the file; None or one that is not there is no past.

    Raises:
        JournalError: it cannot be read.
    """

    def __init__(self, journal: Path | None) -> None:
        entries = list_tasks(journal, limit=_ALL)[0] if journal is not None and journal.exists() else []
        named = [entry for entry in entries if entry.once is not None and "#" in entry.once]
        self._bad = Counter((entry.once or "").rpartition("#")[0] for entry in named if entry.status in _BAD)
        self._completed = {entry.once for entry in named if entry.status == "completed"}
        self._under_way = {
            entry.id: _work(entry.once or "") for entry in named if entry.status not in (*_BAD, "completed")
        }

    def tries(self, digest: str, before: str, task: str) -> int:
        """How often a task has failed or was cancelled for good."""
        return self._bad[once_name(digest, before, task, 0).rpartition("#")[0]]

    def has_completed(self, name: str) -> bool:
        """Whether the task of that name has its result."""
        return name in self._completed

    def stale(self, wanted: Iterable[tuple[str, str]]) -> set[str]:
        """The ids of tasks that were under way and are not wanted any more.

        Args:
            wanted: digest and id of each task that there is now.
        """
        known = set(wanted)
        return {task_id for task_id, work in self._under_way.items() if work not in known}


def forget(journal: Path) -> None:
    """Remove a journal, with what lies beside it.

    Raises:
        JournalError: a program has it open.
        OSError: it cannot be removed.
    """
    ownership = Ownership(journal)
    ownership.take()
    try:
        for ending in _BESIDE:
            journal.with_name(journal.name + ending).unlink(missing_ok=True)
    finally:
        ownership.give_up()


def _work(name: str) -> tuple[str, str]:
    digest, _, rest = name.partition("/")
    return digest, rest.partition("/")[2].rpartition("#")[0]
