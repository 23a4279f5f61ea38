"""Tests of a tree: each has its outcome, whatever the suite does."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest

from actors.quality.finding import QualityReport
from actors.quality.suite import Suite, python_of, run_suite
from actors.worker import Worker

run = Worker().run


def suite(root: Path, text: str, **options: Any) -> QualityReport:
    (root / "test_it.py").write_text(text)
    if not (root / "pytest.ini").exists():
        (root / "pytest.ini").write_text("[pytest]\n")
    return run_suite(Suite(str(root), **{"timeout": 40.0, "python": sys.executable, **options}), run)


def outcomes(report: QualityReport) -> dict[str, str]:
    return {one.test.partition("::")[2]: one.outcome for one in report.tests}


def test_each_test_has_its_outcome_duration_place_and_text(tmp_path: Path) -> None:
    """A1: results per test with durations, failures with their text."""
    report = suite(
        tmp_path,
        "import pytest, time\n"
        "def test_good():\n    time.sleep(0.05)\n"
        "def test_bad():\n    print('said')\n    assert 1 == 2, 'not so'\n"
        "@pytest.mark.skip(reason='later')\ndef test_skipped(): pass\n"
        "@pytest.mark.xfail(reason='known')\ndef test_xfail(): assert 0\n"
        "@pytest.mark.xfail\ndef test_xpass(): pass\n"
        "@pytest.fixture\ndef broken(): raise OSError('no disk')\n"
        "def test_error(broken): pass\n"
        "@pytest.fixture\ndef leaky():\n    yield\n    raise ValueError('left')\n"
        "def test_teardown(leaky): pass\n",
    )
    assert outcomes(report) == {
        "test_good": "passed",
        "test_bad": "failed",
        "test_skipped": "skipped",
        "test_xfail": "xfailed",
        "test_xpass": "xpassed",
        "test_error": "error",
        "test_teardown": "error",
    }
    tests = {one.test.partition("::")[2]: one for one in report.tests}
    assert (
        tests["test_good"].seconds >= 0.05 and tests["test_good"].path == "test_it.py" and tests["test_good"].line == 2
    )
    assert "assert 1 == 2" in tests["test_bad"].text and "said" in tests["test_bad"].text
    assert tests["test_skipped"].text == "later" and tests["test_xfail"].text == "known"
    findings = {one.message.partition(":")[0]: one for one in report.findings}
    assert sorted(findings) == ["test_bad", "test_error", "test_teardown"]
    assert (findings["test_bad"].rule, findings["test_bad"].severity) == ("test-failed", "error")
    assert (findings["test_bad"].path, findings["test_bad"].line, findings["test_bad"].kind) == (
        "test_it.py",
        4,
        "test",
    )
    assert "not so" in findings["test_bad"].message
    assert report.skipped == ()


@pytest.mark.slow
def test_the_counts_are_those_of_pytest_by_hand_on_tests_of_this_project() -> None:
    """Done 1: findings against the tools run by hand."""
    root = Path(__file__).parents[2]
    paths = ("tests/workers/test_batches.py", "tests/analysis/test_languages.py")
    report = run_suite(Suite(str(root), paths, sys.executable, coverage=False), run)
    said = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider", *paths],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    ids = [line for line in said.splitlines() if "::" in line]
    assert [one.test for one in report.tests] == ids and len(ids) > 10
    assert {one.outcome for one in report.tests} == {"passed"} and report.findings == ()


@pytest.mark.parametrize("memory", [None, 1 << 30])
def test_a_suite_that_crashes_its_interpreter_keeps_what_it_had_done(tmp_path: Path, memory: int | None) -> None:
    """A1: contained and reported, with the signal and what the interpreter said last."""
    report = suite(
        tmp_path,
        "import os, signal\n"
        "def test_before(): pass\n"
        "def test_crash(): os.kill(os.getpid(), signal.SIGSEGV)\n"
        "def test_after(): pass\n",
        memory=memory,
    )
    assert outcomes(report) == {"test_before": "passed", "test_crash": "crashed"}
    crash = report.tests[1]
    assert "SIGSEGV" in crash.text and "test_crash" in crash.text
    assert {one.rule for one in report.findings} == {"test-crashed", "suite-failed"}


def test_a_suite_that_exits_by_itself_is_reported(tmp_path: Path) -> None:
    """A1: also without a signal."""
    report = suite(tmp_path, "import os\ndef test_exit(): os._exit(0)\n")
    assert outcomes(report) == {"test_exit": "crashed"}
    assert "exit code 0" in report.tests[0].text


def test_a_suite_that_takes_too_much_memory_is_ended(tmp_path: Path) -> None:
    """A1: with what a child of it takes; its bound may be named."""
    text = (
        "import subprocess, sys\n"
        "def test_fine(): pass\n"
        "def test_eat():\n"
        "    code = 'held = []\\nwhile True: held.append(bytearray(1 << 20))'\n"
        "    subprocess.run([sys.executable, '-c', code])\n"
    )
    report = suite(tmp_path, text, memory=200 << 20)
    assert outcomes(report) == {"test_fine": "passed", "test_eat": "crashed"}
    assert "for its memory" in report.tests[1].text
    assert sorted(one.rule for one in report.findings) == ["out-of-memory", "test-crashed"]


@pytest.mark.slow
def test_a_suite_that_hangs_is_ended_and_the_test_named(tmp_path: Path) -> None:
    """A1: a suite that hangs is contained and reported."""
    report = suite(tmp_path, "import time\ndef test_fine(): pass\ndef test_hang(): time.sleep(600)\n", timeout=5)
    assert outcomes(report) == {"test_fine": "passed", "test_hang": "timeout"}
    (whole,) = (one for one in report.findings if one.rule == "timeout")
    assert "1 of 2 tests had ended" in whole.message


def test_processes_that_a_suite_leaves_are_ended_and_reported(tmp_path: Path) -> None:
    """A1: a suite that spawns processes, also detached ones, is contained and reported."""
    report = suite(
        tmp_path,
        "import subprocess\n"
        "def test_leave():\n"
        "    one = subprocess.Popen(['sleep', '611'], start_new_session=True)\n"
        "    two = subprocess.Popen(['sleep', '612'])\n"
        f"    open({str(tmp_path / 'pids')!r}, 'w').write(f'{{one.pid}} {{two.pid}}')\n",
    )
    assert outcomes(report) == {"test_leave": "passed"}
    (left,) = report.findings
    assert left.rule == "processes-left" and "2 processes" in left.message
    assert "sleep 611" in left.message and "sleep 612" in left.message
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    _, alive = psutil.wait_procs([psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)], timeout=5)
    assert [one for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []


def test_a_file_that_cannot_be_collected_is_a_finding(tmp_path: Path) -> None:
    """A1: with its error; the rest of the files is not lost sight of."""
    (tmp_path / "test_broken.py").write_text("import no_such_module_here\n")
    report = suite(tmp_path, "def test_fine(): pass\n")
    (found,) = report.findings
    assert (found.rule, found.path) == ("collection-error", "test_broken.py")
    assert "no_such_module_here" in found.message


def test_wrong_options_of_the_tree_are_a_finding(tmp_path: Path) -> None:
    """The finding has pytest's own words."""
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    (found,) = suite(tmp_path, "def test_fine(): pass\n").findings
    assert found.rule == "suite-failed" and "--no-such-option" in found.message


