"""The error that whoever depended on an agent gets when it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.errors import AgentDied
from actors.hosts.exitreport import native_stack
from actors.protocol.states import AgentState

if TYPE_CHECKING:
    from actors.hosts.exitreport import ExitReport

__all__ = ["agent_died", "took_work"]

_SHOWN_LINES = 8
_SHOWN_MOVES = 6
_WITHOUT_TASK = frozenset({AgentState.INITIALIZING, AgentState.IDLE, AgentState.ERROR, AgentState.TERMINATING})


def agent_died(report: ExitReport, agent_type: str, task_id: str | None = None) -> AgentDied:
    """Tell an agent's end in one text: what ended, how, why most likely, what ran, and its last words.

    Args:
        report: what its host found out.
        agent_type: its type.
        task_id: the task that was running, or None.
    """
    process = f" (pid {report.pid})" if report.pid is not None else ""
    lines = [f"agent {report.agent}, incarnation {report.incarnation}{process}: {report.cause}"]
    if task_id is not None and report.running is not None:
        lines.append(f"it was running task {task_id}, attempt {report.running[1]}")
    last = report.moves[-_SHOWN_MOVES:]
    if last:
        way = " -> ".join([str(last[0].source), *(str(move.target) for move in last)])
        lines.append(f"its last moves: {way}")
    # The native stack stands in the cause already.
    said = report.stderr[: len(report.stderr) - len(native_stack(report.stderr))]
    if said:
        lines.append("its last lines on stderr:")
        lines += [f"  {line}" for line in said[-_SHOWN_LINES:]]
    return AgentDied(
        "\n".join(lines),
        agent_id=report.agent,
        agent_type=agent_type,
        incarnation=report.incarnation,
        pid=report.pid,
        exit_code=report.exit_code,
        signal=report.signal,
        task_id=task_id,
        attempt=None if report.running is None else report.running[1],
        moves=tuple((move.time, str(move.source), str(move.target)) for move in report.moves),
        stderr=report.stderr,
        uptime=report.uptime,
        reason=report.reason or report.cause,
    )


def took_work(report: ExitReport) -> bool:
    """Whether the agent had a task in hand at its end or before: its start went well, and its death is the task's doing.

    One that dies while it reads a task's arguments never began that task, but its last state tells of it.
    """
    return report.started_seq > 0 or (bool(report.moves) and report.moves[-1].target not in _WITHOUT_TASK)
