"""What was measured is drawn, put into a page between its markers, and found there again."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks import plots, show
from benchmarks.page import BadPage
from benchmarks.report import Measured, Report
from benchmarks.rows import ROWS

BY_KEY = {row.key: row for row in ROWS}


def known() -> Report:
    """A row and a curve, as they may come."""
    burst = {
        name: [{"figures": {"rate": rate}, "wrong": ""}]
        for name, rate in (("actors", 40.0), ("multiprocessing.Pool", 10.0), ("pykka", 80.0))
    }
    points = {
        name: [{"figures": {"100": 5.0 * by, "1000": 6.0 * by, "1000000": 7.0 * by}, "wrong": ""}]
        for name, by in (("actors", 1.0), ("ProcessPoolExecutor", 3.0))
    }
    rows = [Measured("empty", 10, burst), Measured("waiting-curve", 10, points)]
    return Report(rows={row.key: row for row in rows})


def test_each_picture_is_well_formed_small_and_tells_its_figures() -> None:
    """A reader who cannot see it hears the figures; who sees it on a dark page sees it on its own ground."""
    drawn = plots.pictures(known())
    assert set(drawn) == {"waiting-curve", "ratios"}
    for text in drawn.values():
        assert ET.fromstring(text).tag.endswith("svg")
        assert len(text) < 100_000
        assert '<rect width="100%" height="100%" fill="#ffffff"/>' in text
    assert "multiprocessing.Pool 4" in drawn["ratios"] and "pykka 0.5" in drawn["ratios"]
    assert "ProcessPoolExecutor: 100: 15" in drawn["waiting-curve"]


def test_nothing_measured_is_no_picture() -> None:
    """Neither of rows whose figures were all wrong."""
    report = known()
    for measured in report.rows.values():
        measured.wrong = dict.fromkeys(measured.samples, "wrong")
    assert plots.pictures(report) == {} == plots.pictures(Report())


def test_a_page_has_the_tables_and_pictures_between_its_markers(tmp_path: Path) -> None:
    """What was written by hand stays, however often it is made anew."""
    page = tmp_path / "performance.md"
    page.write_text(f"before\n\n{show.BEGIN}\nold\n{show.END}\n\nafter\n", encoding="utf-8")
    for _ in range(2):
        show.put(known(), page)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before") and text.endswith("after\n") and "old" not in text
    assert "](performance_ratios.svg)" in text and (tmp_path / "performance_ratios.svg").exists()
    assert "| multiprocessing.Pool | 10 |" in text


def test_a_page_without_markers_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    """An hour of measuring is not to end so."""
    page = tmp_path / "performance.md"
    page.write_text("before\n", encoding="utf-8")
    with pytest.raises(BadPage, match="has not the lines"):
        show.check(page)
    file = tmp_path / "report.json"
    known().write(file)
    assert show.main([str(file), "--docs", str(page)]) == 2


def test_the_last_of_several_reports_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rows that were measured again take the place of the ones before; the others stay."""
    old, new, both = tmp_path / "old.json", tmp_path / "new.json", tmp_path / "both.json"
    known().write(old)
    newer = known()
    del newer.rows["waiting-curve"]
    newer.rows["empty"].samples["actors"][0]["figures"]["rate"] = 77.0
    newer.write(new)
    assert show.main([str(old), str(new), "--json", str(both)]) == 0
    assert "77" in capsys.readouterr().out
    rows = Report.read(both).rows
    assert set(rows) == {"empty", "waiting-curve"} and rows["empty"].values("actors", "rate") == [77.0]


def test_every_curve_has_its_axes_and_every_other_row_its_figure() -> None:
    """Otherwise there would be nothing to compare, or nothing to draw."""
    assert all((row.axes is None) == bool(row.figure) for row in BY_KEY.values())
    assert sum(row.axes is not None for row in ROWS) == 5
