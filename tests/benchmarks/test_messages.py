"""Tell and ask beside other libraries: what is measured is checked, what hangs is cut off, and nothing of it stays."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.messages import table
from benchmarks.messages.libraries import ENTRANTS, OURS, Entrant
from benchmarks.messages.line import Line
from benchmarks.messages.measure import Plan, Results, run
from benchmarks.messages.post import Tally, WrongResult
from benchmarks.messages.workloads import SCENES, WORKLOADS, Runner, Workload
from tests.benchmarks.command import ROOT
from tests.benchmarks.command import run as run_command

COMMAND = [sys.executable, "-m", "benchmarks.messages"]
BY_KEY = {workload.key: workload for workload in WORKLOADS}
WITHIN = SCENES[0]


class Fake(Line):
    """A recipient in the same thread."""

    name = "fake"

    def __init__(self) -> None:
        self.tally = Tally()

    def ask(self, number: int, content: bytes) -> Any:
        return number, content

    def begin(self, number: int, content: bytes) -> Any:
        return number, content

    def end(self, handle: Any) -> Any:
        return handle

    def tell(self, number: int, content: bytes) -> None:
        self.tally.add(number, content)

    def told(self) -> Any:
        return self.tally.told()


class OfAnother(Fake):
    """Answers each question with the answer to the one before."""

    def ask(self, number: int, content: bytes) -> Any:
        return number - 1, content

    def end(self, handle: Any) -> Any:
        return handle[0] - 1, handle[1]


class Losing(OfAnother):
    """Loses one."""

    def tell(self, number: int, content: bytes) -> None:
        if number != 1:
            super().tell(number, content)


class Disordered(OfAnother):
    """Swaps two."""

    def tell(self, number: int, content: bytes) -> None:
        super().tell({0: 1, 1: 0}.get(number, number), content)


@contextlib.contextmanager
def wrong(scene: str) -> Iterator[Runner]:
    """What an entrant of a test is made of."""
    del scene
    yield OfAnother().run


@contextlib.contextmanager
def hanging(scene: str) -> Iterator[Runner]:
    """One that never comes to an end, and has a process of its own."""
    del scene
    subprocess.Popen(["sleep", "600"])

    def hang(workload: Workload, count: int) -> dict[str, float]:
        time.sleep(600)
        raise AssertionError

    yield hang


def entrant(name: str, distribution: str = "") -> Entrant:
    return Entrant(name, f"tests.benchmarks.test_messages:{name}", frozenset({"within"}), distribution)


def plan(*entrants: Entrant, rounds: int = 1, patience: float = 60.0, share: float = 0.01) -> Plan:
    return Plan([WITHIN], entrants, [BY_KEY["ask"], BY_KEY["tell"]], rounds, share, patience)


def silent(over: int, text: str) -> None:
    del over, text


# --- the whole command ---------------------------------------------------------------------------------------------


@pytest.mark.timeout(120)
def test_the_command_measures_all_that_is_there_and_puts_it_into_file_and_page(tmp_path: Path) -> None:
    """Tell and ask within a process and across, beside pykka and the machine's own limit, in one run."""
    file, page = tmp_path / "messages.json", tmp_path / "page.md"
    page.write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n", encoding="utf-8")
    options = ["--quick", "--scene", "within", "--scene", "across", "--json", str(file), "--docs", str(page)]
    for name in ("actors", "pykka", "bare queue", "bare socket"):
        options += ["--library", name]
    done = run_command(COMMAND, *options, limit=100)
    assert done.returncode == 0, done.stdout + done.stderr
    samples = json.loads(file.read_text(encoding="utf-8"))["samples"]
    assert {scene: set(found) for scene, found in samples.items()} == {
        "within": {"actors", "pykka", "bare queue"},
        "across": {"actors", "bare socket"},
    }
    for found in samples.values():
        for rows in found.values():
            assert set(rows) == set(BY_KEY)
            for key, (sample,) in rows.items():
                assert sample[BY_KEY[key].value] > 0
                assert sample["cpu"] > 0
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n") and text.endswith("\nafter\n") and "old" not in text
    assert "| tell, 100 B, a second |" in text
    assert "Across processes: ask, 100 under way, 100 B" in done.stdout


@pytest.mark.parametrize("options", [["--rounds", "0"], ["--scene", "nowhere"], ["--json", "/nowhere/x.json"]])
def test_wrong_usage_is_told(options: list[str]) -> None:
    """Exit code 2, and what is wrong."""
    done = run_command(COMMAND, *options, limit=30)
    assert done.returncode == 2
    assert options[1].removesuffix("/x.json") in done.stderr


