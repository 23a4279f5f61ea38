"""Lets one thing happen at a time, in virtual time: the heart of the simulation.

    ready: actors with messages, lanes that were woken, threads whose wait is over ──choice──▶ one step
    nothing ready ──▶ the clock moves to whatever is due next

Steps run one after the other in one thread, for as long as none of them waits. One that does (the code of a task that
waits for a result) keeps its thread and gives the baton to another, which goes on conducting; when its wait is over it
gets the baton back and goes on where it was. So exactly one thread runs at any time, and which one is a choice like all
others.
"""

from __future__ import annotations

import threading
from _thread import LockType, allocate_lock
from collections.abc import Callable
from typing import Any, Protocol

from actors.kernel.clock import ManualClock
from actors.testing.errors import SimulationEndless, SimulationError, SimulationHung, SimulationStuck
from actors.testing.guarding.guard import where
from actors.testing.sim.alarms import Alarm, Alarms
from actors.testing.sim.choices import Choices

__all__ = ["ADD", "READ", "STALL", "WRITE", "Conductor", "Gone", "Owner", "Player", "Waiter"]


STALL = 0.05
"""Virtual seconds that go by at most each time that somebody is slow."""

READ, ADD, WRITE = range(3)
"""How a step touches what steps of others touch too. ADD: in a way of which the order does not matter."""


class Gone(BaseException):
    """Raised in code of an agent that was killed, or of a simulation that ends, wherever it waits."""


class Owner(Protocol):
    """Whose code runs in a step: an agent that may be killed or hang meanwhile."""

    name: str
    dead: bool
    hung: bool


class Player(Protocol):
    """What can be woken to take a step."""

    owner: Owner | None
    name: str

    def step(self) -> None:
        """Do one thing, then return."""


class Waiter:
    """A thread that waits for its baton."""

    __slots__ = ("gate", "name", "over", "owner", "ready", "thread")

    def __init__(self, owner: Owner | None, name: str, ready: Callable[[], bool] | None) -> None:
        self.owner = owner
        self.name = name
        self.ready = ready
        self.gate: LockType = allocate_lock()
        self.gate.acquire()
        # Whether its time is up.
        self.over = False
        self.thread = threading.get_ident()

    def step(self) -> None:
        """Nothing: it is given the baton instead."""


class _Conducting:
    """A thread that conducts whenever it is told to."""

    __slots__ = ("gate", "thread")

    def __init__(self, conduct: Callable[[_Conducting], None], name: str) -> None:
        self.gate: LockType = allocate_lock()
        self.gate.acquire()
        self.thread = threading.Thread(target=conduct, args=(self,), name=name, daemon=True)


