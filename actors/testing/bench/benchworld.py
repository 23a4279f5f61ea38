"""The machine of a worker on a bench: one thread, whose waits let virtual time pass instead of sleeping."""

from __future__ import annotations

import random
import selectors
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from actors.hosts.doorbell import Doorbell
from actors.hosts.world import AgentWorld
from actors.kernel.clock import ManualClock
from actors.kernel.threads import Thread

if TYPE_CHECKING:
    import asyncio

__all__ = ["CalledThreads", "bench_world"]


class _NothingLeft(Exception):
    """What a thread of the bench waits for is not there: it goes on when it is called again."""


class _Bell(Doorbell):
    """A doorbell whose sleeper lets time pass."""

    __slots__ = ("_pass",)

    def __init__(self, let_pass: Callable[[float | None], None]) -> None:
        super().__init__()
        self._pass = let_pass

    def sleep(self, timeout: float | None) -> bytes:
        """Let what waits happen, or time pass; then as `Doorbell`."""
        self._pass(timeout)
        return super().sleep(0.0)


class _Selector(selectors.DefaultSelector):
    """The selector of an event loop that lets time pass where it would sleep."""

    def __init__(self, let_pass: Callable[[float | None], None]) -> None:
        super().__init__()
        self._pass = let_pass

    def select(self, timeout: float | None = None) -> Any:
        """What is ready; if nothing is, and it may wait, what is ready afterwards."""
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        self._pass(timeout)
        return super().select(0)


class _Condition(threading.Condition):
    """A condition that nobody sleeps on."""

    def wait_for(self, predicate: Callable[[], Any], timeout: float | None = None) -> Any:
        """See `Condition.wait_for`."""
        found = predicate()
        if not found:
            raise _NothingLeft
        return found


class _Called:
    """What stands for a thread that is called."""

    def __init__(self, target: Callable[[], None], name: str) -> None:
        self.target = target
        self.name = name

    def join(self, timeout: float | None = None) -> None:
        """Nothing: it never runs beside anybody."""

    def is_alive(self) -> bool:
        """See `Thread.is_alive`."""
        return False


class CalledThreads:
    """Threads that run when they are called, each until it would wait; see `Threads`."""

    def __init__(self) -> None:
        self._called: deque[_Called] = deque()

    def start(self, target: Callable[[], None], name: str) -> Thread:
        """See `Threads.start`."""
        self._called.append(_Called(target, name))
        return self._called[-1]

    def condition(self, lock: Any = None) -> threading.Condition:
        """See `Threads.condition`."""
        return _Condition(lock)

    def current(self) -> Thread:
        """See `Threads.current`."""
        return threading.current_thread()

    def call(self) -> None:
        """Let each of them do what there is to do."""
        for called in tuple(self._called):
            try:
                called.target()
            except _NothingLeft:
                continue
            self._called.remove(called)


def bench_world(
    clock: ManualClock,
    chance: random.Random,
    threads: CalledThreads,
    let_pass: Callable[[float | None], None],
) -> AgentWorld:
    """The world of an agent whose waits are `let_pass(seconds)`.

    Args:
        clock: the time.
        chance: for the worker.
        threads: of its events.
        let_pass: does what is to be done, or moves the clock by at most so many seconds (None: to the next event).
    """

    def new_loop() -> asyncio.AbstractEventLoop:
        import asyncio  # noqa: PLC0415 - takes 20 ms, and most workers have no coroutines

        loop = asyncio.SelectorEventLoop(_Selector(let_pass))
        loop.time = clock.monotonic  # type: ignore[method-assign]  # a loop on a clock of the test's
        return loop

    def settle(ready: Callable[[], bool], timeout: float | None) -> float | None:
        until = None if timeout is None else clock.monotonic() + timeout
        while not ready():
            left = None if until is None else until - clock.monotonic()
            if left is not None and left <= 0:
                return 0.0
            let_pass(left)
        return None if until is None else max(0.0, until - clock.monotonic())

    return AgentWorld(
        clock=clock,
        random=chance,
        threads=threads,
        bell=lambda: _Bell(let_pass),
        new_event_loop=new_loop,
        settle=settle,
    )
