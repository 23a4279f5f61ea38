"""Typed worker processes that work together as actors: tasks, supervision, limits, events.

What is named here is loaded from its own module when it is first used, so that a program, and an agent, pays for
what it needs.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from actors.config import AgentConfig, Limits, SystemConfig
    from actors.coordination.pipeline import Pipeline, Skipped
    from actors.coordination.saga import ResultFrom, Step
    from actors.coordination.whole import WholeFuture
    from actors.core.agentstatus import AgentStatus
    from actors.core.breaker import CircuitInfo
    from actors.core.deadletters import DeadTask
    from actors.core.explain import Explanation, QueueInfo
    from actors.core.retry import Backoff
    from actors.core.story import Attempt
    from actors.core.sync.info import SyncInfo
    from actors.core.systemstatus import SystemStatus
    from actors.core.task import TaskInfo
    from actors.core.taskspec import TaskSpec
    from actors.errors import (
        ActorsError,
        AgentDied,
        AgentLimitReached,
        AskTimeout,
        BarrierBroken,
        CircuitOpen,
        ConfigError,
        DeadLetter,
        DeadlockDetected,
        DependencyFailed,
        IllegalTransition,
        LimitExceeded,
        LockNotHeld,
        MessageRefused,
        NoSuitableAgent,
        NotSerializable,
        QuorumFailed,
        RemoteError,
        SagaFailed,
        SystemClosed,
        TaskCancelled,
        TaskExited,
        TaskTimeout,
        VersionConflict,
        WaitTimeout,
    )
    from actors.future import TaskFuture
    from actors.hosts.agentref import AgentRef
    from actors.kernel.actor import Actor
    from actors.kernel.handlers import handles
    from actors.kernel.ref import ActorRef
    from actors.kernel.timers import ReceiveTimeout
    from actors.kernel.watching import ActorEnded
    from actors.protocol.events import (
        AgentError,
        AgentRegistered,
        AgentRestarted,
        AgentStateChanged,
        AgentTerminated,
        CircuitClosed,
        CircuitOpened,
        CoordinationRequired,
        DeadLetterFound,
        Event,
        EventsMissed,
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
    from actors.protocol.priority import Priority
    from actors.protocol.states import AgentState, TaskStatus
    from actors.runtime.actor_processes import ActorProcess
    from actors.runtime.event_stream import EventStream
    from actors.runtime.subscription import Subscription
    from actors.system import ActorSystem
    from actors.worker import Worker, task

__all__ = [  # noqa: RUF022 - grouped by what they are for
    # Work
    "ActorSystem",
    "Attempt",
    "Backoff",
    "DeadTask",
    "Priority",
    "TaskFuture",
    "TaskInfo",
    "TaskSpec",
    "TaskStatus",
    "Worker",
    "task",
    # Strategies
    "Pipeline",
    "ResultFrom",
    "Skipped",
    "Step",
    "WholeFuture",
    # Agents
    "AgentConfig",
    "AgentRef",
    "AgentState",
    "AgentStatus",
    "CircuitInfo",
    "Explanation",
    "Limits",
    "QueueInfo",
    "SystemConfig",
    "SystemStatus",
    # Actors
    "Actor",
    "ActorEnded",
    "ActorProcess",
    "ActorRef",
    "ReceiveTimeout",
    "handles",
    # Events
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
    "CircuitOpen",
    "ConfigError",
    "DeadLetter",
    "DeadlockDetected",
    "DependencyFailed",
    "IllegalTransition",
    "LimitExceeded",
    "MessageRefused",
    "NoSuitableAgent",
    "NotSerializable",
    "QuorumFailed",
    "RemoteError",
    "SagaFailed",
    "SystemClosed",
    "TaskCancelled",
    "TaskExited",
    "TaskTimeout",
    # Synchronization
    "BarrierBroken",
    "LockNotHeld",
    "SyncInfo",
    "VersionConflict",
    "WaitTimeout",
]

_HOME = {
    "AgentConfig": "actors.config",
    "Limits": "actors.config",
    "SystemConfig": "actors.config",
    "Pipeline": "actors.coordination.pipeline",
    "Skipped": "actors.coordination.pipeline",
    "ResultFrom": "actors.coordination.saga",
    "Step": "actors.coordination.saga",
    "WholeFuture": "actors.coordination.whole",
    "AgentStatus": "actors.core.agentstatus",
    "CircuitInfo": "actors.core.breaker",
    "DeadTask": "actors.core.deadletters",
    "Explanation": "actors.core.explain",
    "QueueInfo": "actors.core.explain",
    "Backoff": "actors.core.retry",
    "Attempt": "actors.core.story",
    "TaskInfo": "actors.core.task",
    "TaskSpec": "actors.core.taskspec",
    "ActorsError": "actors.errors",
    "AgentDied": "actors.errors",
    "AgentLimitReached": "actors.errors",
    "AskTimeout": "actors.errors",
    "CircuitOpen": "actors.errors",
    "ConfigError": "actors.errors",
    "DeadLetter": "actors.errors",
    "DeadlockDetected": "actors.errors",
    "DependencyFailed": "actors.errors",
    "IllegalTransition": "actors.errors",
    "LimitExceeded": "actors.errors",
    "MessageRefused": "actors.errors",
    "NoSuitableAgent": "actors.errors",
    "NotSerializable": "actors.errors",
    "QuorumFailed": "actors.errors",
    "RemoteError": "actors.errors",
    "SagaFailed": "actors.errors",
    "SystemClosed": "actors.errors",
    "TaskCancelled": "actors.errors",
    "TaskExited": "actors.errors",
    "TaskTimeout": "actors.errors",
    "BarrierBroken": "actors.errors",
    "LockNotHeld": "actors.errors",
    "VersionConflict": "actors.errors",
    "WaitTimeout": "actors.errors",
    "SyncInfo": "actors.core.sync.info",
    "TaskFuture": "actors.future",
    "Actor": "actors.kernel.actor",
    "handles": "actors.kernel.handlers",
    "ActorRef": "actors.kernel.ref",
    "ReceiveTimeout": "actors.kernel.timers",
    "ActorEnded": "actors.kernel.watching",
    "AgentError": "actors.protocol.events",
    "AgentRegistered": "actors.protocol.events",
    "AgentRestarted": "actors.protocol.events",
    "AgentStateChanged": "actors.protocol.events",
    "AgentTerminated": "actors.protocol.events",
    "CircuitClosed": "actors.protocol.events",
    "CircuitOpened": "actors.protocol.events",
    "CoordinationRequired": "actors.protocol.events",
    "DeadLetterFound": "actors.protocol.events",
    "Event": "actors.protocol.events",
    "EventsMissed": "actors.protocol.events",
    "LogRecorded": "actors.protocol.events",
    "ResourceAvailable": "actors.protocol.events",
    "ResourceLimitExceeded": "actors.protocol.events",
    "ResourcePressure": "actors.protocol.events",
    "ShutdownInitiated": "actors.protocol.events",
    "TaskAssigned": "actors.protocol.events",
    "TaskCancelledEvent": "actors.protocol.events",
    "TaskCompleted": "actors.protocol.events",
    "TaskFailed": "actors.protocol.events",
    "TaskProgressed": "actors.protocol.events",
    "TaskRetried": "actors.protocol.events",
    "TaskStarted": "actors.protocol.events",
    "TaskSubmitted": "actors.protocol.events",
    "Priority": "actors.protocol.priority",
    "AgentState": "actors.protocol.states",
    "TaskStatus": "actors.protocol.states",
    "ActorProcess": "actors.runtime.actor_processes",
    "AgentRef": "actors.hosts.agentref",
    "EventStream": "actors.runtime.event_stream",
    "SystemStatus": "actors.core.systemstatus",
    "Subscription": "actors.runtime.subscription",
    "ActorSystem": "actors.system",
    "Worker": "actors.worker",
    "task": "actors.worker",
}


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'actors' has no attribute {name!r}")
    if home != "actors.errors":
        # Before a module that does not exist there makes it an ImportError about something else.
        importlib.import_module("actors.platforms").check_platform()
    if home.startswith("actors.kernel."):
        # References travel between processes, which the kernel itself knows nothing of.
        importlib.import_module("actors.remote.travel")
    value = globals()[name] = getattr(importlib.import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
