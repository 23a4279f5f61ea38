"""Threads, conditions and bells of the simulation: with the faces of the real ones, and the conductor's baton."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

from actors.testing.guarding.guard import Guard
from actors.testing.sim.conductor import ADD, Conductor, Owner, Waiter
from actors.testing.sim.network import Network

__all__ = ["SimBell", "SimCondition", "SimThread", "SimThreads", "WatchedThreads"]


class _Here(threading.local):
    """Which simulated thread this one is."""

    thread: SimThread | None = None


class SimThread:
    """A thread of the simulation. It keeps a real one only while it is in the middle of something."""

    def __init__(self, here: _Here, target: Callable[[], None], name: str, owner: Owner | None) -> None:
        self.name = name
        self.owner = owner
        self._here = here
        self._target = target
        self._over = False
        self.conductor: Conductor | None = None

    def __repr__(self) -> str:
        return f"<SimThread {self.name}{', ended' if self._over else ''}>"

    def step(self) -> None:
        """From its beginning to its end."""
        if self.owner is not None and self.owner.dead:
            self._over = True
            return
        self._here.thread = self
        try:
            self._target()
        finally:
            self._here.thread = None
            self._over = True

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end."""
        if self.conductor is not None:
            self.conductor.wait(lambda: self._over, timeout)

    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return not self._over


class SimThreads:
    """See `Threads`.

    Args:
        conductor: gives the baton.
    """

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor
        self._here = _Here()

    def start(self, target: Callable[[], None], name: str) -> SimThread:
        """See `Threads.start`."""
        thread = SimThread(self._here, target, name, self._conductor.owner)
        thread.conductor = self._conductor
        self._conductor.wake(thread)
        return thread

    def condition(self, lock: Any = None) -> SimCondition:
        """See `Threads.condition`."""
        return SimCondition(self._conductor, lock)

    def current(self) -> Any:
        """See `Threads.current`."""
        return self._here.thread or threading.current_thread()


class WatchedThreads:
    """See `Threads`: those of an agent, in which its worker handles events.

    Args:
        threads: the simulation's.
        guard: watches what runs in them.
    """

    def __init__(self, threads: SimThreads, guard: Guard) -> None:
        self._threads = threads
        self._guard = guard
        self.condition = threads.condition
        self.current = threads.current

    def start(self, target: Callable[[], None], name: str) -> SimThread:
        """See `Threads.start`."""

        def watched() -> None:
            with self._guard.watching():
                target()

        return self._threads.start(watched, name)


class SimCondition:
    """See `threading.Condition`; the lock is a real one, of which nobody waits while another one has it.

    Args:
        conductor: gives the baton.
        lock: an RLock; None makes one.
    """

    def __init__(self, conductor: Conductor, lock: Any = None) -> None:
        self._conductor = conductor
        self._lock: Any = threading.RLock() if lock is None else lock
        self._waiters: dict[Waiter, None] = {}

    def __enter__(self) -> bool:
        return bool(self._lock.__enter__())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, place: TracebackType | None, /
    ) -> None:
        self._lock.__exit__(kind, error, place)

    def wait(self, timeout: float | None = None) -> bool:
        """Give the lock back, wait until notified or for `timeout` seconds, and take the lock again."""
        if timeout is not None and timeout <= 0:
            return False
        waiter = self._conductor.waiter()
        self._waiters[waiter] = None
        state = self._lock._release_save()  # noqa: SLF001 - as threading.Condition itself does
        try:
            self._conductor.give_away(waiter, timeout)
        finally:
            self._lock._acquire_restore(state)  # noqa: SLF001 - as above
            notified = waiter not in self._waiters
            self._waiters.pop(waiter, None)
        return notified

    def wait_for(self, predicate: Callable[[], Any], timeout: float | None = None) -> Any:
        """Wait until the predicate holds, for at most `timeout` seconds; gives its last value."""
        clock = self._conductor.clock
        deadline = None if timeout is None else clock.monotonic() + timeout
        while not (value := predicate()):
            left = None if deadline is None else deadline - clock.monotonic()
            if left is not None and left <= 0:
                break
            self.wait(left)
        return value

    def notify(self, n: int = 1) -> None:
        """Wake `n` of those who wait, the first to come first."""
        for waiter in list(itertools.islice(self._waiters, n)):
            del self._waiters[waiter]
            self._conductor.wake(waiter)

    def notify_all(self) -> None:
        """Wake all who wait."""
        self.notify(len(self._waiters))


class SimBell:
    """See `Doorbell`. It wakes who sleeps on it; between two sleeps, whoever `player` names.

    Args:
        network: whose descriptors it watches.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._conductor = network.conductor
        # The agent that made it.
        self._owner = network.conductor.owner
        self._watched: dict[int, None] = {}
        self._sleeper: Waiter | None = None
        self._rung = False
        self._written = bytearray()
        self.asleep = False
        # Called when there is something for the owner, who does not sleep here.
        self.call: Callable[[], object] | None = None
        self._closed = False
        # Told to event loops, which watch the bell beside other descriptors.
        self.loops: dict[Callable[[], object], None] = {}

    @property
    def reader(self) -> int:
        """Stands for the bell itself in an event loop."""
        return -2

    @property
    def writer(self) -> int:
        """There is none: see `write`."""
        return -1

    def watch(self, descriptor: int) -> None:
        """See `Doorbell.watch`."""
        if descriptor not in self._watched:
            self._watched[descriptor] = None
            self._network.watch(descriptor, self)

    def unwatch(self, descriptor: int) -> None:
        """See `Doorbell.unwatch`."""
        if self._watched.pop(descriptor, 0) is None:
            self._network.unwatch(descriptor, self)

    def ready(self, fd: int) -> None:
        """See `Watcher`."""
        self._tell()

    def ring(self) -> None:
        """See `Doorbell.ring`."""
        if not self._closed:
            self.asleep = False
            self._rung = True
            self._tell()
            for tell in tuple(self.loops):
                tell()

    def write(self, signals: bytes) -> None:
        """What a signal handler does: leave the numbers of signals."""
        self._written += signals
        self.ring()

    def sleep(self, timeout: float | None) -> bytes:
        """See `Doorbell.sleep`."""
        if not self._rung and not self.readable() and (timeout is None or timeout > 0):
            waiter = self._sleeper = self._conductor.waiter()
            try:
                self._conductor.give_away(waiter, None if timeout == float("inf") else timeout)
            finally:
                self._sleeper = None
        self.asleep = False
        return self.drain()

    def drain(self) -> bytes:
        """See `Doorbell.drain`."""
        self._rung = False
        written = bytes(self._written)
        self._written.clear()
        return written

    def close(self) -> None:
        """See `Doorbell.close`."""
        self._closed = True
        self.asleep = False
        for descriptor in tuple(self._watched):
            self.unwatch(descriptor)

    def readable(self) -> bool:
        """Whether a descriptor that it watches is."""
        for fd in self._watched:
            thing = self._network.get(fd)
            if thing is not None and thing.readable():
                return True
        return False

    def _tell(self) -> None:
        if self._owner is not None:
            self._conductor.touch(self._owner.name, ADD)
        if self._sleeper is not None:
            self._conductor.wake(self._sleeper)
        elif self.call is not None:
            self.call()
