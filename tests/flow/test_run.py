"""Workflows under way, as the command runs them: results between tasks, failures, and where an earlier run was."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from actors import ActorSystem, TaskSpec
from actors.cli import main
from actors.errors import JournalError
from actors.flow.flow import read
from actors.flow.past import once_name
from actors.flow.run import FlowRun
from actors.flow.source import parse
from actors.flow.view import SilentView
from actors.runtime.journal.inspection import list_tasks

# Each run is a program of its own, and some tests need three, one after the other.
pytestmark = pytest.mark.timeout(240)

RESULTS = """\
name: letters
vars: {greeting: Dear}
tasks:
  names:
    type: command
    data: {argv: "printf 'Ada\\\\nGrace\\\\n'", shell: true}
  each:
    type: command
    matrix: {case: [upper, lower]}
    data:
      argv: [PYTHON, -c, "import sys; print([one.${{ matrix.case }}() for one in sys.argv[1:]])", "${{ tasks.names.result.stdout | lines }}"]
  page:
    type: template_processing
    data:
      operation: render
      template: "{{ greeting }} {% for one in cases %}{{ one.stdout }}{% endfor %}"
      rules: {autoescape: false}
      context: {greeting: "${{ vars.greeting }}", cases: "${{ tasks.each.result }}"}
""".replace("PYTHON", sys.executable)


def start(folder: Path, *words: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "actors", "run", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        **options,
    )


def run(folder: Path, *words: str) -> tuple[int, str, str]:
    process = start(folder, *words)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def report(folder: Path, *words: str) -> tuple[int, dict[str, Any]]:
    code, out, err = run(folder, *words, "--json", "-", "-q")
    return code, json.loads(out) if out else {"err": err}


def wait_for(path: Path, text: str, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 100
    while not (path.exists() and text in path.read_text()):
        assert process.poll() is None and time.monotonic() < until, process.communicate()
        time.sleep(0.01)


def test_results_go_from_task_to_task(tmp_path: Path) -> None:
    """D3: a matrix's as a list, in its order; nothing is left beside the file."""
    (tmp_path / "f.yaml").write_text(RESULTS)
    code, told = report(tmp_path, "f.yaml", "--var", "greeting=To")
    assert (code, told["status"]) == (0, "completed"), told
    assert told["tasks"]["page"]["result"] == "To ['ADA', 'GRACE']\n['ada', 'grace']\n"
    assert [path.name for path in tmp_path.iterdir()] == ["f.yaml"]


