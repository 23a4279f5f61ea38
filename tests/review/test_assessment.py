"""Score, findings, comparison with an earlier report, and what a branch changed."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from actors.analysis.filereport import FileReport, FunctionReport, ImportReport
from actors.analysis.filereport import Finding as Fault
from actors.analysis.lines import LineCounts
from actors.analysis.measure import analyse_file
from actors.quality.finding import Finding, QualityReport, Skip, fingerprinted
from actors.review.assessment import Assessment, assess, selected
from actors.review.changes import NoChanges, changes_since
from actors.review.codereport import CodeReport
from actors.review.compare import BadBaseline, Baseline, read_baseline
from actors.review.discover import discover
from actors.review.markdown import render_markdown
from actors.review.reduce import reduce_reports
from actors.review.report import render_report
from tests.review.trees import make_tree

LINT = Finding("ruff", "F401", "warning", "a.py", 3, 1, None, "`os` imported but unused", mend="remove it")
RISK = Finding("bandit", "B602", "error", "a.py", 9, None, None, "a shell", kind="security")


def report(path: str, *complexities: int, lines: int = 100, imports: str = "", fault: str = "") -> FileReport:
    return FileReport(
        path,
        "python",
        "analysed",
        bytes=lines * 10,
        lines=LineCounts(lines, lines),
        functions=tuple(FunctionReport(f"f{n}", 1 + n, 9 + n, one, 0, 9) for n, one in enumerate(complexities)),
        imports=(ImportReport(imports, 1),) if imports else (),
        findings=(Fault(1, 1, fault),) if fault else (),
    )


def document(code: CodeReport, assessment: Assessment) -> dict[str, object]:
    return {"format": 2, **assessment.to_dict(), "report": code.to_dict()}


def baseline(tmp_path: Path, code: CodeReport, assessment: Assessment | None = None) -> Baseline:
    path = tmp_path / "earlier.json"
    path.write_text(json.dumps(document(code, assessment or assess(code))))
    return read_baseline(str(path))


# The score


def test_a_tree_without_fault_has_all_the_points() -> None:
    """A1: and nothing at all has them, too."""
    assert assess(reduce_reports([report("a.py", 1, 2, 3)])).score.value == 100
    assert assess(reduce_reports([])).score.value == 100


def test_the_score_is_what_its_parts_leave() -> None:
    """A1: it explains itself: the parts add up, each says what was measured and where to begin."""
    code = reduce_reports(
        [
            report("a.py", 30, 1, imports="b"),
            report("b.py", 2, imports="a"),
            report("large.py", 2, lines=2_000),
            report("broken.py", 1, fault="does not parse"),
        ]
    )
    score = assess(code).score
    parts = {part.name: part for part in score.parts}
    assert score.value == round(
        100 * (1 - sum(part.lost for part in score.parts) / sum(p.points for p in score.parts)), 1
    )
    assert parts["complexity"].value == round(100 * 30 / 36, 2) and parts["complexity"].lost == 30
    assert parts["complexity"].places == ("a.py",)
    assert parts["large files"].value == round(100 * 2000 / 2300, 2)
    assert parts["import cycles"].value == 50 and "1 cycle" in parts["import cycles"].reason
    assert parts["files with errors"].places == ("broken.py",)
    assert score.left_out == ("lint", "security")


def test_checks_that_did_not_run_count_neither_for_nor_against() -> None:
    """A1: with them there are two parts more."""
    code = reduce_reports([report("a.py", 1)])
    assert assess(code, QualityReport()).score.value == 100
    found = assess(code, QualityReport(fingerprinted([LINT, RISK]))).score
    parts = {part.name: part for part in found.parts}
    assert not found.left_out and parts["lint"].value == 1 and parts["security"].lost == 20
    assert "1 error found in 100 lines of code" in parts["security"].reason


# Findings


def test_the_analysis_has_findings_of_its_own_with_a_mend() -> None:
    """A1: one format for all: what does not parse, cycles, complex functions, unreadable files."""
    code = reduce_reports(
        [
            report("a.py", 60, 30, 20, imports="b"),
            report("b.py", imports="a", fault="does not parse"),
            FileReport("c.py", "python", "reported", "undecodable", "no UTF-8"),
        ]
    )
    made = assess(code)
    assert [(one.severity, one.rule, one.path) for one in made.findings] == [
        ("error", "syntax", "b.py"),
        ("error", "undecodable", "c.py"),
        ("warning", "import-cycle", "a.py"),
        ("warning", "complexity", "a.py"),
        ("note", "complexity", "a.py"),
    ]
    assert made.severities == {"error": 2, "warning": 2, "note": 1}
    assert len({one.fingerprint for one in made.findings}) == 5


def test_no_complex_function_is_missing_however_many_there_are() -> None:
    """A1: the table of hot spots is cut, the findings are not."""
    code = reduce_reports([report(f"m{n}.py", 25, 22) for n in range(40)])
    assert len(assess(code).findings) == 80


# Compared with an earlier report


def test_what_got_better_and_what_got_worse_is_told(tmp_path: Path) -> None:
    """A1: files, measures, findings; lines that moved are no change."""
    before = reduce_reports([report("a.py", 30), report("b.py", 3, fault="x"), report("gone.py", 2)])
    now = reduce_reports([report("a.py", 12), report("b.py", 60, lines=150), report("new.py", 2)])
    made = assess(now, baseline=baseline(tmp_path, before)).comparison
    assert made is not None and made.got_worse
    assert [(one.path, one.measure, one.before, one.now) for one in made.worse] == [
        ("b.py", "complexity", 3, 60),
        ("b.py", "most complex function", 3, 60),
    ]
    assert [(one.path, one.measure) for one in made.better] == [
        ("a.py", "complexity"),
        ("a.py", "most complex function"),
        ("b.py", "problems"),
    ]
    assert [one.path for one in made.new] == ["b.py"]
    assert {(path, rule) for path, rule, _ in made.gone} == {("a.py", "complexity"), ("b.py", "syntax")}
    assert (made.added, made.removed) == (("new.py",), ("gone.py",))


def test_the_same_tree_is_neither_better_nor_worse(tmp_path: Path) -> None:
    """A1: nothing is told that did not happen."""
    code = reduce_reports([report("a.py", 30, imports="b"), report("b.py", 3, imports="a", fault="x")])
    quality = QualityReport(fingerprinted([LINT, RISK]))
    made = assess(code, quality, baseline=baseline(tmp_path, code, assess(code, quality))).comparison
    assert made is not None and not made.got_worse
    assert not (made.worse or made.better or made.new or made.gone or made.added or made.removed or made.totals)
    moved = QualityReport(fingerprinted([replace(LINT, line=30), RISK]))
    again = assess(code, moved, baseline=baseline(tmp_path, code, assess(code, quality))).comparison
    assert again is not None and not again.new


def test_what_was_not_looked_for_then_or_now_is_neither_new_nor_gone(tmp_path: Path) -> None:
    """A1: a report without checks compares with one that has them by what both looked for."""
    code = reduce_reports([report("a.py", 30)])
    quality = QualityReport(fingerprinted([LINT, RISK]))
    later = assess(code, quality, baseline=baseline(tmp_path, code)).comparison
    earlier = assess(code, baseline=baseline(tmp_path, code, assess(code, quality))).comparison
    for one in (later, earlier):
        assert one is not None and not one.new and not one.gone and one.score_before is None


def test_a_report_of_the_first_format_is_compared_by_its_measures(tmp_path: Path) -> None:
    """A1: it had neither findings nor a score."""
    path = tmp_path / "old.json"
    path.write_text(json.dumps({"format": 1, "report": reduce_reports([report("a.py", 3)]).to_dict()}))
    made = assess(reduce_reports([report("a.py", 60)]), baseline=read_baseline(str(path))).comparison
    assert made is not None and len(made.worse) == 2 and not made.new and made.score_before is None


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "is something else"),
        (b'{"format": 9, "report": {}}', "format 9"),
        (b'{"format": 2, "report": {}}', "lacks"),
        (b'{"format": 2, "report": {"files": [{"path": "a"}], "totals": {}}}', "lacks"),
        (b'{"format": 2, "report": {"files": 3, "totals": {}}}', "lacks"),
    ],
)
def test_what_is_no_report_is_refused_with_the_reason(tmp_path: Path, content: bytes, why: str) -> None:
    """A1: bad input."""
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(BadBaseline, match=why):
        read_baseline(str(path))


# What a branch changed


def git(folder: Path, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    identity = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main")
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = make_tree(tmp_path / "tree", 4)
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "one")
    git(root, "checkout", "-qb", "work")
    return root


def test_changed_is_what_was_committed_edited_or_added_since_the_branch_left(repository: Path) -> None:
    """A1: what the base got meanwhile is not the branch's doing."""
    (repository / "m0001.py").write_text("x = 1\n")
    git(repository, "commit", "-qam", "two")
    (repository / "m0002.py").write_text("x = 2\n")
    name = "ä new\nname.py"
    (repository / name).write_text("x = 3\n")
    (repository / "m0003.py").unlink()
    git(repository, "branch", "side", "main")
    git(repository, "worktree", "add", "-q", "../other", "main")
    (repository.parent / "other" / "m0000.py").write_text("x = 4\n")
    git(repository.parent / "other", "commit", "-qam", "three")
    made = changes_since(str(repository), "main")
    assert made.files == tuple(sorted(["m0001.py", "m0002.py", name])) and made.deleted == ("m0003.py",)
    assert made.commit == git(repository, "rev-parse", "side")
    below = repository / "below"
    below.mkdir()
    (below / "b.py").write_text("")
    assert changes_since(str(below), "main").files == ("b.py",)


