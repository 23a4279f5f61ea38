"""Values on their way between processes: arguments, results and exceptions, each guarded.

A value is pickled by the standard library where that is enough, and by cloudpickle where it is not: lambdas, local
functions, and all that the program's main module defines, which no other process can import. Reading or writing a value
runs code of its class, and that code may raise anything, `SystemExit` too: whatever it is, it becomes an error about this
one value.

A payload is one pickle, or, if the value holds large buffers (arrays), a table of parts, the pickle and the buffers:

    0x01, number of buffers (u32), length of the pickle (u64), for each buffer its length (u64) and whether it was
    read-only (u8); the pickle; the buffers, each starting at a multiple of 64
"""

from __future__ import annotations

import pickle
import struct
import traceback
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from actors.core.retry import type_names
from actors.errors import NotSerializable, RemoteError
from actors.hosts.inparts import LARGE, PROTOCOL, holds_large, in_parts
from actors.hosts.markers import filled
from actors.hosts.payload import Bytes, Segment, copy_in_pieces, pack
from actors.hosts.pieces import Pieces
from actors.hosts.plaincall import ResultOf
from actors.protocol.messages import Failure, Payload

__all__ = [
    "FLAT",
    "SPLICED",
    "WHOLE",
    "Call",
    "RemoteTraceback",
    "dumps",
    "error_of",
    "failure_of",
    "fill",
    "inband_of",
    "loads",
    "pack_call",
    "pack_value",
    "unpack_call",
    "unpack_value",
]

_SIMPLE = frozenset({type(None), bool, int, float, complex, str})
_NONE = pickle.dumps(None, PROTOCOL)
_WITH_BUFFERS = 1
_BEGIN_WITH_BUFFERS = bytes([_WITH_BUFFERS])
_PICKLE = b"\x80"
_HEAD = struct.Struct("<BIQ")
_BUFFER = struct.Struct("<QB")
_ALIGNMENT = 64
# A pickle of so many bytes is read in pieces.
_PIECEMEAL = 4 << 20
# How much of an exception's text and traceback travels.
_TEXT_LIMIT = 64 * 1024
# An exception that holds more than this does not fit beside others into a frame, and arrives as a RemoteError.
_PICKLED_LIMIT = 8 << 20


class Call(NamedTuple):
    """What a task is to run. `function` is None for a worker's method; `items`: one call for each, for its arguments.

    `form` WHOLE: the calls of all items are one, whose value is the list of theirs, and which fails with the first that
    does. FLAT: `items` has the only argument of each call, and not a tuple around it. SPLICED: the first argument is a list
    of lists, to be handed over as one list.
    """

    function: Any
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = MappingProxyType({})
    items: list[Any] | None = None
    form: str = ""

    def item_args(self) -> list[tuple[Any, ...]]:
        """The arguments of each call; of one without `items` there are none."""
        items = self.items or []
        return [(item,) for item in items] if self.form == FLAT else items


FLAT = "flat"
WHOLE = "whole"
SPLICED = "spliced"


