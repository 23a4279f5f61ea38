"""What tools said of files, kept by the content of files and by all else that decides."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.analysis.measure import analyse_file
from actors.analysis.source import MAX_BYTES
from actors.quality.check import check_files
from actors.quality.command import Ended
from actors.quality.finding import QualityReport
from actors.review.cache import ReportCache
from actors.review.checkplan import CheckPlan, plan_checks, remember_checks
from actors.review.discover import discover
from actors.worker import Worker

BAD = "import os\nimport zlib\n\nimport other\n\n\ndef f(x):\n    assert x\n    return undefined\n"
WORSE = "import subprocess\n\nsubprocess.run('ls', shell=True)\ntoken = 'a8Fk2Lq9Zx7Wv4Tn1Bc5'\n"  # pragma: allowlist secret
SHELL = "#!/bin/sh\necho $1\ncd /tmp\n"
RULES = "lint.select = ['F', 'E', 'I', 'INP', 'EXE']\n"


class Checks:
    """Reviews' checks of one tree with one cache, without agents; `ran` says which tools looked at what."""

    def __init__(self, root: Path, cache: Path) -> None:
        self.root = root
        self.cache = ReportCache(str(cache))
        self.ran: list[tuple[str, tuple[str, ...]]] = []
        self.meanwhile: Callable[[], object] = lambda: None
        self.notes: list[str] = []

    def run(self, argv: Sequence[str], **options: Any) -> Ended:
        files = tuple(sorted(one.removeprefix("./") for one in argv[argv.index("--") + 1 :]))
        self.ran.append((os.path.basename(argv[0]), files))
        ended = Worker().run(argv, **options)
        self.meanwhile()
        return ended

    def plan(self, *, fresh: bool = False) -> tuple[CheckPlan, Mapping[str, Any]]:
        found = discover(str(self.root))
        if fresh:
            return plan_checks(found.root, found.files, {}, None, os.environ), {}
        known = self.cache.known(found.root, found.files, MAX_BYTES)
        new = [analyse_file(path, found.root) for path in found.files if path not in known.reports]
        contents = {path: report.sha256 for path, report in known.reports.items()}
        plan = plan_checks(found.root, found.files, contents, self.cache, os.environ)
        self.notes += filter(None, [plan.note, *known.notes, self.cache.remember(found.root, new, known.stamps)])
        return plan, known.stamps

    def review(self, *, fresh: bool = False) -> QualityReport:
        self.ran.clear()
        plan, stamps = self.plan(fresh=fresh)
        reports = [check_files(group.paths, plan.root, group.tools, self.run) for group in plan.groups]
        if not fresh:
            note = remember_checks(self.cache.folder, plan, reports, stamps)
            self.notes += filter(None, [note])
        return plan.joined(reports)

    def looked(self) -> dict[str, set[str]]:
        """The files that each tool was given."""
        return {tool: {path for name, files in self.ran if name == tool for path in files} for tool, _ in self.ran}


@pytest.fixture
def checks(tmp_path: Path) -> Checks:
    root = tmp_path / "tree"
    (root / "pkg").mkdir(parents=True)
    (root / "ruff.toml").write_text(RULES)
    (root / "pkg" / "bad.py").write_text(BAD)
    (root / "worse.py").write_text(WORSE)
    (root / "broken.py").write_text("def f(:\n")
    (root / "run.sh").write_text(SHELL)
    (root / "more.sh").write_text(SHELL)
    (root / "page.js").write_text("var x\n")
    return Checks(root, tmp_path / "cache")


ALL = {"pkg/bad.py", "worse.py", "broken.py"}


