"""How the report of one file is written down in the cache, and read again."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import importlib.resources
import json
import platform
import zlib
from typing import Any

from actors.analysis.filereport import FileReport, Finding, FunctionReport, ImportReport
from actors.analysis.languages import language_of
from actors.analysis.lines import LineCounts

__all__ = ["analyser_version", "content_key", "decode", "depends_on_content", "encode"]

# What these problems say follows from the bytes alone; the others may be gone the next time.
_OF_CONTENT = frozenset({None, "binary", "undecodable"})
_LANGUAGES = ("bash", "c", "cpp", "go", "java", "javascript", "ruby", "rust", "typescript")
_GRAMMARS = ("tree-sitter", *(f"tree-sitter-{name}" for name in _LANGUAGES))


def analyser_version() -> str:
    """What a report depends on beside the file: the analysis itself, the grammars, and Python, whose parser it uses.

    Made of the text of the modules, so that nobody has to remember to count it up.
    """
    parts = f"{platform.python_version()} {code_of('actors.analysis')} {_grammars()}"
    return hashlib.sha256(parts.encode()).hexdigest()[:32]


@functools.cache
def _grammars() -> str:
    return " ".join(f"{name} {_version_of(name)}" for name in _GRAMMARS)


def _version_of(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "-"


@functools.cache
def code_of(package: str) -> str:
    """The hash of the text of a package's own modules: what they make may be another thing when they are."""
    digest = hashlib.sha256()
    for entry in sorted(importlib.resources.files(package).iterdir(), key=lambda one: one.name):
        if entry.name.endswith(".py"):
            digest.update(entry.name.encode() + b"\0" + entry.read_bytes())
    return digest.hexdigest()


def content_key(sha256: str, path: str) -> str:
    """The name under which a report is kept: the bytes, and what the file's name says of how to read them."""
    header = "h" if path.lower().endswith(".h") else ""
    return f"{sha256}:{language_of(path)}:{header}"


def depends_on_content(report: FileReport) -> bool:
    """Whether the same bytes give the same report again."""
    return bool(report.sha256) and report.problem in _OF_CONTENT


def encode(report: FileReport) -> tuple[str, int]:
    """A report as text, with a checksum. The path is left out: the same bytes may lie elsewhere."""
    lines = report.lines
    body = json.dumps(
        [
            report.language,
            report.status,
            report.problem,
            report.detail,
            report.bytes,
            [lines.total, lines.code, lines.comment, lines.blank],
            [[f.name, f.line, f.end_line, f.complexity, f.parameters, f.length] for f in report.functions],
            report.classes,
            [[i.module, i.line, i.level, i.names, i.when] for i in report.imports],
            [[f.line, f.column, f.message, f.severity] for f in report.findings],
            report.sha256,
            report.seconds,
        ],
        separators=(",", ":"),
    )
    return body, zlib.crc32(body.encode())


def decode(body: Any, check: Any, path: str) -> FileReport | None:
    """A report as it was; None if it is not what was written.

    Args:
        body, check: as `encode` gave them.
        path: of the file that has these bytes now.
    """
    if not isinstance(body, str) or zlib.crc32(body.encode(errors="replace")) != check:
        return None
    try:
        language, status, problem, detail, size, lines, functions, classes, imports, findings, sha, seconds = (
            json.loads(body)
        )
        report = FileReport(
            path=path,
            language=language,
            status=status,
            problem=problem,
            detail=detail,
            bytes=size,
            lines=LineCounts(*lines),
            functions=tuple(FunctionReport(*one) for one in functions),
            classes=classes,
            imports=tuple(
                ImportReport(module, line, level, tuple(names), when) for module, line, level, names, when in imports
            ),
            findings=tuple(Finding(*one) for one in findings),
            sha256=sha,
            seconds=seconds,
        )
    except (ValueError, TypeError, RecursionError):
        return None
    return report
