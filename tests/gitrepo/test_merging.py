"""Merges, rebases and cherry-picks: what they would bring, and what they leave when they fail."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pygit2
import pytest
from pygit2.enums import ConfigLevel

from actors.errors import ConfigError
from actors.gitrepo.errors import GitFailed
from actors.gitrepo.merge import MergeReport
from actors.gitrepo.merging import Integration
from actors.gitrepo.repository import open_repository
from tests.gitrepo.made import Made

LEVELS = (ConfigLevel.GLOBAL, ConfigLevel.XDG, ConfigLevel.SYSTEM)
TEXT = [f"line {number}\n" for number in range(30)]


def text(**lines: str) -> str:
    """The text with some lines changed: `text(l3="x")`."""
    changed = list(TEXT)
    for name, line in lines.items():
        changed[int(name[1:])] = f"{line}\n"
    return "".join(changed)


def integrate(made: Made, branch: str | None = None, **options: Any) -> Integration:
    return Integration(open_repository(made.path), branch, **options)


@pytest.fixture
def parted(tmp_path: Path) -> Made:
    """Branches `main` (checked out), `side` and `free`, which merge, and `clash`, which does not."""
    made = Made(tmp_path / "parted")
    made.commit({"f": text(), "kept": "kept\n", "gone": "gone\n", ".gitignore": "*.tmp\n"}, "base")
    made.git("branch", "clash")
    made.git("branch", "free")
    made.git("checkout", "-q", "-b", "side")
    made.commit({"f": text(l3="side")}, "side one", "Bob <b@x.org>")
    made.commit({"new/er": "new\n"}, "side two")
    made.git("checkout", "-q", "clash")
    made.git("rm", "-q", "gone")
    made.commit({"f": text(l20="clash"), "both": "theirs\n"}, "clash")
    made.git("checkout", "-q", "main")
    made.commit({"f": text(l20="main"), "both": "ours\n", "gone": "changed\n"}, "main one")
    return made


def test_a_preview_says_what_git_would_do_and_changes_nothing(parted: Made) -> None:
    """A1: merge previews in memory."""
    before = parted.state()
    report = integrate(parted).merge("side")
    assert parted.state() == before
    assert (report.outcome, report.applied, report.after) == ("clean", False, None)
    assert [(one.path, one.status, one.added, one.removed) for one in report.files] == [
        ("f", "M", 1, 1),
        ("new/er", "A", 1, 0),
    ]
    assert report.merge_base == parted.git("merge-base", "main", "side").strip()
    # Last, for it writes objects.
    assert report.tree == parted.git("merge-tree", "--write-tree", "main", "side").strip()


def test_conflicts_are_those_of_git_merge_tree(parted: Made) -> None:
    """A1: the conflicts listed."""
    before = parted.state()
    report = integrate(parted).merge("clash")
    assert parted.state() == before
    assert report.outcome == "conflicts" and report.tree is None
    shown = parted.git("merge-tree", "--write-tree", "--name-only", "--no-messages", "main", "clash", check=False)
    assert sorted(one.path for one in report.conflicts) == sorted(shown.split("\n")[1:-1])
    assert {one.path: one.kind for one in report.conflicts} == {
        "both": "both_added",
        "f": "both_modified",
        "gone": "deleted_by_them",
    }


def test_a_merge_into_a_branch_that_is_not_checked_out_touches_no_file(parted: Made) -> None:
    """A1: for real, on request."""
    parted.git("checkout", "-q", "--detach")
    parted.write({"kept": "changed by hand\n", "untracked": "u\n"})
    before = parted.state()
    expected = parted.git("merge-tree", "--write-tree", "main", "side").strip()
    report = integrate(parted, "main", apply=True).merge("side", message="Together\n")
    assert (report.applied, report.folder, report.after) == (True, None, parted.id("main"))
    assert parted.id("main^{tree}") == report.tree == expected
    assert parted.git("log", "-1", "--format=%P %s %an", "main").split() == [
        report.before,
        parted.id("side"),
        "Together",
        "Ada",
    ]
    after = parted.state()
    assert {path: content for path, content in after.items() if path.startswith("/")} == {
        path: content for path, content in before.items() if path.startswith("/")
    }
    assert parted.git("fsck", "--strict") == ""


def test_a_merge_with_its_working_tree_is_that_of_git(parted: Made, tmp_path: Path) -> None:
    """A1: for real, with the tree that has the branch."""
    parted.git("clone", "-q", ".", str(tmp_path / "twin"))
    twin = Made(tmp_path / "twin")
    for name, value in (("user.name", "Ada"), ("user.email", "ada@example.org")):
        twin.git("config", name, value)
    twin.merge("origin/side")
    report = integrate(parted, apply=True, update_worktree=True).merge("side")
    assert report.folder == parted.path
    assert parted.git("status", "--porcelain") == ""
    assert parted.id("HEAD^{tree}") == twin.id("HEAD^{tree}")
    assert (parted.folder / "new" / "er").read_text() == "new\n"
    assert parted.git("reflog", "-1", "--format=%gs", "main").strip() == "merge side"


def test_a_branch_that_only_moves_on_gets_no_commit_unless_asked(parted: Made) -> None:
    """A1: fast-forward, and nothing to do."""
    report = integrate(parted, "free", apply=True).merge("side")
    assert (report.outcome, parted.id("free")) == ("fast_forward", parted.id("side"))
    assert integrate(parted, "free", apply=True).merge("side").outcome == "up_to_date"
    assert not integrate(parted, "free", apply=True).merge("main~1").applied
    parted.git("branch", "-f", "free", "main~1")
    report = integrate(parted, "free", apply=True).merge("side", fast_forward=False)
    assert parted.git("rev-list", "--count", "--merges", "main~1..free").strip() == "1"


def test_a_tree_that_is_checked_out_is_not_touched_unless_allowed(parted: Made, tmp_path: Path) -> None:
    """A1: never the user's working tree unless asked to."""
    parted.git("worktree", "add", "-q", str(tmp_path / "beside"), "free")
    before = parted.state()
    for branch in ("main", "free"):
        with pytest.raises(GitFailed, match="update_worktree") as caught:
            integrate(parted, branch, apply=True).merge("side")
        assert caught.value.reason == "checked_out"
    after = parted.state()
    del before["objects"], after["objects"]  # A commit that no branch has is not seen.
    assert after == before
    report = integrate(parted, "free", apply=True, update_worktree=True).merge("side")
    assert report.folder == str(tmp_path / "beside") and (tmp_path / "beside" / "new" / "er").exists()


