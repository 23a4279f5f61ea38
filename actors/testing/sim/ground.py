"""What a simulated agent needs of the host that it runs on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from actors.hosts.attempt import Attempt
    from actors.testing.faults import FaultPlan
    from actors.testing.guarding.guard import Guard
    from actors.testing.sim.choices import Choices
    from actors.testing.sim.conductor import Conductor
    from actors.testing.sim.network import Network
    from actors.testing.sim.recorder import Recorder
    from actors.testing.sim.threads import SimThreads

__all__ = ["BodyWatcher", "Ground"]


class BodyWatcher(Protocol):
    """Who wants to know when bodies of tasks begin and end."""

    def body_begins(self, agent: Any, attempt: Attempt) -> None:
        """A body is about to begin, in a `SimAgent`."""

    def body_ends(self, agent: Any, attempt: Attempt) -> None:
        """It has ended, or its agent is dead."""


class Ground(Protocol):
    """See `SimHost`."""

    choices: Choices
    conductor: Conductor
    faults: FaultPlan
    guard: Guard
    network: Network
    recorder: Recorder
    threads: SimThreads
    watchers: list[BodyWatcher]

    def settle(self, ready: Callable[[], bool], timeout: float | None) -> float | None:
        """Wait until something is so."""

    def inject(self, kind: str, actor: str, what: str) -> bool:
        """Whether something goes wrong now."""

    def left(self, agent: Any, code: int) -> None:
        """An agent has ended by itself."""

    def die(self, agent: Any, signum: int, reason: str | None) -> None:
        """An agent is ended by a signal, at this moment."""
