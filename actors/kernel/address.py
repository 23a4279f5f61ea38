"""Where actors can be reached: the name of their process's life, and their number in it."""

from __future__ import annotations

import itertools
import os
from typing import NamedTuple

__all__ = ["RETURNS", "Address", "adopt_name", "next_number", "process_name", "returns"]

RETURNS = "+"
"""What the name of a process ends with that is started again when it has died."""

_LIFE = os.urandom(6).hex()
_numbers = itertools.count(1)
_adopted = (0, "")


class Address(NamedTuple):
    """Where an actor can be reached.

    `process` names its process's life, `number` the actor in it: these two tell actors apart. `endpoint` is where that
    process listens, empty if that is not known.
    """

    process: str
    number: int
    name: str
    endpoint: str = ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Address) and self[:2] == other[:2]

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self[:2])


def next_number() -> int:
    """The number of one more actor of this process."""
    return next(_numbers)


def process_name() -> str:
    """Names this process's life: another one after a fork or in another process with the same pid."""
    pid, name = _adopted
    return name if pid == os.getpid() else f"{_LIFE}-{os.getpid()}"


def adopt_name(name: str, life: int) -> None:
    """Have this process take over the name, and so the actors, of one that has died; before it has any actor.

    Args:
        name: of all lives of the process; such names end in `RETURNS`.
        life: which one this is, from 1. Its new actors have numbers that no actor of another life has.
    """
    global _adopted, _numbers  # noqa: PLW0603 - a process has one name
    _adopted = os.getpid(), name
    _numbers = itertools.count((life << 32) + 1)


def returns(process: str) -> bool:
    """Whether a process of this name is started again when it has died."""
    return process.endswith(RETURNS)
