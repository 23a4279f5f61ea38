"""Measures all in interleaved rounds: a program of its own for each library and round, one at a time."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.lines import lines_of
from benchmarks.messages.libraries import Entrant
from benchmarks.messages.post import WrongResult
from benchmarks.messages.workloads import Scene, Workload

__all__ = ["Plan", "Results", "run"]

_PROGRAM = "benchmarks.messages.program"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured. `patience`: seconds that a library may take for a piece of work until it is cut off."""

    scenes: Sequence[Scene]
    entrants: Sequence[Entrant]
    workloads: Sequence[Workload]
    rounds: int
    share: float = 1.0
    patience: float = 120.0

    def cells(self) -> list[tuple[Scene, Entrant]]:
        """Who is measured in each round."""
        return [(scene, entrant) for scene in self.scenes for entrant in self.entrants if scene.key in entrant.scenes]


@dataclass(slots=True)
class Results:
    """What came of it.

    `samples`: by scene, library and work a dict for each round, None where the library failed. `failures`: by scene and
    library, why. `missing`: libraries that are not installed.
    """

    samples: dict[str, dict[str, dict[str, list[dict[str, Any] | None]]]] = field(default_factory=dict)
    failures: dict[str, dict[str, str]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


def run(plan: Plan, show: Callable[[int, str], None]) -> Results:
    """Measure. The order rotates from round to round. A library that has failed once in a scene is left out from there on.

    Args:
        plan: what.
        show: called with the number of programs that are over, and what comes next.

    Raises:
        WrongResult: somebody gave a wrong answer, or lost something.
    """
    results = Results()
    results.missing = [entrant.name for entrant in plan.entrants if entrant.version() is None]
    cells = [(scene, entrant) for scene, entrant in plan.cells() if entrant.name not in results.missing]
    over = 0
    for number in range(plan.rounds):
        start = number % len(cells) if cells else 0
        for scene, entrant in (*cells[start:], *cells[:start]):
            failures = results.failures.setdefault(scene.key, {})
            rows = results.samples.setdefault(scene.key, {}).setdefault(entrant.name, {})
            work = [
                (each, max(round(each.count * scene.factor * plan.share), 2))
                for each in plan.workloads
                if each.key not in entrant.cannot
            ]
            show(over, f"round {number + 1} of {plan.rounds}: {scene.title.lower()}: {entrant.name}")
            found: dict[str, dict[str, Any]] = {}
            if entrant.name not in failures:
                try:
                    for sample in _round(scene, entrant, work, plan.patience):
                        found[sample.pop("workload")] = sample
                except RuntimeError as error:
                    failures[entrant.name] = str(error)
            for workload, _ in work:
                rows.setdefault(workload.key, []).append(found.get(workload.key))
            over += 1
    return results


def _round(
    scene: Scene, entrant: Entrant, work: list[tuple[Workload, int]], patience: float
) -> Iterable[dict[str, Any]]:
    described = {**dataclasses.asdict(entrant), "scenes": [], "cannot": []}
    counts = json.dumps([(workload.key, count) for workload, count in work])
    for line in lines_of(_PROGRAM, json.dumps(described), scene.key, counts, patience=patience):
        if "wrong" in line:
            raise WrongResult(line["wrong"])
        if "over" not in line:
            yield line
