"""Trees that are not as they should be: each fault is told in its place, and the rest goes on."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from actors.quality.finding import Finding
from actors.review.discover import discover
from actors.review.document import report_document
from actors.review.outcome import Outcome
from actors.review.summary import render_summary
from tests.gitrepo.made import Made
from tests.review.trees import REPOSITORY, whole_review

BAD = "import os\n"


def review(root: Path | str) -> Outcome:
    outcome = whole_review(discover(str(root)), workers=1)
    json.dumps(report_document(discover(str(root)), outcome, "0", "tree"))
    return outcome


def told(outcome: Outcome) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for one in outcome.assessment.findings:
        found.setdefault(one.path, []).append(one)
    return found


@pytest.mark.slow
def test_whatever_a_file_is_it_is_told_in_its_place_and_the_rest_goes_on(tmp_path: Path) -> None:
    """A1: names of all bytes, loops, what is too large, gone, no text; once each, in a repository with a history."""
    odd = ["with space.py", "line\nfeed.py", os.fsdecode(b"caf\xe9.py"), "-n.py", 'quo"te.py']
    made = Made(tmp_path / "tree")
    root = made.folder
    made.commit(dict.fromkeys(["good.py", *odd], BAD) | {"nul.py": b"x\0y", "latin.py": b"x = '\xe9'\n"})
    (root / "loop.py").symlink_to("loop.py")
    (root / "there.py").symlink_to("back.py")
    (root / "back.py").symlink_to("there.py")
    (root / "nowhere.py").symlink_to("nothing")
    (root / "up").symlink_to("..")
    os.mkfifo(root / "pipe.py")
    for name in ("large.py", "large.yaml", "large.dat"):
        with (root / name).open("wb") as file:
            file.truncate(2 << 30)
    for name in ("vanished.py", "vanished.yaml"):
        (root / name).write_text("x: 1\n")
    found = discover(str(root))
    for name in ("vanished.py", "vanished.yaml"):
        (root / name).unlink()
    outcome = whole_review(found, workers=1)
    json.dumps(report_document(found, outcome, "0", "tree"))
    assert outcome.complete and outcome.notes == ()
    assert ("large.dat", "large data") in {(one.path, one.reason) for one in found.left_out}
    by_path = told(outcome)
    for path, rule in {
        "loop.py": "symlink-loop",
        "there.py": "symlink-loop",
        "back.py": "symlink-loop",
        "nowhere.py": "missing",
        "vanished.py": "missing",
        "vanished.yaml": "missing",
        "large.py": "huge",
        "large.yaml": "too-large",
        "nul.py": "binary",
        "latin.py": "undecodable",
    }.items():
        assert [one.rule for one in by_path[path] if one.tool == "actors"] == [rule], path
    for name in ["good.py", *odd]:
        assert ("ruff", "F401") in [(one.tool, one.rule) for one in by_path[name]], name
    history = outcome.assessment.history
    assert history is not None and {"good.py", *odd} <= {one.path for one in history.files}


@pytest.mark.slow
def test_files_that_change_and_go_while_they_are_looked_at_cost_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A1: between the analysis and the checks, and while a file is being read."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        """
import os
try:
    from actors.analysis import source
except ImportError:
    pass
else:
    real = source._read_bytes

    def read(path, *rest):
        name = os.path.basename(path)
        if name.startswith("going"):
            try:
                os.unlink(path)
            except FileNotFoundError:
                pass
        if name.startswith("growing"):
            with open(path, "a") as file:
                file.write("x = (\\n")
        data = real(path, *rest)
        if name.startswith("gone"):
            try:
                os.unlink(path)
            except FileNotFoundError:
                pass
        return data

    source._read_bytes = read
"""
    )
    monkeypatch.setenv("PYTHONPATH", f"{site}{os.pathsep}{REPOSITORY}")
    root = tmp_path / "tree"
    root.mkdir()
    for name in ("good", "going", "gone", "growing"):
        (root / f"{name}.py").write_text(BAD)
    outcome = review(root)
    assert outcome.complete and outcome.covered == 4
    by_path = told(outcome)
    assert [one.rule for one in by_path["going.py"]] == ["missing"]
    assert {one.rule for one in by_path["gone.py"]} <= {"missing", "E902", "F401", "not-checked", "tool-failed"}
    assert "syntax" in {one.rule for one in by_path["growing.py"]}
    assert ("ruff", "F401") in {(one.tool, one.rule) for one in by_path["good.py"]}


def test_what_may_not_be_read_is_told(tmp_path: Path) -> None:
    """A1: no permission for a file, nor for a folder that git would have looked into."""
    made = Made(tmp_path / "tree")
    made.commit({"good.py": BAD, "closed.py": BAD})
    made.write({"shut/a.py": BAD})
    for folder in itertools.takewhile(lambda one: one != Path(tempfile.gettempdir()), (tmp_path, *tmp_path.parents)):
        folder.chmod(0o755)
    (tmp_path / "dark" / "inner").mkdir(parents=True)
    code = """
