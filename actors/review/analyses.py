"""The analyses of a review: what is to be done, what is done, and what becomes of those that fail."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from actors.analysis.filereport import FileReport
from actors.core.partplan import Part, PartPlan
from actors.workers.file_analyzer import analysis_item, analysis_rates, failed_report

__all__ = ["Analyses"]


class Analyses:
    """The parts of a tree's files. No thread, clock or task: whoever runs them tells it how they ended.

    Every file ends in exactly one way: in a part that is done, or written off with a report that says why. A part that
    fails is tried again in pieces, so that a file which ends its agent costs itself alone.

    Args:
        root: the folder that the paths are relative to.
        files: the paths.
        workers: how many agents may share them.
        known: the reports that there are already, by path; these files are done, and tell what others will take.

    Attributes:
        written_off: the reports of the files whose analysis failed also by itself.
        files, done_files: how many there are, and how many have ended.
        cost, done_cost: the same by what they take, as `Part` counts it; without the files that were known.
    """

    def __init__(
        self, root: str, files: Sequence[str], workers: int, known: Mapping[str, FileReport] | None = None
    ) -> None:
        self._root = root
        self._known = {path: known[path] for path in files if path in known} if known else {}
        self.files = len(files)
        rates = analysis_rates()
        before: dict[str, tuple[float, float]] = {}
        for report in self._known.values():
            item = analysis_item(report.path, report.bytes)
            cost, seconds = before.get(item.kind, (0.0, 0.0))
            before[item.kind] = cost + item.cost, seconds + report.seconds
        for kind, (cost, seconds) in before.items():
            rates.note(kind, cost, seconds)
        items = [analysis_item(path, _size(os.path.join(root, path))) for path in files if path not in self._known]
        self._plan = PartPlan(items, workers, rates)
        self._plan.agents = self._plan.agents_for(workers)
        self.written_off: list[FileReport] = []

    @property
    def workers(self) -> int:
        """How many agents it is worth to start."""
        return self._plan.agents

    @property
    def cost(self) -> float:
        """See the class."""
        return self._plan.cost

    @property
    def done_cost(self) -> float:
        """See the class."""
        return self._plan.done_cost

    @property
    def done_files(self) -> int:
        """See the class."""
        return len(self._known) + self._plan.done_items

    @property
    def under_way_cost(self) -> float:
        """The mean cost of the parts that are under way."""
        return self._plan.under_way_cost / max(1, self._plan.under_way)

    @property
    def finished(self) -> bool:
        """Whether all files have ended."""
        return self.done_files == self.files

    @property
    def others(self) -> list[FileReport]:
        """The reports that no part brings: those that were known, and those of the files that were written off."""
        return [*self._known.values(), *self.written_off]

    @property
    def known(self) -> int:
        """How many files were known."""
        return len(self._known)

    def next(self) -> Part | None:
        """The next part to be handed in; None if there is none, or enough are under way."""
        return self._plan.cut()

    def done(self, part: Part, seconds: float | None = None) -> None:
        """A part has been analysed, in so many seconds if they are known."""
        self._plan.ended(part, seconds)

    def failed(self, part: Part, error: BaseException) -> None:
        """A part has failed: its files are tried again in pieces; a single file is written off."""
        if not self._plan.failed(part):
            self.written_off.append(failed_report(part.keys[0], self._root, error))


def _size(path: str) -> int:
    try:
        return os.lstat(path).st_size
    except OSError:
        return 0
