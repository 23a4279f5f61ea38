"""Python, through the parser of the running interpreter.

Cyclomatic complexity is counted as radon counts it (McCabe, "A Complexity Measure", 1976, in the terms of Python):
1 for the function, and 1 more for each `if`, `elif`, conditional expression, loop, loop `else`, `except`, `try … else`,
`assert`, comprehension, condition of a comprehension, `case` but a last bare `_`, and each further operand of `and`
and `or`. A function inside a function counts for itself and adds nothing to the outer one; a lambda belongs to the
function that it stands in, decorators and default values to the one around.
"""

from __future__ import annotations

import ast
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from actors.analysis.filereport import Finding, FunctionReport, ImportReport
from actors.analysis.lines import count_lines, split_lines
from actors.analysis.measured import Measured

__all__ = ["measure_python"]

# Fields that never lead to a statement or an expression.
_BARREN = frozenset(
    {"attr", "arg", "conversion", "ctx", "id", "is_async", "kind", "level", "module", "name", "op", "ops"}
    | {"rest", "simple", "type_comment", "type_ignores", "tag"},
)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_MAX_WARNINGS = 50

# `warnings.catch_warnings` swaps state of the whole process, so two threads must not be in it at once.
_warnings_lock = threading.Lock()


@dataclass(slots=True)
class _Scope:
    """A function, class or module under way. `points` are the decisions that belong to it."""

    prefix: str
    when: Literal["load", "call", "typing"] = "load"
    points: int = 0


@dataclass(slots=True)
class _Walk:
    """What the walk over a tree has gathered."""

    functions: list[tuple[ast.FunctionDef | ast.AsyncFunctionDef, str, _Scope]] = field(default_factory=list)
    classes: int = 0
    imports: list[ImportReport] = field(default_factory=list)
    docstrings: list[tuple[int, int]] = field(default_factory=list)
    strings: list[tuple[int, int]] = field(default_factory=list)


def measure_python(text: str) -> Measured:
    """Measure Python source.

    Args:
        text: with LF as line ends.

    Returns:
        The measures. Text that the running interpreter cannot parse, also because it is nested too deeply, is a
        finding; its lines are counted, with those that begin with `#` as comment.
    """
    lines = split_lines(text)
    tree, findings = _parse(text)
    walk = _Walk()
    if tree is not None:
        _visit(tree, walk)
    return Measured(
        lines=count_lines(lines, _comment_lines(lines, walk)),
        functions=tuple(_function_report(*each) for each in sorted(walk.functions, key=lambda f: (f[0].lineno, f[1]))),
        classes=walk.classes,
        imports=tuple(sorted(walk.imports, key=lambda one: (one.line, one.level, one.module, one.names))),
        findings=tuple(findings),
    )


def _parse(text: str) -> tuple[ast.Module | None, list[Finding]]:
    tree = None
    fault: list[Finding] = []
    with _warnings_lock, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            tree = ast.parse(text)
        except SyntaxError as error:
            fault = [Finding(max(error.lineno or 0, 0), max(error.offset or 0, 0), str(error.msg))]
        except (RecursionError, MemoryError):
            fault = [Finding(0, 0, "nested too deeply for this interpreter's parser")]
        except (ValueError, OverflowError) as error:
            fault = [Finding(0, 0, str(error))]
    told = sorted({(one.lineno, str(one.message)) for one in caught})
    return tree, fault + [Finding(line, 0, message, "warning") for line, message in told[:_MAX_WARNINGS]]


_fields: dict[type[ast.AST], tuple[str, ...]] = {}


def _fields_of(kind: type[ast.AST]) -> tuple[str, ...]:
    names = _fields.get(kind)
    if names is None:
        names = _fields[kind] = tuple(name for name in kind._fields if name not in _BARREN)
    return names


def _visit(tree: ast.Module, walk: _Walk) -> None:
    """Visit all nodes with a stack of our own: recursion would end at the depth that some sources have."""
    module = _Scope("")
    stack: list[tuple[ast.AST, _Scope]] = [(child, module) for child in tree.body]
    _note_docstring(tree, walk)
    while stack:
        node, scope = stack.pop()
        kind = type(node)
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            _enter(node, scope, walk, stack)
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            _note_import(node, scope, walk)
            continue
        # Inside a function all imports are of a call already, and its decisions must stay with it.
        guard = _guard_of(node) if kind is ast.If and scope.when == "load" else None
        if guard is not None:
            guarded = _Scope(scope.prefix, guard)
            stack.extend((child, guarded) for child in node.body)  # type: ignore[attr-defined]
            stack.extend((child, scope) for child in node.orelse)  # type: ignore[attr-defined]
            scope.points += 1
            continue
        points = _POINTS.get(kind)
        if points is not None:
            scope.points += points(node)
        elif kind is ast.JoinedStr and node.end_lineno > node.lineno:  # type: ignore[attr-defined]
            walk.strings.append((node.lineno, node.end_lineno))  # type: ignore[attr-defined]
        _push_children(node, kind, scope, walk, stack)


