"""The call of a worker's method with a few small plain arguments: pickled at once, without a look at anything else."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import Any

from actors.hosts.inparts import PROTOCOL

__all__ = ["ResultOf", "pack_plain"]


class ResultOf(int):
    """Stands in the arguments of a task for the result of another task, by its number."""

    # A number, because that is what pickle writes and reads without a call of Python code.
    __slots__ = ()

    @property
    def number(self) -> int:
        """Of the task."""
        return int(self)


_SIZED = frozenset({str, bytes})
_PLAIN = frozenset({type(None), bool, int, float, complex, ResultOf}) | _SIZED
# As many arguments, none of them longer.
_FEW = 16
_SMALL = 4096


def pack_plain(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bytes | None:
    """What `pack_call` makes of the call of a worker's method with these arguments; None unless all are small and plain."""
    if len(args) + len(kwargs) > _FEW:
        return None
    for value in (*args, *kwargs.values()) if kwargs else args:
        if type(value) not in _PLAIN or (type(value) in _SIZED and len(value) >= _SMALL):
            return None
    return pickle.dumps((None, args, dict(kwargs)) if kwargs else (None, args), PROTOCOL)
