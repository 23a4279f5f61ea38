"""bandit, which looks for insecure Python."""

from __future__ import annotations

import json
import os
import tomllib
from typing import Any, Final

from actors.quality.command import Ended
from actors.quality.finding import Finding, Severity
from actors.quality.target import Names, Target
from actors.quality.tool import Tool

__all__ = ["Bandit"]

_SEVERITIES: Final[dict[str, Severity]] = {"HIGH": "error", "MEDIUM": "warning", "LOW": "note"}


class Bandit(Tool):
    """Insecure Python, with the tree's `.bandit` and the table `tool.bandit` of its pyproject.toml."""

    name = "bandit"
    kind = "security"
    syntax = "python"
    start_seconds = 0.5
    byte_seconds = 1e-5
    install = "pip install 'actors-hub[quality]'"

    def takes(self, target: Target) -> bool:
        """See `Tool`: neither notebooks, nor stubs, which nothing runs; as bandit itself does in a folder."""
        return target.syntax == self.syntax and not target.path.endswith((".ipynb", ".pyi"))

    def argv(self, program: str, root: str) -> list[str]:
        """See `Tool`."""
        argv = [program, "--format=json", "--quiet", "--exit-zero"]
        ini, project = os.path.join(root, ".bandit"), os.path.join(root, "pyproject.toml")
        if os.path.isfile(ini):
            argv.append(f"--ini={ini}")
        if _has_table(project):
            argv.append(f"--configfile={project}")
        return [*argv, "--"]

    def read(self, ended: Ended, names: Names) -> list[Finding]:
        """See `Tool`."""
        if ended.code != 0:
            raise self.failed(ended, for_all=ended.code == 2)
        # Its logging may write to the same stream before the report.
        report = json.loads(ended.stdout[max(ended.stdout.find("{\n"), 0) :])
        found = [self._finding(one, names) for one in report["results"]]
        for one in report["errors"]:
            message = f"bandit could not look into it: {one['reason']}"
            path = names.path(one["filename"])
            found.append(Finding(self.name, "not-checked", "note", path, None, None, None, message, kind=self.kind))
        return found

    def _finding(self, one: dict[str, Any], names: Names) -> Finding:
        confidence = one["issue_confidence"].lower()
        return Finding(
            self.name,
            one["test_id"],
            _SEVERITIES.get(one["issue_severity"], "note"),
            names.path(one["filename"]),
            one["line_number"],
            _column(one),
            max(one["line_range"], default=one["line_number"]),
            f"{one['issue_text']} (confidence: {confidence})",
            kind=self.kind,
            url=one.get("more_info") or "",
        )


def _has_table(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return "bandit" in tomllib.load(file).get("tool", {})
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return False


def _column(one: dict[str, Any]) -> int | None:
    """Bandit counts bytes from 0, findings count characters from 1; the line itself comes with the finding."""
    offset = one.get("col_offset", -1)
    prefix = f"{one['line_number']} "
    line = next((text[len(prefix) :] for text in one.get("code", "").split("\n") if text.startswith(prefix)), None)
    if offset < 0 or line is None:
        return None
    return len(line.encode(errors="surrogateescape")[:offset].decode(errors="replace")) + 1
