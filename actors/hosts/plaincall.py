"""Calls with small plain arguments, which most are: pickled without a look into them."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import Any

from actors.hosts.inparts import PROTOCOL

__all__ = ["ResultOf", "pack_plain"]

# As many arguments at most, none of them longer.
_FEW = 16
_SMALL = 4096
_SIZED = frozenset({str, bytes})


class ResultOf(int):
    """Stands in the arguments of a task for the result of another task, by its number."""

    # A number, because that is what pickle writes and reads without a call of Python code.
    __slots__ = ()

    @property
    def number(self) -> int:
        """Of the task."""
        return int(self)


_PLAIN = frozenset({type(None), bool, int, float, complex, str, bytes, ResultOf})


def pack_plain(args: tuple[Any, ...], kwargs: Mapping[str, Any] | None = None) -> bytes | None:
    """What `pack_call` makes of the call of a worker's method with these arguments, if all are small and plain, else None."""
    for value in args:
        if type(value) not in _PLAIN or (type(value) in _SIZED and len(value) >= _SMALL):
            return None
    if kwargs:
        for value in kwargs.values():
            if type(value) not in _PLAIN or (type(value) in _SIZED and len(value) >= _SMALL):
                return None
        return pickle.dumps((None, args, dict(kwargs)), PROTOCOL) if len(args) + len(kwargs) <= _FEW else None
    return pickle.dumps((None, args), PROTOCOL) if len(args) <= _FEW else None
