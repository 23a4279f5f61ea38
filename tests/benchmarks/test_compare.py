"""Comparing two runs tells a regression from noise, and refuses what is no report."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import compare
from benchmarks.compare import changes
from benchmarks.report import Measured, NoReport, Report
from benchmarks.row import Row
from benchmarks.spread import Spread, rank_test, surest

RIVAL = "ProcessPoolExecutor"
LESS = Row("single", "one task", "m:f", "p50", "µs", ("actors", RIVAL))
MORE = Row("empty", "empty tasks", "m:f", "rate", "tasks/s", ("actors", RIVAL), more_is_better=True)


def report(row: Row, values: list[float], rival: list[float] | None = None, **more: Any) -> Report:
    """A run with these figures."""
    samples = {"actors": values} | ({RIVAL: rival} if rival else {})
    known = {
        name: [{"figures": {row.figure: value}, "wrong": ""} for value in found] for name, found in samples.items()
    }
    return Report(rows={row.key: Measured(row.key, 10, known, **more)})


@pytest.mark.parametrize(
    ("row", "old", "new", "said"),
    [
        (LESS, [10.0, 11.0, 12.0, 11.0, 10.0], [20.0, 21.0, 22.0, 21.0, 20.0], "regression"),
        (LESS, [20.0, 21.0, 22.0, 21.0, 20.0], [10.0, 11.0, 12.0, 11.0, 10.0], "better"),
        (MORE, [10.0, 11.0, 12.0, 11.0, 10.0], [20.0, 21.0, 22.0, 21.0, 20.0], "better"),
        (MORE, [20.0, 21.0, 22.0, 21.0, 20.0], [10.0, 11.0, 12.0, 11.0, 10.0], "regression"),
        (LESS, [10.0, 30.0, 12.0, 25.0, 10.0], [12.0, 31.0, 20.0, 11.0, 29.0], "no difference"),
        (LESS, [100.0, 100.1, 100.2, 100.3, 100.4], [101.0, 101.1, 101.2, 101.3, 101.4], "no difference"),
        (LESS, [10.0, 11.0], [20.0, 21.0], "cannot be told: 2 and 2 rounds are too few, 5 and 5 are enough"),
    ],
)
def test_a_change_is_told_from_noise(row: Row, old: list[float], new: list[float], said: str) -> None:
    """By rank, by size, and by whether there is enough to tell."""
    (change,) = changes(report(row, old), report(row, new), (row,))
    assert change.said == said


def test_a_machine_that_was_slower_all_the_time_is_no_regression() -> None:
    """The peer of the same rounds was slower, too: what is compared is the ratio to it."""
    old = report(LESS, [10.0, 11.0, 12.0, 13.0, 14.0], [20.0, 22.0, 24.0, 26.0, 28.0])
    new = report(LESS, [30.0, 33.0, 36.0, 39.0, 42.0], [60.0, 66.0, 72.0, 78.0, 84.0])
    (change,) = changes(old, new, (LESS,))
    assert (change.said, change.against, change.ratio) == ("no difference", RIVAL, 1.0)


def test_a_row_that_is_disqualified_or_gone_is_a_regression() -> None:
    """The fastest way to be fast is to be wrong."""
    values = [10.0, 11.0, 12.0, 11.0, 10.0]
    (wrong,) = changes(report(LESS, values), report(LESS, values, wrong={"actors": "no record"}), (LESS,))
    (gone,) = changes(report(LESS, values), report(LESS, []), (LESS,))
    assert wrong.said == "regression: disqualified, no record"
    assert gone.said == "regression: no figure any more"


def test_other_work_is_not_compared() -> None:
    """A quick look beside a whole run."""
    old, new = report(LESS, [10.0, 11.0, 12.0, 11.0, 10.0]), report(LESS, [20.0, 21.0, 22.0, 21.0, 20.0])
    new.rows["single"].count = 500
    (change,) = changes(old, new, (LESS,))
    assert change.said == "cannot be told: 10 and 500 tasks are not the same work"


def test_noise_alone_is_hardly_ever_called_a_change() -> None:
    """In a thousand pairs of runs of the same thing, about one in a hundred."""
    chance = random.Random(1)

    def run() -> Report:
        return report(LESS, [chance.lognormvariate(0, 0.2) for _ in range(7)])

    said = [changes(run(), run(), (LESS,))[0].said for _ in range(1000)]
    assert sum(text != "no difference" for text in said) <= 20


def test_the_rank_test_gives_what_the_tables_say() -> None:
    """Exact for few values: two of three below three others in 1 of 10 ways at each end."""
    assert rank_test([1, 2, 3], [4, 5, 6]) == pytest.approx(0.1) == pytest.approx(surest(3, 3))
    assert rank_test([1, 2, 3, 4, 5], [6, 7, 8, 9, 10]) == pytest.approx(2 / 252)
    assert rank_test([1.0] * 5, [1.0] * 5) == 1.0


@given(st.lists(st.floats(0, 100), min_size=1, max_size=30), st.lists(st.floats(0, 100), min_size=1, max_size=30))
def test_the_rank_test_is_a_probability_that_knows_no_order(one: list[float], other: list[float]) -> None:
    """Exact and approximate: between 0 and 1, and the same from both sides."""
    found = rank_test(one, other)
    assert 0 < found <= 1.0 + 1e-12
    assert found == pytest.approx(rank_test(other, one))


def test_the_approximation_is_near_the_exact_value() -> None:
    """Where one gives way to the other, verdicts do not jump."""
    one, other = [float(number) for number in range(0, 16, 2)], [float(number) + 5.5 for number in range(0, 16, 2)]
    exact = rank_test(one, other)
    twice = rank_test(one * 2, other * 2)
    assert 0.01 < exact < 0.2 and twice < exact


def test_a_spread_is_the_median_with_the_least_and_the_most() -> None:
    """Of at least one value."""
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)


# --- files ---------------------------------------------------------------------------------------------------------


def test_a_report_is_read_as_it_was_written_and_rows_of_others_are_added(tmp_path: Path) -> None:
    """A run that was cut off is gone on with, row by row."""
    file = tmp_path / "one.json"
    report(LESS, [1.0, 2.0], [3.0, 4.0]).write(file)
    again = Report.read(file)
    assert again.rows["single"].ratios("p50", RIVAL) == [1 / 3, 0.5]
    newer = report(MORE, [5.0])
    newer.merge(again)
    assert list(newer.rows) == ["empty", "single"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read: No such file"),
        ("{", "is not JSON"),
        ("[1]", "its format is 'list'"),
        ('{"rows": []}', "its format is None"),
        ('{"format": "actors benchmarks 1"}', "was damaged"),
        ('{"format": "actors benchmarks 1", "machine": {}, "versions": {}, "rows": [{"key": 1}]}', "was damaged"),
    ],
)
def test_what_is_no_report_is_refused_with_what_is_expected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, says: str
) -> None:
    """Each kind of mistake has its words, and the exit code of wrong usage."""
    file, good = tmp_path / "file.json", tmp_path / "good.json"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    report(LESS, [1.0]).write(good)
    with pytest.raises(NoReport, match="expected what"):
        Report.read(file)
    assert compare.main([str(good), str(file)]) == 2
    assert says in capsys.readouterr().err


def test_the_command_ends_with_1_on_a_regression(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And names the row; with 0 when nothing became worse."""
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    report(LESS, [10.0, 11.0, 12.0, 11.0, 10.0]).write(old)
    report(LESS, [20.0, 21.0, 22.0, 21.0, 20.0]).write(new)
    assert compare.main([str(old), str(new)]) == 1
    out = capsys.readouterr().out
    assert "single" in out and "regression" in out and "1.909" in out
    assert compare.main([str(new), str(old)]) == 0
    assert compare.main([str(old), str(old)]) == 0
