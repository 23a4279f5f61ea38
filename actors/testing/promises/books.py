"""What stands in books, and what is left in them when all work is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.testing.promises.invariant import SLACK, Invariant

if TYPE_CHECKING:
    pass

__all__ = ["BooksAgree", "BooksAreRight", "NobodyWaitsForEver", "NothingIsLeft"]


class BooksAreRight(Invariant):
    """See `statement`."""

    requirement = "C3, D2, D3, D4, E4"
    statement = (
        "the scheduler's books are right: counts, queue and loads agree with its tasks, and no suitable idle agent "
        "stands beside a ready task that nothing holds back"
    )

    def after_schedule(self) -> None:
        """Let the engine check itself."""
        try:
            self.sim.engine.check()
        except AssertionError as error:
            self.broken(str(error))


class BooksAgree(Invariant):
    """See `statement`."""

    requirement = "D8, C5"
    statement = "when nothing is on its way, the scheduler and each agent agree on which tasks the agent has"

    def after_schedule(self) -> None:
        """The scheduler's book has changed."""
        self.after_agent()

    def after_agent(self) -> None:
        """Compare the books of whoever has nothing on its way."""
        sim = self.sim
        if not sim.scheduler_is_quiet():
            return
        fleet = sim.engine._book.fleet.agents  # noqa: SLF001 - there is no other way to see what it believes
        for handle in sim.host.agents.values():
            agent = handle.sim
            if not agent.settled:
                continue
            known = fleet.get(handle.agent)
            if known is None or known.incarnation != handle.incarnation:
                continue
            believed = {(number, task.attempt) for number, task in known.held.items()}
            held = agent.holds()
            if believed != held:
                self.broken(f"the scheduler says that {agent.name} has {sorted(believed)}, and it has {sorted(held)}")


class NobodyWaitsForEver(Invariant):
    """See `statement`."""

    requirement = "B3, F2"
    statement = "each question is answered"

    def at_rest(self) -> None:
        """Look at all questions that were asked."""
        for name, kind in self.sim.unanswered():
            self.broken(f"{name} has not answered {kind}")
        for handle in self.sim.host.agents.values():
            agent = handle.sim
            if agent.settled and len(agent.shipped.parts.requests):
                self.broken(f"{agent.name} waits for {len(agent.shipped.parts.requests)} answers")
        asks = self.sim.state_of("hub").mail.asks
        due = asks.next_due()
        # Whoever asked may have had enough, or be gone; then the question waits for its deadline.
        if len(asks) and (due is None or due < self.sim.clock.monotonic() - SLACK):
            self.broken(f"the hub waits for {len(asks)} answers")


class NothingIsLeft(Invariant):
    """See `statement`."""

    requirement = "D8, D9"
    statement = "at rest nothing is left in any mailbox, table or timer but what a living agent needs"

    def at_rest(self) -> None:
        """Look into all of them."""
        sim = self.sim
        if sim.engine.unfinished:
            self.broken(f"{sim.engine.unfinished} tasks have no outcome")
        for cell in sim.dispatcher.cells:
            if len(cell.mailbox):
                self.broken(f"{len(cell.mailbox)} messages wait in the mailbox of {cell.name}")
        state = sim.state_of("scheduler")
        if state.decided or state.assignments:
            self.broken("the scheduler has not carried out what it decided")
        for link in state.links:
            if link.jobs:
                self.broken(f"{link.agent} is said to work for {sorted(link.jobs.values())}")
        self._look_into_the_engine()
        self._look_into_agents()

    def _look_into_the_engine(self) -> None:
        book = self.sim.engine._book  # noqa: SLF001 - as above
        if book.line.live:
            self.broken(f"{book.line.live} tasks stand in the queue")
        for agent in book.fleet.agents.values():
            if agent.held or agent.waiting or agent.interrupts:
                self.broken(f"{agent.id} is said to have {sorted(agent.held)}")
        for name, count in book.highs.items():
            if count:
                self.broken(f"{count} tasks are counted that take much {name}")

    def _look_into_agents(self) -> None:
        for handle in self.sim.host.agents.values():
            agent = handle.sim
            if agent.settled:
                parts = agent.shipped.parts
                left = len(parts.outbox) + len(parts.assignments) + len(parts.errands) + len(agent.shipped.subtasks)
                if left:
                    self.broken(f"{agent.name} has {left} things that it does not end")
