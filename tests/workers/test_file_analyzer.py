"""The worker that looks into source files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from actors.analysis.filereport import FileReport
from actors.core.partplan import PartPlan
from actors.core.taskspec import TaskSpec
from actors.errors import AgentDied, ConfigError, SystemClosed
from actors.system import ActorSystem
from actors.worker import Worker, task
from actors.workers.file_analyzer import FileAnalyzer, analysis_item, analysis_rates, failed_report
from actors.workers.sharing import Sharing, Work, costs_one_file, options_of


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "good.py").write_text("import os\n\n\ndef f(a):\n    return 1 if a else 2\n")
    (tmp_path / "src" / "bad.py").write_text("def f(:\n")
    (tmp_path / "src" / "binary.py").write_bytes(b"\0\1\2")
    (tmp_path / "src" / "page.js").write_text("function g() { return 1 }\n")
    (tmp_path / "src" / "data.txt").write_text("text")
    (tmp_path / "src" / "loop.py").symlink_to(tmp_path / "src" / "loop.py")
    return tmp_path


def test_every_kind_of_file_has_a_report_and_none_is_fatal(tree: Path) -> None:
    """A1: syntax errors are findings; binary and looping files are reported."""
    reports = {one.path: one for one in FileAnalyzer().analyse(["src/**/*"], str(tree))}
    assert sorted(reports) == ["src/bad.py", "src/binary.py", "src/good.py", "src/loop.py", "src/page.js"]
    assert reports["src/good.py"].functions[0].complexity == 2
    assert reports["src/bad.py"].status == "analysed" and reports["src/bad.py"].findings
    assert reports["src/binary.py"].problem == "binary"
    assert reports["src/loop.py"].problem == "symlink_loop"
    assert reports["src/page.js"].language == "javascript"


def test_files_that_are_named_are_reported_even_if_they_are_missing(tree: Path) -> None:
    """A1: in the order of the list."""
    reports = FileAnalyzer().analyse(["gone.py", "src/data.txt", "src/good.py"], str(tree))
    assert [(one.path, one.problem) for one in reports] == [
        ("gone.py", "missing"),
        ("src/data.txt", "unsupported"),
        ("src/good.py", None),
    ]


def test_a_file_that_trips_the_analysis_costs_itself_alone(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A1: the task goes on with the next."""
    from actors.analysis import measure

    real = measure.analyse_file

    def trip(path: str, *args: Any, **kwargs: Any) -> Any:
        if path == "src/bad.py":
            raise RecursionError("too deep")
        return real(path, *args, **kwargs)

    monkeypatch.setattr(measure, "analyse_file", trip)
    bad, good = FileAnalyzer().analyse(["src/bad.py", "src/good.py"], str(tree))
    assert (bad.status, bad.problem, bad.detail) == (
        "reported",
        "analysis_failed",
        "analysis failed: RecursionError: too deep",
    )
    assert good.status == "analysed"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"paths": "a.py"}, "paths is a list"),
        ({"paths": [], "root": "/no/such/folder"}, "root of a file_analysis"),
        ({"paths": [], "root": 3}, "root of a file_analysis"),
        ({"paths": [], "max_bytes": 0}, "max_bytes"),
        ({"paths": [], "max_bytes": "5M"}, "max_bytes"),
    ],
)
def test_wrong_data_are_refused(data: dict[str, Any], words: str) -> None:
    """A1: the error says what was expected."""
    with pytest.raises(ConfigError, match=words):
        FileAnalyzer().analyse(**data)


def test_the_bound_on_bytes_is_the_callers(tree: Path) -> None:
    """A1: a larger file is reported."""
    (report,) = FileAnalyzer().analyse(["src/good.py"], str(tree), 10)
    assert report.problem == "huge"


def test_importing_the_worker_imports_no_parser() -> None:
    """A1: the program, which only submits, does not pay for what its agents load."""
    code = "import sys, actors.workers.file_analyzer; print([m for m in sys.modules if m.startswith('tree_sitter')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


def test_which_errors_may_be_the_doing_of_a_file() -> None:
    """A1: a wrong set-up is not blamed on files."""
    assert costs_one_file(AgentDied("x")) and costs_one_file(ValueError("x")) and costs_one_file(MemoryError())
    assert not costs_one_file(ConfigError("x")) and not costs_one_file(SystemClosed("x"))
    assert not costs_one_file(KeyboardInterrupt())


