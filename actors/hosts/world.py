"""What an agent takes from the machine that it runs on: time, chance, threads, waits and figures of its process.

All of it comes in here, so that a simulation can stand in for the machine and nothing of the agent has to know.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias

from actors.hosts.doorbell import Doorbell
from actors.hosts.vitals import Vitals
from actors.kernel.clock import Clock, SystemClock
from actors.kernel.threads import SystemThreads, Threads

if TYPE_CHECKING:
    import asyncio

__all__ = ["AgentWorld", "Bell", "Figures", "Settle"]

Settle: TypeAlias = Callable[[Callable[[], bool], float | None], float | None]
"""Called with what is waited for and seconds (None: without end) before a thread sleeps until it is so. It may do the
waiting, and gives the seconds that are left."""


class Bell(Protocol):
    """See `Doorbell`."""

    asleep: bool

    @property
    def reader(self) -> int:
        """The descriptor that is readable when it was rung."""

    @property
    def writer(self) -> int:
        """The descriptor that rings when it is written to."""

    def watch(self, descriptor: int) -> None:
        """Wake also when `descriptor` is readable."""

    def unwatch(self, descriptor: int) -> None:
        """The opposite of `watch`."""

    def ring(self) -> None:
        """Wake the owner if it sleeps."""

    def sleep(self, timeout: float | None) -> bytes:
        """Wait until somebody rings, a watched descriptor is readable, or `timeout` seconds are over."""

    def drain(self) -> bytes:
        """What was written, without waiting."""

    def close(self) -> None:
        """Close its descriptors."""


class Figures(Protocol):
    """See `Vitals`."""

    @property
    def uptime(self) -> float:
        """Seconds since the start."""

    def memory_kb(self) -> int:
        """Resident memory that is not shared, in KiB."""

    def cpu_percent(self) -> float:
        """Percent of one core since the last time this was asked."""

    def open_files(self) -> int:
        """How many descriptors are open."""


def _new_event_loop() -> asyncio.AbstractEventLoop:
    import asyncio  # noqa: PLC0415 - takes 20 ms, and most workers have no coroutines

    return asyncio.new_event_loop()


def _settle(ready: Callable[[], bool], timeout: float | None) -> float | None:
    """Nothing is done: the thread sleeps where it waits."""
    del ready
    return timeout


@dataclass(frozen=True)
class AgentWorld:
    """Where an agent runs, as the agent sees it.

    Attributes:
        clock: the time.
        random: chance, for the worker's own use.
        threads: threads and conditions.
        bell: makes what a lane sleeps on.
        vitals: makes what measures the agent's own process.
        new_event_loop: makes the loop of async tasks.
        settle: see `Settle`.
    """

    clock: Clock = field(default_factory=SystemClock)
    random: random.Random = field(default_factory=random.Random)
    threads: Threads = field(default_factory=SystemThreads)
    bell: Callable[[], Bell] = Doorbell
    vitals: Callable[[], Figures] = Vitals
    new_event_loop: Callable[[], asyncio.AbstractEventLoop] = _new_event_loop
    settle: Settle = _settle
