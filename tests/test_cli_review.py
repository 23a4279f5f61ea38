"""What `actors review` offers for CI: cache, comparison, the branch's changes, formats, thresholds."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.review.test_assessment import git
from tests.review.trees import REPOSITORY, make_tree
from tests.test_cli import run

COMPLEX = "def f(a):\n" + "".join(f"    if a == {n}:\n        return {n}\n" for n in range(60)) + "    return a\n"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.setenv("COLUMNS", "100")
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    return cache


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "tree", 10)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def test_a_second_run_analyses_what_changed_and_no_more(tree: Path, work: Path, environment: Path) -> None:
    """A1: the cache lies where XDG says, or where --cache says, or nowhere."""
    first = run("review", str(tree), "--json", "a.json", cwd=work)
    (tree / "new.py").write_text("x = 1\n")
    second = run("review", str(tree), "--json", "b.json", cwd=work)
    assert "10 had not changed" in second.stdout and "had not changed" not in first.stdout
    a, b = (json.loads((work / name).read_text()) for name in ("a.json", "b.json"))
    assert (a["files_known"], b["files_known"], b["files_covered"]) == (0, 10, 11)
    assert os.listdir(environment / "actors" / "review") == ["reports-1.sqlite3"]
    run("review", str(tree), "--cache", "c", "-q", cwd=work)
    assert os.listdir(work / "c") == ["reports-1.sqlite3"]
    third = run("review", str(tree), "--no-cache", "--json", "d.json", cwd=work)
    assert "had not changed" not in third.stdout and json.loads((work / "d.json").read_text())["files_known"] == 0


def test_an_earlier_report_tells_what_got_worse(tree: Path, work: Path) -> None:
    """A1: --since, in the terminal, in all formats, and by the exit code."""
    assert run("review", str(tree), "--json", "a.json", "-q", cwd=work).returncode == 0
    same = run("review", str(tree), "--since", "a.json", "--fail-on-worse", cwd=work)
    assert same.returncode == 0 and "0 new findings, 0 gone" in same.stdout
    (tree / "m0003.py").write_text(COMPLEX)
    done = run(
        "review", str(tree), "--since", "a.json", "--fail-on-worse", "--markdown", "-", "--json", "b.json", cwd=work
    )
    assert done.returncode == 1 and "it got worse since a.json" in done.stderr
    assert "1 finding new" in done.stdout and "m0003.py:1" in done.stdout and done.stdout.startswith("# Review of tree")
    comparison = json.loads((work / "b.json").read_text())["comparison"]
    assert [one["path"] for one in comparison["new"]] == ["m0003.py"] and comparison["got_worse"]
    assert "Since the earlier report" in (work / "actors-review.html").read_text()
    (tree / "m0003.py").write_text("x = 1\n")
    better = run("review", str(tree), "--since", "b.json", "--fail-on-worse", cwd=work)
    assert better.returncode == 0 and "0 new findings, 1 gone" in better.stdout


@pytest.mark.parametrize(
    ("options", "code", "word"),
    [
        (["--fail-under", "100"], 1, "below 100"),
        (["--max-severity", "none"], 1, "1 warnings"),
        (["--max-severity", "note"], 1, "(--max-severity note)"),
        (["--fail-under", "10", "--max-severity", "warning"], 0, ""),
        (["--fail-under", "0", "--max-severity", "error"], 0, ""),
    ],
)
def test_the_exit_code_says_whether_a_threshold_was_kept(
    tree: Path, work: Path, options: list[str], code: int, word: str
) -> None:
    """A1: for CI; the reason is on standard error."""
    (tree / "complex.py").write_text(COMPLEX)
    done = run("review", str(tree), "-q", *options, cwd=work)
    assert done.returncode == code and word in done.stderr and bool(done.stderr) == bool(code)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--since", "missing.json"], "--since: cannot read 'missing.json'"),
        (["--since", "file"], "is not JSON"),
        (["--fail-on-worse"], "--since REPORT.json"),
        (["--diff", "main"], "is in none"),
        (["--cache", "x", "--no-cache"], "exclude each other"),
        (["--cache", "file"], "expected a folder"),
        (["--fail-under", "101"], "expected a number from 0 to 100, got '101'"),
        (["--fail-under", "nan"], "expected a number from 0 to 100"),
        (["--max-severity", "awful"], "awful"),
        (["--markdown", "x", "--json", "./x"], "name the same file"),
        (["--markdown", "-", "--json", "-"], "only one of"),
        (["--osv", "nowhere.zip", "--checks"], "nowhere.zip' is not there"),
        (["--tests", "--no-checks"], "exclude each other"),
        (["--secrets-in-history", "--no-checks"], "exclude each other"),
        (["--osv", "file", "--no-checks"], "exclude each other"),
    ],
)
def test_wrong_usage_says_what_was_expected(tree: Path, work: Path, arguments: list[str], why: str) -> None:
    """A1: exit code 2, and nothing is left behind."""
    (work / "file").write_text("")
    done = run("review", str(tree), *arguments, cwd=work)
    assert done.returncode == 2 and why in done.stderr and "Traceback" not in done.stderr
    assert os.listdir(work) == ["file"]


def test_lint_security_and_history_are_in_every_format(tree: Path, work: Path) -> None:
    """A1: one report for all; the JSON, the page, Markdown and SARIF tell of the same findings."""
    (tree / "bad.py").write_text("import os\nimport subprocess\nsubprocess.call(input(), shell=True)\n")
    git(tree, "init", "-q")
    git(tree, "add", "-A")
    git(tree, "commit", "-qm", "one")
    names = ("--json", "r.json", "--markdown", "r.md", "--sarif", "r.sarif")
    done = run("review", str(tree), "--checks", *names, "--max-severity", "warning", cwd=work)
    assert done.returncode == 1 and "1 errors" in done.stderr, done.stderr
    data = json.loads((work / "r.json").read_text())
    assert {("ruff", "F401"), ("bandit", "B602")} <= {(one["tool"], one["rule"]) for one in data["findings"]}
    assert not data["score"]["left_out"] and data["score"]["value"] < 100
    assert data["history"]["commits"] == 1 and len(data["history"]["files"]) == 11
    page, text = (work / "actors-review.html").read_text(), (work / "r.md").read_text()
    for word in ("F401", "B602", "bad.py"):
        assert word in page and word in text
    assert 'id="history"' in page
    log = json.loads((work / "r.sarif").read_text())
    assert log["version"] == "2.1.0"
    assert sum(len(one["results"]) for one in log["runs"]) == len(data["findings"])
    assert "the history" in {one["label"] for one in data["run"]["spans"]}


@pytest.fixture
def troubled(tree: Path, work: Path) -> Path:
    """A tree with a test that fails, a vulnerable pin and a secret that is history; and a dump of OSV beside it."""
    (tree / "test_it.py").write_text("def test_good():\n    pass\n\n\ndef test_bad():\n    assert 1 == 2\n")
    (tree / "requirements.txt").write_text("badlib==1.0\n")
    (tree / "m0000.py").write_text(f"key = '{'ghp_' + 'a1B2' * 9}'\n")
    git(tree, "init", "-q")
    git(tree, "add", "-A")
    git(tree, "commit", "-qm", "one")
    (tree / "m0000.py").write_text("key = None\n")
    git(tree, "commit", "-qam", "two")
    events = [{"introduced": "0"}, {"fixed": "2.0"}]
    affected = {"package": {"ecosystem": "PyPI", "name": "badlib"}, "ranges": [{"type": "ECOSYSTEM", "events": events}]}
    (work / "osv.json").write_text(json.dumps([{"id": "GHSA-1", "summary": "it is bad", "affected": [affected]}]))
    return tree


FAILED_TEST = ("pytest", "test-failed", "test_it.py")


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), set()),
        (
            ("--tests", "--osv", "osv.json", "--secrets-in-history"),
            {FAILED_TEST, ("osv", "GHSA-1", "requirements.txt"), ("secrets", "github-token", "m0000.py")},
        ),
        # What a branch did not change is no business of a review of that branch; how the tests end is.
        (("--tests", "--osv", "osv.json", "--secrets-in-history", "--diff", "HEAD"), {FAILED_TEST}),
    ],
    ids=["default", "all", "diff"],
)
def test_tests_pins_and_secrets_of_the_history_are_looked_at_when_asked_for(
    troubled: Path, work: Path, options: tuple[str, ...], expected: set[tuple[str, str, str]]
) -> None:
    """A1: each by its option, off by default."""
    done = run("review", str(troubled), "--checks", "--json", "r.json", "-q", *options, cwd=work)
    assert done.returncode == 0, done.stderr
    data = json.loads((work / "r.json").read_text())
    found = {(one["tool"], one["rule"], one["path"]) for one in data["findings"]}
    assert {one for one in found if one[0] in {"pytest", "osv", "secrets"}} == expected
    tests = [] if data["quality"] is None else data["quality"]["tests"]
    assert sorted(one["outcome"] for one in tests) == (["failed", "passed"] if "--tests" in options else [])
    assert not [note for note in data["notes"] if "failed" in note]
