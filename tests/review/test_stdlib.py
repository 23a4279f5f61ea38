"""The whole standard library, which has files that no tool should trip over."""

from __future__ import annotations

import ast
import io
import os
import tokenize
import warnings

import pytest

from actors.analysis.measure import analyse_file
from actors.review.discover import discover
from actors.review.reduce import reduce_reports
from actors.review.report import render_report


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_standard_library_is_reviewed_without_a_failure_and_the_totals_agree() -> None:
    """A1: every file is analysed or reported; lines and functions are those of an independent count."""
    root = os.path.dirname(os.__file__)
    found = discover(root)
    reports = {name: analyse_file(name, found.root) for name in found.files}
    lines = functions = classes = 0
    for name in found.files:
        with open(os.path.join(found.root, name), "rb") as file:
            data = file.read()
        lines += data.count(b"\n") + bool(data and not data.endswith(b"\n"))
        if name.endswith((".py", ".pyw", ".pyi")):
            try:
                encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    tree = ast.parse(data.decode(encoding))
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                assert reports[name].problem or reports[name].findings
                continue
            nodes = list(ast.walk(tree))
            functions += sum(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in nodes)
            classes += sum(isinstance(node, ast.ClassDef) for node in nodes)
    code = reduce_reports(reports.values())
    python = dict(code.languages)["python"]
    assert code.totals.files == len(found.files) == code.totals.analysed + code.totals.reported
    assert code.totals.lines.total == lines
    assert (python.functions, python.classes) == (functions, classes)
    page = render_report(code, title="the standard library", root=found.root)
    assert len(page.encode()) < 3_000_000
