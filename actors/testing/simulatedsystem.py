"""The system of a simulation: the shipped one, in the world that it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.hosts.agentref import AgentRef
from actors.system import ActorSystem

if TYPE_CHECKING:
    from actors.runtime.assembly import Assembly
    from actors.runtime.world import World

__all__ = ["SimulatedSystem"]


class SimulatedSystem(ActorSystem):
    """The shipped system, in a world of its own."""

    def __init__(self, world: World, *args: Any, **kwargs: Any) -> None:
        self._given_world = world
        self.spawned = 0
        super().__init__(*args, **kwargs)

    def _make_world(self) -> World:
        return self._given_world

    @property
    def assembly(self) -> Assembly:
        """What runs behind it."""
        return self._running()

    @property
    def declared(self) -> list[tuple[Any, int, int | None]]:
        """The workers that it was made with: class, least, most."""
        return self._workers

    def spawn(self, *args: Any, **kwargs: Any) -> AgentRef:
        """See `ActorSystem.spawn`."""
        self.spawned += 1
        return super().spawn(*args, **kwargs)

    def give_up(self) -> None:
        """Count as closed, without having ended in order."""
        self._life.closing = self._life.closed = True
