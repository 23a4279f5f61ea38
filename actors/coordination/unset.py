"""What stands for a value that was not given."""

from __future__ import annotations

from typing import Any

__all__ = ["NOTHING"]

NOTHING: Any = object()
