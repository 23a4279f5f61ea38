"""The workflow of the README, as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from actors.flow.expression import _FILTERS
from actors.flow.reading import HEAD, TASK

ROOT = Path(__file__).parents[2]


def test_the_workflow_of_the_readme_does_what_it_says(tmp_path: Path) -> None:
    """A1: analysis, commands and a rendered report, in their order."""
    [block] = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)
    (tmp_path / "report.yaml").write_text(block)
    (tmp_path / "src" / "in").mkdir(parents=True)
    (tmp_path / "src" / "a.py").write_text("def f():\n    return 1\n\n\ndef g():\n    return 2\n")
    (tmp_path / "src" / "in" / "b.py").write_text("x = 1\n")
    done = subprocess.run(
        [sys.executable, "-m", "actors", "run", "report.yaml"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report" / "summary.md").read_text() == (
        "# src: 2 files\n\n- a.py: 4 lines of code, 2 functions\n- in/b.py: 1 lines of code, 0 functions\n\nCompiles: yes\n"
    )


def test_the_page_on_workflows_names_each_entry_field_and_filter() -> None:
    """A1: all of them, and none that there is not."""
    page = (ROOT / "docs" / "workflows.md").read_text("utf-8")
    entries, tasks = (re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE) for part in page.split("## ")[1:3])
    assert sorted(entries) == sorted(HEAD)
    assert sorted(tasks) == sorted(TASK)
    assert all(f"`{name}`" in page for name in _FILTERS)
