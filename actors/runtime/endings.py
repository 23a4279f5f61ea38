"""The error that whoever depended on an agent gets when it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.core.stacks import dumped
from actors.errors import AgentDied
from actors.errors.recorded import RecordedError
from actors.hosts.shortened import shortened
from actors.protocol.states import AgentState

if TYPE_CHECKING:
    from actors.core.task import Task
    from actors.hosts.exitreport import ExitReport
    from actors.protocol.states import AgentState, Move
    from actors.runtime.agent_links import AgentLinks

__all__ = ["agent_died", "complete", "took_work"]

_WITHOUT_TASK = frozenset({AgentState.INITIALIZING, AgentState.IDLE, AgentState.ERROR, AgentState.TERMINATING})


def agent_died(report: ExitReport, agent_type: str, task_id: str | None = None, now: float | None = None) -> AgentDied:
    """Tell an agent's end: what ended, how, why most likely, what ran, and its last words.

    Args:
        report: what its host found out.
        agent_type: its type.
        task_id: the task that was running, or None.
        now: monotonic seconds, to say for how long it had run.
    """
    process = f" (pid {report.pid})" if report.pid is not None else ""
    return AgentDied(
        f"agent {report.agent}, incarnation {report.incarnation}{process}: {report.cause}",
        agent_id=report.agent,
        agent_type=agent_type,
        incarnation=report.incarnation,
        pid=report.pid,
        exit_code=report.exit_code,
        signal=report.signal,
        task_id=task_id,
        attempt=None if report.running is None else report.running[1],
        ran=None if report.running is None or now is None else max(0.0, now - report.running[2]),
        moves=_told(report.moves),
        stack=report.stack,
        log=report.log,
        stderr=report.stderr,
        uptime=report.uptime,
        peak_kb=report.peak_kb,
        cpu=report.cpu,
        ended=report.cause,
        reason=report.reason or report.cause,
    )


def complete(task: Task, links: AgentLinks) -> None:
    """Add to the error with which a task has failed what the program knows of it: the call, and where it ran."""
    error = task.error
    if not isinstance(error, RecordedError) or error.task_id != task.id:
        return
    error.arguments = shortened(task.payload)
    link = None if task.agent is None else links.get(task.agent, task.incarnation)
    if link is not None and error.pid is None:
        # It lives on: what it did last is what it did for this task.
        status = link.handle.status
        words = status.last_words()
        error.pid, error.moves, error.log = link.handle.pid, _told(status.read().moves), words.log
        # Where it was when it was to be killed, if it has ended by itself just before.
        error.stack = error.stack or dumped(words.stack)


def _told(moves: tuple[Move[AgentState], ...]) -> tuple[tuple[float, str, str], ...]:
    return tuple((move.time, str(move.source), str(move.target)) for move in moves)


def took_work(report: ExitReport) -> bool:
    """Whether the agent had a task in hand at its end or before: its start went well, and its death is the task's doing.

    One that dies while it reads a task's arguments never began that task, but its last state tells of it.
    """
    return report.started_seq > 0 or (bool(report.moves) and report.moves[-1].target not in _WITHOUT_TASK)
