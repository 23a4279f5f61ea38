"""What a lane does while a body waits: handlers, and the tasks that are to be run inside the one that waits."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from actors.hosts.attempt import Attempt
from actors.hosts.interrupts import TaskInterrupted, coroutine_attempt
from actors.hosts.lane import LaneBase
from actors.hosts.requests import Answer
from actors.hosts.slots import Slot
from actors.protocol.states import AgentState

__all__ = ["LONGEST_SLEEP", "Takes", "WaitingLane"]

_WORKING = AgentState.WORKING
_WAITING = AgentState.WAITING

LONGEST_SLEEP = 86_400.0
"""Seconds that one sleep on a bell takes at most: poll has no room for more than some 24 days."""


class Takes(Enum):
    """Which tasks a lane may begin."""

    NONE = 0
    NESTED = 1
    ALL = 2


class WaitingLane(LaneBase):
    """A lane whose thread goes on to be of use while the body that it runs waits."""

    def wait(self, begin: Callable[[], Answer[Any]], state: AgentState, deadline: float | None) -> Answer[Any]:
        """Wait in the body that is calling; see `wait_in`."""
        raise NotImplementedError

    def wait_in(
        self, slot: Slot | None, begin: Callable[[], Answer[Any]], state: AgentState, deadline: float | None
    ) -> Answer[Any]:
        """Move to `state`, call `begin`, and wait in a body until what it gave has its outcome or `deadline` is there.

        Meanwhile the worker's handlers run, and in state waiting also the tasks that were assigned to be run inside this
        one. A wait in a hook or a handler moves no state. A handler that waits for sub-tasks between two tasks lets the
        agent's other tasks run, because what it waits for may be among or behind them; one that runs inside a task's wait
        lets those run that are to be run inside this task.

        Args:
            slot: the one whose body waits, or None if the code that waits is no body.
            begin: starts what is waited for.
            state: communicating or waiting.
            deadline: on the monotonic clock; None waits without end.
        """
        parts = self.parts
        interrupter, bell = parts.interrupter, parts.task_bell
        machine = slot.machine if slot is not None and slot.machine.state is _WORKING else None
        with interrupter.shielded:
            if machine is not None:
                machine.move(state)
        try:
            with interrupter.shielded:
                answer = begin()
                answer.add_done_callback(lambda _: bell.ring())
            while not answer.done():
                interrupter.check()
                with interrupter.shielded:
                    busy = self._serve(slot, state)
                if busy:
                    continue
                left = None if deadline is None else deadline - parts.monotonic()
                if left is not None and left <= 0:
                    break
                self.rest(left, answer, self._takes(slot, state))
        finally:
            if machine is not None:
                with interrupter.shielded:
                    if machine.state is state:
                        machine.move(_WORKING)
        return answer

    def sleep(self, until: float) -> None:
        """Let a body sleep until a moment on the monotonic clock. It stays working: nothing else runs meanwhile.

        A coroutine that calls this holds up its loop, and is interrupted here all the same.

        Raises:
            TaskInterrupted: the body is to end.
        """
        parts = self.parts
        interrupter, bell = parts.interrupter, parts.task_bell
        try:
            while True:
                interrupter.check()
                attempt = coroutine_attempt.get()
                if attempt is not None and attempt.pending and not attempt.ended:
                    raise TaskInterrupted.of(attempt)
                # What arrives on the task plane wakes the bell as long as nobody has read it.
                with interrupter.shielded:
                    parts.assignments.read()
                left = until - parts.monotonic()
                if left <= 0:
                    return
                bell.asleep = True
                if not (interrupter.wanted or (attempt is not None and attempt.pending)):
                    bell.sleep(min(left, LONGEST_SLEEP))
        finally:
            # A ring that was for somebody else was taken above: it is repeated for whoever sleeps on this bell next.
            with interrupter.shielded:
                bell.asleep = True
                bell.ring()

    def _serve(self, slot: Slot | None, state: AgentState) -> bool:
        """Do one thing for somebody else, if there is any. Whether there was."""
        parts = self.parts
        if parts.errands:
            parts.errands.popleft()()
            return True
        read = parts.assignments.read()
        takes = self._takes(slot, state)
        if takes is Takes.NESTED and slot is not None:
            attempt = parts.assignments.claim_nested()
            if attempt is not None:
                self.perform_nested(slot, attempt)
                return True
        elif takes is Takes.ALL and self.perform_next():
            return True
        return read

    def _takes(self, slot: Slot | None, state: AgentState) -> Takes:
        """Which tasks may run inside the wait of a slot's body, or of a handler, that waits in `state`."""
        if state is not _WAITING:
            # What asks something while the body around it waits must not be held up by a whole task.
            return Takes.NONE
        at = AgentState.IDLE if slot is None else slot.machine.state
        if at in {_WAITING, AgentState.COMMUNICATING}:
            return Takes.NESTED
        return Takes.ALL if at is AgentState.IDLE and not self.parts.ending.asked else Takes.NONE

    def perform_next(self) -> bool:
        """Run the next task, between two tasks and inside a handler that waits. False if there is none."""
        raise NotImplementedError

    def perform_nested(self, slot: Slot, attempt: Attempt) -> None:
        """Run a task inside the body that waits for it. The state is that of the slot: waiting, working, waiting."""
        parts = self.parts
        machine, status = slot.machine, parts.status
        before = machine.state
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
            self.finish(attempt, outcome, value, parts.monotonic())
            status.finish()
            machine.move(before)
        finally:
            slot.attempt = outer
            if outer is not None:
                status.resume(outer.number, outer.attempt, outer.started)
        self.flush()

    def rest(self, timeout: float | None, answer: Answer[Any] | None, takes: Takes = Takes.ALL) -> None:
        """Sleep until there is something to do. See `Doorbell` for why nothing is overlooked.

        Args:
            timeout: seconds, or None without end.
            answer: what a body waits for; None between tasks.
            takes: the tasks that it may be woken for.
        """
        parts = self.parts
        bell = parts.task_bell
        bell.asleep = True
        if (
            parts.errands
            or (self.over() if answer is None else answer.done() or parts.interrupter.wanted)
            or (takes is not Takes.NONE and parts.assignments.ready(nested=takes is Takes.NESTED))
        ):
            bell.asleep = False
            return
        bell.sleep(timeout)
