"""Runs a command of the benchmarks as a user does."""

from __future__ import annotations

import subprocess
from pathlib import Path

__all__ = ["ROOT", "run"]

ROOT = Path(__file__).parents[2]


def run(command: list[str], *options: str, limit: float) -> subprocess.CompletedProcess[str]:
    """Run a command with options, for `limit` seconds at most; what it printed is kept."""
    return subprocess.run(
        [*command, *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=limit,
        stdin=subprocess.DEVNULL,
    )
