"""Events: facts that leave the system for whoever subscribed to them.

A user's own event is a dataclass that derives from `Event`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal, TypeAlias

__all__ = [
    "KNOWN_EVENTS",
    "SCOPES",
    "AgentError",
    "AgentRegistered",
    "AgentRestarted",
    "AgentStateChanged",
    "AgentTerminated",
    "CircuitClosed",
    "CircuitOpened",
    "CoordinationRequired",
    "DeadLetterFound",
    "Event",
    "EventsMissed",
    "LogRecorded",
    "ResourceAvailable",
    "ResourceLimitExceeded",
    "ResourcePressure",
    "Scope",
    "ShutdownInitiated",
    "TaskAssigned",
    "TaskCancelledEvent",
    "TaskCompleted",
    "TaskFailed",
    "TaskProgressed",
    "TaskRetried",
    "TaskStarted",
    "TaskSubmitted",
    "event_name",
    "event_names",
    "made",
]

Scope: TypeAlias = Literal["global", "local", "type"]
"""Who may hear: everyone; agents at work on the same job; agents of the publisher's type."""

SCOPES: tuple[Scope, ...] = ("global", "local", "type")


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Event:
    """The root of all events. `source` is an agent's id or a part of the system; `time` UTC seconds."""

    source: str = ""
    scope: Scope = "global"
    time: float = 0.0

    # What `dataclass` would make for each event anew, which took half of the time in which this module is imported.

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, each.name) for each in fields(self)))

    def __repr__(self) -> str:
        told = ", ".join(f"{each.name}={getattr(self, each.name)!r}" for each in fields(self))
        return f"{type(self).__qualname__}({told})"


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class _TaskEvent(Event):
    task_id: str
    name: str = ""
    job: str | None = None
    attempt: int = 0
    agent: str | None = None


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TaskSubmitted(_TaskEvent):
    """A task was accepted by the scheduler."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TaskAssigned(_TaskEvent):
    """A task was sent to an agent."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TaskStarted(_TaskEvent):
    """A task's body began to run."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TaskProgressed(_TaskEvent):
    """A task told how far it has come, 0 to 1."""

    fraction: float = 0.0
    note: str = ""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TaskCompleted(_TaskEvent):
    """A task ended with a result. `seconds` is how long its body ran."""

    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TaskFailed(_TaskEvent):
    """A task failed for good."""

    error: str = ""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TaskRetried(_TaskEvent):
    """An attempt failed and the task will run again, `delay` seconds from now."""

    error: str = ""
    delay: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TaskCancelledEvent(_TaskEvent):
    """A task was cancelled."""

    reason: str = ""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class _AgentEvent(Event):
    agent: str
    type: str = ""
    incarnation: int = 0


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class AgentRegistered(_AgentEvent):
    """An agent is idle for the first time."""

    pid: int = 0


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class AgentStateChanged(_AgentEvent):
    """An agent moved from one state to another."""

    previous: str = ""
    state: str = ""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class AgentError(_AgentEvent):
    """An agent has a fault of its own (not of a task)."""

    error: str = ""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class AgentRestarted(_AgentEvent):
    """An agent was replaced; `incarnation` is the new one's."""

    reason: str = ""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class AgentTerminated(_AgentEvent):
    """An agent has ended."""

    reason: str = ""
    exit_code: int | None = None
    signal: str | None = None


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ResourceAvailable(Event):
    """The machine has enough of `resource` again: work goes on."""

    resource: str
    figure: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ResourcePressure(Event):
    """The machine is short of `resource`, or an agent is over a soft limit: `figure` of `allowed`."""

    resource: str
    agent: str | None = None
    figure: float = 0.0
    allowed: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ResourceLimitExceeded(Event):
    """An agent went over a hard limit and is ended."""

    resource: str
    agent: str = ""
    task_id: str | None = None
    figure: float = 0.0
    allowed: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class CircuitOpened(Event):
    """Tasks of a type failed again and again: no further one begins for `seconds`. `openings` counts how often in a row."""

    task_type: str
    error: str = ""
    seconds: float = 0.0
    openings: int = 1


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class CircuitClosed(Event):
    """A task of a type that was let rest went well: work of that type goes on. `seconds` is how long it rested."""

    task_type: str
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class CoordinationRequired(Event):
    """An agent asks for something that only the program can decide."""

    agent: str
    topic: str = ""
    data: Any = None


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class DeadLetterFound(Event):
    """A message had no recipient, or one that will never handle it.

    `total` is how many messages this actor has lost so far: of very many only some are told. 0 where nobody counts.
    """

    recipient: str
    message: str = ""
    sender: str = ""
    total: int = 0


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ShutdownInitiated(Event):
    """The system has begun to end."""

    reason: str = ""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class EventsMissed(Event):
    """Told to one subscriber alone: events of its own were dropped, because it did not come round to them in time.

    `count` of them since it was last told so, `total` since it subscribed. Nobody can publish it.
    """

    count: int = 0
    total: int = 0


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class LogRecorded(Event):
    """A log record of an agent, on its way into the program's logging. `fields` are the bound values."""

    kind: ClassVar[str] = "log"
    logger: str
    level: int
    message: str
    fields: dict[str, Any] = field(default_factory=dict)
    exception: str | None = None


KNOWN_EVENTS: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in (
        TaskSubmitted,
        TaskAssigned,
        TaskStarted,
        TaskProgressed,
        TaskCompleted,
        TaskFailed,
        TaskRetried,
        TaskCancelledEvent,
        AgentRegistered,
        AgentStateChanged,
        AgentError,
        AgentRestarted,
        AgentTerminated,
        ResourceAvailable,
        ResourcePressure,
        ResourceLimitExceeded,
        CircuitOpened,
        CircuitClosed,
        CoordinationRequired,
        DeadLetterFound,
        ShutdownInitiated,
        EventsMissed,
        LogRecorded,
    )
}
"""The library's own events by name: the only classes that an event from an agent is rebuilt as."""


def made(kind: type[Event], fields: dict[str, Any]) -> Event:
    """An event, made without the constructor of a frozen class, which takes longer than all else that is done with it.

    Args:
        kind: its type, one of the library's own.
        fields: all of them, also those that have defaults; the dict becomes the event's own.
    """
    event = object.__new__(kind)
    object.__setattr__(event, "__dict__", fields)
    return event


def event_name(kind: type[Event]) -> str:
    """The name by which subscribers know a type of event.

    The library's own have the name of their class, users' its module's too: two classes of one name are two types.
    """
    return kind.__name__ if kind.__module__ == __name__ else f"{kind.__module__}.{kind.__qualname__}"


def event_names(kind: type[Event]) -> tuple[str, ...]:
    """The names under which an event of this type is known to subscribers: its own and its bases'."""
    return tuple(event_name(base) for base in kind.__mro__ if issubclass(base, Event))
