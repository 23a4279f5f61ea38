"""An event loop in virtual time, for agents with async tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from actors.testing.sim.conductor import WRITE, Waiter
from actors.testing.sim.network import Network
from actors.testing.sim.threads import SimBell

__all__ = ["SimLoop"]

_Callback = tuple[Callable[..., object], tuple[Any, ...]]


class _Selector:
    """What the loop waits with: the conductor."""

    def __init__(self, loop: SimLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[_Callback]:
        """Wait until a descriptor of the loop is ready, somebody wakes it, or `timeout` seconds are over."""
        return self._loop.wait_ready(timeout)

    def close(self) -> None:
        """Nothing to give back."""


class SimLoop(asyncio.BaseEventLoop):
    """The event loop of one agent.

    Args:
        network: whose descriptors it watches.
        bells: the agent's bells, which stand for their readers.
    """

    def __init__(self, network: Network, bells: Callable[[], list[SimBell]]) -> None:
        super().__init__()
        self._network = network
        self._conductor = network.conductor
        owner = self._conductor.owner
        self._label = f"loop of {self._conductor.name if owner is None else owner.name}"
        self._bells = bells
        self._selector = _Selector(self)
        self._clock_resolution = 1e-9
        self._readers: dict[int, _Callback] = {}
        self._ready_fds: dict[int, None] = {}
        self._woken = False
        self._sleeper: Waiter | None = None
        self._rings: list[SimBell] = []

    def time(self) -> float:
        """Virtual seconds."""
        return self._conductor.clock.monotonic()

    # --- descriptors ---

    def add_reader(self, fd: Any, callback: Callable[..., object], *args: Any) -> None:  # type: ignore[override]
        """Call back when a descriptor of the simulation, or a bell, is ready."""
        self._readers[fd] = (callback, args)
        if fd == SimBell.reader.fget(None):  # type: ignore[attr-defined]
            for bell in self._bells():
                bell.loops[self._rung] = None
                self._rings.append(bell)
        else:
            self._network.watch(fd, self)

    def remove_reader(self, fd: Any) -> bool:
        """The opposite of `add_reader`."""
        self._ready_fds.pop(fd, None)
        found = self._readers.pop(fd, None) is not None
        if fd < 0:
            for bell in self._rings:
                bell.loops.pop(self._rung, None)
            self._rings.clear()
        else:
            self._network.unwatch(fd, self)
        return found

    def ready(self, fd: int) -> None:
        """See `Watcher`."""
        # The order in which they become ready is that in which they are dealt with.
        self._conductor.touch(self._label, WRITE)
        self._ready_fds[fd] = None
        self._wake()

    def _rung(self) -> None:
        self.ready(-2)

    # --- waiting ---

    def wait_ready(self, timeout: float | None) -> list[_Callback]:
        """The callbacks of what is ready, after a wait for at most `timeout` seconds."""
        found = self._take_ready()
        if found or self._woken or (timeout is not None and timeout <= 0):
            self._woken = False
            return found
        waiter = self._sleeper = self._conductor.waiter()
        try:
            self._conductor.give_away(waiter, timeout)
        finally:
            self._sleeper = None
        self._woken = False
        return self._take_ready()

    def _take_ready(self) -> list[_Callback]:
        self._conductor.touch(self._label, WRITE)
        found = []
        for fd in tuple(self._ready_fds):
            callback = self._readers.get(fd)
            thing = self._network.get(fd) if fd >= 0 else None
            if callback is None or (fd >= 0 and (thing is None or not thing.readable())):
                del self._ready_fds[fd]
                continue
            if fd < 0:
                del self._ready_fds[fd]
            found.append(callback)
        return found

    def _wake(self) -> None:
        if self._sleeper is not None:
            self._conductor.wake(self._sleeper)

    # --- what the base asks of it ---

    def _process_events(self, event_list: list[_Callback]) -> None:
        for callback, args in event_list:
            self.call_soon(callback, *args)

    def _write_to_self(self) -> None:
        self._woken = True
        self._wake()
