"""Programs that are no importable file: read from standard input, typed at a prompt, executed from a text, zipped."""

from __future__ import annotations

import os
import subprocess
import sys
import zipapp
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIMIT = 50.0

# A worker of `__main__` with a base, an instance of a class, a function and a global variable of `__main__`.
PROGRAM = """
from dataclasses import dataclass
from actors import ActorSystem, Worker, task

STEP = 10

@dataclass
class Point:
    x: int

def moved(point):
    return Point(point.x + STEP)

class Base(Worker):
    @task
    def move(self, point):
        return moved(point)

class Mover(Base):
    def __init__(self, times=1):
        self.times = times

    @task
    async def several(self, point):
        for _ in range(self.times):
            point = moved(point)
        return point

if __name__ == "__main__":
    with ActorSystem({Mover.configured(times=3): 1}) as system:
        first = system.submit(Mover.move, Point(1))
        print(first.result(timeout=40), system.submit(Mover.several, first).result(timeout=40))
        print(list(system.map(lambda point: moved(point).x, [Point(2), Point(3)])))
"""
SAID = ["Point(x=11) Point(x=41)", "[12, 13]"]

SESSION = """
from actors import ActorSystem, Worker, task
class Doubler(Worker):
    @task
    def work(self, value): return value * 2

system = ActorSystem({Doubler: 1})
print(system.submit(Doubler.work, 21).result(40))
class Doubler(Worker):
    @task
    def work(self, value): return value * 3

system.submit(Doubler.work, 21)
system.shutdown()
system = ActorSystem({Doubler: 1})
print(system.submit(Doubler.work, 21).result(40))
"""


def run(folder: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a Python program in an empty folder."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("PYTHONSTARTUP", None)
    return subprocess.run(
        [sys.executable, *arguments],
        input=stdin,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


@pytest.mark.parametrize(
    "arguments",
    [("-",), ("-c", PROGRAM), ("-c", f"exec({PROGRAM!r})"), ("-c", f"exec({PROGRAM!r}, {{'__name__': '__main__'}})")],
    ids=["standard input", "-c", "exec", "exec in a namespace of its own"],
)
def test_a_program_that_is_no_file_runs(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """J1: what agents need of `__main__` travels to them by value."""
    done = run(tmp_path, *arguments, stdin=PROGRAM)
    assert done.stdout.splitlines() == SAID, done.stderr
    assert done.returncode == 0 and not done.stderr


def test_a_zipped_program_runs(tmp_path: Path) -> None:
    """J1: its worker is in `__main__` of the archive."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "__main__.py").write_text(PROGRAM)
    zipapp.create_archive(source, tmp_path / "program.pyz")
    done = run(tmp_path, "program.pyz")
    assert done.stdout.splitlines() == SAID, done.stderr
    assert done.returncode == 0 and not done.stderr


def test_at_a_prompt_a_class_that_is_defined_anew_needs_a_new_system(tmp_path: Path) -> None:
    """J1: agents run what the class was when the system took it, so the second definition is refused and told how.

    The second system is forgotten at the end of the session, which ends all the same.
    """
    done = run(tmp_path, "-q", "-i", stdin=SESSION)
    # Prompts go to standard error, among the texts of errors.
    assert done.stdout.split() == ["42", "63"], done.stderr
    assert "ConfigError: __main__.Doubler was defined anew" in done.stderr
    assert "make a new one" in done.stderr and done.returncode == 0
