"""Opening a repository that may be anything, and finding in it what somebody named."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from typing import Any

import pygit2
from pygit2.enums import ObjectType, Option

from actors.errors import ConfigError
from actors.gitrepo.errors import GitFailed, Reason

__all__ = ["commit_at", "common_folder", "head_branch", "open_repository", "shown", "signature", "text_of", "told"]

# The cache is libgit2's, one for the process; its own bound is 256 MiB, which a long history fills.
_CACHE_BYTES = 32 * 1024 * 1024
_IDENTITY = re.compile(r"\s*([^<>\n]+?)\s*<([^<>\s]+)>\s*")


def open_repository(path: Any) -> pygit2.Repository:
    """Open the repository that a folder is, or is in.

    Args:
        path: of a working tree, of a folder in one, of a worktree, a submodule, or of a bare repository.

    Raises:
        ConfigError: `path` is no text.
        GitFailed: there is no repository, it belongs to another user, or it cannot be read.
    """
    if not isinstance(path, str) or not path or "\0" in path:
        allowed = "the path of a git repository"
        raise ConfigError(f"repository is {allowed}, not {path!r}", key="repository", value=path, allowed=allowed)
    pygit2.option(Option.SET_CACHE_MAX_SIZE, _CACHE_BYTES)
    try:
        found = pygit2.discover_repository(path) if os.path.isdir(path) else None
        if found is not None:
            return pygit2.Repository(found)
    except (pygit2.GitError, OSError, ValueError, KeyError) as error:
        raise _cannot_open(path, error) from None
    raise _not_there(path)


def _cannot_open(path: str, error: Exception) -> GitFailed:
    text = str(error)
    if "not owned by current user" in text:
        message = (
            f"{path!r} belongs to another user, and its settings may make git run programs. If you trust it: "
            f"git config --global --add safe.directory {os.path.abspath(path)!r}"
        )
        return GitFailed(message, reason="not_owned", repository=path)
    if isinstance(error, PermissionError) or "ermission denied" in text:
        return _no_permission(path)
    reason: Reason = "unsupported" if "unsupported" in text else "damaged"
    return GitFailed(f"{path!r} cannot be opened as a git repository: {text}", reason=reason, repository=path)


def _not_there(path: str) -> GitFailed:
    try:
        os.stat(path)
        if os.path.isdir(path):
            os.scandir(path).close()
            git = os.path.join(path, ".git")
            if os.path.isdir(git):
                os.scandir(git).close()
    except PermissionError:
        return _no_permission(path)
    except OSError as error:
        message = f"{path!r} is not a git repository: {error.strerror}"
        return GitFailed(message, reason="not_a_repository", repository=path)
    kind = "a folder that is neither one nor in one" if os.path.isdir(path) else "no folder"
    message = f"{path!r} is not a git repository: it is {kind}. `git init` makes one."
    return GitFailed(message, reason="not_a_repository", repository=path)


def _no_permission(path: str) -> GitFailed:
    message = f"{path!r} cannot be read as a git repository: this user has no permission"
    return GitFailed(message, reason="no_permission", repository=path)


@contextlib.contextmanager
def told(repository: pygit2.Repository, doing: str) -> Iterator[None]:
    """Turn what git or the operating system refuses into an error that says what was being done."""
    try:
        yield
    except (pygit2.GitError, KeyError, OSError, ValueError) as error:
        if isinstance(error, ConfigError | GitFailed):
            raise
        text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
        reason: Reason = "refused"
        if isinstance(error, PermissionError) or "ermission denied" in text:
            reason = "no_permission"
        elif isinstance(error, KeyError):
            reason = "damaged"
            text = (text if "not found" in text else f"object {text} is missing") + "; `git fsck` tells more"
        elif any(word in text for word in ("corrupt", "failed to parse bad", "zlib", "inflate", "loose object")):
            reason = "damaged"
        message = f"{doing}: {text}"
        raise GitFailed(message, reason=reason, repository=shown(repository)) from error


def shown(repository: pygit2.Repository) -> str:
    """The path of a repository as people know it: of its working tree, or of the repository if it has none."""
    return os.path.normpath(repository.workdir or repository.path)


def common_folder(repository: pygit2.Repository) -> str:
    """The folder of the repository itself, which all its worktrees share."""
    try:
        with open(os.path.join(repository.path, "commondir"), encoding="utf-8", errors="surrogateescape") as file:
            return os.path.normpath(os.path.join(repository.path, file.read().rstrip("\n")))
    except FileNotFoundError:
        return os.path.normpath(repository.path)


def commit_at(repository: pygit2.Repository, revision: Any, key: str = "revision") -> pygit2.Commit:
    """The commit that a revision names, as `git rev-parse` understands it: a branch, a tag, HEAD~3, an id.

    Args:
        repository: where to look.
        revision: a text.
        key: the name of the field, for errors.

    Raises:
        ConfigError: it is no text.
        GitFailed: the repository has no commits yet, or none of that name.
    """
    if not isinstance(revision, str) or not revision or "\0" in revision:
        allowed = "the name of a commit, as a branch, a tag or an id"
        raise ConfigError(f"{key} is {allowed}, not {revision!r}", key=key, value=revision, allowed=allowed)
    try:
        found: Any = repository.revparse_single(revision).peel(ObjectType.COMMIT)
    except (pygit2.GitError, KeyError, ValueError) as error:
        if revision == "HEAD" and repository.head_is_unborn:
            message = f"{shown(repository)} has no commits yet"
            raise GitFailed(message, reason="empty", repository=shown(repository), subject=revision) from None
        shallow = " (it holds a part of its history only: `git fetch --unshallow` brings the rest)"
        message = (
            f"{shown(repository)} has no commit {revision!r}{shallow if repository.is_shallow else ''}; {key} is a "
            f"branch, a tag or an id, and one commit, not a range"
        )
        raise GitFailed(message, reason="unknown_revision", repository=shown(repository), subject=revision) from error
    if not isinstance(found, pygit2.Commit):
        message = f"{revision!r} of {shown(repository)} is no commit"
        raise GitFailed(message, reason="unknown_revision", repository=shown(repository), subject=revision)
    return found


def head_branch(repository: pygit2.Repository, doing: str) -> str:
    """The name of the branch that HEAD is on.

    Raises:
        GitFailed: HEAD is on none, and `doing` needs one.
    """
    if repository.head_is_unborn:
        message = f"{shown(repository)} has no commits yet"
        raise GitFailed(message, reason="empty", repository=shown(repository))
    if repository.head_is_detached:
        message = f"HEAD of {shown(repository)} is on no branch (detached): say which branch to {doing}"
        raise GitFailed(message, reason="detached", repository=shown(repository))
    return os.fsdecode(repository.head.raw_shorthand)


def signature(repository: pygit2.Repository, identity: Any = None) -> pygit2.Signature:
    """Who commits: who is named, else whom the configuration of git names.

    Args:
        repository: whose configuration is read.
        identity: "Name <address>", or None.

    Raises:
        ConfigError: `identity` is no such text.
        GitFailed: nobody is named.
    """
    if identity is not None:
        found = _IDENTITY.fullmatch(identity) if isinstance(identity, str) else None
        if found is None:
            allowed = '"Name <address>"'
            message = f"committer is {allowed}, not {identity!r}"
            raise ConfigError(message, key="committer", value=identity, allowed=allowed)
        return pygit2.Signature(found[1], found[2])
    try:
        return repository.default_signature
    except (pygit2.GitError, KeyError, ValueError):
        message = (
            f'nobody is named who commits to {shown(repository)}: give committer as "Name <address>", '
            "or set user.name and user.email by `git config`"
        )
        raise GitFailed(message, reason="no_identity", repository=shown(repository)) from None


def text_of(raw: bytes, encoding: str | None = None) -> str:
    """The text of bytes in a commit, in the encoding that it names; what cannot be read is replaced."""
    try:
        return raw.decode(encoding or "utf-8", "replace")
    except LookupError:
        return raw.decode("utf-8", "replace")
