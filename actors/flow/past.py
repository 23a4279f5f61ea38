"""What an earlier run of a workflow has left in its journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote, unquote

from actors.errors import JournalError
from actors.runtime.journal.inspection import list_tasks
from actors.runtime.journal.ownership import Ownership

__all__ = ["Past", "forget", "once_name"]

_ALL = 1 << 31
_BAD = ("failed", "cancelled")
# What SQLite and the lock leave beside the file itself; the lock goes last.
_BESIDE = ("", "-wal", "-shm", "-lock")


def once_name(flow: str, digest: str, before: str, task: str, tries: int) -> str:
    """The name under which a task is submitted: the same for the same work on the same results.

    Args:
        flow: the name of the workflow.
        digest: of what the task is.
        before: of what it comes after, as it ended.
        task: its id in the workflow.
        tries: how many have failed before.
    """
    return f"{_prefix(flow)}{digest}/{before}/{task}#{tries}"


class Past:
    """How the tasks of an earlier run stand. Reads the journal; it is not to be open.

    Args:
        journal: the file; None or one that is not there is no past.
        flow: the name of the workflow.

    Raises:
        JournalError: it cannot be read, or holds tasks that are not this workflow's. Those would be cancelled as no
            longer wanted, and be gone with the journal when the workflow is completed.
    """

    def __init__(self, journal: Path | None, flow: str) -> None:
        entries = list_tasks(journal, limit=_ALL)[0] if journal is not None and journal.exists() else []
        self._flow = flow
        prefix = _prefix(flow)
        for entry in entries:
            if not (entry.once or "").startswith(prefix):
                whose = _flow_of(entry.once or "")
                what = "of another program" if whose is None else f"of the workflow {whose!r}"
                raise JournalError(
                    f"the journal {journal} has tasks {what}, and the workflow {flow!r} cannot share it: name another "
                    "file with --journal, or remove that one if its tasks are not wanted any more",
                    path=str(journal),
                    reason="of another program",
                )
        self._bad = Counter(_without_tries(entry.once) for entry in entries if entry.status in _BAD)
        self._completed = {entry.once for entry in entries if entry.status == "completed"}
        self._under_way = {
            entry.id: _work((entry.once or "").removeprefix(prefix))
            for entry in entries
            if entry.status not in (*_BAD, "completed")
        }

    def tries(self, digest: str, before: str, task: str) -> int:
        """How often a task has failed or was cancelled for good."""
        return self._bad[_without_tries(once_name(self._flow, digest, before, task, 0))]

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


def forget(journal: Path, flow: str) -> None:
    """Remove a journal, with what lies beside it.

    Args:
        journal: the file.
        flow: the name of the workflow whose tasks it holds.

    Raises:
        JournalError: it is not this workflow's, or a program has it open.
        OSError: it cannot be removed.
    """
    Past(journal, flow)
    ownership = Ownership(journal)
    ownership.take()
    try:
        for ending in _BESIDE:
            journal.with_name(journal.name + ending).unlink(missing_ok=True)
    finally:
        ownership.give_up()


def _prefix(flow: str) -> str:
    return f"workflow/{quote(flow, safe='')}/"


def _flow_of(name: str) -> str | None:
    """The workflow whose task has a name; None if it is not that of a workflow's task."""
    kind, _, rest = name.partition("/")
    return unquote(rest.partition("/")[0]) if kind == "workflow" and rest.count("/") >= 3 else None


def _without_tries(name: str | None) -> str:
    return (name or "").rpartition("#")[0]


def _work(name: str) -> tuple[str, str]:
    """Digest and id of the task with a name, of which the workflow's part is cut off."""
    digest, _, rest = name.partition("/")
    return digest, rest.partition("/")[2].rpartition("#")[0]
