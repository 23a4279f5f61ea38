"""A suite of tests: pytest in the target's own environment, watched from outside."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
import tomllib
from collections.abc import Callable
from configparser import ConfigParser, Error
from dataclasses import dataclass
from typing import Any

from actors.errors import CommandFailed
from actors.platforms import signal_name
from actors.quality.command import Ended, Run
from actors.quality.finding import Coverage, Finding, QualityReport, Skip
from actors.quality.suitelog import SuiteLog, read_log

__all__ = ["SUITE_SECONDS", "Suite", "python_of", "run_suite"]

SUITE_SECONDS = 600.0
"""Within which a suite must end when nobody says otherwise."""

_PROBE = "actors_suite_probe"
_ASK = (
    "import importlib.util as u, json; print(json.dumps([n for n in ('pytest', 'coverage', 'pytest_cov') "
    "if u.find_spec(n)]))"
)
_ASK_SECONDS = 60.0
_COVERAGE_SECONDS = 300.0
_OUTPUT = 256 * 1024
_TOLD = 2000
_USAGE, _NO_TESTS = 4, 5


@dataclass(frozen=True, slots=True)
class Suite:
    """What is to run.

    Args:
        root: the folder in which pytest runs, absolute.
        tests: files, folders and ids for pytest; none takes what its configuration says.
        python: the interpreter; None takes `.venv` or `venv` of the root, else the one that runs this.
        coverage: measure it; None does so when the tree has a configuration of coverage.py.
        timeout: seconds for the whole suite.
        memory: bytes that the suite may use with all that it starts; it is ended beyond. None is no bound.
    """

    root: str
    tests: tuple[str, ...] = ()
    python: str | None = None
    coverage: bool | None = None
    timeout: float = SUITE_SECONDS
    memory: int | None = None


def python_of(root: str, named: str | None = None) -> str:
    """The interpreter whose environment a tree's tests run in: the named one, the tree's own, or the one of this."""
    if named is not None:
        return named
    for folder in (".venv", "venv"):
        path = os.path.join(root, folder, "bin", "python")
        if os.access(path, os.X_OK):
            return path
    return sys.executable


def run_suite(suite: Suite, run: Run, told: Callable[[int, int | None], object] | None = None) -> QualityReport:
    """Run a suite and report each of its tests.

    Nothing is written into the tree but by the tests themselves. A suite that hangs is ended with all that it started,
    one that crashes keeps what it had done, and processes that it leaves behind are ended and reported.

    Args:
        suite: what to run.
        run: what runs commands.
        told: called with how many tests have ended and how many there are, None as long as that is not known.
    """
    python = python_of(suite.root, suite.python)
    try:
        asked = run([python, "-c", _ASK], cwd=suite.root, env=_environment(), timeout=_ASK_SECONDS)
        modules = set(json.loads(asked.stdout)) if asked.code == 0 else set()
    except (CommandFailed, ValueError) as error:
        reason = f"{python} cannot be run: {str(error).partition(chr(10))[0]}"
        return QualityReport(skipped=(Skip("pytest", reason, "name another interpreter as `python`"),))
    if "pytest" not in modules:
        skip = Skip("pytest", f"not installed for {python}", f"{python} -m pip install pytest")
        return QualityReport(skipped=(skip,))
    folder = tempfile.mkdtemp(prefix="actors-suite-")
    try:
        return _Trial(suite, run, python, modules, folder).report(told)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Trial:
    """One run of a suite."""

    def __init__(self, suite: Suite, run: Run, python: str, modules: set[str], folder: str) -> None:
        self._suite = suite
        self._run = run
        self._python = python
        self._folder = folder
        self._log = os.path.join(folder, "log")
        self._json = os.path.join(folder, "coverage.json")
        self._data = os.path.join(folder, "coverage")
        wanted = _is_configured(suite.root) if suite.coverage is None else suite.coverage
        self._by_plugin = "pytest_cov" in modules and _plugin_measures(suite.root)
        self._measures = wanted and "coverage" in modules
        self._lacks_coverage = wanted and "coverage" not in modules
        self._marker = f"ACTORS_SUITE_MARKER={secrets.token_hex(16)}"

    def report(self, told: Callable[[int, int | None], object] | None) -> QualityReport:
        probe = os.path.join(os.path.dirname(__file__), "suiteprobe.py")
        shutil.copyfile(probe, os.path.join(self._folder, f"{_PROBE}.py"))
        with open(self._log, "w", encoding="utf-8"):
            pass
        try:
            ended = self._pytest(told)
        finally:
            _end_left(self._marker)
        with open(self._log, encoding="utf-8", errors="replace") as file:
            log = read_log(file, self._suite.root)
        skipped = []
        if isinstance(ended, CommandFailed):
            log.findings.append(_trouble("timeout", self._out_of_time(log)))
            log.fail_running("timeout", f"the suite did not end within {self._suite.timeout:g} s")
        elif not log.ended or ended.code not in {0, 1, _NO_TESTS}:
            self._ended_badly(log, ended)
        elif ended.code == _NO_TESTS:
            skipped.append(Skip("pytest", "there are no tests", "name the tests, or leave the check out"))
        if self._lacks_coverage:
            install = f"{self._python} -m pip install coverage"
            skipped.append(Skip("coverage", f"not installed for {self._python}", install))
        coverage = self._coverage()
        return QualityReport(tuple(log.findings), tuple(log.tests.values()), tuple(skipped), coverage)

    def _pytest(self, told: Callable[[int, int | None], object] | None) -> Ended | CommandFailed:
        command = [self._python, "-m"]
        if self._suite.memory is not None:
            warden = os.path.join(os.path.dirname(__file__), "suitewarden.py")
            command = [sys.executable, "-I", warden, str(self._suite.memory), self._log, *command]
        options = ["-p", _PROBE, "-o", f"cache_dir={self._folder}/cache", "--color=no"]
        if self._by_plugin:
            options.append(f"--cov-report=json:{self._json}")
        elif self._measures:
            command += ["coverage", "run", f"--data-file={self._data}", "-m"]
        progress = _Progress(self._log, told)
        try:
            return self._run(
                [*command, "pytest", *options, *self._suite.tests],
                cwd=self._suite.root,
                env=_environment(self._folder, self._log, self._marker),
                timeout=self._suite.timeout,
                limit=_OUTPUT,
                on_output=progress.look,
            )
        except CommandFailed as error:
            return error

    def _out_of_time(self, log: SuiteLog) -> str:
        planned = "an unknown number of" if log.collected is None else str(log.collected)
        return f"the suite did not end within {self._suite.timeout:g} s: {len(log.tests)} of {planned} tests had ended"

    def _ended_badly(self, log: SuiteLog, ended: Ended) -> None:
        """It crashed, left by itself, or could not begin."""
        last = _last_words(ended)
        how = signal_name(-ended.code) if ended.code < 0 else f"exit code {ended.code}"
        if log.running:
            why = (
                "the suite was ended for its memory" if log.ate_too_much else f"the interpreter ended in it, with {how}"
            )
            log.fail_running("crashed", f"{why}\n{last}")
        if log.ate_too_much:
            return
        if ended.code == _USAGE and log.collected is None:
            log.findings.append(_trouble("suite-failed", f"pytest could not begin: {last}"))
        elif ended.code != 2 or not log.ended or not any(one.rule == "collection-error" for one in log.findings):
            # 2 is also what it ends with when a file could not be collected, which has its own finding.
            log.findings.append(_trouble("suite-failed", f"the suite ended with {how}: {last}"))

    def _coverage(self) -> Coverage | None:
        if self._measures and not self._by_plugin:
            tool = [self._python, "-m", "coverage"]
            options: dict[str, Any] = {"cwd": self._suite.root, "env": _environment(), "timeout": _COVERAGE_SECONDS}
            with contextlib.suppress(CommandFailed):
                # A configuration that says `parallel` gives each process a file of its own.
                if not os.path.exists(self._data):
                    self._run([*tool, "combine", "-q", f"--data-file={self._data}", self._folder], **options)
                self._run([*tool, "json", "-q", "-i", f"--data-file={self._data}", "-o", self._json], **options)
        return _read_coverage(self._json)


class _Progress:
    """Counts the ended tests in the log whenever pytest says something."""

    def __init__(self, log: str, told: Callable[[int, int | None], object] | None) -> None:
        self._log = log
        self._told = told
        self._read = 0
        self._done = 0
        self._planned: int | None = None

    def look(self, _stream: str, _text: str) -> None:
        if self._told is None:
            return
        with open(self._log, "rb") as file:
            file.seek(self._read)
            whole, _, rest = file.read().rpartition(b"\n")
            self._read = file.tell() - len(rest)
        for line in whole.split(b"\n"):
            if b'"kind": "collected"' in line:
                self._planned = json.loads(line)["count"]
            elif b'"when": "teardown"' in line:
                self._done += 1
        self._told(self._done, self._planned)


def _environment(folder: str | None = None, log: str | None = None, marker: str | None = None) -> dict[str, str]:
    """The agent's environment without what another run of pytest or coverage, or another environment, left in it."""
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_XDIST", "COV_CORE_", "COVERAGE_"))
        and name not in {"PYTEST_CURRENT_TEST", "VIRTUAL_ENV", "PYTHONHOME", "FORCE_COLOR"}
    }
    env |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}
    if folder is not None and log is not None and marker is not None:
        path = env.get("PYTHONPATH")
        env["PYTHONPATH"] = f"{folder}{os.pathsep}{path}" if path else folder
        # What its tests write into `tmp_path` goes with the folder.
        env["PYTEST_DEBUG_TEMPROOT"] = folder
        env["ACTORS_SUITE_LOG"] = log
        name, _, value = marker.partition("=")
        env[name] = value
    return env


