"""The harness measures what it says, in interleaved rounds, and believes no wrong result."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from actors import TaskInfo
from benchmarks import cpu, harness
from benchmarks.harness import Plan, turns
from benchmarks.honest import wrong_with
from benchmarks.peers.peer import Peer, WrongResult
from benchmarks.peers.pools import ExecutorPeer, PoolPeer
from benchmarks.peers.registry import ENTRANTS
from benchmarks.report import Report
from benchmarks.row import Goal, Row
from benchmarks.rows import ROWS
from benchmarks.table import Table
from benchmarks.verdict import verdicts
from benchmarks.works import empty
from tests.benchmarks.command import ROOT, run

COMMAND = [sys.executable, "-m", "benchmarks"]
RIVAL = "ProcessPoolExecutor"
BOTH = Row("a-row", "a row", "m:f", "rate", "things/s", ("actors", RIVAL), count=600, rounds=3, more_is_better=True)


def sample(value: float, wrong: str = "") -> dict[str, Any]:
    """What a program says."""
    costs = {"parent_cpu": 1.0, "agents_cpu": 2.0, "parent_memory": 3.0, "grown_memory": 0.0, "agents_memory": 4.0}
    return {"figures": {"rate": value}, "wrong": wrong, "notes": {}, **costs}


class Known:
    """In the place of the programs: gives what is known beforehand, and keeps who was asked for what."""

    def __init__(self, values: dict[str, list[Any]]) -> None:
        self.values = {name: list(known) for name, known in values.items()}
        self.asked: list[tuple[str, str, int]] = []

    def __call__(self, place: str, name: str, count: int, patience: float) -> dict[str, Any]:
        self.asked.append((place, name, count))
        value = self.values[place if place in self.values else name].pop(0)
        if isinstance(value, BaseException):
            raise value
        return sample(value) if isinstance(value, float) else value


def measured(row: Row, values: dict[str, list[Any]], **options: Any) -> Report:
    report = Report()
    plan = Plan((row,), frozenset(row.entrants), **options)
    harness.run(plan, report, lambda _: None, measure=Known(values))
    return report


def test_all_take_turns_in_an_order_that_rotates() -> None:
    """What slows the machine for a while slows all of them, and nobody is always the first."""
    assert list(turns(["a", "b", "c"], 3)) == [
        (0, "a"), (0, "b"), (0, "c"), (1, "b"), (1, "c"), (1, "a"), (2, "c"), (2, "a"), (2, "b"),
    ]  # fmt: skip


def test_a_ratio_is_taken_round_by_round() -> None:
    """A round in which everything took ten times as long leaves the ratio as it is."""
    report = measured(BOTH, {"actors": [40.0, 4.0, 30.0], RIVAL: [10.0, 1.0, 10.0]})
    assert report.rows["a-row"].ratios("rate", RIVAL) == [4.0, 3.0, 4.0] or report.rows["a-row"].ratios(
        "rate", RIVAL
    ) == [4.0, 4.0, 3.0]


@pytest.mark.parametrize(
    ("goal", "said"),
    [
        (Goal("rate", 3, at_least=True, rival=RIVAL), f"≥ 3 × {RIVAL}: 4, reached"),
        (Goal("rate", 3, rival=RIVAL), f"≤ 3 × {RIVAL}: 4, missed"),
        (Goal("rate", 50, text="things"), "≤ 50 things: 40, reached"),
        (Goal("other", 50), "≤ 50: not measured"),
    ],
)
def test_each_kind_of_goal_is_judged_and_said(goal: Goal, said: str) -> None:
    """A ratio to a peer or a figure itself, more or less."""
    row = dataclasses.replace(BOTH, goals=(goal,))
    report = measured(row, {"actors": [40.0] * 3, RIVAL: [10.0] * 3})
    assert [verdict.said() for verdict in verdicts(row, report.rows["a-row"])] == [said]
    assert said in Table(report, (row,)).as_text() and said in Table(report, (row,)).as_markdown()


def test_a_row_whose_check_fails_is_disqualified_with_the_reason() -> None:
    """One bad round is enough; the figures of that row count for nothing."""
    row = dataclasses.replace(BOTH, goals=(Goal("rate", 3, at_least=True, rival=RIVAL),))
    bad = sample(4000.0, "task t-1 was done by None")
    report = measured(row, {"actors": [40.0, bad, 40.0], RIVAL: [10.0] * 3})
    (verdict,) = verdicts(row, report.rows["a-row"])
    assert verdict.reached is None and verdict.why == "disqualified: task t-1 was done by None"
    assert report.rows["a-row"].broken() == "actors: task t-1 was done by None"
    assert report.rows["a-row"].values("actors", "rate") == []


def test_a_control_in_which_results_are_lost_disqualifies_the_row() -> None:
    """An agent is killed in the middle: what only works while all is well is not what is measured."""
    row = dataclasses.replace(BOTH, control="m:killed", goals=(Goal("rate", 3, at_least=True, rival=RIVAL),))
    lost = {"figures": {}, "wrong": "results were lost"}
    report = measured(row, {"m:killed": [lost], "actors": [40.0] * 3, RIVAL: [10.0] * 3})
    assert report.rows["a-row"].broken() == "control: results were lost"
    hung = measured(row, {"m:killed": [RuntimeError("nothing came")], "actors": [40.0] * 3, RIVAL: [10.0] * 3})
    assert hung.rows["a-row"].broken() == "control: nothing came"


def test_a_peer_that_fails_is_left_out_from_there_on_and_named() -> None:
    """Somebody else's failure is no wrong result of ours, and costs no more time."""
    report = measured(BOTH, {"actors": [40.0] * 3, RIVAL: [RuntimeError("a\nit hung")]})
    assert report.rows["a-row"].failures == {RIVAL: "it hung"}
    assert report.rows["a-row"].broken() == ""
    assert f"{RIVAL} failed: it hung" in Table(report, (BOTH,)).as_text()


