"""Workers that use locks and the like, each task for one promise."""

from __future__ import annotations

import asyncio
from pathlib import Path

from actors import BarrierBroken, DeadlockDetected, Event, LockNotHeld, Worker, handles, task

__all__ = ["Asker", "Coroutines", "Locker", "Rung", "Start"]


class Rung(Event):
    """An event."""


class Start:
    """A message that makes an agent take a lock by itself."""


class Locker(Worker):
    """Uses them in plain functions."""

    @handles(Start)
    def takes(self, _: Start) -> int:
        """The fencing number of a lock that the agent has from now on."""
        return self.lock("of the agent").acquire(timeout=20)

    @handles(bytes, urgent=True)
    def takes_at_once(self, _: bytes) -> int:
        """What would wait where its answer arrives."""
        return self.lock("urgent").acquire()

    def on_event(self, event: Event) -> None:
        """Hold a lock from the first event on."""
        del event
        if not self.lock("of the event").held:
            self.lock("of the event").acquire()

    @task
    def listen_and_publish(self, until: str) -> None:
        """Have an event of one's own handled while the task is in hand."""
        self.subscribe(Rung)
        self.flag("listens").set()
        self.flag(until).wait(20)

    @task
    def add_line(self, path: str, text: str) -> int:
        """Read, wait a moment, write: which two at a time must not do."""
        with self.lock("file", timeout=30) as lock:
            file = Path(path)
            lines = file.read_text("utf-8") if file.exists() else ""
            self.sleep(0.001)
            file.write_text(f"{lines}{text} {lock.fence}\n", "utf-8")
            return lock.fence

    @task(retries=3)
    def hold(self, name: str, until: str) -> tuple[int, int]:
        """Hold a lock until a flag is set; the attempt and the fencing number."""
        with self.lock(name) as lock:
            self.flag(until).wait(30)
            lock.check()
            return self.attempt, lock.fence

    @task
    def want(self, name: str, timeout: float | None = None) -> int:
        """Hold a lock for a moment."""
        with self.lock(name, timeout=timeout) as lock:
            return lock.fence

    @task
    def leave_held(self, name: str) -> int:
        """End without a release."""
        return self.lock(name).acquire()

    @task
    def release_twice(self) -> None:
        """What is an error."""
        lock = self.lock("twice")
        lock.acquire()
        lock.release()
        lock.release()

    @task
    def grasp(self, first: str, second: str) -> str:
        """Two locks in an order of one's own."""
        with self.lock(first):
            self.barrier("both have one", 2, timeout=20).wait()
            try:
                with self.lock(second, timeout=20):
                    return "both"
            except DeadlockDetected as error:
                return "\n".join(error.cycle or ())

    @task
    def parent(self) -> str:
        """Wait for a sub-task that wants what its parent holds."""
        with self.lock("of the parent"):
            try:
                return str(self.submit(Locker.want, "of the parent").result(20))
            except DeadlockDetected as error:
                return str(error)

    @task(retries=0)
    def meet(self, parties: int, rounds: int) -> list[int]:
        """Come to a barrier again and again."""
        barrier = self.barrier("meeting", parties, timeout=20)
        return [barrier.wait() for _ in range(rounds)]

    @task(retries=0)
    def meet_and_stay(self, parties: int) -> str:
        """Pass once, and then wait for what never comes."""
        barrier = self.barrier("meeting", parties, timeout=30)
        barrier.wait()
        self.flag("passed").set()
        try:
            barrier.wait()
        except BarrierBroken as error:
            return str(error)
        return "passed"

    @task(retries=0)
    def meet_and_go(self, parties: int) -> None:
        """Pass once, and stay away from then on."""
        self.barrier("meeting", parties, timeout=30).wait()
        self.sleep(3600)

    @task
    def count(self, times: int) -> None:
        """Count a value up by compare and set, and a latch down."""
        value = self.value("counter")
        for _ in range(times):
            with self.lock("counting") as lock:
                seen = value.get()
                value.set((seen.value or 0) + 1, expect=seen.version, holding=lock)
        self.latch("counted", 4).count_down()

    @task
    def lost(self) -> str:
        """Check what was never acquired."""
        try:
            self.lock("nobody's").check()
        except LockNotHeld as error:
            return str(error)
        return "held"


class Coroutines(Worker):
    """Uses them in coroutines."""

    concurrency = 4

    @task
    async def count(self, times: int) -> None:
        """Count a value up."""
        value = self.value("counter")
        for _ in range(times):
            async with self.lock("counting") as lock:
                seen = await value.get_async()
                await value.set_async((seen.value or 0) + 1, expect=seen.version, holding=lock)
        await self.latch("counted", 4).count_down_async()

    @task
    async def wait_and_beat(self) -> int:
        """How often others of this loop came to run while one waited for a lock."""
        beats = 0

        async def beat() -> None:
            nonlocal beats
            while True:
                beats += 1
                await asyncio.sleep(0.001)

        beating = asyncio.create_task(beat())
        await self.flag("waits").set_async()
        async with self.lock("of the program", timeout=30):
            beating.cancel()
            return beats

    @task
    async def blocks(self) -> None:
        """What would hold up the loop."""
        with self.lock("blocks"):
            pass

    @task
    async def one_after_the_other(self) -> None:
        """Two coroutines wait for a lock each; the one that has waited for longer tells when it has its own."""

        async def wants(name: str) -> None:
            async with self.lock(name):
                await self.flag(f"has {name}").set_async()

        await asyncio.gather(wants("near"), wants("far"))

    @task
    async def beside(self) -> str:
        """One coroutine of a task waits for what another one of it holds, and gets it."""
        lock = self.lock("beside")
        await lock.acquire_async()

        async def wants() -> str:
            async with lock:
                return "got it"

        waits = asyncio.create_task(wants())
        # Behind the request of the other one, which is on its way then.
        await asyncio.sleep(0)
        await lock.check_async()
        lock.release()
        return await waits


class Asker(Worker):
    """Asks another agent while it holds something."""

    @task
    def ask_holding(self, other: str) -> int:
        """The fencing number that the other one got."""
        with self.lock("mine"):
            answer: int = self.ask(other, Start())
            return answer