def test_the_report_is_limited_to_what_changed_and_knows_the_rest(repository: Path) -> None:
    """A1: a cycle that a branch closes is found, although the other file did not change."""
    (repository / "m0000.py").write_text("import m0003\n")
    changes = changes_since(str(repository), "main")
    found = discover(str(repository))
    reports = [analyse_file(path, found.root) for path in found.files]
    code = reduce_reports(reports, limit=changes.files)
    assert [one.path for one in code.files] == ["m0000.py"] and code.totals.files == 1
    assert [cycle.files for cycle in code.graph.cycles] == [("m0000.py", "m0001.py", "m0002.py", "m0003.py")]
    assert not code.graph.outside


def test_what_cannot_be_compared_is_refused_with_the_reason(repository: Path, tmp_path: Path) -> None:
    """A1: bad input."""
    with pytest.raises(NoChanges, match="expected a branch, tag or commit"):
        changes_since(str(repository), "nothing")
    with pytest.raises(NoChanges, match="expected a branch, tag or commit"):
        changes_since(str(repository), "--output=x")
    git(repository, "checkout", "-q", "--orphan", "alone")
    git(repository, "commit", "-qm", "x")
    with pytest.raises(NoChanges, match="no commit in common"):
        changes_since(str(repository), "main")
    (tmp_path / "plain").mkdir()
    with pytest.raises(NoChanges, match="is in none"):
        changes_since(str(tmp_path / "plain"), "main")
    git(tmp_path / "plain", "init", "-q")
    with pytest.raises(NoChanges):
        changes_since(str(tmp_path / "plain"), "HEAD")


