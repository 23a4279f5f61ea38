"""What a language's part of the analysis brings back."""

from __future__ import annotations

from dataclasses import dataclass

from actors.analysis.filereport import Finding, FunctionReport, ImportReport
from actors.analysis.lines import LineCounts

__all__ = ["Measured"]


@dataclass(frozen=True, slots=True)
class Measured:
    """The measures of one text. `language` is set when the text showed another one than its name."""

    lines: LineCounts
    functions: tuple[FunctionReport, ...] = ()
    classes: int = 0
    imports: tuple[ImportReport, ...] = ()
    findings: tuple[Finding, ...] = ()
    language: str | None = None
