"""Branches as they are told of."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from actors.gitrepo.history import FileChange

__all__ = ["Branch", "BranchCleanup", "Comparison", "Worktree"]


@dataclass(frozen=True, slots=True)
class Branch:
    """One branch.

    Args:
        name: as `main`; of a remote one as `origin/main`.
        kind: "local" or "remote".
        commit: its tip, in hexadecimal.
        subject, author, time: of its tip; the time of the committing, in seconds since 1970.
        head: HEAD is on it.
        checked_out: the working tree that has it, or None.
        upstream: the branch that it follows, or None.
        ahead, behind: commits that it has and its upstream has not, and the other way; None without an upstream.
        merged: whether the branch that was compared with has all of it; None if none was.
    """

    name: str
    kind: Literal["local", "remote"]
    commit: str
    subject: str
    author: str
    time: float
    head: bool = False
    checked_out: str | None = None
    upstream: str | None = None
    ahead: int | None = None
    behind: int | None = None
    merged: bool | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What one commit has and another has not.

    Args:
        base, head: in hexadecimal.
        merge_base: the commit that both come from; None if there is none.
        ahead, behind: commits that only `head` has, and those that only `base` has.
        commits: ids and subjects of those that only `head` has, newest first, 1,000 at most.
        files: what differs between the merge base and `head`: what merging would bring.
    """

    base: str
    head: str
    merge_base: str | None
    ahead: int
    behind: int
    commits: tuple[tuple[str, str], ...]
    files: tuple[FileChange, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True)
class BranchCleanup:
    """What becomes of one branch when those are deleted that are merged.

    Args:
        name: of a local branch.
        commit: its tip, in hexadecimal; `git branch NAME COMMIT` brings it back.
        outcome: "deleted", "would_delete" in a preview, or "kept".
        why: why it is kept.
    """

    name: str
    commit: str
    outcome: Literal["deleted", "would_delete", "kept"]
    why: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True)
class Worktree:
    """A working tree.

    Args:
        path: its folder.
        branch: the branch that is checked out there; None when HEAD is on none.
        commit: what is checked out, in hexadecimal; empty without commits.
        main: it is the repository's own, not one made beside it.
    """

    path: str
    branch: str | None
    commit: str
    main: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return dataclasses.asdict(self)
