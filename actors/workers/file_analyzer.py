"""The worker that looks into source files."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from actors.analysis.filereport import FileReport
from actors.analysis.languages import language_of
from actors.core.partplan import Item, PartPlan
from actors.core.rates import Rate, Rates
from actors.errors import ConfigError
from actors.worker import Worker, task
from actors.workers.globs import expand
from actors.workers.sharing import Sharing, Work, first_line, options_of

__all__ = ["PART_SECONDS", "FileAnalyzer", "analysis_item", "analysis_rates", "failed_report"]

PART_SECONDS = 120.0
"""The time limit of a part."""

_PROGRESS_EVERY = 0.1
# Opening and reporting a file takes what this many bytes of it take, however small it is.
_FILE_COST = 1024
# Until something was measured.
_BYTE_SECONDS = 0.5e-6


class FileAnalyzer(Worker):
    """Analyses source files: lines, functions and their complexity, imports, and what does not parse.

    Work described as data:

        system.submit_task(TaskSpec(type="file_analysis", data={"paths": ["src/**/*.py"], "root": "/srv/project"}))
    """

    agent_type = "file_analyzer"
    role = "analyzer"
    specialization = "source code"
    capabilities = frozenset(
        {"file_analysis", "syntax_analysis", "syntax_checking", "dependency_scanning", "metrics_calculation"}
    )
    cpu = "moderate"
    memory = "low"
    io = "high"

    @cached_property
    def _sharing(self) -> Sharing[tuple[FileReport, ...]]:
        return Sharing(self)

    @cached_property
    def _rates(self) -> Rates:
        """What this agent has learned of all lists that it divided."""
        return analysis_rates()

    def on_start(self) -> None:
        """Load the analysis before there is work, and not when this module is imported, which the program does too."""
        import actors.analysis.measure  # noqa: F401, PLC0415

    @task(type="file_analysis")
    def analyse(
        self, paths: Sequence[str], root: str | None = None, max_bytes: int | None = None
    ) -> tuple[FileReport, ...]:
        """Analyse files.

        More than a task's worth of them is divided by what was measured, and the parts are sub-tasks for all agents of
        this type; one that fails is tried again in pieces, so that a file which ends its agent costs no other its
        report.

        Args:
            paths: files, and patterns such as `src/**/*.py`, which take files in languages that the analysis knows.
            root: the folder that relative paths start at, and that the paths in the reports are relative to.
            max_bytes: a larger file is reported and not read; None takes the analysis's own bound.

        Returns:
            A report for each file, in the order of the list. A file that cannot be read or parsed has a report that
            says so; nothing that a file holds makes the task fail.

        Raises:
            ConfigError: `paths`, `root` or `max_bytes` are not what is expected, or the extra `review` is missing.
        """
        _check(root, max_bytes)
        files = expand(paths, root, keep=lambda path: language_of(path) is not None)
        items = [analysis_item(path, _size(path, root)) for path in files]
        plan = PartPlan(items, 1, self._rates)
        if not self.agent_id or plan.is_short():
            return tuple(self._analyse(files, root, max_bytes, self.progress))
        plan.agents = self._sharing.agents()
        reports: dict[str, FileReport] = {}
        work = Work(
            lambda part: self.options(**options_of(part, PART_SECONDS)).submit(
                type(self).files, list(part.keys), root, max_bytes
            ),
            lambda part, told: tuple(self._analyse(part.keys, root, max_bytes, told)),
        )
        for part, result in self._sharing.carry_out(plan, work):
            if isinstance(result, Exception):
                reports[part.keys[0]] = failed_report(part.keys[0], root, result)
            else:
                reports.update(zip(part.keys, result, strict=True))
        return tuple(reports[path] for path in files)

    @task(type="file_analysis.files", timeout=PART_SECONDS)
    def files(
        self, paths: Sequence[str], root: str | None = None, max_bytes: int | None = None
    ) -> tuple[FileReport, ...]:
        """Analyse files one after the other, in this task: a part of `analyse`.

        Args:
            paths: the files, as they are, without patterns.
            root, max_bytes: see `analyse`.

        Returns:
            A report for each file, in the order of the list.

        Raises:
            ConfigError: see `analyse`.
        """
        self._sharing.begins()
        _check(root, max_bytes)
        return tuple(self._analyse(paths, root, max_bytes, self.progress))

    def _analyse(
        self, files: Sequence[str], root: str | None, max_bytes: int | None, told: Callable[[float, str], None]
    ) -> list[FileReport]:
        from actors.analysis.measure import analyse_file  # noqa: PLC0415 - see on_start
        from actors.analysis.source import MAX_BYTES  # noqa: PLC0415 - see on_start

        reports = []
        last = time.monotonic()
        for index, path in enumerate(files):
            now = time.monotonic()
            if now - last >= _PROGRESS_EVERY:
                last = now
                told(index / len(files), path)
            try:
                report = analyse_file(path, root, max_bytes=MAX_BYTES if max_bytes is None else max_bytes)
            except ConfigError:
                raise
            except Exception as error:  # noqa: BLE001 - a file that trips the analysis must not cost the others
                report = failed_report(path, root, error)
            reports.append(report)
        return reports


def analysis_item(path: str, size: int) -> Item:
    """A file as something to be divided among agents.

    Args:
        path: of the file.
        size: in bytes.
    """
    return Item(path, size + _FILE_COST, language_of(path) or "")


def analysis_rates() -> Rates:
    """What analyses take, by language, as far as it is known before any was measured."""
    return Rates(Rate(0.0, _BYTE_SECONDS))


def failed_report(path: str, root: str | None, error: BaseException) -> FileReport:
    """The report of a file whose analysis failed."""
    full = path if root is None else os.path.join(root, path)
    shown = path if root is None else os.path.relpath(full, root)
    return FileReport(
        path=shown.replace(os.sep, "/"),
        language=language_of(path),
        status="reported",
        problem="analysis_failed",
        detail=f"analysis failed: {first_line(error)}",
        bytes=_size(path, root),
    )


def _check(root: Any, max_bytes: Any) -> None:
    if max_bytes is not None and (isinstance(max_bytes, bool) or not isinstance(max_bytes, int) or max_bytes < 1):
        message = f"max_bytes of a file_analysis is a whole number of 1 or more, or None, not {max_bytes!r}"
        raise ConfigError(message, key="max_bytes", value=max_bytes, allowed="1 or more")
    if root is not None and not (isinstance(root, str) and os.path.isdir(root)):
        message = f"root of a file_analysis is a folder, and there is none at {root!r}"
        raise ConfigError(message, key="root", value=root, allowed="an existing folder")


def _size(path: str, root: str | None) -> int:
    try:
        return os.stat(path if root is None else os.path.join(root, path)).st_size
    except (OSError, ValueError):
        return 0
