"""Values with large texts or bytes in them, pickled without copying these."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from itertools import islice
from typing import Any

__all__ = ["LARGE", "PROTOCOL", "holds_large", "in_parts"]

PROTOCOL = 5
LARGE = 64 * 1024
"""What is smaller is cheaper to copy into the pickle than to carry beside it."""

# How many things in a container are looked at.
_LOOKED_AT = 8
# The pickler ends a frame at 64 KiB, and what is larger than that stands outside of it.
_LARGEST_FRAME = 192 * 1024
_SMALL = frozenset({type(None), bool, int, float, complex})
_CONTENT = frozenset({bytes, str, bytearray})


def holds_large(value: Any) -> bool:
    """Whether a large text or bytes stands in plain sight in a value: two containers deep, among the first few."""
    try:
        return len(value) >= LARGE if type(value) in _CONTENT else _holds_large(value, 1)
    except BaseException:  # noqa: BLE001 - looking runs code of its class, whose trouble is told when it is pickled
        return False


def _holds_large(value: Any, depth: int) -> bool:
    # A loop without a generator: it is gone through for each message and each task.
    for one in _inside(value):
        kind = type(one)
        if kind in _SMALL:
            continue
        if kind in _CONTENT:
            if len(one) >= LARGE:
                return True
        elif depth and _holds_large(one, depth - 1):
            return True
    return False


def _inside(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return value if len(value) <= _LOOKED_AT else value[:_LOOKED_AT]
    if isinstance(value, dict):
        return islice(value.values(), _LOOKED_AT)
    inside = getattr(value, "__dict__", None)
    # That of a class is none of its values.
    return islice(inside.values(), _LOOKED_AT) if type(inside) is dict else ()


class _Sink:
    """What a pickler writes to: large texts and bytes come as they are."""

    __slots__ = ("parts", "write")

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.write = self.parts.append


def in_parts(value: Any, take: Callable[[pickle.PickleBuffer], bool]) -> list[bytes] | None:
    """Pickle a value by the standard library alone; None if that is not enough.

    Args:
        value: to be written before its content changes: the parts may be that content itself.
        take: is given its buffers; whether it leaves them in the pickle.
    """
    sink = _Sink()
    try:
        pickle.Pickler(sink, PROTOCOL, buffer_callback=take).dump(value)
    except BaseException:  # noqa: BLE001 - it is tried again by another way, which tells
        return None
    # What names a class stands in a frame. Larger parts are the content of texts and bytes, which may say what they want.
    if any(b"__main__" in part for part in sink.parts if len(part) < _LARGEST_FRAME):
        return None
    return sink.parts
