"""Copying commits upon another one, in a repository or beside it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pygit2
from pygit2.enums import SortMode

from actors.gitrepo.merge import Conflict, Step
from actors.gitrepo.repository import text_of

__all__ = ["Picked", "already_there", "conflicts_of", "pick"]


@dataclass(frozen=True, slots=True)
class Picked:
    """What came of it.

    Args:
        tip: the last commit; None with conflicts.
        conflicts: by path.
        steps: commit by commit.
    """

    tip: pygit2.Oid | None
    conflicts: tuple[Conflict, ...] = ()
    steps: tuple[Step, ...] = ()


def pick(
    repository: pygit2.Repository,
    onto: pygit2.Commit,
    commits: Iterable[pygit2.Commit],
    committer: pygit2.Signature,
    *,
    skip: frozenset[str] = frozenset(),
    stay: bool = True,
) -> Picked:
    """Copy commits upon another, one after the other. No branch moves.

    Args:
        repository: where they are, and where the new ones are written.
        onto: what they are put upon.
        commits: oldest first, without merges.
        committer: of the new ones; their authors stay.
        skip: ids of commits whose changes are known to be there.
        stay: a commit that follows the tip already is taken as it is.

    Returns:
        The new tip, or the conflicts of the first commit that has some.
    """
    tip = onto.id
    # Each from this repository: beside the repository, objects that were made there are seen by no other.
    tree = repository[onto.id].peel(pygit2.Commit).tree
    steps: list[Step] = []
    for chosen in commits:
        commit = repository[chosen.id].peel(pygit2.Commit)
        name, subject = str(commit.id), _subject(commit)
        if name in skip:
            steps.append(Step(name, subject, "empty"))
            continue
        if stay and commit.parent_ids[:1] == [tip]:
            steps.append(Step(name, subject, "picked", name))
            tip, tree = commit.id, commit.tree
            continue
        before = repository[commit.parent_ids[0]].peel(pygit2.Tree) if commit.parent_ids else _nothing(repository)
        index = repository.merge_trees(before, tree, commit.tree)
        if index.conflicts is not None:
            steps.append(Step(name, subject, "conflicts"))
            return Picked(None, conflicts_of(index, name), tuple(steps))
        written = index.write_tree(repository)
        if written == tree.id and before.id != commit.tree_id:
            # All of it is there. A commit that was empty from the beginning is kept, as git does.
            steps.append(Step(name, subject, "empty"))
            continue
        encoding = commit.message_encoding
        message = text_of(commit.raw_message, encoding)
        tip = repository.create_commit(None, commit.author, committer, message, written, [tip])
        tree = repository[written].peel(pygit2.Tree)
        steps.append(Step(name, subject, "picked", str(tip)))
    return Picked(tip, steps=tuple(steps))


def _subject(commit: pygit2.Commit) -> str:
    return text_of(commit.raw_message, commit.message_encoding).strip().partition("\n")[0]


def _nothing(repository: pygit2.Repository) -> pygit2.Tree:
    return repository[repository.TreeBuilder().write()].peel(pygit2.Tree)


def already_there(
    repository: pygit2.Repository, onto: pygit2.Commit, base: pygit2.Oid, tip: pygit2.Commit
) -> frozenset[str]:
    """Which commits of a branch make a change that the other side has made as well since they parted."""
    theirs = {patch for _, patch in _patches(repository, onto.id, base)}
    if not theirs:
        return frozenset()
    return frozenset(name for name, patch in _patches(repository, tip.id, base) if patch in theirs)


def _patches(repository: pygit2.Repository, tip: pygit2.Oid, base: pygit2.Oid) -> Iterable[tuple[str, str]]:
    walker = repository.walk(tip, SortMode.NONE)
    walker.hide(base)
    for commit in walker:
        if len(commit.parent_ids) == 1:
            before = repository[commit.parent_ids[0]].peel(pygit2.Tree)
            diff = before.diff_to_tree(commit.tree)
            if len(diff):
                yield str(commit.id), str(diff.patchid)


def conflicts_of(index: pygit2.Index, commit: str | None) -> tuple[Conflict, ...]:
    """The conflicts that an index has, by path.

    Args:
        index: as a merge gives it.
        commit: the commit that was being put in place, or None.
    """
    found = set()
    for base, ours, theirs in index.conflicts or ():
        entry = ours or theirs or base
        if entry is None:
            continue
        path = os.fsdecode(os.fsencode(entry.path))
        found.add(Conflict(path, _kind(base, ours, theirs), commit))
    return tuple(sorted(found, key=lambda one: (one.path, one.kind)))


def _kind(base: Any, ours: Any, theirs: Any) -> Any:
    if ours and theirs:
        return "both_modified" if base else "both_added"
    if base and theirs:
        return "deleted_by_us"
    if base and ours:
        return "deleted_by_them"
    return "renamed"
