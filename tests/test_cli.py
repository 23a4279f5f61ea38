"""The command `actors`, run as a person or a script runs it."""

from __future__ import annotations

import json
import os
import pty
import re
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from actors.hosts.lastwords import MEMORY_SIZE
from tests.review.trees import REPOSITORY, make_tree, poison

COMMAND = [sys.executable, "-m", "actors"]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


def run(*arguments: str, cwd: Path, timeout: float = 50) -> subprocess.CompletedProcess[str]:
    if arguments[:1] == ("review",) and "--checks" not in arguments:
        # Linters and the history have tests of their own, and take seconds.
        arguments = (*arguments, "--no-checks", "--no-history")
    return subprocess.run(
        [*COMMAND, *(one for one in arguments if one != "--checks")],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "tree", 30)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


# What scripts rely on


def test_a_review_leaves_the_report_and_says_where(tree: Path, work: Path) -> None:
    """A1: exit code 0, the summary on standard output, one file in the folder."""
    done = run("review", str(tree), cwd=work)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("30 files, 3,630 lines, 600 functions")
    assert done.stdout.rstrip().endswith(f"Report: {work}/actors-review.html")
    assert [one.name for one in work.iterdir()] == ["actors-review.html"]
    assert "m0007.py" in (work / "actors-review.html").read_text()


def test_the_figures_of_the_json_are_those_of_the_report(tree: Path, work: Path) -> None:
    """A1: --json and --html tell the same, and so does the summary."""
    (tree / "bad.py").write_text("def f(:\n")
    done = run("review", str(tree), "--json", "out/r.json", "--html", "out/r.html", cwd=work)
    assert done.returncode == 0, done.stderr
    data = json.loads((work / "out" / "r.json").read_text())
    page = (work / "out" / "r.html").read_text()
    totals = data["report"]["totals"]
    assert (data["complete"], data["files_found"], data["files_covered"], data["analyses_failed"]) == (True, 31, 31, 0)
    assert totals["files"] == totals["analysed"] + totals["reported"] == len(data["report"]["files"]) == 31
    figures = re.findall(r"<li[^>]*><b>([\d.,]+)</b>", page)
    assert figures[:5] == [
        f"{data['score']['value']:.1f}",
        "31",
        f"{totals['lines']['total']:,}",
        f"{totals['functions']:,}",
        f"{totals['mean_complexity']:.2f}",
    ]
    assert done.stdout.startswith(f"31 files, {totals['lines']['total']:,} lines, {totals['functions']:,} functions")
    assert sum(one["lines"] for one in data["report"]["files"]) == totals["lines"]["total"]
    assert {one["status"] for one in data["run"]["spans"]} == {"completed"}


def test_json_on_standard_output_is_nothing_but_json(tree: Path, work: Path) -> None:
    """A1: `--json -` can be piped on; the summary goes to standard error."""
    done = run("review", str(tree), "--json", "-", cwd=work)
    assert json.loads(done.stdout)["files_found"] == 30
    assert "30 files" in done.stderr and "Report:" in done.stderr


def test_quiet_prints_where_the_report_is_and_nothing_else(tree: Path, work: Path) -> None:
    """A1: --quiet."""
    done = run("review", str(tree), "--quiet", cwd=work)
    assert (done.stdout, done.stderr) == (f"Report: {work}/actors-review.html\n", "")


def test_problems_fail_only_on_request(tree: Path, work: Path) -> None:
    """A1: --fail-on-problems gives 1 for what does not parse or cannot be read."""
    assert run("review", str(tree), "--fail-on-problems", "-q", cwd=work).returncode == 0
    (tree / "bad.py").write_text("def f(:\n")
    assert run("review", str(tree), "-q", cwd=work).returncode == 0
    assert run("review", str(tree), "--fail-on-problems", "-q", cwd=work).returncode == 1


