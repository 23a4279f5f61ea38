"""The kinds of things that the book has, and how one is made."""

from __future__ import annotations

from actors.core.sync.barrier import Barrier
from actors.core.sync.flag import Flag
from actors.core.sync.latch import Latch
from actors.core.sync.lock import Lock
from actors.core.sync.request import READ, WRITE
from actors.core.sync.rwlock import ReadWriteLock
from actors.core.sync.semaphore import Semaphore
from actors.core.sync.thing import Thing
from actors.core.sync.value import Value
from actors.errors import ConfigError

__all__ = ["KINDS", "check_mode", "make"]

KINDS: dict[str, type[Thing]] = {
    kind.kind: kind for kind in (Lock, ReadWriteLock, Semaphore, Barrier, Latch, Flag, Value)
}
"""The kinds of things by their names."""


def check_mode(kind: str, mode: object) -> str:
    """A mode, if the kind has it.

    Raises:
        ConfigError: it has not.
    """
    modes = (READ, WRITE) if kind == ReadWriteLock.kind else ("",)
    if isinstance(mode, str) and mode in modes:
        return mode
    raise ConfigError(f"a {kind} is not acquired in mode {mode!r}", key="mode", value=mode, allowed=", ".join(modes))


def make(kind: str, name: str, size: int) -> Thing:
    """A thing that nobody has used yet.

    Raises:
        ConfigError: there is no such kind.
    """
    if kind == Semaphore.kind:
        return Semaphore(name, permits=size)
    if kind == Barrier.kind:
        return Barrier(name, parties=size)
    if kind == Latch.kind:
        return Latch(name, count=size)
    found = KINDS.get(kind)
    if found is None:
        raise ConfigError(f"there is no {kind!r}; there are: {', '.join(KINDS)}", key="kind", value=kind)
    return found(name)
