"""Typed worker processes that work together as actors: tasks, supervision, limits, events."""

from actors.config import AgentConfig, Limits, SystemConfig
from actors.core.agentstatus import AgentStatus
from actors.core.explain import Explanation, QueueInfo
from actors.core.retry import Backoff
from actors.core.task import TaskInfo
from actors.core.taskspec import TaskSpec
from actors.errors import (
    ActorsError,
    AgentDied,
    AgentLimitReached,
    AskTimeout,
    ConfigError,
    DeadLetter,
    DependencyFailed,
    IllegalTransition,
    LimitExceeded,
    MessageRefused,
    NoSuitableAgent,
    NotSerializable,
    RemoteError,
    SystemClosed,
    TaskCancelled,
    TaskExited,
    TaskTimeout,
)
from actors.future import TaskFuture
from actors.kernel.actor import Actor
from actors.kernel.handlers import handles
from actors.kernel.ref import ActorRef
from actors.protocol.events import (
    AgentError,
    AgentRegistered,
    AgentRestarted,
    AgentStateChanged,
    AgentTerminated,
    CoordinationRequired,
    DeadLetterFound,
    Event,
    LogRecorded,
    ResourceAvailable,
    ResourceLimitExceeded,
    ResourcePressure,
    ShutdownInitiated,
    TaskAssigned,
    TaskCancelledEvent,
    TaskCompleted,
    TaskFailed,
    TaskProgressed,
    TaskRetried,
    TaskStarted,
    TaskSubmitted,
)
from actors.protocol.messages import Priority
from actors.protocol.states import AgentState, TaskStatus
from actors.runtime.agent_ref import AgentRef
from actors.runtime.event_stream import EventStream
from actors.runtime.status import SystemStatus
from actors.runtime.subscription import Subscription
from actors.system import ActorSystem
from actors.worker import Worker, task

__all__ = [
    # Work
    "ActorSystem",
    "Backoff",
    "Priority",
    "TaskFuture",
    "TaskInfo",
    "TaskSpec",
    "TaskStatus",
    "Worker",
    "task",
    # Agents
    "AgentConfig",
    "AgentRef",
    "AgentState",
    "AgentStatus",
    "Explanation",
    "Limits",
    "QueueInfo",
    "SystemConfig",
    "SystemStatus",
    # Actors
    "Actor",
    "ActorRef",
    "handles",
    # Events
    "AgentError",
    "AgentRegistered",
    "AgentRestarted",
    "AgentStateChanged",
    "AgentTerminated",
    "CoordinationRequired",
    "DeadLetterFound",
    "Event",
    "EventStream",
    "LogRecorded",
    "ResourceAvailable",
    "ResourceLimitExceeded",
    "ResourcePressure",
    "ShutdownInitiated",
    "Subscription",
    "TaskAssigned",
    "TaskCancelledEvent",
    "TaskCompleted",
    "TaskFailed",
    "TaskProgressed",
    "TaskRetried",
    "TaskStarted",
    "TaskSubmitted",
    # Errors
    "ActorsError",
    "AgentDied",
    "AgentLimitReached",
    "AskTimeout",
    "ConfigError",
    "DeadLetter",
    "DependencyFailed",
    "IllegalTransition",
    "LimitExceeded",
    "MessageRefused",
    "NoSuitableAgent",
    "NotSerializable",
    "RemoteError",
    "SystemClosed",
    "TaskCancelled",
    "TaskExited",
    "TaskTimeout",
]
