"""What a review asks of other workers beside the analysis: the checks of the files, and the history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from actors.future import TaskFuture
from actors.quality.finding import QualityReport
from actors.review.changes import place_in_repository
from actors.review.codereport import CodeReport
from actors.review.discover import Discovery
from actors.review.treehistory import TreeHistory, tree_history
from actors.system import ActorSystem
from actors.worker import ConfiguredWorker, Worker
from actors.workers.git_integrator import GitIntegrator
from actors.review.checker import ReviewChecker

__all__ = ["Extras"]


# As the checker splits them.
_FILES_EACH = 200


def _parts(paths: Sequence[str]) -> int:
    return -(-len(paths) // _FILES_EACH)


class Extras:
    """Tasks whose failure costs a section of the report, and not the report.

    Args:
        found: the tree.
        paths: the files that the report is about.
        checks: whether to have them checked.
        history: whether to have the commits read.

    Attributes:
        notes: sentences for people on what failed.
        futures: what was handed in.
    """

    def __init__(self, found: Discovery, paths: Sequence[str], *, checks: bool, history: bool) -> None:
        self._root = found.root
        self._paths = list(paths)
        self._checks = checks and bool(paths)
        self._prefix = place_in_repository(found.root) if history and found.method != "walk" else None
        self._quality: TaskFuture[QualityReport] | None = None
        self._history: TaskFuture[Any] | None = None
        self.notes: list[str] = []

    def agents(self, workers: int) -> int:
        """How many agents they take at most, beside those of the analysis."""
        return sum(self.workers(workers).values()) + (1 if self._prefix is not None else 0)

    def workers(self, workers: int) -> dict[type[Worker] | ConfiguredWorker[Any], int]:
        """The workers that are to be there from the beginning: as many as analyse, and one that waits for them."""
        return {ReviewChecker: min(workers, _parts(self._paths)) + 1} if self._checks else {}

    @property
    def futures(self) -> list[TaskFuture[Any]]:
        """What was handed in."""
        return [future for future in (self._quality, self._history) if future is not None]

    def send(self, system: ActorSystem, job: str) -> Iterator[tuple[TaskFuture[Any], str]]:
        """Hand the tasks in; gives each with what it is about."""
        if self._checks:
            self._quality = system.options(job=job).submit(ReviewChecker.check, self._paths, self._root)
            yield self._quality, "the checks"
        if self._prefix is not None:
            # The complexity is known from the analysis.
            self._history = system.options(job=job).submit(GitIntegrator.history, self._root, complexity=False)
            yield self._history, "the history"

    def done(self) -> bool:
        """Whether all have ended."""
        return all(future.done() for future in self.futures)

    def results(self, code: CodeReport) -> tuple[QualityReport | None, TreeHistory | None]:
        """What they brought, when all have ended; None for what was not asked for or failed, of which a note tells."""
        quality = self._value(self._quality, "The checks")
        history = self._value(self._history, "The reading of the history")
        return quality, None if history is None else tree_history(history, code, self._prefix or "")

    def _value(self, future: TaskFuture[Any] | None, name: str) -> Any:
        if future is None:
            return None
        try:
            return future.result()
        except Exception as error:  # noqa: BLE001 - a section, not the report
            first = (str(error) or type(error).__name__).strip().splitlines()[0]
            self.notes.append(f"{name} failed: {first}")
            return None
