"""The analyses of a review: what is to be done, what is done, and what becomes of those that fail."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from actors.analysis.filereport import FileReport
from actors.workers.batches import BATCH_BYTES, Batch, split
from actors.workers.file_analyzer import failed_report

__all__ = ["Analyses"]

_BATCHES_EACH = 8
_LEAST_BYTES = 32 * 1024


class Analyses:
    """The batches of a tree's files. No thread, clock or task: whoever runs them tells it how they ended.

    Every file ends in exactly one way: in a batch that is done, or written off with a report that says why. A batch
    that fails is tried again file by file, so that a file which ends its agent costs itself alone.

    Args:
        root: the folder that the paths are relative to.
        files: the paths.
        workers: how many agents share them; a small tree makes smaller batches, so that each has several.
        known: the reports that there are already, by path; these files are done.

    Attributes:
        batches: all files, the most expensive batch first.
        written_off: the reports of the files whose analysis failed also by itself.
        files, done_files: how many there are, and how many have ended.
        cost, done_cost: the same by what they take, as `Batch` counts it.
    """

    def __init__(
        self, root: str, files: Sequence[str], workers: int, known: Mapping[str, FileReport] | None = None
    ) -> None:
        self._root = root
        self._known = {path: known[path] for path in files if path in known} if known else {}
        self.files = len(files)
        files = [path for path in files if path not in self._known]
        sizes = [_size(os.path.join(root, path)) for path in files]
        share = sum(sizes) // (workers * _BATCHES_EACH)
        self.batches = split(files, sizes, batch_bytes=min(BATCH_BYTES, max(_LEAST_BYTES, share)))
        self.written_off: list[FileReport] = []
        self.cost = sum(batch.cost for batch in self.batches)
        self.done_files = len(self._known)
        self.done_cost = 0

    @property
    def others(self) -> list[FileReport]:
        """The reports that no batch brings: those that were known, and those of the files that were written off."""
        return [*self._known.values(), *self.written_off]

    @property
    def known(self) -> int:
        """How many files were known."""
        return len(self._known)

    def done(self, batch: Batch) -> None:
        """A batch has been analysed."""
        self.done_files += len(batch.paths)
        self.done_cost += batch.cost

    def failed(self, batch: Batch, error: BaseException) -> list[Batch]:
        """A batch has failed.

        Returns:
            What to try instead: its files one by one; nothing if it was a single file, which is written off.
        """
        if len(batch.paths) > 1:
            share = batch.cost // len(batch.paths)
            rest = batch.cost - share * (len(batch.paths) - 1)
            costs = [rest, *[share] * (len(batch.paths) - 1)]
            return [Batch((path,), cost) for path, cost in zip(batch.paths, costs, strict=True)]
        self.written_off.append(failed_report(batch.paths[0], self._root, error))
        self.done(batch)
        return []


def _size(path: str) -> int:
    try:
        return os.lstat(path).st_size
    except OSError:
        return 0
