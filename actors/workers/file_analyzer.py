"""The worker that looks into source files."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from actors.analysis.filereport import FileReport
from actors.analysis.languages import language_of
from actors.errors import (
    ActorsError,
    AgentDied,
    ConfigError,
    LimitExceeded,
    NotSerializable,
    RemoteError,
    TaskTimeout,
)
from actors.worker import Worker, task
from actors.workers.batches import split
from actors.workers.globs import expand

if TYPE_CHECKING:
    from actors.future import TaskFuture

__all__ = ["FileAnalyzer", "costs_one_file", "failed_report"]

_PROGRESS_EVERY = 0.1
_BATCH_TIMEOUT = 120.0


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

    def on_start(self) -> None:
        """Load the analysis before there is work, and not when this module is imported, which the program does too."""
        import actors.analysis.measure  # noqa: F401, PLC0415

    @task(type="file_analysis")
    def analyse(
        self, paths: Sequence[str], root: str | None = None, max_bytes: int | None = None
    ) -> tuple[FileReport, ...]:
        """Analyse files.

        More than a task's worth of them is split, and the parts are sub-tasks for all agents of this type; the parts
        of one that fails are tried one by one, so that a file which ends its agent costs no other its report.

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
        batches = split(files, [_size(path, root) for path in files])
        if len(batches) < 2 or not self.agent_id:
            return tuple(self._analyse(files, root, max_bytes))
        reports = self._spread([batch.paths for batch in batches], root, max_bytes)
        return tuple(reports[path] for path in files)

    def _analyse(self, files: Sequence[str], root: str | None, max_bytes: int | None) -> list[FileReport]:
        from actors.analysis.measure import analyse_file  # noqa: PLC0415 - see on_start
        from actors.analysis.source import MAX_BYTES  # noqa: PLC0415 - see on_start

        reports = []
        told = time.monotonic()
        for index, path in enumerate(files):
            now = time.monotonic()
            if now - told >= _PROGRESS_EVERY:
                told = now
                self.progress(index / len(files), path)
            try:
                report = analyse_file(path, root, max_bytes=MAX_BYTES if max_bytes is None else max_bytes)
            except ConfigError:
                raise
            except Exception as error:  # noqa: BLE001 - a file that trips the analysis must not cost the others
                report = failed_report(path, root, error)
            reports.append(report)
        return reports

    def _spread(self, parts: Sequence[Sequence[str]], root: str | None, max_bytes: int | None) -> dict[str, FileReport]:
        """The reports by path, made by sub-tasks."""
        whole = self.options(retries=0, timeout=_BATCH_TIMEOUT)
        single = self.options(retries=1, timeout=_BATCH_TIMEOUT)
        reports: dict[str, FileReport] = {}
        waiting: list[tuple[Sequence[str], TaskFuture[Any]]] = [
            (part, whole.submit(type(self).analyse, list(part), root, max_bytes)) for part in parts
        ]
        total = sum(len(part) for part in parts)
        while waiting:
            part, future = waiting.pop(0)
            try:
                reports.update(zip(part, future.take(), strict=True))
            except Exception as error:
                if not costs_one_file(error):
                    raise
                if len(part) > 1:
                    waiting += [([path], single.submit(type(self).analyse, [path], root, max_bytes)) for path in part]
                    continue
                reports[part[0]] = failed_report(part[0], root, error)
            self.progress(len(reports) / total, part[-1])
        return reports


def costs_one_file(error: BaseException) -> bool:
    """Whether the error of an analysis may be the doing of a file in it, and not of the system or its set-up."""
    if isinstance(error, AgentDied | LimitExceeded | TaskTimeout | RemoteError | NotSerializable | MemoryError):
        return True
    return isinstance(error, Exception) and not isinstance(error, ActorsError)


def failed_report(path: str, root: str | None, error: BaseException) -> FileReport:
    """The report of a file whose analysis failed."""
    full = path if root is None else os.path.join(root, path)
    shown = path if root is None else os.path.relpath(full, root)
    text = (str(error) or type(error).__name__).strip().splitlines()[0]
    return FileReport(
        path=shown.replace(os.sep, "/"),
        language=language_of(path),
        status="reported",
        problem="analysis_failed",
        detail=f"analysis failed: {type(error).__name__}: {text}",
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
