"""What a review asks of other workers beside the analysis: the checks of the files, the tests, and the history."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from actors.future import TaskFuture
from actors.quality.finding import QualityReport
from actors.quality.secrethistory import without_repeats
from actors.review.cache import Known, ReportCache
from actors.review.changes import Changes, place_in_repository
from actors.review.checker import ReviewChecker
from actors.review.checkplan import CheckPlan, plan_checks, remember_checks
from actors.review.codereport import CodeReport
from actors.review.discover import Discovery
from actors.review.pasthistory import known_history, remember_history
from actors.review.treehistory import TreeHistory, tree_history
from actors.system import ActorSystem
from actors.worker import ConfiguredWorker, Worker
from actors.workers.git_integrator import GitIntegrator
from actors.workers.quality_checker import DEFAULT_PATHS

__all__ = ["Extras", "Wanted"]


# For so many files one more agent is worth its start.
_FILES_EACH = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted beside the analysis.

    Args:
        checks: linters and security scanners on the files.
        history: what the commits tell.
        tests: the tree's own tests, which runs its code.
        secrets_in_history: secrets in all that was ever committed.
        osv: a dump of the OSV database, for vulnerable pins of dependencies; None without them.
    """

    checks: bool = False
    history: bool = False
    tests: bool = False
    secrets_in_history: bool = False
    osv: str | None = None


