"""What carries actors out: a thread each, or the calling thread step by step.

The same actor runs under both, so that a test or a simulation can run a whole system in one thread and virtual time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from actors.kernel.cell import Cell, make_mailbox
from actors.kernel.clock import ManualClock
from actors.kernel.current import current
from actors.kernel.mailbox import Mailbox
from actors.kernel.options import Dispatcher, Drive
from actors.kernel.run import Run

__all__ = ["Dispatcher", "ManualDispatcher", "ThreadDispatcher"]


class ThreadDispatcher:
    """One daemon thread for each run, so that no actor keeps a program alive that forgot to stop it."""

    drive: Drive | None = None

    def start(self, run: Run) -> None:
        """Start a thread for the run."""
        threading.Thread(target=run.loop, name=run.cell.name, daemon=True).start()

    def mailbox(self, cell: Cell) -> Mailbox:
        """The usual one."""
        return make_mailbox(cell)


class ManualDispatcher:
    """Carries runs out in the thread that calls, one step at a time, on a clock of its own.

    Args:
        clock: the clock of the actors; it moves only by `advance` and while somebody waits for an answer.
        limit: how many messages an actor handles in one step; None for all that wait.
        choose: given the names of the actors that could take a step, in the order of their start, returns the index of
            the one that does. By default they take turns. A seeded choice makes a run of chance that can be repeated.
    """

    def __init__(
        self,
        clock: ManualClock,
        limit: int | None = None,
        choose: Callable[[Sequence[str]], int] | None = None,
    ) -> None:
        self.clock = clock
        self.drive: Drive | None = self._drive
        self._limit = limit
        self._choose = choose
        self._runs: list[Run] = []
        # Those in a step at this moment; a handler that waits for an answer lets only the others go on.
        self._stepping: set[Run] = set()

    def start(self, run: Run) -> None:
        """Take up the run; its first step is its start."""
        self._runs.append(run)

    def mailbox(self, cell: Cell) -> Mailbox:
        """The usual one."""
        return make_mailbox(cell)

    def step(self) -> bool:
        """Let one actor take one step. False if none has anything to do at this time."""
        able = [run for run in self._runs if run not in self._stepping and self._has_work(run)]
        if not able:
            return False
        run = able[0 if self._choose is None else self._choose([run.cell.name for run in able])]
        if self._choose is None:
            # To the end of the queue: they take turns.
            self._runs.remove(run)
            self._runs.append(run)
        self._step(run)
        return True

    def run(self, limit: int = 100_000) -> int:
        """Step until nobody has anything to do at this time.

        Returns:
            The number of steps.

        Raises:
            RuntimeError: there is still something to do after `limit` steps.
        """
        for steps in range(limit):
            if not self.step():
                return steps
        raise RuntimeError(f"the actors are still busy after {limit} steps: do they send to each other without end?")

    def advance(self, seconds: float) -> None:
        """Let `seconds` of the clock go by, and everything happen that happens in this time, in its order."""
        end = self.clock.monotonic() + seconds
        self.run()
        while (due := self.next_due()) is not None and due <= end:
            self.clock.move_to(max(due, self.clock.monotonic()))
            self.run()
        self.clock.move_to(end)
        self.run()

    def next_due(self) -> float | None:
        """When the next timer of any actor is due; None if there is none."""
        return min((due for run in self._runs if (due := run.timers.next_due()) is not None), default=None)

    def _has_work(self, run: Run) -> bool:
        if not run.begun or run.over or len(run.cell.mailbox):
            return True
        due = run.timers.next_due()
        return due is not None and due <= self.clock.monotonic()

    def _step(self, run: Run) -> None:
        outer, current.cell = current.cell, run.cell
        self._stepping.add(run)
        try:
            goes_on = run.turn(0.0, self._limit) if run.begun else run.begin()
            if not goes_on:
                self._runs.remove(run)
                run.end()
        finally:
            self._stepping.discard(run)
            current.cell = outer

    def _drive(self, done: Callable[[], bool], timeout: float | None) -> bool:
        deadline = None if timeout is None else self.clock.monotonic() + timeout
        while not done():
            if self.step():
                continue
            due = self.next_due()
            if due is None or (deadline is not None and due > deadline):
                if deadline is not None:
                    self.clock.move_to(max(deadline, self.clock.monotonic()))
                return done()
            self.clock.move_to(max(due, self.clock.monotonic()))
        return True
