"""The worker that the suite for systems runs on each host."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actors.config import Limits
from actors.hosts.interrupts import TaskInterrupted
from actors.protocol.events import Event
from actors.worker import Worker, handles, task

__all__ = ["Bounded", "Greeting", "Resident", "Visited"]


@dataclass(frozen=True)
class Greeting:
    """A message to a worker."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Visited(Event):
    """An event of a worker's own."""

    text: str = ""


class Resident(Worker):
    """Shows what a host does with it."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def on_event(self, event: Event) -> None:
        """Keep it."""
        if isinstance(event, Visited):
            self.events.append(event.text)

    @handles(Greeting)
    def greet(self, message: Greeting) -> str:
        """Answer."""
        return f"{message.text} from {self.agent_id}"

    @task
    def identity(self) -> tuple[str, int]:
        """Its id and its process."""
        return self.agent_id, os.getpid()

    @task
    def change(self, values: list[int]) -> list[int]:
        """Change what it was given."""
        values.append(4)
        return values

    @task
    def ask_other(self, other: str, text: str) -> Any:
        """Ask another agent."""
        return self.ask(other, Greeting(text))

    @task
    def parent(self, number: int) -> int:
        """Wait for a sub-task."""
        return self.submit(Resident.double, number).result()

    @task
    def double(self, number: int) -> int:
        """Twice the number."""
        return 2 * number

    @task
    def write(self, text: str) -> str:
        """Keep a text in the workspace; where that is."""
        path = self.workspace / "text"
        with self.atomic_write(path) as file:
            file.write(text)
        return str(path)

    @task
    def listen(self) -> str:
        """Hear of visits from now on."""
        self.subscribe(Visited)
        return self.agent_id

    @task
    def visit(self, text: str, scope: Any = "global") -> None:
        """Publish."""
        self.publish(Visited(text=text, scope=scope))

    @task
    def heard(self) -> list[str]:
        """What it has heard of."""
        return list(self.events)

    @task
    def rest(self, seconds: float) -> None:
        """Sleep as tasks should."""
        self.sleep(seconds)

    @task(retries=0, timeout=0.3)
    def sleep_in_the_system(self, seconds: float) -> int:
        """Sleep in a system call, longer than is allowed."""
        time.sleep(seconds)
        return os.getpid()

    @task(retries=0, timeout=0.3)
    def refuse_to_end(self, seconds: float) -> str:
        """Go on for so long, whoever asks it to end."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with contextlib.suppress(TaskInterrupted):
                time.sleep(0.01)
        return "it has ended by itself"

    @task(retries=0)
    def hold_the_interpreter(self, path: str, seconds: int) -> None:
        """Say that it begins, and be in C code that lets nobody else run."""
        Path(path).touch()
        ctypes.PyDLL(None).sleep(seconds)

    @task(retries=0)
    def crash(self) -> None:
        """Be killed as by broken native code."""
        sys.stderr.write("the last words of a resident\n")
        sys.stderr.flush()
        os.kill(os.getpid(), signal.SIGSEGV)

    @task
    def surroundings(self) -> tuple[dict[str, str], str]:
        """Environment and working directory."""
        return dict(os.environ), os.getcwd()

    @task
    def leave_behind(self) -> int:
        """Start a process that detaches itself; its pid."""
        return subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(600)"],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ).pid


class Bounded(Worker):
    """Has limits of its own."""

    limits = Limits(memory="200M", open_files=64)

    @task
    def small(self) -> str:
        """Nothing that is limited."""
        return "done"

    @task(retries=0)
    def take_memory(self) -> int:
        """Far more than is allowed."""
        taken = []
        for _ in range(100):
            taken.append(b"x" * (16 << 20))
            time.sleep(0.01)
        return sum(map(len, taken))

    @task(retries=0)
    def take_files(self) -> int:
        """Far more than are allowed."""
        with contextlib.ExitStack() as stack:
            for _ in range(300):
                stack.enter_context(open(os.devnull, "rb"))
        return 300