def test_no_tests_are_told_of(tmp_path: Path) -> None:
    """Never silently."""
    report = suite(tmp_path, "\n")
    assert [(skip.tool, skip.reason) for skip in report.skipped] == [("pytest", "there are no tests")]
    assert report.findings == ()


def test_nothing_is_left_in_the_tree(tmp_path: Path) -> None:
    """A check leaves no caches; also not outside."""
    suite(tmp_path, "def test_fine(): pass\n", coverage=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pytest.ini", "test_it.py"]


@pytest.mark.slow
def test_coverage_is_measured_where_it_is_configured(tmp_path: Path) -> None:
    """A1: coverage when configured, equal to what coverage.py says by hand; also with a file for each process."""
    assert suite(tmp_path, "def test_fine(): pass\n").coverage is None
    (tmp_path / "lib.py").write_text("def f(a):\n    if a:\n        return 1\n    return 2\n")
    text = "import lib\ndef test_f(): assert lib.f(1) == 1\n"
    for config in (
        "[run]\nsource = .\nomit = test_*\n",
        "[run]\nparallel = true\nsource = .\nomit = test_*\n",
    ):
        (tmp_path / ".coveragerc").write_text(config)
        coverage = suite(tmp_path, text).coverage
        assert coverage is not None
        assert (coverage.statements, coverage.missing, dict(coverage.files)) == (4, 1, {"lib.py": 75.0})
        assert coverage.percent == 75.0
    assert not list(tmp_path.glob(".coverage.*")) and not (tmp_path / ".coverage").exists()


def test_the_trees_own_environment_is_taken(tmp_path: Path) -> None:
    """A1: its .venv before ours, the one that is named before both; one without pytest is told of."""
    assert python_of(str(tmp_path)) == sys.executable
    venv.create(tmp_path / ".venv", with_pip=False, symlinks=True)
    own = str(tmp_path / ".venv" / "bin" / "python")
    assert python_of(str(tmp_path)) == own
    assert python_of(str(tmp_path), sys.executable) == sys.executable
    (tmp_path / "test_it.py").write_text("def test_fine(): pass\n")
    (skip,) = run_suite(Suite(str(tmp_path)), run).skipped
    assert skip.install == f"{own} -m pip install pytest"
    (skip,) = run_suite(Suite(str(tmp_path), python="/no/such/python"), run).skipped
    assert "cannot be run" in skip.reason


@pytest.mark.slow
def test_tests_in_parallel_are_each_told_once(tmp_path: Path) -> None:
    """A1: a suite that runs on pytest-xdist, whose workers tell the program that we listen to."""
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -n 2\n")
    text = "import pytest\n@pytest.mark.parametrize('n', range(6))\ndef test_n(n): assert n != 3\n"
    report = suite(tmp_path, text)
    assert Counter(one.outcome for one in report.tests) == {"passed": 5, "failed": 1}


def test_progress_counts_the_tests(tmp_path: Path) -> None:
    """A1: how far the suite is."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text("def test_a(): pass\ndef test_b(): pass\n")
    told: list[tuple[int, int | None]] = []
    run_suite(Suite(str(tmp_path), python=sys.executable), run, lambda done, planned: told.append((done, planned)))
    assert told[-1] == (2, 2)
    assert os.listdir(tmp_path)
