"""A worker whose tasks do what tasks should not, and workers that cannot be started."""

from __future__ import annotations

import asyncio
import ctypes
import functools
import multiprocessing
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from actors import ActorSystem, Event, Worker, handles, task


class NoWorker:
    """Has a task, and is no worker."""

    @task
    def shrink(self, path: str) -> str:
        return path


class Callable:
    """To be called, in every way there is."""

    def __call__(self, number: int) -> int:
        return number + 1

    def method(self, number: int) -> int:
        return number + 2

    @classmethod
    def of_class(cls, number: int) -> int:
        return number + 3

    @staticmethod
    def of_none(number: int) -> int:
        return number + 4


def add(left: Any, right: int) -> Any:
    return left + right


async def later(number: int) -> int:
    await asyncio.sleep(0)
    return number + 5


@functools.cache
def cached(number: int) -> int:
    return number + 7


class Misfit(Worker):
    """Does what a task should not do, and takes work afterwards."""

    @task
    def echo(self, value: Any = None) -> Any:
        return value

    @task
    def pair(self, left: int, right: int = 1, *, factor: int = 1) -> int:
        return (left + right) * factor

    @task
    def fail(self, error: BaseException) -> None:
        raise error

    @task
    def hold(self, running: str, gate: str) -> str:
        Path(running).write_text("running")
        return Path(gate).read_text()

    @task
    def wait_for_long(self, running: str) -> None:
        Path(running).write_text("running")
        time.sleep(300)

    # --- streams and descriptors ---

    @task
    def talk(self, garbage: bytes) -> str:
        print("said by a task")  # noqa: T201 - what is tested
        print("complained by a task", file=sys.stderr)  # noqa: T201 - what is tested
        sys.stdout.flush()
        os.write(1, garbage)
        return "said"

    @task
    def read_input(self) -> tuple[str, bytes]:
        return sys.stdin.read(), os.read(0, 10)

    @task
    def close_standard(self) -> str:
        for descriptor in (0, 1, 2):
            os.close(descriptor)
        return "closed"

    @task
    def open_file(self, path: str) -> str:
        return Path(path).read_text()

    # --- processes and threads ---

    @task
    def start_threads(self, number: int) -> int:
        for _ in range(number):
            threading.Thread(target=threading.Event().wait).start()
        return threading.active_count()

    @task
    def fork(self, how: str) -> int:
        """Fork; the child returns from the task, raises, exits, or stays."""
        pid = os.fork()
        if pid:
            return pid
        if how == "return":
            return 0
        if how == "raise":
            raise ValueError("from the child")
        if how == "sys.exit":
            sys.exit(3)
        if how == "os._exit":
            os._exit(3)
        time.sleep(300)
        return 0

    @task
    def terminate_a_process_of_its_own(self) -> int | None:
        """What `multiprocessing` does in a task."""
        process = multiprocessing.get_context("fork").Process(target=time.sleep, args=(300,))
        process.start()
        process.terminate()
        process.join(10)
        return process.exitcode

    @task
    def leave_a_process_behind(self) -> int | None:
        """One that multiprocessing waits for at the exit."""
        process = multiprocessing.get_context("fork").Process(target=time.sleep, args=(300,))
        process.start()
        return process.pid

    @task
    def pid(self) -> int:
        return os.getpid()

    # --- the process's own things ---

    @task
    def change_directory(self, path: str) -> str:
        os.chdir(path)
        return os.getcwd()

    @task
    def set_handlers(self) -> str:
        """Take every signal that can be taken."""
        for number in signal.valid_signals():
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                continue
        return "taken"

    @task
    def alarm(self) -> str:
        """Take the alarm, and wait for it."""
        came: list[int] = []
        signal.signal(signal.SIGALRM, lambda *called: came.append(called[0]))
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        end = time.monotonic() + 10
        while not came and time.monotonic() < end:
            time.sleep(0.01)
        return signal.Signals(came[0]).name

    @task(retries=0)
    def alarm_without_handler(self) -> None:
        signal.alarm(1)
        time.sleep(300)

    @task
    def hang_in_c(self, running: str) -> None:
        """Hold the interpreter's lock in native code: no signal handler of Python's can run."""
        Path(running).write_text("running")
        ctypes.PyDLL(None).sleep(300)

    @task
    def recurse(self, depth: int) -> Any:
        return self._deeper(depth)

    def _deeper(self, depth: int) -> int:
        return self._deeper(depth - 1) + 1 if depth else 0

    # --- tasks inside tasks ---

    @task
    def countdown(self, left: int) -> int:
        return 0 if left == 0 else self.submit(Misfit.countdown, left - 1).result(timeout=30) + 1

    @task
    def mapped(self, numbers: list[int]) -> list[int]:
        return list(self.map(Misfit.pair, numbers, numbers))

    @task
    def sub_error(self, text: str) -> str:
        try:
            self.submit(Misfit.fail, KeyError(text)).result(timeout=30)
        except KeyError as error:
            return f"caught {error.args[0]}"
        return "no error"

    @task
    def sub_exception(self, text: str) -> None:
        self.submit(Misfit.fail, KeyError(text)).result(timeout=30)

    @task
    def bad_submissions(self) -> dict[str, str]:
        """What each bad submission from inside a task raises."""
        bad: dict[str, Any] = {
            "no callable": lambda: self.submit(5),  # type: ignore[call-overload]
            "no worker": lambda: self.submit(NoWorker.shrink, "a"),
            "too few": lambda: self.submit(Misfit.pair),  # type: ignore[call-arg]
            "unknown keyword": lambda: self.submit(Misfit.pair, 1, size=3),  # type: ignore[call-arg]
            "unpicklable": lambda: self.submit(Misfit.echo, threading.Lock()),
            "unknown option": lambda: self.options(colour="red"),
            "bad option": lambda: self.options(retries=-1),
            "too deep": lambda: self.submit(Misfit.echo, [[self.submit(Misfit.echo, 1)]]),
            "empty map": lambda: list(self.map(Misfit.echo)),
            "bad chunksize": lambda: list(self.map(Misfit.echo, [1], chunksize=0)),
        }
        found = {}
        for name, call in bad.items():
            try:
                call()
            except Exception as error:  # noqa: BLE001 - each may raise another one
                found[name] = f"{type(error).__name__}: {error}"
            else:
                found[name] = "accepted"
        return found

    @task
    def nested_system(self, number: int) -> int:
        with ActorSystem({Inner: 1}) as system:
            return system.submit(Inner.double, number).result(timeout=30)

    @task
    def nested_forgotten(self) -> int:
        system = ActorSystem({Inner: 1})
        return system.submit(Inner.double, 4).result(timeout=30)

    @task
    def takes_system(self, system: object) -> str:
        return repr(system)

    @task
    def set_own_state(self) -> str:
        """Replace what the library put there."""
        self.agent_type = "other"
        return self.agent_type