@pytest.mark.slow
def test_a_run_tells_of_each_task_and_of_its_output(tmp_path: Path) -> None:
    """D7: each line of output before the end of its task."""
    (tmp_path / "f.yaml").write_text(RESULTS)
    code, out, err = run(tmp_path, "f.yaml", "-v")
    assert code == 0 and out.startswith("letters: completed in "), (out, err)
    assert err.index("names | Grace") < err.index("✓ names  completed")
    assert "✓ each[upper]  completed" in err


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, in which the command is called without a process of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def test_a_dry_run_does_nothing_and_shows_the_graph(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """C5: as text, and as a picture."""
    (here / "f.yaml").write_text(RESULTS)
    assert main(["run", "f.yaml", "--dry-run", "--picture", "f.svg"]) == 0
    said = capsys.readouterr()
    assert said.err == "" and "after all 2 of each" in said.out
    assert (here / "f.svg").read_text().startswith("<svg ")
    assert sorted(path.name for path in here.iterdir()) == ["f.svg", "f.yaml"]


def test_wrong_usage_ends_with_2_and_says_why(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A1: a wrong file with its line; nothing runs."""
    (here / "f.yaml").write_text("tasks:\n  a:\n    type: comand\n")
    (here / "good.yaml").write_text(RESULTS)
    (here / "folder").mkdir()
    for words, said in (
        (["f.yaml"], "f.yaml:3: there is no task type 'comand'"),
        (["none.yaml"], "No such file"),
        (["folder"], "directory"),
        ([], "which workflow?"),
        (["good.yaml", "--journal", "j", "--no-journal"], "exclude each other"),
        (["good.yaml", "--json", "folder"], "cannot write to 'folder'"),
        (["good.yaml", "--json", "-", "--picture", "-"], "standard output"),
        (["good.yaml", "--var", "no=1"], "no variable 'no'"),
    ):
        assert main(["run", *words]) == 2, words
        told = capsys.readouterr()
        assert told.out == "" and said in told.err, words
    with pytest.raises(SystemExit, match="2"):
        main(["run", "good.yaml", "--var", "x"])


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """A1: for editors."""
    assert main(["run", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"].startswith("A workflow")


FAILS = """\
name: fails
vars: {code: "7"}
tasks:
  good: {type: command, data: {argv: "echo good >> log", shell: true}}
  bad:
    type: command
    after: good
    attempts: 2
    data: {argv: "echo bad >> log; echo why it failed >&2; exit $CODE", shell: true, env: {CODE: "${{ vars.code }}"}}
  last: {type: command, after: bad, data: {argv: "echo last >> log", shell: true}}
"""


@pytest.mark.slow
def test_a_failure_ends_with_1_and_the_next_run_goes_on_from_it(tmp_path: Path) -> None:
    """D3, D4, F3: what was completed stays so, what failed is tried again, also after the workflow was mended."""
    (tmp_path / "f.yaml").write_text(FAILS)
    log = tmp_path / "log"
    code, out, err = run(tmp_path, "f.yaml")
    assert code == 1 and "1 task failed, 1 not done" in out
    assert "✗ bad  failed" in err and "ended with 7" in err and "why it failed" in err
    assert log.read_text().split() == ["good", "bad", "bad"]
    code, told = report(tmp_path, "f.yaml")
    assert code == 1 and told["tasks"]["good"]["resumed"] and told["tasks"]["bad"]["attempts"] == 2
    assert log.read_text().split() == ["good", "bad", "bad", "bad", "bad"]
    log.unlink()
    code, told = report(tmp_path, "f.yaml", "--var", "code=0")
    assert code == 0 and log.read_text().split() == ["bad", "last"]
    code, told = report(tmp_path, "f.yaml", "--var", "code=0")
    assert code == 0 and log.read_text().split() == ["bad", "last", "good", "bad", "last"]


@pytest.mark.slow
def test_a_run_can_begin_anew(tmp_path: Path) -> None:
    """F3: --fresh forgets, --no-journal keeps nothing."""
    (tmp_path / "f.yaml").write_text(FAILS)
    log = tmp_path / "log"
    run(tmp_path, "f.yaml")
    _code, told = report(tmp_path, "f.yaml", "--fresh")
    assert not told["tasks"]["good"]["resumed"] and log.read_text().split().count("good") == 2
    (tmp_path / "f.yaml.journal").unlink()
    run(tmp_path, "f.yaml", "--no-journal")
    assert not (tmp_path / "f.yaml.journal").exists()


def test_a_journal_of_others_is_refused_and_stays_as_it_is(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """F3: a run cancels what is not wanted any more and removes the journal at its end; neither may befall others."""
    with ActorSystem(host="thread", journal="app.journal") as system:
        assert system.submit(abs, -1).result(timeout=20) == 1
    flow = read(parse("name: one\ntasks: {a: {type: general, data: {callable: 'builtins:abs', args: [-1]}}}", "f.yaml"))
    name = once_name("an/other", "d", "b", "a", 0)
    with ActorSystem(host="thread", journal="other.journal") as system:
        system.submit_task(TaskSpec(type="general", data={"callable": "builtins:abs", "args": [-2]}, once=name)).result(
            timeout=20
        )
    (here / "f.yaml").write_text("name: one\ntasks: {a: {type: command, data: {argv: ['true']}}}\n")
    for journal, whose in (("app.journal", "another program"), ("other.journal", "the workflow 'an/other'")):
        before = list_tasks(here / journal)
        with pytest.raises(JournalError, match=f"has tasks of {whose}, and the workflow 'one' cannot share it"):
            FlowRun(flow, here / journal, SilentView()).run()
        assert main(["run", "f.yaml", "--journal", journal, "--fresh"]) == 3
        assert whose in capsys.readouterr().err
        assert list_tasks(here / journal) == before


def test_what_is_no_journal_is_not_removed(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """F3: somebody has named the wrong file."""
    (here / "f.yaml").write_text("tasks: {a: {type: command, data: {argv: ['true']}}}\n")
    (here / "notes.txt").write_text("mine\n" * 1000)
    for words in ([], ["--fresh"]):
        assert main(["run", "f.yaml", "--journal", "notes.txt", *words]) == 3
        assert "notes.txt" in capsys.readouterr().err
    assert (here / "notes.txt").read_text() == "mine\n" * 1000


def test_the_journal_of_the_environment_is_for_programs(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A4: a workflow's is that which its command names, or none."""
    monkeypatch.setenv("ACTORS_JOURNAL", str(here / "app.journal"))
    (here / "f.yaml").write_text("tasks: {a: {type: command, data: {argv: ['true']}}}\n")
    assert main(["run", "f.yaml", "--no-journal", "-q"]) == 0
    assert [path.name for path in here.iterdir()] == ["f.yaml"]


class Failing(SilentView):
    """A watcher that cannot go on, as one whose terminal is gone."""

    def started(self, task: str, agent: str) -> None:
        raise BrokenPipeError


def test_when_a_watcher_fails_nobody_waits_for_what_runs() -> None:
    """F2: the error comes through, and the command has ended with its tree."""
    source = parse("max_agents: 2\ntasks: {a: {type: command, data: {argv: [sleep, 600]}}}", "f.yaml")
    with pytest.raises(BrokenPipeError):
        FlowRun(read(source), None, Failing()).run()


@pytest.mark.slow
def test_a_failure_that_may_be_skipped_stops_nothing(tmp_path: Path) -> None:
    """D3: its default stands for its result, and its dependents run."""
    (tmp_path / "f.yaml").write_text(
        "tasks:\n"
        "  a: {type: command, data: {argv: ['false']}, on_failure: skip, default: {stdout: nothing}}\n"
        "  b: {type: command, data: {argv: [echo, '${{ tasks.a.result.stdout }}', '${{ tasks.a.status }}']}}\n"
    )
    code, told = report(tmp_path, "f.yaml")
    assert (code, told["tasks"]["a"]["status"]) == (0, "skipped")
    assert told["tasks"]["b"]["result"]["stdout"] == "nothing skipped\n"


@pytest.mark.slow
def test_a_place_that_a_result_does_not_have_fails_its_own_task(tmp_path: Path) -> None:
    """D3: known only when the result is there; it names the place."""
    (tmp_path / "f.yaml").write_text(
        "tasks:\n"
        "  a: {type: command, data: {argv: [echo, x]}}\n"
        "  b: {type: command, data: {argv: [echo, '${{ tasks.a.result.output }}']}}\n"
    )
    code, told = report(tmp_path, "f.yaml")
    assert code == 1 and "tasks.a.result has no 'output'" in told["tasks"]["b"]["error"], told


LONG = """\
name: long
tasks:
  first: {type: command, data: {argv: "echo first >> log", shell: true}}
  middle:
    type: command
    data: {argv: "echo middle >> log; while [ ! -e go ]; do sleep 0.05; done; echo ${{ tasks.first.status }}", shell: true}
  last: {type: command, after: middle, data: {argv: "echo last >> log; echo ${{ tasks.middle.result.stdout }}", shell: true}}
"""


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGKILL,
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
    ],
)
def test_after_a_kill_in_the_middle_the_next_run_goes_on_where_it_was(tmp_path: Path, number: signal.Signals) -> None:
    """F3: what was completed is not done again, what ran is, what came after it is done; all with their results."""
    (tmp_path / "f.yaml").write_text(LONG)
    log = tmp_path / "log"
    process = start(tmp_path, "f.yaml")
    wait_for(log, "middle", process)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == (-9 if number == signal.SIGKILL else 128 + number), err
    (tmp_path / "go").touch()
    code, told = report(tmp_path, "f.yaml")
    assert code == 0, told
    assert log.read_text().split() == ["first", "middle", "middle", "last"]
    assert [one["resumed"] for one in told["tasks"].values()] == [True, False, False]
    assert told["tasks"]["last"]["result"]["stdout"] == "completed\n"


