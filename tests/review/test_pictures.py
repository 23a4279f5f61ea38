"""The layouts of the pictures."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.analysis.filereport import FileReport, FunctionReport, ImportReport
from actors.analysis.lines import LineCounts
from actors.review.bands import BANDS, band_of
from actors.review.depgraph import draw_graph
from actors.review.display import columns, count, duration, printable, shorten, size
from actors.review.lanes import Lanes, lay_out_lanes
from actors.review.reduce import reduce_reports
from actors.review.timeline import RunTimeline, Span
from actors.review.treemap import lay_out_treemap, squarify


def report(path: str, lines: int = 10, peak: int = 1, needs: tuple[str, ...] = ()) -> FileReport:
    return FileReport(
        path=path,
        language="python",
        status="analysed",
        lines=LineCounts(lines, lines),
        functions=(FunctionReport("f", 1, 2, peak, 0, 2),) if peak else (),
        imports=tuple(ImportReport(module, 1) for module in needs),
    )


@settings(deadline=None)
@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=60), st.integers(1, 2000), st.integers(1, 2000))
def test_a_rectangle_is_divided_by_weight_and_nothing_overlaps(weights: list[int], width: int, height: int) -> None:
    """A1: areas are true to the lines, inside the picture, beside each other."""
    weights.sort(reverse=True)
    places = list(squarify([float(one) for one in weights], 0, 0, width, height))
    assert len(places) == len(weights)
    for weight, (x, y, w, h) in zip(weights, places, strict=True):
        assert w * h == pytest.approx(width * height * weight / sum(weights), rel=1e-6)
        assert x >= -1e-6
        assert y >= -1e-6
        assert x + w <= width * (1 + 1e-6) + 1e-6
        assert y + h <= height * (1 + 1e-6) + 1e-6
    for index, (x, y, w, h) in enumerate(places):
        for x2, y2, w2, h2 in places[index + 1 :]:
            overlap_x = min(x + w, x2 + w2) - max(x, x2)
            overlap_y = min(y + h, y2 + h2) - max(y, y2)
            assert min(overlap_x, overlap_y) <= 1e-6 * max(width, height)


def test_a_big_tree_is_drawn_with_few_cells_and_loses_no_file() -> None:
    """A1: thousands of files stay legible; the small ones are drawn together."""
    reports = [report(f"d{n % 40}/sub{n % 7}/f{n}.py", lines=1 + n % 90) for n in range(5000)]
    code = reduce_reports(reports)
    treemap = lay_out_treemap(code.files, 1200, 640)
    assert treemap.files == 5000
    assert treemap.drawn < len(treemap.cells) < 2500
    assert all(cell.width > 0 and cell.height > 0 for cell in treemap.cells)
    assert all(columns(cell.label) * 6 <= cell.width for cell in treemap.cells)


def test_a_tree_deeper_than_recursion_is_drawn() -> None:
    """A1: folders in folders without end."""
    code = reduce_reports([report("d/" * 3000 + "a.py"), report("d/" * 1500 + "b.py")])
    assert lay_out_treemap(code.files, 1200, 640).files == 2


def test_files_without_lines_make_no_map() -> None:
    """A1: nothing has no area."""
    assert lay_out_treemap(reduce_reports([report("a.py", lines=0)]).files, 100, 100).cells == ()


def test_what_needs_others_stands_above_them_and_cycles_are_marked() -> None:
    """A1: the picture of the dependencies."""
    code = reduce_reports([report("top.py", needs=("a",)), report("a.py", needs=("b",)), report("b.py", needs=("a",))])
    picture = draw_graph(code, 800, 10)
    boxes = {box.label: box for box in picture.boxes}
    assert boxes["top.py"].y < boxes["a.py"].y == boxes["b.py"].y
    assert sorted(curve.kind for curve in picture.curves) == ["cycle", "cycle", "plain"]
    assert boxes["a.py"].in_cycle
    assert not boxes["top.py"].in_cycle


@pytest.mark.parametrize(("width", "limit"), [(1180, 48), (360, 18)])
def test_boxes_of_a_big_graph_are_few_apart_and_named_differently(width: int, limit: int) -> None:
    """A1: the picture stays legible however many files there are."""
    reports = [
        report(f"p{n % 30}/m{n}.py", needs=tuple(f"p{m % 30}.m{m}" for m in (n + 1, n + 7, n * 3) if n < m < 900))
        for n in range(900)
    ]
    picture = draw_graph(reduce_reports(reports), width, limit)
    assert 2 <= len(picture.boxes) <= limit
    assert len({box.label for box in picture.boxes}) == len(picture.boxes)
    rows: dict[float, list[tuple[float, float]]] = {}
    for box in picture.boxes:
        assert box.x >= 0
        assert box.x + box.width <= width
        assert columns(box.label) * 6 <= box.width
        rows.setdefault(box.y, []).append((box.x, box.x + box.width))
    assert all(left[1] < right[0] for row in rows.values() for left, right in pairwise(sorted(row)))


def test_nothing_that_depends_makes_no_picture() -> None:
    """A1: an empty graph is no error."""
    assert draw_graph(reduce_reports([report("a.py")]), 800, 10).boxes == ()


SPANS = st.lists(
    st.builds(
        lambda agent, task, kind, start, seconds, status: Span(agent, task, kind, start, start + seconds, status),
        st.sampled_from(["a-1", "a-2", "a-10", "b"]),
        st.text("xyz", min_size=1, max_size=3),
        st.sampled_from(["one", "two"]),
        st.floats(0, 100),
        st.floats(0, 10),
        st.sampled_from(["completed", "failed", "cancelled", "retried", "running"]),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(SPANS)
def test_each_agent_has_a_lane_and_every_bar_is_inside(spans: list[Span]) -> None:
    """H2: who did what, when."""
    lanes = lay_out_lanes(RunTimeline(tuple(spans)))
    assert {lane.agent for lane in lanes.lanes} == {span.agent for span in spans}
    assert sum(lane.tasks for lane in lanes.lanes) == len(spans) == sum(number for _, number in lanes.kinds)
    for lane in lanes.lanes:
        assert 0 <= lane.share <= 100
        assert any(bar.status == "failed" for bar in lane.bars) == (lane.failed > 0)
        for bar in lane.bars:
            assert bar.x >= -0.01
            assert bar.x + bar.width <= Lanes.WIDTH + 1


def test_agents_are_in_natural_order() -> None:
    """H2: the tenth agent comes after the second."""
    spans = tuple(Span(agent, "t", "k", 0, 1) for agent in ("a-10", "a-2", "a-1"))
    assert list(RunTimeline(spans).lanes()) == ["a-1", "a-2", "a-10"]


def test_a_run_of_many_thousand_tasks_is_drawn_with_few_bars() -> None:
    """H2: thousands of spans stay small, and one that failed among them is seen."""
    statuses: list[Literal["completed", "failed"]] = ["completed"] * 50_000
    statuses[25_000] = "failed"
    spans = [
        Span(f"a-{n % 4}", f"t{n}", "k", n * 0.001, n * 0.001 + 0.003, status) for n, status in enumerate(statuses)
    ]
    lanes = lay_out_lanes(RunTimeline(tuple(spans)))
    assert sum(len(lane.bars) for lane in lanes.lanes) < 5000
    assert lanes.merged
    assert sum(bar.status == "failed" for lane in lanes.lanes for bar in lane.bars) == 1


def test_overlapping_spans_count_once_as_busy() -> None:
    """H2: an agent that runs two tasks at once is not busy for twice the time."""
    run = RunTimeline((Span("a", "1", "k", 0, 4), Span("a", "2", "k", 1, 3), Span("a", "3", "k", 6, 7)), ended=10)
    assert run.busy("a") == 5
    assert run.seconds == 10
    assert lay_out_lanes(run).lanes[0].share == 50


def test_a_span_that_ends_before_it_starts_is_refused() -> None:
    """H2: bad input is told."""
    with pytest.raises(ValueError, match="at or after the start"):
        Span("a", "1", "k", 2, 1)


@settings(deadline=None)
@given(st.integers(0, 10**6))
def test_every_complexity_has_a_band(complexity: int) -> None:
    """A1: bands leave no gap."""
    band = BANDS[band_of(complexity)]
    assert band.least <= complexity
    assert band is BANDS[-1] or complexity < BANDS[band.number + 1].least


@settings(deadline=None)
@given(st.text(), st.integers(1, 30))
def test_shortened_text_fits_and_printable_text_is_safe(text: str, width: int) -> None:
    """A1: labels never run out of their boxes; no control characters reach a terminal or a page."""
    assert columns(shorten(text, width)) <= width or columns(text) <= width
    assert all(char.isprintable() or char.isspace() for char in printable(text))
    printable(text).encode()


def test_figures_are_written_for_people() -> None:
    """A1: units that suit."""
    assert (count(1, "file"), count(2000, "file"), count(2, "class", "classes")) == (
        "1 file",
        "2,000 files",
        "2 classes",
    )
    assert [duration(one) for one in (0.000_02, 0.02, 2.5, 200, 7300)] == [
        "20 µs",
        "20 ms",
        "2.5 s",
        "3 min 20 s",
        "2 h 1 min",
    ]
    assert [size(one) for one in (12, 2048, 5 * 1024**2, 2000 * 1024**3)] == ["12 B", "2.0 KiB", "5.0 MiB", "2000 GiB"]
    assert printable("a\x1b[31m\u202eb\udce9\n") == "a\\x1b[31m\\u202eb\\udce9\\n"


def test_arrows_between_neighbours_stay_inside_the_picture() -> None:
    """A1: two files that need each other stand side by side, with one arrow above them and one below."""
    picture = draw_graph(reduce_reports([report("a.py", needs=("b",)), report("b.py", needs=("a",))]), 800, 10)
    assert len(picture.curves) == 2
    for curve in picture.curves:
        a, b, c, d = [float(number) for number in re.findall(r"-?[\d.]+", curve.path)][1::2]
        assert 1 < a / 8 + 3 * b / 8 + 3 * c / 8 + d / 8 < picture.height - 1


def test_a_name_of_which_too_little_fits_is_left_out() -> None:
    """A1: three letters between two ellipses tell nobody which file it is."""
    files = reduce_reports([report(f"test_engine_{n}.py", lines=100) for n in range(300)]).files
    labels = [cell.label for cell in lay_out_treemap(files, 1200, 640).cells if cell.label]
    assert all(label.count("…") < 2 or len(label) >= 9 for label in labels)
