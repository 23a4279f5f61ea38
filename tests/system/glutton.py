"""A worker that takes more than it may."""

from __future__ import annotations

import resource
import subprocess
import sys
import time

from actors import Limits, Worker, task
from tests.agent.gates import Gate

_PIECE = 10_000_000


class Glutton(Worker):
    """Takes what it is not to have."""

    limits = Limits(memory="200M", open_files=64, processes=2)

    @task(retries=0)
    def nothing(self) -> None:
        """Take nothing."""

    @task(retries=0)
    def hold(self, gate: Gate) -> None:
        """Stop at a gate."""
        gate.wait()

    @task(retries=0)
    def eat_memory(self) -> None:
        """Allocate without end, as fast as can be."""
        pieces = []
        while True:
            pieces.append(bytearray(_PIECE))

    @task(retries=0)
    def eat_files(self) -> None:
        """Open files without end."""
        files = []
        while True:
            files.append(open("/dev/null", "rb"))  # noqa: SIM115 - they are to stay open

    @task(retries=0)
    def eat_processes(self) -> None:
        """Have more children than allowed."""
        children = [subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) for _ in range(4)]
        for child in children:
            child.wait()

    @task(retries=0)
    def take(self, size: int) -> int:
        """Take so much, and keep it for a moment."""
        kept = bytearray(size)
        time.sleep(0.3)
        return len(kept)

    @task(retries=0)
    def hold_memory(self, gate: Gate, size: int) -> int:
        """Take so much, and stop at a gate."""
        kept = bytearray(size)
        gate.wait()
        return len(kept)

    @task(retries=0)
    def ask_for(self, size: int) -> tuple[bool, float]:
        """Ask for more memory."""
        answer = self.request_resources("memory", size, "for a test")
        return answer.granted, answer.allowed

    @task(retries=0)
    def backstop(self) -> int:
        """What the kernel allows the process of writable memory."""
        return resource.getrlimit(resource.RLIMIT_DATA)[0]
