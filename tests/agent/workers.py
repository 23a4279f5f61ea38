"""Workers that the tests of agents run. They misbehave in every way that a user's worker might."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
import time
import warnings
from dataclasses import dataclass
from typing import Any, NoReturn

from actors.protocol.events import Event
from actors.worker import Worker, handles, task
from tests.agent.gates import Gate


@dataclass
class Greeting:
    text: str


@dataclass
class Urgent:
    text: str


@dataclass
class Inquiry:
    """Asks another agent, or has a task run, before it is answered."""

    other: str | None


@dataclass
class Unknown:
    text: str


@dataclass
class Stuck:
    gate: Gate


@dataclass(frozen=True, kw_only=True)
class Finished(Event):
    what: str = ""


@dataclass
class Holder:
    """Has something."""

    content: Any


class Unpicklable:
    """Neither pickle nor cloudpickle can write it."""

    def __reduce__(self) -> NoReturn:
        raise RuntimeError("not for travelling")


class ExitsOnWrite:
    def __reduce__(self) -> NoReturn:
        sys.exit(3)


class FailsOnRead:
    def __reduce__(self) -> Any:
        return _explode, ("in the reader",)


class ExitsOnRead:
    def __reduce__(self) -> Any:
        return sys.exit, (4,)


class BlocksOnRead:
    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    def __reduce__(self) -> Any:
        return _pass_gate, (self.gate,)


class BlocksOnWrite:
    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    def __reduce__(self) -> Any:
        self.gate.wait()
        return str, ("written",)


def _explode(text: str) -> NoReturn:
    raise ValueError(text)


def _pass_gate(gate: Gate) -> str:
    gate.wait()
    return "read"


class NeedsTwo(Exception):
    """Cannot be rebuilt: unpickling calls it with one argument."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(first)
        self.second = second


class FailsOnRebuild(Exception):
    def __setstate__(self, state: Any) -> NoReturn:
        raise RuntimeError("not to be rebuilt")

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.more = "state"


class ExitsOnRebuild(Exception):
    def __reduce__(self) -> Any:
        return sys.exit, (5,)


class ExitsOnReduce(Exception):
    def __reduce__(self) -> NoReturn:
        sys.exit(6)


class HidesItsText(Exception):
    def __str__(self) -> NoReturn:
        raise RuntimeError("no text")


