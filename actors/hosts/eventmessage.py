"""An event in the form in which it travels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from actors.hosts.serialize import loads, pack_value
from actors.protocol.events import KNOWN_EVENTS, Event
from actors.protocol.messages import EventMessage

__all__ = ["event_of", "message_of"]

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


def event_of(message: EventMessage) -> Event:
    """The event of a message from somebody who is trusted.

    Raises:
        NotSerializable: it cannot be read.
    """
    source, scope, time = message.source, message.scope, message.time
    kind = KNOWN_EVENTS.get(message.type)
    if kind is not None and isinstance(message.data, dict):
        told = {**message.data, "source": source, "scope": scope, "time": time}
        return kind(**told)
    event: Any = loads(message.data, f"the event {message.type}")
    rebuilt: Event = replace(event, source=source, scope=scope, time=time)
    return rebuilt
