"""A second review reads and starts nothing where nothing changed; a first one runs its checks side by side."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from actors.review.cache import ReportCache
from actors.review.changes import Changes
from actors.review.discover import discover
from actors.review.extras import Wanted
from actors.review.outcome import Outcome
from actors.review.review import Review
from tests.review.test_assessment import git
from tests.review.trees import REPOSITORY, make_tree

BIN = Path(sys.executable).parent
TOOLS = ("ruff", "bandit", "shellcheck")

# In all processes: tools are looked for in a folder of fakes, and what is opened in the tree is written down.
SITE = """
import os, sys, sysconfig

real = sysconfig.get_path
sysconfig.get_path = lambda name, *rest, **more: (
    os.environ["REVIEW_TEST_BIN"] if name == "scripts" else real(name, *rest, **more)
)
tree = os.environ["REVIEW_TEST_TREE"] + os.sep
busy = False

def hear(event, arguments):
    global busy
    if event == "open" and not busy and isinstance(arguments[0], (str, bytes)):
        busy = True
        path = os.path.join(os.getcwd(), os.fsdecode(arguments[0]))
        if path.startswith(tree) and not path.startswith(tree + ".git" + os.sep):
            # Each time anew: agents close what they inherit, and use its number for something else.
            log = os.open(os.environ["REVIEW_TEST_OPENED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(log, (path[len(tree):] + "\\n").encode())
            os.close(log)
        busy = False

sys.addaudithook(hear)
"""
# It writes down what it was given, and is then the real one.
FAKE = """#!{python}
import os, sys
with open(os.environ["REVIEW_TEST_RAN"], "a") as log:
    log.write("\\t".join(["{name}", *sys.argv[1:]]) + "\\n")
os.execv("{real}", ["{real}", *sys.argv[1:]])
"""
# It waits until it runs twice at the same time.
BARRIER = """#!{python}
import os, sys, time
folder = os.environ["REVIEW_TEST_RAN"] + ".met"
os.makedirs(folder, exist_ok=True)
open(os.path.join(folder, str(os.getpid())), "w").close()
end = time.monotonic() + 20
while len(os.listdir(folder)) < 2 and time.monotonic() < end:
    time.sleep(0.01)
if len(os.listdir(folder)) < 2:
    open(folder + ".never", "w").close()
print("[]")
"""


class Reviews:
    """Reviews of a tree in processes that tell what they open and start."""

    def __init__(self, root: Path, log: Path, cache: Path) -> None:
        self.root, self._log, self._cache = root, log, cache
        self._ran, self._opened = log / "ran", log / "opened"
        self.limit: Changes | None = None

    def run(self) -> Outcome:
        for path in (self._ran, self._opened):
            path.write_text("")
        found = discover(str(self.root))
        wanted = Wanted(checks=True, history=True)
        cache = ReportCache(str(self._cache))
        return Review(found, title="tree", workers=2, cache=cache, changes=self.limit, wanted=wanted).run()

    @property
    def ran(self) -> dict[str, set[str]]:
        """The files that each tool was given."""
        given: dict[str, set[str]] = {}
        for line in self._ran.read_text().splitlines():
            name, *arguments = line.split("\t")
            given.setdefault(name, set()).update(
                one.removeprefix("./") for one in arguments[arguments.index("--") + 1 :]
            )
        return given

    @property
    def opened(self) -> set[str]:
        """The source files that were opened by processes of Python."""
        names = map(os.path.normpath, self._opened.read_text().splitlines())
        return {name for name in names if name.endswith((".py", ".sh"))}


def fakes(folder: Path, text: str, names: tuple[str, ...] = TOOLS) -> None:
    folder.mkdir()
    for name in names:
        (folder / name).write_text(text.format(python=sys.executable, name=name, real=BIN / name))
        (folder / name).chmod(0o755)


@pytest.fixture
def reviews(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reviews:
    root = make_tree(tmp_path / "tree", 12, 2)
    (root / "bad.py").write_text("import subprocess\nsubprocess.call(input(), shell=True)\n")
    (root / "run.sh").write_text("#!/bin/sh\necho $1\n")
    (root / "ruff.toml").write_text("lint.select = ['F', 'E', 'I']\n")
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "one")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(SITE)
    fakes(tmp_path / "bin", FAKE)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'site'}{os.pathsep}{REPOSITORY}")
    for name, value in (("BIN", "bin"), ("TREE", "tree"), ("OPENED", "opened"), ("RAN", "ran")):
        monkeypatch.setenv(f"REVIEW_TEST_{name}", str(tmp_path / value))
    real = sysconfig.get_path
    monkeypatch.setattr(
        sysconfig,
        "get_path",
        lambda name, *rest, **more: str(tmp_path / "bin") if name == "scripts" else real(name, *rest, **more),
    )
    return Reviews(root, tmp_path, tmp_path / "cache")


@contextmanager
def listening(reviews: Reviews) -> Iterator[set[str]]:
    """What this process itself opens in the tree. A hook cannot be taken away: it is told when to be deaf."""
    heard: set[str] = set()
    deaf = [False]

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and not deaf[0] and isinstance(arguments[0], str):
            path = os.path.abspath(arguments[0])
            if path.startswith(f"{reviews.root}/") and path.endswith((".py", ".sh")):
                heard.add(path)

    sys.addaudithook(hear)
    try:
        yield heard
    finally:
        deaf[0] = True


def kinds(outcome: Outcome) -> set[str]:
    return {span.kind for span in outcome.run.spans}


@pytest.mark.timeout(240)
def test_a_second_review_opens_no_file_and_starts_no_tool(reviews: Reviews, monkeypatch: pytest.MonkeyPatch) -> None:
    """A1: proven by tools that write down their calls, and by what all processes of Python open."""
    import time

    real = time.time_ns
    # The files were written long before they are looked at.
    monkeypatch.setattr(time, "time_ns", lambda: real() + 10**10)
    names = {path.name for path in reviews.root.iterdir() if path.suffix in {".py", ".sh"}}
    python = names - {"run.sh"}
    first = reviews.run()
    assert reviews.ran == {"ruff": python, "bandit": python, "shellcheck": {"run.sh"}} and reviews.opened == names
    with listening(reviews) as heard:
        second = reviews.run()
    assert (reviews.ran, reviews.opened, heard) == ({}, set(), set())
    assert not {kind for kind in kinds(second) if kind.startswith(("file_analysis", "quality_check", "git_"))}
    assert second.assessment == first.assessment and second.code == first.code
    assert first.assessment.history is not None and first.assessment.history.commits == 1
    assert {one.tool for one in first.assessment.findings} >= {"ruff", "bandit", "shellcheck"}

    (reviews.root / "bad.py").write_text("import os\n")
    third = reviews.run()
    assert reviews.ran == {"ruff": {"bad.py"}, "bandit": {"bad.py"}}
    assert not {kind for kind in kinds(third) if kind.startswith("git_")}
    assert {one.rule for one in third.assessment.findings if one.path == "bad.py"} == {"F401"}

    (reviews.root / "ruff.toml").write_text("lint.select = ['D100']\n")
    fourth = reviews.run()
    assert reviews.ran == {"ruff": python}
    assert sum(one.rule == "D100" for one in fourth.assessment.findings) == len(python)

    git(reviews.root, "commit", "-qam", "two")
    fifth = reviews.run()
    assert reviews.ran == {} and "git_operation.history" in kinds(fifth)
    assert fifth.assessment.history is not None and fifth.assessment.history.commits == 2

    # What a limited review reports comes from the cache as well.
    reviews.limit = Changes("HEAD", "0" * 40, ("bad.py",), ())
    limited = reviews.run()
    assert reviews.ran == {} and {one.path for one in limited.assessment.findings if one.tool == "ruff"} == {"bad.py"}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_two_checks_run_at_the_same_time(
    reviews: Reviews, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, busy: bool
) -> None:
    """A1: also while the machine is short of processors, which a review itself makes it."""
    make_tree(reviews.root / "more", 450, 1)
    fakes(tmp_path / "barrier", BARRIER, ("ruff",))
    monkeypatch.setenv("REVIEW_TEST_BIN", str(tmp_path / "barrier"))
    burners = [
        subprocess.Popen(["nice", "-n", "19", sys.executable, "-S", "-c", "while True: pass"])
        for _ in range(2 * (os.cpu_count() or 1) if busy else 0)
    ]
    try:
        outcome = reviews.run()
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()
    assert not (tmp_path / "ran.met.never").exists()
    assert len(list((tmp_path / "ran.met").iterdir())) >= 2
    assert not [one for one in outcome.assessment.findings if one.rule == "tool-failed"]
