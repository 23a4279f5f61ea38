"""An event in the form in which it travels."""

from __future__ import annotations

from typing import Any

from actors.hosts.serialize import pack_value
from actors.protocol.events import KNOWN_EVENTS, Event
from actors.protocol.messages import EventMessage

__all__ = ["message_of"]

_OUTSIDE = frozenset({"source", "scope", "time"})


def message_of(event: Event, source: str, time: float) -> EventMessage:
    """The message of an event: plain values for the library's own events, a payload for a user's.

    Args:
        event: what happened.
        source: who tells of it, if the event does not say.
        time: when it happened in UTC seconds, if the event does not say.

    Raises:
        NotSerializable: the event cannot be sent.
    """
    kind = type(event)
    data: Any
    if KNOWN_EVENTS.get(kind.__name__) is kind:
        data = {name: value for name, value in vars(event).items() if name not in _OUTSIDE}
    else:
        data = pack_value(event, f"the event {kind.__qualname__}")
    return EventMessage(kind.__name__, event.source or source, event.scope, event.time or time, data)
