"""What the journal has after a run, beside what the program was told."""

from __future__ import annotations

from pathlib import Path

from actors.runtime.journal.inspection import list_tasks
from benchmarks.chaos.promises import Promise, Records

__all__ = ["judge_journal"]

_FINAL = frozenset({"completed", "failed", "cancelled"})
_TOLD = {"result": "completed", "wrong": "completed", "TaskCancelled": "cancelled"}


def judge_journal(path: Path, records: Records) -> Promise:
    """Compare each task that the journal still has with the outcome that was told.

    Args:
        path: of the journal, which nobody has open.
        records: of the program.
    """
    entries, _ = list_tasks(path, limit=1_000_000)
    told = {each.task: records.outcomes[each.number] for each in records.handed}
    promise = Promise("the journal has each task as it was told, and nothing is left to do", len(entries))
    for entry in entries:
        outcomes = told.get(entry.id, [])
        if entry.status not in _FINAL:
            promise.broken.append(f"{entry.id} {entry.type} is {entry.status} in the journal, and was told {outcomes}")
        # What was completed in an agent may be what the program cannot unpickle.
        elif outcomes and outcomes != ["NotSerializable"] and _TOLD.get(outcomes[0], "failed") != entry.status:
            promise.broken.append(
                f"{entry.id} {entry.type} has {entry.status} in the journal, and was told {outcomes[0]}"
            )
    return promise
