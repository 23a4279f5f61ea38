"""Working trees: where branches are checked out, and new ones beside those that there are."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from typing import Any

import pygit2
from pygit2.enums import FileStatus, RepositoryState

from actors.errors import ConfigError
from actors.gitrepo.branch import Worktree
from actors.gitrepo.errors import GitFailed
from actors.gitrepo.repository import common_folder, shown, told

__all__ = ["add_worktree", "check_clean", "list_worktrees", "opened_at", "places", "remove_worktree"]

_CLEAN = FileStatus.CURRENT
_IGNORED = FileStatus.IGNORED
_NEW = FileStatus.WT_NEW
_SHOWN = 10


def list_worktrees(repository: pygit2.Repository) -> tuple[Worktree, ...]:
    """The working trees of a repository, its own first. One whose folder is gone is left out."""
    found = []
    common = common_folder(repository)
    with told(repository, f"the worktrees of {shown(repository)} cannot be listed"):
        own = pygit2.Repository(common)
        if own.workdir is not None:
            found.append(_worktree(own, main=True))
        for name in sorted(own.list_worktrees()):
            path = own.lookup_worktree(name).path
            # One without a folder, or whose folder was replaced, is nobody's working tree now.
            with contextlib.suppress(pygit2.GitError, KeyError, OSError):
                found.append(_worktree(pygit2.Repository(os.path.join(path, ".git")), main=False))
    return tuple(found)


def _worktree(repository: pygit2.Repository, *, main: bool) -> Worktree:
    head = repository.references["HEAD"]
    target = head.raw_target
    branch = os.fsdecode(target) if isinstance(target, bytes) else None
    commit = "" if repository.head_is_unborn else str(repository.head.target)
    name = None if branch is None else branch.removeprefix("refs/heads/")
    return Worktree(os.path.normpath(repository.workdir or repository.path), name, commit, main)


def places(repository: pygit2.Repository) -> dict[str, str]:
    """Which working tree has which branch checked out: folders by names such as refs/heads/main."""
    return {f"refs/heads/{one.branch}": one.path for one in list_worktrees(repository) if one.branch is not None}


def opened_at(repository: pygit2.Repository, folder: str) -> pygit2.Repository:
    """The repository as one of its working trees sees it, with the HEAD and the index of that.

    Args:
        repository: as `open_repository` gives it.
        folder: as `list_worktrees` and `places` tell it.
    """
    with told(repository, f"{folder} cannot be opened"):
        own = pygit2.Repository(common_folder(repository))
        if own.workdir is not None and os.path.normpath(own.workdir) == folder:
            return own
        return pygit2.Repository(os.path.join(folder, ".git"))


def check_clean(repository: pygit2.Repository, *, untracked: bool = False) -> None:
    """Make sure that a working tree has nothing that is not committed.

    Args:
        repository: opened in that working tree.
        untracked: files that git does not know count as well (ignored ones never do).

    Raises:
        GitFailed: it has, or a merge, a rebase or the like is under way in it.
    """
    where = shown(repository)
    with told(repository, f"the state of {where} cannot be read"):
        state = repository.state()
        if state != RepositoryState.NONE:
            kind = RepositoryState(state).name.lower().replace("_", " ")
            message = f"in {where} a {kind} is under way: finish or abort it first"
            raise GitFailed(message, reason="in_progress", repository=where)
        status = repository.status(untracked_files="all" if untracked else "no")
    left = {_CLEAN, _IGNORED} if untracked else {_CLEAN, _IGNORED, _NEW}
    changed = sorted(path for path, flags in status.items() if flags not in left)
    if changed:
        some = ", ".join(repr(path) for path in changed[:_SHOWN]) + (", …" if len(changed) > _SHOWN else "")
        message = f"{where} has changes that are not committed ({some}): commit or stash them first"
        raise GitFailed(message, reason="dirty", repository=where, subject=changed[0])


def add_worktree(repository: pygit2.Repository, branch: pygit2.Branch, folder: Any) -> Worktree:
    """Check a branch out in a new folder. The working trees that there are stay as they are.

    Args:
        repository: as `open_repository` gives it.
        branch: a local branch that is checked out nowhere.
        folder: not there yet, or empty.

    Raises:
        ConfigError: `folder` is no text.
        GitFailed: the branch is checked out, the folder is in use, or git refuses; nothing is left then.
    """
    if not isinstance(folder, str) or not folder or "\0" in folder:
        allowed = "the path of a folder that is not there yet"
        raise ConfigError(f"folder is {allowed}, not {folder!r}", key="folder", value=folder, allowed=allowed)
    folder = os.path.abspath(folder)
    name = os.fsdecode(branch.raw_branch_name)
    where = places(repository).get(f"refs/heads/{name}")
    if where is not None:
        message = f"branch {name!r} is checked out in {where}; a branch is checked out in one place at a time"
        raise GitFailed(message, reason="checked_out", repository=shown(repository), subject=name)
    was_there = os.path.lexists(folder)
    if was_there and not (os.path.isdir(folder) and not os.listdir(folder)):
        message = f"{folder} is there already: a worktree needs a folder of its own"
        raise GitFailed(message, reason="exists", repository=shown(repository), subject=folder)
    own = pygit2.Repository(common_folder(repository))
    label = _label(own, os.path.basename(folder))
    try:
        with told(repository, f"branch {name!r} cannot be checked out in {folder}"):
            os.makedirs(os.path.dirname(folder), exist_ok=True)
            if was_there:
                os.rmdir(folder)
            own.add_worktree(label, folder, branch)
            return _worktree(pygit2.Repository(os.path.join(folder, ".git")), main=False)
    except BaseException:
        kept_by_git = os.path.join(common_folder(repository), "worktrees", label)
        if _leads_to(folder, kept_by_git):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(kept_by_git, ignore_errors=True)
        if was_there:
            os.makedirs(folder, exist_ok=True)
        raise


def _leads_to(folder: str, kept_by_git: str) -> bool:
    """Whether a folder is the worktree that was begun here, and not one that somebody else made meanwhile."""
    try:
        with open(os.path.join(folder, ".git"), encoding="utf-8", errors="surrogateescape") as file:
            return os.path.realpath(file.read().removeprefix("gitdir:").strip()) == os.path.realpath(kept_by_git)
    except OSError:
        return False


def _label(repository: pygit2.Repository, wanted: str) -> str:
    """The name that git keeps a worktree under."""
    label = re.sub(r"[^\w.-]", "-", wanted, flags=re.ASCII).strip(".-") or "worktree"
    taken = set(repository.list_worktrees())
    # What is left of one that git does not list any more is in the way as well.
    used = os.path.join(common_folder(repository), "worktrees")
    number, found = 0, label
    while found in taken or os.path.lexists(os.path.join(used, found)):
        number += 1
        found = f"{label}{number}"
    return found


def remove_worktree(repository: pygit2.Repository, folder: Any) -> Worktree:
    """Remove a worktree that was made beside the repository's own. Its branch stays.

    Args:
        repository: as `open_repository` gives it.
        folder: of the worktree.

    Returns:
        What it was.

    Raises:
        ConfigError: `folder` is no text.
        GitFailed: there is none, it is the repository's own, or it has something that is not committed.
    """
    if not isinstance(folder, str) or not folder:
        raise ConfigError(f"folder is the path of a worktree, not {folder!r}", key="folder", value=folder)
    folder = os.path.realpath(folder)
    found = next((one for one in list_worktrees(repository) if os.path.realpath(one.path) == folder), None)
    if found is None:
        message = f"{folder} is no worktree of {shown(repository)}"
        raise GitFailed(message, reason="unknown_path", repository=shown(repository), subject=folder)
    if found.main:
        message = f"{folder} is the repository's own working tree, which is not removed"
        raise GitFailed(message, reason="refused", repository=shown(repository), subject=folder)
    check_clean(opened_at(repository, found.path), untracked=True)
    with told(repository, f"worktree {folder} cannot be removed"):
        own = pygit2.Repository(common_folder(repository))
        entry = next(
            each for each in map(own.lookup_worktree, own.list_worktrees()) if os.path.realpath(each.path) == folder
        )
        shutil.rmtree(folder)
        entry.prune()
    return found