def test_a_review_that_lost_a_file_says_so_by_its_exit_code(
    tmp_path: Path, tree: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D8: 3 when the review is incomplete; the report is there all the same."""
    poison(monkeypatch, tmp_path / "site")
    (tree / "kill.py").write_text("x = 1\n")
    done = run("review", str(tree), cwd=work)
    assert done.returncode == 3
    assert "The analysis of 1 file has failed" in done.stdout and "kill.py" in done.stdout
    assert "analysis failed" in (work / "actors-review.html").read_text()


def test_workers_says_how_many_agents_analyse(tree: Path, work: Path) -> None:
    """C1: --workers."""
    run("review", str(tree), "--workers", "1", "--json", "r.json", "-q", cwd=work)
    spans = json.loads((work / "r.json").read_text())["run"]["spans"]
    assert {one["agent"] for one in spans if one["kind"] == "file_analysis"} == {"file_analyzer-1"}


def test_larger_files_are_reported_without_being_read(tree: Path, work: Path) -> None:
    """A1: --max-bytes."""
    (tree / "large.py").write_text("x = 1\n" * 2000)
    done = run("review", str(tree), "--max-bytes", "10K", "--json", "r.json", "-q", cwd=work)
    assert done.returncode == 0
    troubles = json.loads((work / "r.json").read_text())["report"]["troubles"]
    assert [(one["path"], one["problem"]) for one in troubles] == [("large.py", "huge")]


# Help, version, bad input


def test_help_and_version_help(work: Path) -> None:
    """A1: examples and exit codes stand in the help."""
    text = run("review", "--help", cwd=work).stdout
    for word in ("examples:", "exit codes:", "actors review .", "--fail-on-problems", "130"):
        assert word in text
    assert "review" in run("--help", cwd=work).stdout
    version = run("--version", cwd=work)
    assert version.returncode == 0 and version.stdout.startswith("actors ")


def test_bad_input_gets_one_line_and_code_2(tree: Path, work: Path) -> None:
    """A1: what was expected, what came; nothing is left."""
    (work / "file").write_text("")
    (work / "folder").mkdir()
    cases = [
        (["review", "no/such/path"], "nothing at 'no/such/path'"),
        (["review", "file"], "file in a language"),
        (["review", str(tree), "--html", "file/x.html"], "cannot write to 'file/x.html'"),
        (["review", str(tree), "--html", "folder"], "cannot write to 'folder'"),
        (["review", str(tree), "--html", "x", "--json", "./x"], "name the same file"),
        (["review", str(tree), "--workers", "0"], "expected a number from 1 to 1024, got '0'"),
        (["review", str(tree), "--workers", "two"], "expected a number from 1 to 1024, got 'two'"),
        (["review", str(tree), "--max-bytes", "big"], "expected bytes"),
        (["review"], "PATH"),
        (["revue"], "invalid choice"),
        ([], "COMMAND"),
        (["review", str(tree), "--unknown"], "--unknown"),
    ]
    for arguments, words in cases:
        done = run(*arguments, cwd=work)
        assert done.returncode == 2, (arguments, done.stderr)
        assert words in done.stderr and "Traceback" not in done.stderr, (arguments, done.stderr)
        assert done.stdout == ""
    assert sorted(one.name for one in work.iterdir()) == ["file", "folder"]


def test_a_wrong_setting_in_the_environment_is_told(tree: Path, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A4: it names the key, the value and what is allowed."""
    monkeypatch.setenv("ACTORS_RETRIES", "many")
    done = run("review", str(tree), cwd=work)
    assert done.returncode == 2 and "retries" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(("module", "extra"), [("rich", "cli"), ("jinja2", "review"), ("tree_sitter", "review")])
def test_a_missing_extra_is_named(
    tmp_path: Path, tree: Path, work: Path, monkeypatch: pytest.MonkeyPatch, module: str, extra: str
) -> None:
    """A1: it says what to install."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "import importlib.util, sys\n"
        "real = importlib.util.find_spec\n"
        f"importlib.util.find_spec = lambda name, *a: None if name == {module!r} else real(name, *a)\n"
        f"sys.modules[{module!r}] = None\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{site}{os.pathsep}{REPOSITORY}")
    done = run("review", str(tree), cwd=work)
    assert done.returncode == 3 and f"pip install 'actors-hub[{extra}]'" in done.stderr
    assert os.listdir(work) == []


def test_all_missing_extras_are_named_at_once(tree: Path, work: Path) -> None:
    """A1: who has installed the library alone is not sent from one extra to the next."""
    code = (
        "import importlib.util, sys\n"
        "importlib.util.find_spec = lambda name, *a: None\n"
        "from actors.cli import main\n"
        f"sys.exit(main(['review', {str(tree)!r}]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=work, capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 3 and "pip install 'actors-hub[cli,review]'" in done.stderr
    assert all(name in done.stderr for name in ("rich", "jinja2", "tree_sitter"))


def test_a_full_disk_leaves_no_half_report(tmp_path: Path, work: Path) -> None:
    """A1: an error and an exit code; an older report stays."""
    (work / "actors-review.html").write_text("older")
    # There is room for the status memory of an agent, which counts as a file, and not for a report of so many files.
    room = 2 * MEMORY_SIZE
    tree = make_tree(tmp_path / "large", 250, functions=10)
    done = subprocess.run(
        [*COMMAND, "review", str(tree), "--no-checks", "--no-history"],
        cwd=work,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        # Files may not grow beyond this: the kernel refuses as it does when the disk is full.
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
    )
    assert done.returncode == 3 and "cannot be written" in done.stderr and "Traceback" not in done.stderr
    assert os.listdir(work) == ["actors-review.html"] and (work / "actors-review.html").read_text() == "older"


def test_a_device_is_written_to_and_not_replaced(tree: Path, work: Path) -> None:
    """A1: --html /dev/null."""
    assert run("review", str(tree), "--html", "/dev/null", "-q", cwd=work).returncode == 0
    assert not os.path.isfile("/dev/null")


def test_a_reader_that_goes_away_is_no_traceback(tree: Path, work: Path) -> None:
    """A1: `actors review . | head -1`."""
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [*COMMAND, "review", str(tree), "--no-checks", "--no-history"],
        cwd=work,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writing)
    os.close(reading)
    _, errors = process.communicate(timeout=50)
    assert "Traceback" not in errors and "Exception" not in errors
    assert (work / "actors-review.html").exists()


# Signals


@pytest.fixture
def slow(tmp_path: Path, tree: Path, work: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[str]]:
    """A review in a process group of its own, in the middle: some files are done, two agents sit in theirs."""
    poison(monkeypatch, tmp_path / "site", slow=60)
    for number in range(2):
        (tree / f"slow{number}.py").write_text("x = 1\n" * 20_000)
    arguments = ["review", str(tree), "--no-checks", "--no-history", "--workers", "3", "--json", "r.json"]
    process = subprocess.Popen(
        [*COMMAND, *arguments], cwd=work, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
    )
    try:
        # Two agents sleep in their tasks and the third, done with the rest, has no more to do.
        deadline = time.monotonic() + 30
        while process.poll() is None and not _stuck(process.pid) and time.monotonic() < deadline:
            select.select([], [], [], 0.05)
        assert process.poll() is None, process.communicate()
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=20)


def _stuck(pid: int) -> bool:
    """Whether there are three agents, and none of them has done anything for a while."""
    seen: set[tuple[float, ...]] = set()
    for _ in range(4):
        try:
            # The program's child is the launcher, whose children are the agents.
            agents = [agent for launcher in psutil.Process(pid).children() for agent in launcher.children()]
            seen.add(tuple(sum(agent.cpu_times()[:2]) for agent in agents))
        except psutil.NoSuchProcess:
            # Something is still on its way, as the short-lived process that forks an agent.
            return False
        select.select([], [], [], 0.15)
    return len(seen) == 1 and len(seen.pop()) == 3


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interruption_ends_it_in_two_seconds_with_a_partial_report(
    slow: subprocess.Popen[str], work: Path, number: signal.Signals, code: int
) -> None:
    """A6: Ctrl-C goes to the whole process group; what is done is in the report, nothing is left running."""
    everyone = psutil.Process(slow.pid).children(recursive=True)
    assert len(everyone) >= 4
    sent = time.monotonic()
    os.killpg(slow.pid, number)
    out, errors = slow.communicate(timeout=20)
    assert time.monotonic() - sent < 2
    assert slow.returncode == code and "Traceback" not in errors
    assert psutil.wait_procs(everyone, timeout=2)[1] == []
    data = json.loads((work / "r.json").read_text())
    assert data["interrupted"] and not data["complete"]
    assert 0 < data["files_covered"] == data["report"]["totals"]["files"] <= 30 and data["files_found"] == 32
    assert out.startswith(f"The review was interrupted: {data['files_covered']} of 32 files")
    assert "interrupted" in (work / "actors-review.html").read_text()


def test_a_second_interruption_ends_it_at_once(slow: subprocess.Popen[str]) -> None:
    """A6: without a traceback, and nothing is left running."""
    everyone = psutil.Process(slow.pid).children(recursive=True)
    os.killpg(slow.pid, signal.SIGINT)
    os.killpg(slow.pid, signal.SIGTERM)
    _, errors = slow.communicate(timeout=20)
    assert slow.returncode in {130, 143} and "Traceback" not in errors
    assert psutil.wait_procs(everyone, timeout=2)[1] == []


def test_a_killed_command_leaves_nothing_running_and_no_half_report(slow: subprocess.Popen[str], work: Path) -> None:
    """A6: kill -9; the agents are gone within two seconds."""
    everyone = psutil.Process(slow.pid).children(recursive=True)
    slow.kill()
    slow.wait(timeout=20)
    assert psutil.wait_procs(everyone, timeout=2)[1] == []
    assert os.listdir(work) == []


# On a terminal


def test_a_terminal_sees_the_agents_at_work(tree: Path, work: Path) -> None:
    """D7, C5: live progress, taken away before the summary."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "review", str(tree), "--no-checks", "--no-history"],
        cwd=work,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm"},
        start_new_session=True,
    )
    os.close(theirs)
    seen = bytearray()
    try:
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:
                break
            if not piece:
                break
            seen += piece
    finally:
        os.close(ours)
        code = process.wait(timeout=50)
    text = seen.decode()
    assert code == 0
    for word in ("Reviewing", "analysing", "file_analyzer-1", "of 30 files", "Report: "):
        assert word in text
    assert text.rindex("Report: ") > text.rindex("Reviewing")


def test_the_command_starts_fast(work: Path) -> None:
    """A1: --version imports nothing that it does not need."""
    code = (
        "import sys; sys.argv = ['actors', '--version']\n"
        "from actors.cli import main\n"
        "try:\n    main()\nexcept SystemExit: pass\n"
        "print(sorted(m for m in ('rich', 'jinja2', 'tree_sitter', 'actors.review.review') if m in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=work, capture_output=True, text=True, timeout=50, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
