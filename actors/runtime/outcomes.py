"""Telling whoever waits for a task how it ended: a future in the program, or an agent that submitted it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.errors import ActorsError, ChannelClosed, TaskCancelled
from actors.hosts.serialize import error_of, failure_of, unpack_value
from actors.protocol.messages import Failure, Outcome, Progress, Result
from actors.protocol.states import TaskStatus

if TYPE_CHECKING:
    from actors.core.task import Task
    from actors.runtime.agent_links import AgentLinks

__all__ = ["SubTaskHandle", "deliver", "refuse"]

_COMPLETED = TaskStatus.COMPLETED
_CANCELLED = TaskStatus.CANCELLED


class SubTaskHandle:
    """The handle of a task that an agent submitted: its outcome travels to that agent, if it still is there."""

    __slots__ = ("_agent", "_incarnation", "_links")

    def __init__(self, links: AgentLinks, agent: str, incarnation: int) -> None:
        self._links = links
        self._agent = agent
        self._incarnation = incarnation

    def set_accepted(self) -> None:
        """Nothing to do: the agent was answered when it submitted."""

    def set_progress(self, fraction: float, note: str, time: float) -> None:
        """Progress of sub-tasks is asked for, not sent."""

    def ended(self, task: Task) -> None:
        """Send the outcome."""
        outcome, payload = Outcome.VALUE, task.result
        if task.status is _CANCELLED:
            outcome, payload = Outcome.INTERRUPTED, task.cancelling or "cancelled"
        elif task.status is not _COMPLETED:
            error = task.error
            failure = error if isinstance(error, Failure) else failure_of(error or ActorsError("it failed"))
            outcome, payload = Outcome.ERROR, tuple(failure)
        started, ended = task.started or 0.0, task.ended or 0.0
        self._send(Result([(task.number, task.attempt, int(outcome), payload, started, ended)]))

    def _send(self, message: Result | Progress) -> None:
        link = self._links.get(self._agent, self._incarnation)
        if link is not None:
            try:
                link.handle.control.send(message, sender="scheduler")
            except ChannelClosed:
                return


def deliver(task: Task) -> None:
    """Hand the outcome of a task to its handle, which is let go: kept tasks hold no futures."""
    handle: Any = task.handle
    if handle is None:
        return
    if type(handle) is SubTaskHandle:
        # In one step: an agent must not hear it twice.
        task.handle = handle.ended(task)  # type: ignore[func-returns-value]
    elif task.status is _COMPLETED:
        handle.set_payload(task.result, unpack_value)
    elif task.status is _CANCELLED:
        handle.set_cancelled(task.cancelling or "")
    elif isinstance(task.error, Failure):
        handle.set_failure(task.error, error_of)
    else:
        handle.set_error(task.error)
    # Only now, so that a failure before it costs nothing; a future takes only the first outcome.
    task.handle = None


def refuse(task: Task, error: BaseException) -> None:
    """Tell that a task was not accepted."""
    handle: Any = task.handle
    if handle is None:
        return
    if type(handle) is SubTaskHandle:
        task.error = error
        task.handle = handle.ended(task)  # type: ignore[func-returns-value]
    elif isinstance(error, TaskCancelled):
        handle.set_cancelled(str(error))
    else:
        handle.set_error(error)
    task.handle = None
