"""What decides what a history says: if it stays, so does the history."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from actors.gitrepo.history import HistoryReport
from actors.gitrepo.historybasis import history_basis
from actors.gitrepo.reading import read_history
from actors.gitrepo.repository import open_repository
from actors.review.cache import ReportCache
from actors.review.pasthistory import known_history, remember_history


def git(folder: Path, *arguments: str, name: str = "Ann") -> str:
    identity = ("-c", f"user.name={name}", "-c", f"user.email={name.lower()}@x", "-c", "init.defaultBranch=main")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "sub").mkdir(parents=True)
    git(root, "init", "-q")
    for number in range(4):
        (root / "sub" / "a.py").write_text("x = 1\n" * (number * 5 + 5))
        (root / "b.py").write_text(f"y = {number}\n" * 3)
        git(root, "add", "-A")
        git(root, "commit", "-qm", f"feat: {number}.", name="Ann" if number % 2 else "Bob")
    git(root, "mv", "b.py", "c.py")
    git(root, "commit", "-qam", "moved")
    return root


def read(root: Path) -> HistoryReport:
    return read_history(open_repository(str(root)), complexity=False)


def commit(root: Path) -> None:
    (root / "c.py").write_text("z = 1\n")
    git(root, "commit", "-qam", "more")


EDITS: dict[str, Callable[[Path], object]] = {
    "a commit": commit,
    "an older commit": lambda root: git(root, "checkout", "-q", "HEAD~2"),
    "the mailmap": lambda root: (root / ".mailmap").write_text("Ann <ann@x> Bob <bob@x>\n"),
    "attributes": lambda root: (root / ".gitattributes").write_text("*.py -diff\n"),
    "attributes of a folder": lambda root: (root / "sub" / ".gitattributes").write_text("*.py binary\n"),
    "attributes of the repository": lambda root: (
        (root / ".git" / "info").mkdir(exist_ok=True)
        or (root / ".git" / "info" / "attributes").write_text("*.py -diff\n")
    ),
    "where it is cut off": lambda root: (root / ".git" / "shallow").write_text(git(root, "rev-parse", "HEAD~1") + "\n"),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=list(EDITS))
def test_what_changes_the_history_changes_its_basis(tree: Path, edit: Callable[[Path], object]) -> None:
    """A1: judged by reading it; each edit changes what is read."""
    before, basis = read(tree), history_basis(str(tree))
    edit(tree)
    assert read(tree) != before and basis is not None and history_basis(str(tree)) != basis


def test_other_work_leaves_the_basis_as_it_is(tree: Path, tmp_path: Path) -> None:
    """A1: edits, branches and remotes; a clone elsewhere has the same."""
    basis = history_basis(str(tree))
    (tree / "c.py").write_text("edited\n")
    git(tree, "branch", "other")
    git(tree, "config", "branch.other.description", "x")
    git(tree, "config", "remote.origin.url", "nowhere")
    assert history_basis(str(tree / "sub")) == history_basis(str(tree)) == basis
    git(tree, "worktree", "add", "-q", str(tmp_path / "worktree"))
    assert read(tmp_path / "worktree") == read(tree)


@pytest.mark.parametrize("edit", ["mailmap.file", "mailmap.blob"])
def test_settings_that_point_elsewhere_leave_no_basis(tree: Path, edit: str) -> None:
    """A1: what lies there may change unseen."""
    git(tree, "config", edit, "somewhere")
    assert history_basis(str(tree)) is None


def test_without_commits_or_repository_there_is_no_basis(tmp_path: Path) -> None:
    """A1: nothing to keep."""
    assert history_basis(str(tmp_path)) is None
    git(tmp_path, "init", "-q")
    assert history_basis(str(tmp_path)) is None


def test_a_history_comes_back_as_it_was(tree: Path, tmp_path: Path) -> None:
    """A1: every field, by way of JSON, and by way of the cache; damage costs time alone."""
    (tree / os.fsdecode(b"\xff.py")).write_text("x = 1\n")
    git(tree, "add", "-A")
    git(tree, "commit", "-qm", "a name that is no text, in a subject that goes on for longer than it should, and ends.")
    report = read(tree)
    assert HistoryReport.from_dict(json.loads(json.dumps(report.to_dict()))) == report
    assert report.messages.examples and report.files and report.authors
    cache = ReportCache(str(tmp_path / "cache"))
    nothing, key = known_history(cache, str(tree))
    assert nothing is None and key
    assert remember_history(cache.folder, str(tree), key, report) == ""
    assert known_history(cache, str(tree)) == (report, key)
    for body in ("{}", "[]", "null", '{"files": 1}', '"x"', "{"):
        cache.keep({key: body})
        assert known_history(cache, str(tree)) == (None, key)
    commit(tree)
    assert remember_history(cache.folder, str(tree), key, report) == ""
    assert known_history(cache, str(tree))[0] is None
