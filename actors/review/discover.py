"""Finding the source files of a tree."""

from __future__ import annotations

import os
import re
import shlex
import stat
import subprocess
from dataclasses import dataclass, field
from typing import Any, Literal

from actors.analysis.languages import language_of
from actors.quality.target import syntax_by_name
from actors.review.git import run_git

__all__ = ["Discovery", "LeftOut", "discover"]

# Never anyone's own source. Folders with names that may be (build, dist, vendor) are left to git to ignore.
_SKIPPED = frozenset(
    {".git", ".hg", ".svn", ".bzr", ".jj", "__pycache__", "node_modules", "site-packages", ".tox", ".nox", ".eggs"}
    | {".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", ".direnv", ".gradle", "__pypackages__"},
)
_CLOSED = re.compile(rb"^warning: could not open directory '(.*)': ", re.MULTILINE)
# More is data, in which a search for secrets takes as long as everything else together.
_MOST_OTHER = 256 * 1024
# A repository's own configuration may name a program to run: none of it is.


Reason = Literal["folder", "virtual environment", "link", "unreadable folder", "large data"]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something in the tree that is not reviewed, and why. "large data" is of no language, and was not looked into."""

    path: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Discovery:
    """The source files of a tree.

    Args:
        root: absolute, without symbolic links.
        files: relative to the root with `/`, sorted, each once, all in a language that the analysis takes.
        method: "git" when git said what is ignored, "walk" when the usual folders were skipped, "file" for one file.
        left_out: what was seen and not taken. What git ignores is not listed.
        notes: sentences for people about how the files were found.
        others: the remaining files, in the same form: what linters and scanners may take and the analysis does not.
        package: the dotted name of the Python package that the root itself is; empty if it is none.
    """

    root: str
    files: tuple[str, ...]
    method: Literal["git", "walk", "file"]
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    package: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "root": self.root,
            "files": list(self.files),
            "method": self.method,
            "left_out": [{"path": one.path, "reason": one.reason} for one in self.left_out],
            "notes": list(self.notes),
            "others": list(self.others),
            "package": self.package,
        }


@dataclass(slots=True)
class _Found:
    """What the search has gathered; `done` holds the folders that were searched, by device and inode."""

    root: str
    files: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)
    left_out: set[LeftOut] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    done: set[tuple[int, int]] = field(default_factory=set)

    def leave(self, path: str, reason: Reason) -> None:
        self.left_out.add(LeftOut(_relative(path, self.root), reason))


def discover(root: str) -> Discovery:
    """Find the source files under a folder.

    In a git checkout, that is what git tracks or would: ignored files are left out, submodules and checkouts further
    down are searched by their own rules. Elsewhere, and in a folder that git itself ignores, all but the usual folders
    of tools (`node_modules`, `__pycache__`, `site-packages`, virtual environments …). Symbolic links are not followed:
    a link to a file or folder is left out, one that leads nowhere or in a circle is listed, to be reported.

    Args:
        root: a folder, or a single source file.

    Raises:
        FileNotFoundError: nothing is there.
        NotADirectoryError: it is a file of no language that the analysis takes, or neither file nor folder.
        PermissionError: the folder cannot be listed, or one above it not be entered.
    """
    if not root:
        # The name of a variable that is not set, mostly; the working directory is not what was meant.
        raise FileNotFoundError("expected a folder or a source file, got an empty path")
    full = os.path.realpath(root)
    try:
        mode = os.stat(full).st_mode
    except (FileNotFoundError, NotADirectoryError):
        message = f"expected a folder or a source file, and there is nothing at {root!r}"
        raise FileNotFoundError(message) from None
    if stat.S_ISREG(mode) and language_of(full) is not None:
        folder = os.path.dirname(full)
        return Discovery(folder, (os.path.basename(full),), "file", package=_package_of(folder))
    if not stat.S_ISDIR(mode):
        message = f"expected a folder or a file in a language that the analysis takes, got {root!r}"
        raise NotADirectoryError(message)
    os.scandir(full).close()
    found = _Found(full)
    by_git = _search(full, found)
    return Discovery(
        root=full,
        files=tuple(sorted(found.files)),
        method="git" if by_git else "walk",
        left_out=tuple(sorted(found.left_out, key=lambda one: (one.reason, one.path))),
        notes=tuple(dict.fromkeys(found.notes)),
        others=tuple(sorted(found.others)),
        package=_package_of(full),
    )


def _package_of(folder: str) -> str:
    """The dotted name under which programs import a folder; empty if it is no package."""
    names: list[str] = []
    while os.path.lexists(os.path.join(folder, "__init__.py")):
        folder, name = os.path.split(folder)
        if not name.isidentifier():
            # No import can have this name: the folder of a project that has a stray __init__.py.
            break
        names.append(name)
    return ".".join(reversed(names))


def _relative(path: str, root: str) -> str:
    return os.path.relpath(path, root).replace(os.sep, "/")


def _search(folder: str, found: _Found) -> bool:
    """Search a folder by git if it is a checkout, else by walking. Tells whether it was git."""
    status = os.stat(folder)
    if (status.st_dev, status.st_ino) in found.done:
        return False
    found.done.add((status.st_dev, status.st_ino))
    listed = _git_listing(folder, found)
    if listed is None:
        _walk(folder, found)
        return False
    for name in listed:
        path = os.path.join(folder, name.rstrip("/"))
        if name.endswith("/"):
            _enter(path, found)
        else:
            _take(path, found)
    return True


def _enter(path: str, found: _Found) -> None:
    """Search a checkout inside a checkout, which git names without looking into it."""
    try:
        if not os.path.islink(path):
            _search(path, found)
    except OSError:
        found.leave(path, "unreadable folder")


def _take(path: str, found: _Found) -> None:
    """Take a file of the list, unless it is gone, a link that is good, or a submodule."""
    try:
        status = os.lstat(path)
    except OSError:
        # Tracked, but deleted in the work tree.
        return
    mode = status.st_mode
    if stat.S_ISDIR(mode):
        _enter(path, found)
    elif language_of(path) is None:
        if stat.S_ISREG(mode) and (status.st_size <= _MOST_OTHER or syntax_by_name(path) is not None):
            found.others.add(_relative(path, found.root))
        elif stat.S_ISREG(mode):
            found.leave(path, "large data")
    elif stat.S_ISLNK(mode) and os.path.exists(path):
        found.leave(path, "link")
    else:
        found.files.add(_relative(path, found.root))


def _walk(root: str, found: _Found) -> None:
    folders = [root]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                listed = list(entries)
        except OSError:
            found.leave(folder, "unreadable folder")
            continue
        names = {entry.name for entry in listed}
        if folder != root and "pyvenv.cfg" in names:
            found.leave(folder, "virtual environment")
            continue
        if folder != root and ".git" in names:
            _enter(folder, found)
            continue
        for entry in listed:
            if entry.is_symlink():
                # os.path.isdir takes a loop for no folder; the entry's own test would raise.
                if os.path.isdir(entry.path):
                    found.leave(entry.path, "link")
                else:
                    _take(entry.path, found)
            elif not entry.is_dir(follow_symlinks=False):
                _take(entry.path, found)
            elif entry.name in _SKIPPED:
                found.leave(entry.path, "folder")
            else:
                folders.append(entry.path)


def _git_listing(folder: str, found: _Found) -> list[str] | None:
    """What git knows under a folder, or None when git is not there or has no say here."""
    inside = _git(folder, "rev-parse", "--is-inside-work-tree")
    if inside is None:
        found.notes.append("git is not installed: the usual folders of tools were skipped instead of what git ignores.")
        return None
    if inside.returncode != 0 or inside.stdout.strip() != b"true":
        if b"dubious ownership" in inside.stderr:
            found.notes.append(
                "git does not trust this checkout, which another user owns: neither its rules nor its history were used. "
                f"If you do: git config --global --add safe.directory {shlex.quote(folder)}"
            )
        elif inside.returncode == 0:
            found.notes.append(
                "This is the inside of a git repository and no checkout of it: its commits have no files here. "
                "git clone makes a checkout."
            )
        return None
    ignored = _git(folder, "check-ignore", "-q", ".")
    if ignored is not None and ignored.returncode == 0:
        found.notes.append("The folder is itself ignored by git: the usual folders of tools were skipped instead.")
        return None
    listed = _git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if listed is None or listed.returncode != 0:
        found.notes.append("git could not list its files: the usual folders of tools were skipped instead.")
        return None
    for name in _CLOSED.findall(listed.stderr):
        found.leave(os.path.join(folder, os.fsdecode(name).rstrip("/")), "unreadable folder")
    return sorted({os.fsdecode(name) for name in listed.stdout.split(b"\0") if name})


def _git(folder: str, *arguments: str) -> subprocess.CompletedProcess[bytes] | None:
    try:
        return run_git(folder, *arguments)
    except (OSError, subprocess.TimeoutExpired):
        return None
