"""Large packages as pip installs them, against counts that are made without the analysis."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest
from radon.visitors import ComplexityVisitor

from actors.review.discover import discover
from actors.review.review import Review
from tests.review.trees import REPOSITORY

SUFFIXES = (".py", ".pyi", ".pyw", ".c", ".h", ".sh", ".bash", ".js", ".mjs", ".cjs", ".jsx", ".ts", ".tsx", ".go")
SUFFIXES += (".java", ".rb", ".rs", ".cc", ".cpp", ".cxx", ".hpp", ".hh")
PYTHON = (".py", ".pyi", ".pyw")
PACKAGES = {"django": "django==5.1.4", "sqlalchemy": "sqlalchemy==2.0.36", "numpy": "numpy==2.1.3"}


def unpacked(name: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    done = subprocess.run(
        [*command, "--dest", str(folder), PACKAGES[name]], capture_output=True, text=True, check=False, timeout=240
    )
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        pytest.skip(f"pip cannot bring {PACKAGES[name]}: {done.stderr.strip().splitlines()[-1:]}")
    with zipfile.ZipFile(wheels[0]) as wheel:
        wheel.extractall(folder / "tree")
    return folder / "tree" / name


def sources(root: Path) -> list[Path]:
    return [
        Path(top, name)
        for top, folders, names in os.walk(root)
        for name in names
        if name.lower().endswith(SUFFIXES) and not {"__pycache__", "node_modules"}.intersection(Path(top).parts)
    ]


def counted(root: Path, paths: list[Path]) -> dict[str, dict[str, Any]]:
    """Lines, bytes, and for Python functions, classes, imports and radon's complexity, by path."""
    counts: dict[str, dict[str, Any]] = {}
    for path in paths:
        data = path.read_bytes()
        one: dict[str, Any] = {
            "bytes": len(data),
            "lines": data.count(b"\n") + bool(data and not data.endswith(b"\n")),
        }
        if path.suffix in PYTHON:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    tree = ast.parse(data)
                except (SyntaxError, ValueError):
                    tree = None
            if tree is not None:
                nodes = list(ast.walk(tree))
                one["functions"] = sum(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in nodes)
                one["classes"] = sum(isinstance(node, ast.ClassDef) for node in nodes)
                one["imports"] = sum(
                    len(node.names) if isinstance(node, ast.Import) else 1
                    for node in nodes
                    if isinstance(node, ast.Import | ast.ImportFrom)
                )
                one["radon"] = radon(tree)
        counts[path.relative_to(root).as_posix()] = one
    return counts


def radon(tree: ast.AST) -> dict[int, int]:
    """The complexity of each function that stands in a module or class, by line, as radon counts it.

    Those with a `match`, an `assert`, a lambda or a function inside are left out: radon counts these otherwise, as
    tests/analysis/test_python.py tells.
    """
    apart = (ast.Match, ast.Assert, ast.Lambda, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    plain = {
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not any(isinstance(inner, apart) for inner in ast.walk(node) if inner is not node)
    }
    visitor = ComplexityVisitor.from_ast(tree)
    found = {one.lineno: one.complexity for one in visitor.functions}
    for one in visitor.classes:
        found.update({method.lineno: method.complexity for method in one.methods})
    return {line: complexity for line, complexity in found.items() if line in plain}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["this project", *PACKAGES])
def test_the_report_of_a_large_package_is_right_against_independent_counts(name: str, tmp_path: Path) -> None:
    """A1: files, lines, bytes, functions, classes, imports, and complexity against radon."""
    if name == "this project":
        # A copy, as somebody may be at work on it.
        ignored = shutil.ignore_patterns("__pycache__")
        root = Path(shutil.copytree(REPOSITORY / "actors", tmp_path / "actors", ignore=ignored))
    else:
        root = unpacked(name, tmp_path)
    paths = sources(root)
    expected = counted(root, paths)
    outcome = Review(discover(str(root)), title=name).run()
    code = outcome.code
    assert outcome.complete
    assert {one.path: (one.bytes, one.lines) for one in code.files} == {
        path: (one["bytes"], one["lines"]) for path, one in expected.items()
    }
    assert code.totals.files == len(paths) >= 100
    parsed = {path: one for path, one in expected.items() if "functions" in one}
    assert {one.path: one.functions for one in code.files if one.path in parsed} == {
        path: one["functions"] for path, one in parsed.items()
    }
    python = [dict(code.languages)["python"]]
    whole = all("functions" in one for path, one in expected.items() if path.endswith(PYTHON))
    if whole:
        assert sum(one.classes for one in python) == sum(one["classes"] for one in parsed.values())
        assert sum(one.imports for one in python) == sum(one["imports"] for one in parsed.values())
    compared = 0
    for found in code.complex_functions:
        theirs = parsed.get(found.path, {}).get("radon", {}).get(found.line)
        if theirs is not None:
            assert (found.path, found.line, found.complexity) == (found.path, found.line, theirs)
            compared += 1
    assert compared
