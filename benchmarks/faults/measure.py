"""Measures one library with one fault: a program of its own each, one at a time, and nothing of it stays."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from benchmarks.faults.faults import Fault
from benchmarks.faults.library import Library
from benchmarks.faults.outside import PROGRAM
from benchmarks.lines import lines_of

__all__ = ["HANGING_ROUNDS", "NotMeasured", "measure"]

HANGING_ROUNDS = 3
"""Enough to know that it hangs."""

_LEAST = 3
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
    # A round has several waits of its limit.
    patience = fault.limit * 3 + 10
    yield from lines_of(PROGRAM, "rounds", library.name, fault.key, str(rounds), patience=patience)