def spoil_staged(made: Made) -> None:
    made.write({"kept": "staged\n"})
    made.git("add", "kept")


def spoil_changed(made: Made) -> None:
    made.write({"kept": "changed\n"})


def spoil_untracked(made: Made) -> None:
    made.write({"new/er": "mine\n"})


def spoil_ignored(made: Made) -> None:
    made.write({".git/info/exclude": "new\n", "new": "mine\n"})


def spoil_lock(made: Made) -> None:
    made.write({".git/refs/heads/main.lock": ""})


def spoil_merging(made: Made) -> None:
    made.git("merge", "-q", "--no-commit", "side")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (spoil_staged, "dirty"),
        (spoil_changed, "dirty"),
        (spoil_untracked, "overwrites"),
        (spoil_ignored, "overwrites"),
        (spoil_merging, "in_progress"),
        (spoil_lock, "refused"),
    ],
)
def test_what_fails_leaves_everything_as_it_was(parted: Made, spoil: Callable[[Made], None], reason: str) -> None:
    """A1: never on a dirty tree, undone whole on failure. With the lock it fails after all files were written."""
    spoil(parted)
    before = parted.state()
    with pytest.raises(GitFailed) as caught:
        integrate(parted, apply=True, update_worktree=True).merge("side")
    assert caught.value.reason == reason, caught.value
    after = parted.state()
    del before["objects"], after["objects"]
    assert after == before


def test_conflicts_are_an_error_when_it_is_to_be_done(parted: Made) -> None:
    """A1: nothing is written."""
    before = parted.state()
    with pytest.raises(GitFailed, match="has conflicts, and was not done: 'both', 'f', 'gone'") as caught:
        integrate(parted, apply=True, update_worktree=True).merge("clash")
    assert (caught.value.reason, caught.value.conflicts) == ("conflicts", ("both", "f", "gone"))
    with pytest.raises(GitFailed, match="has conflicts"):
        integrate(parted, "clash", apply=True).rebase("main")
    with pytest.raises(GitFailed, match="has conflicts"):
        integrate(parted, "clash", apply=True).cherry_pick(["main"])
    assert parted.state() == before


