"""The closed list of messages between agents and the system.

A message is a named tuple of plain values (text, numbers, bytes, None, tuples, lists, dicts of these) so that
it can be written without naming a class and read by an unpickler that refuses to load any. What users send
(arguments, results, their own messages) travels inside as a payload that nobody opens on the way: `bytes`, or a
segment of shared memory, which the wire alone knows how to carry.

Each kind states who may send it, on which lane an agent takes it, and in which states.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple, TypeAlias

from actors.protocol.priority import Priority
from actors.protocol.states import AgentState

__all__ = [
    "AGENT_TAKES",
    "ALL",
    "CODES",
    "HUB",
    "KINDS",
    "SCHEDULER",
    "AdjustmentAnswer",
    "AdjustmentRequest",
    "AssignedTask",
    "Assignment",
    "AssignmentAck",
    "AssignmentRefusal",
    "Batch",
    "Cancellation",
    "CancellationCause",
    "CoordinationRequest",
    "Drain",
    "Envelope",
    "ErrorResponse",
    "EventMessage",
    "Failure",
    "Heartbeat",
    "Lane",
    "Outcome",
    "Payload",
    "Priority",
    "Progress",
    "Recall",
    "Registration",
    "ResourceLimit",
    "Response",
    "Result",
    "Shutdown",
    "StatusRequest",
    "Subscribe",
    "TaskResult",
    "Terminated",
    "Unsubscribe",
    "Watch",
    "job_group",
    "type_group",
]

Payload: TypeAlias = Any
"""`bytes`, or a `actors.hosts.payload.Segment`; nobody but the wire and the two ends of a task look inside."""

HUB = "hub"
SCHEDULER = "scheduler"
ALL = "*"


def type_group(agent_type: str) -> str:
    """The recipient that means all agents of a type."""
    return f"type:{agent_type}"


def job_group(job: str) -> str:
    """The recipient that means all agents at work on a job."""
    return f"job:{job}"


class Lane(IntEnum):
    """Which of an agent's two lanes takes a message."""

    TASK = 0
    CONTROL = 1


class Outcome(IntEnum):
    """How one attempt at a task ended."""

    VALUE = 0
    ERROR = 1
    EXITED = 2
    INTERRUPTED = 3
    REFUSED = 4


class CancellationCause(IntEnum):
    """Why a running task is to be interrupted."""

    CANCELLED = 0
    TIMEOUT = 1
    LIMIT = 2
    SHUTDOWN = 3


class Failure(NamedTuple):
    """An exception on its way between processes.

    `type_names` are the qualified names of its type and that type's bases, most derived first; `pickled` is the
    exception itself if it could be pickled and rebuilt where it was raised, else None.
    """

    type_names: tuple[str, ...]
    text: str
    traceback: str
    pickled: bytes | None


class Envelope(NamedTuple):
    """What surrounds each message on its way.

    `id` counts up per sender. `correlation` ties a response to its request; `deadline` is on the machine's
    monotonic clock, after which an answer is of no use. `time` is UTC seconds.
    """

    id: int
    sender: str
    recipient: str
    priority: int
    time: float
    message: Any
    correlation: int | None = None
    deadline: float | None = None


class Registration(NamedTuple):
    """Agent to hub, before it is idle: who it is. `started_at` is UTC seconds."""

    agent: str
    type: str
    incarnation: int
    pid: int
    host_name: str
    capabilities: tuple[str, ...]
    limits: dict[str, Any]
    started_at: float
    status: int


class Heartbeat(NamedTuple):
    """Agent to hub: alive, and how it does. `time` is UTC seconds, `uptime` seconds."""

    agent: str
    incarnation: int
    time: float
    state: int
    task: int | None
    memory_kb: int
    cpu_percent: float
    open_files: int
    uptime: float
    tasks_assigned: int
    tasks_done: int


