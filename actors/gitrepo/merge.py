"""What comes of a merge, a rebase or a cherry-pick, as a preview or done."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from actors.gitrepo.history import FileChange

__all__ = ["Conflict", "MergeReport", "Outcome", "Step"]

Outcome = Literal["up_to_date", "fast_forward", "clean", "conflicts"]


@dataclass(frozen=True, slots=True)
class Conflict:
    """A file that git cannot put together by itself.

    Args:
        path: its name in the branch that is merged into, or in the other if it is not there.
        kind: "both_modified", "both_added", "deleted_by_us", "deleted_by_them" or, where renamed files meet,
            "renamed". "Us" is the branch that is merged into; in a rebase, what the commits are put upon.
        commit: the commit that was being put in place, in a rebase or cherry-pick; None in a merge.
    """

    path: str
    kind: Literal["both_modified", "both_added", "deleted_by_us", "deleted_by_them", "renamed"]
    commit: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One commit of a rebase or cherry-pick.

    Args:
        commit: in hexadecimal.
        subject: the first line of its message.
        outcome: "picked", "empty" if all of it is there already (it is left out then), or "conflicts", at which the
            preview stops.
        becomes: the new commit, in hexadecimal, if it was done; the same as `commit` if it can stay as it is.
    """

    commit: str
    subject: str
    outcome: Literal["picked", "empty", "conflicts"]
    becomes: str | None = None


@dataclass(frozen=True, slots=True)
class MergeReport:
    """What a merge, a rebase or a cherry-pick gives.

    Args:
        operation: which of them.
        branch: the branch that changes.
        other: what is merged into it, what it is put upon, or what is picked, as it was named.
        outcome: "up_to_date" if there is nothing to do, "fast_forward" if the branch only moves on, "clean", or
            "conflicts".
        applied: the branch was changed; False in a preview, and when there is nothing to do.
        before: the tip of the branch before, in hexadecimal: `git branch -f BRANCH BEFORE` brings it back.
        after: its tip after; in a preview only where no new commit is needed, else None.
        tree: what the files become, in hexadecimal; None with conflicts.
        merge_base: the commit that both come from; None in a cherry-pick.
        conflicts: by path.
        files: what changes in the branch; empty with conflicts.
        steps: the commits of a rebase or cherry-pick, oldest first.
        folder: the working tree that was brought up to date, or None.
    """

    operation: Literal["merge", "rebase", "cherry_pick"]
    branch: str
    other: str
    outcome: Outcome
    applied: bool
    before: str
    after: str | None
    tree: str | None
    merge_base: str | None
    conflicts: tuple[Conflict, ...] = ()
    files: tuple[FileChange, ...] = ()
    steps: tuple[Step, ...] = ()
    folder: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return dataclasses.asdict(self)
