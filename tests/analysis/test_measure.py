"""The analysis of one file."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from typing import TYPE_CHECKING

import pytest

from actors.analysis.measure import analyse_file

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_analysed_under_its_relative_path(tmp_path: Path) -> None:
    """A1: a report names the file from the root of the tree, and carries its digest."""
    data = b"def f():\n    return 1\n"
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "a.py").write_bytes(data)
    for path in ("pkg/a.py", str(tmp_path / "pkg" / "a.py")):
        report = analyse_file(path, str(tmp_path))
        assert (report.path, report.language, report.status) == ("pkg/a.py", "python", "analysed")
        assert report.sha256 == hashlib.sha256(data).hexdigest()
        assert (report.bytes, report.lines.total, report.complexity, report.peak) == (len(data), 2, 1, 1)
        assert report.seconds > 0


def test_a_report_travels_and_prints(tmp_path: Path) -> None:
    """A1: reports go between processes and into JSON."""
    (tmp_path / "a.py").write_text("import os\nx = (\n")
    report = analyse_file("a.py", str(tmp_path))
    assert pickle.loads(pickle.dumps(report)) == report
    assert json.loads(json.dumps(report.to_dict()))["findings"][0]["line"] == 2


def test_an_empty_file_is_analysed(tmp_path: Path) -> None:
    """A1: nothing in it is nothing wrong with it."""
    for name in ("a.py", "a.c", "a.rb"):
        (tmp_path / name).write_bytes(b"")
        report = analyse_file(name, str(tmp_path))
        assert (report.status, report.lines.total, report.findings) == ("analysed", 0, ())
        assert report.sha256 == hashlib.sha256(b"").hexdigest()


def test_what_cannot_be_read_is_reported(tmp_path: Path) -> None:
    """A1: a problem has a name and a detail; the report is whole."""
    (tmp_path / "a.py").write_bytes(b"\0")
    (tmp_path / "b.py").symlink_to("b.py")
    (tmp_path / "c.py").write_bytes(b"#" * 200)
    (tmp_path / "d.xyz").write_bytes(b"")
    problems = {
        name: analyse_file(name, str(tmp_path), max_bytes=100) for name in ("a.py", "b.py", "c.py", "d.xyz", "e.py")
    }
    assert {name: report.problem for name, report in problems.items()} == {
        "a.py": "binary",
        "b.py": "symlink_loop",
        "c.py": "huge",
        "d.xyz": "unsupported",
        "e.py": "missing",
    }
    assert all(report.status == "reported" and report.detail for report in problems.values())


def test_a_name_that_is_no_text_is_taken(tmp_path: Path) -> None:
    """A1: file names are bytes."""
    name = os.fsdecode(b"caf\xe9.py")
    (tmp_path / name).write_text("x = 1\n")
    report = analyse_file(name, str(tmp_path))
    assert (report.status, report.path) == ("analysed", name)
    json.dumps(report.to_dict())


def test_a_header_is_in_the_language_that_it_parses_as(tmp_path: Path) -> None:
    """A1: `.h` is C or C++."""
    (tmp_path / "c.h").write_text("int f(int class);\n")
    (tmp_path / "cpp.h").write_text("namespace a { class B { public: int f() const { return 1; } }; }\n")
    assert analyse_file("c.h", str(tmp_path)).language == "c"
    assert analyse_file("cpp.h", str(tmp_path)).language == "cpp"


def test_a_bound_below_one_is_refused() -> None:
    """A1: a bad argument is told."""
    with pytest.raises(ValueError, match="max_bytes: expected 1 or more, got 0"):
        analyse_file("a.py", max_bytes=0)
