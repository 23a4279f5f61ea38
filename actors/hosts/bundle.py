"""Many payloads in one, so that a task with a thousand dependencies still fits into one frame."""

from __future__ import annotations

from collections.abc import Mapping

from actors.hosts.payload import view_of
from actors.hosts.serialize import pack_value, unpack_value
from actors.protocol.messages import Payload

__all__ = ["bundle", "unbundle"]

_BUNDLE = -1
"""Stands in the place of a task's number, of which none is below 1."""

_INLINE = 1 << 20
_SEGMENTS = 100
_FEW = 100


def bundle(results: Mapping[int, Payload]) -> Mapping[int, Payload]:
    """The payloads as they are, or, if they are too many or too large for one frame, in a bundle.

    Args:
        results: payloads by the number of their task.
    """
    if len(results) <= _FEW:
        # Nearly always: a few small ones.
        size = 0
        for payload in results.values():
            if type(payload) is bytes:
                size += len(payload)
        if size < _INLINE:
            return results
    inline = {number: payload for number, payload in results.items() if type(payload) is bytes}
    if sum(map(len, inline.values())) < _INLINE and len(results) - len(inline) <= _SEGMENTS:
        return results
    if len(results) - len(inline) > _SEGMENTS:
        inline = {number: bytes(view_of(payload)) for number, payload in results.items()}
    rest = {number: payload for number, payload in results.items() if number not in inline}
    return {**rest, _BUNDLE: pack_value(inline, "the results of the tasks it depends on")}


def unbundle(results: Mapping[int, Payload]) -> Mapping[int, Payload]:
    """The payloads that `bundle` was given.

    Raises:
        NotSerializable: the bundle cannot be read.
    """
    if _BUNDLE not in results:
        return results
    inside: dict[int, Payload] = unpack_value(results[_BUNDLE], "the results of the tasks it depends on")
    return {number: payload for number, payload in results.items() if number != _BUNDLE} | inside
