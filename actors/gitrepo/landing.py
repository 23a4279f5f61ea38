"""Moving a branch to a commit, with its working tree if it has one: all of it, or nothing."""

from __future__ import annotations

import contextlib
import os

import pygit2
from pygit2.enums import CheckoutStrategy

from actors.gitrepo.commits import changes
from actors.gitrepo.errors import GitFailed
from actors.gitrepo.repository import shown, told
from actors.gitrepo.worktrees import check_clean, opened_at, places

__all__ = ["land"]


def land(
    repository: pygit2.Repository,
    branch: str,
    old: pygit2.Commit,
    new: pygit2.Commit,
    *,
    doing: str,
    update_worktree: bool,
) -> str | None:
    """Move a branch.

    Args:
        repository: as `open_repository` gives it.
        branch: a local branch.
        old: where it must still be.
        new: where it goes.
        doing: for the log of the branch.
        update_worktree: the working tree that has it checked out may be changed.

    Returns:
        The working tree that was changed, or None.

    Raises:
        GitFailed: the branch is checked out and `update_worktree` is false, its tree is not clean, a file that git does
            not know is in the way, or the branch was moved meanwhile. Branch, index and tree are as they were.
    """
    full = f"refs/heads/{branch}"
    folder = places(repository).get(full)
    if folder is None:
        _move(repository, full, old, new, doing)
        return None
    if not update_worktree:
        message = (
            f"branch {branch!r} is checked out in {folder}, which would have to change with it: allow that by "
            "update_worktree, or work on a branch that is checked out nowhere"
        )
        raise GitFailed(message, reason="checked_out", repository=shown(repository), subject=branch)
    inside = opened_at(repository, folder)
    check_clean(inside)
    before, after = inside[old.id].peel(pygit2.Tree), inside[new.id].peel(pygit2.Tree)
    touched = list(changes(inside, before, after, renames=False))
    _check_ways(inside, [one.path for one in touched if one.status == "A"], {one.path for one in touched})
    index = _index_of(inside)
    try:
        _check_out(inside, new, f"{doing}: the files of {folder} cannot be written")
        _move(inside, full, old, new, doing)
    except _NothingDone as error:
        raise error.why from None
    except BaseException:
        _undo(inside, old, [one.path for one in touched], [one.path for one in touched if one.status == "A"], index)
        raise
    return folder


class _NothingDone(Exception):
    """Git refused before it wrote anything."""

    def __init__(self, why: GitFailed) -> None:
        super().__init__(str(why))
        self.why = why


def _check_out(repository: pygit2.Repository, commit: pygit2.Commit, doing: str) -> None:
    try:
        with told(repository, doing):
            repository.checkout_tree(  # type: ignore[no-untyped-call]
                repository[commit.id], strategy=CheckoutStrategy.SAFE | CheckoutStrategy.RECREATE_MISSING
            )
    except GitFailed as error:
        if "prevent" in str(error):
            # "1 conflict prevents checkout": somebody wrote there since it was looked at, and it is not ours to undo.
            message = f"{doing}: a file was changed or made there meanwhile, and would be overwritten"
            raise _NothingDone(GitFailed(message, reason="overwrites", repository=shown(repository))) from None
        raise


def _move(repository: pygit2.Repository, full: str, old: pygit2.Commit, new: pygit2.Commit, doing: str) -> None:
    with told(repository, f"{doing}: {full} cannot be moved"):
        reference = repository.lookup_reference(full)
        if reference.target != old.id:
            message = f"{full} was moved by somebody else meanwhile, and was left where it is now"
            raise GitFailed(message, reason="moved", repository=shown(repository), subject=full)
        # git compares once more under its lock, and refuses if it was moved since.
        reference.set_target(new.id, doing)


def _check_ways(repository: pygit2.Repository, added: list[str], touched: set[str]) -> None:
    """A file that git does not know, ignored or not, is never overwritten."""
    root = repository.workdir
    for path in added:
        parts = path.split("/")
        for length in range(1, len(parts) + 1):
            part = "/".join(parts[:length])
            full = os.path.join(root, part)
            is_file = os.path.lexists(full) and (os.path.islink(full) or not os.path.isdir(full))
            # A folder in the way of a file is git's to judge: it may be one that goes away.
            if is_file and part not in touched - set(added):
                message = f"{part!r} in {shown(repository)} is not known to git and would be overwritten: move it away"
                raise GitFailed(message, reason="overwrites", repository=shown(repository), subject=part)


def _index_of(repository: pygit2.Repository) -> bytes | None:
    try:
        with open(os.path.join(repository.path, "index"), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def _undo(
    repository: pygit2.Repository, old: pygit2.Commit, touched: list[str], added: list[str], index: bytes | None
) -> None:
    """Bring the files that were touched back to what they were; there was nothing in them that is not committed."""
    root = repository.workdir
    for path in added:
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(root, path))
        folder = os.path.dirname(path)
        while folder:
            try:
                os.rmdir(os.path.join(root, folder))
            except OSError:
                break
            folder = os.path.dirname(folder)
    strategy = CheckoutStrategy.FORCE | CheckoutStrategy.DISABLE_PATHSPEC_MATCH | CheckoutStrategy.DONT_UPDATE_INDEX
    if touched:
        with contextlib.suppress(pygit2.GitError, OSError, KeyError):
            repository.checkout_tree(repository[old.id], strategy=strategy, paths=touched)  # type: ignore[no-untyped-call]
    if index is not None:
        path = os.path.join(repository.path, "index")
        with contextlib.suppress(OSError):
            with open(f"{path}.undo", "wb") as file:
                file.write(index)
            os.replace(f"{path}.undo", path)
