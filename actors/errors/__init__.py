"""Every error of the library, under one root.

Each class says who is at fault by its name and carries the facts as attributes, so that a program
can act on them without reading the text. All of them pickle: an error crosses processes unchanged.
"""

from __future__ import annotations

import concurrent.futures
from typing import Any

from actors.errors.recorded import RecordedError, seconds_text
from actors.errors.root import ActorsError

__all__ = [
    "ActorsError",
    "AgentDied",
    "AgentLimitReached",
    "AskTimeout",
    "BarrierBroken",
    "ChannelClosed",
    "CircuitOpen",
    "CommandFailed",
    "ConfigError",
    "DeadLetter",
    "DeadlockDetected",
    "DependencyFailed",
    "IllegalTransition",
    "JournalError",
    "LimitExceeded",
    "LockNotHeld",
    "MailboxClosed",
    "MailboxFull",
    "MessageRefused",
    "NoSuitableAgent",
    "NotSerializable",
    "PlanFailed",
    "QuorumFailed",
    "RemoteError",
    "ResultTaken",
    "SagaFailed",
    "SupervisorGaveUp",
    "SystemClosed",
    "TaskCancelled",
    "TaskExited",
    "TaskTimeout",
    "VersionConflict",
    "WaitTimeout",
    "WireError",
]


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


class AgentDied(RecordedError):
    """An agent ended while something depended on it.

    `exit_code` and `signal` (by name) say how, `reason` why this program ended it, or what most likely did.
    """

    exit_code: int | None
    signal: str | None
    reason: str | None


class SupervisorGaveUp(ActorsError):
    """A supervisor could not keep its children running. The cause is what the last of them failed with."""

    supervisor: str | None
    child: str | None


class AgentLimitReached(ActorsError):
    """No more agents may be started."""

    limit: int | None


class PlanFailed(ActorsError):
    """A plan was stopped. `step` is the one whose failure did it; `report` says what became of all steps."""

    step: str | None
    report: Any


class NoSuitableAgent(ActorsError):
    """No agent can ever take the task: no worker offers what it requires."""

    task_id: str | None
    requires: tuple[str, ...] | None


class CircuitOpen(ActorsError):
    """Tasks of a type failed again and again, so further ones are refused for a while.

    `since` is when that began, `retry_at` when one task is tried again (None: one is being tried now), in UTC seconds;
    `last_error` what the last one failed with, in one line.
    """

    task_type: str | None
    task_id: str | None
    since: float | None
    retry_at: float | None
    last_error: str | None


class TaskTimeout(RecordedError):
    """A task ran longer than its time limit, `timeout` seconds. Not a builtin TimeoutError: that is the waiter's own."""

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


class LimitExceeded(RecordedError):
    """An agent went over a hard limit while it ran the task.

    `limit` names it, `figure` was measured and `allowed` is allowed (memory in bytes, cpu in percent, else pieces);
    `growth` are earlier figures, (seconds before, figure) each, the oldest first.
    """

    limit: str | None
    figure: float | None
    allowed: float | None
    growth: tuple[tuple[float, float], ...] | None

    def _growth(self) -> str:
        unit = 1 << 20 if self.limit == "memory" else 1
        name = " MiB" if self.limit == "memory" else ""
        return ", ".join(f"{figure / unit:.0f}{name} {seconds_text(ago)} before" for ago, figure in self.growth or ())


class CommandFailed(ActorsError):
    """A command that a task ran could not be started, did not end in time, or ended badly.

    `code` is its exit code, negative the number of a signal, None if it never ran; `signal` is that signal's name.
    """

    argv: tuple[str, ...] | None
    code: int | None
    signal: str | None
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


class QuorumFailed(ActorsError):
    """So many equal answers as were needed cannot be reached any more.

    `need` is how many, `answers` are all that came, those of the first camp first, `errors` what calls failed with.
    """

    need: int | None
    answers: tuple[Any, ...] | None
    errors: tuple[BaseException, ...] | None


class SagaFailed(ActorsError):
    """A step of a saga failed, or the saga was cancelled; what was done before is undone as far as it could be.

    `step` is the name of the step that failed, None if none did; its error is chained as `__cause__`. `undone` are the names
    of the steps whose compensations have run, in that order; `failures` are (step, error) of those that failed for good,
    so that what these steps did still stands.
    """

    step: str | None
    undone: tuple[str, ...] | None
    failures: tuple[tuple[str, BaseException], ...] | None


class WaitTimeout(ActorsError, TimeoutError):
    """A lock, a barrier or the like was not to be had in time, `timeout` seconds."""

    name: str | None
    kind: str | None
    timeout: float | None


class LockNotHeld(ActorsError, RuntimeError):
    """A lock or a permit is used by somebody who does not hold it: it was never acquired, was released, or is lost."""

    name: str | None
    kind: str | None
    fence: int | None


class DeadlockDetected(ActorsError, RuntimeError):
    """Those who wait hold what the others of them wait for, so none would ever get it. Each of them gets this error.

    `cycle` has a line for each of them: who, what it holds, what it waits for, and who holds that.
    """

    name: str | None
    kind: str | None
    cycle: tuple[str, ...] | None


class BarrierBroken(ActorsError, RuntimeError):
    """Somebody whom the others wait for at a barrier will not come; `reason` says who and why."""

    name: str | None
    reason: str | None


class VersionConflict(ActorsError):
    """A shared value was to be set by somebody who has not seen its present version."""

    name: str | None
    expected: int | None
    version: int | None
