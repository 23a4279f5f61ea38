"""Listing, comparing, creating and deleting branches."""

from __future__ import annotations

import fnmatch
import itertools
import os
from collections.abc import Iterator, Sequence
from typing import Any

import pygit2
from pygit2.enums import SortMode

from actors.errors import ConfigError
from actors.gitrepo.branch import Branch, BranchCleanup, Comparison
from actors.gitrepo.commits import author_name, changes, mailmap
from actors.gitrepo.errors import GitFailed
from actors.gitrepo.repository import commit_at, head_branch, shown, text_of, told
from actors.gitrepo.worktrees import places

__all__ = ["compare", "create_branch", "delete_merged", "list_branches", "local_branch"]

_MOST_COMMITS = 1000
_EXPECTED = 'a list of names and patterns of branches, as ["main", "release/*"]'


def list_branches(
    repository: pygit2.Repository, *, merged_into: str | None = None, remote: bool = True
) -> tuple[Branch, ...]:
    """The branches, those with the newest commits first.

    Args:
        repository: as `open_repository` gives it.
        merged_into: say of each whether this commit has all of it.
        remote: also those of remotes, as they were when last fetched.

    Raises:
        GitFailed: there is no commit `merged_into`, or the repository is damaged.
    """
    into = None if merged_into is None else commit_at(repository, merged_into, "merged_into")
    where = places(repository)
    names = mailmap(repository)
    found = []
    with told(repository, f"the branches of {shown(repository)} cannot be listed"):
        for raw in repository.raw_listall_references():
            if raw.startswith(b"refs/heads/") or (remote and raw.startswith(b"refs/remotes/")):
                branch = _branch(repository, os.fsdecode(raw), into, where, names)
                if branch is not None:
                    found.append(branch)
    return tuple(sorted(found, key=lambda one: (-one.time, one.kind, one.name)))


def _branch(
    repository: pygit2.Repository,
    full: str,
    into: pygit2.Commit | None,
    where: dict[str, str],
    names: pygit2.Mailmap,
) -> Branch | None:
    reference = repository.lookup_reference(full)
    is_local = full.startswith("refs/heads/")
    if not is_local and isinstance(reference.raw_target, bytes):
        return None  # origin/HEAD is another name for a branch.
    tip = reference.peel(pygit2.Commit)
    name = full.removeprefix("refs/heads/").removeprefix("refs/remotes/")
    upstream = _upstream(repository, name) if is_local else None
    ahead, behind = (None, None) if upstream is None else repository.ahead_behind(tip.id, upstream[1])
    return Branch(
        name=name,
        kind="local" if is_local else "remote",
        commit=str(tip.id),
        subject=text_of(tip.raw_message, tip.message_encoding).strip().partition("\n")[0],
        author=author_name(tip.author, names),
        time=float(tip.commit_time),
        head=is_local and not repository.head_is_detached and repository.references["HEAD"].raw_target == full.encode(),
        checked_out=where.get(full),
        upstream=None if upstream is None else upstream[0],
        ahead=ahead,
        behind=behind,
        merged=None if into is None else is_within(repository, tip, into),
    )


def _upstream(repository: pygit2.Repository, name: str) -> tuple[str, pygit2.Oid] | None:
    try:
        upstream = repository.branches.local[name].upstream
        return None if upstream is None else (upstream.branch_name, upstream.peel(pygit2.Commit).id)
    except (pygit2.GitError, KeyError, ValueError):
        # It follows a branch that is not there any more.
        return None


def is_within(repository: pygit2.Repository, commit: pygit2.Commit, whole: pygit2.Commit) -> bool:
    """Whether `whole` is `commit`, or follows it."""
    return commit.id == whole.id or repository.descendant_of(whole.id, commit.id)


def local_branch(repository: pygit2.Repository, name: Any, key: str = "branch") -> pygit2.Branch:
    """A local branch.

    Raises:
        ConfigError: `name` is no text.
        GitFailed: there is no such branch.
    """
    if not isinstance(name, str) or not name or "\0" in name:
        raise ConfigError(f"{key} is the name of a branch, not {name!r}", key=key, value=name, allowed="a branch")
    try:
        return repository.branches.local[name]
    except (KeyError, ValueError, pygit2.GitError):
        known = sorted(repository.branches.local)
        some = ", ".join(known[:10]) + (", …" if len(known) > 10 else "")
        message = f"{shown(repository)} has no local branch {name!r}" + (f"; it has {some}" if known else "")
        raise GitFailed(message, reason="unknown_branch", repository=shown(repository), subject=name) from None


