"""Run the simulation on mutated cores: `python -m tests.sabotage.runner [--bases 3] [name of a mutation …]`.

Each mutation and base seed gets a process of its own, so that nothing of one mutation is left for the next.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from tests.sabotage.child import HISTORIES, STEPS
from tests.sabotage.mutation import ROOT, Mutation
from tests.sabotage.mutations import MUTATIONS, named

__all__ = ["BASES", "Hunt", "Verdict", "hunt", "hunt_all", "rerun", "table"]

BASES = (1, 2, 3)
_HISTORIES = 1000
_SECONDS = 90.0
_EACH = 12.0
# How long a process may take to start, and to tell its verdict.
_BESIDE = 30.0


class Verdict(NamedTuple):
    """What came of the histories of one process.

    `failed` has seed and story of each that failed; `histories` were run, in `seconds`.
    """

    failed: tuple[tuple[int, str], ...]
    histories: int
    seconds: float


class Hunt(NamedTuple):
    """What came of one mutation with one base seed."""

    mutation: Mutation
    base: int
    verdict: Verdict

    @property
    def found(self) -> bool:
        """Whether a history failed."""
        return bool(self.verdict.failed)

    @property
    def seed(self) -> int:
        """The seed of the history that failed."""
        return self.verdict.failed[0][0]

    @property
    def story(self) -> str:
        """What failed, in a line."""
        return self.verdict.failed[0][1] if self.found else "not found"


def _run(arguments: Sequence[str], seconds: float) -> Verdict:
    path = os.pathsep.join([str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
    environment = {**os.environ, "PYTHONPATH": path.rstrip(os.pathsep), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "tests.sabotage.child", *arguments, "--seconds", str(seconds)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=seconds + _EACH + _BESIDE,
        check=False,
    )
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        told = f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        raise RuntimeError(told)
    told = json.loads(lines[-1])
    if not told["loaded"]:
        raise RuntimeError(f"{' '.join(command)}: the histories never imported the module that was changed")
    failed = tuple((int(seed), str(story)) for seed, story in told["failed"])
    return Verdict(failed, told["histories"], told["seconds"])


def hunt(
    mutation: Mutation,
    base: int,
    *,
    histories: int = _HISTORIES,
    steps: int = STEPS,
    seconds: float = _SECONDS,
    entry: str = HISTORIES,
) -> Hunt:
    """Run histories on a mutation until one fails.

    Args:
        mutation: what is changed.
        base: which seeds; no two bases share any.
        histories: how many are run at most.
        steps: how long each is.
        seconds: for how long in all.
        entry: what runs a history, as module:function.

    Raises:
        RuntimeError: the process did not come to a verdict.
    """
    arguments = [mutation.name, "--base", str(base), "--histories", str(histories), "--steps", str(steps)]
    arguments += ["--each", str(_EACH), "--entry", entry]
    return Hunt(mutation, base, _run(arguments, seconds))


def rerun(seeds: Iterable[int], *, steps: int = STEPS, seconds: float = 600.0, entry: str = HISTORIES) -> Verdict:
    """Run histories on what is shipped, without any mutation: all of these seeds."""
    told = ",".join(str(seed) for seed in seeds)
    arguments = ["none", "--seeds", told, "--steps", str(steps), "--each", str(_EACH), "--entry", entry]
    return _run(arguments, seconds)


def hunt_all(
    mutations: Iterable[Mutation], bases: Iterable[int] = BASES, *, jobs: int = 2, seconds: float = _SECONDS
) -> list[Hunt]:
    """Run histories on each of the mutations with each base seed, several at once."""
    wanted = [(mutation, base) for mutation in mutations for base in bases]
    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(lambda item: hunt(*item, seconds=seconds), wanted))


def table(hunts: Iterable[Hunt]) -> str:
    """What each took: a line for each mutation and base seed."""
    rows = [("mutation", "module", "breaks", "seed", "histories", "seconds", "what failed")]
    for each in hunts:
        mutation, verdict = each.mutation, each.verdict
        rows.append(
            (
                mutation.name,
                mutation.module.removeprefix("actors."),
                mutation.breaks,
                str(each.seed) if each.found else f"none of base {each.base}",
                str(verdict.histories),
                f"{verdict.seconds:.2f}",
                each.story[:90],
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[6]]) for row in rows
    )


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="mutations; all, if none is named")
    parser.add_argument("--bases", type=int, default=len(BASES), help="how many base seeds")
    parser.add_argument("--seconds", type=float, default=_SECONDS, help="for how long each base seed is tried")
    parser.add_argument("--jobs", type=int, default=2, help="how many processes run at once")
    options = parser.parse_args()
    mutations = [named(name) for name in options.names] or MUTATIONS
    hunts = hunt_all(mutations, range(1, options.bases + 1), jobs=options.jobs, seconds=options.seconds)
    sys.stdout.write(table(hunts) + "\n")
    missed = [each for each in hunts if not each.found]
    sys.stdout.write(f"{len(hunts) - len(missed)} of {len(hunts)} found\n")
    sound = rerun(each.seed for each in hunts if each.found)
    for seed, story in sound.failed:
        sys.stdout.write(f"seed {seed} fails without a mutation, too: {story}\n")
    sys.exit(1 if missed or sound.failed else 0)


if __name__ == "__main__":
    main()
