"""Same choices, same run, to the last message: in any process and on each Python."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from actors.testing.campaign.run import run_history
from actors.testing.sim.choices import ScriptedChoices, SeededChoices

ROOT = Path(__file__).parents[2]
SEEDS = [str(seed) for seed in range(1, 9)]
TIMEOUT = 240


def digests(python: str, hash_seed: int, seeds: list[str] = SEEDS) -> list[str]:
    """The digests that a process of its own finds, with that Python and that seed of hashes, in the order of the seeds."""
    # The packages of this environment: all that the simulation needs is plain Python, or the same for all versions.
    path = os.pathsep.join([str(ROOT), sysconfig.get_path("purelib")])
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": str(hash_seed), "PYTHONNOUSERSITE": "1"}
    done = subprocess.run(
        [python, "-m", "tests.testing.digests", *seeds],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.split("\n")[:-1]
    assert len(lines) == len(seeds)
    return lines


def find(version: str) -> str | None:
    """The interpreter of a version, if this machine has one that can read the packages of this environment."""
    found = subprocess.run(
        ["sh", "tools/find_python.sh"],
        cwd=ROOT,
        env={**os.environ, "VERSION": version},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    ).stdout.strip()
    return found or None


def test_the_same_seed_gives_the_same_history_in_processes_with_different_hash_seeds() -> None:
    """J2: nothing depends on the order of a set, on an address or on what ran before."""
    first = digests(sys.executable, 0)
    assert digests(sys.executable, 4242) == first
    assert [line.split()[2] for line in first] == [run_history(int(seed), detail=True).digest for seed in SEEDS]


def test_a_history_does_not_depend_on_those_that_ran_before_it_in_its_process() -> None:
    """J2: numbers that travel are counted by whoever gives them, and not by the process."""
    seeds = [*SEEDS, "13", "18"]
    assert digests(sys.executable, 0, seeds[::-1])[::-1] == digests(sys.executable, 0, seeds)


@pytest.mark.slow
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_the_same_seed_gives_the_same_history_on_each_python(version: str) -> None:
    """J2: also in the text of each message."""
    if sys.version_info[:2] == tuple(map(int, version.split("."))):
        pytest.skip("this is the one that all are compared with")
    python = find(version)
    if python is None:
        pytest.skip(f"there is no Python {version} here")
    assert digests(python, 1) == digests(sys.executable, 2)


def test_the_choices_of_a_history_make_it_again() -> None:
    """J2: a script of choices is as good as the seed that they came from."""
    for seed in SEEDS[:4]:
        choices = SeededChoices(int(seed))
        outcome = run_history(choices=choices, detail=True)
        assert run_history(choices=ScriptedChoices(choices.taken), detail=True).digest == outcome.digest
        assert run_history(choices=ScriptedChoices(choices.script()), detail=True).digest == outcome.digest
