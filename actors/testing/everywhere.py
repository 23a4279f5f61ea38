"""The leak check for every test: loaded by the pytest plugin where the ini file says `actors_leak_check = true`."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def _actors_scratch_everywhere(actors_scratch: Path) -> None:
    """From the start of the session, before other fixtures make files."""


@pytest.fixture(autouse=True)
def _actors_leak_check_everywhere(actors_leak_check: None) -> None:
    """Around each test: before its other fixtures are made, and after they have ended."""
