"""Where lines come from, and what cannot be opened."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from actors.errors import ConfigError
from actors.gitrepo.blame import blame
from actors.gitrepo.errors import GitFailed
from actors.gitrepo.lineage import BlameReport
from actors.gitrepo.repository import commit_at, open_repository
from tests.gitrepo.made import Made

ROOT = Path(__file__).parents[2]


def lines_by_git(made: Made, path: str) -> list[str]:
    """The commit of each line, as `git blame` has it."""
    shown = made.raw("blame", "--root", "--line-porcelain", "HEAD", "--", path).split(b"\n")
    heads = [line.split() for line in shown if not line.startswith(b"\t")]
    return [head[0].decode() for head in heads if len(head) in {3, 4} and len(head[0]) == 40]


def look(made: Made, path: str) -> BlameReport:
    repository = open_repository(made.path)
    return blame(repository, commit_at(repository, "HEAD"), path)


def commits_of(report: BlameReport) -> list[str]:
    return [one.commit for one in report.origins for _ in range(one.lines)]


@pytest.fixture
def aged(tmp_path: Path) -> Made:
    made = Made(tmp_path / "aged")
    text = [f"line {number}\n" for number in range(40)]
    made.commit({"f.txt": "".join(text)})
    made.commit({"f.txt": "".join([*text[:10], "new\n", *text[10:]])}, author="Bob <b@x.org>")
    made.git("checkout", "-q", "-b", "side")
    made.commit({"f.txt": "".join(["first\n", *text[:10], "new\n", *text[10:]])})
    made.git("checkout", "-q", "main")
    made.commit({"f.txt": "".join([*text[:10], "new\n", *text[10:30], "late\n", *text[32:]])})
    made.merge("side")
    made.git("mv", "f.txt", "moved to.txt")
    made.commit({})
    return made


def test_lines_come_from_where_git_blame_says(aged: Made) -> None:
    """A1: age of lines, through merges and renames."""
    report = look(aged, "moved to.txt")
    assert commits_of(report) == lines_by_git(aged, "moved to.txt")
    assert (report.lines, report.problem) == (41, None)
    assert [one.line for one in report.origins] == [1, 2, 12, 13, 33, 34]
    assert dict(report.authors) == {"Ada <ada@example.org>": 40, "Bob <b@x.org>": 1}
    times = [
        float(aged.git("log", "-1", "--format=%ct", one.commit)) for one in report.origins for _ in range(one.lines)
    ]
    assert (report.oldest, report.newest, report.median) == (min(times), max(times), sorted(times)[20])


def test_lines_of_this_project_come_from_where_git_blame_says() -> None:
    """A1: on a real history. Where equal lines are neighbours, git has a taste of its own about which of them is new."""
    inside = subprocess.run(["git", "rev-parse", "--is-shallow-repository"], cwd=ROOT, capture_output=True, check=False)
    if inside.stdout.strip() != b"false":
        pytest.skip("no git checkout with its whole history")
    made = Made(ROOT)
    same = total = 0
    for path in ("README.md", "setup.cfg", "actors/system.py", "actors/kernel/actor.py", "actors/runtime/scheduler.py"):
        ours, theirs = commits_of(look(made, path)), lines_by_git(made, path)
        assert len(ours) == len(theirs), path
        same += sum(one == other for one, other in zip(ours, theirs, strict=True))
        total += len(theirs)
    assert same >= total * 0.99


def test_a_file_without_lines_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A1: in its place."""
    from actors.gitrepo import blame as module

    made = Made(tmp_path / "odd")
    made.commit({"bin": b"\0", "dir/x": "x\n", "none": "", "big": "x\n" * 100})
    assert [look(made, path).problem for path in ("bin", "dir", "gone", "none")] == [
        "binary",
        "not_a_file",
        "missing",
        None,
    ]
    assert look(made, "none").to_dict()["lines"] == 0 and look(made, "none").median is None
    monkeypatch.setattr(module, "MOST_BYTES", 100)
    assert look(made, "big").problem == "huge"


def test_lines_of_files_with_any_name_are_found(tmp_path: Path) -> None:
    """A1: spaces, line ends, and bytes that are no UTF-8."""
    made = Made(tmp_path / "names")
    names = ["a b", "line\nend", "umläut", os.fsdecode(b"\xff\xfe")]
    made.commit(dict.fromkeys(names, "x\ny\n"))
    assert [(look(made, name).lines, look(made, name).problem) for name in names] == [(2, None)] * 4


def test_what_is_no_repository_says_what_it_is(tmp_path: Path) -> None:
    """A1: bad input."""
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "hollow" / ".git").mkdir(parents=True)
    for name, words in (
        ("file", "no folder"),
        ("folder", "neither one nor in one"),
        ("gone", "No such file"),
        ("hollow", "not a git repository"),
    ):
        with pytest.raises(GitFailed, match=words) as caught:
            open_repository(str(tmp_path / name))
        assert caught.value.reason == "not_a_repository"
    for wrong in ("", 3, None, "a\0b"):
        with pytest.raises(ConfigError, match="repository is the path"):
            open_repository(wrong)


def test_a_repository_of_another_user_is_refused_with_the_way_out(tmp_path: Path) -> None:
    """A1: safe.directory; its settings could run programs."""
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    made = Made(tmp_path / "theirs")
    made.commit({"a": "a\n"})
    for path in (made.folder, made.folder / ".git"):
        os.chown(path, 12345, 12345)
    with pytest.raises(GitFailed, match=r"git config --global --add safe\.directory") as caught:
        open_repository(made.path)
    assert caught.value.reason == "not_owned"


def test_a_repository_that_may_not_be_read_says_so(tmp_path: Path) -> None:
    """A1: no permission."""
    made = Made(tmp_path / "locked")
    made.commit({"a": "a\n"})
    tmp_path.chmod(0o755)
    code = (
        "import os, sys\n"
        "from actors.gitrepo.errors import GitFailed\n"
        "from actors.gitrepo.repository import open_repository\n"
        "import actors.gitrepo.reading\n"
        "if os.geteuid() == 0:\n"
        "    os.setgroups([]); os.setgid(12345); os.setuid(12345)\n"
        "try:\n"
        "    open_repository(sys.argv[1])\n"
        "except GitFailed as error:\n"
        "    print(error.reason)\n"
    )
    made.folder.chmod(0)
    try:
        done = subprocess.run([sys.executable, "-c", code, made.path], capture_output=True, text=True, check=True)
    finally:
        made.folder.chmod(0o755)
    assert done.stdout == "no_permission\n", (done.stdout, done.stderr)


def test_a_damaged_repository_is_told_apart(tmp_path: Path) -> None:
    """A1: bad input."""
    made = Made(tmp_path / "future")
    made.git("config", "core.repositoryformatversion", "1")
    made.git("config", "extensions.objectFormat", "sha3")
    with pytest.raises(GitFailed) as caught:
        open_repository(made.path)
    assert caught.value.reason in {"unsupported", "damaged"}
