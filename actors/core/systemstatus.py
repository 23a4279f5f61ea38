"""How a whole system stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from actors.core.agentstatus import AgentStatus
    from actors.core.explain import QueueInfo

__all__ = ["SystemStatus"]


@dataclass(frozen=True)
class SystemStatus:
    """What `ActorSystem.status` gives. `most` is how many agents there may be."""

    agents: tuple[AgentStatus, ...]
    most: int
    queue: QueueInfo

    @property
    def total(self) -> int:
        """How many agents there are."""
        return len(self.agents)

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values that print as JSON."""
        return {
            "total": self.total,
            "most": self.most,
            "agents": [each.to_dict() for each in self.agents],
            "queue": self.queue.to_dict(),
        }