def test_a_rebase_is_that_of_git(parted: Made, tmp_path: Path) -> None:
    """A1: commit by commit, merges and what is there already left out."""
    parted.git("checkout", "-q", "side")
    parted.git("checkout", "-q", "-b", "twig", "HEAD~1")
    parted.commit({"twig": "t\n"}, "on a twig")
    parted.git("checkout", "-q", "side")
    parted.merge("twig")
    parted.git("checkout", "-q", "main")
    parted.git("cherry-pick", "side~1")  # "side two" or "on a twig": what the first parent has.
    parted.git("branch", "copy", "side")
    before = parted.state()
    preview = integrate(parted, "side").rebase("main")
    assert parted.state() == before
    assert sorted(one.outcome for one in preview.steps) == ["empty", "picked", "picked"]
    assert {one.becomes for one in preview.steps} == {None}
    report = integrate(parted, "side", apply=True).rebase("main")
    parted.git("checkout", "-q", "copy")
    parted.git("rebase", "-q", "main")
    what = "--format=%s|%an|%ae|%ad|%T"
    assert sorted(parted.git("log", "--format=%s|%an|%ae|%ad", "main..side").split("\n")) == sorted(
        parted.git("log", "--format=%s|%an|%ae|%ad", "main..copy").split("\n")
    )
    assert parted.git("log", "-1", what, "side").split("|")[-1] == parted.git("log", "-1", what, "copy").split("|")[-1]
    assert report.after == parted.id("side") and report.tree == preview.tree
    again = integrate(parted, "side", apply=True).rebase("main")
    assert (again.outcome, again.applied) == ("up_to_date", False)


def test_a_rebase_of_a_branch_that_is_behind_moves_it_on(parted: Made) -> None:
    """A1: as git does."""
    report = integrate(parted, "free", apply=True).rebase("main")
    assert (report.outcome, parted.id("free")) == ("fast_forward", parted.id("main"))


def test_a_rebase_upon_another_base_takes_only_what_is_above_upstream(parted: Made) -> None:
    """A1: --onto."""
    report = integrate(parted, "side", apply=True).rebase("clash", upstream="side~1")
    assert [one.subject for one in report.steps] == ["side two"]
    assert parted.id("side~1") == parted.id("clash")


def test_commits_are_copied_with_their_authors(parted: Made) -> None:
    """A1: cherry-pick."""
    parted.git("branch", "twin", "main")
    report = integrate(parted, "twin", apply=True, committer="Cy <cy@x.org>").cherry_pick(["side", "side~1"])
    assert [one.subject for one in report.steps] == ["side two", "side one"]
    shown = parted.git("log", "-2", "--format=%an %cn %s", "twin")
    assert shown == "Bob Cy side one\nAda Cy side two\n"
    again = integrate(parted, "twin", apply=True).cherry_pick(["side"])
    assert (again.outcome, [one.outcome for one in again.steps]) == ("up_to_date", ["empty"])


def test_a_preview_of_many_commits_stops_at_the_first_conflict(parted: Made) -> None:
    """A1: and names it."""
    report = integrate(parted, "side").cherry_pick(["side~1", "main", "clash"])
    assert [one.outcome for one in report.steps] == ["empty", "picked", "conflicts"]
    assert {one.commit for one in report.conflicts} == {parted.id("clash")}


def test_hooks_and_filters_are_never_run(parted: Made, tmp_path: Path) -> None:
    """I4: git runs no hooks."""
    for name in [
        "post-checkout",
        "pre-merge-commit",
        "post-merge",
        "pre-commit",
        "prepare-commit-msg",
        "commit-msg",
        "post-commit",
        "pre-rebase",
        "post-rewrite",
        "reference-transaction",
        "post-index-change",
        "fsmonitor-watchman",
    ]:
        hook = parted.folder / ".git" / "hooks" / name
        hook.write_text(f"#!/bin/sh\ntouch '{tmp_path}/ran-{name}'\n")
        hook.chmod(0o755)
    parted.git(
        "-c", "core.hooksPath=/dev/null", "config", "core.fsmonitor", str(parted.folder / ".git/hooks/post-commit")
    )
    parted.git("-c", "core.hooksPath=/dev/null", "config", "filter.run.smudge", f"touch {tmp_path}/ran-filter; cat")
    parted.write({".git/info/attributes": "new/* filter=run\n"})
    integrate(parted, apply=True, update_worktree=True).merge("side")
    integrate(parted, "clash").rebase("main")
    integrate(parted, "free", apply=True).cherry_pick(["side"])
    assert [path.name for path in tmp_path.glob("ran-*")] == []
    assert (parted.folder / "new" / "er").exists()