class Busybody(Worker):
    """Does whatever a test asks for."""

    capabilities = frozenset({"testing"})

    def __init__(
        self, start: Gate | None = None, stop: Gate | None = None, fail: str = "", error: Gate | None = None
    ) -> None:
        self.start_gate, self.stop_gate, self.fail, self.error_gate = start, stop, fail, error
        self.heard: list[str] = []
        self.stopped_by_hook = False
        self.events: list[Event] = []
        self.events_changed = threading.Condition()

    def on_start(self) -> None:
        if self.start_gate is not None:
            self.start_gate.wait()
        if self.fail:
            raise RuntimeError(self.fail)

    def on_stop(self) -> None:
        if self.stop_gate is not None:
            self.stop_gate.wait()

    def on_error(self, error: BaseException) -> bool:
        if self.error_gate is not None:
            self.error_gate.wait()
        return False

    def on_event(self, event: Event) -> None:
        with self.events_changed:
            self.events.append(event)
            self.events_changed.notify_all()

    @handles(Greeting)
    def greeted(self, message: Greeting) -> str:
        self.heard.append(message.text)
        if message.text == "fail":
            raise ValueError("ungreeted")
        return f"{message.text} to you, in {threading.current_thread().name}"

    @handles(Urgent, urgent=True)
    def urgent(self, message: Urgent) -> str:
        return f"{message.text} at once, in {threading.current_thread().name}"

    @handles(Inquiry)
    def inquire(self, message: Inquiry) -> Any:
        if message.other is not None:
            return self.ask(message.other, Greeting("hello"))
        return self.submit(Busybody.echo, "of the handler").result()

    @handles(Stuck)
    def stuck(self, message: Stuck) -> None:
        message.gate.wait()

    @task
    def echo(self, value: Any = None) -> Any:
        return value

    @task
    def identity(self) -> dict[str, Any]:
        return {
            "agent_id": self.agent_id,
            "task_id": self.task_id,
            "attempt": self.attempt,
            "job": self.job,
            "has_deadline": self.deadline is not None and self.deadline > time.monotonic(),
            "workspace": str(self.workspace),
            "environment": {name: os.environ.get(name) for name in os.environ if name.startswith("ACTORS_AGENT_")},
        }

    @task
    def fail_with(self, error: BaseException) -> None:
        raise error

    @task
    def make(self, what: str, *args: Any) -> Any:
        return globals()[what](*args)

    @task
    def fail_as(self, what: str, *args: Any) -> None:
        raise globals()[what](*args)

    @task
    def fail_from(self) -> None:
        try:
            raise KeyError("the cause")
        except KeyError as error:
            raise ValueError("the effect") from error

    @task
    def leave(self, code: Any = 0) -> None:
        sys.exit(code)

    @task
    def wait_at(self, gate: Gate) -> str:
        gate.wait()
        return "went on"

    @task
    def sleep(self, arrived: Gate) -> None:
        arrived.wait()
        time.sleep(3600)

    @task
    def receive(self, arrived: Gate) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            arrived.wait()
            ours.recv(1)

    @task
    def lock(self, arrived: Gate) -> None:
        lock = threading.Lock()
        lock.acquire()
        arrived.wait()
        lock.acquire()

    @task
    def loop(self, arrived: Gate) -> None:
        arrived.wait()
        while True:
            pass

    @task
    def swallow(self, arrived: Gate, cleaned: str) -> str:
        try:
            arrived.wait()
        finally:
            with open(cleaned, "w", encoding="utf-8") as file:
                file.write("cleaned up")
        return "never"

    @task
    def stubborn(self, arrived: Gate) -> str:
        caught = 0
        while caught < 2:
            try:
                arrived.wait() if not caught else time.sleep(3600)
            except BaseException:  # noqa: BLE001 - this is what it is for
                caught += 1
        return "gave in"

    @task
    def asked_to_stop(self, arrived: Gate) -> bool:
        try:
            arrived.wait()
        except BaseException:  # noqa: BLE001 - as above
            return self.cancelled()
        return False

    @task
    def poll_cancelled(self, arrived: Gate) -> bool:
        arrived.wait()
        while not self.cancelled():
            time.sleep(0.001)
        return True

    @task
    def tell_progress(self, *fractions: float) -> None:
        for fraction in fractions:
            self.progress(fraction, f"at {fraction}")

    @task
    def ask_other(self, recipient: str, text: str, timeout: float = 20.0) -> Any:
        return self.ask(recipient, Greeting(text), timeout=timeout)

    @task
    def ask_then_heard(self, recipient: str, text: str) -> list[str]:
        self.ask(recipient, Greeting(text))
        return self.heard

    @task
    def submit_and_wait(self, *args: Any) -> Any:
        return self.submit(Busybody.echo, *args).result()

    @task
    def submit_and_time_out(self, timeout: float) -> str:
        future = self.submit(Busybody.echo, 1)
        try:
            future.result(timeout)
        except TimeoutError as error:
            return f"{type(error).__name__}: {error}"
        return "in time"

    @task
    def map_children(self, count: int) -> list[Any]:
        return list(self.map(Busybody.echo, range(count)))

    @task
    def listen(self, count: int) -> list[str]:
        self.subscribe(Finished)
        with self.events_changed:
            self.events_changed.wait_for(lambda: len(self.events) >= count, 20)
        return [getattr(event, "what", type(event).__name__) for event in self.events]

    @task
    def publish_event(self, what: str) -> None:
        self.publish(Finished(what=what))

    @task
    def want_more(self, amount: str) -> tuple[Any, ...]:
        return tuple(self.request_resources("memory", amount, "for a test"))

    @task
    def command(self, argv: list[str], seconds: float | None = None, **options: Any) -> tuple[int, str, str]:
        finished = self.run(argv, timeout=seconds, **options)
        return finished.code, finished.stdout, finished.stderr

    @task
    def command_streamed(self, argv: list[str]) -> list[tuple[str, str]]:
        pieces: list[tuple[str, str]] = []
        self.run(argv, on_output=lambda name, text: pieces.append((name, text)))
        return pieces

    @task
    def command_then_wait(self, pid_file: str, arrived: Gate) -> None:
        self.run(
            ["sh", "-c", f"echo $$ > {pid_file}.part && mv {pid_file}.part {pid_file} && read x < {arrived.path}/open"]
        )

    @task
    def write_atomically(self, path: str, text: str, *, fail: bool = False) -> None:
        with self.atomic_write(path) as file:
            file.write(text)
            if fail:
                raise ValueError("halfway")

    @task
    def log_something(self) -> None:
        self.log.warning("a story", detail=7)
        warnings.warn("old ways", stacklevel=1)

    @task
    def kill_itself(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


async def double(value: int) -> int:
    await asyncio.sleep(0)
    return value * 2


class Juggler(Worker):
    """Runs several async tasks at once."""

    concurrency = 3

    async def on_start(self) -> None:
        self.started_in = asyncio.get_running_loop()
        self.together = 0

    @handles(Greeting)
    async def greeted(self, message: Greeting) -> str:
        await asyncio.sleep(0)
        return f"{message.text}, juggled"

    @task
    async def meet(self, count: int) -> int:
        """Ends when `count` of these run at once."""
        self.together += 1
        while self.together < count:  # noqa: ASYNC110 - what is waited for is that the others run
            await asyncio.sleep(0.001)
        return self.together

    @task
    async def same_loop(self) -> bool:
        return asyncio.get_running_loop() is self.started_in

    @task
    async def await_for_ever(self, arrived: Gate) -> None:
        arrived.wait()
        await asyncio.Event().wait()

    @task
    async def block_for_ever(self, arrived: Gate) -> None:
        arrived.wait()
        time.sleep(3600)  # noqa: ASYNC251 - this is the misbehaviour

    @task
    async def loop_for_ever(self, arrived: Gate) -> None:
        arrived.wait()
        while True:
            pass

    @task
    async def leave(self, code: int) -> None:
        sys.exit(code)

    @task
    async def submit_and_await(self, value: Any) -> Any:
        return await self.submit(Juggler.plain, value)

    @task
    def plain(self, value: Any) -> Any:
        return value

    @task
    async def task_ids(self) -> str | None:
        before = self.task_id
        await asyncio.sleep(0)
        assert self.task_id == before
        return before


class Plain(Worker):
    """Knows no task of its own; runs callables."""


class Recycled(Worker):
    @task
    def work(self) -> int:
        return os.getpid()
