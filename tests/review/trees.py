"""Trees of source files for the tests of the review, and what makes analyses of single files fail."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from actors.review.discover import Discovery
from actors.review.extras import Wanted
from actors.review.outcome import Outcome
from actors.review.review import Review

__all__ = ["REPOSITORY", "make_tree", "poison", "whole_review"]

REPOSITORY = Path(__file__).parents[2]


def whole_review(found: Discovery, title: str = "tree", workers: int | None = None) -> Outcome:
    """The review of a tree with all that there is: linters, scanners and the history."""
    return Review(found, title=title, workers=workers, wanted=Wanted(checks=True, history=True)).run()


_POISON = """
import os, signal, time
try:
    from actors.analysis import measure
except ImportError:
    pass
else:
    real = measure.analyse_file

    def analyse_file(path, root=None, **options):
        name = os.path.basename(path)
        if name.startswith("kill"):
            os.kill(os.getpid(), signal.SIGKILL)
        if name.startswith("exit"):
            os._exit(7)
        if name.startswith("raise"):
            raise RecursionError("too deep")
        if name.startswith("slow"):
            time.sleep(float(os.environ["REVIEW_TEST_SLOW"]))
        return real(path, root, **options)

    measure.analyse_file = analyse_file
"""


def make_tree(root: Path, files: int, functions: int = 20) -> Path:
    """A folder with so many Python files, each of which imports the one before it."""
    root.mkdir(parents=True, exist_ok=True)
    for number in range(files):
        lines = [f"import m{number - 1:04}" if number else "import os"]
        for index in range(functions):
            lines += ["", "", f"def f{index}(a):", "    if a:", "        return 1", "    return 2"]
        (root / f"m{number:04}.py").write_text("\n".join(lines) + "\n")
    return root


def poison(monkeypatch: pytest.MonkeyPatch, folder: Path, slow: float = 0.2) -> None:
    """Make agents fail in earnest at files of certain names.

    `kill*` kills the process, `exit*` ends it, `raise*` raises in the analysis, and `slow*` takes `slow` seconds.
    """
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_POISON)
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{REPOSITORY}")
    monkeypatch.setenv("REVIEW_TEST_SLOW", str(slow))
