"""Patterns for the paths of a repository, which need not be on disk."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from actors.errors import ConfigError

__all__ = ["matcher"]

_EXPECTED = 'a list of paths and patterns relative to the root of the repository, as ["src", "docs/**/*.md"]'


def matcher(patterns: Any, key: str = "paths") -> Callable[[str], bool]:
    """What tells whether a path is among those that a list names.

    Args:
        patterns: paths of files, paths of folders (which take all that is in them), and patterns, in which `*` and `?`
            stand for anything but a slash, `[…]` for a character, and a part that is `**` for any number of folders.
        key: the name of the list, for errors.

    Raises:
        ConfigError: it is no list of texts, or a path leads out of the repository.
    """
    if isinstance(patterns, str | bytes) or not isinstance(patterns, Sequence):
        raise ConfigError(f"{key} is {_EXPECTED}, not {patterns!r}", key=key, value=patterns, allowed=_EXPECTED)
    parts = []
    for pattern in patterns:
        wrong = not isinstance(pattern, str) or not pattern or pattern.startswith("/") or ".." in pattern.split("/")
        if wrong:
            raise ConfigError(f"{key} is {_EXPECTED}; {pattern!r} is none", key=key, value=pattern, allowed=_EXPECTED)
        if pattern.strip("/.") == "":
            return _any
        literal = re.escape(pattern.removeprefix("./").rstrip("/")) + "(?:/.*)?"
        parts.append(f"{literal}|{_translated(pattern.removeprefix('./'))}")
    expression = re.compile("|".join(parts) or r"(?!)", re.DOTALL)
    return lambda path: expression.fullmatch(path) is not None


def _any(_path: str) -> bool:
    return True


def _translated(pattern: str) -> str:
    found = []
    parts = pattern.split("/")
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if part == "**":
            found.append(".*" if last else "(?:[^/]+/)*")
        else:
            found.append(_part(part) + ("" if last else "/"))
    return "".join(found)


def _part(part: str) -> str:
    found, at = [], 0
    while at < len(part):
        sign = part[at]
        at += 1
        end = part.find("]", at + 1 + part.startswith(("!", "]"), at)) if sign == "[" else -1
        if sign == "*":
            found.append("[^/]*")
        elif sign == "?":
            found.append("[^/]")
        elif end > 0:
            inner = part[at:end].replace("\\", r"\\").replace("[", r"\[")
            found.append(f"(?!/)[{'^' + inner[1:] if inner.startswith('!') else inner}]")
            at = end + 1
        else:
            found.append(re.escape(sign))
    return "".join(found)
