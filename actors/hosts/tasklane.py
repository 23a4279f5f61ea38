"""The task lane of an agent that runs one task at a time: the thread in which task bodies run.

assignments ──claim──▶ perform: assigned ─▶ working ─▶ completing ─▶ idle ──▶ outbox
errands ────────────▶ handlers of users' messages, between tasks and while a task waits
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from actors.errors import ChannelClosed
from actors.hosts.attempt import Attempt
from actors.hosts.parts import AgentParts
from actors.hosts.requests import Answer
from actors.hosts.waiting import WaitingLane
from actors.protocol.states import AgentState

__all__ = ["TaskLane"]

_ASSIGNED = AgentState.ASSIGNED
_WORKING = AgentState.WORKING
_COMPLETING = AgentState.COMPLETING
_IDLE = AgentState.IDLE


class TaskLane(WaitingLane):
    """Runs one task after the other. `run` blocks; `turn` does one thing and does not wait, for other drivers."""

    def __init__(self, parts: AgentParts, methods: Mapping[str, Callable[..., Any]]) -> None:
        super().__init__(parts, methods)
        self.slot = parts.slots.all[0]
        self.machine = self.slot.machine
        parts.task_bell.watch(parts.assignments.channel.fileno())

    def run(self) -> None:
        """Work until the agent is to end.

        Raises:
            ChannelClosed: the program is gone.
        """
        while not self.over():
            if not self.turn():
                self.rest(None, None)

    def turn(self) -> bool:
        """Do one thing: an errand, or a task. False if there is nothing to do; all results are sent then."""
        parts = self.parts
        if parts.errands:
            parts.errands.popleft()()
            return True
        if parts.ending.reason is not None and parts.ending.asked:
            return False
        assignments = parts.assignments
        attempt = assignments.claim()
        if attempt is None:
            if parts.outbox:
                # Before the look at the channel: whoever waits for one result has it so much sooner.
                self.flush()
            if not assignments.read():
                return False
            attempt = assignments.claim()
            if attempt is None:
                return True
        self.perform(attempt)
        return True

    def perform_next(self) -> bool:
        """See `WaitingLane.perform_next`."""
        attempt = self.parts.assignments.claim()
        if attempt is None:
            return False
        self.perform(attempt)
        self.flush()
        return True

    def perform(self, attempt: Attempt) -> None:
        """Run one task from its claim to its result."""
        parts = self.parts
        if parts.outbox:
            self.before_start()
        slot, machine, status = self.slot, self.machine, parts.status
        slot.attempt = attempt
        try:
            machine.move(_ASSIGNED)
            function, args, kwargs = self.read_call(attempt)
            attempt.started = started = parts.monotonic()
            status.begin(attempt.number, attempt.attempt, started)
            machine.move(_WORKING, started)
            if parts.acknowledges:
                self.acknowledge(attempt)
            outcome, value = parts.interrupter.call(attempt, function, args, kwargs)
            del function, args, kwargs
            if machine.state is not _WORKING:
                # An interruption may have kept a wait from moving back.
                machine.move(_WORKING)
            ended = parts.monotonic()
            machine.move(_COMPLETING, ended)
            self.finish(attempt, outcome, value, ended)
            # An exception has its body's frames, and by them this one: with `value` left here, all that the body held
            # would live on until the next collection of garbage.
            del value
            status.finish()
            machine.move(_IDLE)
        except ChannelClosed:
            raise
        except BaseException as error:  # noqa: BLE001 - not the body's: those are outcomes; a fault of the agent itself
            self.fault(slot, attempt, error)
        finally:
            slot.attempt = None

    def wait(self, begin: Callable[[], Answer[Any]], state: AgentState, deadline: float | None) -> Answer[Any]:
        """Wait in a body; see `WaitingLane.wait_in`."""
        return self.wait_in(self.slot, begin, state, deadline)