def test_bare_repositories_are_merged_in_as_well(parted: Made, tmp_path: Path) -> None:
    """A1: bare, with nobody named who commits."""
    parted.git("clone", "-q", "--bare", ".", str(tmp_path / "bare.git"))
    bare = Made(tmp_path / "bare.git")
    report = integrate(bare, "main", apply=True, committer="Cy <cy@x.org>").merge("side")
    assert bare.id("main") == report.after


@pytest.mark.parametrize("shared", ["--shared", "--no-shared"])
def test_a_clone_that_shares_its_objects_is_previewed(parted: Made, tmp_path: Path, shared: str) -> None:
    """A1: objects are found where they are."""
    parted.git("clone", "-q", "--shared", ".", str(tmp_path / "one"))
    Made(tmp_path / "one").git("clone", "-q", shared, ".", str(tmp_path / "two"))
    two = Made(tmp_path / "two")
    two.git("branch", "side", parted.id("side"))
    assert integrate(two, "main").merge("side").outcome == "clean"


def test_detached_empty_and_unrelated_are_told(parted: Made, tmp_path: Path) -> None:
    """A1: clear errors."""

    def fails(what: Callable[[], MergeReport | Integration]) -> str | None:
        with pytest.raises(GitFailed) as caught:
            what()
        return caught.value.reason

    assert fails(lambda: integrate(Made(tmp_path / "empty"))) == "empty"
    assert fails(lambda: integrate(parted, "nobody")) == "unknown_branch"
    assert fails(lambda: integrate(parted).merge("nobody")) == "unknown_revision"
    parted.git("checkout", "-q", "--orphan", "apart")
    parted.commit({"f": "apart\n"})
    assert fails(lambda: integrate(parted).merge("main")) == "unrelated"
    assert fails(lambda: integrate(parted).rebase("main")) == "unrelated"
    parted.git("checkout", "-q", "--detach", "main")
    assert fails(lambda: integrate(parted).merge("side")) == "detached"
    parted.git("checkout", "-q", "main")
    parted.merge("side")
    assert fails(lambda: integrate(parted, "free").cherry_pick(["main"])) == "refused"


def test_nobody_commits_in_nobodys_name(parted: Made, tmp_path: Path) -> None:
    """A1: asked for before anything is done."""
    parted.git("config", "--unset", "user.name")
    kept = {level: pygit2.settings.search_path[level] for level in LEVELS}
    try:
        for level in LEVELS:
            pygit2.settings.search_path[level] = str(tmp_path / "none")
        with pytest.raises(GitFailed, match=r"user\.name") as caught:
            integrate(parted, "free", apply=True)
        assert caught.value.reason == "no_identity"
        assert integrate(parted, "free").merge("clash").outcome == "fast_forward"
    finally:
        for level, path in kept.items():
            pygit2.settings.search_path[level] = path


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda made: integrate(made, apply="yes"), "apply is True or False"),
        (lambda made: integrate(made, update_worktree=1), "update_worktree is True or False"),
        (lambda made: integrate(made, 3), "branch is the name"),
        (lambda made: integrate(made, apply=True, committer="me"), "committer is"),
        (lambda made: integrate(made).merge(""), "source is the name of a commit"),
        (lambda made: integrate(made).merge("side", message=" "), "message is a text"),
        (lambda made: integrate(made).cherry_pick("side"), "commits is a list"),
        (lambda made: integrate(made).cherry_pick([]), "commits is a list"),
    ],
)
def test_wrong_data_name_themselves(parted: Made, call: Callable[[Made], Any], words: str) -> None:
    """A1: what was expected and what came."""
    with pytest.raises(ConfigError, match=words):
        call(parted)


def test_a_preview_leaves_nothing_in_its_scratch_folder(parted: Made, tmp_path: Path) -> None:
    """A1: nothing is left behind."""
    (tmp_path / "scratch").mkdir()
    integrate(parted, scratch=str(tmp_path / "scratch")).merge("side")
    assert os.listdir(tmp_path / "scratch") == []
