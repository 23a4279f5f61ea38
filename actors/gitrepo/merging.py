"""Merges, rebases and cherry-picks: first beside the repository, and in it only when all is well and it is asked for."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

import pygit2
from pygit2.enums import SortMode

from actors.errors import ConfigError
from actors.gitrepo.branches import is_within, local_branch
from actors.gitrepo.commits import changes
from actors.gitrepo.errors import GitFailed
from actors.gitrepo.landing import land
from actors.gitrepo.merge import MergeReport, Outcome
from actors.gitrepo.picking import Picked, already_there, conflicts_of, pick
from actors.gitrepo.repository import commit_at, common_folder, head_branch, shown, signature, told

__all__ = ["Integration"]

_MOST_STEPS = 10_000


class Integration:
    """One merge, rebase or cherry-pick.

    Without `apply` it is a preview: what it has to write goes into a scratch folder, and the repository stays as it is
    to the last byte. With `apply` the preview is made as well, and only what has no conflicts is then done: the new
    commits are written, the working tree is brought up to date if the branch is checked out in one, and the branch
    moves last. Whatever fails before that leaves branch, index and working tree as they were. Hooks, external merge
    tools and filters are not run, and commits are not signed.

    Args:
        repository: as `open_repository` gives it.
        branch: the local branch that changes; None is the one that HEAD is on.
        apply: do it.
        update_worktree: the working tree that has the branch checked out may be changed. Otherwise a branch that is
            checked out somewhere is not changed.
        committer: "Name <address>"; None is whom the configuration of git names.
        scratch: a folder for what a preview writes, emptied again; None is one for temporary files.

    Raises:
        GitFailed: there is no such branch.
        ConfigError: a value that is not allowed.
    """

    def __init__(
        self,
        repository: pygit2.Repository,
        branch: str | None = None,
        *,
        apply: bool = False,
        update_worktree: bool = False,
        committer: str | None = None,
        scratch: str | None = None,
    ) -> None:
        for key, value in (("apply", apply), ("update_worktree", update_worktree)):
            if not isinstance(value, bool):
                raise ConfigError(f"{key} is True or False, not {value!r}", key=key, value=value, allowed="a bool")
        self._repository = repository
        self._branch = head_branch(repository, "change") if branch is None else branch
        self._tip = local_branch(repository, self._branch).peel(pygit2.Commit)
        self._apply = apply
        self._update_worktree = update_worktree
        self._committer = committer
        self._scratch = scratch
        if apply:
            # Asked for first, so that nothing is found to be missing half-way.
            signature(repository, committer)

    def merge(self, source: Any, *, fast_forward: bool = True, message: str | None = None) -> MergeReport:
        """Merge another branch or commit into the branch.

        Args:
            source: what to merge.
            fast_forward: move the branch on without a commit of its own where that is all it takes.
            message: of the merge's commit; None takes the usual one.

        Raises:
            GitFailed: with `apply`: there are conflicts, the tree is not clean, or git refuses. Always: `source` is
                not there, or has nothing in common with the branch.
        """
        if message is not None and (not isinstance(message, str) or not message.strip()):
            raise ConfigError(f"message is a text that is not empty, not {message!r}", key="message", value=message)
        other = commit_at(self._repository, source, "source")
        base: pygit2.Oid | None = self._repository.merge_base(self._tip.id, other.id)
        if base is None:
            text = f"{source} and {self._branch} have no commit in common"
            raise GitFailed(text, reason="unrelated", repository=shown(self._repository), subject=source)
        report = self._report("merge", source, base)
        if is_within(self._repository, other, self._tip):
            return replace(report, outcome="up_to_date", after=str(self._tip.id), tree=str(self._tip.tree_id))
        if fast_forward and base == self._tip.id:
            return self._land(replace(report, outcome="fast_forward"), other, "fast-forward")
        text = message or f"Merge {source!r} into {self._branch}\n"

        def make(repository: pygit2.Repository) -> Picked:
            index = repository.merge_commits(self._tip.id, other.id)
            if index.conflicts is not None:
                return Picked(None, conflicts_of(index, None))
            tree = index.write_tree(repository)
            who = self._who(repository)
            return Picked(repository.create_commit(None, who, who, text, tree, [self._tip.id, other.id]))

        return self._carry_out(report, make, f"merge {source}")

    def rebase(self, onto: Any, *, upstream: Any = None) -> MergeReport:
        """Put the commits of the branch upon another one, without its merges, as `git rebase` does.

        Args:
            onto: what to put them upon.
            upstream: the commits that it has stay where they are; None is `onto`.

        Raises:
            GitFailed: see `merge`.
        """
        target = commit_at(self._repository, onto, "onto")
        limit = target if upstream is None else commit_at(self._repository, upstream, "upstream")
        base: pygit2.Oid | None = self._repository.merge_base(self._tip.id, limit.id)
        if base is None:
            text = f"{onto} and {self._branch} have no commit in common"
            raise GitFailed(text, reason="unrelated", repository=shown(self._repository), subject=str(onto))
        report = self._report("rebase", onto, base)
        if base == target.id and self._is_straight(target):
            return replace(report, outcome="up_to_date", after=str(self._tip.id), tree=str(self._tip.tree_id))
        if is_within(self._repository, self._tip, target):
            return self._land(replace(report, outcome="fast_forward"), target, "rebase")
        with told(self._repository, f"the commits of {self._branch} cannot be read"):
            commits = self._only(self._tip, limit)
            there = already_there(self._repository, target, base, self._tip)
        return self._carry_out(
            report,
            lambda repository: pick(repository, target, commits, self._who(repository), skip=there),
            f"rebase onto {onto}",
        )

    def cherry_pick(self, commits: Any) -> MergeReport:
        """Copy single commits to the tip of the branch.

        Args:
            commits: a list of them, in the order in which they are copied; no merges.

        Raises:
            GitFailed: see `merge`; or one of them is a merge.
        """
        allowed = 'a list of commits, as ["fix-branch", "1a2b3c4"]'
        if isinstance(commits, str) or not isinstance(commits, Sequence) or not commits:
            raise ConfigError(f"commits is {allowed}, not {commits!r}", key="commits", value=commits, allowed=allowed)
        chosen = [commit_at(self._repository, one, "commits") for one in commits]
        for name, one in zip(commits, chosen, strict=True):
            if len(one.parent_ids) > 1:
                text = f"{name} is a merge: merge it, or name the commits that it brings"
                raise GitFailed(text, reason="refused", repository=shown(self._repository), subject=name)
        report = self._report("cherry_pick", ", ".join(commits), None)
        return self._carry_out(
            report,
            lambda repository: pick(repository, self._tip, chosen, self._who(repository), stay=False),
            f"cherry-pick {', '.join(commits)}",
        )

    def _report(self, operation: Literal["merge", "rebase", "cherry_pick"], other: Any, base: Any) -> MergeReport:
        before = str(self._tip.id)
        known = None if base is None else str(base)
        return MergeReport(
            operation=operation,
            branch=self._branch,
            other=str(other),
            outcome="clean",
            applied=False,
            before=before,
            after=None,
            tree=None,
            merge_base=known,
        )

    def _who(self, repository: pygit2.Repository) -> pygit2.Signature:
        # A preview makes commits that nobody sees, and needs no name for them.
        return signature(repository, self._committer or (None if self._apply else "preview <preview@localhost>"))

    def _only(self, tip: pygit2.Commit, without: pygit2.Commit) -> list[pygit2.Commit]:
        """The commits of the branch alone, oldest first, without merges."""
        walker = self._repository.walk(tip.id, SortMode.TOPOLOGICAL | SortMode.REVERSE)
        walker.hide(without.id)
        found = [one for one in itertools.islice(walker, _MOST_STEPS + 1) if len(one.parent_ids) < 2]
        if len(found) > _MOST_STEPS:
            text = f"{self._branch} has more than {_MOST_STEPS:,} commits to put elsewhere"
            raise GitFailed(text, reason="refused", repository=shown(self._repository), subject=self._branch)
        return found

    def _is_straight(self, start: pygit2.Commit) -> bool:
        """Whether the branch goes on from a commit without merges."""
        walker = self._repository.walk(self._tip.id, SortMode.NONE)
        walker.hide(start.id)
        return all(len(one.parent_ids) < 2 for one in walker)

    def _carry_out(self, report: MergeReport, make: Any, doing: str) -> MergeReport:
        with told(self._repository, f"{doing} in {shown(self._repository)}"), self._beside() as scratch:
            picked: Picked = make(scratch)
            if picked.tip is not None:
                commit = scratch[picked.tip].peel(pygit2.Commit)
                before = scratch[self._tip.id].peel(pygit2.Tree)
                report = replace(report, tree=str(commit.tree_id), files=tuple(changes(scratch, before, commit.tree)))
        outcome: Outcome = "conflicts" if picked.conflicts else "clean"
        if not picked.conflicts and picked.tip == self._tip.id:
            outcome = "up_to_date"
        report = replace(report, outcome=outcome, conflicts=picked.conflicts, steps=picked.steps)
        if outcome == "up_to_date":
            return replace(report, after=str(self._tip.id))
        if not self._apply:
            # The ids of its commits hold the time: those that are made later are others.
            steps = tuple(
                replace(one, becomes=one.commit if one.becomes == one.commit else None) for one in picked.steps
            )
            return replace(report, steps=steps)
        if picked.conflicts:
            paths = tuple(dict.fromkeys(one.path for one in picked.conflicts))
            some = ", ".join(repr(path) for path in paths[:10]) + (", …" if len(paths) > 10 else "")
            text = f"{doing} into {self._branch} has conflicts, and was not done: {some}"
            raise GitFailed(
                text, reason="conflicts", repository=shown(self._repository), subject=self._branch, conflicts=paths
            )
        with told(self._repository, f"{doing} in {shown(self._repository)}"):
            done: Picked = make(self._repository)
            tip = self._repository[done.tip or self._tip.id].peel(pygit2.Commit)
        return self._land(replace(report, steps=done.steps), tip, doing)

    def _land(self, report: MergeReport, tip: pygit2.Commit, doing: str) -> MergeReport:
        if report.tree is None:
            files = tuple(changes(self._repository, self._tip.tree, tip.tree))
            report = replace(report, tree=str(tip.tree_id), files=files)
        report = replace(report, after=str(tip.id))
        if not self._apply:
            return report
        folder = land(
            self._repository, self._branch, self._tip, tip, doing=doing, update_worktree=self._update_worktree
        )
        return replace(report, applied=True, folder=folder)

    @contextlib.contextmanager
    def _beside(self) -> Iterator[pygit2.Repository]:
        """The repository with another place for new objects."""
        scratch = tempfile.mkdtemp(prefix="git-", dir=self._scratch)
        try:
            objects = pygit2.Odb(scratch)
            for folder in _object_folders(os.path.join(common_folder(self._repository), "objects")):
                objects.add_disk_alternate(folder)
            beside = pygit2.Repository(self._repository.path)
            beside.set_odb(objects)
            yield beside
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _object_folders(first: str) -> list[str]:
    """Where the objects of a repository are: its own folder, and those that a clone shares with others."""
    found = [first]
    for folder in found:
        try:
            with open(os.path.join(folder, "info", "alternates"), encoding="utf-8", errors="surrogateescape") as file:
                lines = file.read().splitlines()
        except OSError:
            continue
        others = [os.path.normpath(os.path.join(folder, line)) for line in lines if line and not line.startswith("#")]
        # Two may share with each other.
        found += [other for other in others if other not in found]
    return found
