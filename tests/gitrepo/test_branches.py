"""Branches and worktrees, against what git itself says."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.errors import ConfigError
from actors.gitrepo.branches import compare, create_branch, delete_merged, list_branches, local_branch
from actors.gitrepo.errors import GitFailed
from actors.gitrepo.repository import open_repository
from actors.gitrepo.worktrees import add_worktree, list_worktrees, remove_worktree
from tests.gitrepo.made import Made


@pytest.fixture
def grown(tmp_path: Path) -> Made:
    """A clone with `main` (checked out), `done` (merged), `open` (not) and `release/1` (merged), and a remote."""
    origin = Made(tmp_path / "origin")
    origin.commit({"a": "1\n", "b": "1\n"}, "begin")
    origin.git("clone", "-q", ".", str(tmp_path / "grown"))
    made = Made(tmp_path / "grown")
    made.git("config", "user.name", "Ada")
    made.git("config", "user.email", "ada@example.org")
    made.clock = origin.clock
    made.git("checkout", "-q", "-b", "done")
    made.commit({"done": "d\n"}, "done")
    made.git("branch", "release/1")
    made.git("checkout", "-q", "-b", "open", "main")
    made.commit({"open": "o\n"}, "not done")
    made.git("checkout", "-q", "main")
    made.merge("done")
    return made


def opened(made: Made) -> Any:
    return open_repository(made.path)


def fails(what: Callable[[], object]) -> str | None:
    with pytest.raises(GitFailed) as caught:
        what()
    return caught.value.reason


def test_branches_are_those_of_git_with_their_upstreams(grown: Made) -> None:
    """A1: branch management."""
    form = "%(refname:short)|%(objectname)|%(committerdate:unix)|%(HEAD)|%(upstream:short)|%(subject)"
    shown = grown.git("for-each-ref", f"--format={form}", "refs/heads", "refs/remotes/origin/main").splitlines()
    listed = list_branches(opened(grown), merged_into="main")
    assert sorted(
        f"{one.name}|{one.commit}|{one.time:.0f}|{'*' if one.head else ' '}|{one.upstream or ''}|{one.subject}"
        for one in listed
    ) == sorted(shown)
    merged = set(grown.git("branch", "--format=%(refname:short)", "--merged", "main").split())
    assert {one.name for one in listed if one.merged and one.kind == "local"} == merged
    by_name = {one.name: one for one in listed}
    assert (by_name["main"].ahead, by_name["main"].behind, by_name["main"].checked_out) == (2, 0, grown.path)
    assert by_name["open"].checked_out is None and by_name["open"].author == "Ada <ada@example.org>"
    assert {one.kind for one in list_branches(opened(grown), remote=False)} == {"local"}


def test_a_comparison_is_what_git_diff_says(grown: Made) -> None:
    """A1: ahead, behind, and what merging would bring."""
    found = compare(opened(grown), "main", "open")
    behind, ahead = grown.git("rev-list", "--left-right", "--count", "main...open").split()
    assert (found.ahead, found.behind) == (int(ahead), int(behind))
    assert found.merge_base == grown.git("merge-base", "main", "open").strip()
    shown = grown.git("diff", "--numstat", "main...open").split()
    (only,) = found.files
    assert [str(only.added), str(only.removed), only.path] == shown
    assert found.commits == ((grown.id("open"), "not done"),)


def test_a_branch_is_created_without_a_change_of_the_tree(grown: Made) -> None:
    """A1: the tree stays on its branch."""
    made = create_branch(opened(grown), "topic/new", "done")
    assert (made.commit, grown.id("topic/new")) == (grown.id("done"), grown.id("done"))
    assert grown.git("branch", "--show-current").strip() == "main"
    assert fails(lambda: create_branch(opened(grown), "topic/new")) == "exists"
    assert fails(lambda: create_branch(opened(grown), "x", "nowhere")) == "unknown_revision"
    for name in ("a..b", "-x", "HEAD", "x.lock", "a b", "a\nb"):
        assert fails(lambda name=name: create_branch(opened(grown), name)) == "bad_name", name
    with pytest.raises(ConfigError, match="branch is the name"):
        create_branch(opened(grown), None)


def test_merged_branches_are_deleted_and_can_be_brought_back(grown: Made, tmp_path: Path) -> None:
    """A1: delete merged, first as a preview."""
    grown.git("branch", "used", "done")
    grown.git("worktree", "add", "-q", str(tmp_path / "used"), "used")
    before = grown.state()
    preview = delete_merged(opened(grown), keep=["release/*"])
    assert grown.state() == before
    expected = {"done": "would_delete", "main": "kept", "open": "kept", "release/1": "kept", "used": "kept"}
    assert {one.name: one.outcome for one in preview} == expected
    why = {one.name: one.why for one in preview}
    assert "not merged" in why["open"] and "to keep" in why["release/1"] and "checked out" in why["used"]
    (gone,) = [one for one in delete_merged(opened(grown), keep=["release/*"], apply=True) if one.outcome == "deleted"]
    assert grown.git("branch", "--format=%(refname:short)").split() == ["main", "open", "release/1", "used"]
    grown.git("branch", gone.name, gone.commit)
    with pytest.raises(ConfigError, match="keep is a list"):
        delete_merged(opened(grown), keep="main")


def test_a_branch_gets_a_worktree_of_its_own_and_leaves_it(grown: Made, tmp_path: Path) -> None:
    """A1: switch in a worktree of its own."""
    grown.write({"a": "changed by hand\n"})
    hook = grown.folder / ".git" / "hooks" / "post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch '{tmp_path}/ran'\n")
    hook.chmod(0o755)
    folder = tmp_path / "with space" / "open é"
    made = add_worktree(opened(grown), local_branch(opened(grown), "open"), str(folder))
    assert (made.path, made.branch, made.commit, made.main) == (str(folder), "open", grown.id("open"), False)
    assert sorted(os.listdir(folder)) == [".git", "a", "b", "open"]
    assert (grown.folder / "a").read_text() == "changed by hand\n" and not (tmp_path / "ran").exists()
    inside = Made(folder)
    assert inside.git("status", "--porcelain") == ""
    shown = [
        line.split(" ", 1)[1]
        for line in grown.git("worktree", "list", "--porcelain").splitlines()
        if line[:5] == "workt"
    ]
    assert [one.path for one in list_worktrees(opened(inside))] == shown
    assert (
        fails(lambda: add_worktree(opened(grown), local_branch(opened(grown), "open"), str(tmp_path / "x")))
        == "checked_out"
    )
    inside.write({"mine": "not committed\n"})
    assert fails(lambda: remove_worktree(opened(grown), str(folder))) == "dirty"
    (folder / "mine").unlink()
    assert remove_worktree(opened(grown), str(folder)).branch == "open"
    assert not folder.exists() and grown.git("worktree", "prune", "-v", "-n") == ""
    assert [one.main for one in list_worktrees(opened(grown))] == [True]


def test_a_worktree_that_cannot_be_made_leaves_nothing(grown: Made, tmp_path: Path) -> None:
    """A1: the folder of somebody else stays."""
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").write_text("x")
    branch = local_branch(opened(grown), "open")
    assert fails(lambda: add_worktree(opened(grown), branch, str(tmp_path / "taken"))) == "exists"
    assert os.listdir(tmp_path / "taken") == ["file"]
    blob = grown.id("open:open")
    (grown.folder / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    branch = local_branch(opened(grown), "open")
    (tmp_path / "empty").mkdir()
    for name in ("fresh", "empty"):
        assert fails(lambda name=name: add_worktree(opened(grown), branch, str(tmp_path / name))) is not None
    assert not (tmp_path / "fresh").exists() and os.listdir(tmp_path / "empty") == []
    assert not os.path.exists(grown.folder / ".git" / "worktrees") or os.listdir(grown.folder / ".git/worktrees") == []


def test_what_is_no_worktree_is_not_removed(grown: Made, tmp_path: Path) -> None:
    """A1: the user's own stays."""
    assert fails(lambda: remove_worktree(opened(grown), grown.path)) == "refused"
    assert fails(lambda: remove_worktree(opened(grown), str(tmp_path))) == "unknown_path"
    assert fails(lambda: local_branch(opened(grown), "nobody")) == "unknown_branch"
    with pytest.raises(ConfigError, match="folder is the path"):
        add_worktree(opened(grown), local_branch(opened(grown), "open"), 3)


def test_bare_detached_and_empty_repositories_are_listed(grown: Made, tmp_path: Path) -> None:
    """A1: whatever HEAD is."""
    grown.git("checkout", "-q", "--detach")
    assert [one.head for one in list_branches(opened(grown), remote=False)] == [False] * 4
    assert list_worktrees(opened(grown))[0].branch is None
    assert {one.outcome for one in delete_merged(opened(grown), into="main") if one.name == "done"} == {"would_delete"}
    grown.git("clone", "-q", "--bare", ".", str(tmp_path / "bare.git"))
    bare = Made(tmp_path / "bare.git")
    assert {one.checked_out for one in list_branches(opened(bare))} == {None}
    made = add_worktree(opened(bare), local_branch(opened(bare), "open"), str(tmp_path / "out"))
    assert [one.path for one in list_worktrees(opened(bare))] == [made.path] == [str(tmp_path / "out")]
    empty = Made(tmp_path / "none")
    assert list_branches(opened(empty)) == () and list_worktrees(opened(empty))[0].commit == ""
    assert fails(lambda: delete_merged(opened(empty))) == "empty"
    assert fails(lambda: create_branch(opened(empty), "x")) == "empty"
