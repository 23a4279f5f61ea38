"""The private directories of agents: one for each incarnation, below one for the system."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Protocol

__all__ = ["DirectoryWorkspaces", "Workspaces"]


class Workspaces(Protocol):
    """Gives each incarnation of an agent a directory, and takes all of them back."""

    root: Path

    def open(self) -> None:
        """Make ready for the first.

        Raises:
            OSError: there is no room, or no permission.
        """

    def make(self, agent: str, incarnation: int) -> str:
        """The directory of an incarnation; empty if it gets none.

        Raises:
            OSError: there is no room, or no permission.
        """

    def remove(self, path: str) -> None:
        """Remove one with all that is in it; what cannot be removed is left."""

    def close(self) -> None:
        """Remove all."""


class DirectoryWorkspaces:
    """Workspaces that are directories below `root`, readable by their owner alone."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def open(self) -> None:
        """See `Workspaces.open`."""
        self.root.mkdir(mode=0o700, parents=True)

    def make(self, agent: str, incarnation: int) -> str:
        """See `Workspaces.make`."""
        path = self.root / f"{agent}.{incarnation}"
        path.mkdir(mode=0o700, parents=True)
        return str(path)

    def remove(self, path: str) -> None:
        """See `Workspaces.remove`."""
        shutil.rmtree(path, ignore_errors=True)

    def close(self) -> None:
        """See `Workspaces.close`."""
        shutil.rmtree(self.root, ignore_errors=True)