@pytest.mark.slow
def test_what_must_not_run_twice_does_not_after_a_kill(tmp_path: Path) -> None:
    """D8: it fails, and says that it may have run; only then somebody who runs it again means it."""
    (tmp_path / "f.yaml").write_text(LONG.replace("  middle:\n", "  middle:\n    idempotent: false\n"))
    log = tmp_path / "log"
    process = start(tmp_path, "f.yaml")
    wait_for(log, "middle", process)
    process.kill()
    process.communicate(timeout=60)
    (tmp_path / "go").touch()
    code, told = report(tmp_path, "f.yaml")
    assert code == 1 and "must not run twice" in told["tasks"]["middle"]["error"], told
    assert log.read_text().split() == ["first", "middle"]


@pytest.mark.slow
def test_work_that_the_workflow_has_no_more_does_not_go_on(tmp_path: Path) -> None:
    """F3: a task that was changed is other work."""
    (tmp_path / "f.yaml").write_text(LONG)
    log = tmp_path / "log"
    process = start(tmp_path, "f.yaml")
    wait_for(log, "middle", process)
    process.kill()
    process.communicate(timeout=60)
    (tmp_path / "f.yaml").write_text(LONG.replace("while [ ! -e go ]; do sleep 0.05; done", "true"))
    code, told = report(tmp_path, "f.yaml")
    assert code == 0 and told["tasks"]["first"]["resumed"] and not told["tasks"]["middle"]["resumed"], told


