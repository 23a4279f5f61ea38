"""One promise, and whoever looks after all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from actors.testing.errors import InvariantBroken
from actors.testing.promises.observed import Observed

if TYPE_CHECKING:
    from actors.core.fleet import Agent
    from actors.core.task import Task
    from actors.hosts.attempt import Attempt
    from actors.testing.sim.agent import SimAgent

__all__ = ["SLACK", "Invariant", "Watch"]

SLACK = 5.0
"""Virtual seconds that may go by between a deadline and what follows from it: messages travel, somebody is slow."""


class Invariant:
    """One promise. Subclasses override what they need.

    Attributes:
        requirement: the id of what is promised.
        statement: the promise in a sentence.
    """

    requirement: ClassVar[str] = ""
    statement: ClassVar[str] = ""

    def __init__(self, sim: Observed) -> None:
        self.sim = sim

    @property
    def name(self) -> str:
        """How it is called."""
        return type(self).__name__

    def after_step(self) -> None:
        """Called after each step."""

    def after_schedule(self) -> None:
        """Called after each turn of the scheduler."""

    def given(self, task: Task, agent: Agent) -> None:
        """Called for each task that an agent was given in a turn of the scheduler, before `after_schedule`.

        What is to be run inside a task that waits follows rules of its own, and is left out.
        """

    def after_supervision(self) -> None:
        """Called after each turn of a supervisor of agents."""

    def after_sync(self) -> None:
        """Called after each turn of the synchronizer."""

    def after_agent(self) -> None:
        """Called after each step of an agent, and of whatever else is no actor of the system."""

    def body_begins(self, agent: SimAgent, attempt: Attempt) -> None:
        """Called before the body of a task begins, in its agent."""

    def body_ends(self, agent: SimAgent, attempt: Attempt) -> None:
        """Called when the body of a task has ended, or its agent is dead."""

    def at_rest(self) -> None:
        """Called when all work is done and nothing is on its way."""

    def broken(self, text: str) -> None:
        """Say that it does not hold.

        Raises:
            InvariantBroken: always.
        """
        raise InvariantBroken(
            f"{self.requirement} {self.name}: {self.statement}. At {self.sim.now:.3f} s: {text}",
            invariant=self.name,
            requirement=self.requirement,
            time=self.sim.now,
        )


class Watch:
    """Looks after invariants in one simulation.

    Args:
        sim: the simulation.
        kinds: which.
        own: further checks of a test, each called with the simulation after each step; one that does not hold raises.
    """

    def __init__(self, sim: Observed, kinds: Iterable[type[Invariant]], own: Iterable[Callable[[Any], object]]) -> None:
        self._sim = sim
        self._all = [kind(sim) for kind in kinds]
        self._own = list(own)
        # Found in the middle of an agent's code, which would take it for its own.
        self._found: InvariantBroken | None = None
        self._after_step = _overriding(self._all, "after_step")
        self._after_supervision = _overriding(self._all, "after_supervision")
        self._after = {
            "": _overriding(self._all, "after_agent"),
            "actors-scheduler": _overriding(self._all, "after_schedule"),
            "actors-hub": [],
            "actors-resources": [],
            "actors-root": [],
            "actors-sync": _overriding(self._all, "after_sync"),
        }
        self._given = _overriding(self._all, "given")
        # Of the last turn of the scheduler: what each agent has, by number, attempt, agent and time.
        self._held: set[tuple[int, int, str, float | None]] = set()
        self._begins = _overriding(self._all, "body_begins")
        self._ends = _overriding(self._all, "body_ends")

    def after_step(self) -> None:
        """Check what a step may have broken: the scheduler's books change in its turns alone, and so on."""
        if self._found is not None:
            raise self._found
        who = self._sim.who_stepped()
        if who == "actors-scheduler":
            self._tell_given()
        for look in self._after.get(who, self._after_supervision):
            look()
        for look in self._after_step:
            look()
        for check in self._own:
            check(self._sim)

    def _tell_given(self) -> None:
        before = self._held
        self._held = held = set()
        new = []
        for agent in self._sim.engine._book.fleet.agents.values():  # noqa: SLF001 - there is no other way to see it
            for task in agent.held.values():
                key = (task.number, task.attempt, agent.id, task.assigned)
                held.add(key)
                if key not in before and not agent.waiting:
                    new.append((task, agent))
        for task, agent in new:
            for look in self._given:
                look(task, agent)

    def body_begins(self, agent: SimAgent, attempt: Attempt) -> None:
        """See `BodyWatcher`."""
        self._tell(self._begins, agent, attempt)

    def body_ends(self, agent: SimAgent, attempt: Attempt) -> None:
        """See `BodyWatcher`."""
        self._tell(self._ends, agent, attempt)

    def _tell(self, looks: list[Callable[..., None]], agent: SimAgent, attempt: Attempt) -> None:
        try:
            for look in looks:
                look(agent, attempt)
        except InvariantBroken as error:
            self._found = self._found or error

    def at_rest(self) -> None:
        """Check what must hold when all work is done."""
        for each in self._all:
            each.at_rest()


def _overriding(invariants: list[Invariant], name: str) -> list[Callable[..., None]]:
    return [getattr(each, name) for each in invariants if getattr(type(each), name) is not getattr(Invariant, name)]
