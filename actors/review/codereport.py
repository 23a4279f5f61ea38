"""What a review says about a tree."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from actors.analysis.filereport import Finding
from actors.analysis.lines import LineCounts

__all__ = ["Bucket", "CodeReport", "Cycle", "Edge", "FileSummary", "Graph", "HotFunction", "Totals", "Trouble"]


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over some files. `files` is always `analysed + reported`."""

    files: int = 0
    analysed: int = 0
    reported: int = 0
    bytes: int = 0
    lines: LineCounts = dataclasses.field(default_factory=LineCounts)
    functions: int = 0
    classes: int = 0
    imports: int = 0
    complexity: int = 0
    peak: int = 0
    errors: int = 0
    warnings: int = 0

    @property
    def mean_complexity(self) -> float:
        """Complexity per function; 0 without functions."""
        return self.complexity / self.functions if self.functions else 0.0


@dataclass(frozen=True, slots=True)
class FileSummary:
    """One file in a line: what the pictures and tables need of it."""

    path: str
    language: str | None
    status: Literal["analysed", "reported"]
    bytes: int
    lines: int
    code: int
    functions: int
    complexity: int
    peak: int
    findings: int


@dataclass(frozen=True, slots=True)
class HotFunction:
    """A function that stands out."""

    path: str
    name: str
    line: int
    complexity: int
    length: int
    parameters: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """How many functions have a complexity from `least` to `most`, and what their complexities sum up to.

    Both ends are inclusive; `most` is None for no upper end.
    """

    least: int
    most: int | None
    functions: int
    complexity: int


@dataclass(frozen=True, slots=True)
class Edge:
    """One file needs another. `when` is the earliest: "load", else "call", else "typing"."""

    source: str
    target: str
    when: Literal["load", "call", "typing"] = "load"


@dataclass(frozen=True, slots=True)
class Cycle:
    """Files that need each other, directly or by others.

    Args:
        files: all that are in it, sorted.
        path: a shortest way round, the first file again at its end.
        at_load: whether it exists at load time alone; otherwise it takes imports made inside functions to close it.
    """

    files: tuple[str, ...]
    path: tuple[str, ...]
    at_load: bool


@dataclass(frozen=True, slots=True)
class Graph:
    """What needs what among the files of the tree.

    Args:
        edges: sorted by source and target; no file needs itself.
        cycles: the largest first, those at load time before the others.
        outside: modules that are not in the tree, with the number of files that import each, the most wanted first.
        languages: those whose imports are resolved to files.
    """

    edges: tuple[Edge, ...] = ()
    cycles: tuple[Cycle, ...] = ()
    outside: tuple[tuple[str, int], ...] = ()
    languages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trouble:
    """A file that could not be looked into, or has something wrong in it."""

    path: str
    language: str | None
    problem: str | None
    detail: str
    findings: tuple[Finding, ...]

    @property
    def is_error(self) -> bool:
        """Whether it is more than warnings."""
        return self.problem is not None or any(finding.severity == "error" for finding in self.findings)


@dataclass(frozen=True, slots=True)
class CodeReport:
    """The whole tree.

    Args:
        totals: over all files.
        languages: the same for each language, the most lines first.
        complex_functions, long_functions: the hot spots among the functions, the hottest first.
        risky_functions: all whose complexity is of the bands above 20, the most complex first.
        complex_files, large_files: the same among the files, by complexity and by lines.
        distribution: the functions by complexity.
        graph: the dependencies between the files.
        troubles: files with problems or findings; errors before warnings, then by path.
        files: all files, by path.
    """

    totals: Totals
    languages: tuple[tuple[str, Totals], ...]
    complex_functions: tuple[HotFunction, ...]
    long_functions: tuple[HotFunction, ...]
    complex_files: tuple[FileSummary, ...]
    large_files: tuple[FileSummary, ...]
    distribution: tuple[Bucket, ...]
    graph: Graph
    troubles: tuple[Trouble, ...]
    files: tuple[FileSummary, ...]
    risky_functions: tuple[HotFunction, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        plain = dataclasses.asdict(self)
        plain["totals"]["mean_complexity"] = self.totals.mean_complexity
        plain["languages"] = {
            language: {**dataclasses.asdict(totals), "mean_complexity": totals.mean_complexity}
            for language, totals in self.languages
        }
        return plain