import json, os, subprocess, sys
from actors.analysis.measure import analyse_file
from actors.review.discover import discover
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(12345); os.setuid(12345)
found = discover(sys.argv[1])
try:
    discover(sys.argv[2])
except PermissionError:
    pass
told = {name: analyse_file(name, found.root).problem for name in found.files}
print(json.dumps([told, [(one.path, one.reason) for one in found.left_out], found.method]))
"""
    closed = [made.folder / "closed.py", made.folder / "shut", tmp_path / "dark"]
    if os.geteuid() == 0:
        for path in made.folder.rglob("*"):
            os.chown(path, 12345, 12345)
        os.chown(made.folder, 12345, 12345)
    for path in closed:
        path.chmod(0)
    try:
        command = [sys.executable, "-c", code, made.path, str(tmp_path / "dark" / "inner")]
        home = {"HOME": str(tmp_path), "PYTHONPATH": str(REPOSITORY)}
        done = subprocess.run(command, env=os.environ | home, capture_output=True, text=True, check=False, timeout=50)
    finally:
        for path in closed:
            path.chmod(0o755)
    assert done.returncode == 0, done.stderr
    files, left_out, method = json.loads(done.stdout)
    assert files == {"good.py": None, "closed.py": "unreadable"}
    assert left_out == [["shut", "unreadable folder"]] and method == "git"


def of_kind(kind: str, made: Made, folder: Path) -> tuple[Path, int, set[str], str]:
    """A tree to review, made of a repository of two commits; with the commits, files and words to expect."""
    root, files = folder / kind, {"a.py"}
    if kind == "theirs":
        if os.geteuid() != 0:
            pytest.skip("only root can give files away")
        for path in (made.folder, made.folder / ".git"):
            os.chown(path, 12345, 12345)
        return made.folder, 0, files, "another user owns: neither its rules nor its history"
    made_by = {
        "shallow": (["clone", "-q", "--depth", "1", f"file://{made.folder}", str(root)], 1, files, ""),
        "bare": (["clone", "-q", "--bare", ".", str(root)], 0, set[str](), "no checkout of it"),
        "worktree": (["worktree", "add", "-q", str(root), "-b", "side"], 2, files, ""),
    }
    if kind in made_by:
        command, commits, expected, note = made_by[kind]
        made.git(*command)
        return root, commits, expected, note
    if kind == "submodule":
        outer = Made(root)
        outer.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", made.path, "inner")
        outer.commit({"b.py": BAD})
        return root, 1, {"b.py", "inner/a.py"}, ""
    if kind == "detached":
        made.git("checkout", "-q", "--detach", "HEAD~1")
        return made.folder, 1, files, ""
    if kind == "empty":
        Made(root)
    root.mkdir(exist_ok=True)
    (root / "a.py").write_text(BAD)
    return root, 0, files, ""


KINDS = ["none", "theirs", "shallow", "bare", "empty", "submodule", "detached", "worktree"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_repository_is_reviewed(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A1: no repository, another user's, a shallow clone, a bare one, one without commits, submodules."""
    monkeypatch.setenv("HOME", str(tmp_path))
    made = Made(tmp_path / "made")
    made.commit({"a.py": BAD})
    made.commit({"a.py": BAD + "x = 1\n"})
    root, commits, files, note = of_kind(kind, made, tmp_path)
    outcome = review(root)
    assert outcome.complete
    assert {one.path for one in outcome.code.files} == files
    assert {one.path for one in outcome.assessment.findings if one.rule == "F401"} == files
    history = outcome.assessment.history
    assert (0 if history is None else history.commits) == commits
    assert note in " ".join(outcome.notes) and bool(outcome.notes) == bool(note)
    if kind == "shallow":
        assert history is not None and history.shallow and "shallow" in history.notes[0]


