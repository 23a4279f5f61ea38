"""Measuring Python."""

from __future__ import annotations

import ast
import textwrap
import warnings

import lizard
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from radon.visitors import ComplexityVisitor

from actors.analysis.python import measure_python

SAMPLE = textwrap.dedent(
    '''
    """A module."""
    # a comment
    import os, sys as system
    from . import near
    from ..far import a, b as c
    from typing import TYPE_CHECKING

    if TYPE_CHECKING:
        import heavy

    TEXT = """
    # no comment

    """


    class Outer(Base if sys else Other):
        """A class."""

        @decorated
        async def method(self, x, /, y, *z, k=1, **rest):
            """A method."""
            import late

            def inner(): return [i for i in z if i and x]
            for _ in x:
                pass
            else:
                return lambda: 1 if x else 2
            try:
                assert x
            except ValueError:
                pass
            except OSError:
                pass
            else:
                pass

    def choose(x):
        match x:
            case 1 | 2: return 1
            case [a, *_] if a or x: return 2
            case _: return 3
    ''',
).lstrip()


def test_functions_have_names_places_and_complexity() -> None:
    """A1: metrics of each function, nested ones for themselves."""
    functions = {function.name: function for function in measure_python(SAMPLE).functions}
    assert set(functions) == {"Outer.method", "Outer.method.inner", "choose"}
    method = functions["Outer.method"]
    # for, its else, the conditional in the lambda, assert, two excepts, the else of try: 1 + 7.
    assert (method.complexity, method.parameters) == (8, 6)
    assert functions["Outer.method.inner"].complexity == 4
    assert functions["choose"].complexity == 4
    assert method.length == method.end_line - method.line + 1
    assert SAMPLE.splitlines()[method.line - 1].strip().startswith("async def method")


def test_imports_tell_level_names_and_when_they_happen() -> None:
    """A1: dependency scanning."""
    imports = {(one.module, one.level): one for one in measure_python(SAMPLE).imports}
    assert set(imports) == {("os", 0), ("sys", 0), ("", 1), ("far", 2), ("typing", 0), ("heavy", 0), ("late", 0)}
    assert imports["far", 2].names == ("a", "b")
    assert imports["heavy", 0].when == "typing"
    assert imports["late", 0].when == "call"
    assert imports["os", 0].when == "load"


def test_lines_are_told_apart() -> None:
    """A1: docstrings are comment, a # inside a string is not, blank lines inside a string are blank."""
    measured = measure_python(SAMPLE)
    lines = SAMPLE.splitlines()
    assert measured.lines.total == len(lines)
    assert measured.lines.comment == 4
    assert measured.lines.blank == sum(1 for line in lines if not line.strip())
    assert measured.classes == 1


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("def f(:\n  pass\n", "invalid syntax"),
        ("print 'two'\n", "print"),
        ("x = (\n", "never closed"),
        ("a\0b = 1\n", "null"),
        ("x = '''\n", "unterminated"),
        ("if 1:\n\tx\n        y\n", "inconsistent use of tabs"),
    ],
)
def test_what_does_not_parse_is_a_finding_and_its_lines_count(text: str, part: str) -> None:
    """A1: syntax errors are findings, not crashes."""
    measured = measure_python(text)
    assert part in measured.findings[0].message
    assert measured.findings[0].severity == "error"
    assert measured.lines.total == text.count("\n")
    assert measured.functions == ()


@pytest.mark.parametrize(
    "text",
    [
        "(" * 500 + ")" * 500,
        "-" * 100_000 + "1",
        "x" + "[0]" * 50_000,
        "a" + ".b" * 50_000,
        "x = " + "+".join("1" * 20_000),
        "if 1:\n" + "".join(" " * depth + "if 1:\n" for depth in range(1, 150)),
        "lambda: " * 20_000 + "1",
        "x = " + "not " * 50_000 + "1",
    ],
)
def test_nesting_beyond_the_parser_is_no_crash(text: str) -> None:
    """A1: RecursionError and MemoryError of the parser become findings; what it can parse is walked."""
    measured = measure_python(text)
    assert measured.lines.total == max(1, text.count("\n"))


def test_warnings_of_the_parser_are_findings_and_do_not_leak() -> None:
    """A1: a doubtful escape is told in the report and nowhere else."""
    with warnings.catch_warnings(record=True) as leaked:
        warnings.simplefilter("always")
        measured = measure_python("x = '\\d'\n")
    assert leaked == []
    assert [(finding.line, finding.severity) for finding in measured.findings] == [(1, "warning")]
    assert "escape" in measured.findings[0].message


PLAIN = textwrap.dedent(
    """
    def f(x, y):
        if x and y:
            return 1
        elif x or y or None:
            return 2
        while x:
            for z in y:
                x = 1 if z else 2
        try:
            return [a for a in x if a]
        except (ValueError, OSError):
            return None
    """,
)


def test_complexity_agrees_with_radon_and_lizard_where_they_count_alike() -> None:
    """A1: cyclomatic complexity by the common rules."""
    ours = measure_python(PLAIN).functions[0].complexity
    assert ours == ComplexityVisitor.from_code(PLAIN).functions[0].complexity
    theirs = lizard.analyze_file.analyze_source_code("a.py", PLAIN).function_list[0]
    # lizard goes by tokens and does not count the comprehension beyond its `for` and `if`: so do we.
    assert ours == theirs.cyclomatic_complexity


BLOCKS = st.recursive(
    st.sampled_from([["pass"], ["x = 1 if y else 2"], ["y = a and b or c"], ["z = [i for i in x if i]"], ["return x"]]),
    lambda inner: (
        st.builds(
            lambda head, body: [head, *(f"    {line}" for line in body)],
            st.sampled_from(["if x:", "while y:", "for i in z:", "with q:"]),
            inner,
        )
        | st.builds(
            lambda body, other: [
                "try:",
                *(f"    {line}" for line in body),
                "except E:",
                *(f"    {line}" for line in other),
            ],
            inner,
            inner,
        )
        | st.builds(lambda one, two: [*one, *two], inner, inner)
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(BLOCKS)
def test_complexity_agrees_with_radon_on_any_body(body: list[str]) -> None:
    """A1: the same count as radon's for whatever a body is made of."""
    text = "def f(x):\n" + "".join(f"    {line}\n" for line in body)
    assert measure_python(text).functions[0].complexity == ComplexityVisitor.from_code(text).functions[0].complexity


@settings(deadline=None)
@given(st.text(max_size=200))
def test_no_text_makes_it_raise(text: str) -> None:
    """A1: any text is measured, and the lines sum up."""
    measured = measure_python(text.replace("\r", "\n"))
    assert measured.lines.total == measured.lines.code + measured.lines.comment + measured.lines.blank


def test_functions_and_classes_are_as_many_as_the_parser_has() -> None:
    """A1: none is lost, wherever it stands."""
    with open(textwrap.__file__, encoding="utf-8") as file:
        text = file.read() + SAMPLE
    nodes = list(ast.walk(ast.parse(text)))
    measured = measure_python(text)
    assert len(measured.functions) == sum(isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef) for n in nodes)
    assert measured.classes == sum(isinstance(node, ast.ClassDef) for node in nodes)
