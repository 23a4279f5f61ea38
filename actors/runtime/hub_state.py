"""What the hub knows, apart from the actor that works with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.core.registry import Registry
from actors.runtime.agent_links import AgentLinks
from actors.runtime.mail import MailState

if TYPE_CHECKING:
    from actors.config import SystemConfig

__all__ = ["HubState"]


class HubState:
    """What outlives a restart of the hub."""

    def __init__(self, config: SystemConfig) -> None:
        self.registry = Registry(config.heartbeat_missed)
        self.links = AgentLinks()
        self.mail = MailState()
        # Why the incarnation before ended, of agents that are being replaced.
        self.reasons: dict[str, str] = {}