class RemoteTraceback(Exception):
    """The cause that is chained to an exception from another process: its text is the traceback there."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f'\n"""\n{self.text}"""'


# --- values --------------------------------------------------------------------------------------------------------


def dumps(value: Any, what: str = "the value") -> bytes:
    """Pickle a value.

    Args:
        value: anything that pickle or cloudpickle can write.
        what: what the value is, for the error.

    Raises:
        NotSerializable: it cannot be pickled; says which part of it is to blame where that can be found out.
    """
    return _pickled(value, what, None)


def loads(data: Payload, what: str = "the value") -> Any:
    """Read what `dumps` or `pack_value` wrote.

    Raises:
        NotSerializable: it cannot be read here, whatever its classes raise; the cause is chained.
    """
    return unpack_value(data, what)


def pack_value(value: Any, what: str = "the value", blame: Any = None) -> Payload:
    """Pickle a value into a payload: large ones go through shared memory, large buffers without a copy on the way.

    Args:
        value: anything that pickle or cloudpickle can write.
        what: what the value is, for the error.
        blame: what to search for the part to blame, if not the value itself.

    Raises:
        NotSerializable: see `dumps`.
    """
    if value is None:
        return _NONE
    if type(value) in _SIMPLE:
        data = pickle.dumps(value, PROTOCOL)
        return data if len(data) < LARGE else pack(data)
    buffers: list[memoryview] = []

    def take(buffer: pickle.PickleBuffer) -> bool:
        try:
            raw = buffer.raw()
        except BufferError:  # not contiguous: let pickle copy it
            return True
        if raw.nbytes < LARGE:
            return True
        buffers.append(raw)
        return False

    pickled = in_parts(value, take) if holds_large(value) else None
    if pickled is None:
        buffers.clear()
        pickled = [_pickled(value, what, take, buffers, blame)]
    if not buffers:
        return pack(*pickled)
    parts: list[Bytes] = [_HEAD.pack(_WITH_BUFFERS, len(buffers), sum(map(len, pickled)))]
    parts += [_BUFFER.pack(buffer.nbytes, buffer.readonly) for buffer in buffers]
    parts += pickled
    place = _HEAD.size + len(buffers) * _BUFFER.size + sum(map(len, pickled))
    for buffer in buffers:
        gap = -place % _ALIGNMENT
        parts += [bytes(gap), buffer]
        place += gap + buffer.nbytes
    return pack(*parts)


def unpack_value(payload: Payload, what: str = "the value") -> Any:
    """Read what `pack_value` wrote.

    Raises:
        NotSerializable: see `loads`.
    """
    if type(payload) is bytes and payload[:1] == _PICKLE:
        # The usual way: a pickle, and nothing beside it.
        return _unpickled(payload, what, None)
    try:
        view = payload if isinstance(payload, bytes) else _view_of(payload)
        inband, buffers = inband_of(view)
    except struct.error as error:
        raise NotSerializable(f"{what} cannot be read: it is cut short", what=what, reason=str(error)) from error
    except (MemoryError, OSError, ValueError) as error:
        raise _unreadable(error, what) from error
    return _unpickled(inband, what, buffers or None)


def _view_of(segment: Segment) -> memoryview:
    # Only buffers are written to; a pickle alone is read, and then let go of.
    return segment.private() if segment.begins_with(1) == _BEGIN_WITH_BUFFERS else segment.view()


def inband_of(view: bytes | memoryview) -> tuple[bytes | memoryview, list[Any]]:
    """The pickle of a payload, and the large buffers beside it.

    Raises:
        struct.error: it is cut short.
    """
    return (view, []) if not view or view[0] != _WITH_BUFFERS else _split(memoryview(view))


def _split(view: memoryview) -> tuple[memoryview, list[Any]]:
    _, count, length = _HEAD.unpack_from(view)
    sizes = [_BUFFER.unpack_from(view, _HEAD.size + index * _BUFFER.size) for index in range(count)]
    place = _HEAD.size + count * _BUFFER.size
    inband = view[place : place + length]
    place += length
    buffers: list[Any] = []
    for size, readonly in sizes:
        place += -place % _ALIGNMENT
        part = view[place : place + size]
        # What could be written to where it came from can be written to here; the shared memory itself cannot.
        buffers.append(part.toreadonly() if readonly else _copied(part) if part.readonly else part)
        place += size
    return inband, buffers


def _pickled(value: Any, what: str, take: Any, buffers: list[memoryview] | None = None, blame: Any = None) -> bytes:
    first: BaseException | None = None
    try:
        data = pickle.dumps(value, PROTOCOL, buffer_callback=take)
        if b"__main__" not in data:
            return data
    except BaseException as error:  # noqa: BLE001 - what a value's own code raises concerns this value only
        first = error
    if buffers is not None:
        buffers.clear()
    try:
        import cloudpickle  # type: ignore[import-untyped]  # noqa: PLC0415 - 10 ms, and most values never need it

        return cloudpickle.dumps(value, PROTOCOL, buffer_callback=take)  # type: ignore[no-any-return]
    except BaseException as second:  # noqa: BLE001 - as above
        reason = _told(second)
        part = _culprit(value if blame is None else blame)
        where = f" ({part} of it is to blame)" if part else ""
        message = (
            f"{what} cannot be sent to another process{where}: {reason}. "
            "Send plain data, or give its class __reduce__ or __getstate__"
        )
        raise NotSerializable(message, what=what, reason=reason) from first or second


def _copied(part: memoryview) -> bytearray:
    made = bytearray(len(part))
    copy_in_pieces(part, memoryview(made))
    return made


def _unpickled(data: bytes | memoryview, what: str, buffers: list[Any] | None) -> Any:
    try:
        if len(data) >= _PIECEMEAL:
            return pickle.Unpickler(Pieces(data), buffers=buffers).load()  # noqa: S301 - as below
        return pickle.loads(data, buffers=buffers)  # noqa: S301 - program and agents trust each other, unless marked
    except BaseException as error:  # see the top of the file
        raise _unreadable(error, what) from error


def _unreadable(error: BaseException, what: str) -> NotSerializable:
    reason = _told(error)
    return NotSerializable(f"{what} cannot be read here: {reason}", what=what, reason=reason)


def _told(error: BaseException) -> str:
    text = _text(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _culprit(value: Any, depth: int = 3) -> str:
    """Which part of a value cannot be pickled, as text to put behind the value's name: `[2]`, `.lock`."""
    inside: list[tuple[str, Any]] = []
    if isinstance(value, Call):
        named = [(f"argument {index + 1}", one) for index, one in enumerate(value.args)]
        inside = [("the callable", value.function), *named, *((f"argument {k}", v) for k, v in value.kwargs.items())]
    elif isinstance(value, list | tuple):
        inside = [(f"[{index}]", one) for index, one in enumerate(value[:1000])]
    elif isinstance(value, dict):
        inside = [(f"[{key!r:.50}]", one) for key, one in list(value.items())[:1000]]
    elif isinstance(getattr(value, "__dict__", None), dict) and not isinstance(value, type):
        inside = [(f".{key}", one) for key, one in list(vars(value).items())[:1000]]
    for name, one in inside:
        try:
            import cloudpickle  # noqa: PLC0415 - as above

            cloudpickle.dumps(one, PROTOCOL)
        except BaseException:  # noqa: BLE001 - as above
            return name + (_culprit(one, depth - 1) if depth else "")
    return ""


