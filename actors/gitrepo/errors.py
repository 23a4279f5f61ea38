"""Why git could not do what was asked."""

from __future__ import annotations

from typing import Literal

from actors.errors import ActorsError

__all__ = ["GitFailed", "Reason"]

Reason = Literal[
    "not_a_repository",
    "not_owned",
    "no_permission",
    "damaged",
    "unknown_revision",
    "unknown_branch",
    "unknown_path",
    "bad_name",
    "exists",
    "empty",
    "detached",
    "unrelated",
    "checked_out",
    "dirty",
    "in_progress",
    "overwrites",
    "no_identity",
    "conflicts",
    "moved",
    "unsupported",
    "refused",
]


class GitFailed(ActorsError, RuntimeError):
    """A git repository cannot be opened, does not have what was asked for, or refuses what was to be done.

    `reason` is one of `Reason`, for programs; `repository` is the path that was given, `subject` the revision, branch or
    path that it is about; `conflicts` are the paths, where that is the reason. Nothing was changed when this is raised.
    """

    reason: Reason | None
    repository: str | None
    subject: str | None
    conflicts: tuple[str, ...] | None