def test_ctrl_c_ends_it_with_all_its_processes() -> None:
    """The program of a round has a group of its own, which the terminal does not reach."""
    command = subprocess.Popen(
        [*COMMAND, "--scene", "across", "--library", "actors"], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    with command:
        assert command.stderr is not None
        assert "across processes: actors" in command.stderr.readline()
        os.kill(command.pid, signal.SIGINT)
        assert "interrupted" in command.stderr.read()
    assert command.returncode == 130


# --- its parts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "key"), [(OfAnother, "ask"), (OfAnother, "flight"), (Losing, "tell"), (Disordered, "tell")]
)
def test_a_wrong_result_has_no_time(line: type[Fake], key: str) -> None:
    """The answer to another question, a message that is lost, and two in the wrong order are told."""
    Fake().run(BY_KEY[key], 200)
    with pytest.raises(WrongResult, match="fake"):
        line().run(BY_KEY[key], 200)


def test_a_wrong_result_ends_the_measurement() -> None:
    """From the program of a round to the command."""
    with pytest.raises(WrongResult, match="question 0 was answered with"):
        run(plan(entrant("wrong")), silent)


def test_a_peer_that_is_missing_is_named_and_left_out() -> None:
    """The others are measured."""
    results = run(plan(entrant("absent", "no-such-distribution"), OURS), silent)
    assert results.missing == ["absent"]
    assert list(results.samples["within"]) == ["actors"]
    text = table.Table(plan(entrant("absent", "no-such-distribution"), OURS), results, table.machine()).as_text()
    assert "absent is not installed: pip install 'actors-hub[benchmarks]'" in text


def test_a_peer_that_hangs_is_cut_off_and_its_processes_with_it() -> None:
    """Once: in the next round it is left out. Whether its processes are gone is seen by the leak check."""
    results = run(plan(entrant("hanging"), rounds=2, patience=0.5), silent)
    assert "nothing came for 0.5 s" in results.failures["within"]["hanging"]
    assert results.samples["within"]["hanging"] == {"ask": [None, None], "tell": [None, None]}
    text = table.Table(plan(entrant("hanging")), results, table.machine()).as_text()
    assert "hanging failed in within" in text


def test_the_order_rotates_from_round_to_round() -> None:
    """What slows the machine for a while slows all of them, and nobody is always the first."""
    shown: list[str] = []
    bare = next(each for each in ENTRANTS if each.name == "bare queue")
    pykka = next(each for each in ENTRANTS if each.name == "pykka")
    run(plan(pykka, bare, rounds=2), lambda _, text: shown.append(text.rpartition(": ")[2]))
    assert shown == ["pykka", "bare queue", "bare queue", "pykka"]


def test_the_table_says_how_many_times_as_fast_round_by_round() -> None:
    """More is better for tells, less for asks; a round in which all took ten times as long leaves it as it is."""
    ours, peer = OURS, entrant("peer")
    results = Results(
        {
            "within": {
                "actors": {
                    "ask": [{"p50": 10.0, "p95": 20.0, "cpu": 5.0}, {"p50": 100.0, "p95": 200.0, "cpu": 5.0}],
                    "tell": [{"rate": 4000.0, "cpu": 5.0}, {"rate": 400.0, "cpu": 5.0}],
                },
                "peer": {
                    "ask": [{"p50": 30.0, "p95": 60.0, "cpu": 5.0}, {"p50": 300.0, "p95": 600.0, "cpu": 5.0}],
                    "tell": [{"rate": 2000.0, "cpu": 5.0}, None],
                },
            }
        }
    )
    made = table.Table(plan(ours, peer, rounds=2), results, table.machine())
    text, page = made.as_text(), made.as_markdown()
    assert "165 (30 … 300)" in text
    assert "3.00" in text and "2.00" in text
    assert "| ask, one after another, 100 B, µs | 55 | 165 (3×) |" in page
    assert "| tell, 100 B, a second | 2,200 | 2,000 (2×) |" in page


def test_all_who_are_measured_are_known_where_they_are_said_to_be() -> None:
    """A wrong key would be measured by nobody."""
    scenes = {scene.key for scene in SCENES}
    for each in ENTRANTS:
        assert each.scenes <= scenes
        assert each.cannot <= BY_KEY.keys()