# --- calls ---------------------------------------------------------------------------------------------------------


def pack_call(call: Call, what: str = "the arguments") -> Payload:
    """Pickle what a task is to run.

    Raises:
        NotSerializable: see `dumps`.
    """
    # Plain tuples, as short as they can be: a named one would name its class in each payload.
    if call.form:
        return pack_value((call.function, call.args, dict(call.kwargs), call.items, call.form), what, call)
    if call.items is not None:
        return pack_value((call.function, call.args, dict(call.kwargs), call.items), what, call)
    short = (call.function, call.args)
    return pack_value((*short, dict(call.kwargs)) if call.kwargs else short, what, call)


def unpack_call(payload: Payload, results: Mapping[int, Payload] | None = None, what: str = "the arguments") -> Call:
    """Read what `pack_call` wrote.

    Args:
        payload: the call.
        results: the results that its arguments name by `ResultOf`.
        what: what it is, for the error.

    Raises:
        NotSerializable: see `loads`; also a result that cannot be read.
    """
    if not results and type(payload) is bytes and payload[:1] == _PICKLE:
        # The usual way, without the calls in between: it is taken once for each task.
        try:
            return Call(*pickle.loads(payload))  # noqa: S301 - as above
        except BaseException as error:  # as above
            raise _unreadable(error, what) from error
    call = Call(*unpack_value(payload, what))
    return fill(call, results) if results else call


def fill(call: Call, results: Mapping[int, Payload]) -> Call:
    """The call with results in place of each `ResultOf`, at the top level of its arguments and one container deep.

    Raises:
        NotSerializable: a result cannot be read.
    """
    read: dict[int, Any] = {}

    def get(slot: ResultOf) -> Any:
        if slot not in read:
            read[slot] = unpack_value(results[slot], f"the result of task {slot.number}")
        return read[slot]

    def one(value: Any) -> Any:
        return filled(value, ResultOf, get)

    items = call.items
    if items is not None:
        items = list(map(one, items)) if call.form == FLAT else [tuple(map(one, item)) for item in items]
    named = {key: one(value) for key, value in call.kwargs.items()}
    return Call(call.function, tuple(map(one, call.args)), named, items, call.form)


# --- exceptions ----------------------------------------------------------------------------------------------------


def failure_of(error: BaseException) -> Failure:
    """An exception in the form in which it travels. Never raises."""
    names = type_names(type(error))
    try:
        written = "".join(traceback.format_exception(type(error), error, _users_part(error)))
    except BaseException as fault:  # noqa: BLE001 - an exception is a value with code of its own, too
        written = f"{names[0]}: its traceback cannot be written ({type(fault).__name__})\n"
    if len(written) > _TEXT_LIMIT:
        written = f"{written[: _TEXT_LIMIT // 2]}\n  ... cut ...\n{written[-_TEXT_LIMIT // 2 :]}"
    return Failure(names, _text(error)[:_TEXT_LIMIT], written, _rebuildable(error))


def error_of(failure: Sequence[Any]) -> BaseException:
    """The exception that `failure_of` was given, with the traceback from over there as its cause.

    Args:
        failure: a `Failure` or its fields.

    Returns:
        The exception itself, or a `RemoteError` in its place if it cannot be rebuilt here. Never raises.
    """
    type_names, text, written, pickled = failure
    error: object = None
    if pickled is not None:
        try:
            error = pickle.loads(pickled)  # noqa: S301 - as above
        except BaseException:  # noqa: BLE001 - as above
            error = None
    if not isinstance(error, BaseException):
        name = type_names[0] if type_names else "an exception"
        error = RemoteError(
            f"{name}: {text} (raised in an agent; it cannot be rebuilt here)",
            type_name=name,
            text=text,
            traceback=written,
        )
    try:
        error.__cause__ = RemoteTraceback(written)
    except BaseException:  # noqa: BLE001, S110 - a class that forbids it goes without
        pass
    return error


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:  # noqa: BLE001 - as above
        return "(its text cannot be written)"


def _users_part(error: BaseException) -> Any:
    """The traceback without the agent's own frames, which come first and tell nothing."""
    place = error.__traceback__
    while place is not None and place.tb_frame.f_globals.get("__name__", "").startswith("actors.hosts."):
        place = place.tb_next
    return place if place is not None else error.__traceback__


def _rebuildable(error: BaseException) -> bytes | None:
    """The pickled exception if it can be rebuilt from that, as what it was; else None."""
    try:
        data = dumps(error)
        if len(data) > _PICKLED_LIMIT:
            return None
        copy = pickle.loads(data)  # noqa: S301 - what was just written
        return data if type(copy) is type(error) else None
    except BaseException:  # noqa: BLE001 - as above
        return None
