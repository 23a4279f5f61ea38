"""What the commands have in common: how they read a number, and how they tell how far they are."""

from __future__ import annotations

import argparse
import time
from typing import IO

__all__ = ["Progress", "positive"]


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text}")
    return number


class Progress:
    """A bar on a terminal, lines to stay everywhere.

    Args:
        total: how much there is to do.
        out: where it is told.
    """

    def __init__(self, total: int, out: IO[str]) -> None:
        self._total = total
        self._out = out
        self.terminal = out.isatty()
        self._began = time.monotonic()

    def show(self, done: float, text: str) -> None:
        """So much is done, and this is what is done now."""
        if not self.terminal:
            return
        bar = "█" * round(done / max(self._total, 1) * 24)
        self._out.write(f"\r\x1b[K{bar:░<24} {int(done)} of {self._total}  {text}")
        self._out.flush()

    def tell(self, text: str) -> None:
        """Something to stay."""
        self._out.write(("\r\x1b[K" if self.terminal else "") + f"{time.monotonic() - self._began:7.1f} s  {text}\n")
        self._out.flush()

    def clear(self) -> None:
        """Nothing is done any more."""
        if self.terminal:
            self._out.write("\r\x1b[K")
            self._out.flush()
