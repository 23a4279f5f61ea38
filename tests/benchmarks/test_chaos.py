"""The chaos command finds what is broken, says so, and finds nothing broken in the shipped library."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks.chaos import figures
from benchmarks.chaos.book import Book, Sample
from benchmarks.chaos.harms import HARMS
from benchmarks.chaos.ledger import Conflict, Heard, Ledger, Pages, Run
from benchmarks.chaos.promises import Handed, Records, judge, read_book
from tests.benchmarks.command import ROOT, run

COMMAND = [sys.executable, "-m", "benchmarks.chaos"]
STORY = [("TaskSubmitted", 0), ("TaskAssigned", 1), ("TaskStarted", 1), ("TaskCompleted", 1)]


# --- the whole command ---------------------------------------------------------------------------------------------


def _run(options: list[str], limit: float) -> subprocess.CompletedProcess[str]:
    return run(COMMAND, *options, limit=limit)


@pytest.mark.slow
@pytest.mark.timeout(150)
def test_ten_seconds_of_chaos_keep_every_promise(tmp_path: Path) -> None:
    """A6, D8, F1, F2: some thirty faults; the report, the JSON and the picture tell of them."""
    file, picture = tmp_path / "chaos.json", tmp_path / "chaos.svg"
    done = _run(["--seconds", "10", "--seed", "1", "--json", str(file), "--picture", str(picture)], 120)
    assert done.returncode == 0, done.stdout + done.stderr
    data = json.loads(file.read_text(encoding="utf-8"))
    assert data["kept"] and data["tasks"] > 50 and len(data["faults"]) > 20
    assert all(promise["broken"] == 0 for promise in data["promises"].values())
    assert "BROKEN" not in done.stdout and "seed 1" in done.stdout
    assert ET.fromstring(picture.read_text(encoding="utf-8")).tag.endswith("svg")


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_two_minutes_of_chaos_keep_every_promise() -> None:
    """A6, D8, F1, F2: long enough that memory and descriptors are judged as well."""
    done = _run(["--seconds", "120", "--seed", "2"], 360)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "kept  memory and descriptors of the program stay flat (3)" in done.stdout


@pytest.mark.slow
@pytest.mark.timeout(150)
def test_ctrl_c_ends_it_in_order_with_the_report_so_far() -> None:
    """F2: what was under way has its outcome, and nothing is left."""
    with subprocess.Popen(
        [*COMMAND, "--seconds", "600", "--seed", "3"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as command:
        assert command.stderr is not None
        # The second line comes when the fleet is up and the work goes on.
        lines = [command.stderr.readline(), command.stderr.readline()]
        command.send_signal(signal.SIGINT)
        out, err = command.communicate(timeout=120)
    assert command.returncode == 0, out + err
    assert "ended before its time" in out, lines
    assert "kept  nothing is left" in out


_HARNESS = """
import sys
from benchmarks.chaos.load import Load
from benchmarks.chaos.run import Settings, run
{setup}
outcome = run(Settings(seconds=12, every=0.1, seed=4), going_on)
print(*(promise.statement for promise in outcome.promises if promise.broken), sep="\\n")
print(*(text for promise in outcome.promises for text in promise.broken), sep="\\n", file=sys.stderr)
"""

_BEGINS_AGAIN = """
hand_in = Load._hand_in
def all_single(self, number, kind, future, fits, errors=(), sort="", **more):
    hand_in(self, number, kind, future, fits, errors, "single" if kind == "long" else sort, **more)
Load._hand_in = all_single
def going_on(this, now): return True
"""

_FAILS = """
def going_on(this, now):
    if now > 4: this.system._broke(RuntimeError("planted"))
    return True
