"""The command `git`, where the review asks it about a tree: it runs nothing that the tree names."""

from __future__ import annotations

import os
import subprocess

__all__ = ["run_git"]

_SECONDS = 120.0
_GIT = ("git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "--no-optional-locks")


def run_git(folder: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run it in a folder, with its messages in English and nobody to ask.

    Raises:
        OSError: it is not installed, or cannot be started there.
        subprocess.TimeoutExpired: it took too long.
    """
    # GIT_DIR and its kin, as a hook or a rebase sets them, would make git speak of another repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1"}
    return subprocess.run(
        [*_GIT, *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_SECONDS,
        check=False,
    )
