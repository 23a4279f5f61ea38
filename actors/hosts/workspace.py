"""Files of a worker: its private directory, and files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

__all__ = ["atomic_write", "make_workspace", "remove_workspace"]


def make_workspace(path: str) -> Path | None:
    """Make the private directory, readable by its owner alone; None if the agent has none."""
    if not path:
        return None
    os.makedirs(path, mode=0o700, exist_ok=True)
    return Path(path)


def remove_workspace(path: Path | None) -> None:
    """Remove the directory with all that is in it; what cannot be removed is left to the system."""
    if path is not None:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str], mode: str = "w", **options: Any) -> Iterator[IO[Any]]:
    """Write a file that appears under its name when it is complete, and not at all if the block raises.

    Args:
        path: where it is to appear; what was there is replaced.
        mode: "w" or "wb".
        **options: as for `open`: encoding, newline and the like.

    Yields:
        The open file; it lies in the same directory under another name meanwhile.

    Raises:
        ValueError: another mode.
        OSError: the directory does not exist or cannot be written to, or the disk is full.
    """
    if mode not in ("w", "wb"):
        raise ValueError(f"a file is written as a whole: mode is 'w' or 'wb', not {mode!r}")
    if mode == "w":
        options.setdefault("encoding", "utf-8")
    target = os.path.abspath(path)
    name = os.path.join(os.path.dirname(target), f".{os.path.basename(target)}.{os.urandom(8).hex()}")
    # Not a file of `tempfile`, which is private: this one gets the permissions that any new file would have.
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with open(descriptor, mode, **options) as file:
            yield file
            file.flush()
            with contextlib.suppress(FileNotFoundError):
                os.fchmod(file.fileno(), os.stat(target).st_mode & 0o7777)
            os.fsync(file.fileno())
        os.replace(name, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