def compare(repository: pygit2.Repository, base: str, head: str = "HEAD") -> Comparison:
    """What `head` has and `base` has not.

    Args:
        repository: as `open_repository` gives it.
        base: a branch, a tag or an id; also the next.
        head: what it is compared with.

    Raises:
        GitFailed: one of them is not there, or the repository is damaged.
    """
    old, new = commit_at(repository, base, "base"), commit_at(repository, head, "head")
    with told(repository, f"{base} and {head} of {shown(repository)} cannot be compared"):
        common = repository.merge_base(old.id, new.id)
        ahead, behind = repository.ahead_behind(new.id, old.id)
        before = old.tree if common is None else repository[common].peel(pygit2.Tree)
        return Comparison(
            base=str(old.id),
            head=str(new.id),
            merge_base=None if common is None else str(common),
            ahead=ahead,
            behind=behind,
            commits=tuple(itertools.islice(_only(repository, new, old), _MOST_COMMITS)),
            files=tuple(changes(repository, before, new.tree)),
        )


def _only(repository: pygit2.Repository, head: pygit2.Commit, base: pygit2.Commit) -> Iterator[tuple[str, str]]:
    walker = repository.walk(head.id, SortMode.TIME)
    walker.hide(base.id)
    for commit in walker:
        yield str(commit.id), text_of(commit.raw_message, commit.message_encoding).strip().partition("\n")[0]


def create_branch(repository: pygit2.Repository, name: Any, start: str = "HEAD") -> Branch:
    """Create a branch. The working tree stays as it is, and on the branch that it is on.

    Args:
        repository: as `open_repository` gives it.
        name: of the new branch.
        start: the commit that it begins at.

    Raises:
        ConfigError: `name` is no text.
        GitFailed: git allows no such name, a branch has it, or `start` is not there.
    """
    if not isinstance(name, str) or not name:
        raise ConfigError(f"branch is the name of a branch, not {name!r}", key="branch", value=name, allowed="a name")
    if name.startswith("-") or name == "HEAD" or not pygit2.reference_is_valid_name(f"refs/heads/{name}"):
        message = f"git allows no branch of the name {name!r}: see `git help check-ref-format`"
        raise GitFailed(message, reason="bad_name", repository=shown(repository), subject=name)
    tip = commit_at(repository, start, "start")
    if name in repository.branches.local:
        message = f"{shown(repository)} has a branch {name!r} already"
        raise GitFailed(message, reason="exists", repository=shown(repository), subject=name)
    with told(repository, f"branch {name!r} of {shown(repository)} cannot be created"):
        repository.branches.local.create(name, tip)
        made = _branch(repository, f"refs/heads/{name}", None, {}, mailmap(repository))
    assert made is not None  # noqa: S101 - a local branch is never left out
    return made


def delete_merged(
    repository: pygit2.Repository,
    *,
    into: str | None = None,
    keep: Sequence[str] = ("main", "master", "develop", "trunk"),
    apply: bool = False,
) -> tuple[BranchCleanup, ...]:
    """Delete the local branches of which another branch has all commits.

    Args:
        repository: as `open_repository` gives it.
        into: the branch or commit that has them; None is HEAD.
        keep: names and patterns of branches that are never deleted.
        apply: do it; otherwise say what would be done.

    Returns:
        What becomes of each local branch, by name.

    Raises:
        ConfigError: `keep` is no list of texts.
        GitFailed: `into` is not there, or git refuses; `subject` is then the branch at which it stopped.
    """
    if isinstance(keep, str) or not isinstance(keep, Sequence) or not all(isinstance(one, str) for one in keep):
        raise ConfigError(f"keep is {_EXPECTED}, not {keep!r}", key="keep", value=keep, allowed=_EXPECTED)
    whole = commit_at(repository, "HEAD" if into is None else into, "into")
    own = into if into is not None else (None if repository.head_is_detached else head_branch(repository, "merge into"))
    where = places(repository)
    found = []
    for name in sorted(repository.branches.local):
        branch = repository.branches.local[name]
        with told(repository, f"branch {name!r} of {shown(repository)} cannot be deleted"):
            tip = branch.peel(pygit2.Commit)
            why = ""
            if name == own:
                why = "it is the branch that the others are merged into"
            elif any(fnmatch.fnmatchcase(name, pattern) for pattern in keep):
                why = "its name is among those to keep"
            elif f"refs/heads/{name}" in where:
                why = f"it is checked out in {where[f'refs/heads/{name}']}"
            elif not is_within(repository, tip, whole):
                why = "it has commits that are not merged"
            if not why and apply:
                branch.delete()
        outcome = BranchCleanup(name, str(tip.id), "kept", why)
        if not why:
            outcome = BranchCleanup(name, str(tip.id), "deleted" if apply else "would_delete")
        found.append(outcome)
    return tuple(found)
