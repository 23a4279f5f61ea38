"""Writing files below one folder and nowhere else: all of them, or none."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from actors.errors import ConfigError

__all__ = ["checked_path", "write_tree"]

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FOLDER_INSIDE = _FOLDER | os.O_NOFOLLOW
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LONGEST_NAME = 255
_RELATIVE = "a relative path with / and without .., below the output folder"


def checked_path(path: Any) -> tuple[str, ...]:
    """The parts of a path that stays inside the folder that it is relative to.

    Raises:
        ConfigError: it is empty or absolute, has a part that is `..`, `.` or empty, or a name that no file can have.
    """
    parts: tuple[str, ...] = tuple(path.split("/")) if isinstance(path, str) else ()
    fine = all(part not in {"", ".", ".."} and len(os.fsencode(part)) <= _LONGEST_NAME for part in parts)
    if not parts or not fine or "\0" in path or os.path.isabs(path):
        message = f"a file to generate is named by {_RELATIVE}, not {path!r}"
        raise ConfigError(message, key="path", value=path, allowed=_RELATIVE)
    return parts


def write_tree(output: str, files: Mapping[str, bytes], *, overwrite: bool = False) -> None:
    """Write files below a folder.

    Each file appears with its whole content or not at all. A folder that is not there yet appears with all its files
    at once. In one that is there, an error takes back what was written before it, so that all files are there or none;
    only the death of the process can leave some. No link inside the folder is followed, not even one that is made
    while this runs.

    Args:
        output: the folder; made, with those above it, if it is not there.
        files: contents by path, each relative to the folder with `/`.
        overwrite: replace files that are there; otherwise they are an error.

    Raises:
        ConfigError: a path leads out of the folder, by its text or by a link, or two paths cannot both be files.
        FileExistsError: a file is there, and `overwrite` is false.
        OSError: the operating system refuses; nothing has changed then.
    """
    parts = {path: checked_path(path) for path in files}
    _check_together(parts)
    output = os.path.abspath(output)
    if os.path.isdir(output):
        _write_into(output, files, parts, overwrite=overwrite)
        return
    if os.path.lexists(output):
        raise NotADirectoryError(errno.ENOTDIR, "the output folder is no folder", output)
    above = os.path.dirname(output)
    os.makedirs(above, exist_ok=True)
    staging = os.path.join(above, f".{os.path.basename(output)[:100]}.{secrets.token_hex(6)}")
    os.mkdir(staging)
    try:
        with _opened(os.open(staging, _FOLDER)) as folder:
            for path, content in files.items():
                with _parent(folder, parts[path], path, []) as inner:
                    _write(inner, parts[path][-1], content)
        os.rename(staging, output)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def _check_together(parts: Mapping[str, tuple[str, ...]]) -> None:
    files = set(parts.values())
    for path, own in parts.items():
        if any(own[:length] in files for length in range(1, len(own))):
            message = f"{path!r} cannot be generated: one of the folders above it is a file of the same tree"
            raise ConfigError(message, key="path", value=path, allowed=_RELATIVE)


@dataclass(slots=True)
class _Undo:
    """What was done in the output folder, to be taken back in reverse.

    Args:
        folders: those that were made, by their parts.
        files: those that were put in place, with the name of what was there before, if anything was.
    """

    folders: list[tuple[str, ...]] = field(default_factory=list)
    files: list[tuple[tuple[str, ...], str | None]] = field(default_factory=list)


def _write_into(
    output: str, files: Mapping[str, bytes], parts: Mapping[str, tuple[str, ...]], *, overwrite: bool
) -> None:
    staging_name = f".generating.{secrets.token_hex(6)}"
    undo = _Undo()
    with _opened(os.open(output, _FOLDER)) as top:
        os.mkdir(staging_name, dir_fd=top)
        try:
            with _opened(os.open(staging_name, _FOLDER_INSIDE, dir_fd=top)) as staging:
                for index, content in enumerate(files.values()):
                    _write(staging, f"new{index}", content)
                try:
                    for index, path in enumerate(files):
                        with _parent(top, parts[path], path, undo.folders) as folder:
                            _place(staging, index, folder, parts[path], undo, overwrite=overwrite)
                except BaseException:
                    _take_back(top, staging, undo)
                    raise
        finally:
            shutil.rmtree(staging_name, ignore_errors=True, dir_fd=top)


def _place(staging: int, index: int, folder: int, parts: tuple[str, ...], undo: _Undo, *, overwrite: bool) -> None:
    """Move a written file to where it belongs, and keep what it replaces."""
    name = parts[-1]
    try:
        there = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        kept = None
    else:
        if stat.S_ISDIR(there.st_mode):
            raise IsADirectoryError(errno.EISDIR, "a folder is where the file should be", "/".join(parts))
        if not overwrite:
            raise FileExistsError(errno.EEXIST, "a file is there already, and overwrite is false", "/".join(parts))
        kept = f"old{index}"
        # A second name for it, so that its own name is never without a file.
        os.link(name, kept, src_dir_fd=folder, dst_dir_fd=staging, follow_symlinks=False)
    undo.files.append((parts, kept))
    os.replace(f"new{index}", name, src_dir_fd=staging, dst_dir_fd=folder)


def _take_back(top: int, staging: int, undo: _Undo) -> None:
    for parts, kept in reversed(undo.files):
        with contextlib.suppress(OSError, ConfigError), _parent(top, parts, "/".join(parts), []) as folder:
            if kept is not None:
                os.replace(kept, parts[-1], src_dir_fd=staging, dst_dir_fd=folder)
            else:
                os.unlink(parts[-1], dir_fd=folder)
    for made in reversed(undo.folders):
        with contextlib.suppress(OSError, ConfigError), _parent(top, made, "/".join(made), []) as folder:
            os.rmdir(made[-1], dir_fd=folder)


@contextlib.contextmanager
def _parent(top: int, parts: tuple[str, ...], path: str, made: list[tuple[str, ...]]) -> Iterator[int]:
    """The open folder that a file belongs in. Missing ones are made and noted; a link on the way is refused."""
    folder = os.dup(top)
    try:
        for depth, name in enumerate(parts[:-1], 1):
            try:
                os.mkdir(name, dir_fd=folder)
                made.append(parts[:depth])
            except FileExistsError:
                pass
            try:
                inner = os.open(name, _FOLDER_INSIDE, dir_fd=folder)
            except OSError as error:
                if error.errno not in {errno.ELOOP, errno.ENOTDIR}:
                    raise
                message = (
                    f"{path!r} cannot be generated: {'/'.join(parts[:depth])!r} is a link or a file, and no folder"
                )
                raise ConfigError(message, key="path", value=path, allowed=_RELATIVE) from None
            os.close(folder)
            folder = inner
        yield folder
    finally:
        os.close(folder)


@contextlib.contextmanager
def _opened(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _write(folder: int, name: str, content: bytes) -> None:
    with open(os.open(name, _NEW_FILE, 0o666, dir_fd=folder), "wb") as file:
        file.write(content)