def test_the_report_of_a_failed_analysis_says_why_in_one_line(tree: Path) -> None:
    """A1: reported with the problem "analysis failed: …"."""
    report = failed_report("src/good.py", str(tree), AgentDied("it was killed\nstack\nstack"))
    assert report.detail == "analysis failed: AgentDied: it was killed"
    assert report.bytes == os.path.getsize(tree / "src" / "good.py")


def write_modules(folder: Path, count: int) -> list[str]:
    """So many modules, of a size of which some tens are worth a task."""
    body = "def f(a, b):\n    return [x for x in range(a) if x % 2 or b]\n" * 250
    names = [f"m{number:03}.py" for number in range(count)]
    for name in names:
        (folder / name).write_text(body)
    return names


@pytest.mark.parametrize(("agents", "most"), [(1, 1), (2, 2), (2, 4)])
def test_a_long_list_is_split_among_all_agents(tmp_path: Path, agents: int, most: int) -> None:
    """A1: lists and globs are divided into tasks of sensible size; a single agent waits for nobody."""
    names = write_modules(tmp_path, 120)
    with ActorSystem({FileAnalyzer: agents}, max_agents=most) as system:
        spec = TaskSpec(type="file_analysis", data={"paths": ["*.py"], "root": str(tmp_path)})
        future = system.submit_task(spec)
        reports = future.result(timeout=60)
        assert future.progress().fraction == 1.0
        done = {each.agent: each.tasks_done for each in system.agents()}
    assert [one.path for one in reports] == names
    assert all(one.status == "analysed" and len(one.functions) == 250 for one in reports)
    assert len(done) == agents and all(done.values())
    # The whole, and no more parts than agents could use: alone, only those that were handed in before this was clear.
    assert sum(done.values()) <= (4 if agents == 1 else 60)


def test_a_file_that_ends_its_agent_costs_no_other_its_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A1: tried in pieces, at last by itself."""
    names = write_modules(tmp_path, 60)
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "import os\n"
        "import actors.analysis.measure as measure\n"
        "real = measure.analyse_file\n"
        "def analyse_file(path, *args, **kwargs):\n"
        "    if path == 'm030.py':\n"
        "        os.kill(os.getpid(), 9)\n"
        "    return real(path, *args, **kwargs)\n"
        "measure.analyse_file = analyse_file\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{site}{os.pathsep}{Path(__file__).parents[2]}")

    class Coordinator(Worker):
        """Has the analyses of one list divided without doing any of them."""

        @task
        def divide(self, paths: list[str], root: str) -> list[tuple[str, str | None]]:
            plan = PartPlan([analysis_item(path, 16_000) for path in paths], 2, analysis_rates())
            sharing: Sharing[tuple[FileReport, ...]] = Sharing(self)
            work = Work(
                lambda part: self.options(**options_of(part, 60)).submit(FileAnalyzer.files, list(part.keys), root),
                lambda *_: (),
            )
            found: list[tuple[str, str | None]] = []
            for part, result in sharing.carry_out(plan, work):
                if isinstance(result, Exception):
                    found.append((part.keys[0], type(result).__name__))
                else:
                    found += [(report.path, None) for report in result]
            return found

    with ActorSystem({FileAnalyzer: 2, Coordinator: 1}) as system:
        found = system.submit(Coordinator.divide, names, str(tmp_path)).result(timeout=60)
    assert sorted(found) == [(name, "AgentDied" if name == "m030.py" else None) for name in names]


def test_a_wrong_setup_ends_the_whole_and_what_is_under_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A1: it is not blamed on files."""
    write_modules(tmp_path, 100)
    (tmp_path / "a.js").write_text("function f() {}\n")
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text("import sys\nsys.modules['tree_sitter'] = None\n")
    monkeypatch.setenv("PYTHONPATH", f"{site}{os.pathsep}{Path(__file__).parents[2]}")
    with ActorSystem({FileAnalyzer: 2}) as system:
        future = system.submit(FileAnalyzer.analyse, ["**/*"], str(tmp_path))
        with pytest.raises(ConfigError, match="actors-hub"):
            future.result(timeout=60)
