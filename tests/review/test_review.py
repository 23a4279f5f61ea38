"""The review as a task graph on real agents."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from actors.analysis.measure import analyse_file
from actors.errors import ConfigError
from actors.review.codereport import CodeReport
from actors.review.discover import discover
from actors.review.progress import Progress
from actors.review.reduce import reduce_reports
from actors.review.review import Review, ReviewFailed
from tests.review.trees import make_tree, poison


def direct(root: Path) -> CodeReport:
    """The same review without any agent."""
    found = discover(str(root))
    return reduce_reports(analyse_file(path, found.root) for path in found.files)


def test_a_review_says_what_a_plain_loop_over_the_files_says(tmp_path: Path) -> None:
    """D3: the graph of tasks changes nothing of the result; the page and the timeline come with it."""
    root = make_tree(tmp_path / "tree", 60)
    seen: list[Progress] = []
    outcome = Review(discover(str(root)), title="tree", workers=2, watch=seen.append).run()
    assert outcome.code == direct(root)
    assert outcome.complete and (outcome.found, outcome.covered, outcome.written_off) == (60, 60, 0)
    assert outcome.page.startswith("<!doctype html>") and "m0007.py" in outcome.page
    kinds = Counter((span.kind, span.status) for span in outcome.run.spans)
    assert kinds["file_analysis", "completed"] >= 1
    assert kinds["review.reduce", "completed"] == kinds["template_processing.render", "completed"] == 1
    assert {status for _, status in kinds} == {"completed"}
    assert seen[0].phase == "starting" and seen[-1].done == 60
    assert all(a.done <= b.done for a, b in itertools.pairwise(seen))


def test_an_empty_tree_has_a_report_too(tmp_path: Path) -> None:
    """A1: no file is no error."""
    outcome = Review(discover(str(tmp_path)), title="empty").run()
    assert outcome.complete and outcome.code.totals.files == 0 and "<html" in outcome.page


def test_a_single_file_is_reviewed(tmp_path: Path) -> None:
    """A1: a path may be a file."""
    make_tree(tmp_path, 1)
    outcome = Review(discover(str(tmp_path / "m0000.py")), title="one").run()
    assert [one.path for one in outcome.code.files] == ["m0000.py"]


@pytest.mark.parametrize(
    ("name", "why"), [("kill.py", "AgentDied"), ("exit.py", "AgentDied"), ("raise.py", "RecursionError")]
)
def test_a_poisonous_file_costs_itself_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, why: str
) -> None:
    """D8: its batch is tried again file by file; all others have their measures."""
    poison(monkeypatch, tmp_path / "site")
    root = make_tree(tmp_path / "tree", 40)
    (root / name).write_text("x = 1\n")
    outcome = Review(discover(str(root)), title="tree", workers=2).run()
    assert (outcome.found, outcome.covered) == (41, 41)
    (trouble,) = outcome.code.troubles
    assert (trouble.path, trouble.problem) == (name, "analysis_failed") and why in trouble.detail
    assert outcome.code.totals.analysed == 40 and "analysis failed" in outcome.page
    assert outcome.complete is (name == "raise.py")


def test_an_agent_that_is_killed_costs_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """D8: SIGKILL from outside in the middle of the work."""
    poison(monkeypatch, tmp_path / "site", slow=0.05)
    root = make_tree(tmp_path / "tree", 40)
    for number in range(20):
        (root / f"slow{number}.py").write_text("x = 1\n")
    killed: list[int] = []

    def kill(progress: Progress) -> None:
        if killed or progress.phase != "analysing" or not any(view.label for view in progress.agents):
            return
        # The program's child is the launcher, whose children are the agents.
        for agent in [agent for launcher in psutil.Process().children() for agent in launcher.children()]:
            with suppress(psutil.NoSuchProcess):
                agent.kill()
            killed.append(agent.pid)
            return

    outcome = Review(discover(str(root)), title="tree", workers=2, watch=kill).run()
    assert killed
    assert outcome.complete and outcome.covered == 60 and outcome.code == direct(root)


def test_an_interrupted_review_ends_in_two_seconds_with_what_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A6: a partial report, and nothing left running, although agents sit in their tasks."""
    # A peer's pool that another test measured may have left its tracker, which lives as long as this process.
    before = psutil.Process().children(recursive=True)
    poison(monkeypatch, tmp_path / "site", slow=60)
    root = make_tree(tmp_path / "tree", 40)
    for number in range(2):
        (root / f"slow{number}.py").write_text("x = 1\n" * 20_000)
    review: Review
    interrupted: list[float] = []

    def watch(progress: Progress) -> None:
        stuck = [view for view in progress.agents if view.label.startswith("slow")]
        if progress.done >= 10 and len(stuck) >= 2 and not interrupted:
            interrupted.append(time.monotonic())
            review.interrupt()

    review = Review(discover(str(root)), title="tree", workers=3, watch=watch)
    outcome = review.run()
    assert interrupted and time.monotonic() - interrupted[0] < 2
    assert outcome.interrupted and not outcome.complete
    assert 10 <= outcome.covered < outcome.found == 42
    assert f"interrupted: {outcome.covered} of 42 files" in outcome.page
    # The agents end beside the making of the page. Two seconds are promised; on a busy machine, three times that.
    ours = [child for child in psutil.Process().children(recursive=True) if child not in before]
    _, left = psutil.wait_procs(ours, timeout=max(0.1, interrupted[0] + 6 - time.monotonic()))
    assert not left