class Conductor:
    """Conducts one simulation.

    Args:
        choices: decides.
        clock: moves only here.
        patience: real seconds that one step may take before it counts as hung.
        most: steps after which a run counts as endless.

    Attributes:
        owner: whose code is running at this moment; None for the library's and the test's own.
        name: the name of who is running.
        steps: how many have been taken.
        after_step: called after each step; what it raises ends the run.
        pick: called before each step with all that could take it; gives who does, or None to let time go by.
        touch: called with the name of what a step touches that steps of others touch too, and how.
    """

    # Invariant: only the thread that holds the baton touches anything here. It is handed over by releasing a gate.

    def __init__(self, choices: Choices, clock: ManualClock, patience: float = 30.0, most: int = 10_000_000) -> None:
        self.choices = choices
        self.clock = clock
        self.owner: Owner | None = None
        self.name = "program"
        self.steps = 0
        self.after_step: list[Callable[[], object]] = []
        self.stall: Callable[[], bool] = _never
        self.pick: Callable[[list[Any]], Any] = self.pick_any
        self.touch: Callable[[str, int], object] = _untold
        self._patience = patience
        self._most = most
        self._alarms = Alarms()
        # After how many steps the test goes on, whoever else could.
        self._stop_at: int | None = None
        self._awake: dict[Any, None] = {}
        # Waits that nobody announces the end of: they are looked at before each step.
        self._watching: dict[Waiter, None] = {}
        # All threads that wait, for the end.
        self._waiting: dict[Waiter, None] = {}
        self._sources: list[Callable[[], list[Any]]] = []
        self._due: list[Callable[[], float | None]] = []
        self._idle: list[_Conducting] = []
        self._threads: list[_Conducting] = []
        self._test: Waiter | None = None
        # Whether a thread conducts at this moment, and not the test.
        self._playing = False
        # Whether something that is waited for is being looked at.
        self._looking = False
        self._failure: BaseException | None = None
        self._closing = False
        # Counts the threads that have ended.
        self._ended = threading.Semaphore(0)

    # --- what can happen ---

    def add_source(self, ready: Callable[[], list[Any]], due: Callable[[], float | None]) -> None:
        """Ask for players before each step, and for the time at which there will be some."""
        self._sources.append(ready)
        self._due.append(due)

    def wake(self, player: Any) -> None:
        """Let a player take a step when its turn comes; once, however often it is woken before."""
        self._awake[player] = None
        if player.owner is not None:
            self.touch(player.owner.name, ADD)

    def sleep(self, player: Any) -> None:
        """Let a player that was woken take no step."""
        self._awake.pop(player, None)

    def at(self, due: float, act: Callable[[], object]) -> Alarm:
        """Have something happen at a time of the clock."""
        return self._alarms.at(due, act)

    def after(self, delay: float, act: Callable[[], object]) -> Alarm:
        """Have something happen in so many seconds."""
        return self.at(self.clock.monotonic() + delay, act)

    def after_steps(self, steps: int, act: Callable[[], object]) -> Alarm:
        """Have something happen when so many further steps have been taken."""
        return self._alarms.at_step(self.steps + steps, act)

    # --- waiting ---

    def play(self, steps: int, timeout: float) -> None:
        """Let so many steps be taken, and no more; fewer if they take longer than `timeout` virtual seconds. For the test."""
        self._stop_at = self.steps + steps
        try:
            self.give_away(self.waiter(), timeout)
        finally:
            self._stop_at = None

    def wait(self, ready: Callable[[], bool], timeout: float | None = None, *, watched: bool = True) -> bool:
        """Wait, with the baton given away, until something is so or `timeout` virtual seconds are over.

        Args:
            ready: what is waited for; it must not change anything.
            timeout: None waits without end.
            watched: look before each step. Otherwise the wait goes on until somebody wakes the waiter of `waiter`.

        Returns:
            Whether it is so.

        Raises:
            Gone: the agent whose code waits was killed, or the simulation ends.
        """
        if self._looking:
            raise SimulationError(
                "what is waited for must only look, and it waits itself: it asks the system, or for a result. Look at "
                "sim.now, at future.done() or at what your test has collected"
            )
        if self._look(ready):
            return True
        if timeout is not None and timeout <= 0:
            return False
        waiter = self.waiter(ready if watched else None)
        self.give_away(waiter, timeout)
        return ready()

    def waiter(self, ready: Callable[[], bool] | None = None) -> Waiter:
        """A waiter for `give_away`, of the thread that calls."""
        return Waiter(self.owner, self.name, ready)

    def give_away(self, waiter: Waiter, timeout: float | None) -> None:
        """Sleep until the waiter is woken, or what it is ready for is so, or the time is up.

        Raises:
            Gone: as for `wait`.
            SimulationStuck: nothing will ever happen any more, and it is the test that waits.
        """
        self._check_gone(waiter.owner)
        alarm = None if timeout is None else self.after(timeout, lambda: self._time_up(waiter))
        self._waiting[waiter] = None
        if waiter.ready is not None:
            self._watching[waiter] = None
        outer_test = self._test
        if outer_test is None:
            self._test = waiter
        owner, name = self.owner, self.name
        try:
            self._let_conduct()
            self._sleep(waiter, is_test=outer_test is None)
        finally:
            if alarm is not None:
                alarm.cancel()
            self._waiting.pop(waiter, None)
            self._watching.pop(waiter, None)
            self._awake.pop(waiter, None)
            if outer_test is None:
                self._test = None
            self.owner, self.name = owner, name
        if outer_test is None and self._failure is not None:
            failure = self._failure
            if isinstance(failure, SimulationStuck):
                self._failure = None
            raise failure
        self._check_gone(waiter.owner)

    def _sleep(self, waiter: Waiter, *, is_test: bool) -> None:
        if not is_test:
            waiter.gate.acquire()
            return
        self._playing = True
        before = -1
        while not waiter.gate.acquire(timeout=self._patience):
            if self.steps == before:
                raise SimulationHung.of(self.name, self._patience, self._where())
            before = self.steps
        self._playing = False

    def _where(self) -> str:
        """Where the thread that has the baton is."""
        waiting = {waiter.thread for waiter in self._waiting}
        idle = {each.thread.ident for each in self._idle}
        busy = [each.thread.ident for each in self._threads if each.thread.ident not in waiting | idle]
        return "; ".join(where(ident) for ident in busy if ident is not None)

    def _time_up(self, waiter: Waiter) -> None:
        waiter.over = True
        self.wake(waiter)

    def _check_gone(self, owner: Owner | None) -> None:
        if self._closing or (owner is not None and owner.dead):
            raise Gone

    # --- conducting ---

    def _let_conduct(self) -> None:
        if self._idle:
            self._idle.pop().gate.release()
            return
        conducting = _Conducting(self._conduct, f"simulation-{len(self._threads) + 1}")
        self._threads.append(conducting)
        conducting.thread.start()
        conducting.gate.release()

    def _conduct(self, me: _Conducting) -> None:
        while True:
            me.gate.acquire()
            while not self._closing:
                heir = self._take_steps()
                if heir is not None:
                    self._idle.append(me)
                    heir.gate.release()
                    break
            if self._closing:
                # Also when the step in this thread was being unwound: the one who ends everything has the baton now.
                self._ended.release()
                return

    def _take_steps(self) -> Waiter | None:
        """Let things happen until a thread is to get the baton. None: it is time to end."""
        while not self._closing:
            if self._failure is not None:
                return self._test
            if self._stop_at is not None and self.steps >= self._stop_at:
                self._stop_at = None
                return self._test
            try:
                player = self._next()
            except BaseException as error:  # noqa: BLE001 - of what somebody waits for, or of what was due
                self._failure = error
                continue
            if type(player) is Waiter:
                return player
            if player is None:
                self._failure = SimulationStuck.of(self.clock.monotonic(), [each.name for each in self._waiting])
            elif self.steps >= self._most:
                self._failure = SimulationEndless.of(self._most, self.clock.monotonic())
            else:
                self._take_step(player)
        return None

    def _take_step(self, player: Player) -> None:
        """One step, which may wait in between, and what is looked at after it."""
        self.steps += 1
        self.owner, self.name = player.owner, player.name
        try:
            player.step()
            if not self._closing:
                self.owner, self.name = None, "simulation"
                for look in self.after_step:
                    look()
        except Gone:
            # Of an agent that was killed in the middle of its step.
            pass
        except BaseException as error:  # noqa: BLE001 - it ends the run, and is raised in the test
            if self._failure is None:
                self._failure = error

    def _next(self) -> Any:
        """Whoever is to take the next step; the clock moves if nobody is ready. None if nobody ever will be."""
        while True:
            now = self.clock.monotonic()
            self._alarms.sound(now, self.steps)
            ready = self._ready()
            player = self.pick(ready)
            if player is not None:
                self._awake.pop(player, None)
                return player
            due = self.next_due()
            if ready:
                # Whoever could go on is slow.
                due = now + STALL if due is None else min(due, now + STALL)
            if due is None:
                return None
            self.clock.move_to(max(due, now))

    def pick_any(self, ready: list[Any]) -> Any:
        """Any of those that are ready; None, if nobody is or somebody is slow."""
        if not ready or self.stall():
            return None
        return ready[self.choices.below(len(ready), "next")]

    def _ready(self) -> list[Any]:
        ready: list[Any] = []
        for source in self._sources:
            ready += source()
        for player in self._awake:
            owner = player.owner
            if owner is None or not owner.hung or owner.dead:
                ready.append(player)
        self._looking = True
        try:
            for waiter in self._watching:
                if waiter in self._awake:
                    continue
                owner = waiter.owner
                if owner is not None and (owner.hung or owner.dead):
                    if owner.dead:
                        ready.append(waiter)
                elif waiter.ready is not None and waiter.ready():
                    ready.append(waiter)
        finally:
            self._looking = False
        return ready

    def _look(self, ready: Callable[[], bool]) -> bool:
        self._looking = True
        try:
            return ready()
        finally:
            self._looking = False

    def next_due(self) -> float | None:
        """The time at which something will happen that does not happen now; None if there is no such time."""
        dues = [due for look in self._due if (due := look()) is not None]
        alarm = self._alarms.next_due()
        if alarm is not None:
            dues.append(alarm)
        return min(dues, default=None)

    # --- the end ---

    def release(self, owner: Owner) -> None:
        """An owner is dead: whatever waits in its code goes on, to find that it is gone."""
        for waiter in self._waiting:
            if waiter.owner is owner:
                self.wake(waiter)

    def is_in(self, owner: Owner) -> bool:
        """Whether a thread is in the middle of an owner's code."""
        return any(waiter.owner is owner for waiter in self._waiting)

    def close(self, timeout: float = 5.0) -> list[str]:
        """End: every thread that waits is made to return, and ends.

        Returns:
            The names of those that did not return within `timeout` real seconds; they are left to themselves.
        """
        self._closing = True
        left = []
        # The test may have been interrupted while it waited.
        if self._playing and not self._ended.acquire(timeout=timeout):
            left.append(self.name)
        for waiter in list(self._waiting):
            waiter.gate.release()
            if not self._ended.acquire(timeout=timeout):
                left.append(waiter.name)
        for conducting in self._idle:
            conducting.gate.release()
            self._ended.acquire(timeout=timeout)
        if not left:
            for conducting in self._threads:
                conducting.thread.join(timeout)
        self._alarms.clear()
        self._awake.clear()
        return left


def _never() -> bool:
    return False


def _untold(_what: str, _how: int) -> None:
    """Nobody wants to know."""
