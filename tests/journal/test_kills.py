"""The program is killed by signal 9, again and again: what it was told was kept is kept."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
LIMIT = 60.0


def start(directory: Path, *arguments: object) -> subprocess.Popen[bytes]:
    """Start the program."""
    command = [sys.executable, "-m", "tests.journal.program", str(directory), *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)


def lines(directory: Path, name: str) -> list[list[Any]]:
    """What a file has so far."""
    path = directory / name
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def wait_until(ready: Callable[[], bool], program: subprocess.Popen[bytes]) -> None:
    """Wait for something in the files, or for the program's end."""
    until = time.monotonic() + LIMIT
    while not ready() and program.poll() is None:
        assert time.monotonic() < until, "it did not come in time"
        time.sleep(0.002)


def finish(directory: Path) -> None:
    """Let the program go on until it ends by itself."""
    program = start(directory, "rest")
    _, errors = program.communicate(timeout=LIMIT)
    assert program.returncode == 0, errors.decode()


def statuses(directory: Path) -> dict[str, str]:
    """How each task stands in the journal, by its id."""
    connection = sqlite3.connect(directory / "journal.db")
    try:
        return dict(connection.execute("SELECT id, status FROM task"))
    finally:
        connection.close()


def judge(directory: Path) -> None:
    """Compare what the program was told, what the tasks did and what the journal says."""
    told = lines(directory, "told")
    accepted = {line[2]: line[1] for line in told if line[0] == "accepted"}
    ended = statuses(directory)
    assert set(accepted) <= set(ended), "a task that was accepted is not known"
    open_tasks = {task: status for task, status in ended.items() if status not in {"completed", "failed", "cancelled"}}
    assert not open_tasks, f"a task has no outcome: {open_tasks}"
    outcomes: dict[str, set[str]] = {}
    for line in told:
        if line[0] == "outcome":
            outcomes.setdefault(line[2], set()).add(line[3])
    assert all(len(each) == 1 for each in outcomes.values()), f"a task has two outcomes: {outcomes}"
    assert set(accepted) <= set(outcomes), "an outcome was never told"
    begun = Counter(line[1] for line in lines(directory, "ledger") if line[0] == "begin")
    done = {line[1] for line in lines(directory, "ledger") if line[0] == "end"}
    for task, name in accepted.items():
        if int(name[1:]) % 10 == 7:
            assert begun[name] <= 1, f"{name} must not run twice"
        elif ended[task] == "completed":
            assert name in done, f"{name} has a result, and never ran to its end"


def run_kills(directory: Path, kills: int, seed: int) -> None:
    """Kill the program at random moments, while it hands in work and while it runs."""
    chance = random.Random(seed)
    number = 0
    for life in range(kills):
        program = start(directory, "work", 30, number)
        number += 30
        began = len(lines(directory, "told"))
        wanted = began + chance.randrange(65)
        wait_until(lambda wanted=wanted: len(lines(directory, "told")) >= wanted, program)  # type: ignore[misc]
        time.sleep(chance.random() * 0.01)
        if program.poll() is None:
            os.kill(program.pid, signal.SIGKILL)
        program.communicate()
        assert life >= 0
    finish(directory)
    judge(directory)


def test_what_was_accepted_outlives_the_kill_of_the_program(tmp_path: Path) -> None:
    """F3: four kills at random moments."""
    run_kills(tmp_path, 4, 1)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_what_was_accepted_outlives_two_hundred_kills_of_the_program(tmp_path: Path) -> None:
    """F3: at random moments, while journaled work is submitted and run."""
    run_kills(tmp_path, 200, 2)


@pytest.mark.parametrize("boundary", [3, 36, *(pytest.param(slow, marks=pytest.mark.slow) for slow in (0, 16))])
def test_a_kill_at_a_boundary_of_its_writes_loses_nothing(tmp_path: Path, boundary: int) -> None:
    """F3: right before a write, and right after it."""
    program = start(tmp_path, "deadly", boundary)
    program.communicate(timeout=LIMIT)
    finish(tmp_path)
    judge(tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_kill_at_any_boundary_of_its_writes_loses_nothing(tmp_path: Path) -> None:
    """F3: at each of them, until a run has no more."""
    for boundary in range(200):
        directory = tmp_path / str(boundary)
        directory.mkdir()
        program = start(directory, "deadly", boundary)
        program.communicate(timeout=LIMIT)
        finish(directory)
        judge(directory)
        if program.returncode == 0:
            return
    raise AssertionError("it has more boundaries than that")
