"""What a program of the campaign does to its own system: actors that fail, agents that die or stand still at bad moments."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from actors.errors import AskTimeout, ConfigError, DeadLetter, TaskTimeout
from actors.protocol.states import AgentState, TaskStatus
from actors.testing.campaign.part import Part, Submitting
from actors.testing.campaign.porter import Porter
from actors.testing.campaign.workers import Clerk
from actors.testing.failinginside import fail_inside

if TYPE_CHECKING:
    from actors.future import TaskFuture
    from actors.testing.sim.host import SimHandle
    from actors.testing.simulation import Simulation

__all__ = ["Harms", "is_assigned"]

_RESTARTS = 3
"""The system bears so many failures of its actors in five seconds; one more, and it ends, as it should."""
_PERIOD = 6.0
_LINES = 250
"""A turn in which a task is taken in and given out has about so many."""
_FEWER_LINES = 80
"""The same of a turn in which a lock is asked for."""


def is_assigned(sim: Simulation, future: TaskFuture[Any]) -> bool:
    """Whether the task of a future is on its way to an agent, and has not begun as far as is known."""
    task = sim.engine.task(future.number)
    return task is not None and task.status is TaskStatus.ASSIGNED


class Harms(Part):
    """Things that go wrong because the program makes them."""

    def __init__(self, program: Submitting) -> None:
        super().__init__(program)
        self._crashes: list[float] = []
        self.harmful = (
            self._stubborn,
            self._terminate_busy,
            self._newborn,
            self._stillborn,
            self._persecute,
        )

    def crash(self) -> None:
        """One of the system's actors fails, with messages behind it; nothing is lost."""
        now = self._sim.now
        self._crashes = [each for each in self._crashes if each > now - _PERIOD]
        names = ("scheduler", "hub", "resources", "agents-clerk", "sync")
        for _ in range(1 + self._choices.below(2, "crashes")):
            if len(self._crashes) >= _RESTARTS:
                return
            name = names[self._choices.below(len(names), "who fails")]
            if name in ("scheduler", "sync") and self._choices.below(4, "inside"):
                # What it failed on is handled once more, and does not fail again.
                crashes = (
                    fail_inside(
                        self._sim,
                        name,
                        1 + self._choices.below(_LINES if name == "scheduler" else _FEWER_LINES, "line"),
                    )
                    is not None
                )
            else:
                crashes = self._sim.crash(name)
            if crashes:
                self._crashes.append(now)
            for _ in range(2):
                number = self._program.number()
                self._program.submit(Clerk.add, number, 1, value=number + 1)
            self._sim.run(0.001)

    def _stubborn(self) -> None:
        self._program.harmed()
        self._program.submit(Porter.stubborn, self._program.number(), 30.0, errors=(TaskTimeout,))

    def _newborn(self) -> None:
        """An agent dies when it has just become idle, or stands still before that."""
        number = self._program.number()
        self._program.submit(Porter.steps, number, 2, value=number)
        hang = self._choices.below(3, "newborn") == 2
        seen = self._before_idle if hang else self._just_idle
        if self._sim.run_until(lambda: seen() is not None, 2.0):
            found = seen()
            if found is not None:
                self._program.harmed()
                (self._sim.hang if hang else self._sim.kill)(found.agent)

    def _terminate_busy(self) -> None:
        """An agent is told to end while more work is on its way to it."""
        futures = []
        for _ in range(4):
            number = self._program.number()
            futures.append(self._program.submit(Clerk.slow, number, 0.3, value=number))
        if self._sim.run_until(lambda: is_assigned(self._sim, futures[-1]), 2.0):
            task = self._sim.engine.task(futures[-1].number)
            agent = None if task is None else task.agent
            if agent is not None:
                self._program.harmed()
                with contextlib.suppress(ConfigError, AskTimeout, DeadLetter):
                    self._system.terminate(agent, timeout=30.0, reason="by the program")

    def _stillborn(self) -> None:
        """An agent dies before it is idle, and so do its replacements."""
        number = self._program.number()
        self._program.submit(Porter.steps, number, 2, value=number)
        found = self._before_idle() if self._sim.run_until(lambda: self._before_idle() is not None, 2.0) else None
        if found is None:
            return
        self._program.harmed()
        name = found.agent
        for _ in range(5):
            if not self._sim.run_until(lambda: self._is_starting(name), 3.0):
                return
            self._sim.kill(name)

    def _is_starting(self, name: str) -> bool:
        handle = self._sim.host.find(name)
        return handle is not None and handle.sim.shown == AgentState.INITIALIZING

    def _persecute(self) -> None:
        """A task whose agents die, one after the other, while they run it."""
        number = self._program.number()
        call = (Clerk.slow, Porter.dear)[self._choices.below(2, "idempotent")]
        future = self._program.submit(call, number, 3.0, value=number)
        self._program.harmed()
        for _ in range(1 + self._choices.below(5, "deaths")):
            if not self._sim.run_until(lambda: self.running(future.number) is not None, 3.0):
                return
            self._sim.kill(self.running(future.number) or "")
            self._sim.run(0.01)

    def running(self, number: int) -> str | None:
        """The agent that runs the task of a number."""
        for handle in self._sim.host.agents.values():
            # Most are idle, and to read a status block takes time.
            running = None if handle.sim.shown == AgentState.IDLE else handle.status.read().running
            if running is not None and running[0] == number:
                return handle.agent
        return None

    def _just_idle(self) -> SimHandle | None:
        registry = self._sim.state_of("hub").registry
        for handle in self._sim.host.agents.values():
            if handle.sim.shown == AgentState.IDLE and not registry.is_ready(handle.agent):
                return handle
        return None

    def _before_idle(self) -> SimHandle | None:
        handles = self._sim.host.agents.values()
        return next((each for each in handles if each.sim.shown == AgentState.INITIALIZING), None)
