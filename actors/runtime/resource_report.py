"""What is known of the resources in use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from actors.config import Limits
from actors.core.quotas import ResourceInfo
from actors.runtime.machine import Machine
from actors.runtime.usage import Usage

__all__ = ["AgentResources", "ResourceReport"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentResources:
    """What one agent uses, and what it may use.

    Attributes:
        agent: its id.
        limits: those in force.
        usage: the last full sample of its process tree; None before the first, and for an agent without a process of
            its own.
        memory: bytes, the latest figure there is, from a sample or from the agent's own heartbeat; None if there is none.
    """

    agent: str
    limits: Limits
    usage: Usage | None
    memory: int | None

    def to_dict(self) -> dict[str, Any]:
        """All figures by name, as values that JSON knows."""
        return {
            "agent": self.agent,
            "limits": self.limits.to_wire(),
            "usage": None if self.usage is None else self.usage.to_dict(),
            "memory": self.memory,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceReport:
    """What the machine has and what each agent uses.

    Attributes:
        machine: the last sample of the machine; None before the first.
        admitting: whether new work may start.
        short: what the machine is short of: "memory", "cpu", "io".
        agents: the agents that live, by id.
        named: the named resources of the system: how much there is, how much is in use, and by whom.
    """

    machine: Machine | None
    admitting: bool
    short: frozenset[str]
    agents: Mapping[str, AgentResources]
    named: tuple[ResourceInfo, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """All figures by name, as values that JSON knows."""
        return {
            "machine": None if self.machine is None else self.machine.to_dict(),
            "admitting": self.admitting,
            "short": sorted(self.short),
            "agents": {agent: resources.to_dict() for agent, resources in self.agents.items()},
            "named": [resource.to_dict() for resource in self.named],
        }
