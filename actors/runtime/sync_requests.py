"""What agents ask of the synchronizer, read and checked: a hostile one must not harm it."""

from __future__ import annotations

from typing import Any

from actors.core.sync.owner import Owner
from actors.core.sync.request import Request

__all__ = ["read_request"]

_PLAIN = (str, int, float, bytes, type(None))


def read_request(agent: str, incarnation: int, fields: Any) -> Request:
    """The request of an agent, which can speak of its own tasks alone.

    Args:
        agent, incarnation: who sent it.
        fields: as `actors.coordination.agentdesk` writes them.

    Raises:
        TypeError, ValueError: it makes no sense.
    """
    op, kind, name, size, owner, number, timeout, data, inside = fields
    if not all(isinstance(text, str) for text in (op, kind, name)):
        raise TypeError(f"a request for synchronization names things by text, not {(op, kind, name)!r}")
    ticket = (agent, incarnation, _number(number))
    whose = _owner(agent, incarnation, owner)
    around = tuple(_owner(agent, incarnation, each) for each in inside)
    return Request(op, kind, name, _number(size), whose, ticket, timeout, _data(op, data), around)


def _owner(agent: str, incarnation: int, fields: Any) -> Owner:
    number, attempt, part, name = fields
    if not isinstance(name, str):
        raise TypeError(f"an owner is named by a text, not {name!r}")
    return Owner(agent, incarnation, _number(number), _number(attempt), _number(part), name)


def _number(given: Any) -> int:
    if type(given) is not int:
        raise TypeError(f"a request for synchronization has a number here, not {given!r}")
    return given


def _data(op: str, data: Any) -> Any:
    if op != "set":
        if not isinstance(data, _PLAIN):
            raise TypeError(f"{op} does not take {data!r}")
        return data
    payload, expect, guard = data
    if type(payload) is not bytes or not isinstance(expect, _PLAIN):
        raise TypeError("a shared value is set to bytes, with a version")
    if guard is None:
        return payload, expect, None
    name, kind, size, fence = guard
    if not (isinstance(name, str) and isinstance(kind, str)):
        raise TypeError("a lock is named by texts")
    return payload, expect, (name, kind, _number(size), _number(fence))
