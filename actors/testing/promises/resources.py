"""What must hold of the named resources."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from actors.testing.promises.invariant import Invariant
from actors.testing.promises.observed import Observed

if TYPE_CHECKING:
    from actors.core.fleet import Agent
    from actors.core.task import Task
    from actors.hosts.attempt import Attempt
    from actors.testing.sim.agent import SimAgent

__all__ = ["NamedResources"]


class NamedResources(Invariant):
    """See `statement`."""

    requirement = "E4"
    statement = (
        "the bodies that run at one time, but for those that have waited for sub-tasks, use no more of a named resource "
        "than there is, none is given to a task that cannot begin yet, what a task holds that waits for its sub-tasks is "
        "theirs, and at rest none is in use"
    )

    def __init__(self, sim: Observed) -> None:
        super().__init__(sim)
        self._running: dict[int, tuple[SimAgent, Attempt]] = {}
        # Those that have lent what they hold.
        self._waited: set[tuple[int, int]] = set()

    def after_schedule(self) -> None:
        """Note who waits, and whether it lends."""
        for agent in self.sim.engine._book.waiting_agents:  # noqa: SLF001 - there is no other way to see it
            for number in agent.waiting:
                holder = agent.held[number]
                self._waited.add((number, holder.attempt))
                if holder.kind.needs.resources and any(map(self._is_open, agent.waits_for.get(number, ()))):
                    self._look_at_lending(holder)

    def _is_open(self, number: int) -> bool:
        task = self.sim.engine.task(number)
        return task is not None and not task.final

    def _look_at_lending(self, holder: Task) -> None:
        """A sub-task that needs no more than what the waiting one holds, and nobody below it uses, must not wait for it."""
        book = self.sim.engine._book  # noqa: SLF001 - as above
        own = dict(holder.kind.needs.resources)
        for needs, siblings in book.line.children.get(holder.number, {}).items():
            if not needs.resources or any(units > own.get(name, 0) for name, units in needs.resources):
                continue
            if book.line.buckets[needs].short and not self._is_used_below(
                holder, {name for name, _ in needs.resources}
            ):
                waiting = ", ".join(task.id for task in siblings.values())
                self.broken(f"{holder.id} waits for {waiting} and holds what they need, and they do not get it")

    def _is_used_below(self, holder: Task, names: set[str]) -> bool:
        """Whether a descendant that is at an agent needs some of these."""
        engine = self.sim.engine
        for agent in engine._book.fleet.agents.values():  # noqa: SLF001 - as above
            for task in agent.held.values():
                if not names & {name for name, _ in task.kind.needs.resources}:
                    continue
                parent = task.parent
                while parent is not None and parent != holder.number:
                    above = engine.task(parent)
                    parent = None if above is None else above.parent
                if parent is not None:
                    return True
        return False

    def given(self, task: Task, agent: Agent) -> None:
        """Look what comes before it at its agent."""
        if task.kind.needs.resources:
            place = [number for number in agent.held if number not in agent.waiting].index(task.number)
            if place >= agent.slots:
                self.broken(f"{task.id} was given to {agent.id}, where {place} others come first")

    def body_begins(self, agent: SimAgent, attempt: Attempt) -> None:
        """Add up what all need that run."""
        task = self.sim.engine.task(attempt.number)
        if task is None or not task.kind.needs.resources:
            return
        self._running = {number: each for number, each in self._running.items() if not each[0].dead}
        self._running[attempt.number] = agent, attempt
        using = [running for _, running in self._running.values() if running.key not in self._waited]
        taken: Counter[str] = Counter()
        for running in using:
            other = self.sim.engine.task(running.number)
            if other is not None:
                taken.update(dict(other.kind.needs.resources))
        for name, units in taken.items():
            there_is = self.sim.engine._book.quotas.capacity[name]  # noqa: SLF001 - as above
            if units > there_is:
                ids = ", ".join(running.task_id for running in using)
                self.broken(
                    f"{attempt.task_id} begins at {agent.name}, and with it {units / 1e6:g} {name} of {there_is / 1e6:g} "
                    f"would be in use, by {ids}"
                )

    def body_ends(self, agent: SimAgent, attempt: Attempt) -> None:
        """Forget it."""
        if attempt.number in self._running and self._running[attempt.number][1] is attempt:
            del self._running[attempt.number]

    def at_rest(self) -> None:
        """Nothing is in use."""
        for info in self.sim.engine.resources():
            if info.in_use or info.holders or info.waiting:
                self.broken(f"all work is done, and of {info.name} there is {info}")
