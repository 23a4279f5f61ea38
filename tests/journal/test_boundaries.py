"""Whatever ends the program between two statements of the journal: its tables are those before a step, or those after it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.journal.boundaries import MUTATIONS

ROOT = Path(__file__).parents[2]


def boundaries(directory: Path, *arguments: str) -> str:
    """What the program found that goes through all of them."""
    command = [sys.executable, "-m", "tests.journal.boundaries", str(directory), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=40, check=False)
    return done.stdout + done.stderr


def test_no_boundary_of_its_statements_leaves_a_table_in_between(tmp_path: Path) -> None:
    """F3: killed by signal 9, or failed, before and after each statement of a write, a clean-up and the making of a file."""
    assert boundaries(tmp_path) == "done\n"


@pytest.mark.parametrize("name", MUTATIONS)
def test_without_its_transactions_a_table_in_between_is_found(name: str, tmp_path: Path) -> None:
    """F3: a test that never fails proves nothing."""
    assert boundaries(tmp_path, name) != "done\n"
