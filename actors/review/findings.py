"""What the review itself has to say of files, in the one format for findings."""

from __future__ import annotations

from actors.quality.finding import Finding, fingerprinted
from actors.review.bands import BANDS
from actors.review.codereport import CodeReport

__all__ = ["CODE_TOOL", "code_findings"]


CODE_TOOL = "actors"
"""The tool that findings of the review itself name, and those on files that cannot be read."""


def code_findings(code: CodeReport) -> tuple[Finding, ...]:
    """The findings of the analysis: what does not parse or cannot be read, cycles at load time, complex functions."""
    found = [
        *_troubles(code),
        *(
            Finding(
                tool=CODE_TOOL,
                rule="import-cycle",
                severity="warning",
                path=cycle.path[0],
                line=None,
                column=None,
                end_line=None,
                message="a cycle of imports at load time: " + " → ".join(cycle.path),
                mend="move what both need into a module of its own, or import inside the function that needs it",
            )
            for cycle in code.graph.cycles
            if cycle.at_load
        ),
        *(
            Finding(
                tool=CODE_TOOL,
                rule="complexity",
                severity="warning" if one.complexity >= BANDS[5].least else "note",
                path=one.path,
                line=one.line,
                column=None,
                end_line=one.line + one.length - 1,
                message=f"{one.name} has a cyclomatic complexity of {one.complexity}",
                mend="split it into functions that each decide one thing",
            )
            for one in code.risky_functions
        ),
    ]
    return fingerprinted(found)


def _troubles(code: CodeReport) -> list[Finding]:
    found = []
    for trouble in code.troubles:
        if trouble.problem is not None:
            found.append(
                Finding(
                    tool=CODE_TOOL,
                    rule=trouble.problem.replace("_", "-"),
                    severity="error",
                    path=trouble.path,
                    line=None,
                    column=None,
                    end_line=None,
                    message=trouble.detail or trouble.problem.replace("_", " "),
                )
            )
        found += [
            Finding(
                tool=CODE_TOOL,
                rule="syntax",
                severity=one.severity,
                path=trouble.path,
                line=one.line or None,
                column=one.column or None,
                end_line=None,
                message=one.message,
            )
            for one in trouble.findings
        ]
    return found
