"""Checks of files: every tool that is wanted over some files, and what each of them found."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final

from actors.quality.bandit import Bandit
from actors.quality.command import Run
from actors.quality.finding import Finding, QualityReport, Severity, Skip
from actors.quality.linters import LINTERS
from actors.quality.osv import DumpError, read_dump, vulnerable_pins
from actors.quality.pins import LockError, Pin, pins_in
from actors.quality.secrets import secrets_in
from actors.quality.target import MAX_BYTES, Target, look_at, syntax_by_name
from actors.quality.tool import Tool

__all__ = ["FILE_TOOLS", "TOOLS", "TOOLS_OF", "check_files", "check_pins", "seconds_of", "tools_for"]

TOOLS: Final[tuple[Tool, ...]] = (*LINTERS, Bandit())
"""The tools for files that are programs."""

FILE_TOOLS: Final = (*(tool.name for tool in TOOLS), "secrets")
"""The names of all that checks files one by one."""

TOOLS_OF: Final[dict[str, tuple[str, ...]]] = {
    "lint": tuple(tool.name for tool in LINTERS),
    "security": ("bandit", "secrets"),
}
"""The tools of each check of files."""


# What looking for secrets takes for each byte.
_SECRETS_SECONDS = 1e-6


def tools_for(path: str, tools: Collection[str]) -> tuple[str, ...]:
    """Which tools will look at a file, as far as its name tells.

    Args:
        path: of the file.
        tools: some of `FILE_TOOLS`.
    """
    syntax = syntax_by_name(path)
    own = tuple(tool.name for tool in TOOLS if tool.name in tools and tool.syntax == syntax)
    return (*own, "secrets") if "secrets" in tools else own


def seconds_of(tools: Collection[str]) -> tuple[float, float]:
    """What it takes roughly to start these tools once, and what they take for each byte."""
    own = [tool for tool in TOOLS if tool.name in tools]
    return sum(tool.start_seconds for tool in own), _SECRETS_SECONDS + sum(tool.byte_seconds for tool in own)


def check_files(
    paths: Sequence[str],
    root: str,
    tools: Collection[str],
    run: Run,
    *,
    max_bytes: int = MAX_BYTES,
    timeout: float = 120.0,
    told: Callable[[float, str], object] | None = None,
) -> QualityReport:
    """Check some files.

    Args:
        paths: of the files, relative to the root or absolute.
        root: an absolute folder.
        tools: some of `FILE_TOOLS`.
        run: what runs commands.
        max_bytes: a larger file is reported and not read.
        timeout: seconds for one run of one tool.
        told: called with the share that is done and what is next.
    """
    targets: list[Target] = []
    found: list[Finding] = []
    for path in paths:
        seen = look_at(path, root, max_bytes)
        if isinstance(seen, Target):
            targets.append(seen)
        else:
            found.append(seen)
    wanted = [tool for tool in TOOLS if tool.name in tools]
    reports = []
    for index, tool in enumerate(wanted):
        if told is not None:
            told(index / (len(wanted) + 1), tool.name)
        reports.append(tool.check(targets, root, run, timeout))
    if "secrets" in tools:
        found += [secret for target in targets for secret in secrets_in(target)]
    return QualityReport.joined([QualityReport(tuple(found)), *reports])


def check_pins(paths: Iterable[str], root: str, dump: str, max_bytes: int = MAX_BYTES) -> QualityReport:
    """Look for pinned dependencies with known vulnerabilities.

    Args:
        paths: any files; those that pin dependencies are told by their names.
        root: an absolute folder.
        dump: of OSV, as `read_dump` takes it.
        max_bytes: a larger file is passed over: another check has reported it.
    """
    try:
        import packaging  # noqa: F401, PLC0415 - an extra
    except ImportError:
        return QualityReport(skipped=(Skip("osv", "packaging is not installed", "pip install 'actors-hub[quality]'"),))
    pins: list[Pin] = []
    found: list[Finding] = []
    for path in paths:
        if not _may_pin(path):
            continue
        seen = look_at(path, root, max_bytes)
        try:
            pins += pins_in(seen) if isinstance(seen, Target) else []
        except LockError as error:
            found.append(_failure("not-checked", path, str(error)))
        except ValueError as error:
            found.append(_failure("not-checked", path, f"it cannot be read: {error}"))
    try:
        found += vulnerable_pins(pins, read_dump(dump))
    except (OSError, DumpError) as error:
        found.append(_failure("tool-failed", ".", f"the dump of OSV cannot be read: {error}"))
    return QualityReport(tuple(found))


def _may_pin(path: str) -> bool:
    return os.path.splitext(path)[1] in {".txt", ".in", ".lock", ".toml", ".json"}


def _failure(rule: str, path: str, message: str) -> Finding:
    severity: Severity = "error" if rule == "tool-failed" else "warning"
    return Finding("osv", rule, severity, path, None, None, None, message, kind="security")