def _end_left(marker: str) -> None:
    """End what the suite left behind, also what is no longer in its process group."""
    for pid in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if pid.isdecimal():
            with contextlib.suppress(OSError):
                with open(f"/proc/{pid}/environ", "rb") as file:
                    if marker.encode() not in file.read():
                        continue
                os.kill(int(pid), signal.SIGKILL)


def _last_words(ended: Ended) -> str:
    """What it said last; of a crash the stack that faulthandler writes, whose first lines tell the most."""
    text = ended.stderr.strip() or ended.stdout.strip()
    start = text.rfind("Fatal Python error")
    return text[start : start + _TOLD] if start >= 0 else text[-_TOLD:]


def _trouble(rule: str, message: str) -> Finding:
    return Finding("pytest", rule, "error", ".", None, None, None, message, kind="test")


def _is_configured(root: str) -> bool:
    """Whether a tree says how coverage.py is to measure it."""
    if os.path.isfile(os.path.join(root, ".coveragerc")):
        return True
    return "coverage" in _tools(root) or any(
        section.startswith("coverage:") for name in ("setup.cfg", "tox.ini") for section in _ini(root, name).sections()
    )


def _plugin_measures(root: str) -> bool:
    """Whether pytest's own options have the plugin pytest-cov measure it."""
    options = str(_tools(root).get("pytest", {}).get("ini_options", {}).get("addopts", ""))
    for name, section in (("pytest.ini", "pytest"), ("setup.cfg", "tool:pytest"), ("tox.ini", "pytest")):
        options += " " + _ini(root, name).get(section, "addopts", fallback="")
    return "--cov" in options


def _tools(root: str) -> dict[str, Any]:
    try:
        with open(os.path.join(root, "pyproject.toml"), "rb") as file:
            tools = tomllib.load(file).get("tool", {})
    except (OSError, ValueError):
        return {}
    return tools if isinstance(tools, dict) else {}


def _ini(root: str, name: str) -> ConfigParser:
    parser = ConfigParser(interpolation=None, strict=False)
    with contextlib.suppress(Error, OSError, ValueError):
        parser.read(os.path.join(root, name), encoding="utf-8")
    return parser


def _read_coverage(path: str) -> Coverage | None:
    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
        totals = data["totals"]
        files = {name: float(one["summary"]["percent_covered"]) for name, one in data["files"].items()}
        return Coverage(
            float(totals["percent_covered"]), int(totals["num_statements"]), int(totals["missing_lines"]), files
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
