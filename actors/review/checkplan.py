"""Which tools are to look at which files, and what they said before of those that did not change."""

from __future__ import annotations

import json
import os
import platform
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from actors.quality.basis import Basis, digest, speaking
from actors.quality.check import TOOLS
from actors.quality.finding import Finding, QualityReport, Skip
from actors.quality.target import Target, syntax_of
from actors.review.cache import ReportCache, Stamp
from actors.review.cachefile import analyser_version, code_of

__all__ = ["CheckGroup", "CheckPlan", "plan_checks", "remember_checks"]

_SHELL = "shellcheck"
_SOURCES = re.compile(r"(?m)(?:^|[;&|({\s])(?:\.|source)\s+\S")
# What these rules say is not of the file but of the moment.
_OF_THE_MOMENT = frozenset({"tool-failed", "check-failed", "E902", "io-error"})


@dataclass(frozen=True, slots=True)
class CheckGroup:
    """Files that the same tools are to look at. Tools that a file is nothing for may be among them."""

    paths: tuple[str, ...]
    tools: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CheckPlan:
    """What is to be done, and what is known.

    Args:
        root: the folder that paths are relative to.
        groups: each file that is to be looked at, in one of them.
        known: the findings of an earlier review, for what did not change.
        skipped: the tools that have files and cannot run, with their reasons.
        bases: what decides, by path and tool; see `Basis`. Only what has an entry may be kept.
        scripts: the shell scripts among all files.
        programs: where the tools are.
        environment: the variables that speak to tools.
        note: for people; empty if all is well.
    """

    root: str
    groups: tuple[CheckGroup, ...]
    known: tuple[Finding, ...] = ()
    skipped: tuple[Skip, ...] = ()
    bases: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    scripts: tuple[str, ...] = ()
    programs: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    note: str = ""

    def joined(self, reports: Sequence[QualityReport]) -> QualityReport:
        """One report of what is known and of what the groups gave.

        Args:
            reports: one for each group.
        """
        # Whether a tool is configured was decided for the whole tree; each part would decide it for itself.
        unexpected = [skip for report in reports for skip in report.skipped if _is_missing(skip)]
        found = [one for report in reports for one in report.findings]
        return QualityReport.joined([QualityReport((*self.known, *found), skipped=(*self.skipped, *unexpected))])


def plan_checks(
    root: str,
    paths: Sequence[str],
    contents: Mapping[str, str],
    cache: ReportCache | None,
    environment: Mapping[str, str],
) -> CheckPlan:
    """Decide what is to be checked.

    Args:
        root: an absolute folder.
        paths: the files, relative to it.
        contents: the hash of what is in a file, for those of which it is known.
        cache: where findings are looked up; None for nowhere.
        environment: variables, as `os.environ`.
    """
    takers, skipped, programs = _tools(root, paths)
    environment = speaking(environment)
    basis = Basis(root, environment, programs)
    scripts = takers.get(_SHELL, ())
    wanted: dict[str, list[str]] = {path: [] for path in paths}
    for tool, own in takers.items():
        for path in own:
            wanted[path].append(tool)
    bases: dict[str, dict[str, str]] = {}
    found: dict[tuple[str, str], tuple[Finding, ...]] = {}
    note = ""
    if cache is not None:
        for path, tools in wanted.items():
            bases[path] = {tool: decides for tool in tools if (decides := basis.of(tool, path)) is not None}
        found, note = _look_up(cache, bases, _Contents(contents, scripts))
    if any((path, _SHELL) not in found for path in scripts):
        # It follows from one script to another among those that it is given, so it is given all or none.
        found = {place: findings for place, findings in found.items() if place[1] != _SHELL}
    groups = _groups(wanted, tuple(takers), found)
    return CheckPlan(
        root,
        groups,
        tuple(one for findings in found.values() for one in findings),
        skipped,
        bases,
        tuple(scripts),
        programs,
        environment,
        note,
    )


def remember_checks(
    folder: str, plan: CheckPlan, reports: Sequence[QualityReport], stamps: Mapping[str, Stamp], after: object = None
) -> str:
    """Keep what the tools said of each file, unless the file, or what else decides, changed meanwhile.

    Args:
        folder: of the cache.
        plan: what was to be done.
        reports: one for each of its groups.
        stamps: of the files before anything was read.
        after: what must be in the cache before; see `ReportCache.remember`.

    Returns:
        A note for people if it could not be done; else nothing.
    """
    del after
    cache = ReportCache(folder)
    checked = [path for group in plan.groups for path in group.paths]
    mine = {path: stamps[path] for path in {*checked, *plan.scripts} if path in stamps}
    contained = _Contents(cache.unchanged(plan.root, mine), plan.scripts)
    basis = Basis(plan.root, plan.environment, plan.programs)
    follows = any(_has_sources(os.path.join(plan.root, path)) for path in plan.scripts)
    bodies: dict[str, str] = {}
    for group, report in zip(plan.groups, reports, strict=True):
        heard = _Heard(group, report, plan.root)
        for path in group.paths:
            for tool, decided in plan.bases.get(path, {}).items():
                content = contained.of(tool, path)
                if tool not in group.tools or not content or (tool == _SHELL and follows):
                    continue
                findings = heard.of(path, tool)
                if findings is not None and basis.of(tool, path) == decided:
                    bodies[_key(tool, decided, content)] = _encode(findings)
    return cache.keep(bodies) if bodies else ""


