"""What the program writes down about a run: on disk, so that its own memory shows what the library does."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Book", "Fault", "Sample"]


@dataclass(slots=True)
class Fault:
    """Something that was done to the system at `at`; `healed` is when it was as before, on the same clock.

    Of a task that did it: `number`, its `outcome`, and when that came.
    """

    kind: str
    at: float
    target: str = ""
    healed: float | None = None
    number: int | None = None
    outcome: str = ""
    ended: float | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """The program at one moment. `memory` in bytes, without what is shared."""

    at: float
    memory: int
    descriptors: int
    threads: int
    agents: int
    open_tasks: int
    ended_tasks: int


class Book:
    """Lines of JSON in a file, each a sign, the time, and values; from any thread.

    S number, task id, kind, sort: a task was handed in.
    D number: a done-callback was called.
    O number, kind, outcome, fine, detail: an outcome was looked at.
    V type, task id, attempt: an event came.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.began = time.monotonic()
        self.faults: list[Fault] = []
        self.samples: list[Sample] = []
        self.broken: list[str] = []
        self._lock = threading.Lock()
        self._file = path.open("a", encoding="utf-8")

    def write(self, sign: str, *values: Any) -> None:
        """Add a line; without effect after `close`."""
        line = json.dumps([sign, round(time.monotonic(), 6), *values], default=str)
        with self._lock:
            if not self._file.closed:
                self._file.write(line + "\n")

    def fault(self, kind: str, target: str = "", number: int | None = None) -> Fault:
        """Note that something is done to the system now."""
        fault = Fault(kind, time.monotonic(), target, None, number)
        with self._lock:
            self.faults.append(fault)
        return fault

    def breach(self, text: str) -> None:
        """Note at once that something is not as promised."""
        with self._lock:
            self.broken.append(text)

    def close(self) -> None:
        """Write what is buffered."""
        with self._lock:
            self._file.close()

    def lines(self) -> Iterator[list[Any]]:
        """All lines, after `close`."""
        with self.path.open(encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)
