"""What must hold of ends: of what was cancelled, of agents that are killed, of starts that fail, of the system's actors."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from actors.testing.history import Fault
from actors.testing.promises.invariant import Invariant
from actors.testing.promises.observed import Observed

if TYPE_CHECKING:
    from actors.core.task import Task
    from actors.hosts.attempt import Attempt
    from actors.testing.sim.agent import SimAgent

__all__ = ["ENDING", "ActorsGoOn", "AsksEndWithTheirAgent", "CancelledTasksStop", "KilledForACause", "StartsAreBounded"]

_SLACK = 5.0
_SWIFT = 0.01
"""Where messages travel no longer than this, none is overtaken by so much that it matters."""
_DID_NOT_STOP = re.compile(r"is killed: task (\S+) did not stop within ([0-9.e+-]+) s")
_SILENT = re.compile(r"is killed: .*\b(silent|heard)\b")


class CancelledTasksStop(Invariant):
    """See `statement`."""

    requirement = "D6"
    statement = "a body whose task was cancelled is over, or its agent dead, a grace later"

    def __init__(self, sim: Observed) -> None:
        super().__init__(sim)
        self._running: dict[tuple[int, int], SimAgent] = {}
        self._seen: set[tuple[int, int]] = set()

    def body_begins(self, agent: SimAgent, attempt: Attempt) -> None:
        """Note where it runs."""
        self._running[attempt.key] = agent

    def body_ends(self, agent: SimAgent, attempt: Attempt) -> None:
        """Note that it runs no more."""
        if self._running.get(attempt.key) is agent:
            del self._running[attempt.key]

    def after_schedule(self) -> None:
        """Find what has been cancelled, and look again when it must be over."""
        for agent in self.sim.engine._book.fleet.agents.values():  # noqa: SLF001 - there is no other way to see it
            for task in agent.held.values():
                key = (task.number, task.attempt)
                if task.cancelling is not None and key not in self._seen:
                    self._seen.add(key)
                    self._look_later(task, key)

    def _look_later(self, task: Task, key: tuple[int, int]) -> None:
        most = self.sim.assembly.config.agent.grace + _SLACK + self.sim.longest_delay
        self.sim.conductor.after(most, partial(self._look, task, key, most))

    def _look(self, task: Task, key: tuple[int, int], most: float) -> None:
        agent = self._running.get(key)
        if agent is None or agent.dead:
            return
        known = self.sim.engine._book.fleet.agents.get(agent.spec.agent)  # noqa: SLF001 - as above
        if known is not None and key[0] in known.waiting:
            # It cannot unwind before what runs inside it has.
            self._look_later(task, key)
        else:
            self.broken(f"{task.id} still runs at {agent.name} {most:g} s after it was cancelled")


class KilledForACause(Invariant):
    """See `statement`."""

    requirement = "D5, D6, A5"
    statement = "an agent is killed for a task that did not stop in its grace, or for its silence, if that is so"

    def __init__(self, sim: Observed) -> None:
        super().__init__(sim)
        self._looked = 0
        # By agent and task: when its body began there last, and in which attempt.
        self._began: dict[tuple[str, str], tuple[float, int]] = {}
        self._hung: set[str] = set()

    def body_begins(self, agent: SimAgent, attempt: Attempt) -> None:
        """Note when."""
        self._began[agent.name, attempt.task_id] = self.sim.clock.monotonic(), attempt.attempt

    def after_schedule(self) -> None:
        """Read in the history who was killed for what."""
        entries = self.sim.history.entries
        for index in range(self._looked, len(entries)):
            entry = entries[index]
            if type(entry) is Fault:
                self._judge(entry)
        self._looked = len(entries)

    def _judge(self, fault: Fault) -> None:
        if fault.what.startswith("hangs"):
            self._hung.add(fault.actor)
        if fault.actor in self._hung or not fault.what.startswith("is killed"):
            return
        stubborn = _DID_NOT_STOP.match(fault.what)
        if stubborn is not None:
            began, attempt = self._began.get((fault.actor, stubborn[1]), (None, 0))
            grace = float(stubborn[2])
            # An interruption may overtake its task, which then begins all the same, in its first attempt there.
            spare = 2 * self.sim.faults.latency[1] + 0.05
            if began is None:
                if self.sim.faults.latency[1] < _SWIFT:
                    self.broken(f"{fault.actor} {fault.what}: it never began there")
            elif attempt > 1 and fault.time - began < grace - spare:
                self.broken(f"{fault.actor} {fault.what}: attempt {attempt} began {fault.time - began:.3f} s before")
        elif _SILENT.match(fault.what) and not self.sim.faults.stalls and not self.sim.crashed:
            self.broken(f"{fault.actor} {fault.what}: it did not stand still")


class StartsAreBounded(Invariant):
    """See `statement`."""

    requirement = "F1"
    statement = "an agent that fails to start is tried again as often as its supervisor bears it, and then no more"

    def __init__(self, sim: Observed) -> None:
        super().__init__(sim)
        # By agent: whom its supervisor knows, and which incarnation was the last that did not fail to start.
        self._known: dict[str, tuple[Any, int]] = {}
        self._supervisors: list[Any] = []

    def after_schedule(self) -> None:
        """Find the supervisors."""
        cells = self.sim.dispatcher.cells
        self._supervisors = [cell.args[-1] for cell in cells if cell.name.startswith("actors-agents-")]

    def after_supervision(self) -> None:
        """Count the starts since the last that went well; each turn, because an agent may die as soon as it is ready."""
        most = self.sim.assembly.config.restart_intensity + 1
        for state in self._supervisors:
            for name, child in state.children.items():
                known, good = self._known.get(name, (None, 0))
                if known is not child:
                    known, good = child, child.incarnation - 1
                good = child.incarnation if child.ending is not None else max(good, child.started)
                self._known[name] = known, good
                if child.incarnation - good > most:
                    self.broken(f"{name} is started for the {child.incarnation - good}. time, and may {most} times")


class ActorsGoOn(Invariant):
    """See `statement`."""

    requirement = "F1"
    statement = "no actor of the system fails by itself"

    def after_schedule(self) -> None:
        """Count their incarnations."""
        for cell in self.sim.dispatcher.cells:
            if cell.incarnation > 1 + self.sim.crashed[cell.name]:
                end = cell._last_exit  # noqa: SLF001 - nobody else is to know it while there is a next incarnation
                self.broken(f"{cell.name} has failed: {end.error!r}" if end is not None else f"{cell.name} has failed")

    def at_rest(self) -> None:
        """Once more."""
        self.after_schedule()


class AsksEndWithTheirAgent(Invariant):
    """See `statement`."""

    requirement = "F2"
    statement = "who asked an agent that has died is told so at once"

    def after_schedule(self) -> None:
        """Compare who is asked with who is there."""
        state = self.sim.state_of("hub")
        for ask in state.mail.asks._asks.values():  # noqa: SLF001 - as above
            lives = state.registry.incarnation(ask.target)
            if lives is None or (ask.incarnation is not None and lives > ask.incarnation):
                self.broken(f"somebody waits for {ask.target}#{ask.incarnation} to answer {ask.what}, and it has gone")


ENDING: tuple[type[Invariant], ...] = (
    CancelledTasksStop,
    KilledForACause,
    StartsAreBounded,
    ActorsGoOn,
    AsksEndWithTheirAgent,
)
"""All of them."""