def _push_children(
    node: ast.AST,
    kind: type[ast.AST],
    scope: _Scope,
    walk: _Walk,
    stack: list[tuple[ast.AST, _Scope]],
) -> None:
    """Put the children of a node on the stack, but the leaves, which are most of a tree and decide nothing."""
    for name in _fields_of(kind):
        value: Any = getattr(node, name, None)
        for child in value if type(value) is list else (value,):
            child_kind: type[Any] = type(child)
            if child_kind is ast.Constant:
                if child.end_lineno > child.lineno:
                    walk.strings.append((child.lineno, child.end_lineno))
            elif child_kind is not ast.Name and isinstance(child, ast.AST):
                stack.append((child, scope))


def _is_wildcard(case: ast.match_case) -> bool:
    return isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None and case.pattern.name is None


def _loop_points(node: Any) -> int:
    return 1 + bool(node.orelse)


def _try_points(node: Any) -> int:
    return len(node.handlers) + bool(node.orelse)


_POINTS: dict[type[ast.AST], Callable[[Any], int]] = {
    ast.If: lambda _: 1,
    ast.IfExp: lambda _: 1,
    ast.Assert: lambda _: 1,
    ast.BoolOp: lambda node: len(node.values) - 1,
    ast.For: _loop_points,
    ast.AsyncFor: _loop_points,
    ast.While: _loop_points,
    ast.comprehension: lambda node: 1 + len(node.ifs),
    ast.Try: _try_points,
    ast.TryStar: _try_points,
    ast.Match: lambda node: len(node.cases) - any(_is_wildcard(case) for case in node.cases),
}


def _guard_of(node: Any) -> Literal["call", "typing"] | None:
    """What a test at load time guards: imports for type checkers, or those of a file that is run as a program."""
    test = node.test
    if isinstance(test, ast.Compare) and isinstance(test.left, ast.Name):
        return "call" if test.left.id == "__name__" and isinstance(test.ops[0], ast.Eq) else None
    name = test.id if isinstance(test, ast.Name) else test.attr if isinstance(test, ast.Attribute) else ""
    return "typing" if name == "TYPE_CHECKING" else None


def _enter(
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef,
    scope: _Scope,
    walk: _Walk,
    stack: list[tuple[ast.AST, _Scope]],
) -> None:
    """Open the scope of a function or class; what is evaluated outside its body stays with the scope around it."""
    name = f"{scope.prefix}{node.name}"
    inner = _Scope(f"{name}.", "call" if isinstance(node, _FUNCTIONS) else scope.when)
    _note_docstring(node, walk)
    stack.extend((child, inner) for child in node.body)
    stack.extend((child, scope) for child in node.decorator_list)
    stack.extend((child, scope) for child in getattr(node, "type_params", ()))
    if isinstance(node, ast.ClassDef):
        walk.classes += 1
        stack.extend((child, scope) for child in (*node.bases, *node.keywords))
        # A class body runs where it stands: its decisions are nobody's function, but not lost on the walk.
        return
    walk.functions.append((node, name, inner))
    stack.append((node.args, scope))
    if node.returns is not None:
        stack.append((node.returns, scope))


def _note_docstring(node: ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, walk: _Walk) -> None:
    first = node.body[0] if node.body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        walk.docstrings.append((first.lineno, first.end_lineno or first.lineno))


def _note_import(node: ast.Import | ast.ImportFrom, scope: _Scope, walk: _Walk) -> None:
    if isinstance(node, ast.Import):
        walk.imports.extend(ImportReport(alias.name, node.lineno, when=scope.when) for alias in node.names)
        return
    names = tuple(alias.name for alias in node.names)
    walk.imports.append(ImportReport(node.module or "", node.lineno, node.level, names, scope.when))


def _function_report(node: ast.FunctionDef | ast.AsyncFunctionDef, name: str, scope: _Scope) -> FunctionReport:
    args = node.args
    parameters = len(args.posonlyargs) + len(args.args) + len(args.kwonlyargs) + bool(args.vararg) + bool(args.kwarg)
    end = node.end_lineno or node.lineno
    return FunctionReport(name, node.lineno, end, 1 + scope.points, parameters, end - node.lineno + 1)


def _comment_lines(lines: list[str], walk: _Walk) -> bytearray:
    """Which lines are comment. A `#` at the beginning of a line inside a string is none, a docstring is one."""
    inside = bytearray(len(lines) + 1)
    for first, last in walk.strings:
        for number in range(first + 1, min(last, len(lines)) + 1):
            inside[number - 1] = 1
    marks = bytearray(len(lines))
    for index, line in enumerate(lines):
        if not inside[index] and line.lstrip().startswith("#"):
            marks[index] = 1
    for first, last in walk.docstrings:
        for number in range(first, min(last, len(lines)) + 1):
            marks[number - 1] = 1
    return marks
