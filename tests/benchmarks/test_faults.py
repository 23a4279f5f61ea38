"""The table of faults: what it measures happens, what it tells is what was measured, and a run goes on where it ended."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.faults import table
from benchmarks.faults.desk import Desk, visit
from benchmarks.faults.faults import FAULTS
from benchmarks.faults.libraries import LIBRARIES, Actors, Executor, Pool
from benchmarks.faults.library import Library
from benchmarks.faults.measure import HANGING_ROUNDS, measure
from benchmarks.faults.store import OtherMachine, Store
from benchmarks.marked import MARK, Watched, kill_all, marked
from tests.benchmarks.command import run

COMMAND = [sys.executable, "-m", "benchmarks.faults"]
BY_KEY = {fault.key: fault for fault in FAULTS}


def _run(*options: str) -> subprocess.CompletedProcess[str]:
    return run(COMMAND, *options, limit=100)


def sample(outcome: str = "as promised", harm: str = "", **times: float | None) -> dict[str, Any]:
    return {
        "outcome": outcome,
        "times": times,
        "harm": harm,
        "usable": True,
        "hangs": False,
        "error": "",
        "figures": {},
    }


# --- the whole command ---------------------------------------------------------------------------------------------


@pytest.mark.timeout(120)
def test_a_killed_worker_costs_a_pool_of_the_standard_library_everything_and_actors_nothing(tmp_path: Path) -> None:
    """The command measures, prints, keeps the samples, and puts the table where it belongs in a page."""
    file, page = tmp_path / "faults.json", tmp_path / "page.md"
    page.write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n", encoding="utf-8")
    options = ["--rounds", "2", "--only", "killed", "--json", str(file)]
    options += ["--library", "actors", "--library", "ProcessPoolExecutor"]
    done = _run(*options, "--docs", str(page))
    assert done.returncode == 0, done.stdout + done.stderr
    samples = json.loads(file.read_text(encoding="utf-8"))["samples"]["killed"]
    assert [each["harm"] for each in samples["actors"]] == ["", ""]
    assert [each["harm"] for each in samples["ProcessPoolExecutor"]] == ["pool broken", "pool broken"]
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n") and text.endswith("\nafter\n") and "old" not in text
    assert "| ProcessPoolExecutor | BrokenProcessPool, 5 of 5 other tasks lost, the pool is broken | 2 |" in text
    assert "A worker is killed" in done.stdout

    # The same command has nothing more to do.
    before = file.read_bytes()
    assert _run(*options).returncode == 0
    assert file.read_bytes() == before


@pytest.mark.parametrize("options", [["--rounds", "0"], ["--only", "nothing"], ["--json", "/nowhere/x.json"]])
def test_wrong_usage_is_told(options: list[str]) -> None:
    """Exit code 2, and what is wrong."""
    done = _run(*options)
    assert done.returncode == 2
    assert options[1].removesuffix("/x.json") in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(100)
def test_a_killed_program_leaves_nothing_behind() -> None:
    """F1: neither agents nor the children of their tasks; nor does the measurement."""
    (found,) = measure(Actors, BY_KEY["orphans"], 1, 60, [])
    assert found["outcome"] == "nothing is left"
    assert found["times"]["gone"] < 2


@pytest.mark.slow
@pytest.mark.timeout(100)
def test_a_task_that_never_ends_is_told_to_hang() -> None:
    """multiprocessing.Pool waits for ever for a task whose process is gone; the measurement does not."""
    (found,) = measure(Pool, BY_KEY["exit"], 1, 60, [])
    assert found["hangs"]
    assert found["outcome"] == "the task hangs"
    assert found["times"]["told"] is None


# --- its parts -----------------------------------------------------------------------------------------------------


def test_what_hangs_is_measured_a_few_times_only() -> None:
    """Each costs the whole limit."""
    had = [{**sample(harm="hangs"), "hangs": True}] * HANGING_ROUNDS
    assert list(measure(Pool, BY_KEY["killed"], 50, 60, had)) == []


def test_the_desk_sees_when_a_task_begins_and_ends() -> None:
    """It lets those go on that it is told to, and groups as soon as they are complete."""
    with Desk() as desk:
        desk.let_go_together(["one", "two"])
        with visit(desk.address, "one", 7) as first:
            (visitor,) = desk.wait(["one"], 5) or ()
            assert (visitor.pid, visitor.said) == (os.getpid(), [7])
            assert desk.wait(["two"], 0) is None
            with visit(desk.address, "two") as second:
                assert (first.recv(1), second.recv(1)) == (b"g", b"g")
            assert not visitor.gone.is_set()
        assert visitor.gone.wait(5) and visitor.gone_at is not None
        desk.open("three")
        with visit(desk.address, "three") as third:
            assert third.recv(1) == b"g"
        assert desk.visits("three") == 1


@pytest.fixture
def mark(tmp_path: Path) -> Iterator[str]:
    yield str(tmp_path)
    assert kill_all(str(tmp_path)) == []


@pytest.mark.parametrize("how", ["environment", "directory"])
def test_processes_are_found_by_their_mark_and_their_ends_are_seen(mark: str, how: str) -> None:
    """Also those that have another parent by then, and those that have lost one of the two signs."""
    env, cwd = ({**os.environ, MARK: mark}, "/") if how == "environment" else (None, mark)
    shell = subprocess.Popen(["sh", "-c", "sleep 60 & exec sleep 60"], env=env, cwd=cwd)
    watched = Watched(mark)
    while len(watched.pids) < 2:
        watched.look()
    os.kill(shell.pid, signal.SIGKILL)
    shell.wait()
    gone, left = watched.end(0.05)
    assert gone is None and len(left) == 1
    assert kill_all(mark) == []
    gone, left = watched.end(5)
    assert gone is not None and left == []
    watched.close()
    assert marked(mark) == []


def test_the_table_tells_medians_the_worst_and_what_never_came(tmp_path: Path) -> None:
    """The median of an even number is the lower one; a pool that is broken never comes back."""
    store = Store(tmp_path / "x.json")
    for library in (Actors, Executor):
        store.use(library, "1")
    for told in (0.001, 0.002, 0.003, 1.5):
        store.add("killed", "actors", sample(told=told, again=told))
    store.add("killed", "ProcessPoolExecutor", sample("all | lost", "pool broken", told=0.005, again=None))
    text = table.as_markdown(store)
    assert "| actors | as promised | 4 | 2 ms / 1,500 ms | 2 ms / 1,500 ms |" in text
    assert "| ProcessPoolExecutor | all \\| lost | 1 | 5 ms / 5 ms | never |" in text
    assert "| A worker is killed | 2 ms | pool broken |" in text


def test_samples_of_another_version_or_machine_are_not_mixed_in(tmp_path: Path) -> None:
    """A new version of a library begins anew, another machine needs another file."""
    file = tmp_path / "x.json"
    store = Store(file)
    store.use(Pool, "1")
    store.add("killed", "multiprocessing.Pool", sample(told=1.0))
    again = Store(file)
    assert len(again.samples("killed", "multiprocessing.Pool")) == 1
    again.use(Pool, "2")
    assert again.samples("killed", "multiprocessing.Pool") == []
    data = json.loads(file.read_text(encoding="utf-8"))
    data["machine"]["cores"] = -1
    file.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(OtherMachine, match="--fresh"):
        Store(file)
    assert Store(file, fresh=True).samples("killed", "multiprocessing.Pool") == []


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.name)
def test_what_a_library_cannot_do_is_said_of_faults_that_there_are(library: type[Library]) -> None:
    """A key that no fault has would be said to nobody."""
    assert {*library.cannot, *library.remarks, *library.only} <= BY_KEY.keys()


def test_every_fault_has_one_way_to_happen_and_a_limit() -> None:
    """In a pool or to a program."""
    for fault in FAULTS:
        assert (fault.inside is None) != (fault.outside is None)
        assert fault.times and math.isfinite(fault.limit)
