"""Findings as SARIF 2.1.0, the format that forges and editors read."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import quote

from actors.quality.finding import Finding, QualityReport, Skip

__all__ = ["SCHEMA", "to_sarif"]

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"
_ROOT = "SRCROOT"
_FINGERPRINT = "actorsFinding/v1"


def to_sarif(report: QualityReport, root: str | None = None) -> dict[str, Any]:
    """A report as a SARIF log, ready for JSON: one run for each tool, the skipped ones too.

    Args:
        report: its findings have paths relative to the root.
        root: the folder that they are relative to; None leaves it to whoever reads the log.
    """
    tools = dict.fromkeys([*(one.tool for one in report.findings), *(skip.tool for skip in report.skipped)])
    skips = {skip.tool: skip for skip in report.skipped}
    runs = [_run(tool, [one for one in report.findings if one.tool == tool], skips.get(tool), root) for tool in tools]
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": runs}


def _run(tool: str, findings: list[Finding], skip: Skip | None, root: str | None) -> dict[str, Any]:
    rules = _rules(findings)
    places = {rule["id"]: index for index, rule in enumerate(rules)}
    run: dict[str, Any] = {
        "tool": {"driver": {"name": tool, "rules": rules}},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(skip)],
        "results": [_result(one, places[one.rule]) for one in findings],
    }
    if root is not None:
        run["originalUriBaseIds"] = {_ROOT: {"uri": f"file://{_uri(os.path.join(os.path.abspath(root), ''))}"}}
    return run


def _rules(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    rules: dict[str, dict[str, Any]] = {}
    for one in findings:
        rule = rules.setdefault(one.rule, {"id": one.rule, "properties": {"tags": [one.kind]}})
        if one.url:
            rule["helpUri"] = one.url
    return list(rules.values())


def _invocation(skip: Skip | None) -> dict[str, Any]:
    if skip is None:
        return {"executionSuccessful": True}
    text = f"{skip.tool} did not run: {skip.reason}. To have it run: {skip.install}"
    notification = {"level": "warning", "message": {"text": _text(text)}}
    return {"executionSuccessful": False, "toolConfigurationNotifications": [notification]}


def _result(one: Finding, place: int) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": one.rule,
        "ruleIndex": place,
        "level": one.severity,
        "message": {"text": _text(f"{one.message}\n{one.mend}" if one.mend else one.message) or one.rule},
    }
    if one.path != ".":
        location: dict[str, Any] = {"artifactLocation": _artifact(one.path)}
        region = _region(one)
        if region:
            location["region"] = region
        result["locations"] = [{"physicalLocation": location}]
    if one.fingerprint:
        result["partialFingerprints"] = {_FINGERPRINT: one.fingerprint}
    return result


def _artifact(path: str) -> dict[str, Any]:
    if os.path.isabs(path):
        return {"uri": f"file://{_uri(path)}"}
    # A colon in the first part would make it a scheme: quote() encodes it.
    return {"uri": _uri(path), "uriBaseId": _ROOT}


def _region(one: Finding) -> dict[str, int]:
    if one.line is None or one.line < 1:
        return {}
    region = {"startLine": one.line}
    if one.column is not None and one.column >= 1:
        region["startColumn"] = one.column
    if one.end_line is not None and one.end_line >= one.line:
        region["endLine"] = one.end_line
    return region


def _uri(path: str) -> str:
    """The path as a URI: bytes that are no UTF-8 keep their values."""
    return quote(os.fsencode(path), safe="/~")


def _text(text: str) -> str:
    """A text that JSON in UTF-8 can hold."""
    return text.encode(errors="surrogateescape").decode(errors="replace")
