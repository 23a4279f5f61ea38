"""What must be gone from the books of hub, scheduler and resource manager when all work is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from actors.testing.promises.invariant import Invariant

__all__ = ["LEAVINGS", "BooksAreClosed"]


class BooksAreClosed(Invariant):
    """See `statement`."""

    requirement = "A3, A6, B1, B5, C2, E1"
    statement = "at rest no book has an agent that has gone, a job that is done, or a listener that left"

    def at_rest(self) -> None:
        """Look into all of them."""
        host = self.sim.host
        known = {*host.untold(), *((handle.agent, handle.incarnation) for handle in host.agents.values())}
        agents = {agent for agent, _ in known}
        self._look_into_hub(agents)
        self._look_into_scheduler(agents)
        resources = self._arguments("resources")[-1]
        self._only(set(resources.agents), agents, "the resource manager measures")
        self._only(set(resources.ledger._accounts), agents, "the resource manager keeps an account of")  # noqa: SLF001 - as above
        root = self.sim.workspaces
        if root is not None and Path(root).exists():
            names = {f"{agent}.{incarnation}" for agent, incarnation in known}
            self._only({path.name for path in Path(root).iterdir()}, names, "on disk is the workspace of")

    def _look_into_hub(self, agents: set[str]) -> None:
        state, _, _, router, *_ = self._arguments("hub")
        registry = state.registry
        try:
            registry.check()
        except AssertionError as error:
            self.broken(f"the hub's books do not agree: {error}")
        self._only({link.agent for link in state.links}, agents, "the hub has channels to")
        listeners = router._listeners  # noqa: SLF001 - as above
        heard = {kind for pairs in listeners._by_key.values() for kind, _ in pairs}  # noqa: SLF001 - as above
        self._only(set(router.interest), heard, "the hub makes events of types")
        bound = {
            name: child.job
            for cell in self.sim.dispatcher.cells
            if cell.name.startswith("actors-agents-")
            for name, child in cell.args[-1].children.items()
        }
        for status in registry.statuses(self.sim.clock.monotonic()):
            jobs = set(status.jobs) - {bound.get(status.agent)}
            if jobs:
                self.broken(f"{status.agent} is said to work for {', '.join(sorted(jobs))}")

    def _look_into_scheduler(self, agents: set[str]) -> None:
        self._only(
            {link.agent for link in self._arguments("scheduler")[0].links}, agents, "the scheduler has channels to"
        )
        fleet = self.sim.engine._book.fleet  # noqa: SLF001 - there is no other way to see what it believes
        answering = {handle.agent for handle in self.sim.host.agents.values() if handle.sim.settled}
        for agent in fleet.agents.values():
            if agent.recalls and agent.id in answering:
                self.broken(f"{agent.id} is said not to have answered {agent.recalls}")
        for kind in fleet.types.values():
            if kind.spawning:
                self.broken(f"{kind.spawning} agents of type {kind.name} are said to be on their way")

    def _only(self, found: set[str], expected: set[str], what: str) -> None:
        if not found <= expected:
            self.broken(f"{what} {', '.join(sorted(found - expected))}, which is not there")

    def _arguments(self, name: str) -> tuple[Any, ...]:
        arguments: tuple[Any, ...] = next(
            cell.args for cell in self.sim.dispatcher.cells if cell.name == f"actors-{name}"
        )
        return arguments


LEAVINGS: tuple[type[Invariant], ...] = (BooksAreClosed,)
"""All of them."""