@pytest.mark.slow
def test_one_run_at_a_time_has_the_journal(tmp_path: Path) -> None:
    """F3: a second one is refused and harms nothing."""
    (tmp_path / "f.yaml").write_text(LONG)
    process = start(tmp_path, "f.yaml")
    wait_for(tmp_path / "log", "middle", process)
    code, _out, err = run(tmp_path, "f.yaml")
    assert code == 3 and re.search("in use|has it open|another program", err), err
    (tmp_path / "go").touch()
    assert process.communicate(timeout=60)[0].startswith("long: completed") and process.returncode == 0


def test_workers_of_its_own_take_part(tmp_path: Path) -> None:
    """A1: named by module and class, found where the command runs."""
    (tmp_path / "mine.py").write_text(
        "from actors import Worker, task\n\n\nclass Doubler(Worker):\n"
        "    @task(type='double')\n    def double(self, number: int) -> int:\n        return 2 * number\n"
    )
    (tmp_path / "f.yaml").write_text(
        "workers: ['mine:Doubler']\ntasks:\n  a: {type: double, data: {number: 4}}\n"
        "  b: {type: double, data: {number: '${{ tasks.a.result }}'}}\n"
    )
    code, told = report(tmp_path, "f.yaml")
    assert code == 0 and told["tasks"]["b"]["result"] == 16, told


@pytest.mark.slow
def test_the_limits_of_a_workflow_hold_for_its_commands(tmp_path: Path) -> None:
    """E2: with all that they start."""
    hungry = "x = bytearray(10**9)\nfor n in range(0, len(x), 4096): x[n] = 1\nimport time; time.sleep(60)"
    flow = {
        "limits": {"memory": "300M"},
        "tasks": {"a": {"type": "command", "data": {"argv": [sys.executable, "-c", hungry]}, "retries": 0}},
    }
    (tmp_path / "f.json").write_text(json.dumps(flow))
    code, told = report(tmp_path, "f.json")
    assert code == 1 and "memory" in told["tasks"]["a"]["error"].lower(), told
