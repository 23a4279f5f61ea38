"""The worker that lints, tests and looks for what is insecure."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, NoReturn

from actors.config import Limits
from actors.errors import ConfigError
from actors.quality.check import FILE_TOOLS, TOOLS_OF, check_files, check_pins
from actors.quality.command import Run
from actors.quality.finding import Finding, QualityReport
from actors.quality.secrethistory import scan_history, without_repeats
from actors.quality.suite import SUITE_SECONDS, Suite, run_suite
from actors.quality.target import MAX_BYTES, worth_checking
from actors.worker import Level, Worker, task
from actors.workers.batches import split
from actors.workers.file_analyzer import costs_one_file
from actors.workers.globs import expand

if TYPE_CHECKING:
    from actors.future import TaskFuture

__all__ = ["DEFAULT_PATHS", "QualityChecker"]

DEFAULT_PATHS: Final = ("**/*", "**/.*", ".github/**/*", ".circleci/**/*")
"""What is checked when nobody says: all files, also hidden ones such as `.env`, and the folders of CI."""

_CHECKS: Final = ("lint", "test", "security")
# Starting the tools takes as long as they need for this much: fewer, larger parts than for an analysis in process.
_BATCH_BYTES = 1024 * 1024
_BATCH_FILES = 200
_TOOL_SECONDS = 120.0
_PART_SECONDS = 900.0
_HISTORY_SECONDS = 900.0
_GRACE = 60.0
# The agent's own, and what a suite may allocate between two looks at it.
_OWN_MEMORY = 64 * 1024 * 1024


class QualityChecker(Worker):
    """Lints, runs tests and looks for what is insecure, with one format for all that is found.

    Work described as data:

        system.submit_task(TaskSpec(type="quality_check", data={"root": "/srv/project", "checks": ["lint", "test"]}))
    """

    agent_type = "quality_checker"
    role = "validator"
    specialization = "linting, tests and security"
    capabilities = frozenset({"linting", "testing", "security_scanning"})
    cpu: ClassVar[Level] = "high"
    memory = "moderate"
    io = "low"
    # Tools and suites start processes of their own; what has more than these has run wild.
    limits = Limits(processes=64)

    @task(type="quality_check", timeout=math.inf)
    def check(
        self,
        paths: Sequence[str] = DEFAULT_PATHS,
        root: str | None = None,
        checks: Sequence[Literal["lint", "test", "security"]] = ("lint", "security"),
        tools: Sequence[str] | None = None,
        tests: Mapping[str, Any] | None = None,
        history: bool = False,  # noqa: FBT001, FBT002 - a field of the data
        osv: str | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> QualityReport:
        """Check a tree.

        More files than a task's worth are split, and the parts are sub-tasks for all agents of this type, as are the
        tests and the history; the parts of one that fails are tried one by one.

        Args:
            paths: files and patterns. Patterns leave out what others wrote (`node_modules`, `site-packages`).
            root: the folder that relative paths start at, that tools run in, and that paths of findings are relative
                to; None is the working directory.
            checks: some of "lint", "test" (which runs the tree's own code) and "security".
            tools: only these of ruff, eslint, shellcheck, yamllint, bandit and secrets; None takes all of the checks.
            tests: for the check "test", some of `paths` (files, folders and ids for pytest), `python` (an interpreter;
                without it the tree's own `.venv`, else the agent's), `coverage` (True or False; without it as the tree
                is configured) and `timeout` (seconds for the suite, 600 without it).
            history: whether "security" also looks for secrets in all that was ever committed.
            osv: a dump of the OSV database, with which "security" also looks for vulnerable pins of dependencies.
            max_bytes: a larger file is reported and not read, 1 or more.

        Returns:
            What was found, the tests, and the tools that did not run. What a file, a tool or a suite does wrong is a
            finding in its place, and costs the rest nothing.

        Raises:
            ConfigError: a field is not what is expected.
        """
        folder = _checked_root(root)
        _check_fields(checks, tools, history, osv, max_bytes)
        suite = _checked_suite(tests, folder)
        chosen = _chosen(checks, tools)
        files = expand(paths, folder, keep=worth_checking)
        parts: list[_Part] = []
        if "test" in checks:
            parts.append(("tests", (folder, dict(tests or {})), suite.timeout + _GRACE))
        if history and "security" in checks:
            parts.append(("history", (folder,), _HISTORY_SECONDS + _GRACE))
        if osv is not None and "security" in checks:
            parts.append(("pins", (files, folder, osv, max_bytes), _PART_SECONDS))
        sizes = [_size(os.path.join(folder, path), max_bytes) for path in files]
        batches = split(files, sizes, batch_bytes=_BATCH_BYTES, batch_files=_BATCH_FILES) if chosen else []
        parts += [("files", (list(batch.paths), folder, list(chosen), max_bytes), _PART_SECONDS) for batch in batches]
        report = QualityReport.joined(self._spread(parts) if self._shares(parts) else map(self._alone, parts))
        return without_repeats(report)

    @task(type="quality_check.files", timeout=_PART_SECONDS)
    def files(self, paths: Sequence[str], root: str, tools: Sequence[str], max_bytes: int = MAX_BYTES) -> QualityReport:
        """Check some files with some tools, in this agent. Arguments and errors are those of `check`."""
        folder = _checked_root(root)
        _check_fields(("lint",), tools, False, None, max_bytes)  # noqa: FBT003 - as the fields stand in the data
        names = expand(paths, folder, keep=worth_checking)
        run: Run = self.run
        return check_files(names, folder, tools, run, max_bytes=max_bytes, timeout=_TOOL_SECONDS, told=self.progress)

    @task(type="quality_check.tests", timeout=math.inf)
    def tests(self, root: str, tests: Mapping[str, Any] | None = None) -> QualityReport:
        """Run the tests of a tree, in this agent. Arguments and errors are those of `check`."""
        suite = _checked_suite(tests, _checked_root(root))
        return run_suite(dataclasses.replace(suite, memory=self._memory()), self.run, self._tell_tests)

    @task(type="quality_check.history", timeout=_HISTORY_SECONDS + _GRACE)
    def history(self, root: str) -> QualityReport:
        """Look for secrets in all that was ever committed below a folder."""
        return scan_history(_checked_root(root), self.run, _HISTORY_SECONDS)

    @task(type="quality_check.pins", timeout=_PART_SECONDS)
    def pins(self, paths: Sequence[str], root: str, osv: str, max_bytes: int = MAX_BYTES) -> QualityReport:
        """Look for pinned dependencies with known vulnerabilities. Arguments and errors are those of `check`."""
        folder = _checked_root(root)
        _check_fields(("security",), None, False, osv, max_bytes)  # noqa: FBT003 - as the fields stand in the data
        return check_pins(expand(paths, folder, keep=worth_checking), folder, osv, max_bytes)

    # --- inside ----------------------------------------------------------------------------------------------------

    def _memory(self) -> int | None:
        """What a suite may use: so much less than the agent's limit that the agent outlives it."""
        limit = None if self._context is None else self._context.parts.limits.get("memory")
        return None if limit is None else int(max(limit * 0.8 - _OWN_MEMORY, limit * 0.4))

    def _tell_tests(self, done: int, planned: int | None) -> None:
        self.progress(done / planned if planned else 0.0, f"{done} tests")

    def _shares(self, parts: Sequence[_Part]) -> bool:
        """A single part of files is done here; a suite, which may take the agent with it, never is."""
        return bool(self.agent_id) and (len(parts) > 1 or any(kind == "tests" for kind, _, _ in parts))

    def _alone(self, part: _Part) -> QualityReport:
        kind, args, _ = part
        report: QualityReport = getattr(self, kind)(*args)
        return report

    def _spread(self, parts: Sequence[_Part]) -> list[QualityReport]:
        """The reports of all parts, made by sub-tasks."""
        waiting: list[tuple[_Part, TaskFuture[Any]]] = [(part, self._submit(part)) for part in parts]
        reports: list[QualityReport] = []
        total = len(waiting)
        while waiting:
            part, future = waiting.pop(0)
            kind, args, seconds = part
            try:
                reports.append(future.take())
            except Exception as error:
                if not costs_one_file(error):
                    raise
                if kind == "files" and len(args[0]) > 1:
                    singles: list[_Part] = [(kind, ([path], *args[1:]), seconds) for path in args[0]]
                    waiting += [(single, self._submit(single)) for single in singles]
                    total += len(singles)
                    continue
                reports.append(QualityReport((_lost(kind, args, error),)))
            self.progress(len(reports) / total, kind)
        return reports

    def _submit(self, part: _Part) -> TaskFuture[Any]:
        kind, args, seconds = part
        return self.options(retries=0, timeout=seconds).submit(getattr(type(self), kind), *args)


_Part = tuple[Literal["files", "tests", "history", "pins"], tuple[Any, ...], float]
"""The name of the task that does it, its arguments, and seconds."""

_TOOL_OF: Final[dict[str, tuple[str, Literal["lint", "test", "security"]]]] = {
    "files": ("actors", "lint"),
    "tests": ("pytest", "test"),
    "history": ("secrets", "security"),
    "pins": ("osv", "security"),
}


def _lost(kind: str, args: tuple[Any, ...], error: BaseException) -> Finding:
    """The finding for a part that ended its agent or passed a limit."""
    tool, about = _TOOL_OF[kind]
    path = args[0][0] if kind == "files" else "."
    first = (str(error) or type(error).__name__).strip().splitlines()[0]
    return Finding(
        tool, "check-failed", "error", path, None, None, None, f"{type(error).__name__}: {first}", kind=about
    )


def _chosen(checks: Sequence[str], tools: Sequence[str] | None) -> tuple[str, ...]:
    """The tools for files that the checks ask for."""
    return tuple(
        tool for check, own in TOOLS_OF.items() if check in checks for tool in own if tools is None or tool in tools
    )


def _checked_root(root: Any) -> str:
    if root is not None and not (isinstance(root, str) and os.path.isdir(root)):
        _refuse("root", root, "an existing folder")
    folder = os.path.abspath(root or ".")
    if not os.access(folder, os.R_OK | os.X_OK):
        _refuse("root", root, "a folder that may be read")
    return folder


def _check_fields(checks: Any, tools: Any, history: Any, osv: Any, max_bytes: Any) -> None:
    _check_names("checks", checks, _CHECKS)
    if tools is not None:
        _check_names("tools", tools, FILE_TOOLS)
    if not isinstance(history, bool):
        _refuse("history", history, "True or False")
    if osv is not None and not (isinstance(osv, str) and os.path.exists(osv)):
        _refuse("osv", osv, "an existing folder, zip or JSON file with records of OSV, or None")
    if isinstance(max_bytes, bool) or not isinstance(max_bytes, int) or max_bytes < 1:
        _refuse("max_bytes", max_bytes, "a whole number of 1 or more")


def _check_names(key: str, value: Any, known: Sequence[str]) -> None:
    if isinstance(value, str) or not isinstance(value, Sequence) or not value or not set(value) <= set(known):
        _refuse(key, value, f"a list with some of {', '.join(known)}")


def _checked_suite(tests: Any, root: str) -> Suite:
    known = ("paths", "python", "coverage", "timeout")
    if tests is None:
        return Suite(root)
    if not isinstance(tests, Mapping):
        _refuse("tests", tests, f"a mapping with some of {', '.join(known)}")
    for key in tests:
        if key not in known:
            _refuse(f"tests.{key}", tests[key], f"no field; those of tests are {', '.join(known)}")
    paths, python = tests.get("paths", ()), tests.get("python")
    if isinstance(paths, str) or not isinstance(paths, Sequence) or not all(isinstance(one, str) for one in paths):
        _refuse("tests.paths", paths, 'a list of files, folders and ids, as ["tests/test_a.py::test_b"]')
    # What begins with a dash would be an option, which may do anything.
    if any(one.startswith("-") or not one for one in paths):
        _refuse("tests.paths", paths, "a list of files, folders and ids, none of which begins with a dash")
    if python is not None and not (isinstance(python, str) and python):
        _refuse("tests.python", python, "an interpreter, as /usr/bin/python3, or None")
    coverage, seconds = tests.get("coverage"), tests.get("timeout", SUITE_SECONDS)
    if coverage is not None and not isinstance(coverage, bool):
        _refuse("tests.coverage", coverage, "True, False or None")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < math.inf:
        _refuse("tests.timeout", seconds, "a number of seconds above 0")
    return Suite(root, tuple(paths), python, coverage, float(seconds))


def _refuse(key: str, value: Any, allowed: str) -> NoReturn:
    shown = repr(value)
    shown = shown if len(shown) <= 200 else f"{shown[:200]}…"
    message = f"{key} of a quality_check is {allowed}, not {shown}"
    raise ConfigError(message, key=key, value=value, allowed=allowed)


def _size(path: str, max_bytes: int) -> int:
    """What a file costs: one that will not be read costs nothing."""
    try:
        size = os.stat(path).st_size
    except (OSError, ValueError):
        return 0
    return 0 if size > max_bytes else size
