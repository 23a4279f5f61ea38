"""What agents may do, how many there may be, and when they end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.testing.history import Moved
from actors.testing.promises.invariant import SLACK, Invariant
from actors.testing.promises.observed import Observed

if TYPE_CHECKING:
    pass

__all__ = ["AgentsAreBounded", "AgentsMoveLegally", "MemoryLimitsHold", "SilentAgentsEnd"]

# Written down once more, from what is promised: a change of the shipped table is to be found.
_AGENT_MOVES = {
    "initializing": {"idle", "error"},
    "idle": {"assigned", "terminating"},
    "assigned": {"working", "error"},
    "working": {"communicating", "waiting", "completing", "error"},
    "communicating": {"working", "waiting", "error"},
    "waiting": {"working", "completing", "error"},
    "completing": {"idle", "terminating"},
    "error": {"idle", "terminating"},
    "terminating": set(),
}


class AgentsMoveLegally(Invariant):
    """See `statement`."""

    requirement = "A2"
    statement = "an agent makes legal moves only, each from where it stands"

    def __init__(self, sim: Observed) -> None:
        super().__init__(sim)
        self._seen = 0
        self._states: dict[str, str] = {}
        # Those that are known to run several tasks at once.
        self._several: set[str] = set()

    def after_agent(self) -> None:
        """Look at the moves since the last time."""
        entries = self.sim.history.entries
        for index in range(self._seen, len(entries)):
            entry = entries[index]
            if type(entry) is Moved and entry.kind == "agent":
                if entry.actor not in self._states:
                    # Now, because at its last moves it may be gone.
                    self._single(entry.actor)
                stood = self._states.get(entry.actor, "initializing")
                # One with several tasks at once shows the busiest of their states, and leaps between them.
                if entry.target not in _AGENT_MOVES[entry.source] and self._single(entry.actor):
                    self.broken(f"{entry.actor} moved from {entry.source} to {entry.target}")
                if entry.source != stood and self._single(entry.actor):
                    self.broken(f"{entry.actor} moved from {entry.source}, and stood in {stood}")
                self._states[entry.actor] = entry.target
        self._seen = len(entries)

    def _single(self, actor: str) -> bool:
        agent = next((each.sim for each in self.sim.host.agents.values() if each.sim.name == actor), None)
        if agent is not None and agent.spec.concurrency > 1:
            self._several.add(actor)
        return actor not in self._several


class AgentsAreBounded(Invariant):
    """See `statement`."""

    requirement = "C1"
    statement = "no more agents live than may, in all and of each type"

    def __init__(self, sim: Observed) -> None:
        super().__init__(sim)
        # After their number was lowered, those too many live until they are idle.
        self._allowed = sim.declared()

    def after_schedule(self) -> None:
        """Count."""
        agents = self.sim.host.agents
        most = self.sim.assembly.most
        if len(agents) > most:
            self.broken(f"{len(agents)} agents live, and {most} may")
        kinds: dict[str, int] = {}
        for handle in agents.values():
            kind = handle.sim.spec.type
            kinds[kind] = kinds.get(kind, 0) + 1
        for known in self.sim.assembly.types:
            kind, now = known.name, known.most
            # Also of types without an agent: those that were asked for may still come when the number is lowered.
            allowed = self._allowed[kind] = max(self._allowed.get(kind, 0), most if now is None else now)
            count = kinds.get(kind, 0)
            # What the program asks for one by one may be more than the most of its type.
            if count > allowed + self.sim.spawned:
                self.broken(f"{count} agents of type {kind} live, and {allowed} may")


class SilentAgentsEnd(Invariant):
    """See `statement`."""

    requirement = "A5"
    statement = "an agent that stands still is killed"

    def __init__(self, sim: Observed) -> None:
        super().__init__(sim)
        self._since: dict[str, float] = {}

    def after_schedule(self) -> None:
        """Count how long each has stood still."""
        config = self.sim.assembly.config
        most = config.heartbeat_missed + config.heartbeat_every + SLACK + self.sim.longest_delay
        for handle in self.sim.host.agents.values():
            agent = handle.sim
            if agent.hung:
                since = self._since.setdefault(agent.name, self.sim.now)
                if self.sim.now - since > most:
                    self.broken(f"{agent.name} has stood still for {self.sim.now - since:.1f} s")


class MemoryLimitsHold(Invariant):
    """See `statement`."""

    requirement = "E2"
    statement = "an agent over its memory limit is killed at the next looks"

    def __init__(self, sim: Observed) -> None:
        super().__init__(sim)
        self._since: dict[str, float] = {}

    def after_step(self) -> None:
        """Count how long each has been over its limit."""
        for handle in self.sim.host.agents.values():
            agent = handle.sim
            limit = agent.spec.limits.get("memory")
            if limit and agent.memory > limit:
                since = self._since.setdefault(agent.name, self.sim.now)
                config = self.sim.assembly.config
                most = 2 * max(config.memory_sample_every, 1.0) + SLACK + self.sim.longest_delay
                if self.sim.now - since > most:
                    self.broken(f"{agent.name} is over its limit for {self.sim.now - since:.1f} s")
