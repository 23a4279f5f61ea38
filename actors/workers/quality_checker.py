"""The worker that lints, tests and looks for what is insecure."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, NoReturn

from actors.config import Limits
from actors.core.partplan import Item, Part, PartPlan
from actors.core.rates import Rate, Rates
from actors.quality.check import FILE_TOOLS, TOOLS_OF, check_files, check_pins, seconds_of, tools_for
from actors.quality.command import Run
from actors.quality.finding import Finding, QualityReport
from actors.quality.secrethistory import scan_history, without_repeats
from actors.quality.suite import SUITE_SECONDS, Suite, run_suite
from actors.quality.target import MAX_BYTES, worth_checking
from actors.worker import Level, Worker, task
from actors.workers.globs import expand
from actors.workers.refusal import refuse_field
from actors.workers.sharing import Sharing, Work, first_line, options_of

if TYPE_CHECKING:
    from actors.future import TaskFuture

__all__ = ["DEFAULT_PATHS", "QualityChecker"]

DEFAULT_PATHS: Final = ("**/*", "**/.*", ".github/**/*", ".circleci/**/*")
"""What is checked when nobody says: all files, also hidden ones such as `.env`, and the folders of CI."""

_CHECKS: Final = ("lint", "test", "security")
# To look at a file at all takes what so many bytes take.
_FILE_COST = 1024
# What is not divided, such as a suite, is thought to take so long: longer than other parts, so that it goes first.
_WHOLE_SECONDS = 30.0
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

    @cached_property
    def _sharing(self) -> Sharing[QualityReport]:
        return Sharing(self)

    @cached_property
    def _rates(self) -> Rates:
        """What this agent has learned of all trees that it divided, by the tools that look at a file."""
        rates = Rates(Rate(0.0, 1e-6))
        for kind in _TOOL_OF:
            rates.expect(kind, Rate(0.0, 1.0))
        return rates

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

        More files than a task's worth are divided by what was measured, and the parts are sub-tasks for all agents of
        this type, as are the tests and the history; a part that fails is tried again in pieces.

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
        whole: dict[str, tuple[tuple[Any, ...], float]] = {}
        if "test" in checks:
            whole["tests"] = (folder, dict(tests or {})), suite.timeout + _GRACE
        if history and "security" in checks:
            whole["history"] = (folder,), _HISTORY_SECONDS + _GRACE
        if osv is not None and "security" in checks:
            whole["pins"] = (files, folder, osv, max_bytes), _PART_SECONDS
        items = [Item(kind, _WHOLE_SECONDS, kind) for kind in whole]
        for path in files if chosen else ():
            cost = _size(os.path.join(folder, path), max_bytes) + _FILE_COST
            items.append(Item(path, cost, self._kind(path, chosen)))
        plan = PartPlan(items, 1, self._rates)
        if self.agent_id and not whole and plan.is_short():
            return self._check_files(files, folder, chosen, max_bytes, self.progress)
        plan.agents = self._sharing.agents()
        work = self._work(folder, chosen, max_bytes, whole)
        reports = [
            QualityReport((_lost(part, result),)) if isinstance(result, Exception) else result
            for part, result in self._sharing.carry_out(plan, work)
        ]
        return without_repeats(QualityReport.joined(reports))

    @task(type="quality_check.files", timeout=_PART_SECONDS)
    def files(self, paths: Sequence[str], root: str, tools: Sequence[str], max_bytes: int = MAX_BYTES) -> QualityReport:
        """Check some files with some tools, in this agent. Arguments and errors are those of `check`."""
        self._sharing.begins()
        folder = _checked_root(root)
        _check_fields(("lint",), tools, False, None, max_bytes)  # noqa: FBT003 - as the fields stand in the data
        names = expand(paths, folder, keep=worth_checking)
        return self._check_files(names, folder, tools, max_bytes, self.progress)

    @task(type="quality_check.tests", timeout=math.inf)
    def tests(self, root: str, tests: Mapping[str, Any] | None = None) -> QualityReport:
        """Run the tests of a tree, in this agent. Arguments and errors are those of `check`."""
        self._sharing.begins()
        suite = _checked_suite(tests, _checked_root(root))
        return run_suite(dataclasses.replace(suite, memory=self._memory()), self.run, self._tell_tests)

    @task(type="quality_check.history", timeout=_HISTORY_SECONDS + _GRACE)
    def history(self, root: str) -> QualityReport:
        """Look for secrets in all that was ever committed below a folder."""
        self._sharing.begins()
        return scan_history(_checked_root(root), self.run, _HISTORY_SECONDS)

    @task(type="quality_check.pins", timeout=_PART_SECONDS)
    def pins(self, paths: Sequence[str], root: str, osv: str, max_bytes: int = MAX_BYTES) -> QualityReport:
        """Look for pinned dependencies with known vulnerabilities. Arguments and errors are those of `check`."""
        self._sharing.begins()
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

    def _work(
        self, root: str, tools: Sequence[str], max_bytes: int, whole: Mapping[str, tuple[tuple[Any, ...], float]]
    ) -> Work[QualityReport]:
        """What is done with the parts. `whole` are the arguments of what is not divided, and its seconds."""

        def submit(part: Part) -> TaskFuture[QualityReport]:
            kind = type(self)
            if part.kind in whole:
                args, seconds = whole[part.kind]
                return self.options(retries=0, timeout=seconds).submit(getattr(kind, part.kind), *args)
            options = self.options(**options_of(part, _PART_SECONDS))
            return options.submit(kind.files, list(part.keys), root, list(tools), max_bytes)

        def here(part: Part, told: Callable[[float, str], None]) -> QualityReport:
            if part.kind not in whole:
                return self._check_files(part.keys, root, tools, max_bytes, told)
            done: QualityReport = getattr(self, part.kind)(*whole[part.kind][0])
            return done

        # A suite may take the agent with it, and what the others take is to be seen.
        return Work(submit, here, apart=whole)

    def _check_files(
        self,
        paths: Sequence[str],
        root: str,
        tools: Sequence[str],
        max_bytes: int,
        told: Callable[[float, str], None],
    ) -> QualityReport:
        run: Run = self.run
        return check_files(paths, root, tools, run, max_bytes=max_bytes, timeout=_TOOL_SECONDS, told=told)

    def _kind(self, path: str, tools: Sequence[str]) -> str:
        """The tools that look at a file: those start once for each part, and have a rate in common."""
        names = tools_for(path, tools)
        kind = " ".join(names)
        if not self._rates.known(kind):
            self._rates.expect(kind, Rate(*seconds_of(names)))
        return kind


_TOOL_OF: Final[dict[str, tuple[str, Literal["lint", "test", "security"]]]] = {
    "tests": ("pytest", "test"),
    "history": ("secrets", "security"),
    "pins": ("osv", "security"),
}


def _lost(part: Part, error: Exception) -> Finding:
    """The finding for a part that ended its agent or passed a limit."""
    tool, about = _TOOL_OF.get(part.kind, ("actors", "lint"))
    path = "." if part.kind in _TOOL_OF else part.keys[0]
    return Finding(tool, "check-failed", "error", path, None, None, None, first_line(error), kind=about)


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
    refuse_field("a quality_check", key, value, allowed)


def _size(path: str, max_bytes: int) -> int:
    """What a file costs: one that will not be read costs nothing."""
    try:
        size = os.stat(path).st_size
    except (OSError, ValueError):
        return 0
    return 0 if size > max_bytes else size