def _look_up(
    cache: ReportCache, bases: Mapping[str, Mapping[str, str]], contents: _Contents
) -> tuple[dict[tuple[str, str], tuple[Finding, ...]], str]:
    """What is known, by path and tool; and a note on the cache."""
    keys = {
        (path, tool): _key(tool, decides, content)
        for path, known in bases.items()
        for tool, decides in known.items()
        if (content := contents.of(tool, path))
    }
    bodies, note = cache.entries(list(keys.values()))
    found = {}
    for (path, tool), key in keys.items():
        findings = _decode(bodies.get(key), tool, path)
        if findings is not None:
            found[path, tool] = findings
    return found, note


class _Contents:
    """What of the files decides for a tool: the file's own bytes; for shellcheck, those of all scripts."""

    def __init__(self, contents: Mapping[str, str], scripts: Iterable[str]) -> None:
        self._contents = contents
        held = [(path, contents.get(path, "")) for path in scripts]
        self._scripts = digest(held) if all(sha256 for _, sha256 in held) else ""

    def of(self, tool: str, path: str) -> str:
        """A hash; empty if it is not known."""
        own = self._contents.get(path, "")
        if tool != _SHELL:
            return own
        return f"{own}:{self._scripts}" if own and self._scripts else ""


def _tools(root: str, paths: Sequence[str]) -> tuple[dict[str, list[str]], tuple[Skip, ...], dict[str, str]]:
    """The tools that run, each with its files; those that cannot; where the first are."""
    targets = [Target(path, f"./{path}", syntax_of(path, root), None) for path in paths]
    takers: dict[str, list[str]] = {}
    skipped: list[Skip] = []
    programs: dict[str, str] = {}
    for tool in TOOLS:
        mine = [target for target in targets if tool.takes(target)]
        if not mine:
            continue
        configured = [target.path for target in mine if tool.is_configured(target, root)]
        program = tool.program(root)
        if not configured:
            skipped.append(tool.not_configured(len(mine)))
        elif program is None:
            skipped.append(tool.not_installed())
        else:
            takers[tool.name] = configured
            programs[tool.name] = os.path.abspath(program)
    takers["secrets"] = list(paths)
    return takers, tuple(skipped), programs


def _groups(
    wanted: Mapping[str, Sequence[str]], tools: tuple[str, ...], found: Mapping[tuple[str, str], Any]
) -> tuple[CheckGroup, ...]:
    """Files by the tools that need not look at them: most often, all of them are new or none is."""
    groups: dict[frozenset[str], list[str]] = defaultdict(list)
    for path, own in wanted.items():
        known = frozenset(tool for tool in own if (path, tool) in found)
        if len(known) < len(own):
            groups[known].append(path)
    return tuple(
        CheckGroup(tuple(paths), tuple(tool for tool in tools if tool not in known))
        for known, paths in sorted(groups.items(), key=lambda group: sorted(group[0]))
    )


class _Heard:
    """What each tool said of each file, if it can be said again without asking."""

    def __init__(self, group: CheckGroup, report: QualityReport, root: str) -> None:
        paths = set(group.paths)
        self._said: dict[tuple[str, str], tuple[Finding, ...]] = {}
        self._lost_tools = {skip.tool for skip in report.skipped if _is_missing(skip)}
        self._lost_paths: set[str] = set()
        self._lost: set[tuple[str, str]] = set()
        for one in report.findings:
            place = (one.path, one.tool)
            if one.tool == "actors":
                self._lost_paths.add(one.path)
            elif one.path not in paths:
                # Of the whole run, or of another file than those that it was given.
                self._lost_tools.add(one.tool)
            elif not _is_lasting(one) or root in one.message or root in one.mend:
                self._lost.add(place)
            else:
                self._said[place] = (*self._said.get(place, ()), one)

    def of(self, path: str, tool: str) -> tuple[Finding, ...] | None:
        """The findings; None if they are not to be kept."""
        if tool in self._lost_tools or path in self._lost_paths or (path, tool) in self._lost:
            return None
        return self._said.get((path, tool), ())


def _is_lasting(one: Finding) -> bool:
    """Whether it is said of what is in the file."""
    if one.rule == "not-checked":
        return "syntax error" in one.message
    return one.rule not in _OF_THE_MOMENT


def _is_missing(skip: Skip) -> bool:
    return not skip.reason.startswith("not configured")


def _has_sources(path: str) -> bool:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return _SOURCES.search(file.read()) is not None
    except OSError:
        return True


def _encode(findings: Sequence[Finding]) -> str:
    """Findings as text. The path is left out: the same bytes may lie elsewhere."""
    rows = [
        [one.rule, one.severity, one.line, one.column, one.end_line, one.message, one.mend, one.kind, one.url]
        for one in findings
    ]
    return json.dumps(rows, separators=(",", ":"))


def _decode(body: str | None, tool: str, path: str) -> tuple[Finding, ...] | None:
    if body is None:
        return None
    try:
        rows = json.loads(body)
        if not isinstance(rows, list):
            return None
        return tuple(
            Finding(tool, rule, severity, path, line, column, end_line, message, mend, kind, url)
            for rule, severity, line, column, end_line, message, mend, kind, url in rows
        )
    except (ValueError, TypeError, RecursionError):
        return None


def _key(tool: str, decides: str, content: str) -> str:
    # With what findings depend on beside tools and files: the code that makes them.
    code = (platform.python_version(), analyser_version(), code_of("actors.quality"))
    return digest(["check", code, tool, decides, content])
