"""What goes wrong in a simulation, as errors of their own."""

from __future__ import annotations

from collections.abc import Iterable

from actors.errors import ActorsError

__all__ = ["InvariantBroken", "SimulationEndless", "SimulationError", "SimulationHung", "SimulationStuck"]


class SimulationError(ActorsError):
    """Of the simulation."""


class SimulationStuck(SimulationError):
    """The test waits for something, and nothing will ever happen any more. `waiting` names who else waits."""

    def __init__(self, text: str, *, waiting: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.waiting = waiting

    @classmethod
    def of(cls, now: float, names: Iterable[str]) -> SimulationStuck:
        """The error at a virtual time."""
        waiting = tuple(names)
        return cls(
            f"nothing can happen any more at {now:.3f} s, and these wait: {', '.join(waiting) or 'nobody'}. Somebody "
            "waits for what nobody will do; wait with a timeout, or find who forgot to answer",
            waiting=waiting,
        )


class SimulationHung(SimulationError):
    """A step did not come to its end in real time. `where` tells the code in which it hangs."""

    def __init__(self, text: str, *, where: str = "") -> None:
        super().__init__(text)
        self.where = where

    @classmethod
    def of(cls, name: str, seconds: float, where: str) -> SimulationHung:
        """The error for a step of `name` that takes longer than so many real seconds."""
        return cls(
            f"{name} has not come to the end of its step within {seconds:g} s. It waits for something that the "
            f"simulation does not know, or it runs without end: {where or 'nobody knows where'}",
            where=where,
        )


class SimulationEndless(SimulationError):
    """A run has taken more steps than it may, and the test still waits."""

    @classmethod
    def of(cls, steps: int, now: float) -> SimulationEndless:
        """The error after so many steps, at a virtual time."""
        return cls(
            f"after {steps} steps, at {now:.3f} s, the test still waits. Either what it waits for will never be, or it "
            "takes longer: give Simulation(max_steps=…) more"
        )


class InvariantBroken(SimulationError):
    """A promise did not hold.

    Attributes:
        invariant: its name.
        requirement: the id of what was promised, as "D5".
        time: virtual seconds.
    """

    def __init__(self, text: str, *, invariant: str = "", requirement: str = "", time: float = 0.0) -> None:
        super().__init__(text)
        self.invariant = invariant
        self.requirement = requirement
        self.time = time