"""


@pytest.mark.slow
@pytest.mark.timeout(150)
@pytest.mark.parametrize(
    ("setup", "broken"),
    [
        (_BEGINS_AGAIN, ["a task that may begin once only begins once at most"]),
        (_FAILS, ["what is asked for is given, and every outcome is one that may be"]),
    ],
    ids=["a task that is repeated", "a system that fails"],
)
def test_a_breach_on_real_processes_is_found_and_reported(setup: str, broken: list[str]) -> None:
    """A harness that finds nothing broken must be able to: repeated tasks held to begin once, and a system that ends."""
    code = _HARNESS.format(setup=setup)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    assert set(broken) <= set(done.stdout.splitlines()), done.stdout + done.stderr
    assert "nothing is left: processes, threads, descriptors, shared memory, files" not in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--seconds", "0"], "expected seconds above 0, got 0"),
        (["--every", "nan"], "expected seconds above 0, got nan"),
        (["--agents", "1"], "expected a whole number from 2 to 64, got 1"),
        (["--json", "/nowhere/at/all.json"], "/nowhere/at is no directory"),
    ],
)
def test_bad_options_are_errors_that_say_what_is_expected(options: list[str], says: str) -> None:
    """Before anything is started."""
    done = _run(options, 30)
    assert done.returncode == 2
    assert says in done.stderr


# --- what it would find --------------------------------------------------------------------------------------------


def _records() -> Records:
    """One task, as it should be."""
    return Records([Handed(1, "t-1", "once", "single")], Counter({1: 1}), {1: ["result"]}, {"t-1": list(STORY)})


def _pages() -> Pages:
    return Pages([Run("t-1", 1, 1, "once", "steady-1", 100, 1.0, 2.0)])


def _broken(records: Records, pages: Pages, missed: int = 0) -> list[str]:
    return [promise.statement for promise in judge(records, pages, missed, []) if promise.broken]


def test_a_run_in_which_all_is_well_breaks_nothing() -> None:
    """A check that always fails proves nothing either."""
    assert _broken(_records(), _pages()) == []


def _lost(records: Records, _: Pages) -> None:
    records.outcomes[1] = []


def _called_twice(records: Records, _: Pages) -> None:
    records.called[1] = 2


def _began_twice(_: Records, pages: Pages) -> None:
    pages.runs.append(Run("t-1", 1, 2, "once", "steady-2", 101, 3.0, 4.0))


def _began_though_cancelled(records: Records, _: Pages) -> None:
    records.handed[0].sort = "never"


def _two_at_once(_: Records, pages: Pages) -> None:
    pages.conflicts.append(Conflict("t-1", 2, 1.5, 101, 100))


def _attempt_again(_: Records, pages: Pages) -> None:
    pages.runs.append(Run("t-2", 2, 1, "short", "steady-2", 101, 3.0, 4.0))
    pages.runs.append(Run("t-2", 2, 1, "short", "steady-2", 102, 5.0, 6.0))


def _result_of_nothing(_: Records, pages: Pages) -> None:
    pages.runs[0].ended = None


def _two_ends(records: Records, _: Pages) -> None:
    records.story["t-1"].append(("TaskFailed", 1))


def _no_end(records: Records, _: Pages) -> None:
    records.story["t-1"].pop()


def _other_end(records: Records, _: Pages) -> None:
    records.story["t-1"][-1] = ("TaskFailed", 1)


def _message_twice(_: Records, pages: Pages) -> None:
    pages.heard += [Heard("steady-1", 100, 5), Heard("steady-1", 100, 5)]


@pytest.mark.parametrize(
    ("spoil", "promise"),
    [
        (_lost, "each task has exactly one outcome"),
        (_called_twice, "each task has exactly one outcome"),
        (_began_twice, "a task that may begin once only begins once at most"),
        (_began_though_cancelled, "a task cancelled before its dependency was done never begins"),
        (_two_at_once, "no task is in two living processes at once"),
        (_attempt_again, "an attempt begins once, and their numbers rise"),
        (_result_of_nothing, "no result without a run that came to its end"),
        (_two_ends, "each task's events tell one story with one end"),
        (_no_end, "each task's events tell one story with one end"),
        (_other_end, "each task's events tell one story with one end"),
        (_message_twice, "messages come once at most, and in their order"),
    ],
)
def test_each_kind_of_breach_is_found(spoil: Callable[[Records, Pages], None], promise: str) -> None:
    """One thing is wrong, and the promise about it is broken, and no other."""
    records, pages = _records(), _pages()
    spoil(records, pages)
    assert _broken(records, pages) == [promise]


def test_stories_are_not_judged_when_the_subscriber_has_missed_events() -> None:
    """B5: a slow subscriber loses events, which is said and no breach."""
    records = _records()
    records.story["t-1"].pop()
    assert _broken(records, _pages(), missed=1) == []


def test_the_book_gives_back_what_was_written(tmp_path: Path) -> None:
    """What is on the disk is what is judged."""
    book = Book(tmp_path / "book")
    book.write("S", 1, "t-1", "once", "single")
    book.write("D", 1)
    book.write("O", 1, "once", "result", 1, "")
    for name, attempt in STORY:
        book.write("V", name, "t-1", attempt)
    book.close()
    book.write("D", 1)
    records = read_book(book)
    assert records.handed == [Handed(1, "t-1", "once", "single")]
    assert records.called == {1: 1} and records.outcomes == {1: ["result"]}
    assert records.story == defaultdict(list, {"t-1": STORY})


# --- the ledger of the tasks ---------------------------------------------------------------------------------------


def test_the_ledger_tells_runs_apart_that_ended_and_that_did_not(tmp_path: Path) -> None:
    """A body that raises has begun, and did not come to its end."""
    ledger = Ledger(str(tmp_path))
    with ledger.run("t-1", 1, 1, "short", "steady-1"):
        ledger.heard("steady-1", 7)
    with pytest.raises(ValueError, match="planted"), ledger.run("t-2", 2, 3, "flaky", "steady-1"):
        raise ValueError("planted")
    with tmp_path.joinpath(str(os.getpid())).open("ab") as file:
        file.write(b"garbage without an end")
    pages = ledger.read()
    assert [(run.task, run.attempt, run.ended is not None) for run in pages.runs] == [
        ("t-1", 1, True),
        ("t-2", 3, False),
    ]
    assert pages.heard == [Heard("steady-1", os.getpid(), 7)]
    assert pages.garbled == 1 and pages.conflicts == []
    os.close(ledger._locks)


def test_a_task_in_two_living_processes_is_found_and_in_a_dead_one_is_not(tmp_path: Path) -> None:
    """The kernel's locks are the witness: they end with their process."""
    ledger = Ledger(str(tmp_path))
    code = (
        "import sys, benchmarks.chaos.ledger as l\n"
        "with l.Ledger(sys.argv[1]).run('t-1', 1, 1, 'short', 'steady-1'): print('in', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline() == b"in\n"
        with ledger.run("t-1", 1, 2, "short", "steady-2"):
            pass
        other.kill()
        other.wait(20)
    with ledger.run("t-1", 1, 3, "short", "steady-2"):
        pass
    conflicts = ledger.read().conflicts
    assert [(each.attempt, each.pid, each.holder) for each in conflicts] == [(2, os.getpid(), other.pid)]
    os.close(ledger._locks)


# --- figures -------------------------------------------------------------------------------------------------------


def _samples(memory: Callable[[int], int]) -> list[Sample]:
    return [Sample(at / 2, memory(at), 50, 10, 5, 10, at) for at in range(400)]


def test_memory_that_grows_is_seen_through_what_is_only_on_its_way() -> None:
    """The line goes through the least values: a large result for a moment is no growth, a little each second is."""
    steady = figures.trend(_samples(lambda at: 1000 + (5000 if at % 3 == 0 else 0)), lambda sample: sample.memory)
    growing = figures.trend(
        _samples(lambda at: 1000 + at * 10 + (5000 if at % 3 == 0 else 0)), lambda sample: sample.memory
    )
    assert steady is not None and abs(steady.growth) < 1
    assert growing is not None and growing.per_minute == pytest.approx(1200, rel=0.05)


def test_every_harm_that_would_not_end_has_a_time_limit() -> None:
    """The run comes to its end by the library's doing, and this names where it has to."""
    limited = {name for name, harm in HARMS.items() if harm.timeout is not None}
    assert {"ignore interrupts", "sleep in C", "pause in C", "become another"} <= limited
