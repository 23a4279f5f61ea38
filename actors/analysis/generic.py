"""All languages but Python, through tree-sitter: it parses on after a fault and says where the fault was."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from actors.analysis.filereport import Finding, FunctionReport, ImportReport
from actors.analysis.grammars import load_grammar
from actors.analysis.lines import count_lines, split_lines
from actors.analysis.measured import Measured

if TYPE_CHECKING:
    from tree_sitter import Node, Parser, Query, Tree

__all__ = ["measure_generic"]

# After so many faults the rest of a file says nothing new.
_MAX_FINDINGS = 20
_EXCERPT = 40
# Without the preprocessor, a macro may look like a fault in C and C++.
_UNSURE = frozenset({"c", "cpp"})

_parsers = threading.local()


@dataclass(slots=True)
class _Open:
    """A function, class or namespace that the sweep is inside of."""

    end: int
    name: str
    is_function: bool
    node: Node
    points: int = 0


@dataclass(slots=True)
class _Sweep:
    """What the sweep over a text has gathered."""

    functions: list[tuple[str, _Open]] = field(default_factory=list)
    classes: int = 0
    imports: list[ImportReport] = field(default_factory=list)


def measure_generic(text: str, language: str) -> Measured:
    """Measure source in any language of `GRAMMARS`.

    Args:
        text: with LF as line ends.
        language: a key of `GRAMMARS`.

    Returns:
        The measures; where the text does not parse there is a finding, and the rest is measured all the same.

    Raises:
        ConfigError: the extra `review` is not installed.
    """
    _, query, faults = load_grammar(language)
    # A surrogate can stand in no UTF-8, and comes from no source that was decoded; then it would be a caller's.
    data = text.encode("utf-8", "replace")
    tree = _parser_of(language).parse(data)
    captures = _captures(query, tree)
    lines = split_lines(text)
    sweep = _sweep(captures, data, language)
    return Measured(
        lines=count_lines(lines, _comment_lines(captures.get("comment", []), data.split(b"\n"), len(lines))),
        functions=tuple(_function_report(name, each, language) for name, each in sweep.functions),
        classes=sweep.classes,
        imports=tuple(sorted(sweep.imports, key=lambda one: (one.line, one.module))),
        findings=tuple(_findings(_captures(faults, tree), data, language)) if tree.root_node.has_error else (),
        language=language,
    )


def _parser_of(language: str) -> Parser:
    """One parser for each thread and language: they keep state while they parse."""
    parser: Parser | None = getattr(_parsers, language, None)
    if parser is None:
        from tree_sitter import Parser  # noqa: PLC0415 - an extra, and only wanted for the first foreign file

        parser = Parser(load_grammar(language)[0])
        setattr(_parsers, language, parser)
    return parser


def _captures(query: Query, tree: Tree) -> dict[str, list[Node]]:
    from tree_sitter import QueryCursor  # noqa: PLC0415 - an extra

    return QueryCursor(query).captures(tree.root_node)


_SWEPT = ("scope", "class", "function", "decision", "import", "relative", "module")


def _sweep(captures: dict[str, list[Node]], data: bytes, language: str) -> _Sweep:
    """Go over all captured nodes in the order of the text and give each decision to the innermost function."""
    events: dict[tuple[int, int, str], Node] = {}
    for kind in _SWEPT:
        for node in captures.get(kind, ()):
            # A pattern that matches in two ways captures its node twice; the key makes it one.
            events[node.start_byte, -node.end_byte, kind] = node
    found = _Sweep()
    stack: list[_Open] = []
    # At the same place the one that opens a scope comes first.
    for (start, minus_end, kind), node in sorted(
        events.items(), key=lambda event: (event[0][0], event[0][1], _SWEPT.index(event[0][2]))
    ):
        while stack and stack[-1].end <= start:
            stack.pop()
        if kind == "decision":
            for opened in reversed(stack):
                if opened.is_function:
                    opened.points += 1
                    break
        elif kind in {"import", "relative", "module"}:
            found.imports.append(_import_report(node, kind, data, any(opened.is_function for opened in stack)))
        else:
            found.classes += kind == "class"
            opened = _Open(-minus_end, _name_of(node, data, language), kind == "function", node)
            if opened.is_function:
                prefix = ".".join(outer.name for outer in stack if outer.name)
                found.functions.append((f"{prefix}.{opened.name}" if prefix else opened.name, opened))
            stack.append(opened)
    return found


def _text(node: Node, data: bytes) -> str:
    return data[node.start_byte : node.end_byte].decode("utf-8", "replace")


def _name_of(node: Node, data: bytes, language: str) -> str:
    if language in {"c", "cpp"} and node.type == "function_definition":
        return _declared_name(node, data)
    name = node.child_by_field_name("name")
    if name is None and node.type == "impl_item":
        name = node.child_by_field_name("type")
    if name is None:
        return _assigned_name(node, data) if language in {"javascript", "typescript", "tsx"} else ""
    text = " ".join(_text(name, data).split()).replace("::", ".")
    receiver = node.child_by_field_name("receiver") if language == "go" else None
    if receiver is not None:
        owner = re.search(r"([A-Za-z_]\w*)\s*(\[.*\])?\s*\)\s*$", _text(receiver, data))
        return f"{owner[1]}.{text}" if owner else text
    return text


def _declared_name(node: Node, data: bytes) -> str:
    """The name in a C declarator, which may be wrapped in pointers, references and brackets."""
    inner = node.child_by_field_name("declarator")
    while inner is not None:
        deeper = inner.child_by_field_name("declarator")
        if deeper is None and inner.type in {
            "parenthesized_declarator",
            "reference_declarator",
            "attributed_declarator",
        }:
            deeper = next(iter(inner.named_children), None)
        if deeper is None or inner.type == "operator_cast":
            break
        inner = deeper
    if inner is None:
        return "<anonymous>"
    if inner.type == "operator_cast":
        return " ".join(_text(inner, data).split("(")[0].split())
    return " ".join(_text(inner, data).split()).replace("::", ".")


def _assigned_name(node: Node, data: bytes) -> str:
    """What a function expression is assigned to."""
    if node.type in {"class_declaration", "abstract_class_declaration"}:
        return ""
    parent = node.parent
    wanted = {
        "variable_declarator": "name",
        "pair": "key",
        "assignment_expression": "left",
        "field_definition": "property",
        "public_field_definition": "name",
    }.get(parent.type if parent is not None else "")
    named = parent.child_by_field_name(wanted) if parent is not None and wanted else None
    text = " ".join(_text(named, data).split()) if named is not None else ""
    return text if 0 < len(text) <= 2 * _EXCERPT else "<anonymous>"


def _function_report(name: str, opened: _Open, language: str) -> FunctionReport:
    node = opened.node
    first, last = node.start_point.row + 1, _last_row(node) + 1
    return FunctionReport(
        name or "<anonymous>", first, last, 1 + opened.points, _parameters(node, language), last - first + 1
    )


def _last_row(node: Node) -> int:
    """The last row that a node has a character on; a node that takes its line end along ends on the next row."""
    end = node.end_point
    return end.row - 1 if end.column == 0 and end.row > node.start_point.row else end.row


def _parameters(node: Node, language: str) -> int:
    if node.child_by_field_name("parameter") is not None:
        return 1
    holder: Node | None = node
    if language in {"c", "cpp"}:
        holder = _function_declarator(node)
    declared = holder.child_by_field_name("parameters") if holder is not None else None
    if declared is None:
        return 0
    count = 0
    for child in declared.named_children:
        if child.type in {"comment", "line_comment", "block_comment", "attribute_item", "receiver_parameter"}:
            continue
        if child.type == "parameter_declaration" and language in {"c", "cpp"} and child.text == b"void":
            continue
        count += max(1, len(child.children_by_field_name("name"))) if language == "go" else 1
    return count


def _function_declarator(node: Node) -> Node | None:
    """The innermost function declarator: in `void (*f(void))(int)` the one of `f`, not of what it returns."""
    found = None
    inner = node.child_by_field_name("declarator")
    while inner is not None:
        if inner.type in {"function_declarator", "abstract_function_declarator"}:
            found = inner
        deeper = inner.child_by_field_name("declarator")
        if deeper is None and inner.type in {"parenthesized_declarator", "reference_declarator"}:
            deeper = next(iter(inner.named_children), None)
        inner = deeper
    return found


def _import_report(node: Node, kind: str, data: bytes, inside_function: bool) -> ImportReport:  # noqa: FBT001
    text = " ".join(_text(node, data).split())
    if node.type == "import_declaration":
        # Java: the whole statement, because a wildcard stands beside the name and not in it.
        text = text.removeprefix("import").strip().rstrip(";").strip().removeprefix("static ").replace(" ", "")
    elif text[:1] in {'"', "'", "`"}:
        text = text[1:-1]
    return ImportReport(
        module=f"mod {text}" if kind == "module" else text,
        line=node.start_point.row + 1,
        level=1 if kind == "relative" else 0,
        when="call" if inside_function else "load",
    )


def _comment_lines(comments: list[Node], rows: list[bytes], count: int) -> bytearray:
    """Which lines hold nothing but comment."""
    covered: dict[int, bytearray] = {}
    marks = bytearray(count)
    for node in comments:
        first, last = node.start_point.row, node.end_point.row
        for row in range(first + 1, min(last, count)):
            marks[row] = 1
        for row in {first, last}:
            if row < count:
                width = len(rows[row])
                left = node.start_point.column if row == first else 0
                right = node.end_point.column if row == last else width
                cover = covered.setdefault(row, bytearray(width))
                cover[left:right] = b"\1" * (min(right, width) - left)
    for row, cover in covered.items():
        if any(cover) and all(mark or byte in b" \t\f\v" for mark, byte in zip(cover, rows[row], strict=True)):
            marks[row] = 1
    return marks


def _findings(captures: dict[str, list[Node]], data: bytes, language: str) -> Iterator[Finding]:
    faults = [(node.start_byte, -node.end_byte, kind, node) for kind, nodes in captures.items() for node in nodes]
    faults.sort(key=lambda fault: fault[:3])
    told = 0
    reach = -1
    for start, minus_end, kind, node in faults:
        if start < reach:
            continue
        if kind == "error":
            reach = -minus_end
            excerpt = " ".join(_text(node, data[: start + 4 * _EXCERPT]).split())
            shown = excerpt[:_EXCERPT] + ("…" if len(excerpt) > _EXCERPT else "")
            message = f"cannot parse {shown!r}" if shown else "cannot parse what stands here"
        else:
            message = "the end of the line or file is missing" if "token" in node.type else f"{node.type!r} is missing"
        told += 1
        if told > _MAX_FINDINGS:
            yield Finding(
                node.start_point.row + 1, 0, f"and more: only the first {_MAX_FINDINGS} are listed", "warning"
            )
            return
        row_start = data.rfind(b"\n", 0, start) + 1
        column = len(data[row_start:start].decode("utf-8", "replace")) + 1
        severity: Literal["error", "warning"] = "warning" if language in _UNSURE else "error"
        yield Finding(node.start_point.row + 1, column, message, severity)
