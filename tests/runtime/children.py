"""Child processes for tests: each runs a few lines of Python, tells what it prints, and waits for a line to go on."""

from __future__ import annotations

import contextlib
import select
import subprocess
import sys
import textwrap
from collections.abc import Iterator

PREAMBLE = """
import ctypes, mmap, os, signal, sys, time

PR_SET_CHILD_SUBREAPER = 36

def tell(*values):
    os.write(1, (" ".join(map(str, values)) + "\\n").encode())

def wait():
    # One byte a line at most: forked children that share this pipe would otherwise swallow each other's lines.
    while os.read(0, 1) not in (b"\\n", b""):
        pass

def fill(megabytes):
    block = mmap.mmap(-1, megabytes << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for at in range(0, megabytes << 20, mmap.PAGESIZE):
        block[at] = 1
    return block
"""


class Child:
    """A running child; `pid` is its process id."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.pid = process.pid

    def told(self, timeout: float = 20.0) -> list[str]:
        """The words of the next line that it prints."""
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], timeout)
        assert ready, "the child told nothing in time"
        line = self._process.stdout.readline()
        assert line, f"the child ended with code {self._process.wait(timeout)} and told nothing"
        return line.decode().split()

    def go_on(self) -> None:
        """Let it return from `wait`."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()

    def kill(self) -> None:
        """End it with SIGKILL; it is a zombie until it is reaped."""
        self._process.kill()

    def reap(self, timeout: float = 20.0) -> int:
        """Wait for its end."""
        return self._process.wait(timeout)


@contextlib.contextmanager
def child(body: str) -> Iterator[Child]:
    """Run `body` in a Python of its own, and end it with all the processes of its session."""
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", PREAMBLE + textwrap.dedent(body)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    )
    with process:
        try:
            yield Child(process)
        finally:
            process.kill()
