"""Whether the fields of a message have the types that its kind declares."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from typing import Any, TypeAlias

from actors.protocol.messages import (
    KINDS,
    ErrorResponse,
    Failure,
    Outcome,
    Result,
    TaskResult,
    Terminated,
)

__all__ = ["message_of"]

Check: TypeAlias = Callable[[Any], bool]


def _anything(_: Any) -> bool:
    return True


def _exactly(*allowed: type) -> Check:
    # Exact types: what is read from the wire has no subclass, and bool must not pass for int.
    accepted = frozenset(allowed)
    return lambda value: type(value) in accepted


def _check_of(hint: Any) -> Check:  # noqa: PLR0911 - one return for each kind of annotation
    """A check for one annotation of the kinds that the messages use."""
    if hint is Any:
        return _anything
    if hint is float:
        return _exactly(float, int)
    origin = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        checks = tuple(map(_check_of, arguments))
        return lambda value: any(check(value) for check in checks)
    if origin is tuple:
        return _check_of_tuple(arguments)
    if origin is list:
        each = _check_of(arguments[0])
        return lambda value: type(value) is list and all(map(each, value))
    if origin is dict:
        of_key, of_value = map(_check_of, arguments)
        return lambda value: type(value) is dict and all(map(of_key, value)) and all(map(of_value, value.values()))
    return _exactly(hint)


def _check_of_tuple(arguments: tuple[Any, ...]) -> Check:
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        each = _check_of(arguments[0])
        return lambda value: type(value) is tuple and all(map(each, value))
    checks = tuple(map(_check_of, arguments))
    return lambda value: type(value) is tuple and _fit(checks, value)


def _fit(checks: tuple[Check, ...], values: tuple[Any, ...]) -> bool:
    return len(checks) == len(values) and all(check(value) for check, value in zip(checks, values, strict=True))


def _checks_of(kind: type[Any]) -> tuple[Check, ...]:
    hints = typing.get_type_hints(kind)
    return tuple(_check_of(hints[name]) for name in kind._fields)


_CHECKS = {kind: _checks_of(kind) for kind in KINDS.values()}
_RESULT_CHECKS = _checks_of(TaskResult)
_FAILURE_CHECKS = _checks_of(Failure)


def _sound_failure(value: Any) -> bool:
    return type(value) is tuple and _fit(_FAILURE_CHECKS, value)


def _sound_result(value: tuple[Any, ...]) -> bool:
    if not _fit(_RESULT_CHECKS, value):
        return False
    _, _, outcome, payload, _, _ = value
    if outcome == Outcome.VALUE:
        return not isinstance(payload, (tuple, list, dict, str, int, float, type(None)))
    return type(payload) is not tuple or outcome != Outcome.ERROR or _sound_failure(payload)


def message_of(code: Any, fields: tuple[Any, ...]) -> Any:
    """The message of a kind's number and its fields, each of which is of the declared type.

    Raises:
        ValueError: there is no such kind, or it has other fields.
    """
    kind = KINDS.get(code) if type(code) is int else None
    if kind is None:
        raise ValueError(f"there is no kind of message with the number {code!r}")
    if not _fit(_CHECKS[kind], fields):
        raise ValueError(f"the fields of a {kind.__name__} are {', '.join(kind._fields)}, of other types or number")
    message = kind(*fields)
    if kind is Result:
        sound = all(map(_sound_result, message.results))
    elif kind is ErrorResponse:
        sound = _sound_failure(message.failure)
    elif kind is Terminated:
        sound = message.failure is None or _sound_failure(message.failure)
    else:
        sound = True
    if not sound:
        raise ValueError(f"a {kind.__name__} holds a result or a failure that is not one")
    return message
