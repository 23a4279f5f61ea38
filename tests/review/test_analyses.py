"""What becomes of the files of a review, whatever their analyses come to."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from actors.errors import AgentDied
from actors.review.analyses import Analyses
from actors.review.progress import Progress


@given(st.data(), st.integers(0, 300), st.integers(1, 8))
def test_every_file_ends_exactly_once_however_analyses_fail(data: st.DataObject, files: int, workers: int) -> None:
    """D8: each file is in a batch that was done or is written off; nothing is counted twice."""
    paths = [f"f{number}.py" for number in range(files)]
    analyses = Analyses("/no/such/folder", paths, workers)
    todo = list(analyses.batches)
    done: list[str] = []
    while todo:
        batch = todo.pop(0)
        if data.draw(st.booleans()):
            analyses.done(batch)
            done += batch.paths
        else:
            todo += analyses.failed(batch, AgentDied("it died"))
    lost = [report.path for report in analyses.written_off]
    assert sorted(done + lost) == sorted(paths)
    assert (analyses.done_files, analyses.done_cost) == (analyses.files, analyses.cost)


def test_a_single_file_that_fails_is_written_off_with_the_reason() -> None:
    """D8: the review says why it has no measures."""
    analyses = Analyses("/root", ["a.py"], 2)
    assert analyses.failed(analyses.batches[0], AgentDied("killed by signal 9")) == []
    (report,) = analyses.written_off
    assert (report.problem, report.detail) == ("analysis_failed", "analysis failed: AgentDied: killed by signal 9")


def test_a_small_tree_has_work_for_all_agents(tmp_path: Path) -> None:
    """C2: batches are smaller where there is little, so that no agent waits for another's large one."""
    for number in range(64):
        (tmp_path / f"m{number}.py").write_text("x = 1\n" * 2000)
    assert len(Analyses(str(tmp_path), [f"m{number}.py" for number in range(64)], 2).batches) >= 12


def test_progress_tells_share_rate_and_time_left() -> None:
    """D7: by what files take, not by their number."""
    half = Progress("analysing", files=10, done=2, cost=100, done_cost=50, written_off=0, seconds=4)
    assert (half.fraction, half.rate, half.left) == (0.5, 0.5, 4.0)
    none = Progress("starting", files=0, done=0, cost=0, done_cost=0, written_off=0, seconds=0)
    assert (none.fraction, none.rate, none.left) == (1.0, 0.0, None)
