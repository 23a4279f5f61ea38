"""Workers of the campaign that share locks and the like."""

from __future__ import annotations

import asyncio

from actors.errors import BarrierBroken, DeadlockDetected, WaitTimeout
from actors.worker import Worker, task

__all__ = ["Sharer", "Weaver"]


class Sharer(Worker):
    """Holds and waits in plain functions."""

    capabilities = frozenset({"shares"})

    @task(retries=3)
    def in_order(self, number: int, names: list[str], seconds: float) -> int:
        """Several locks, always in the order of their names, so that nobody can be in a deadlock."""
        if not names:
            self.sleep(seconds)
            return number
        with self.lock(names[0]) as lock:
            self.in_order(number, names[1:], seconds)
            lock.check()
            return number

    @task(retries=3)
    def crossed(self, number: int, first: str, second: str) -> int:
        """Two locks in any order, and further tries after a deadlock."""
        for _ in range(4):
            with self.lock(first):
                self.sleep(0.2)
                try:
                    with self.lock(second):
                        return number
                except DeadlockDetected:
                    self.sleep(self.random.uniform(0, 1.0))
        return number

    @task(retries=3)
    def forget(self, number: int, name: str) -> int:
        """Hold a lock, and end."""
        self.lock(name).acquire()
        return number

    @task(retries=3)
    def parent(self, number: int, name: str) -> int:
        """Hold a lock that a sub-task wants."""
        with self.lock(name):
            future = self.submit(Sharer.in_order, number, [name], 0.0)
            try:
                return future.result()
            except DeadlockDetected:
                return number

    @task(retries=3)
    def readers(self, number: int, writes: bool) -> int:  # noqa: FBT001 - an argument as any other
        """One side of a read-write lock, and a permit."""
        lock = self.rwlock("papers")
        with lock.write() if writes else lock.read(), self.semaphore("desks", 2):
            self.sleep(0.01)
            return number

    @task(retries=3)
    def meet(self, number: int, parties: int) -> int:
        """Come to a barrier, as long as it is whole."""
        barrier = self.barrier(f"meeting of {parties}", parties, timeout=3)
        try:
            barrier.wait()
        except (BarrierBroken, WaitTimeout):
            barrier.reset()
        return number

    @task(retries=3)
    def wave(self, number: int, sets: bool) -> int:  # noqa: FBT001 - as above
        """Set a flag and clear it, or wait for it."""
        flag = self.flag("signal")
        if sets:
            flag.set()
            flag.clear()
            return number
        try:
            flag.wait(1.0)
        except WaitTimeout:
            return number
        return number


class Weaver(Worker):
    """Holds and waits in coroutines, several at a time in one agent."""

    concurrency = 3

    @task(retries=3)
    async def count(self, number: int, name: str) -> int:
        """Count a value up under a lock that the system checks."""
        value = self.value("woven")
        async with self.lock(name) as lock:
            seen = await value.get_async()
            if name == "a":
                await value.set_async((seen.value or 0) + 1, expect=seen.version, holding=lock)
            await asyncio.sleep(0.01)
        return number