def test_an_interruption_before_anything_is_done_gives_an_empty_report(tmp_path: Path) -> None:
    """A6: at any moment."""
    review = Review(discover(str(make_tree(tmp_path, 5))), title="tree")
    review.interrupt()
    outcome = review.run()
    assert outcome.interrupted and outcome.covered == 0 and "0 of 5 files" in outcome.page


def test_a_keyboard_interrupt_in_the_program_does_the_same(tmp_path: Path) -> None:
    """A6: who runs a review without the command may press Ctrl-C, too."""

    def press(progress: Progress) -> None:
        if progress.phase == "analysing":
            raise KeyboardInterrupt

    outcome = Review(discover(str(make_tree(tmp_path, 5))), title="tree", watch=press).run()
    assert outcome.interrupted and "interrupted" in outcome.page


def test_a_review_whose_agents_cannot_work_fails_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A1: a missing extra is not blamed on the files."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text("import sys\nsys.modules['tree_sitter'] = None\n")
    monkeypatch.setenv("PYTHONPATH", f"{site}{os.pathsep}{Path(__file__).parents[2]}")
    root = make_tree(tmp_path / "tree", 3)
    (root / "a.js").write_text("function f() {}\n")
    with pytest.raises(ReviewFailed, match=r"ConfigError.*actors-hub") as caught:
        Review(discover(str(root)), title="tree").run()
    assert isinstance(caught.value.__cause__, ConfigError)


def test_two_reviews_run_side_by_side(tmp_path: Path) -> None:
    """J1: no global state."""
    outcomes: dict[int, int] = {}

    def run(number: int) -> None:
        root = make_tree(tmp_path / str(number), 10 + number)
        outcomes[number] = Review(discover(str(root)), title="tree", workers=1).run().covered

    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(50)
    assert outcomes == {0: 10, 1: 11}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_standard_library_is_reviewed_with_no_failed_task_and_every_file_accounted_for() -> None:
    """A1, D3: as many files as a walk counts, and the totals of an independent count."""
    root = Path(os.__file__).parent
    suffixes = (".py", ".pyi", ".pyw", ".c", ".h", ".sh", ".bash", ".js", ".mjs", ".cjs", ".jsx", ".ts", ".tsx", ".go")
    suffixes += (".java", ".rb", ".rs", ".cc", ".cpp", ".cxx", ".hpp", ".hh")
    names = []
    for top, folders, files in os.walk(root):
        folders[:] = [one for one in folders if one not in {"site-packages", "__pycache__"}]
        names += [os.path.join(top, one) for one in files if one.lower().endswith(suffixes)]
    lines = size = 0
    for name in names:
        data = Path(name).read_bytes()
        lines += data.count(b"\n") + bool(data and not data.endswith(b"\n"))
        size += len(data)
    outcome = Review(discover(str(root)), title="the standard library").run()
    totals = outcome.code.totals
    assert outcome.complete and totals.files == totals.analysed + totals.reported == len(names)
    assert (totals.lines.total, totals.bytes) == (lines, size)
    assert {span.status for span in outcome.run.spans} == {"completed"}
