"""The agents of one supervisor: an id each, and its present incarnation."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors.config import AgentConfig
    from actors.core.children import Restart
    from actors.core.supervision import SupervisionPlan
    from actors.hosts.host import AgentHandle
    from actors.kernel.reply import Reply
    from actors.kernel.timers import Timer
    from actors.runtime.messages import SpawnAgent

__all__ = ["Child", "SupervisorState"]


class Child:
    """One agent id and its present incarnation."""

    __slots__ = (
        "announced",
        "config",
        "ending",
        "failure",
        "handle",
        "incarnation",
        "job",
        "ready",
        "replace",
        "restart",
        "spawned",
        "started",
        "timer",
        "waiters",
        "workspace",
    )

    def __init__(self, config: AgentConfig, job: str | None, spawned: Reply[str] | None, restart: Restart) -> None:
        self.config = config
        self.restart: Restart = restart
        self.job = job
        self.incarnation = 0
        # Whether the scheduler has heard that it is there; until then it counts as one that was asked for.
        self.announced = False
        self.handle: AgentHandle | None = None
        self.ready = False
        # The last incarnation that has started well.
        self.started = 0
        self.workspace = ""
        # Why it was asked to end, and whether it is to be replaced; None while nobody asked.
        self.ending: str | None = None
        self.replace = False
        # What it told of its failed start.
        self.failure: BaseException | None = None
        # At most one timer: for its start, or for the next step of its end.
        self.timer: Timer | None = None
        self.spawned = spawned
        self.waiters: list[Reply[bool]] = []

    def stop_timer(self) -> None:
        """Wait no more for its start or the next step of its end."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class SupervisorState:
    """What outlives a restart of the actor: the agents of the type and the plan.

    Args:
        restart: whether agents are replaced when they die, unless it was said of one.
    """

    def __init__(self, restart: Restart = "permanent") -> None:
        self.restart: Restart = restart
        self.plan: SupervisionPlan | None = None
        self.children: dict[str, Child] = {}
        self.incarnations: dict[str, int] = {}
        self.stopping: str | None = None
        # Agents that are wanted once those of a plan that gave up have ended.
        self.wanted: list[SpawnAgent] = []
