"""What a failed run prints: what happened as text and as a picture, and the lines that run it again."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path

from actors.errors import ConfigError
from actors.testing.history import History
from actors.testing.pictures.diagram import write_diagram
from actors.testing.pictures.sequence import sequence

__all__ = ["DIRECTORY", "failure_directory", "failure_text", "seed_text"]

DIRECTORY = "ACTORS_FAILURES"
"""The environment variable that names the directory of the pictures."""

_HERE = ".actors-failures"
_LINES = 60
_NAME = 80


def failure_directory() -> Path:
    """Where the pictures of failures go: what ACTORS_FAILURES names, else `.actors-failures` in the current directory."""
    return Path(os.environ.get(DIRECTORY) or _HERE).absolute()


def failure_text(history: History, name: str, again: str) -> str:
    """Tell a failure, and draw it.

    Args:
        history: what happened.
        name: of what failed, for the file of the picture.
        again: the lines of code that run it again.

    Returns:
        Lines without a line end behind the last. Where the picture cannot be written, they say why.
    """
    return "\n".join(
        [
            "What happened, in virtual time:",
            "",
            textwrap.indent(sequence(history, most=_LINES), "    "),
            "",
            f"As a picture: {_draw(history, name)}",
            "To run it again:",
            "",
            textwrap.indent(again, "    "),
        ]
    )


def seed_text(seed: int) -> str:
    """How to run a simulation again that had a seed."""
    return f"To run it again: Simulation(…, seed={seed})"


def _draw(history: History, name: str) -> str:
    safe = "".join(sign if sign.isalnum() or sign in "-_." else "_" for sign in name)[:_NAME]
    path = failure_directory() / f"{safe}-{history.digest()[:8]}.svg"
    try:
        return str(write_diagram(history, path, title=name))
    except (OSError, ConfigError) as error:
        return f"none, {path} cannot be written: {error}"
