"""What must hold whenever the scheduler gives a task to an agent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from actors.protocol.states import AgentState
from actors.testing.promises.invariant import Invariant
from actors.testing.promises.observed import Observed

if TYPE_CHECKING:
    from actors.core.fleet import Agent
    from actors.core.task import Needs, Task

__all__ = ["ASSIGNING", "EndingAgentsGetNothing", "NothingStartsWhileShort", "OnlyTheReadyGetWork", "UrgentFirst"]

_CRITICAL = 4
_SLACK = 6.0
"""Virtual seconds for the resource manager to look at the machine, and for the scheduler to hear of it."""


class UrgentFirst(Invariant):
    """See `statement`."""

    requirement = "D2"
    statement = (
        "of tasks with the same needs the more urgent one goes first, then the one that was accepted earlier; only "
        "the oldest of all may overtake more urgent ones, and never a critical one"
    )

    def __init__(self, sim: Observed) -> None:
        super().__init__(sim)
        # The first of each lane at the end of the turn before. Whoever still is has waited all the time.
        self._first: dict[tuple[Needs, int], Task] = {}

    def after_schedule(self) -> None:
        """Note who waits."""
        self._first = {(needs, lane): task for needs, lane, task in self._waiting()}

    def _waiting(self) -> Iterator[tuple[Needs, int, Task]]:
        for needs, bucket in self.sim.engine._book.line.buckets.items():  # noqa: SLF001 - as above
            if bucket.live:
                for rank, lane in enumerate(bucket.lanes):
                    if lane is not None and lane.live:
                        yield needs, rank, lane.first()

    def given(self, task: Task, agent: Agent) -> None:
        """Compare with those of the same needs that were not given out."""
        needs = task.kind.needs
        bucket = self.sim.engine._book.line.buckets.get(needs)  # noqa: SLF001 - as above
        if bucket is None or task.inputs:
            return
        for rank, lane in enumerate(bucket.lanes):
            if lane is None or not lane.live:
                continue
            other = lane.first()
            if self._first.get((needs, rank)) is not other or self._cannot_be_kept(other):
                continue
            urgent = other.kind.priority - task.kind.priority
            older = other.order < task.order
            if urgent >= 0 and (older or (urgent > 0 and other.kind.priority == _CRITICAL)):
                self.broken(
                    f"{task.id} (priority {task.kind.priority}) was given to {agent.id}, and {other.id} "
                    f"(priority {other.kind.priority}) waits on, {'older' if older else 'younger'}"
                )

    def _cannot_be_kept(self, task: Task) -> bool:
        """Whether a task waits because its attempt has to stand in the journal first, which cannot be written."""
        keeper = self.sim.state_of("scheduler").keeper
        if keeper is None or keeper.failing is None:
            return False
        return task.attempt > 0 or not task.kind.idempotent


class NothingStartsWhileShort(Invariant):
    """See `statement`."""

    requirement = "E3"
    statement = "no new work starts while the machine is short of memory"

    def __init__(self, sim: Observed) -> None:
        super().__init__(sim)
        self._since: float | None = None

    def after_schedule(self) -> None:
        """Note since when it is short."""
        if not self._is_short():
            self._since = None
        elif self._since is None:
            self._since = self.sim.clock.monotonic()

    def _is_short(self) -> bool:
        total, available = self.sim.machine.memory()
        return available < self.sim.assembly.config.memory_low * total

    def given(self, task: Task, agent: Agent) -> None:
        """Let it be only if nobody can have looked at the machine since."""
        sim = self.sim
        if self._since is None or not self._is_short():
            return
        if sim.faults.stalls or sim.crashed or sim.engine._book.waiting_agents:  # noqa: SLF001 - as above
            return
        most = sim.assembly.config.resource_sample_every + _SLACK + sim.longest_delay
        now = sim.clock.monotonic()
        # The rhythm of the looks begins with the first agent.
        looked = any(handle.born < now - most and not handle.sim.hung for handle in sim.host.agents.values())
        if looked and now - self._since > most:
            self.broken(f"{task.id} was given to {agent.id}, and the machine is short for {now - self._since:.1f} s")


class EndingAgentsGetNothing(Invariant):
    """See `statement`."""

    requirement = "A6"
    statement = "an agent that was told to end gets no new work"

    def __init__(self, sim: Observed) -> None:
        super().__init__(sim)
        # Agents whose end the scheduler has heard of for certain.
        self._ending: set[tuple[str, int]] = set()

    def after_schedule(self) -> None:
        """Note who is to end."""
        supervisors: list[Any] = []
        for cell in self.sim.dispatcher.cells:
            if cell.name == "actors-scheduler" and len(cell.mailbox):
                return
            if cell.name.startswith("actors-agents-"):
                supervisors.append(cell.args[-1])
        self._ending = {
            (name, child.incarnation)
            for state in supervisors
            for name, child in state.children.items()
            if child.ending is not None and child.handle is not None
        }

    def given(self, task: Task, agent: Agent) -> None:
        """Look whether the agent was known to end before this turn."""
        if (agent.id, agent.incarnation) in self._ending:
            self.broken(f"{task.id} was given to {agent.id}, which was told to end before")


class OnlyTheReadyGetWork(Invariant):
    """See `statement`."""

    requirement = "A3, C3"
    statement = "an agent gets its first task after it has become idle"

    def given(self, task: Task, agent: Agent) -> None:
        """Look where the agent itself stands."""
        if agent.awaited:
            self.broken(f"{task.id} was given to {agent.id}#{agent.incarnation}, which has not been started")
        handle = self.sim.host.find(agent.id)
        if handle is not None and handle.incarnation == agent.incarnation:
            state = handle.sim.shown
            if state == AgentState.INITIALIZING:
                self.broken(f"{task.id} was given to {handle.sim.name}, which has not started yet")


ASSIGNING: tuple[type[Invariant], ...] = (
    UrgentFirst,
    NothingStartsWhileShort,
    EndingAgentsGetNothing,
    OnlyTheReadyGetWork,
)
"""All of them."""