class Inner(Worker):
    """Of a system inside a task."""

    @task
    def double(self, number: int) -> int:
        return 2 * number


class Coroutines(Worker):
    """Tasks that wait for each other without a thread."""

    @task
    async def echo(self, value: Any = None) -> Any:
        return value

    @task
    async def double(self, number: int) -> int:
        await asyncio.sleep(0)
        return 2 * number


# --- workers that cannot be started --------------------------------------------------------------------------------


class FailsToStart(Worker):
    """Its on_start raises."""

    def on_start(self) -> None:
        raise LookupError("the table is not there")

    @task
    def echo(self, value: Any) -> Any:
        return value


class ExitsAtStart(FailsToStart):
    """Its on_start exits."""

    def on_start(self) -> None:
        sys.exit(5)


class DiesAtStart(FailsToStart):
    """Its process ends in on_start."""

    def on_start(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class HangsAtStart(FailsToStart):
    """Its on_start does not return."""

    def on_start(self) -> None:
        time.sleep(300)


class FailsToConstruct(FailsToStart):
    """Its constructor raises."""

    def __init__(self) -> None:
        raise ZeroDivisionError("constructed with nothing")

    def on_start(self) -> None:
        """Not reached."""


class Configurable(Worker):
    """Takes arguments."""

    def __init__(self, quality: int, *, name: str = "none") -> None:
        self.quality = quality
        self.name = name

    @task
    def settings(self) -> tuple[int, str]:
        return self.quality, self.name


class FailsToStop(Worker):
    """Its on_stop raises."""

    def on_stop(self) -> None:
        raise LookupError("cannot stop")

    @task
    def echo(self, value: Any) -> Any:
        return value


class FailsSometimes(Worker):
    """Starts at the third try only; `ATTEMPTS` in its environment names the file that counts them."""

    def on_start(self) -> None:
        count = Path(os.environ["ATTEMPTS"])
        count.write_text(count.read_text() + "x")
        if len(count.read_text()) < 3:
            raise LookupError("not yet")

    @task
    def tries(self) -> int:
        return len(Path(os.environ["ATTEMPTS"]).read_text())


class BadHandlers(Worker):
    """Its handlers raise."""

    def on_start(self) -> None:
        self.subscribe(Ring)

    def on_event(self, event: Event) -> None:
        raise ValueError("no ear for it")

    @handles(str)
    def text(self, message: str) -> str:
        raise ValueError(f"no eye for {message}")

    @task
    def ring(self) -> str:
        self.publish(Ring(source="a task"))
        return "rung"


class Ring(Event):
    """An event of the user's own."""
