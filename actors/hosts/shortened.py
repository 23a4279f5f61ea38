"""The arguments of a task in a line of text, read from its payload without running any code of theirs.

The payload is a pickle, and reading one calls whatever it names. Here all that it names is stood in for by classes that
keep what they were called with, so that even the payload of an untrusted agent's sub-task can be looked at.
"""

from __future__ import annotations

import functools
import io
import pickle
import reprlib
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from actors.hosts.payload import view_of
from actors.hosts.serialize import FLAT, inband_of
from actors.logs import Redactor
from actors.protocol.messages import Payload

__all__ = ["shortened"]

_READ_AT_MOST = 16 * 1024
"""Bytes of a pickle that are read: a larger one would keep its reader busy for too long."""

_LONGEST = 300
_MEMBERS = 6
_HARMLESS = frozenset(
    {
        *(f"datetime.{name}" for name in ("date", "datetime", "time", "timedelta", "timezone")),
        *(f"pathlib.{name}" for name in ("PosixPath", "PurePosixPath")),
        *(f"pathlib._local.{name}" for name in ("PosixPath", "PurePosixPath")),
        *("builtins.set", "builtins.frozenset", "builtins.complex", "decimal.Decimal", "uuid.UUID"),
    }
)
_UNREADABLE = "(they cannot be shown)"


def shortened(payload: Payload) -> str:
    """What a call was given: `(3, [1, 2, ...], size=64)`. Never raises, and never runs code of the arguments.

    Args:
        payload: the call, as `pack_call` wrote it.
    """
    if payload is None:
        return ""
    try:
        data, buffers = inband_of(payload if isinstance(payload, bytes) else view_of(payload))
        size = len(data) + sum(memoryview(buffer).nbytes for buffer in buffers)
        if len(data) > _READ_AT_MOST:
            return f"({size} bytes)"
        call = _Reader(io.BytesIO(data), buffers=buffers).load()
        _, args, *rest = call
        text = _items(rest[1], flat=rest[2:] == [FLAT]) if len(rest) > 1 else _call(args, rest[0] if rest else {})
    except Exception:  # noqa: BLE001 - whatever a pickle may be, its text is only for people
        return _UNREADABLE
    text = Redactor().text(text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _call(args: Any, kwargs: Mapping[str, Any]) -> str:
    return f"({', '.join([*map(_text, args), *(f'{name}={_text(value)}' for name, value in kwargs.items())])})"


def _items(items: Any, *, flat: bool) -> str:
    shown = ", ".join(_call((item,) if flat else item, {}) for item in items[:_MEMBERS])
    return f"{len(items)} calls: {shown}" + (", ..." if len(items) > _MEMBERS else "")


class _Thing:
    """Stands for an object of a class, or the result of a function, that was not called."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        thing = super().__new__(cls)
        thing.__dict__.update(given=(args, kwargs), state=None)
        return thing

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take anything."""

    def __call__(self, *args: Any, **kwargs: Any) -> _Thing:
        """As a class that is defined in the pickle itself: the second argument of what makes it is its name."""
        given = self.__dict__["given"][0]
        named = given[1] if len(given) > 1 and isinstance(given[1], str) else type(self).__qualname__
        return _thing("", named)(*args, **kwargs)

    def __setstate__(self, state: Any) -> None:
        self.__dict__["state"] = state

    # What a pickle fills one by one.
    def append(self, item: Any) -> None:
        """Let it go."""

    extend = append
    add = append

    def __setitem__(self, key: Any, value: Any) -> None:
        """Let it go."""


@functools.lru_cache(maxsize=256)
def _thing(module: str, name: str) -> type[_Thing]:
    return type(name.rpartition(".")[2], (_Thing,), {"__module__": module, "__qualname__": name})


_InPython: Any = pickle._Unpickler  # noqa: SLF001 - it has no public name


class _Reader(_InPython):  # type: ignore[misc]
    """Reads a pickle and calls nothing that it names.

    In Python: the reader in C lets a few bytes of a hostile pickle take gigabytes for its memo.
    """

    dispatch: ClassVar[dict[int, Any]] = dict(_InPython.dispatch)

    def find_class(self, module: str, name: str) -> Any:
        """Something that stands for it; of a few that do nothing but keep a value, themselves."""
        if f"{module}.{name}" in _HARMLESS:
            return super().find_class(module, name)
        return _thing(module, name)

    def load_newobj(self) -> None:
        """Make an object of a class, which may be one that was not made itself."""
        args = self.stack.pop()
        cls = self.stack.pop()
        self.append(cls(*args))

    dispatch[pickle.NEWOBJ[0]] = load_newobj

    def persistent_load(self, pid: Any) -> Any:
        """Something that stands for what is kept elsewhere."""
        return _thing("", "persistent")(pid)


class _Repr(reprlib.Repr):
    """Short texts, of things that were not made as well."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 3
        self.maxtuple = self.maxlist = self.maxset = self.maxfrozenset = self.maxdict = _MEMBERS
        self.maxstring = self.maxother = self.maxlong = 80

    def repr1(self, x: Any, level: int) -> str:
        """Choose the way by what it is, and not by the name of its type."""
        if isinstance(x, type) and issubclass(x, _Thing):
            return _name_of(x)
        if isinstance(x, _Thing):
            return self._thing(x, level)
        if isinstance(x, bytes | bytearray) and len(x) > self.maxstring:
            return f"<{len(x)} bytes>"
        if isinstance(x, memoryview | pickle.PickleBuffer):
            return f"<{memoryview(x).nbytes} bytes>"
        return super().repr1(x, level)

    def _thing(self, x: _Thing, level: int) -> str:
        name = _name_of(type(x))
        if level <= 0:
            return f"{name}(...)"
        args, kwargs = x.__dict__["given"]
        state = x.__dict__["state"]
        if name == "ResultOf" and args:
            return f"<the result of task number {args[0]}>"
        if isinstance(state, tuple) and len(state) == 2 and isinstance(state[1], dict):
            # What a class with __slots__ keeps.
            state = {**(state[0] if isinstance(state[0], dict) else {}), **state[1]}
        shown = [self.repr1(each, level - 1) for each in args[:_MEMBERS]]
        fields = {**kwargs, **(state if isinstance(state, dict) else {})}
        fields = {key: value for key, value in fields.items() if isinstance(key, str)}
        shown += [f"{key}={self.repr1(value, level - 1)}" for key, value in list(fields.items())[:_MEMBERS]]
        return f"{name}({', '.join(shown)})"


def _name_of(cls: type) -> str:
    return cls.__qualname__.rpartition(".")[2]


def _text(value: Any) -> str:
    return _Repr().repr(value)
