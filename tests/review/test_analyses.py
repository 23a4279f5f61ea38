"""What becomes of the files of a review, whatever their analyses come to."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from actors.analysis.filereport import FileReport
from actors.errors import AgentDied
from actors.review.analyses import Analyses
from actors.review.progress import Progress


@given(st.data(), st.integers(0, 300), st.integers(1, 8))
def test_every_file_ends_exactly_once_however_analyses_fail(data: st.DataObject, files: int, workers: int) -> None:
    """D8: each file is in a batch that was done or is written off; nothing is counted twice."""
    paths = [f"f{number}.py" for number in range(files)]
    analyses = Analyses("/no/such/folder", paths, workers)
    done: list[str] = []
    while (part := analyses.next()) is not None:
        if data.draw(st.booleans()):
            analyses.done(part, 0.1)
            done += part.keys
        else:
            analyses.failed(part, AgentDied("it died"))
    lost = [report.path for report in analyses.written_off]
    assert sorted(done + lost) == sorted(paths)
    assert analyses.finished and (analyses.done_files, analyses.done_cost) == (analyses.files, analyses.cost)


def test_a_single_file_that_fails_is_written_off_with_the_reason() -> None:
    """D8: the review says why it has no measures."""
    analyses = Analyses("/root", ["a.py"], 2)
    part = analyses.next()
    assert part is not None
    analyses.failed(part, AgentDied("killed by signal 9"))
    (report,) = analyses.written_off
    assert (report.problem, report.detail) == ("analysis_failed", "analysis failed: AgentDied: killed by signal 9")
    assert analyses.finished and analyses.next() is None


def test_a_small_tree_starts_one_agent_and_a_larger_one_all(tmp_path: Path) -> None:
    """C2: an agent that has hardly anything to do costs more than it brings."""
    for number in range(64):
        (tmp_path / f"m{number}.py").write_text("x = 1\n" * 6000)
    names = [f"m{number}.py" for number in range(64)]
    assert Analyses(str(tmp_path), names[:4], 2).workers == 1
    assert Analyses(str(tmp_path), names, 2).workers == 2


def test_what_earlier_reviews_measured_tells_how_the_rest_is_divided(tmp_path: Path) -> None:
    """A1: files that have not changed tell what those that have will take."""
    for number in range(64):
        (tmp_path / f"m{number}.py").write_text("x = 1\n" * 6000)
    names = [f"m{number}.py" for number in range(64)]

    def first(seconds: float) -> int:
        known = {name: FileReport(name, "python", "analysed", bytes=36_000, seconds=seconds) for name in names[:32]}
        part = Analyses(str(tmp_path), names, 1, known).next()
        assert part is not None
        return len(part.items)

    assert first(0.01) > 2 * first(0.1) > 2


def test_progress_tells_share_rate_and_time_left() -> None:
    """D7: by what files take, not by their number."""
    half = Progress("analysing", files=10, done=2, cost=100, done_cost=50, written_off=0, seconds=4)
    assert (half.fraction, half.rate, half.left) == (0.5, 0.5, 4.0)
    none = Progress("starting", files=0, done=0, cost=0, done_cost=0, written_off=0, seconds=0)
    assert (none.fraction, none.rate, none.left) == (1.0, 0.0, None)
