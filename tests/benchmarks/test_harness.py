"""The harness measures what it says, in interleaved rounds, and believes no wrong result."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest

from benchmarks import cpu, harness, table
from benchmarks.peers import ExecutorPeer, Peer, PoolPeer
from benchmarks.workloads import WORKLOADS, Goal, Workload, WrongResult

ROOT = Path(__file__).parents[2]


class Fake(Peer):
    """A peer without processes, which notes when it is started and how much it is given."""

    journal: ClassVar[list[tuple[str, int]]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        return None

    def burst(self, count: int) -> list[int]:
        self.journal.append((self.name, count))
        return list(range(count))

    def single(self, value: int) -> int:
        return value


class Ours(Fake):
    name = "ours"


class Theirs(Fake):
    name = "theirs"


class Liar(Fake):
    name = "liar"

    def burst(self, count: int) -> list[int]:
        return [*range(1, count), 0]

    def single(self, value: int) -> int:
        return value + 1


def fixed(values: dict[str, list[float]], *, more_is_better: bool = True) -> Workload:
    """A workload whose measured values are known beforehand."""

    def run(peer: Peer, count: int) -> tuple[float, dict[str, float]]:
        Fake.journal.append((peer.name, count))
        # The first run of a peer in a round is its warm-up.
        return values[peer.name][(len([name for name, _ in Fake.journal if name == peer.name]) - 1) // 2], {"p99": 7.0}

    goals = {"theirs": Goal(3.0, "Theirs.submit")}
    return Workload("a row", "things/s", more_is_better, 600, 60, run, goals)


@pytest.fixture(autouse=True)
def empty_journal() -> None:
    Fake.journal.clear()


def test_the_peers_take_turns_and_each_is_warmed_up_first() -> None:
    """What slows the machine for a while slows all of them, and nobody is always the first."""
    workload = fixed({"ours": [1.0, 1.0], "theirs": [1.0, 1.0]})
    harness.run([(workload, 600)], (Ours, Theirs), rounds=2)
    assert Fake.journal == [
        ("ours", 500), ("ours", 600), ("theirs", 500), ("theirs", 600),
        ("theirs", 500), ("theirs", 600), ("ours", 500), ("ours", 600),
    ]  # fmt: skip


def test_a_ratio_is_taken_round_by_round_and_summed_up_by_its_median() -> None:
    """A round in which everything took ten times as long leaves the ratio as it is."""
    workload = fixed({"ours": [40.0, 4.0, 30.0], "theirs": [10.0, 1.0, 10.0]})
    (row,) = harness.run([(workload, 600)], (Ours, Theirs), rounds=3)
    assert row.ratio("ours", "theirs") == harness.Spread(4.0, 3.0, 4.0)
    assert row.values("theirs") == harness.Spread(10.0, 1.0, 10.0)


@pytest.mark.parametrize(("more_is_better", "verdict"), [(True, "≥ 3 × Theirs.submit: reached"), (False, "missed")])
def test_the_table_says_whether_a_goal_is_reached(more_is_better: bool, verdict: str) -> None:  # noqa: FBT001 - a parameter
    """More is better for throughput, less for latency."""
    workload = fixed({"ours": [40.0], "theirs": [10.0]}, more_is_better=more_is_better)
    rows = harness.run([(workload, 600)], (Ours, Theirs), rounds=1)
    text = table.as_text(rows, "ours", {"cpus": 2})
    assert verdict in text
    assert "4.00 (4.00 … 4.00)" in text


def test_the_json_has_every_sample_and_the_ratios() -> None:
    """Whoever wants other statistics has what they need."""
    rows = harness.run([(fixed({"ours": [40.0], "theirs": [10.0]}), 600)], (Ours, Theirs), rounds=1)
    data: dict[str, Any] = json.loads(json.dumps(table.as_json(rows, "ours", table.machine())))
    (row,) = data["rows"]
    assert [sample["value"] for sample in row["samples"]["ours"]] == [40.0]
    assert row["ratios"]["theirs"]["median"] == 4.0
    assert data["machine"]["cpus"] >= 1


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.run.__name__)
def test_a_wrong_result_ends_the_measurement(workload: Workload) -> None:
    """A peer that answers quickly and wrongly has no time to show."""
    with pytest.raises(WrongResult, match="liar"):
        harness.measure(Liar, workload, 10)


@pytest.mark.parametrize("peer_class", [ExecutorPeer, PoolPeer])
@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.run.__name__)
def test_the_pools_of_the_standard_library_are_measured(peer_class: type[Peer], workload: Workload) -> None:
    """With their processes' cpu time beside their parent's."""
    sample = harness.measure(peer_class, workload, 50)
    assert sample.value > 0
    assert sample.parent_cpu > 0
    assert sample.children_cpu > 0


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


def test_the_command_measures_all_peers_and_writes_its_json(tmp_path: Path) -> None:
    """The whole command, with few tasks."""
    file = tmp_path / "figures.json"
    command = [sys.executable, "-m", "benchmarks", "--rounds", "1", "--tasks", "50", "--json", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = json.loads(file.read_text(encoding="utf-8"))["rows"]
    assert [set(row["ratios"]) for row in rows] == [{"ProcessPoolExecutor", "multiprocessing.Pool"}] * 2
    for row in rows:
        assert row["name"] in done.stdout


def test_a_bad_number_is_an_error_that_says_what_is_expected() -> None:
    """The command refuses what it cannot do."""
    command = [sys.executable, "-m", "benchmarks", "--rounds", "0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "expected a whole number of at least 1, got 0" in done.stderr
