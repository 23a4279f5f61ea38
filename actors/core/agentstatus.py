"""What can be seen of an agent from outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from actors.protocol.states import AgentState

__all__ = ["AgentStatus"]


@dataclass(frozen=True, kw_only=True)
class AgentStatus:
    """An agent as it was at one moment.

    Args:
        agent, agent_type, incarnation: who it is.
        state: where it stands, as of its last message.
        pid, host_name: its process; None until it has registered.
        capabilities, limits: what it can do, and may use.
        jobs: what it works for.
        started_at: UTC seconds, None until it has registered.
        uptime: seconds since then, as it says itself.
        last_heartbeat: UTC seconds of its clock, None before the first.
        silence: seconds since it was last heard.
        unresponsive: silent for too long, though its process is busy.
        task: the number of the task in hand, or None.
        tasks_assigned, tasks_done: how many it holds, and has done.
        memory_kb, cpu_percent, open_files: what it used at its last heartbeat.
    """

    agent: str
    agent_type: str
    incarnation: int
    state: AgentState
    pid: int | None = None
    host_name: str | None = None
    capabilities: frozenset[str] = frozenset()
    limits: Mapping[str, Any] = field(default_factory=dict)
    jobs: frozenset[str] = frozenset()
    started_at: float | None = None
    uptime: float = 0.0
    last_heartbeat: float | None = None
    silence: float = 0.0
    unresponsive: bool = False
    task: int | None = None
    tasks_assigned: int = 0
    tasks_done: int = 0
    memory_kb: int = 0
    cpu_percent: float = 0.0
    open_files: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values that print as JSON."""
        values: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        values["state"] = str(self.state)
        values["capabilities"] = sorted(self.capabilities)
        values["limits"] = dict(self.limits)
        values["jobs"] = sorted(self.jobs)
        return values
