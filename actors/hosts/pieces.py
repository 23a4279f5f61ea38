"""A large pickle, read in pieces."""

from __future__ import annotations

from typing import Any

from actors.hosts.payload import copy_in_pieces

__all__ = ["Pieces"]


class Pieces:
    """A large pickle as a file that is read in pieces: in between, other threads of the process have their turn.

    Args:
        data: the pickle.
    """

    def __init__(self, data: bytes | memoryview) -> None:
        self._data = memoryview(data)
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        """As a file's."""
        end = len(self._data) if size < 0 else self._at + size
        at, self._at = self._at, min(end, len(self._data))
        return bytes(self._data[at : self._at])

    def readinto(self, target: Any) -> int:
        """As a file's."""
        into = memoryview(target).cast("B")
        size = min(len(into), len(self._data) - self._at)
        copy_in_pieces(self._data[self._at : self._at + size], into)
        self._at += size
        return size

    def readline(self) -> bytes:
        """As a file's."""
        at = self._at
        while at < len(self._data):
            piece = bytes(self._data[at : at + 1024])
            found = piece.find(b"\n")
            if found >= 0:
                return self.read(at + found + 1 - self._at)
            at += len(piece)
        return self.read()