class Extras:
    """Tasks whose failure costs a section of the report, and not the report.

    Args:
        found: the tree.
        paths: the files that the report is about.
        wanted: what is to be done.
        cache: where an earlier review kept what it found; None for nowhere.
        known: what that cache knows of the files.
        changes: what the report is limited to; None for the whole tree.
        max_bytes: larger files are reported and not checked.

    Attributes:
        notes: sentences for people on what failed.
        futures: what was handed in.
    """

    def __init__(
        self,
        found: Discovery,
        paths: Sequence[str],
        wanted: Wanted,
        *,
        cache: ReportCache | None = None,
        known: Known | None = None,
        changes: Changes | None = None,
        max_bytes: int,
    ) -> None:
        self._root = found.root
        self._wanted = wanted
        self._cache = cache
        self._known = Known() if known is None else known
        self._changes = changes
        self._max_bytes = max_bytes
        self.notes: list[str] = []
        self._plan: CheckPlan | None = None
        if wanted.checks and paths:
            self._plan = plan_checks(found.root, paths, self._known.contents, cache, os.environ)
            self.notes += filter(None, [self._plan.note])
        self._prefix = place_in_repository(found.root) if wanted.history and found.method != "walk" else None
        self._past, self._past_key = None, ""
        if self._prefix is not None and cache is not None:
            self._past, self._past_key = known_history(cache, found.root)
        self._checks: list[TaskFuture[QualityReport]] = []
        self._others: dict[str, TaskFuture[QualityReport]] = {}
        self._history: TaskFuture[Any] | None = None

    def agents(self, workers: int) -> int:
        """How many agents they take at most, beside those of the analysis."""
        return sum(self.workers(workers).values()) + (1 if self._reads_history else 0)

    def workers(self, workers: int) -> dict[type[Worker] | ConfiguredWorker[Any], int]:
        """The workers that are to be there from the beginning: as many as analyse, and one that waits for them."""
        groups = () if self._plan is None else self._plan.groups
        parts = sum(-(-len(group.paths) // _FILES_EACH) for group in groups)
        parts += sum([self._wanted.tests, self._wanted.secrets_in_history, self._wanted.osv is not None])
        return {ReviewChecker: min(workers, parts) + 1} if parts else {}

    @property
    def futures(self) -> list[TaskFuture[Any]]:
        """What was handed in."""
        history = [] if self._history is None else [self._history]
        return [*self._checks, *self._others.values(), *history]

    def send(self, system: ActorSystem, job: str) -> Iterator[tuple[TaskFuture[Any], str]]:
        """Hand the tasks in; gives each with what it is about."""
        wanted, options = self._wanted, system.options(job=job)
        if wanted.tests:
            # What takes longest first.
            self._others["The tests"] = options.submit(ReviewChecker.check, [], self._root, ["test"])
        for group in self._plan.groups if self._plan is not None else ():
            check = options.submit(
                ReviewChecker.check, group.paths, self._root, tools=group.tools, max_bytes=self._max_bytes
            )
            self._checks.append(check)
            yield check, "the checks"
        if wanted.secrets_in_history:
            self._others["The search for secrets in the history"] = options.submit(ReviewChecker.history, self._root)
        if wanted.osv is not None:
            pins = options.submit(ReviewChecker.pins, DEFAULT_PATHS, self._root, wanted.osv, self._max_bytes)
            self._others["The search for vulnerable dependencies"] = pins
        for name, future in self._others.items():
            yield future, name[0].lower() + name[1:]
        if self._reads_history:
            # The complexity is known from the analysis.
            self._history = options.submit(GitIntegrator.history, self._root, complexity=False)
            yield self._history, "the history"

    def done(self) -> bool:
        """Whether all have ended."""
        return all(future.done() for future in self.futures)

    def keep(self, system: ActorSystem, job: str, after: TaskFuture[Any] | None) -> list[TaskFuture[str]]:
        """Have what they brought put into the cache, when all have ended; see `results`.

        Args:
            system: where the tasks are handed in.
            job: their job.
            after: the task that keeps the reports of the files; None if there is nothing new in them.
        """
        kept: list[TaskFuture[str]] = []
        if self._cache is None:
            return kept
        options = system.options(job=job, type="review.remember")
        # Untyped: futures stand for the values that the parameters want.
        checks: Any = remember_checks
        history: Any = remember_history
        if self._plan is not None and self._checks and not any(future.failed() for future in self._checks):
            stamps = dict(self._known.stamps)
            kept.append(options.submit(checks, self._cache.folder, self._plan, self._checks, stamps, after))
        if self._history is not None and self._past_key and not self._history.failed():
            kept.append(options.submit(history, self._cache.folder, self._root, self._past_key, self._history))
        return kept

    def results(self, code: CodeReport) -> tuple[QualityReport | None, TreeHistory | None]:
        """What they brought, when all have ended; None for what was not asked for or failed, of which a note tells."""
        quality = self._quality()
        history = self._past if self._history is None else self._value(self._history, "The reading of the history")
        return quality, None if history is None else tree_history(history, code, self._prefix or "")

    @property
    def _reads_history(self) -> bool:
        return self._prefix is not None and self._past is None

    def _quality(self) -> QualityReport | None:
        others = [self._value(future, name) for name, future in self._others.items()]
        if self._plan is None:
            # Without files there was nothing to check.
            return QualityReport.joined(map(self._limited, filter(None, others))) if others else None
        checks = [self._value(future, "The checks") for future in self._checks]
        if any(report is None for report in checks):
            return None
        report = self._plan.joined(checks)
        if not others:
            return report
        parts = [report, *(self._limited(other) for other in others if other is not None)]
        return without_repeats(QualityReport.joined(parts))

    def _limited(self, report: QualityReport) -> QualityReport:
        """Without what concerns files that the branch did not change; how the tests end always counts."""
        if self._changes is None:
            return report
        files = {*self._changes.files, "."}
        kept = tuple(one for one in report.findings if one.kind == "test" or one.path in files)
        return QualityReport(kept, report.tests, report.skipped, report.coverage)

    def _value(self, future: TaskFuture[Any], name: str) -> Any:
        try:
            return future.result()
        except Exception as error:  # noqa: BLE001 - a section, not the report
            first = (str(error) or type(error).__name__).strip().splitlines()[0]
            self.notes.append(f"{name} failed: {first}")
            return None
