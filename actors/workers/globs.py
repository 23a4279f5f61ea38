"""Lists of files in which patterns such as `src/**/*.py` may stand."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from actors.errors import ConfigError

__all__ = ["expand"]

_MAGIC = re.compile(r"[*?\[]")


def expand(paths: Any, root: str | None = None, keep: Callable[[str], bool] | None = None) -> list[str]:
    """The files that a list of paths and patterns names.

    In a pattern `*` and `?` stand for anything but a slash, `[…]` for a character, and a part that is `**` for any
    number of folders. As in a shell, they match no name that begins with a dot unless the pattern's own part does.
    Links to folders are not followed, so a pattern always comes to an end. A path that exists is taken as it is, also
    if it looks like a pattern.

    Args:
        paths: a list of paths and patterns; relative ones start at `root`.
        root: a folder; None is the working directory.
        keep: which of a pattern's matches are taken. Paths that are written out are always taken, whether they exist
            or not: whoever names a file wants to hear of it.

    Returns:
        Each path once; in the order of the list, the matches of one pattern sorted.

    Raises:
        ConfigError: `paths` is no list of texts.
    """
    if isinstance(paths, str | bytes) or not isinstance(paths, Sequence):
        message = f'paths is a list of files and patterns, as ["setup.py", "src/**/*.py"], not {paths!r}'
        raise ConfigError(message, key="paths", value=paths, allowed="a list of texts")
    found: dict[str, None] = {}
    for path in paths:
        if not isinstance(path, str) or not path:
            message = f"paths holds texts that are not empty, not {path!r}"
            raise ConfigError(message, key="paths", value=path, allowed="a list of texts")
        if not _MAGIC.search(path) or os.path.lexists(_under(root, path)):
            found[path] = None
            continue
        for match in sorted(_matches(path, root)):
            if keep is None or keep(match):
                found[match] = None
    return list(found)


def _under(root: str | None, path: str) -> str:
    return path if root is None else os.path.join(root, path)


def _matches(pattern: str, root: str | None) -> Iterator[str]:
    start = "/" if pattern.startswith("/") else ""
    parts = [part for part in pattern.split("/") if part not in {"", "."}]
    # A folder with what is left of the pattern is looked into once, however many ways lead to it.
    seen: set[tuple[str, int]] = set()
    todo = [(start, 0)]
    while todo:
        folder, index = todo.pop()
        if (folder, index) in seen:
            continue
        seen.add((folder, index))
        part, last = parts[index], index == len(parts) - 1
        if part == "**":
            todo += [(inner, index) for inner, is_folder in _listed(folder, "*", root) if is_folder]
            if not last:
                todo.append((folder, index + 1))
                continue
            part = "*"
        for inner, is_folder in _listed(folder, part, root):
            if last and not is_folder:
                yield inner
            elif is_folder and not last:
                todo.append((inner, index + 1))


def _listed(folder: str, pattern: str, root: str | None) -> Iterator[tuple[str, bool]]:
    """What is in a folder and matches one part of a pattern; folders end with a slash. No folder: nothing."""
    if not _MAGIC.search(pattern):
        path = _under(root, folder + pattern)
        if os.path.lexists(path):
            yield (f"{folder}{pattern}/", True) if os.path.isdir(path) else (folder + pattern, False)
        return
    match = re.compile(fnmatch.translate(pattern)).match
    try:
        with os.scandir(_under(root, folder) or ".") as entries:
            for entry in entries:
                if not match(entry.name) or (entry.name.startswith(".") and not pattern.startswith(".")):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    yield f"{folder}{entry.name}/", True
                elif not os.path.isdir(entry.path):
                    yield folder + entry.name, False
    except OSError:
        return