def test_a_second_review_starts_no_tool_and_says_the_same(checks: Checks) -> None:
    """A1: findings of linters and scanners, skipped tools too."""
    first = checks.review()
    assert checks.looked() == {"ruff": ALL, "bandit": ALL, "shellcheck": {"run.sh", "more.sh"}}
    second = checks.review()
    assert checks.ran == [] and checks.plan()[0].groups == ()
    assert second == first == checks.review(fresh=True)
    assert {one.tool for one in first.findings} == {"ruff", "bandit", "shellcheck", "secrets"}
    assert [skip.tool for skip in first.skipped] == ["eslint"]
    assert checks.notes == []


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (lambda root: (root / "worse.py").write_text(WORSE * 2), {"ruff": {"worse.py"}, "bandit": {"worse.py"}}),
        (lambda root: (root / "new.py").write_text(BAD), None),
        (lambda root: (root / "pkg" / "copy.py").write_text(BAD), {"ruff": {"pkg/copy.py"}, "bandit": {"pkg/copy.py"}}),
        (lambda root: (root / "broken.py").unlink(), None),
        (lambda root: (root / "ruff.toml").write_text("lint.select = ['D']\n"), {"ruff": ALL}),
        (lambda root: (root / "pkg" / "ruff.toml").write_text(RULES), {"ruff": {"pkg/bad.py"}}),
        (lambda root: (root / ".bandit").write_text("[bandit]\nskips = B101\n"), {"bandit": ALL}),
        (lambda root: (root / ".shellcheckrc").write_text("disable=all\n"), {"shellcheck": {"run.sh", "more.sh"}}),
        (lambda root: (root / "run.sh").write_text(SHELL * 2), {"shellcheck": {"run.sh", "more.sh"}}),
        (lambda root: (root / "README.md").write_text("x"), {}),
        (lambda root: os.utime(root / "worse.py"), {}),
    ],
    ids=["one", "new module", "new file", "gone", "rules", "nearer rules", "bandit", "rc", "script", "other", "time"],
)
def test_what_changed_is_checked_and_no_more(
    checks: Checks, edit: Callable[[Path], object], expected: dict[str, set[str]] | None
) -> None:
    """A1: one file; all files of a tool whose settings changed; what is said is what would be said without a cache."""
    checks.review()
    edit(checks.root)
    found = checks.review()
    if expected is not None:
        assert checks.looked() == expected
    assert found == checks.review(fresh=True)


_EDITS = st.sampled_from(
    [
        *(
            (name, text)
            for name in ("a.py", "pkg/a.py", "other.py", "pkg/sub/__init__.py")
            for text in (BAD, WORSE, "")
        ),
        *(("ruff.toml", text) for text in ("", RULES, "lint.per-file-ignores = {'pkg/**' = ['F']}\n")),
        *(("pyproject.toml", text) for text in ("[tool.ruff]\nsrc = ['lib']\n", "[tool.bandit]\nskips = ['B101']\n")),
        *(("run.sh", text) for text in (SHELL, "#!/bin/sh\n. ./lib.sh\necho $a\n")),
        *(("lib.sh", text) for text in ("a=1\n", SHELL)),
        ("lib/other.py", ""),
        (".shellcheckrc", "disable=SC2086\n"),
        ("pkg/a.py", None),
        ("ruff.toml", None),
        ("other.py", None),
        ("lib.sh", None),
        ("a.py", "+x"),
    ]
)


@pytest.mark.timeout(300)
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.lists(_EDITS, min_size=1, max_size=3), min_size=1, max_size=4))
def test_with_a_cache_a_review_says_what_it_says_without(rounds: list[list[tuple[str, str | None]]]) -> None:
    """A1: after any edits, back and forth."""
    with tempfile.TemporaryDirectory() as folder:
        checks = Checks(Path(folder, "tree"), Path(folder, "cache"))
        checks.root.mkdir()
        (checks.root / "start.py").write_text(BAD)
        for edits in rounds:
            for name, text in edits:
                path = checks.root / name
                if text == "+x" and path.exists():
                    path.chmod(0o755)
                elif text is None:
                    path.unlink(missing_ok=True)
                elif text != "+x":
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(text)
            assert checks.review() == checks.review(fresh=True)
        again = checks.review()
        assert {tool for tool, _ in checks.ran} <= {"shellcheck"}
        assert again == checks.review(fresh=True)


def test_scripts_that_call_each_other_are_always_checked_together(checks: Checks) -> None:
    """A1: shellcheck follows from one to another among those that it is given."""
    (checks.root / "run.sh").write_text("#!/bin/sh\n. ./more.sh\necho $a\n")
    first = checks.review()
    assert checks.review() == first == checks.review(fresh=True)
    checks.review()
    assert checks.looked() == {"shellcheck": {"run.sh", "more.sh"}}


def test_another_checkout_with_the_same_files_is_known_with_its_own_paths(checks: Checks, tmp_path: Path) -> None:
    """A1: by content; what is the same there in another folder is another place."""
    first = checks.review()
    other = Checks(tmp_path / "elsewhere" / "copy", tmp_path / "cache")
    shutil.copytree(checks.root, other.root)
    for path in other.root.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    other.review()  # The hashes of the files are learned.
    assert other.ran == []
    assert other.review() == first
    assert str(checks.root) not in str(other.review())
    (other.root / "pkg").rename(other.root / "moved")
    assert other.review() == other.review(fresh=True)
    assert {one.path for one in other.review().findings} >= {"moved/bad.py"}


