"""The worker that lints, tests and looks for what is insecure."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from actors.config import AgentConfig, Limits, SystemConfig
from actors.core.taskspec import TaskSpec
from actors.errors import AgentDied, ConfigError
from actors.quality.finding import QualityReport
from actors.system import ActorSystem
from actors.workers.quality_checker import QualityChecker

BAD = "import os\n\n\ndef f(x):\n    assert x\n"
SECRET = "sk_" + "live_" + "aB3dE6gH9kL2nP5rS8tU1wX4"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "bad.py").write_text(BAD)
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "other.py").write_text(BAD)
    (tmp_path / ".env").write_text(f"KEY={SECRET}\n")
    (tmp_path / "run.sh").write_text("#!/bin/sh\necho $x\n")
    (tmp_path / "requirements.txt").write_text("x==1.0\n")
    (tmp_path / "test_it.py").write_text("def test_good(): pass\ndef test_bad():\n    raise ValueError('no')\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


def found(report: QualityReport) -> Counter[tuple[str, str, str]]:
    return Counter((one.tool, one.rule, one.path) for one in report.findings)


EXPECTED = Counter(
    [
        ("ruff", "F401", "src/bad.py"),
        ("shellcheck", "SC2086", "run.sh"),
        ("shellcheck", "SC2154", "run.sh"),
        ("bandit", "B101", "src/bad.py"),
        ("secrets", "stripe-key", ".env"),
    ]
)


def test_a_tree_is_checked_without_an_agent(tree: Path) -> None:
    """A1: linting and security scanning are the default, hidden files too, what others wrote not."""
    assert found(QualityChecker().check(root=str(tree))) == EXPECTED


def test_only_what_is_asked_for_is_done(tree: Path) -> None:
    """A1: checks and tools are chosen by the data."""
    worker = QualityChecker()
    lint = worker.check(root=str(tree), checks=["lint"], tools=["ruff"])
    assert found(lint) == Counter([("ruff", "F401", "src/bad.py")])
    security = worker.check(["src/*.py"], str(tree), ["security"])
    assert found(security) == Counter([("bandit", "B101", "src/bad.py")])
    named = worker.check(["node_modules/other.py"], str(tree), ["security"], ["bandit"])
    assert found(named) == Counter([("bandit", "B101", "node_modules/other.py")])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"paths": "a.py"}, "paths is a list"),
        ({"root": "/no/such/folder"}, "root of a quality_check is an existing folder"),
        ({"root": __file__}, "root of a quality_check"),
        ({"checks": "lint"}, "checks of a quality_check is a list with some of lint, test, security"),
        ({"checks": ["style"]}, "checks of"),
        ({"checks": []}, "checks of"),
        ({"tools": ["pylint"]}, "tools of a quality_check"),
        ({"history": "yes"}, "history of"),
        ({"osv": "/no/such/dump"}, "osv of"),
        ({"max_bytes": 0}, "max_bytes of"),
        ({"tests": ["a"]}, "tests of"),
        ({"tests": {"path": ["a"]}}, r"tests\.path of a quality_check is no field"),
        ({"tests": {"paths": "a"}}, r"tests\.paths of"),
        ({"tests": {"paths": ["--pdb"]}}, r"tests\.paths of .* begins with a dash"),
        ({"tests": {"python": 3}}, r"tests\.python of"),
        ({"tests": {"coverage": 1}}, r"tests\.coverage of"),
        ({"tests": {"timeout": 0}}, r"tests\.timeout of"),
    ],
)
def test_a_wrong_field_names_itself(data: dict[str, Any], words: str) -> None:
    """A1: what was expected and what came."""
    with pytest.raises(ConfigError, match=words):
        QualityChecker().check(**data)


def test_a_field_that_there_is_not_is_an_error_of_the_submission() -> None:
    """A1: before anything runs."""
    with ActorSystem() as system, pytest.raises((ConfigError, TypeError), match="pathes"):
        system.submit_task(TaskSpec(type="quality_check", data={"pathes": ["a.py"]}))


@pytest.mark.slow
def test_lint_tests_security_history_and_pins_in_one_task(tree: Path) -> None:
    """A1: all of it as data; one agent is enough, and what still stands in a file is not told of a second time."""
    for argv in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "one"]):
        subprocess.run(["git", "-c", "user.name=A", "-c", "user.email=a@b.c", *argv], cwd=tree, check=True)
    (tree / "osv.json").write_text(
        '{"id": "GHSA-1", "affected": [{"package": {"ecosystem": "PyPI", "name": "x"}, "versions": ["1.0"]}]}'
    )
    data = {
        "root": str(tree),
        "checks": ["lint", "test", "security"],
        "tests": {"python": sys.executable, "timeout": 50},
        "history": True,
        "osv": str(tree / "osv.json"),
    }
    with ActorSystem({QualityChecker: 1}) as system:
        report = system.submit_task(TaskSpec(type="quality_check", data=data)).result(timeout=55)
    assert found(report) == EXPECTED + Counter(
        [("pytest", "test-failed", "test_it.py"), ("osv", "GHSA-1", "requirements.txt")]
    )
    assert {one.test: one.outcome for one in report.tests} == {
        "test_it.py::test_good": "passed",
        "test_it.py::test_bad": "failed",
    }
    assert all(one.fingerprint for one in report.findings)


@pytest.mark.slow
def test_many_files_are_shared_among_the_agents(tmp_path: Path) -> None:
    """A1: task data takes lists and globs and is split into tasks of sensible size."""
    for number in range(450):
        (tmp_path / f"m{number:03}.py").write_text(BAD)
    with ActorSystem({QualityChecker: 2}) as system:
        data = {"paths": ["*.py"], "root": str(tmp_path), "tools": ["ruff"]}
        report = system.submit_task(TaskSpec(type="quality_check", data=data)).result(timeout=55)
        # The whole, and parts of it.
        assert sum(agent.tasks_done for agent in system.agents()) >= 3
    assert Counter(one.path for one in report.findings) == Counter(f"m{number:03}.py" for number in range(450))


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_suite_that_takes_all_memory_costs_itself_alone(tree: Path) -> None:
    """A1: ended before it reaches the limit of its agent, reported, and the files are checked all the same."""
    (tree / "test_it.py").write_text(
        "def test_eat():\n    held = []\n    while True:\n        held.append(bytearray(1 << 20))\n"
    )
    data = {"root": str(tree), "checks": ["lint", "test"], "tests": {"python": sys.executable, "timeout": 60}}
    config = SystemConfig(agent=AgentConfig(limits=Limits(memory="400M"), grace=1.0))
    with ActorSystem({QualityChecker: 1}, config=config) as system:
        report = system.submit_task(TaskSpec(type="quality_check", data=data)).result(timeout=100)
    assert {one.rule for one in report.findings if one.kind == "test"} == {"out-of-memory", "test-crashed"}
    assert [(one.test, one.outcome) for one in report.tests] == [("test_it.py::test_eat", "crashed")]
    assert ("ruff", "F401", "src/bad.py") in found(report)


def test_a_part_that_costs_its_agent_is_tried_file_by_file(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A1: the file that does it has a finding, the others have theirs."""
    from actors.workers import quality_checker

    real = quality_checker.check_files

    def failing(paths: Any, *args: Any, **kwargs: Any) -> QualityReport:
        if "run.sh" in paths:
            raise AgentDied("it was killed\nstack")
        return real(paths, *args, **kwargs)

    monkeypatch.setattr(quality_checker, "check_files", failing)
    report = QualityChecker().check(root=str(tree), tools=["ruff", "secrets"])
    (lost,) = [one for one in report.findings if one.rule == "check-failed"]
    assert (lost.path, lost.message) == ("run.sh", "AgentDied: it was killed")
    assert ("ruff", "F401", "src/bad.py") in found(report)


def test_importing_the_worker_imports_no_tool() -> None:
    """A1: the program, which only submits, does not pay for what its agents load."""
    code = (
        "import sys, actors.workers.quality_checker; "
        "print([m for m in sys.modules if m.split('.')[0] in ('pytest', 'bandit', 'packaging', 'yaml', 'tree_sitter')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"
