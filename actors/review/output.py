"""Files that a review leaves: each whole, or not there."""

from __future__ import annotations

import os
import stat
import tempfile

__all__ = ["check_output", "write_output"]


def check_output(path: str) -> None:
    """Find out whether a file can be written, before the work whose result it is to take. Nothing is left.

    Args:
        path: the file; its folder is made if need be.

    Raises:
        OSError: it cannot.
    """
    path = os.path.realpath(path)
    if os.path.isdir(path):
        raise IsADirectoryError(21, "a folder is where the file should be", path)
    if not _is_special(path):
        folder = os.path.dirname(path)
        os.makedirs(folder, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=".review-", dir=folder)
        os.close(descriptor)
        os.unlink(temporary)


def write_output(path: str, text: str) -> None:
    """Write a text, whole or not at all: a reader never sees half of it, and what was there stays until then.

    Args:
        path: the file; its folder is made if need be. A link is followed; a pipe or device is written to as it is.
        text: what no UTF-8 can say (it comes from the names of files) is written as escapes.

    Raises:
        OSError: it cannot be written.
    """
    path = os.path.realpath(path)
    if _is_special(path):
        with open(path, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        return
    folder = os.path.dirname(path)
    os.makedirs(folder, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=".review-", dir=folder)
    try:
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        # mkstemp keeps others out; the file has the rights of any new one.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _is_special(path: str) -> bool:
    """Whether it is there and neither file nor folder, as /dev/stdout: never to be replaced."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode)
