"""Plain values as bytes: written and read by the C pickler, examined before they are read.

Plain are None, bool, int, float, str, bytes, bytearray, and tuples, lists, sets and dicts of plain values. The form
is pickle protocol 5 without its memory of earlier objects, so a value is a tree. Even an unpickler that refuses every
class can be made to allocate without end (a huge memo index), to hash for hours (a tuple that holds itself many times
over, as a key) or to overflow the C stack (a key nested a million deep). `examine` therefore walks through bytes of
unknown origin and accepts only what writing plain values can give, of bounded depth, size and number of items.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from actors.errors import NotSerializable

__all__ = ["DEPTH_LIMIT", "ITEM_LIMIT", "KEY_LIMIT", "NotPlain", "PlainReader", "PlainWriter", "examine"]

DEPTH_LIMIT = 100
"""How deeply tuples, lists and dicts may be nested in each other."""

ITEM_LIMIT = 1_000_000
"""How many values one piece may have in all."""

KEY_LIMIT = 10_000
"""How many keys and members all dicts and sets of one piece may have: numbers can be chosen so that they collide."""


class NotPlain(NotSerializable):
    """A message holds something that is not a plain value."""


class _Unready(Exception):
    """Not an exact plain type: the value must be made plain first, or cannot be."""


class _FastPickler(pickle.Pickler):
    def reducer_override(self, obj: Any) -> NoReturn:
        """Called only for what the pickler has no built-in way for, so plain values cost nothing here."""
        raise _Unready


class _SlotPickler(pickle.Pickler):
    slots: list[Any]
    slot_type: type[Any]

    def persistent_id(self, obj: Any) -> int | None:
        """Take a segment out of the stream and leave its place in the list of slots."""
        if isinstance(obj, self.slot_type):
            self.slots.append(obj)
            return len(self.slots) - 1
        return None


class _Sink:
    """What a pickler writes to: parts are kept as they come, large bytes objects uncopied."""

    __slots__ = ("parts", "write")

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.write = self.parts.append


class PlainWriter:
    """Writes plain values.

    Args:
        slot_type: objects of this type may stand anywhere in a value; they are taken out, not written.
        inline: called with each such object; if it returns a value, that is written in the object's place.
    """

    def __init__(self, slot_type: type[Any]) -> None:
        self._slot_type = slot_type
        self._renew()

    def _renew(self) -> None:
        self._sink = _Sink()
        self._pickler = _FastPickler(self._sink, 5)
        self._pickler.fast = True

    def write(self, value: Any, inline: Callable[[Any, int], Any] | None = None) -> tuple[list[bytes], list[Any]]:
        """The parts that make up `value`, and the objects of the slot type, in the order of their slots.

        Args:
            value: a plain value; subclasses of the plain types (IntEnum, named tuples) are written as their base.
            inline: called with each object of the slot type and the number of slots so far; what it returns, unless
                None, is written in its place.

        Raises:
            NotPlain: something else is in it, or it is nested too deeply (or in itself).
        """
        parts = self._sink.parts
        parts.clear()
        try:
            self._pickler.dump(value)
        except _Unready:
            self._renew()
        except (RecursionError, ValueError) as error:
            self._renew()
            raise _too_deep() from error
        else:
            return parts.copy(), []
        slots: list[Any] = []
        ready = self._plain(value, 0, slots, inline)
        sink = _Sink()
        pickler = _SlotPickler(sink, 5)
        pickler.fast = True
        pickler.slots = []
        pickler.slot_type = self._slot_type
        pickler.dump(ready)
        return sink.parts, pickler.slots

    def _plain(  # noqa: C901, PLR0911 - one return for each kind of value
        self, value: Any, depth: int, slots: list[Any], inline: Callable[[Any, int], Any] | None
    ) -> Any:
        kind = type(value)
        if kind in _ATOMS:
            return value
        if depth > DEPTH_LIMIT:
            raise _too_deep()
        if isinstance(value, self._slot_type):
            replaced = inline(value, len(slots)) if inline is not None else None
            if replaced is None:
                slots.append(value)
                return value
            return replaced
        if isinstance(value, tuple):
            return tuple([self._plain(item, depth + 1, slots, inline) for item in value])
        if isinstance(value, list):
            return [self._plain(item, depth + 1, slots, inline) for item in value]
        if isinstance(value, (set, frozenset)):
            base = set if isinstance(value, set) else frozenset
            return base([self._plain(item, depth + 1, slots, inline) for item in value])
        if isinstance(value, dict):
            return {
                self._plain(key, depth + 1, slots, inline): self._plain(item, depth + 1, slots, inline)
                for key, item in value.items()
            }
        for atom in (int, float, str, bytes, bytearray):
            if isinstance(value, atom):
                # The base's own doing: a subclass may have another idea of int() or str().
                copy: Any = atom.__add__
                return copy(value, atom())
        raise NotPlain(
            f"a message may hold plain values (None, bool, int, float, str, bytes; tuples, lists, sets and dicts of them) "
            f"and payloads, not a {kind.__module__}.{kind.__qualname__}; pickle it into a payload first",
            what=kind.__qualname__,
            reason="not a plain value",
        )


_ATOMS = frozenset({type(None), bool, int, float, str, bytes, bytearray})


def _too_deep() -> NotPlain:
    return NotPlain(
        f"a message may nest tuples, lists and dicts {DEPTH_LIMIT} deep, and not in themselves; "
        "pickle such a value into a payload",
        what="message",
        reason="nested too deeply",
    )


class PlainReader(pickle.Unpickler):
    """Reads what `PlainWriter` wrote. For bytes of unknown origin, `examine` comes first.

    Args:
        data: the bytes.
        slots: the objects to put back, by slot.
    """

    def __init__(self, data: bytes | bytearray | memoryview, slots: Sequence[Any] = ()) -> None:
        super().__init__(io.BytesIO(data))
        self._slots = slots

    def find_class(self, module: str, name: str) -> NoReturn:
        """Refuse: plain values name no class."""
        raise pickle.UnpicklingError(f"a plain value does not name {module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        """The object of a slot."""
        if type(pid) is not int or not 0 <= pid < len(self._slots):
            raise pickle.UnpicklingError(f"there is no slot {pid!r}")
        return self._slots[pid]


# Opcodes of pickle (see the standard library's pickletools) that writing plain values gives.
_PROTO, _FRAME, _STOP, _MARK, _PERSID = 0x80, 0x95, 0x2E, 0x28, 0x51
# One value each: how many bytes of argument follow.
_FIXED = {
    0x4E: 0,  # NONE
    0x88: 0,  # NEWTRUE
    0x89: 0,  # NEWFALSE
    0x4B: 1,  # BININT1
    0x4D: 2,  # BININT2
    0x4A: 4,  # BININT
    0x47: 8,  # BINFLOAT
    0x29: 0,  # EMPTY_TUPLE
    0x5D: 0,  # EMPTY_LIST
    0x7D: 0,  # EMPTY_DICT
    0x8F: 0,  # EMPTY_SET
}
# One value each: how many bytes tell the length of what follows them.
_COUNTED = {
    0x8A: 1,  # LONG1
    0x8B: 4,  # LONG4
    0x8C: 1,  # SHORT_BINUNICODE
    0x43: 1,  # SHORT_BINBYTES
    0x58: 4,  # BINUNICODE
    0x42: 4,  # BINBYTES
    0x8D: 8,  # BINUNICODE8
    0x8E: 8,  # BINBYTES8
    0x96: 8,  # BYTEARRAY8
}
_TUPLES = {0x85: 1, 0x86: 2, 0x87: 3}  # TUPLE1 to TUPLE3: how many values they take
_TUPLE, _FROZENSET = 0x74, 0x91
_APPEND, _APPENDS, _SETITEM, _SETITEMS, _ADDITEMS = 0x61, 0x65, 0x73, 0x75, 0x90


def examine(data: bytes | bytearray | memoryview) -> None:
    """Check that reading `data` is harmless: bounded in memory, time and depth.

    Raises:
        ValueError: it is not what `PlainWriter` gives for any value.
    """
    try:
        _walk(data)
    except (IndexError, TypeError):
        raise ValueError("the bytes of a message end early or are out of order") from None


def _walk(data: bytes | bytearray | memoryview) -> None:  # noqa: C901, PLR0912 - one flat table walk, called often
    # The stack holds for each value how deeply it is nested, `marks` the heights at which marks stand.
    stack: list[int] = []
    marks: list[int] = []
    push = stack.append
    fixed, counted, tuples = _FIXED.get, _COUNTED.get, _TUPLES.get
    at, end, items, keys = 0, len(data), 0, 0
    while at < end:
        code = data[at]
        at += 1
        if (skip := fixed(code)) is not None:
            at += skip
            push(0)
        elif (width := counted(code)) is not None:
            at += width + int.from_bytes(data[at : at + width], "little")
            push(0)
        elif (taken := tuples(code)) is not None:
            _close(stack, len(stack) - taken, marks)
        elif code == _MARK:
            marks.append(len(stack))
        elif code in (_TUPLE, _FROZENSET):
            height = marks.pop()
            keys += len(stack) - height if code == _FROZENSET else 0
            _close(stack, height, marks)
        elif code in (_APPENDS, _SETITEMS, _ADDITEMS):
            height = marks.pop()
            keys += len(stack) - height if code != _APPENDS else 0
            _close(stack, height, marks)
            _join(stack, marks)
        elif code in (_APPEND, _SETITEM):
            keys += code == _SETITEM
            _close(stack, len(stack) - (1 if code == _APPEND else 2), marks)
            _join(stack, marks)
        elif code == _PERSID:
            if stack[-1] or (marks and marks[-1] == len(stack)):
                raise IndexError
        elif code == _FRAME:
            at += 8
        elif code == _PROTO:
            at += 1
        elif code == _STOP:
            break
        else:
            raise ValueError(f"a message does not use the pickle opcode {code:#04x}")
        items += 1
        # A dict's values count as well: its keys are half of what is set.
        if items > ITEM_LIMIT or keys > 2 * KEY_LIMIT:
            raise ValueError(f"a message has at most {ITEM_LIMIT} items and {KEY_LIMIT} keys")
    else:
        raise IndexError
    if at != end or len(stack) != 1 or marks:
        raise IndexError


def _close(stack: list[int], height: int, marks: list[int]) -> None:
    """Replace the values from `height` on by one that holds them."""
    if height < 0 or (marks and marks[-1] > height):
        raise IndexError
    depth = 1 + max(stack[height:], default=0)
    if depth > DEPTH_LIMIT:
        raise ValueError(f"a message nests at most {DEPTH_LIMIT} deep")
    del stack[height:]
    stack.append(depth)


def _join(stack: list[int], marks: list[int]) -> None:
    """Put the value on top into the list or dict below it."""
    if marks and marks[-1] > len(stack) - 2:
        raise IndexError
    depth = stack.pop()
    stack[-1] = max(stack[-1], depth)
