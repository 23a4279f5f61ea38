"""Gates that a test opens: named pipes, so that an agent in another process blocks until the test lets it go on."""

from __future__ import annotations

import os
import select
import time
from pathlib import Path

LIMIT = 20.0
"""Seconds that anything may take before a test fails; no promise, only an end to waiting."""


class Gate:
    """A place where an agent stops. It travels as the path of its directory.

    Args:
        path: a directory of its own, made by `Gate.make`.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    @classmethod
    def make(cls, directory: Path, name: str) -> Gate:
        path = directory / name
        path.mkdir()
        for pipe in ("arrived", "open"):
            os.mkfifo(path / pipe)
        return cls(str(path))

    def __reduce__(self) -> tuple[type[Gate], tuple[str]]:
        return Gate, (self.path,)

    def wait(self) -> None:
        """In the agent: say that one is here, and wait until the test opens the gate. Broken by signals' exceptions."""
        with open(f"{self.path}/arrived", "wb", buffering=0) as file:
            file.write(b"x")
        with open(f"{self.path}/open", "rb", buffering=0) as file:
            file.read(1)

    def reached(self) -> None:
        """In the test: wait until an agent is there."""
        _read_one(f"{self.path}/arrived")

    def open(self) -> None:
        """In the test: let the agent that waits here go on."""
        deadline = time.monotonic() + LIMIT
        while True:
            try:
                descriptor = os.open(f"{self.path}/open", os.O_WRONLY | os.O_NONBLOCK)
                break
            except OSError as error:
                # Nobody has opened the other end yet: the agent is on its way from one pipe to the other.
                if time.monotonic() > deadline:
                    raise TimeoutError(f"nobody waits at {self.path}") from error
                os.sched_yield()
        os.write(descriptor, b"x")
        os.close(descriptor)


def _read_one(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        deadline = time.monotonic() + LIMIT
        while True:
            left = deadline - time.monotonic()
            assert left > 0, f"nobody reached {path} within {LIMIT} s"
            poll.poll(left * 1000)
            try:
                if os.read(descriptor, 1):
                    return
            except BlockingIOError:
                pass
    finally:
        os.close(descriptor)
