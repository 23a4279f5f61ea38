"""The pytest plugin, in runs of pytest of their own."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import actors.testing
from actors.kernel.clock import ManualClock
from actors.system import ActorSystem

ROOT = Path(__file__).parents[2]

USERS = """
import os, time
import pytest
from actors import Worker, task
from actors.kernel.actor import Actor
from actors.kernel.dispatch import ManualDispatcher

class Doubler(Worker):
    @task
    def double(self, number):
        return 2 * number
    @task
    def forever(self):
        while True:
            self.sleep(60)

def wait_for(ready):
    limit = time.monotonic() + 20
    while not ready():
        assert time.monotonic() < limit
        time.sleep(0.01)

def test_clock(actors_clock):
    actors_clock.advance(5)
    assert actors_clock.monotonic() == 5

def test_probes(actors_probe, actors_clock):
    one, other = actors_probe("one"), actors_probe("other", dispatcher=ManualDispatcher(actors_clock))
    one.ref.tell("hello")
    assert one.expect(str) == "hello"
    other.expect_nothing(within=3600)
    assert actors_clock.monotonic() == 3600

@pytest.mark.actors_system({Doubler: 2}, max_agents=3)
def test_system(actors_leak_check, actors_system):
    assert actors_system.submit(Doubler.double, 4).result(20) == 8
    wait_for(lambda: len(actors_system.agents()) == 2)

def test_system_without_marker(actors_leak_check, actors_system):
    assert actors_system.submit(Doubler.double, 4).result(20) == 8
    actors_system.submit(Doubler.forever)

def test_leak(actors_leak_check):
    os.dup(1)

def test_unchecked():
    os.dup(1)

def test_bad_probe(actors_probe):
    probe = actors_probe("listener")
    probe.ref.tell(7)
    probe.expect(str)
"""


def run(directory: Path, *options: str, ini: str = "", code: str = USERS) -> subprocess.CompletedProcess[str]:
    """Run pytest as a user would, in a directory that knows nothing of this one."""
    (directory / "test_users.py").write_text(code)
    (directory / "pytest.ini").write_text(f"[pytest]\n{ini}\n")
    command = [sys.executable, "-W", "error", "-m", "pytest", "-p", "actors.testing.plugin", "-p", "no:actors"]
    command += ["-p", "no:cacheprovider", "--strict-markers", "-ra", "--basetemp", str(directory / "base"), *options]
    return subprocess.run(
        command,
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )


def told(done: subprocess.CompletedProcess[str], word: str) -> set[str]:
    """The names of the tests that the summary has with this word."""
    lines = [line for line in done.stdout.splitlines() if line.startswith(f"{word} ")]
    return {line.split("::")[1].split()[0] for line in lines}


def test_users_have_a_clock_probes_a_system_and_a_leak_check(tmp_path: Path) -> None:
    """Each by naming it; nobody is checked who did not ask for it."""
    done = run(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert told(done, "ERROR") == {"test_leak"}, done.stdout + done.stderr
    assert told(done, "FAILED") == {"test_bad_probe"}, done.stdout + done.stderr
    assert "5 passed" not in done.stdout and "6 passed" in done.stdout
    assert "test_users.py::test_leak left behind:" in done.stdout
    assert "descriptors: " in done.stdout
    assert "listener expected the next to be str(…), and another came" in done.stdout
    # The failure stands where the test expects, not in the kit.
    assert "test_users.py:" in done.stdout and "record.py:" not in done.stdout


@pytest.mark.slow
def test_one_line_in_the_ini_file_checks_every_test_for_leaks(tmp_path: Path) -> None:
    """Before its other fixtures, after their end."""
    done = run(tmp_path, "--actors-leak-timeout", "0.3", ini="actors_leak_check = true")
    assert told(done, "ERROR") == {"test_leak", "test_unchecked"}, done.stdout + done.stderr


DETACHED = """
import subprocess, pytest

def test_detached(actors_leak_check):
    subprocess.run(["sh", "-c", "setsid sleep 60 >/dev/null 2>&1 &"], check=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("-n", "1")], ids=["alone", "with xdist"])
