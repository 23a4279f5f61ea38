"""What is asked of the book, and its check. Whoever asks imports this, and not the book."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from actors.core.sync.owner import Owner
from actors.core.sync.wait import Ticket
from actors.errors import ConfigError

__all__ = ["READ", "WRITE", "Request", "check_name", "check_size", "check_timeout"]

READ, WRITE = "read", "write"
"""How a read-write lock is held."""

_LONGEST_NAME = 200
_MOST = 1_000_000
_SIZED = {"semaphore": "n", "barrier": "parties", "latch": "n"}


class Request(NamedTuple):
    """One request.

    Attributes:
        op: what is wanted: see `Book.handle`.
        kind, name, size: of which thing, and the number that it is made with, 0 where it needs none.
        owner: who wants it.
        ticket: what tells it from all others.
        timeout: for how many seconds it may wait; None without end.
        data: what else it takes.
        inside: see `Wait.inside`.
    """

    op: str
    kind: str
    name: str
    size: int
    owner: Owner
    ticket: Ticket
    timeout: float | None = None
    data: Any = None
    inside: tuple[Owner, ...] = ()


def check_name(name: object) -> str:
    """A name, if it can be one.

    Raises:
        ConfigError: it is no text of 1 to 200 characters.
    """
    if isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME:
        return name
    allowed = f"a text of 1 to {_LONGEST_NAME} characters"
    raise ConfigError(f"a name is {allowed}, not {name!r}", key="name", value=name, allowed=allowed)


def check_size(kind: str, size: object) -> int:
    """The number that a thing is made with, if it can be.

    Raises:
        ConfigError: it is no whole number of 1 or more.
    """
    if kind not in _SIZED:
        return 0
    if isinstance(size, int) and not isinstance(size, bool) and 1 <= size <= _MOST:
        return size
    allowed = f"a whole number from 1 to {_MOST}"
    raise ConfigError(
        f"{_SIZED[kind]} of a {kind} is {allowed}, not {size!r}", key=_SIZED[kind], value=size, allowed=allowed
    )


def check_timeout(timeout: object) -> float | None:
    """A time limit, if it can be one.

    Raises:
        ConfigError: it is no number of seconds of 0 or more, nor None.
    """
    if timeout is None:
        return None
    if isinstance(timeout, int | float) and not isinstance(timeout, bool) and timeout >= 0:
        return None if timeout == math.inf else float(timeout)
    raise ConfigError(
        f"timeout takes seconds of 0 or more, or None for no limit, not {timeout!r}", key="timeout", value=timeout
    )
