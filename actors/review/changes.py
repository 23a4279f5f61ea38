"""What a branch changed, as git tells it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass

from actors.review.git import run_git

__all__ = ["Changes", "NoChanges", "changes_since", "place_in_repository"]

# A repository's own configuration may name programs to run: none of them is.


class NoChanges(Exception):
    """What was changed cannot be told; the text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What differs between a folder as it is and as it was where the branch left another one.

    Args:
        base: as it was given.
        commit: where the two part, a full hash.
        files: that are new or different, committed or not, relative to the folder with `/`, sorted.
        deleted: that are gone since, sorted.
    """

    base: str
    commit: str
    files: tuple[str, ...]
    deleted: tuple[str, ...]


def changes_since(folder: str, base: str) -> Changes:
    """Find what was changed since a branch left another one, with what is not committed yet.

    Args:
        folder: in a checkout.
        base: a branch, tag or commit: "main", "origin/main", "HEAD~3".

    Raises:
        NoChanges: there is no git or no checkout, it has no such commit, or no history that joins the two.
    """
    if _run(folder, "rev-parse", "--is-inside-work-tree").stdout.strip() != b"true":
        raise NoChanges(f"expected a git checkout to compare with {base!r}, and {folder!r} is in none")
    known = _run(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{base}^{{commit}}")
    if known.returncode != 0:
        raise NoChanges(
            f"expected a branch, tag or commit of this repository, got {base!r}. In CI, a checkout of one branch "
            "does not have the others: fetch it first, as with git fetch origin main, and give origin/main"
        )
    head = _run(folder, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    if head.returncode != 0:
        raise NoChanges("expected a checkout with a commit, and this one has none yet")
    tip = known.stdout.decode().strip()
    joined = _run(folder, "merge-base", tip, "HEAD")
    if joined.returncode != 0:
        shallow = _run(folder, "rev-parse", "--is-shallow-repository").stdout.strip() == b"true"
        mend = ": its history is cut off; git fetch --unshallow brings the rest" if shallow else ""
        raise NoChanges(f"{base!r} and the branch that is checked out have no commit in common{mend}")
    commit = joined.stdout.decode().strip()
    names = ("--no-ext-diff", "--no-renames", "--name-only", "-z", "--relative")
    changed = _names(folder, "diff", *names, "--diff-filter=d", commit, "--", ".")
    deleted = _names(folder, "diff", *names, "--diff-filter=D", commit, "--", ".")
    new = _names(folder, "ls-files", "-z", "--others", "--exclude-standard", "--", ".")
    return Changes(base, commit, tuple(sorted({*changed, *new})), tuple(sorted(set(deleted) - set(new))))


def place_in_repository(folder: str) -> str | None:
    """Where a folder lies in its repository, with `/` at its end, empty for its root; None if it is in none."""
    try:
        done = _run(folder, "rev-parse", "--show-prefix")
    except NoChanges:
        return None
    return os.fsdecode(done.stdout.removesuffix(b"\n")) if done.returncode == 0 else None


def _names(folder: str, *arguments: str) -> list[str]:
    done = _run(folder, *arguments)
    if done.returncode != 0:
        words = done.stderr.decode(errors="backslashreplace").strip().splitlines()
        raise NoChanges(f"git could not compare: {words[0] if words else f'exit code {done.returncode}'}")
    return [os.fsdecode(name) for name in done.stdout.split(b"\0") if name]


def _run(folder: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        done = run_git(folder, *arguments)
    except FileNotFoundError as error:
        raise NoChanges(
            "git is needed to tell what was changed, and it is not installed: apt-get install git"
        ) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoChanges(f"git could not tell what was changed: {error}") from error
    if b"dubious ownership" in done.stderr:
        raise NoChanges(
            f"git does not trust this checkout, which another user owns: git config --global --add safe.directory {folder}"
        )
    return done