def test_a_process_that_left_its_test_s_tree_fails_the_run(tmp_path: Path, options: tuple[str, ...]) -> None:
    """No test can be blamed for it with certainty, so the run is; also where tests run in workers."""
    done = run(tmp_path, *options, code=DETACHED)
    assert "Processes that outlived the tests:" in done.stdout, done.stdout + done.stderr
    assert "sleep 60" in done.stdout
    assert done.returncode == 1
    pid = done.stdout.split("  processes: ")[1].split()[0]
    os.kill(int(pid), 9)


SIMULATED = """
import pytest
from actors import Worker, task

class Account(Worker):
    @task
    def pay(self, amount):
        self.sleep(60)
        return amount

@pytest.mark.simulation({Account: 2})
def test_pays(simulation):
    assert [future.result() for future in [simulation.system.submit(Account.pay, n) for n in range(4)]] == [0, 1, 2, 3]
    assert 120 <= simulation.now < 125

@pytest.mark.simulation({Account: 1}, seed=77)
def test_own_seed(simulation):
    assert simulation.seed == 77

def test_seed(simulation):
    assert simulation.system.submit(pow, 2, 3).result() == 9
"""


@pytest.mark.slow
def test_users_have_a_simulation_and_a_failure_tells_its_seed_and_its_story(tmp_path: Path) -> None:
    """J3: what happened can be read, and run again."""
    done = run(tmp_path, ini="actors_seed = 5\nactors_leak_check = true", code=SIMULATED)
    assert told(done, "FAILED") == {"test_seed"} and told(done, "ERROR") == set(), done.stdout + done.stderr
    assert "- simulation, seed 5 -" in done.stdout
    assert "run it again with --actors-seed 5" in done.stdout
    assert "general_purpose-1" in done.stdout.split("run it again")[1]
    other = run(tmp_path, "--actors-seed", "6", "-k", "test_seed", ini="actors_seed = 5", code=SIMULATED)
    assert "run it again with --actors-seed 6" in other.stdout
    wrong = run(tmp_path, "-k", "test_seed", ini="actors_seed = five", code=SIMULATED)
    assert "actors_seed takes a whole number, not 'five'" in wrong.stdout + wrong.stderr


def test_the_plugin_imports_nothing_of_the_library_before_it_is_used() -> None:
    """It is loaded in every run of pytest of anybody who has the library."""
    code = (
        "import sys, pytest; before = set(sys.modules); import actors.testing.plugin; "
        "print(sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.strip() == "['actors', 'actors.testing', 'actors.testing.plugin']"


def test_an_installed_entry_point_and_the_plugin_of_this_tree_do_not_collide(tmp_path: Path) -> None:
    """This tree's own settings work where a distribution is installed, and where none is."""
    metadata = tmp_path / "site" / "actors_hub-0.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: actors-hub\nVersion: 0.0\n")
    (metadata / "entry_points.txt").write_text("[pytest11]\nactors = actors.testing.plugin\n")
    (tmp_path / "test_one.py").write_text("def test_one(actors_clock): assert actors_clock.monotonic() == 0\n")
    environment = {**os.environ, "PYTHONPATH": f"{metadata.parent}:{ROOT}"}
    common = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp", str(tmp_path / "base")]
    for options in ([], ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path)]):
        done = subprocess.run(
            [*common, *options, "test_one.py"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=50,
        )
        assert "1 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.actors_system(max_agents=1)
def test_the_fixtures_are_what_their_types_say(actors_clock: ManualClock, actors_system: ActorSystem) -> None:
    """Also in this very run."""
    assert isinstance(actors_clock, ManualClock)
    assert actors_system.submit(pow, 2, 10).result(20) == 1024


def test_each_name_of_the_kit_is_the_one_of_its_own_module() -> None:
    """The face of the kit: loading a name late changes nothing about it."""
    assert sorted(actors.testing.__all__) == sorted(actors.testing._HOME)
    for name, home in actors.testing._HOME.items():
        assert getattr(actors.testing, name) is getattr(importlib.import_module(home), name)
    with pytest.raises(AttributeError, match="nothing"):
        _ = actors.testing.nothing
