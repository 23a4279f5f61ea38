"""What a task was called with, in words, without running any code of its arguments.

The payload of a task that failed may be what crashed its agent, so it is not read as an agent reads it: nothing is
imported, and each value of a class is shown by the class's name and what the pickle gives to it.
"""

from __future__ import annotations

import io
import pickle
import reprlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from actors.protocol.messages import Payload

__all__ = ["shown_call"]

_LONGEST = 200
_LARGEST = 256 * 1024
_PICKLE = 0x80
# Their pickles hold calls of these, which do nothing but make plain values.
_PLAIN = {("builtins", kind.__name__): kind for kind in (set, frozenset, complex, bytearray, range, slice)}

_brief = reprlib.Repr()
_brief.maxstring = _brief.maxother = 60
_brief.maxlist = _brief.maxtuple = _brief.maxdict = _brief.maxset = _brief.maxfrozenset = 6
_brief.maxlevel = 3


class _Shape:
    """Stands for a value of a class that is not loaded, and for all that its pickle does to it."""

    name = "?"

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG004 - kept by `__init__`, if it is called
        shape = object.__new__(cls)
        shape.__dict__["given"] = args
        return shape

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        self.__dict__["state"] = state

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, item: Any) -> None:
        """As a list does."""

    def extend(self, items: Any) -> None:
        """As a list does."""

    def add(self, item: Any) -> None:
        """As a set does."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __repr__(self) -> str:
        given = self.__dict__.get("given") or ()
        state = self.__dict__.get("state")
        if isinstance(state, dict):
            given = (*given, *(f"{key}={_brief.repr(value)}" for key, value in list(state.items())[:4]))
            return f"{self.name}({', '.join(each if isinstance(each, str) else _brief.repr(each) for each in given)})"
        return f"{self.name}({', '.join(map(_brief.repr, given))})"


class _Reader(pickle.Unpickler):
    """Reads plain values, and shapes in place of all others."""

    def find_class(self, module: str, name: str) -> Any:
        plain = _PLAIN.get((module, name))
        if plain is not None:
            return plain
        return type("_Shape", (_Shape,), {"name": name.rpartition(".")[2]})

    def persistent_load(self, pid: Any) -> Any:
        return f"<{pid}>"


def shown_call(payload: Payload) -> str:
    """The arguments of a call as they would stand in its parentheses, shortened to about 200 characters.

    Args:
        payload: what `pack_call` made, or None if it is not kept.

    Returns:
        The arguments; "…" with the number of bytes for what is too large or cannot be shown.
    """
    if payload is None:
        return "…"
    size = len(payload)
    if not isinstance(payload, bytes) or size > _LARGEST or payload[0] != _PICKLE:
        return f"… {size} bytes"
    try:
        fields = _Reader(io.BytesIO(payload)).load()
        parts = [_brief.repr(value) for value in fields[1]]
        if len(fields) > 2:
            parts += [f"{key}={_brief.repr(value)}" for key, value in fields[2].items()]
        if len(fields) > 3:
            parts = [f"{len(fields[3])} calls: {_brief.repr(fields[3])}"]
        shown = ", ".join(parts)
    except Exception:  # noqa: BLE001 - a pickle that only its own classes can read
        return f"… {size} bytes"
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"
