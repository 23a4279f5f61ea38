"""Measures one library with one fault: a program of its own each, one at a time, and nothing of it stays."""

from __future__ import annotations

import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.faults.faults import Fault
from benchmarks.faults.library import Library
from benchmarks.faults.marked import kill_all
from benchmarks.faults.outside import command, environment, temporary

__all__ = ["HANGING_ROUNDS", "NotMeasured", "measure"]

HANGING_ROUNDS = 3
"""Enough to know that it hangs."""

_LEAST = 3
_START = 90.0
_FAILURES = 3


class NotMeasured(RuntimeError):
    """The program of a round failed for a reason that is not the fault."""


def measure(
    library: type[Library], fault: Fault, rounds: int, budget: float, had: list[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """The samples that are missing; `had` are known already.

    Raises:
        NotMeasured: the program of the rounds failed several times in a row.
    """
    began = time.monotonic()
    samples = list(had)
    failures = 0
    while True:
        hanging = sum(sample["hangs"] for sample in samples)
        late = time.monotonic() - began > budget and len(samples) >= _LEAST
        if len(samples) >= rounds or hanging >= HANGING_ROUNDS or late:
            return
        number = len(samples)
        try:
            for sample in _some(library, fault, rounds - number):
                samples.append(sample)
                yield sample
                if time.monotonic() - began > budget and len(samples) >= _LEAST:
                    break
            failures = 0 if len(samples) > number else failures + 1
        except RuntimeError as error:
            failures += 1
            problem = str(error)
            if failures >= _FAILURES:
                raise NotMeasured(f"{library.name}, {fault.key}: {problem}") from error
            continue
        if failures >= _FAILURES:
            raise NotMeasured(f"{library.name}, {fault.key}: its program ended without a sample")


def _some(library: type[Library], fault: Fault, rounds: int) -> Iterator[dict[str, Any]]:
    if fault.outside is not None:
        yield fault.outside(library.name, fault.limit).as_json()
        return
    reader, writer = os.pipe()
    with temporary() as mark, tempfile.TemporaryFile() as log, os.fdopen(reader, "rb", buffering=0) as lines:
        program = subprocess.Popen(
            command("rounds", library.name, fault.key, str(rounds), str(writer)),
            cwd=mark,
            env=environment(mark),
            pass_fds=[writer],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        os.close(writer)
        try:
            # A round has several waits of its limit.
            yield from _read(lines.fileno(), program, fault.limit * 3 + 10, lambda: _end_of(log))
        finally:
            kill_all(mark)
            program.wait()


def _end_of(log: Any) -> str:
    log.seek(0)
    return log.read().decode(errors="replace")[-1500:]  # type: ignore[no-any-return]


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