class AssignedTask(NamedTuple):
    """One task of an assignment.

    `call` names the worker's task method, or is "" when the payload brings its own callable; `results` holds the
    payloads of the results of the tasks it depends on, by number; `nested`: run it inside the task that waits for
    it; `timeout` is its time limit in seconds.
    """

    number: int
    attempt: int
    task_id: str
    call: str
    payload: Payload
    results: dict[int, Payload] | None
    timeout: float | None
    idempotent: bool
    job: str | None
    nested: bool


class Assignment(NamedTuple):
    """Scheduler to agent: tasks to run, in this order. Each item is the fields of an `AssignedTask`."""

    tasks: list[tuple[Any, ...]]


class AssignmentAck(NamedTuple):
    """Agent to scheduler: a task has started. Sent only when someone watches starts. `time` is monotonic."""

    number: int
    attempt: int
    time: float


class AssignmentRefusal(NamedTuple):
    """Agent to scheduler: it will not run the task; the task moves on without losing an attempt."""

    number: int
    attempt: int
    state: int
    reason: str


class Recall(NamedTuple):
    """Scheduler to agent: give back these tasks ((number, attempt) each) if they have not started.

    The answer is a `Response` on the same correlation whose data is the list of those that were given back.
    """

    tasks: list[tuple[int, int]]


class Cancellation(NamedTuple):
    """System to agent: interrupt a running task, or drop a waiting one."""

    number: int
    attempt: int
    cause: int
    reason: str


class Progress(NamedTuple):
    """Agent to scheduler: how far a task has come, 0 to 1. `time` is UTC seconds."""

    number: int
    attempt: int
    fraction: float
    note: str
    time: float


class TaskResult(NamedTuple):
    """How one attempt ended. Times are monotonic; `payload` is the value, or the fields of a `Failure`."""

    number: int
    attempt: int
    outcome: int
    payload: Payload
    started: float
    ended: float


class Result(NamedTuple):
    """Agent to scheduler: attempts that have ended. Each item is the fields of a `TaskResult`.

    The system sends the same message to an agent for the sub-tasks that it submitted.
    """

    results: list[tuple[Any, ...]]


class CoordinationRequest(NamedTuple):
    """A request of an agent to the system or to another agent; `topic` says which.

    Between agents the topic is "message" and `data` the payload of a user's own message; `chain` are the agents that wait
    for its answer, the one that began first.
    """

    topic: str
    data: Any
    chain: tuple[str, ...] = ()


class Response(NamedTuple):
    """The answer to a request, by the envelope's correlation."""

    data: Any


class ErrorResponse(NamedTuple):
    """The answer to a request that failed: the fields of a `Failure`."""

    failure: tuple[Any, ...]


class StatusRequest(NamedTuple):
    """System to agent: answer with a heartbeat at once."""


class ResourceLimit(NamedTuple):
    """System to agent: the limits in force from now on, and a soft breach if there is one (limit, figure)."""

    limits: dict[str, Any]
    breach: tuple[str, float] | None


class AdjustmentRequest(NamedTuple):
    """Agent to resource manager: it needs more of one limit (`limit` by name, `amount` in its unit)."""

    agent: str
    limit: str
    amount: float
    reason: str


class AdjustmentAnswer(NamedTuple):
    """Resource manager to agent: whether it got it, and what the limit is now."""

    limit: str
    granted: bool
    allowed: float
    reason: str


class EventMessage(NamedTuple):
    """An event on its way: the name of its type, its source, scope, time (UTC) and data.

    `data` is a plain value for the library's own events, a payload for a user's own.
    """

    type: str
    source: str
    scope: str
    time: float
    data: Any


class Subscribe(NamedTuple):
    """Agent to hub: send me events of these types. Hub to agent: somebody listens to these types of yours."""

    kinds: tuple[str, ...]
    scope: str


class Unsubscribe(NamedTuple):
    """The opposite of `Subscribe`."""

    kinds: tuple[str, ...]
    scope: str


class Batch(NamedTuple):
    """Several envelopes (their fields) in one frame, each judged by itself."""

    envelopes: list[tuple[Any, ...]]


