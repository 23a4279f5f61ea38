"""The commits of a repository one by one, each with what it changes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pygit2
from pygit2.enums import DiffOption, SortMode

from actors.gitrepo.history import CommitChange, FileChange
from actors.gitrepo.repository import common_folder, shown, text_of, told

__all__ = ["MOST_BYTES", "author_name", "changes", "mailmap", "walk"]

MOST_BYTES = 16 * 1024 * 1024
"""A larger file is not compared line by line."""

_MOST_RENAMES = 400
_STATUSES = frozenset("ADMRCT")


def walk(
    repository: pygit2.Repository,
    start: pygit2.Commit,
    *,
    without: pygit2.Commit | None = None,
    wanted: Callable[[pygit2.Commit], bool] | None = None,
    renames: bool = True,
    first_parent: bool = False,
) -> Iterator[CommitChange]:
    """Yield commits newest first, each when it is asked for.

    Args:
        repository: where they are.
        start: the newest; all that it follows come after it.
        without: this commit and those that it follows are left out.
        wanted: which commits are looked into; None is all.
        renames: tell renamed files from deleted and added ones, as git does.
        first_parent: of merges, follow the first parent only.

    Raises:
        GitFailed: the repository is damaged.
    """
    names = mailmap(repository)
    ends = _shallow_ends(repository)
    with told(repository, f"the history of {shown(repository)} cannot be read"):
        walker = repository.walk(start.id, SortMode.TIME)
        if without is not None:
            walker.hide(without.id)
        if first_parent:
            walker.simplify_first_parent()
        for commit in walker:
            if wanted is not None and not wanted(commit):
                continue
            yield _change(repository, commit, names, renames=renames, end=str(commit.id) in ends)


def _change(
    repository: pygit2.Repository, commit: pygit2.Commit, names: pygit2.Mailmap, *, renames: bool, end: bool
) -> CommitChange:
    parents = commit.parent_ids
    files: tuple[FileChange, ...] = ()
    # What a merge brings was counted where it was written; where a shallow clone ends, nobody knows what was changed.
    if len(parents) < 2 and not end:
        before = _tree(repository, parents[0]) if parents else None
        files = tuple(changes(repository, before, commit.tree, renames=renames))
    return CommitChange(
        id=str(commit.id),
        author=author_name(commit.author, names),
        time=float(commit.commit_time),
        message=text_of(commit.raw_message, commit.message_encoding),
        parents=len(parents),
        files=files,
    )


def _tree(repository: pygit2.Repository, oid: pygit2.Oid) -> pygit2.Tree:
    return repository[oid].peel(pygit2.Tree)


def changes(
    repository: pygit2.Repository, before: pygit2.Tree | None, after: pygit2.Tree, *, renames: bool = True
) -> Iterator[FileChange]:
    """Yield what differs between two trees, file by file.

    Args:
        repository: where they are.
        before: None for nothing at all.
        after: what became of it.
        renames: tell renamed files from deleted and added ones.
    """
    none = DiffOption.NORMAL
    if before is None:
        diff = after.diff_to_tree(flags=none, context_lines=0, interhunk_lines=0, swap=True)
    else:
        diff = before.diff_to_tree(after, flags=none, context_lines=0, interhunk_lines=0)
    if renames and len(diff) > 1:
        diff.find_similar(rename_limit=_MOST_RENAMES)
    for index, delta in enumerate(diff.deltas):
        old, new = delta.old_file, delta.new_file
        status = delta.status_char()
        if status not in _STATUSES:
            continue
        added: int | None = None
        removed: int | None = None
        if (status == "A" or _is_small(repository, old)) and (status == "D" or _is_small(repository, new)):
            patch = diff[index]
            if patch is not None and not patch.delta.is_binary:
                _, added, removed = patch.line_stats
        path = os.fsdecode(new.raw_path)
        old_path = os.fsdecode(old.raw_path)
        yield FileChange(path, status, added, removed, old_path if status in {"R", "C"} else None)


def _is_small(repository: pygit2.Repository, file: pygit2.DiffFile) -> bool:
    try:
        return repository.odb.read_header(file.id)[1] <= MOST_BYTES
    except (KeyError, pygit2.GitError):
        # A submodule, whose commit is in no object of this repository. What is really missing shows when it is read.
        return True


def mailmap(repository: pygit2.Repository) -> pygit2.Mailmap:
    """Who is who: `.mailmap` and what the configuration names; empty if they cannot be read."""
    try:
        return pygit2.Mailmap.from_repository(repository)
    except (pygit2.GitError, KeyError, ValueError):
        return pygit2.Mailmap()


def author_name(author: pygit2.Signature, names: pygit2.Mailmap) -> str:
    """A person as "Name <address>", as the mailmap has it."""
    name = text_of(author.raw_name, getattr(author, "_encoding", None))
    address = text_of(author.raw_email)
    name, address = names.resolve(name, address)
    return f"{name} <{address}>"


def _shallow_ends(repository: pygit2.Repository) -> frozenset[str]:
    if not repository.is_shallow:
        return frozenset()
    with open(os.path.join(common_folder(repository), "shallow"), encoding="ascii") as file:
        return frozenset(file.read().split())
