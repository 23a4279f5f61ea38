"""The workflow of the README, as it stands there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from actors.flow.expression import _FILTERS
from actors.flow.reading import HEAD, TASK

ROOT = Path(__file__).parents[2]


SUMMARY = """\
# src: 2 files

- a.py: 4 lines of code, 2 functions
- in/b.py: 2 lines of code, 0 functions

- in/b.py:1: ruff F401: `os` imported but unused
- in/b.py:3: bandit B307: """


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with the workflow and something to look at."""
    [block] = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)
    (tmp_path / "report.yaml").write_text(block)
    (tmp_path / "src" / "in").mkdir(parents=True)
    (tmp_path / "src" / "a.py").write_text("def f():\n    return 1\n\n\ndef g():\n    return 2\n")
    (tmp_path / "src" / "in" / "b.py").write_text('import os\n\nx = eval("1")\n')
    return tmp_path


def start(tree: Path, *words: str, path: str = "") -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": path + os.environ["PATH"]}
    command = [sys.executable, "-m", "actors", "run", "report.yaml", *words]
    return subprocess.Popen(
        command, cwd=tree, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def judge_summary(tree: Path) -> None:
    summary = (tree / "report" / "summary.md").read_text()
    assert summary.startswith(SUMMARY) and summary.endswith("\n\nCompiles: yes\n"), summary


def test_the_workflow_of_the_readme_does_what_it_says(tree: Path) -> None:
    """A1: analysis, checks, commands and a rendered report, in their order."""
    process = start(tree)
    _, err = process.communicate(timeout=55)
    assert process.returncode == 0, err
    judge_summary(tree)


def test_the_workflow_of_the_readme_goes_on_after_a_kill(tree: Path) -> None:
    """F3: what was done is not done again; what ran and what comes after it is done."""
    # The interpreter that it compiles with waits until the run that is killed is over.
    (tree / "bin").mkdir()
    waits = f'#!/bin/sh\nwhile [ ! -e {tree}/go ]; do sleep 0.05; done\nexec {sys.executable} "$@"\n'
    (tree / "bin" / "python3").write_text(waits)
    (tree / "bin" / "python3").chmod(0o700)
    process = start(tree, path=f"{tree}/bin:")
    assert process.stderr is not None
    ended = set()
    for line in process.stderr:
        ended.update(name for name in ("analyse", "check") if f"✓ {name} " in line)
        if len(ended) == 2:
            break
    process.kill()
    process.communicate(timeout=20)
    assert len(ended) == 2 and not (tree / "report").exists()
    (tree / "go").touch()
    process = start(tree, "--json", "-", "-q", path=f"{tree}/bin:")
    out, err = process.communicate(timeout=55)
    assert process.returncode == 0, err
    resumed = {name: task["resumed"] for name, task in json.loads(out)["tasks"].items()}
    assert resumed == {"analyse": True, "check": True, "compile[0]": False, "compile[2]": False, "report": False}
    judge_summary(tree)


def test_the_page_on_workflows_names_each_entry_field_and_filter() -> None:
    """A1: all of them, and none that there is not."""
    page = (ROOT / "docs" / "workflows.md").read_text("utf-8")
    entries, tasks = (re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE) for part in page.split("## ")[1:3])
    assert sorted(entries) == sorted(HEAD)
    assert sorted(tasks) == sorted(TASK)
    assert all(f"`{name}`" in page for name in _FILTERS)
