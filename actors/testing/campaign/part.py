"""A part of what a program of the campaign does: further things to do, and the program on whose behalf they are done."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from actors.future import TaskFuture
    from actors.system import ActorSystem
    from actors.testing.sim.choices import Choices
    from actors.testing.simulation import Simulation

__all__ = ["Part", "Submitting"]


class Submitting(Protocol):
    """A program, as far as it is needed here; see `Program`."""

    sim: Simulation
    system: ActorSystem
    choices: Choices

    def number(self) -> int:
        """One that no task has had yet."""

    def submit(
        self, call: Any, *args: Any, value: Any = ..., errors: Iterable[type[BaseException]] = (), **options: Any
    ) -> TaskFuture[Any]:
        """Hand in a task."""

    def futures(self) -> list[TaskFuture[Any]]:
        """Those of all tasks that it has handed in."""

    def harmed(self) -> None:
        """Something goes wrong from now on that may cost tasks their outcome."""


class Part:
    """Further things for a program to do.

    Args:
        program: on whose behalf.

    Attributes:
        gentle: those after which every task must have the outcome that it would have had without them.
        harmful: the others, which may cost tasks their outcome.
    """

    gentle: tuple[Callable[[], None], ...] = ()
    harmful: tuple[Callable[[], None], ...] = ()

    def __init__(self, program: Submitting) -> None:
        self._program = program
        self._sim = program.sim
        self._system = program.system
        self._choices = program.choices
