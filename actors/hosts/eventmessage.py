"""An event in the form in which it travels."""

from __future__ import annotations

import copy
from typing import Any

from actors.errors import ConfigError, NotSerializable
from actors.hosts.serialize import loads, pack_value
from actors.protocol.events import KNOWN_EVENTS, SCOPES, Event, EventsMissed, event_name
from actors.protocol.messages import EventMessage

__all__ = ["EVENT_LIMIT", "check_event", "event_of", "message_of", "stamped"]

EVENT_LIMIT = 64 << 20
"""Bytes that a user's event may have: what waits for slow subscribers is counted in events."""

_OUTSIDE = frozenset({"source", "scope", "time"})


def check_event(event: Any) -> None:
    """See whether this can be published.

    Raises:
        ConfigError: it is no event, or has a scope that there is not, or is one that the library alone tells.
    """
    if not isinstance(event, Event):
        raise ConfigError(
            f"publish takes an Event, an instance of a frozen dataclass derived from actors.Event, not {event!r}",
            key="event",
        )
    if event.scope not in SCOPES:
        allowed = ", ".join(SCOPES)
        raise ConfigError(
            f"the scope of an event is one of {allowed}, not {event.scope!r}",
            key="scope",
            value=event.scope,
            allowed=allowed,
        )
    if isinstance(event, EventsMissed):
        raise ConfigError("EventsMissed is told by the library to each subscriber alone; publish another", key="event")


def stamped(event: Event, **fields: Any) -> Event:
    """A copy of an event with other values for `source`, `scope` or `time`, however its class is constructed."""
    made = copy.copy(event)
    _set(made, fields)
    return made


def _set(event: Event, fields: dict[str, Any]) -> None:
    for name, value in fields.items():
        # Events are frozen, and a constructor of a user's own need not take these.
        object.__setattr__(event, name, value)


def message_of(event: Event, source: str, time: float) -> EventMessage:
    """The message of an event: plain values for the library's own events, a payload for a user's.

    Args:
        event: what happened.
        source: who tells of it, if the event does not say.
        time: when it happened in UTC seconds, if the event does not say.

    Raises:
        NotSerializable: the event cannot be sent, or is larger than `EVENT_LIMIT`.
    """
    kind = type(event)
    data: Any
    if KNOWN_EVENTS.get(kind.__name__) is kind:
        data = {name: value for name, value in vars(event).items() if name not in _OUTSIDE}
    else:
        what = f"the event {kind.__qualname__}"
        data = pack_value(event, what)
        if len(data) > EVENT_LIMIT:
            reason = f"it has {len(data):,} bytes, and an event may have {EVENT_LIMIT:,}"
            raise NotSerializable(
                f"{what} is too large: {reason}. Publish where the data is, and give the data as the result of a task",
                what=what,
                reason=reason,
            )
    return EventMessage(event_name(kind), event.source or source, event.scope, event.time or time, data)


def event_of(message: EventMessage) -> Event:
    """The event of a message.

    Raises:
        NotSerializable: it cannot be read, or is no event.
        TypeError: the fields of one of the library's own are others.
    """
    source, scope, time = message.source, message.scope, message.time
    kind = KNOWN_EVENTS.get(message.type)
    if kind is not None:
        return kind(**{**message.data, "source": source, "scope": scope, "time": time})
    what = f"the event {message.type}"
    event: Any = loads(message.data, what)
    if not isinstance(event, Event):
        raise NotSerializable(f"{what} is none: {type(event).__qualname__} came", what=what, reason="no Event")
    _set(event, {"source": source, "scope": scope, "time": time})
    return event