class Watch(NamedTuple):
    """Tell the sender when the named agent or actor ends."""

    target: str


class Terminated(NamedTuple):
    """The named agent or actor has ended, or is about to. `failure`: the fields of a `Failure`, or None."""

    target: str
    incarnation: int
    reason: str
    failure: tuple[Any, ...] | None


class Drain(NamedTuple):
    """System to agent: take no new work; end when what is assigned has ended, if `end` is set."""

    reason: str
    end: bool


class Shutdown(NamedTuple):
    """System to agent: end. The running task may finish within `grace` seconds, then it is interrupted."""

    reason: str
    grace: float


KINDS: dict[int, type[Any]] = {
    1: Registration,
    2: Heartbeat,
    3: Assignment,
    4: AssignmentAck,
    5: AssignmentRefusal,
    6: Recall,
    7: Cancellation,
    8: Progress,
    9: Result,
    10: CoordinationRequest,
    11: Response,
    12: ErrorResponse,
    13: StatusRequest,
    14: ResourceLimit,
    15: AdjustmentRequest,
    16: AdjustmentAnswer,
    17: EventMessage,
    18: Subscribe,
    19: Unsubscribe,
    20: Batch,
    21: Watch,
    22: Terminated,
    23: Drain,
    24: Shutdown,
}
"""The class of each kind by its number on the wire. A number is never given to another kind."""

CODES: dict[type[Any], int] = {kind: code for code, kind in KINDS.items()}
"""The number on the wire by class."""

_S = AgentState
_EVERY = frozenset(_S)
_SETTLED = _EVERY - {_S.INITIALIZING, _S.TERMINATING}
_WITH_TASKS = _EVERY - {_S.INITIALIZING, _S.ERROR, _S.TERMINATING}
_NEVER: frozenset[AgentState] = frozenset()

AGENT_TAKES: dict[type[Any], tuple[Lane, frozenset[AgentState]]] = {
    # The task lane is read between tasks, so an assignment that comes in another state waits in the mailbox until
    # the agent is idle; judged is the state in which it is taken. Only a terminating agent refuses it at once.
    Assignment: (Lane.TASK, frozenset({_S.IDLE, _S.WAITING})),
    Recall: (Lane.CONTROL, _SETTLED),
    Cancellation: (Lane.CONTROL, _WITH_TASKS),
    Result: (Lane.CONTROL, _SETTLED),
    CoordinationRequest: (Lane.CONTROL, _WITH_TASKS),
    Response: (Lane.CONTROL, _EVERY),
    ErrorResponse: (Lane.CONTROL, _EVERY),
    StatusRequest: (Lane.CONTROL, _EVERY),
    ResourceLimit: (Lane.CONTROL, _EVERY - {_S.TERMINATING}),
    AdjustmentAnswer: (Lane.CONTROL, _SETTLED),
    EventMessage: (Lane.CONTROL, _SETTLED),
    Subscribe: (Lane.CONTROL, _EVERY),
    Unsubscribe: (Lane.CONTROL, _EVERY),
    Batch: (Lane.CONTROL, _EVERY),
    Terminated: (Lane.CONTROL, _SETTLED),
    Drain: (Lane.CONTROL, _EVERY - {_S.TERMINATING}),
    Shutdown: (Lane.CONTROL, _EVERY),
    # From agents only: an agent takes them in no state.
    Registration: (Lane.CONTROL, _NEVER),
    Heartbeat: (Lane.CONTROL, _NEVER),
    AssignmentAck: (Lane.CONTROL, _NEVER),
    AssignmentRefusal: (Lane.CONTROL, _NEVER),
    Progress: (Lane.CONTROL, _NEVER),
    AdjustmentRequest: (Lane.CONTROL, _NEVER),
    Watch: (Lane.CONTROL, _NEVER),
}
"""For each kind: the lane on which an agent takes it, and the states in which it does. Elsewhere it is refused."""
