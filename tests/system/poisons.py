"""A worker whose tasks go wrong in every way that there is, and values that cannot travel."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from actors import Worker, task


class UnpicklableResult:
    """Holds what no process can have from another one."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


class RaisesOnWrite:
    """Cannot be pickled, and says so with an error of its own."""

    def __reduce__(self) -> Any:
        raise ValueError("not to be written")


class ExitsOnWrite:
    """Ends the interpreter, as far as it is let, when it is pickled."""

    def __reduce__(self) -> Any:
        sys.exit(41)


class DiesOnWrite:
    """Takes the process down when it is pickled in an agent."""

    def __init__(self, writer: int) -> None:
        self.writer = writer

    def __reduce__(self) -> Any:
        if os.getpid() == self.writer:
            os._exit(43)
        return DiesOnWrite, (self.writer,)


class RaisesOnRead:
    """Is pickled well, and raises when it is read."""

    def __getstate__(self) -> dict[str, int]:
        return {"some": 1}

    def __setstate__(self, state: Any) -> None:
        raise ValueError("not to be read")


class ExitsOnRead(RaisesOnRead):
    """Is pickled well, and ends the interpreter, as far as it is let, when it is read."""

    def __setstate__(self, state: Any) -> None:
        raise SystemExit(42)


class DiesOnRead(RaisesOnRead):
    """Is pickled well, and takes down the process that reads it, unless that is the one that made it."""

    def __init__(self) -> None:
        self.maker = os.getpid()

    def __getstate__(self) -> dict[str, int]:
        return {"maker": self.maker}

    def __setstate__(self, state: dict[str, int]) -> None:
        self.maker = state["maker"]
        if os.getpid() != self.maker:
            os.kill(os.getpid(), signal.SIGKILL)


class NeedsTwo(Exception):
    """Cannot be rebuilt from its text, as pickle tries."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")


class HoldsALock(Exception):
    """Cannot be pickled."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.lock = threading.Lock()


class ExitsWhenRebuilt(Exception):
    """Ends the interpreter when it is rebuilt."""

    def __setstate__(self, state: Any) -> None:
        raise SystemExit(44)

    def __reduce__(self) -> Any:
        return ExitsWhenRebuilt, self.args, {"a": 1}


def boom(text: str) -> None:
    """What stands in the traceback of `Poisoned.fail`."""
    if text == "needs two":
        raise NeedsTwo("this", "that")
    if text == "holds a lock":
        raise HoldsALock(text)
    if text == "local":

        class Local(Exception):
            pass

        raise Local(text)
    raise ExitsWhenRebuilt(text)


class Poisoned(Worker):
    """See above."""

    @task
    def echo(self, value: Any) -> Any:
        return value

    @task
    def pid(self) -> int:
        return os.getpid()

    @task
    def hold(self, running: str, gate: str) -> str:
        """Say through one FIFO that it runs, and go on when the other one is opened."""
        Path(running).write_text("running")
        return Path(gate).read_text()

    @task(retries=0)
    def kill_itself(self, number: int) -> None:
        os.kill(os.getpid(), number)

    @task(retries=0)
    def exit_process(self, code: int) -> None:
        os._exit(code)

    @task(retries=0)
    def crash(self) -> None:
        ctypes.string_at(0)

    @task
    def exit(self, code: Any) -> None:
        sys.exit(code)

    @task
    def fail(self, text: str) -> None:
        boom(text)

    @task(retries=0)
    def make(self, name: str) -> Any:
        if name == "DiesOnWrite":
            return DiesOnWrite(os.getpid())
        return globals()[name]()

    @task
    def kill_until(self, path: str, times: int) -> int:
        """Die in the first so many tries."""
        count = Path(path)
        count.write_text(count.read_text() + "x")
        if len(count.read_text()) <= times:
            os.kill(os.getpid(), signal.SIGKILL)
        return self.attempt