@pytest.mark.slow
def test_the_folder_itself_may_have_any_name(tmp_path: Path) -> None:
    """A1: spaces, line feeds and bytes that are no UTF-8 above the files."""
    made = Made(tmp_path / os.fsdecode(b"odd root\ncaf\xe9"))
    made.commit({"sub dir/a.py": BAD, "b.sh": "#!/bin/sh\necho $x\n"})
    outcome = review(made.folder)
    assert outcome.complete and outcome.notes == ()
    found = {(one.rule, one.path) for one in outcome.assessment.findings}
    assert found == {("F401", "sub dir/a.py"), ("SC2086", "b.sh"), ("SC2154", "b.sh")}
    inner = review(made.folder / "sub dir")
    assert {(one.rule, one.path) for one in inner.assessment.findings} == {("F401", "a.py")}
    for one, path in ((outcome, "sub dir/a.py"), (inner, "a.py")):
        assert one.assessment.history is not None
        assert path in {file.path for file in one.assessment.history.files}


# Trees that somebody tries it on without a thought


@pytest.mark.slow
def test_what_is_no_source_file_is_checked_all_the_same(tmp_path: Path) -> None:
    """A1: YAML, notebooks, scripts without a suffix, secrets in settings, as the tools find them by hand."""
    (tmp_path / ".yamllint").write_text("extends: default\n")
    (tmp_path / "a.yaml").write_text("a: 1\na: 2\n")
    (tmp_path / "start").write_text("#!/bin/sh\necho $x\n")
    (tmp_path / ".env").write_text("AWS_KEY=AKIAQ3EGRIMZ7XK2LPVW\n")  # pragma: allowlist secret
    (tmp_path / "prog").write_bytes(b"\x7fELF\0\0")
    cell = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": ["x = undefined\n"]}
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    outcome = review(tmp_path)
    found = {(one.tool, one.rule, one.path, one.line) for one in outcome.assessment.findings}
    by_hand = set()
    for line in by(tmp_path, "yamllint", "-f", "parsable", "a.yaml").splitlines():
        path, number, _, text = line.split(":", 3)
        by_hand.add(("yamllint", text.rpartition("(")[2].rstrip(")"), path, int(number)))
    for one in json.loads(by(tmp_path, "shellcheck", "-f", "json1", "start"))["comments"]:
        by_hand.add(("shellcheck", f"SC{one['code']}", one["file"], one["line"]))
    for one in json.loads(by(tmp_path, "ruff", "check", "--no-cache", "--output-format=json", ".")):
        by_hand.add(("ruff", one["code"], os.path.basename(one["filename"]), one["location"]["row"]))
    assert found == by_hand | {("secrets", "aws-access-key", ".env", 1)} and len(found) >= 6
    assert "No source file" in outcome.page and "aws-access-key" in outcome.page
    lines = [str(part) for part in render_summary(outcome.code, outcome.run, assessment=outcome.assessment)]
    assert any(line.startswith("Findings: ") for line in lines) and any(line.startswith("Score ") for line in lines)


def by(folder: Path, *argv: str) -> str:
    program = str(Path(sys.executable).parent / argv[0])
    done = subprocess.run([program, *argv[1:]], cwd=folder, capture_output=True, text=True, check=False, timeout=50)
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_huge_deep_old_and_minified_code_is_reviewed(tmp_path: Path) -> None:
    """A1: one line of a megabyte, a hundred thousand lines, nesting beyond the parser, Python 2, folders in folders."""
    functions = "".join(f"function f{n}(a){{return a?{n}:b({n})}}" for n in range(25_000))
    (tmp_path / "app.min.js").write_text(f"!function(){{{functions}}}();")
    (tmp_path / "data.py").write_text("X = [\n" + "".join(f"    {n},\n" for n in range(100_000)) + "]\n")
    (tmp_path / "old.py").write_text('print "hello %s" % name\nraise ValueError, "x"\n')
    (tmp_path / "nest.py").write_text("x = " + "(" * 3000 + "1" + ")" * 3000 + "\n")
    (tmp_path / "nest.js").write_text("x = " + "[" * 20_000 + "]" * 20_000 + ";\n")
    deep = tmp_path.joinpath(*(f"d{n}" for n in range(60)))
    deep.mkdir(parents=True)
    (deep / "a.py").write_text(BAD)
    outcome = review(tmp_path)
    assert outcome.complete and outcome.covered == 6
    lines = {one.path: (one.lines, one.functions) for one in outcome.code.files}
    assert lines["app.min.js"] == (1, 25_001) and lines["data.py"] == (100_002, 0)
    assert {one.path for one in outcome.code.troubles if one.is_error} >= {"old.py", "nest.py"}
    assert len(outcome.page) < 1_000_000
