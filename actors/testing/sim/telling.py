"""Values in a few words that are the same in every process, on any Python: for the text of a history."""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import Any

__all__ = ["told"]

_SHOWN = 4
_LONGEST_TEXT = 40
_DEPTH = 3
# What differs between two runs that are the same: of this process, or of the version of a pickler.
_UNTOLD = frozenset({"pid", "hostname", "host", "payload", "results", "worker", "traceback", "uptime", "text"})


def told(value: Any, depth: int = _DEPTH) -> str:
    """A value in a few words: no addresses, no pickled bytes, no order of sets.

    Args:
        value: anything.
        depth: how many levels of what is in it are told.
    """
    if value is None or isinstance(value, bool | int | Enum):
        return str(value)
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, str):
        return repr(value if len(value) <= _LONGEST_TEXT else value[: _LONGEST_TEXT - 1] + "…")
    if isinstance(value, bytes | bytearray | memoryview):
        return "<bytes>"
    return _told_object(value) if isinstance(value, type | BaseException) or depth == 0 else _told_inside(value, depth)


def _told_inside(value: Any, depth: int) -> str:
    """A value that may have others in it."""
    fields = getattr(value, "_fields", None)
    if fields is not None:
        shown = [f"{name}={told(getattr(value, name), depth - 1)}" for name in fields if name not in _UNTOLD]
        return f"{type(value).__name__}({_joined(shown)})"
    if isinstance(value, list | tuple | deque):
        return f"[{_joined([told(each, depth - 1) for each in [*value][:_SHOWN]], len(value))}]"
    if isinstance(value, set | frozenset):
        return f"{{{_joined(sorted(told(each, depth - 1) for each in value))}}}"
    if isinstance(value, dict):
        pairs = [f"{key}: {told(each, depth - 1)}" for key, each in value.items() if key not in _UNTOLD]
        return f"{{{_joined(pairs)}}}"
    return _told_object(value)


def _told_object(value: Any) -> str:
    """What is told by its name alone."""
    if isinstance(value, BaseException):
        first = str(value).split("\n", 1)[0]
        return f"{type(value).__qualname__}({first[:_LONGEST_TEXT]})"
    if callable(value):
        return str(getattr(value, "__qualname__", type(value).__qualname__))
    if isinstance(value, list | tuple | set | frozenset | dict | deque):
        return "…"
    named = getattr(value, "id", None)
    return f"<{type(value).__qualname__}{f' {named}' if isinstance(named, str) else ''}>"


def _joined(parts: list[str], total: int | None = None) -> str:
    left = (len(parts) if total is None else total) - _SHOWN
    return ", ".join(parts[:_SHOWN]) + (f", … {left} more" if left > 0 else "")
