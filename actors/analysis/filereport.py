"""What the analysis says about one file."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

from actors.analysis.lines import LineCounts

__all__ = ["FileReport", "Finding", "FunctionReport", "ImportReport", "Problem"]

Problem = Literal[
    "binary",
    "huge",
    "undecodable",
    "unreadable",
    "symlink_loop",
    "missing",
    "not_a_file",
    "unsupported",
    "analysis_failed",
]


@dataclass(frozen=True, slots=True)
class FunctionReport:
    """One function or method.

    Args:
        name: qualified by the classes and functions that it stands in, with dots.
        line, end_line: where it begins and ends, both inclusive, counted from 1.
        complexity: cyclomatic, 1 or more; functions inside it count for themselves.
        parameters: how many it declares.
        length: lines from the first to the last.
    """

    name: str
    line: int
    end_line: int
    complexity: int
    parameters: int
    length: int


@dataclass(frozen=True, slots=True)
class ImportReport:
    """One import.

    Args:
        module: as written. C keeps the angle brackets of `<stdio.h>`, which say where it is looked for.
        line: counted from 1.
        level: the leading dots of a relative import in Python; 1 for Ruby's `require_relative`; else 0.
        names: what a Python `from … import` takes from the module.
        when: "load" when the file is loaded, "call" inside a function or under
            `if __name__ == "__main__"`, "typing" for type checkers alone.
    """

    module: str
    line: int
    level: int = 0
    names: tuple[str, ...] = ()
    when: Literal["load", "call", "typing"] = "load"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong in the text of a file.

    Args:
        line, column: counted from 1; 0 when it concerns the file as a whole.
        message: what is wrong.
        severity: "error", or "warning" for what may be right (a macro that hides a bracket, say).
    """

    line: int
    column: int
    message: str
    severity: Literal["error", "warning"] = "error"


@dataclass(frozen=True, slots=True)
class FileReport:
    """One file: its measures, or why it has none.

    Args:
        path: relative to the root of the review, with `/`.
        language: one of `languages.SUPPORTED`, or None.
        status: "analysed", or "reported" when the text could not be looked into; `problem` and `detail` then say why.
        bytes: size on disk.
        lines: in a reported file those that could be counted all the same.
        sha256: of the bytes, in hexadecimal; empty if they were not read.
        seconds: what the analysis took.
    """

    path: str
    language: str | None
    status: Literal["analysed", "reported"]
    problem: Problem | None = None
    detail: str = ""
    bytes: int = 0
    lines: LineCounts = field(default_factory=LineCounts)
    functions: tuple[FunctionReport, ...] = ()
    classes: int = 0
    imports: tuple[ImportReport, ...] = ()
    findings: tuple[Finding, ...] = ()
    sha256: str = ""
    seconds: float = 0.0

    @property
    def complexity(self) -> int:
        """The complexities of its functions together."""
        return sum(function.complexity for function in self.functions)

    @property
    def peak(self) -> int:
        """The complexity of its most complex function; 0 without functions."""
        return max((function.complexity for function in self.functions), default=0)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return dataclasses.asdict(self)
