"""A simulation as those see it who judge it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from actors.core.engine import Engine
    from actors.kernel.clock import ManualClock
    from actors.runtime.assembly import Assembly
    from actors.testing.faults import FaultPlan
    from actors.testing.history import History
    from actors.testing.sim.conductor import Conductor
    from actors.testing.sim.dispatcher import SimDispatcher
    from actors.testing.sim.host import SimHost
    from actors.testing.sim.journal import MemoryJournal
    from actors.testing.sim.machine import SimMachine

__all__ = ["Observed"]


class Observed(Protocol):
    """What of a `Simulation` is looked at; see there."""

    clock: ManualClock
    conductor: Conductor
    crashed: Counter[str]
    dispatcher: SimDispatcher
    faults: FaultPlan
    host: SimHost
    journal: MemoryJournal | None
    machine: SimMachine

    @property
    def assembly(self) -> Assembly:
        """What runs behind the system."""

    @property
    def engine(self) -> Engine:
        """The scheduler's mind."""

    @property
    def history(self) -> History:
        """What has happened so far."""

    @property
    def now(self) -> float:
        """Virtual seconds since the start."""

    @property
    def longest_delay(self) -> float:
        """Virtual seconds that what is on its way takes at most."""

    @property
    def spawned(self) -> int:
        """How many agents the program has asked for by `spawn`."""

    @property
    def workspaces(self) -> Path | None:
        """The directory that has those of the agents; None if they get none."""

    def declared(self) -> dict[str, int]:
        """How many agents of each type the program asked for at the start, of types with a most."""

    def state_of(self, name: str) -> Any:
        """The state of an actor of the library that outlives its restarts."""

    def who_stepped(self) -> str:
        """The name of the actor that took the last step; empty if that was none of the system's."""

    def scheduler_is_quiet(self) -> bool:
        """Whether the scheduler has nothing to do and nothing on its way from other actors."""

    def unanswered(self) -> list[tuple[str, str]]:
        """The questions that no actor has answered: name of the actor, and kind of the question."""

    def record_task(self, task: str, before: str, after: str) -> None:
        """Write a move of a task into the history."""