def test_ctrl_c_keeps_what_was_measured_until_then(tmp_path: Path) -> None:
    """The rows before, and the rounds of this one."""
    report, saved = Report(), []
    plan = Plan((BOTH,), frozenset(BOTH.entrants))
    known = Known({"actors": [40.0, KeyboardInterrupt()], RIVAL: [10.0, 10.0]})
    with pytest.raises(KeyboardInterrupt):
        harness.run(plan, report, lambda _: None, lambda: saved.append(True), measure=known)
    assert report.rows["a-row"].ratios("rate", RIVAL) == [4.0] and saved == [True]


def test_a_row_that_takes_too_long_has_fewer_rounds_and_says_so() -> None:
    """The time of the whole is bounded by that of its rows."""
    said: list[str] = []
    row = dataclasses.replace(BOTH, limit=-1.0)
    report = Report()
    known = Known({"actors": [40.0] * 3, RIVAL: [10.0] * 3})
    harness.run(Plan((row,), frozenset(row.entrants)), report, said.append, measure=known)
    assert report.rows["a-row"].cut == 1 and len(known.asked) == 2
    assert any("1 of 3 rounds" in line for line in said)


def test_who_is_slow_takes_part_in_fewer_rounds() -> None:
    """The others are not to wait for it in each; ratios are of the rounds in which both were measured."""
    row = dataclasses.replace(BOTH, entrants=("actors", "Ray"))
    report = Report()
    known = Known({"actors": [40.0, 30.0, 20.0], "Ray": [10.0, 10.0]})
    harness.run(Plan((row,), frozenset(row.entrants)), report, lambda _: None, measure=known)
    missing = "Ray" in report.rows["a-row"].missing
    assert report.rows["a-row"].values("actors", "rate") == [40.0, 30.0, 20.0]
    assert report.rows["a-row"].ratios("rate", "Ray") == ([] if missing else [4.0, 3.0])


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({}, ""),
        ({"agent": None}, "which is no agent of the system"),
        ({"agent": "echo-9"}, "which is no agent of the system"),
        ({"attempt": 0}, "in attempt 0"),
        ({"started": None}, "has no times"),
        ({"ended": 0.5}, "out of order"),
        ({"status": "pending"}, "is recorded as 'pending'"),
    ],
)
def test_a_record_that_was_not_kept_is_found(changed: dict[str, Any], reason: str) -> None:
    """A way around the engine is fast, and leaves no record of agent, attempt and times."""
    fields: dict[str, Any] = dict.fromkeys(field.name for field in dataclasses.fields(TaskInfo))
    fields |= {"id": "t-1", "agent": "echo-1", "attempt": 1, "status": "completed"}
    fields |= {"created": 1.0, "assigned": 1.1, "started": 1.2, "ended": 1.3, **changed}
    assert reason in wrong_with(TaskInfo(**fields), {"echo-1"})
    assert bool(reason) == bool(wrong_with(TaskInfo(**fields), {"echo-1"}))


