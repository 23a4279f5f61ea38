"""The one format for what is found, whichever tool found it."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = [
    "Coverage",
    "Finding",
    "Kind",
    "Outcome",
    "QualityReport",
    "Severity",
    "Skip",
    "TestOutcome",
    "fingerprinted",
]

Severity = Literal["error", "warning", "note"]
Kind = Literal["lint", "test", "security"]
Outcome = Literal["passed", "failed", "error", "skipped", "xfailed", "xpassed", "crashed", "timeout"]

_NUMBERS = re.compile(r"\d+")
_SEVERITIES: dict[str, int] = {"error": 0, "warning": 1, "note": 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a tool found.

    Args:
        tool: as people call it: "ruff", "bandit", "pytest", "secrets" …
        rule: the tool's own name of the rule, as "F401".
        severity: "error", "warning" or "note".
        path: of the file, relative to the root with `/`; "." for what concerns the whole tree.
        line, column, end_line: counted from 1; None where the tool does not say.
        message: what is wrong.
        mend: how to mend it; empty where the tool does not say.
        kind: "lint", "test" or "security".
        url: where the rule is explained; may be empty.
        fingerprint: the same for the same finding in an earlier report, also when lines above it came or went.
    """

    tool: str
    rule: str
    severity: Severity
    path: str
    line: int | None
    column: int | None
    end_line: int | None
    message: str
    mend: str = ""
    kind: Kind = "lint"
    url: str = ""
    fingerprint: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        # All fields are plain: `asdict`, which copies each, takes ten times as long.
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class TestOutcome:
    """How one test ended.

    Args:
        test: its id, as pytest writes it.
        outcome: "crashed" when the interpreter died in it, "timeout" when the suite had to be ended in it; the others
            are pytest's own words.
        seconds: with its set-up and tear-down.
        path: of its file, relative to the root with `/`.
        line: where it begins, counted from 1.
        text: of the failure, with the traceback; the reason of a skip.
    """

    # pytest takes classes of this name for tests wherever they are imported.
    __test__ = False

    test: str
    outcome: Outcome
    seconds: float
    path: str
    line: int | None = None
    text: str = ""

    @property
    def is_bad(self) -> bool:
        """Whether it keeps the suite from passing."""
        return self.outcome in {"failed", "error", "crashed", "timeout"}

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True)
class Skip:
    """A tool that had work and did not run.

    Args:
        tool: its name.
        reason: why.
        install: what to do so that it runs.
    """

    tool: str
    reason: str
    install: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of the code the tests ran.

    Args:
        percent: of the whole, as coverage.py counts it, 0 to 100.
        statements, missing: how many there are, and how many never ran.
        files: percent by path, relative to the root.
    """

    percent: float
    statements: int
    missing: int
    files: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {**dataclasses.asdict(self), "files": dict(self.files)}


@dataclass(frozen=True, slots=True)
class QualityReport:
    """All that the checks of a tree gave.

    Args:
        findings: by path and line.
        tests: in the order in which they ran.
        skipped: the tools that had work and did not run, each once.
        coverage: None when it was not measured.
    """

    findings: tuple[Finding, ...] = ()
    tests: tuple[TestOutcome, ...] = ()
    skipped: tuple[Skip, ...] = ()
    coverage: Coverage | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "findings": [one.to_dict() for one in self.findings],
            "tests": [one.to_dict() for one in self.tests],
            "skipped": [one.to_dict() for one in self.skipped],
            "coverage": None if self.coverage is None else self.coverage.to_dict(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> QualityReport:
        """The opposite of `to_dict`."""
        coverage = data.get("coverage")
        return cls(
            findings=tuple(Finding(**one) for one in data.get("findings", ())),
            tests=tuple(TestOutcome(**one) for one in data.get("tests", ())),
            skipped=tuple(Skip(**one) for one in data.get("skipped", ())),
            coverage=None if coverage is None else Coverage(**coverage),
        )

    @classmethod
    def joined(cls, reports: Iterable[QualityReport]) -> QualityReport:
        """One report of several: findings in order with their fingerprints, each skipped tool once."""
        found: list[Finding] = []
        tests: list[TestOutcome] = []
        skipped: dict[str, Skip] = {}
        coverage: Coverage | None = None
        for report in reports:
            found += report.findings
            tests += report.tests
            coverage = report.coverage or coverage
            for skip in report.skipped:
                skipped.setdefault(skip.tool, skip)
        return cls(fingerprinted(found), tuple(tests), tuple(skipped.values()), coverage)


def fingerprinted(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings in order, each with its fingerprint.

    It is made of tool, rule, path and message without the numbers in it, so that it stays when lines move, and of a
    count for findings that are else the same.
    """
    seen: Counter[str] = Counter()
    done = []
    for one in sorted(findings, key=_order):
        base = "\0".join((one.tool, one.rule, one.path, _NUMBERS.sub("#", one.message)))
        seen[base] += 1
        digest = hashlib.sha256(f"{base}\0{seen[base]}".encode(errors="surrogatepass")).hexdigest()[:32]
        done.append(dataclasses.replace(one, fingerprint=digest))
    return tuple(done)


def _order(one: Finding) -> tuple[Any, ...]:
    return (one.path, one.line or 0, one.column or 0, _SEVERITIES[one.severity], one.tool, one.rule, one.message)
