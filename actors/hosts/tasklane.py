"""The task lane of an agent that runs one task at a time: the thread in which task bodies run.

assignments ──claim──▶ perform: assigned ─▶ working ─▶ completing ─▶ idle ──▶ outbox
errands ────────────▶ handlers of users' messages, between tasks and while a task waits
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from actors.errors import ChannelClosed
from actors.hosts.attempt import Attempt
from actors.hosts.lane import LaneBase
from actors.hosts.parts import AgentParts
from actors.hosts.requests import Answer
from actors.protocol.states import AgentState

__all__ = ["TaskLane"]

_ASSIGNED = AgentState.ASSIGNED
_WORKING = AgentState.WORKING
_COMPLETING = AgentState.COMPLETING
_IDLE = AgentState.IDLE


class TaskLane(LaneBase):
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
                self._rest(None)

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
            if not assignments.read():
                self.flush()
                return False
            attempt = assignments.claim()
            if attempt is None:
                return True
        self.perform(attempt)
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
            machine.move(_WORKING)
            if parts.acknowledges:
                self.acknowledge(attempt)
            outcome, value = parts.interrupter.call(attempt, function, args, kwargs)
            del function, args, kwargs
            if machine.state is not _WORKING:
                # An interruption may have kept a wait from moving back.
                machine.move(_WORKING)
            machine.move(_COMPLETING)
            self.finish(slot, attempt, outcome, value)
            status.finish()
            machine.move(_IDLE)
        except ChannelClosed:
            raise
        except BaseException as error:  # noqa: BLE001 - not the body's: those are outcomes; a fault of the agent itself
            self.fault(slot, attempt, error)
        finally:
            slot.attempt = None

    def perform_nested(self, attempt: Attempt) -> None:
        """Run a task inside the body that waits for it. The state is that of the slot: waiting, working, waiting."""
        parts = self.parts
        slot, machine, status = self.slot, self.machine, parts.status
        attempt.outer = outer = slot.attempt
        slot.attempt = attempt
        try:
            function, args, kwargs = self.read_call(attempt)
            attempt.started = started = parts.monotonic()
            status.begin(attempt.number, attempt.attempt, started)
            machine.move(_WORKING)
            if parts.acknowledges:
                self.acknowledge(attempt)
            outcome, value = parts.interrupter.call(attempt, function, args, kwargs)
            if machine.state is not _WORKING:
                machine.move(_WORKING)
            self.finish(slot, attempt, outcome, value)
            status.finish()
            machine.move(AgentState.WAITING)
        finally:
            slot.attempt = outer
            if outer is not None:
                status.resume(outer.number, outer.attempt, outer.started)
        self.flush()

    def wait(self, begin: Callable[[], Answer[Any]], state: AgentState, deadline: float | None) -> Answer[Any]:
        """Move to `state`, call `begin`, and wait in a body until what it gave has its outcome or `deadline` is there.

        Meanwhile the worker's handlers run, and in state waiting also the tasks that were assigned to be run inside this
        one. A wait in a hook or a handler moves no state: there is no task in hand.
        """
        parts = self.parts
        interrupter, bell = parts.interrupter, parts.task_bell
        moved = False
        with interrupter.shielded:
            if self.machine.state is _WORKING:
                self.machine.move(state)
                moved = True
        try:
            with interrupter.shielded:
                answer = begin()
                answer.add_done_callback(lambda _: bell.ring())
            while not answer.done():
                interrupter.check()
                with interrupter.shielded:
                    busy = self._serve(nested=state is AgentState.WAITING)
                if busy:
                    continue
                left = None if deadline is None else deadline - parts.monotonic()
                if left is not None and left <= 0:
                    break
                self._rest(left, answer)
        finally:
            if moved:
                with interrupter.shielded:
                    if self.machine.state is state:
                        self.machine.move(_WORKING)
        return answer

    def _serve(self, *, nested: bool) -> bool:
        parts = self.parts
        if parts.errands:
            parts.errands.popleft()()
            return True
        read = parts.assignments.read()
        if nested and self.machine.state is AgentState.WAITING:
            attempt = parts.assignments.claim_nested()
            if attempt is not None:
                self.perform_nested(attempt)
                return True
        return read

    def _rest(self, timeout: float | None, answer: Answer[Any] | None = None) -> None:
        """Sleep until there is something to do. See `Doorbell` for why nothing is overlooked."""
        parts = self.parts
        bell = parts.task_bell
        bell.asleep = True
        idle = answer is None
        nested = self.machine.state is AgentState.WAITING
        if (
            parts.errands
            or (self.over() if answer is None else answer.done() or parts.interrupter.wanted)
            or ((idle or nested) and parts.assignments.ready(nested=nested))
        ):
            bell.asleep = False
            return
        bell.sleep(timeout)
