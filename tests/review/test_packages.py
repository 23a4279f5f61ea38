"""Large packages as pip installs them, and this project, against counts that are made without the review."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from actors.review.discover import discover
from actors.review.outcome import Outcome
from tests.gitrepo.made import Made
from tests.review.independent import (
    PYTHON,
    commits_of,
    counted,
    dependencies,
    found_by_hand,
    sources,
    with_history,
)
from tests.review.trees import REPOSITORY, whole_review

PACKAGES = {"django": "django==5.1.4", "sqlalchemy": "sqlalchemy==2.0.36", "numpy": "numpy==2.1.3"}


def unpacked(name: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    done = subprocess.run(
        [*command, "--dest", str(folder), PACKAGES[name]], capture_output=True, text=True, check=False, timeout=240
    )
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        pytest.skip(f"pip cannot bring {PACKAGES[name]}: {done.stderr.strip().splitlines()[-1:]}")
    with zipfile.ZipFile(wheels[0]) as wheel:
        wheel.extractall(folder / "tree")
    return folder / "tree" / name


def cloned(folder: Path) -> Path | None:
    """This project with its history, as far as it is here; a clone, as somebody may be at work on it."""
    command = ["git", "clone", "-q", "--no-local", str(REPOSITORY), str(folder)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=120)
    return folder if done.returncode == 0 else None


@pytest.fixture(scope="module", params=["this project", *PACKAGES])
def reviewed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Made, Outcome]:
    """The folder, the repository around it, and the review with checks and history."""
    folder = tmp_path_factory.mktemp("package")
    if request.param == "this project":
        clone = cloned(folder / "clone")
        if clone is None:
            ignored = shutil.ignore_patterns("__pycache__", ".*")
            clone = Path(shutil.copytree(REPOSITORY, folder / "clone", ignore=ignored))
            with_history(clone)
        root, made = clone, Made(clone)
    else:
        root = unpacked(request.param, folder)
        made = with_history(root.parent)
    return root, made, whole_review(discover(str(root)), request.param)


pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


def test_files_lines_functions_and_imports_are_those_of_an_independent_count(
    reviewed: tuple[Path, Made, Outcome],
) -> None:
    """A1: files, lines, bytes, functions, classes, imports."""
    root, _, outcome = reviewed
    paths = sources(root)
    expected = counted(root, paths)
    code = outcome.code
    assert outcome.complete
    assert {one.path: (one.bytes, one.lines) for one in code.files} == {
        path: (one["bytes"], one["lines"]) for path, one in expected.items()
    }
    assert code.totals.files == len(paths) >= 100
    parsed = {path: one for path, one in expected.items() if "functions" in one}
    assert {one.path: one.functions for one in code.files if one.path in parsed} == {
        path: one["functions"] for path, one in parsed.items()
    }
    python = dict(code.languages)["python"]
    if all("functions" in one for path, one in expected.items() if path.endswith(PYTHON)):
        assert python.classes == sum(one["classes"] for one in parsed.values())
        assert python.imports == sum(one["imports"] for one in parsed.values())


def test_complexity_is_that_of_radon(reviewed: tuple[Path, Made, Outcome]) -> None:
    """A1: of the functions that stand out one by one, and of files whose functions radon counts alike in sum."""
    root, _, outcome = reviewed
    expected = counted(root, sources(root))
    theirs = {(path, line): one for path, each in expected.items() for line, one in each.get("radon", {}).items()}
    hot = [one for one in outcome.code.risky_functions if (one.path, one.line) in theirs]
    assert {(one.path, one.line): one.complexity for one in hot} == {
        (one.path, one.line): theirs[one.path, one.line] for one in hot
    }
    alike = [
        one for one in outcome.code.files if one.functions and one.functions == len(expected[one.path].get("radon", {}))
    ]
    assert {one.path: one.complexity for one in alike} == {
        one.path: sum(expected[one.path]["radon"].values()) for one in alike
    }
    assert hot and len(alike) >= 50


def test_the_graph_is_that_of_the_imports(reviewed: tuple[Path, Made, Outcome]) -> None:
    """A1: which file needs which, by the parser's own tree of the imports."""
    root, _, outcome = reviewed
    package = root.name if (root / "__init__.py").exists() else ""
    if not package:
        pytest.skip("the dependencies of a project's parts are those of several packages")
    ours = {(one.source, one.target) for one in outcome.code.graph.edges if one.source.endswith(PYTHON)}
    theirs = dependencies(root, package)
    assert (ours - theirs, theirs - ours) == (set(), set())
    assert len(theirs) > 1000


def test_findings_are_those_of_the_tools_run_by_hand(reviewed: tuple[Path, Made, Outcome]) -> None:
    """A1: ruff, bandit and shellcheck, each started in the folder as people do."""
    root, _, outcome = reviewed
    ours = {
        (one.tool, one.rule, one.path, one.line)
        for one in outcome.assessment.findings
        if one.tool in {"ruff", "bandit", "shellcheck"} and one.rule != "not-checked"
    }
    theirs = found_by_hand(root)
    assert (ours - theirs, theirs - ours) == (set(), set())
    assert len(theirs) > 100


def test_commits_people_and_churn_are_those_of_git_log(reviewed: tuple[Path, Made, Outcome]) -> None:
    """A1: in all, by author and by file."""
    root, made, outcome = reviewed
    history = outcome.assessment.history
    assert history is not None
    below = "" if root == made.folder else f"{root.name}/"
    people, files, merges = commits_of(made, below)
    assert {one.author: one.commits for one in history.people} == people
    assert (history.commits, history.merges) == (sum(people.values()), merges)
    if history.shallow:
        pytest.skip("the clone is shallow: git log counts the whole tree as new where it ends")
    known = {one.path: one for one in outcome.code.files}
    ours = {one.path: (one.commits, one.authors, one.churn) for one in history.files if one.path in files}
    assert ours == {path: counts for path, counts in files.items() if path in known}
    for one in history.files:
        assert one.complexity == known[one.path].complexity and one.hot_spot == one.churn * one.complexity
    assert len(ours) > 100
