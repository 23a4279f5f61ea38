"""Finding the source files of a tree."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from actors.review.discover import discover


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x = 1\n")


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=A", "-c", "user.email=a@b.c", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, timeout=30)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    root.mkdir()
    git(root, "init", "-q")
    (root / ".gitignore").write_text("ignored/\n*.gen.py\n")
    write(root, "a.py", "pkg/b.c", "pkg/made.gen.py", "ignored/c.py", "readme.txt", "new.rs")
    git(root, "add", "a.py", "pkg", ".gitignore")
    git(root, "commit", "-qm", "first")
    return root


def test_what_git_ignores_is_left_out_and_what_is_new_is_not(checkout: Path) -> None:
    """A1: tracked and untracked files, but no ignored ones."""
    found = discover(str(checkout))
    assert found.method == "git"
    assert found.files == ("a.py", "new.rs", "pkg/b.c")
    assert found.root == str(checkout)


def test_a_folder_inside_a_checkout_follows_its_rules(checkout: Path) -> None:
    """A1: the ignore rules of the folders above hold, and paths are from the folder."""
    found = discover(str(checkout / "pkg"))
    assert (found.method, found.files) == ("git", ("b.c",))


def test_an_ignored_folder_that_is_named_is_walked(checkout: Path) -> None:
    """A1: who asks for an ignored folder gets it reviewed, and is told."""
    found = discover(str(checkout / "ignored"))
    assert (found.method, found.files) == ("walk", ("c.py",))
    assert "ignored by git" in found.notes[0]


def test_deleted_files_are_not_listed_and_tracked_ignored_ones_are(checkout: Path) -> None:
    """A1: what is on disk and git's own counts."""
    (checkout / "a.py").unlink()
    git(checkout, "add", "-f", "pkg/made.gen.py")
    assert discover(str(checkout)).files == ("new.rs", "pkg/b.c", "pkg/made.gen.py")


def test_checkouts_inside_a_checkout_have_rules_of_their_own(checkout: Path) -> None:
    """A1: submodules and untracked clones are searched too, each path once."""
    inner = checkout / "inner"
    inner.mkdir()
    git(inner, "init", "-q")
    (inner / ".gitignore").write_text("skip.py\n")
    write(inner, "take.py", "skip.py")
    git(inner, "add", "take.py")
    git(inner, "commit", "-qm", "first")
    assert "inner/take.py" in discover(str(checkout)).files
    git(checkout, "add", "inner")
    found = discover(str(checkout)).files
    assert found.count("inner/take.py") == 1
    assert "inner/skip.py" not in found


def test_a_folder_of_checkouts_follows_the_rules_of_each(checkout: Path) -> None:
    """A1: the root need not be a checkout."""
    write(checkout.parent, "loose.py", "node_modules/x.js")
    found = discover(str(checkout.parent))
    assert found.method == "walk"
    assert found.files == ("checkout/a.py", "checkout/new.rs", "checkout/pkg/b.c", "loose.py")


def test_a_repository_cannot_have_a_program_run(checkout: Path, tmp_path: Path) -> None:
    """I4: git runs no hooks, nor the monitor that a repository's configuration names."""
    trace = tmp_path / "ran"
    monitor = tmp_path / "monitor"
    monitor.write_text(f"#!/bin/sh\ntouch {trace}\n")
    monitor.chmod(0o755)
    git(checkout, "config", "core.fsmonitor", str(monitor))
    assert discover(str(checkout)).files == ("a.py", "new.rs", "pkg/b.c")
    assert not trace.exists()


def test_variables_that_point_git_elsewhere_do_not_count(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A1: as inside a hook, where GIT_DIR is another repository's."""
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nonexistent")
    assert discover(str(checkout)).files == ("a.py", "new.rs", "pkg/b.c")


def test_without_git_the_usual_folders_are_skipped_and_listed(tmp_path: Path) -> None:
    """A1: works without git."""
    write(tmp_path, "a.py", "venv/mod.py", "node_modules/b.js", "__pycache__/c.py", "env/lib/d.py", "build/e.go")
    (tmp_path / "env" / "pyvenv.cfg").write_text("")
    found = discover(str(tmp_path))
    assert (found.method, found.files) == ("walk", ("a.py", "build/e.go", "venv/mod.py"))
    assert {(one.path, one.reason) for one in found.left_out} == {
        ("node_modules", "folder"),
        ("__pycache__", "folder"),
        ("env", "virtual environment"),
    }


def test_it_works_where_git_is_not_installed(checkout: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A1: a note says so."""
    monkeypatch.setenv("PATH", str(tmp_path))
    found = discover(str(checkout))
    assert found.method == "walk"
    assert "ignored/c.py" in found.files
    assert "git is not installed" in found.notes[0]


@pytest.mark.timeout(20)
def test_links_are_not_followed_and_broken_ones_are_listed(tmp_path: Path) -> None:
    """A1: a symlink loop neither hangs nor doubles; a looping file is there to be reported."""
    write(tmp_path, "pkg/a.py")
    (tmp_path / "pkg" / "up").symlink_to(tmp_path)
    (tmp_path / "same.py").symlink_to(tmp_path / "pkg" / "a.py")
    (tmp_path / "loop.py").symlink_to("loop.py")
    (tmp_path / "gone.py").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe.py")
    found = discover(str(tmp_path))
    assert found.files == ("gone.py", "loop.py", "pipe.py", "pkg/a.py")
    assert {one.path for one in found.left_out if one.reason == "link"} == {"pkg/up", "same.py"}


def test_names_that_are_no_text_are_found(checkout: Path) -> None:
    """A1: with line feeds, quotes and bytes that are no UTF-8, from git as from a walk."""
    names = ["line\nfeed.py", "quo\"te'.py", os.fsdecode(b"caf\xe9.py"), "-n.py"]
    write(checkout, *names)
    assert set(names) <= set(discover(str(checkout)).files)
    shutil.rmtree(checkout / ".git")
    found = discover(str(checkout))
    assert set(names) <= set(found.files)
    json.dumps(found.to_dict())


def test_a_single_file_is_its_own_tree(tmp_path: Path) -> None:
    """A1: `actors review file.py`."""
    write(tmp_path, "a.py")
    found = discover(str(tmp_path / "a.py"))
    assert (found.root, found.files, found.method) == (str(tmp_path), ("a.py",), "file")


def test_what_is_no_tree_is_refused_with_a_reason(tmp_path: Path) -> None:
    """A1: bad input gets a clear error."""
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(FileNotFoundError, match="nothing at"):
        discover(str(tmp_path / "none"))
    with pytest.raises(FileNotFoundError, match="got an empty path"):
        discover("")
    with pytest.raises(NotADirectoryError, match="expected a folder or a file in a language"):
        discover(str(tmp_path / "a.txt"))
    assert discover(str(tmp_path)).files == ()


def test_the_standard_library_is_found_as_find_finds_it() -> None:
    """A1: as many files as an independent count."""
    root = os.path.dirname(os.__file__)
    command = ["find", root, "-name", "site-packages", "-prune", "-o", "-type", "f", "-name", "*.py", "-print0"]
    listed = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout.count(b"\0")
    assert sum(name.endswith(".py") for name in discover(root).files) == listed