def test_a_file_or_setting_that_changed_while_it_was_checked_is_not_kept(checks: Checks) -> None:
    """A1: nobody knows what the tool saw."""
    checks.meanwhile = lambda: (checks.root / "worse.py").write_text(WORSE + f"# {len(checks.ran)}\n")
    checks.review()
    checks.meanwhile = lambda: None
    assert checks.review() == checks.review(fresh=True)
    (checks.root / "worse.py").write_text(BAD)
    checks.meanwhile = lambda: (checks.root / "ruff.toml").write_text(f"lint.select = ['D']  # {len(checks.ran)}\n")
    checks.review()
    checks.meanwhile = lambda: None
    assert checks.review() == checks.review(fresh=True)
    checks.review()
    assert checks.ran == []


def test_a_tool_that_fails_is_asked_again(checks: Checks, monkeypatch: pytest.MonkeyPatch) -> None:
    """A1: a failure is told and not kept; what the other tools said is."""
    (checks.root / "ruff.toml").write_text("nonsense = 1\n")
    first = checks.review()
    assert any(one.rule == "tool-failed" and one.tool == "ruff" for one in first.findings)
    again = checks.review()
    assert set(checks.looked()) == {"ruff"} and again == first
    (checks.root / "ruff.toml").write_text(RULES)
    assert checks.review() == checks.review(fresh=True)


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE entries SET body = 'x'",
        "UPDATE entries SET body = '[[1]]', checksum = 3070325047",
        "UPDATE entries SET body = '{}', checksum = 2745614147",
        "UPDATE entries SET body = NULL",
        "UPDATE entries SET body = x'00ff'",
        "UPDATE entries SET used = 'long ago'",
        "DROP TABLE entries",
        "DELETE FROM places",
    ],
)
def test_damage_costs_time_and_no_review(checks: Checks, harm: str) -> None:
    """A1: whatever lies in the cache."""
    first = checks.review()
    with sqlite3.connect(checks.cache.folder + "/reports-1.sqlite3") as database:
        database.execute(harm)
    database.close()
    assert checks.review() == first
    assert checks.review() == first and checks.ran == []


def test_a_cache_that_is_none_costs_time_and_no_review(checks: Checks) -> None:
    """A1: a file of something else."""
    first = checks.review()
    Path(checks.cache.folder, "reports-1.sqlite3").write_bytes(b"no database" * 1000)
    assert checks.review() == first and "damaged" in " ".join(checks.notes)
    checks.review()
    assert checks.review() == first and checks.ran == []


def test_a_missing_tool_is_told_each_time_and_nothing_is_kept_of_it(
    checks: Checks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A1: reported as skipped, never silently."""
    from actors.quality import tool

    real = tool.find_program
    monkeypatch.setattr(tool, "find_program", lambda name: None if name == "bandit" else real(name))
    for _ in range(2):
        assert {skip.tool for skip in checks.review().skipped} == {"bandit", "eslint"}
    assert checks.ran == []
    monkeypatch.undo()
    assert checks.review() == checks.review(fresh=True)
    checks.review()
    assert checks.ran == []


def test_old_entries_are_forgotten(checks: Checks, monkeypatch: pytest.MonkeyPatch) -> None:
    """A1: what nobody asks for in thirty days goes when something is kept."""
    checks.review()
    path = checks.cache.folder + "/reports-1.sqlite3"
    with sqlite3.connect(path) as database:
        (count,) = database.execute("SELECT count(*) FROM entries").fetchone()
        database.execute("UPDATE entries SET used = ?", (int(time.time()) - 31 * 86_400,))
    database.close()
    assert checks.cache.keep({"one": "more"}) == ""
    with sqlite3.connect(path) as database:
        assert count > 5 and database.execute("SELECT key FROM entries").fetchall() == [("one",)]
    database.close()


def test_the_same_bytes_at_another_place_are_judged_for_their_place(checks: Checks) -> None:
    """A1: settings by path, and folders that are no packages."""
    (checks.root / "ruff.toml").write_text("lint.select = ['F', 'INP']\nlint.per-file-ignores = {'pkg/*' = ['F']}\n")
    checks.review()
    (checks.root / "top.py").write_text(BAD)
    found = checks.review()
    assert found == checks.review(fresh=True)
    rules = {(one.path, one.rule) for one in found.findings if one.tool == "ruff"}
    assert ("top.py", "F821") in rules and ("pkg/bad.py", "F821") not in rules and ("pkg/bad.py", "INP001") in rules


def test_git_ignores_do_not_matter(checks: Checks) -> None:
    """A1: in a repository as outside of one."""
    subprocess.run(["git", "init", "-q", str(checks.root)], check=True)
    first = checks.review()
    assert checks.review() == first and checks.ran == []
