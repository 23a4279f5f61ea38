"""A program that measures and says a line of JSON for each figure: it is cut off when it hangs, and nothing of it stays."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.marked import MARK, kill_all

__all__ = ["ROOT", "command", "environment", "lines_of", "temporary"]

ROOT = Path(__file__).parents[1]
# With it, each process compiles anew whatever it imports, which no program does that is in use.
_NO_CACHE = "PYTHONDONTWRITEBYTECODE"
_START = 90.0
_SHOWN = 1500


def command(module: str, *words: str) -> list[str]:
    """The command line of a program of these benchmarks."""
    return [sys.executable, "-m", module, *words]


def environment(mark: str) -> dict[str, str]:
    """That of a program that is to be found by its mark, a directory, in which it also has its files."""
    kept = {name: value for name, value in os.environ.items() if name != _NO_CACHE}
    return {**kept, MARK: mark, "PYTHONPATH": str(ROOT), "TMPDIR": mark, "RAY_TMPDIR": mark}


def temporary() -> tempfile.TemporaryDirectory[str]:
    """A directory with a name short enough for sockets; some process may still be at work in it when it goes."""
    return tempfile.TemporaryDirectory(prefix="f-", dir="/tmp", ignore_cleanup_errors=True)


def lines_of(module: str, *words: str, patience: float) -> Iterator[dict[str, Any]]:
    """Run a program with a group of its own, and give its lines as they come; empty ones only say that it goes on.

    Args:
        module: what is run.
        words: its arguments; the descriptor that it writes to is added as the last.
        patience: seconds that each line may take after the first, which may take longer.

    Raises:
        RuntimeError: nothing came in that time, or it failed; with the end of what it printed.
    """
    reader, writer = os.pipe()
    with temporary() as mark, tempfile.TemporaryFile() as log, os.fdopen(reader, "rb", buffering=0) as lines:
        try:
            program = subprocess.Popen(
                command(module, *words, str(writer)),
                cwd=mark,
                env=environment(mark),
                pass_fds=[writer],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        finally:
            os.close(writer)
        try:
            yield from _read(lines.fileno(), program, patience, lambda: _end_of(log))
        finally:
            kill_all(mark)
            program.wait()


def _end_of(log: Any) -> str:
    log.seek(0)
    return log.read().decode(errors="replace")[-_SHOWN:]  # type: ignore[no-any-return]


def _read(
    descriptor: int, program: subprocess.Popen[bytes], patience: float, told: Callable[[], str]
) -> Iterator[dict[str, Any]]:
    """Its lines as they come. What it left behind may hold the pipe open, so its own end counts as well."""
    ended = os.pidfd_open(program.pid)
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    poll.register(ended, select.POLLIN)
    rest = b""
    try:
        wait = _START
        while True:
            ready = dict(poll.poll(wait * 1000))
            if not ready:
                raise RuntimeError(f"nothing came for {wait:g} s: {told()}")
            data = os.read(descriptor, 1 << 16) if descriptor in ready else b""
            *whole, rest = (rest + data).split(b"\n")
            for line in whole:
                wait = patience
                sample = json.loads(line)
                if sample:
                    yield sample
            if not data:
                break
        if program.wait(patience) != 0:
            raise RuntimeError(f"it ended with {program.returncode}: {told()}")
    finally:
        os.close(ended)
