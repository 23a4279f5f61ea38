"""What the tasks on git repositories have in common: loading what an extra brings, and refusing wrong data."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, NoReturn

from actors.errors import ConfigError
from actors.workers.refusal import refuse_field

__all__ = ["check_bool", "is_counts", "part", "refuse", "teller"]

_PROGRESS_EVERY = 0.1


def part(name: str) -> ModuleType:
    """A module of `gitrepo` that imports pygit2, which a program that only submits does without.

    Raises:
        ConfigError: the extra `review` is not installed.
    """
    try:
        import pygit2  # noqa: F401, PLC0415 - an extra
    except ImportError as error:
        message = f"git repositories need pygit2, which cannot be imported: {error}; pip install 'actors-hub[review]'"
        raise ConfigError(message, key="review", allowed="actors-hub[review]") from error
    return importlib.import_module(f"actors.gitrepo.{name}")


def teller(progress: Callable[[float, str], None]) -> Callable[[str, int], None]:
    """What tells of progress, ten times a second at most: it is given what is being done, and how many are done."""
    told = time.monotonic()

    def tell(what: str, done: int) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told >= _PROGRESS_EVERY:
            told = now
            # How long a history is shows at its end.
            progress(0.0, f"{done:,} {what}")

    return tell


def is_counts(value: Any) -> bool:
    """Whether it is a mapping of paths to whole numbers."""
    return isinstance(value, Mapping) and all(
        isinstance(path, str) and isinstance(count, int) and not isinstance(count, bool)
        for path, count in value.items()
    )


def check_bool(key: str, value: Any) -> None:
    """Check that a part of the task's data is True or False.

    Raises:
        ConfigError: it is not.
    """
    if not isinstance(value, bool):
        refuse(key, value, "True or False")


def refuse(key: str, value: Any, allowed: str) -> NoReturn:
    """Say what was expected of a part of the task's data.

    Raises:
        ConfigError: always.
    """
    refuse_field("a git_operation", key, value, allowed)
