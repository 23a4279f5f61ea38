"""The system's own actors, as they know each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.kernel.ref import ActorRef
    from actors.protocol.events import Event
    from actors.runtime.event_router import Listener

__all__ = ["Peers"]


class Peers:
    """Refs of the hub, the scheduler, the resource manager and the agent supervisors (by agent type).

    They need each other, so each gets this object and the refs are filled in as they start. A ref follows its actor
    through restarts, so none is ever changed.

    `system` tells the system from all others. `interest` are the names of event types, or of a base of theirs, that somebody
    listens to; `wanted` are the library's own events among them; `agents_interest` those names that an agent listens to;
    `straight` are the listeners of types of event that only the program hears, which whoever makes one may tell itself. The
    hub replaces each as a whole. `opening` are streams of which the hub has not heard yet: nobody waited for that.
    `sync` is the synchronizer, if it was started.
    """

    hub: ActorRef[Any]
    scheduler: ActorRef[Any]
    resources: ActorRef[Any]

    def __init__(self, system: str = "") -> None:
        self.system = system
        self.supervisors: dict[str, ActorRef[Any]] = {}
        # By agent type: who is told of its agents in the scheduler's place.
        self.stand_ins: dict[str, ActorRef[Any]] = {}
        self.interest: frozenset[str] = frozenset()
        self.agents_interest: frozenset[str] = frozenset()
        self.wanted: frozenset[str] = frozenset()
        self.straight: dict[type[Event], tuple[Listener, ...]] = {}
        self.opening: set[Any] = set()
        # Whether anybody holds a lock or the like, or waits for one; set by the synchronizer.
        self.synchronized = False
        self.sync: ActorRef[Any] | None = None
        # Starts the synchronizer if need be; from any thread.
        self.synchronizer: Callable[[], ActorRef[Any]]
