"""What a machine says when a promise does not hold."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["broken", "must", "must_be"]


def must(holds: object, requirement: str, *told: object) -> None:
    """Raise AssertionError unless `holds`; it names the requirement ("D8") and tells the rest in words."""
    if not holds:
        raise AssertionError(f"{requirement}: " + " ".join(str(part) for part in told))


def must_be(got: Any, expected: Any, requirement: str, *told: object) -> None:
    """Raise AssertionError unless `got` equals `expected`; it shows both."""
    if got != expected:
        raise AssertionError(f"{requirement}: {' '.join(str(part) for part in told)}: expected {expected}, got {got}")


def broken() -> bool:
    """Whether a promise is broken already; to be asked in a machine's `teardown`, which then has nothing to add."""
    return sys.exception() is not None