def test_a_wrong_result_is_no_time() -> None:
    """A peer that answers quickly and wrongly has nothing to show."""

    class Liar(ExecutorPeer):
        name = "liar"

        def burst(self, count: int) -> list[int]:
            return [*range(1, count), 0]

        def single(self, value: Any) -> Any:
            return value + 1

    liar: Peer = Liar()
    with pytest.raises(WrongResult, match="liar"):
        empty._checked(liar, 10)
    with pytest.raises(WrongResult, match="brought back 1"):
        liar.latencies(1)


@pytest.mark.parametrize("peer", ["actors", *[kind.name for kind in (ExecutorPeer, PoolPeer)]])
@pytest.mark.parametrize("work", [empty.burst, empty.single, empty.mapped])
def test_the_standard_librarys_pools_are_measured_as_ours_is(peer: str, work: Any) -> None:
    """With their processes' cpu time beside their parent's."""
    found = work(peer, 50)
    assert all(value >= 0 for value in found["figures"].values()) and found["wrong"] == ""
    assert found["parent_cpu"] > 0 and found["agents_cpu"] > 0 and found["agents_memory"] > 0


def test_an_agent_killed_in_the_middle_costs_no_result() -> None:
    """D3: the control that the row of empty tasks has."""
    assert empty.killed("actors", 200) == {"figures": {}, "wrong": ""}


def test_every_row_names_entrants_and_work_that_exist() -> None:
    """A row is data: what it names is looked up late."""
    assert len({row.key for row in ROWS}) == len(ROWS)
    for row in ROWS:
        assert set(row.entrants) <= set(ENTRANTS) and row.rounds >= 1
        assert all(goal.rival == "" or goal.rival in row.entrants for goal in row.goals)


def test_the_cpu_time_of_a_child_is_seen_while_it_lives() -> None:
    """Two readings tell what it used in between."""
    code = "import sys\nfor line in sys.stdin: print(sum(range(1_000_000)), flush=True)"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write("begin\n")
        child.stdin.flush()
        child.stdout.readline()
        before = cpu.children_seconds()
        child.stdin.write("again\n")
        child.stdin.flush()
        child.stdout.readline()
        assert cpu.spent(before, cpu.children_seconds()) > 0.001
        child.stdin.close()


# --- the command ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_quick_look_has_every_row_it_can_and_keeps_its_json(tmp_path: Path) -> None:
    """The standard library's pools alone, whatever is installed; it can be shown and compared."""
    file = tmp_path / "figures.json"
    done = run(COMMAND, "--quick", "--rounds", "1", "--tasks", "200", "--json", str(file), limit=280)
    assert done.returncode == 0, done.stderr
    rows = {row["key"]: row for row in json.loads(file.read_text(encoding="utf-8"))["rows"]}
    assert set(rows) == {row.key for row in ROWS if row.quick}
    assert set(rows["empty"]["samples"]) == {"actors", "ProcessPoolExecutor", "multiprocessing.Pool"}
    assert run([*COMMAND, "show", str(file)], limit=30).stdout.startswith(done.stdout.splitlines()[0])
    same = run([*COMMAND, "compare", str(file), str(file)], limit=30)
    assert same.returncode == 0 and "regression" not in same.stdout


@pytest.mark.timeout(120)
def test_the_command_ends_in_order_on_ctrl_c_with_what_it_has() -> None:
    """F2: a table of the rounds until then, and no process of them."""
    options = ["--rows", "single", "--peers", "multiprocessing.Pool", "--rounds", "99", "--tasks", "50"]
    with subprocess.Popen(
        [*COMMAND, *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as command:
        assert command.stderr is not None
        while "round 2" not in command.stderr.readline():
            pass
        os.kill(command.pid, signal.SIGINT)
        out, err = command.communicate(timeout=60)
    assert command.returncode == 130, err
    assert "one task at a time" in out and "interrupted" in err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--rounds", "0"], "expected a whole number of at least 1, got 0"),
        (["--rows", "nothing"], "invalid choice: 'nothing'"),
        (["--json", "/nowhere/at/all.json"], "/nowhere/at is no directory"),
        (["--merge", "/nowhere.json"], "/nowhere.json cannot be read"),
        (["--docs", "/nowhere.md"], "/nowhere.md cannot be read"),
    ],
)
def test_bad_options_are_errors_that_say_what_is_expected(options: list[str], says: str) -> None:
    """Before anything is measured."""
    done = run(COMMAND, *options, limit=30)
    assert done.returncode == 2
    assert says in done.stderr
