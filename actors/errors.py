"""Every error of the library, under one root.

Each class says who is at fault by its name and carries the facts as attributes, so that a program
can act on them without reading the text. All of them pickle: an error crosses processes unchanged.
"""

from __future__ import annotations

import concurrent.futures
from typing import Any, ClassVar

__all__ = [
    "ActorsError",
    "AgentDied",
    "AgentLimitReached",
    "AskTimeout",
    "ChannelClosed",
    "CommandFailed",
    "ConfigError",
    "DeadLetter",
    "DependencyFailed",
    "IllegalTransition",
    "JournalError",
    "LimitExceeded",
    "MailboxClosed",
    "MailboxFull",
    "MessageRefused",
    "NoSuitableAgent",
    "NotSerializable",
    "RemoteError",
    "ResultTaken",
    "SupervisorGaveUp",
    "SystemClosed",
    "TaskCancelled",
    "TaskExited",
    "TaskTimeout",
    "WireError",
]


def _rebuild(cls: type[ActorsError], args: tuple[Any, ...], facts: dict[str, Any]) -> ActorsError:
    error = cls.__new__(cls)
    error.args = args
    error.__dict__.update(facts)
    return error


class ActorsError(Exception):
    """The root of all errors that this library raises.

    Args:
        message: what was expected, what came instead, and how to mend it.
        **facts: the values of the class's declared attributes; one that is left out is None.

    Raises:
        TypeError: a fact that the class does not declare.
    """

    _facts: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = [name for name in cls.__dict__.get("__annotations__", {}) if not name.startswith("_")]  # noqa: RUF063 - inspect is slow to import
        cls._facts = cls._facts | frozenset(own)
        for name in own:
            if name not in cls.__dict__:
                setattr(cls, name, None)

    def __init__(self, message: str = "", /, **facts: Any) -> None:
        super().__init__(message)
        unknown = facts.keys() - self._facts
        if unknown:
            raise TypeError(f"{type(self).__name__} has no fact {', '.join(sorted(unknown))}")
        self.__dict__.update(facts)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self.__dict__)


class ConfigError(ActorsError, ValueError):
    """A setting is unknown or has a value that is not allowed."""

    key: str | None
    value: Any
    allowed: str | None


class SystemClosed(ActorsError, RuntimeError):
    """The system was shut down, or this process is a fork of the one that owns it."""


class NotSerializable(ActorsError, TypeError):
    """A value cannot be sent to another process, or cannot be read there.

    `what` names the value (an argument, a result), `reason` is the text of the underlying error.
    """

    what: str | None
    reason: str | None


class ChannelClosed(ActorsError):
    """The other end of a channel is gone."""


class WireError(ActorsError):
    """A message that no frame can carry, or bytes from the other end that are no sound frame."""


class MailboxClosed(ActorsError):
    """The mailbox takes no more messages because its actor has ended."""


class MailboxFull(ActorsError):
    """The mailbox is at its bound and stayed so for the time that the sender was willing to wait."""


class IllegalTransition(ActorsError):
    """A state machine was asked for a move that its table does not have."""

    machine: str | None
    state: str | None
    target: str | None
    allowed: tuple[str, ...] | None
    history: tuple[tuple[float, str, str], ...] | None


class MessageRefused(ActorsError):
    """An actor got a message that it does not take in its present state."""

    recipient: str | None
    message: str | None
    state: str | None
    allowed: tuple[str, ...] | None


class DeadLetter(ActorsError):
    """A message had no recipient: nobody of that name, or one that has ended."""

    recipient: str | None
    message: str | None


class AskTimeout(ActorsError, TimeoutError):
    """An answer did not come in time."""

    recipient: str | None
    message: str | None
    timeout: float | None


class AgentDied(ActorsError):
    """An agent ended while something depended on it.

    `exit_code` and `signal` (by name) say how; `task_id` and `attempt` what was running; `moves` are its
    last state changes, `stderr` the last lines that it wrote, `uptime` its age in seconds.
    """

    agent_id: str | None
    agent_type: str | None
    incarnation: int | None
    pid: int | None
    exit_code: int | None
    signal: str | None
    task_id: str | None
    attempt: int | None
    moves: tuple[tuple[float, str, str], ...] | None
    stderr: tuple[str, ...] | None
    uptime: float | None
    reason: str | None


class SupervisorGaveUp(ActorsError):
    """A supervisor could not keep its children running. The cause is what the last of them failed with."""

    supervisor: str | None
    child: str | None


class AgentLimitReached(ActorsError):
    """No more agents may be started."""

    limit: int | None


class NoSuitableAgent(ActorsError):
    """No agent can ever take the task: no worker offers what it requires."""

    task_id: str | None
    requires: tuple[str, ...] | None


class TaskTimeout(ActorsError):
    """A task ran longer than its time limit. Not a builtin TimeoutError: that one is the waiter's own."""

    task_id: str | None
    agent_id: str | None
    attempt: int | None
    timeout: float | None


class TaskCancelled(ActorsError, concurrent.futures.CancelledError):
    """A task was cancelled before it had an outcome."""

    task_id: str | None
    reason: str | None


class TaskExited(ActorsError):
    """A task called `sys.exit`. `code` is what it was called with."""

    task_id: str | None
    code: Any


class DependencyFailed(ActorsError):
    """A task cannot run because one that it depends on failed or was cancelled.

    `first` is the id of the task at the root of the failure; the cause is chained as `__cause__`.
    """

    task_id: str | None
    first: str | None


class LimitExceeded(ActorsError):
    """An agent went over a hard limit while it ran the task."""

    task_id: str | None
    agent_id: str | None
    limit: str | None
    figure: float | None
    allowed: float | None


class CommandFailed(ActorsError):
    """A command that a task ran could not be started, did not end in time, or ended badly.

    `code` is its exit code, negative the number of a signal, None if it never ran.
    """

    argv: tuple[str, ...] | None
    code: int | None
    stdout: str | None
    stderr: str | None


class JournalError(ActorsError):
    """The journal cannot be used, or something cannot be kept in it.

    `path` is its file, `reason` a word for what is the matter.
    """

    path: str | None
    reason: str | None


class ResultTaken(ActorsError, concurrent.futures.InvalidStateError):
    """The result of a task was taken by somebody before, and is not kept."""

    task_id: str | None


class RemoteError(ActorsError):
    """An exception from an agent that cannot be rebuilt here.

    `type_name` is the qualified name of its type, `text` its message, `traceback` where it was raised.
    """

    type_name: str | None
    text: str | None
    traceback: str | None