def test_a_shallow_clone_says_what_is_missing(repository: Path, tmp_path: Path) -> None:
    """A1: as CI makes it."""
    for number in range(3):
        (repository / "m0001.py").write_text(f"x = {number}\n")
        git(repository, "commit", "-qam", "more")
    git(tmp_path, "clone", "-q", "--depth", "1", "-b", "work", f"file://{repository}", "shallow")
    git(tmp_path / "shallow", "fetch", "-q", "--depth", "1", "origin", "main:main")
    with pytest.raises(NoChanges, match="--unshallow"):
        changes_since(str(tmp_path / "shallow"), "main")


# Pages


def test_names_and_messages_can_do_nothing_in_the_pages() -> None:
    """I4: escaped in HTML and in Markdown."""
    evil = "<img src=x onerror=alert(1)>|`](javascript:x)\n# @everyone"
    found = Finding(evil, evil, "error", evil, 1, 1, None, evil, mend=evil, url=evil)
    made = assess(reduce_reports([report(evil, 30)]), QualityReport((found,), skipped=(Skip(evil, evil, evil),)))
    page = render_report(reduce_reports([report(evil, 30)]), title=evil, assessment=made)
    assert "<img" not in page
    text = render_markdown(reduce_reports([report(evil, 30)]), made, title=evil, notes=(evil,))
    assert "<img" not in text.replace("\\<img", "") and "\n# @" not in text and " @everyone" not in text
    # The rows of the rules have a column more than those of the findings.
    assert {line.count(" | ") for line in text.splitlines() if line.startswith("| error")} == {3, 4}


def test_a_rule_that_is_found_everywhere_hides_no_other() -> None:
    """A1: a reader of the page and of the Markdown sees each rule; the table of rules says how often."""
    everywhere = [Finding("bandit", "B101", "note", "a.py", line, 1, None, "assert") for line in range(1, 1001)]
    rare = [Finding("bandit", f"B6{n:02}", "note", "z.py", n, 1, None, "rare") for n in range(1, 6)]
    worst = Finding("ruff", "F821", "error", "z.py", 9, 1, None, "undefined")
    made = assess(reduce_reports([report("a.py", 3)]), QualityReport((*everywhere, *rare, worst)))
    text = render_markdown(reduce_reports([report("a.py", 3)]), made, title="x")
    page = render_report(reduce_reports([report("a.py", 3)]), title="x", assessment=made)
    for rule in ("F821", "B101", *(one.rule for one in rare)):
        assert f" | {rule} | " in text and text.count(f" | {rule} |") >= 2 and f">{rule}<" in page
    assert "| note | bandit | B101 | 1,000 | 1 |" in text
    assert text.index("| error | `z.py:9`") < text.index("| note | `a.py:1`") < text.index("| note | `z.py:1`")
    assert "300 of 1,006" in page and page.count("rare") >= 5
    assert selected(made.findings, 300, 20)[0] == made.findings[0] and len(selected(made.findings, 2000, 20)) == 1006
    few = selected(made.findings, 10, 3)
    assert [one.rule for one in few] == ["F821", *["B101"] * 4, *(one.rule for one in rare)]


def test_markdown_says_the_figures_that_count(tmp_path: Path) -> None:
    """A1: score, findings, what changed."""
    before = reduce_reports([report("a.py", 3)])
    code = reduce_reports([report("a.py", 60)])
    made = assess(code, baseline=baseline(tmp_path, before))
    text = render_markdown(code, made, title="x")
    assert f"**Score: {made.score.value:.1f} of 100**, before: 100.0" in text
    assert "1 finding new" in text and "`a.py:1`" in text and "| `a.py` | complexity | 3 | 60 |" in text
