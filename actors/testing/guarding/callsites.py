"""Which arguments a call is given, read from the code of the frame that makes it.

A profile function is told which function is called, and not with what. Where the arguments are constants, variables or
globals, the instructions before the call name them; others stay unknown.
"""

from __future__ import annotations

import dis
from collections.abc import Mapping, Sequence
from types import CodeType, FrameType
from typing import Any, Final, NamedTuple

__all__ = ["UNKNOWN", "Arguments", "arguments"]


class _Unknown:
    """What is known of an argument that the code does not name."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown()
"""The value of an argument that cannot be told."""

_SKIPPED = frozenset({"CACHE", "EXTENDED_ARG", "NOP", "PRECALL"})
_CALLS = frozenset({"CALL", "CALL_KW"})
_LOCAL = frozenset({"LOAD_FAST", "LOAD_FAST_CHECK", "LOAD_FAST_BORROW", "LOAD_DEREF", "LOAD_CLOSURE"})
_TWO_LOCALS = frozenset({"LOAD_FAST_LOAD_FAST", "LOAD_FAST_BORROW_LOAD_FAST_BORROW"})
_GLOBAL = frozenset({"LOAD_GLOBAL", "LOAD_NAME"})
_CONSTANT = frozenset({"LOAD_CONST", "LOAD_SMALL_INT"})


class _Operand(NamedTuple):
    """Where an argument comes from: kind "constant" with its value, "variable" with its name, or "unknown"."""

    kind: str
    value: Any


class _Site(NamedTuple):
    """The operands of one call, the last ones of them with names; None if it passes a whole tuple or dict on."""

    operands: tuple[_Operand, ...] | None
    names: tuple[str, ...]


class Arguments(NamedTuple):
    """What a call passes.

    Attributes:
        positional: the values in their order, `UNKNOWN` for those that cannot be told; None if not even their number
            can be.
        named: those by keyword.
    """

    positional: Sequence[Any] | None
    named: Mapping[str, Any]

    def get(self, place: int, name: str, default: Any) -> Any:
        """The argument at a place or of a name; `default` where it is left out, `UNKNOWN` if that cannot be told."""
        if self.positional is None:
            return UNKNOWN
        if place < len(self.positional):
            return self.positional[place]
        return self.named.get(name, default)


# A code object is no key: its hash reads all of its code. It is kept beside its entry, so that its id stays its own.
_sites: dict[tuple[int, int], tuple[CodeType, _Site]] = {}


def arguments(frame: FrameType) -> Arguments:
    """The arguments of the call that a frame is making."""
    code, at = frame.f_code, frame.f_lasti
    known = _sites.get((id(code), at))
    if known is None or known[0] is not code:
        known = _sites[id(code), at] = code, _site(code, at)
    operands, names = known[1]
    if operands is None:
        return Arguments(None, {})
    values = [_value(operand, frame) for operand in operands]
    split = len(values) - len(names)
    return Arguments(values[:split], dict(zip(names, values[split:], strict=True)))


def _value(operand: _Operand, frame: FrameType) -> Any:
    if operand.kind == "constant":
        return operand.value
    if operand.kind == "variable":
        for names in (frame.f_locals, frame.f_globals, frame.f_builtins):
            if operand.value in names:
                return names[operand.value]
    return UNKNOWN


def _site(code: CodeType, at: int) -> _Site:
    found = list(dis.get_instructions(code))
    # The offset is that of the call or, in 3.11, of what prepares it.
    index = next((i for i, one in enumerate(found) if one.offset >= at and one.opname not in _SKIPPED), None)
    if index is None or found[index].opname not in _CALLS or found[index].arg is None:
        return _Site(None, ())
    call = found[index]
    before = [one for one in found[:index] if one.opname not in _SKIPPED]
    names: tuple[str, ...] = ()
    if before and before[-1].opname == "KW_NAMES":
        names = code.co_consts[before.pop().arg or 0]
    elif call.opname == "CALL_KW":
        if not before or before[-1].opname not in _CONSTANT:
            return _Site(None, ())
        names = before.pop().argval
    return _Site(_operands(before, call.arg or 0), names)


def _operands(before: list[dis.Instruction], count: int) -> tuple[_Operand, ...]:
    """The last `count` operands; as soon as one takes more than one instruction, those before are not known either."""
    operands: list[_Operand] = []
    while before and len(operands) < count:
        one = before.pop()
        if one.opname in _CONSTANT:
            operands.append(_Operand("constant", one.argval))
        elif one.opname in _LOCAL or one.opname in _GLOBAL:
            operands.append(_Operand("variable", one.argval))
        elif one.opname in _TWO_LOCALS:
            operands.extend(_Operand("variable", name) for name in reversed(one.argval))
        else:
            break
    operands = operands[:count]
    operands.extend([_Operand("unknown", None)] * (count - len(operands)))
    return tuple(reversed(operands))
