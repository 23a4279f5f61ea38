"""Secrets in what was once committed: a later commit that takes them away does not make them secret again."""

from __future__ import annotations

import codecs
import os
import re
from dataclasses import dataclass, field

from actors.errors import CommandFailed
from actors.quality.command import Run
from actors.quality.finding import Finding, QualityReport, Skip
from actors.quality.secrets import LONGEST_LINE, find_secrets, secret_finding

__all__ = ["PatchReader", "scan_history", "without_repeats"]

# A repository's own configuration may name programs to run: none of it is.
_GIT = (
    *("git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.quotePath=true"),
    *("-c", "diff.noprefix=false", "-c", "diff.mnemonicPrefix=false", "-c", "log.showSignature=false"),
    "--no-optional-locks",
    "--no-pager",
)
_LOG = (
    *("log", "--all", "--format=%x00commit %H", "--patch", "--unified=0", "--no-color", "--no-ext-diff"),
    *("--no-textconv", "--no-renames", "--relative", "--src-prefix=a/", "--dst-prefix=b/", "--ignore-submodules=all"),
)
_HUNK = re.compile(r"@@ -\d+(?:,(?P<less>\d+))? \+(?P<line>\d+)(?:,(?P<more>\d+))? @@")
_MARKER = " (in the history: "
_MOST_SECRETS = 10_000
_KEPT_OUTPUT = 64 * 1024


@dataclass(slots=True)
class PatchReader:
    """Finds secrets in the lines that the patches of `git log` add, in bounded memory, as they come.

    Each secret is told once for a file, with the oldest commit that brought it.
    """

    found: dict[tuple[str, str, str], Finding] = field(default_factory=dict)
    _rest: str = ""
    _cut: bool = False
    _commit: str = ""
    _path: str = ""
    _line: int = 0
    _less: int = 0
    _more: int = 0

    def feed(self, text: str) -> None:
        """Take a piece of output, which may end in the middle of a line."""
        lines = (self._rest + text).split("\n")
        self._rest = lines.pop()
        for line in lines:
            if not self._cut:
                self._take(line)
            self._cut = False
        if len(self._rest) > LONGEST_LINE:
            # The rest of this line is let go, so that a file of one line costs no memory.
            if not self._cut:
                self._take(self._rest)
            self._cut, self._rest = True, ""

    def _take(self, line: str) -> None:
        # The counts of the hunk tell its lines from headers: an added line may look like one.
        if self._more and line.startswith("+"):
            self._more -= 1
            self._added(line[1:])
            self._line += 1
        elif self._less and line.startswith("-"):
            self._less -= 1
        elif line.startswith("\0commit "):
            self._commit, self._path = line[8:], ""
        elif line.startswith("+++ "):
            self._path = _unquoted(line[4:].rstrip("\t"))
        elif hunk := _HUNK.match(line):
            self._line = int(hunk["line"])
            self._less = 1 if hunk["less"] is None else int(hunk["less"])
            self._more = 1 if hunk["more"] is None else int(hunk["more"])

    def _added(self, line: str) -> None:
        for secret in find_secrets(line):
            key = (self._path, secret.rule.name, secret.shown)
            if key in self.found or len(self.found) < _MOST_SECRETS:
                where = f"{_MARKER}commit {self._commit[:12]})"
                self.found[key] = secret_finding(secret, self._path, self._line, where)


def scan_history(root: str, run: Run, timeout: float) -> QualityReport:
    """Look for secrets in what all commits of the repository that a folder is in brought into the folder.

    What only a merge commit brought, in neither of its parents, is not seen. No hook, filter or other program that the
    repository names is run.

    Args:
        root: the folder; what was outside it is left out.
        run: what runs git.
        timeout: seconds.
    """
    reader = PatchReader()
    # GIT_DIR and its kin, as a hook or a rebase sets them, would make git speak of another repository.
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    env |= {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1"}
    try:
        ended = run(
            [*_GIT, *_LOG],
            cwd=root,
            env=env,
            timeout=timeout,
            limit=_KEPT_OUTPUT,
            on_output=lambda stream, text: reader.feed(text) if stream == "stdout" else None,
        )
    except CommandFailed as error:
        told = str(error).partition("\n")[0]
        if error.code is None:
            return QualityReport(skipped=(Skip("secrets in history", "git cannot be run: " + told, "install git"),))
        return QualityReport(findings=(*reader.found.values(), _failure(told)))
    reader.feed("\n")
    if ended.code == 0:
        return QualityReport(findings=tuple(reader.found.values()))
    told = ended.stderr.strip().partition("\n")[0]
    if "not a git repository" in told:
        return QualityReport(skipped=(Skip("secrets in history", "not a git repository", "leave history out"),))
    if "dubious ownership" in told:
        install = f"git config --global --add safe.directory {root}"
        return QualityReport(skipped=(Skip("secrets in history", "another user owns the repository", install),))
    return QualityReport(findings=(*reader.found.values(), _failure(f"git ended with {ended.code}: {told}")))


def without_repeats(report: QualityReport) -> QualityReport:
    """Without the secrets of the history that still stand in the files, where they have a finding already."""
    present = {
        (one.path, one.rule, one.message)
        for one in report.findings
        if one.tool == "secrets" and _MARKER not in one.message
    }
    kept = [
        one
        for one in report.findings
        if _MARKER not in one.message or (one.path, one.rule, one.message.partition(_MARKER)[0]) not in present
    ]
    return QualityReport.joined([QualityReport(tuple(kept), report.tests, report.skipped, report.coverage)])


def _failure(message: str) -> Finding:
    text = f"the history could not be read to its end: {message}"
    return Finding("secrets", "tool-failed", "error", ".", None, None, None, text, kind="security")


def _unquoted(name: str) -> str:
    """The path in a header: git puts it in quotes, with escapes, when it is not plain ASCII."""
    if name.startswith('"') and name.endswith('"'):
        raw, _ = codecs.escape_decode(name[1:-1].encode("ascii", "replace"))
        name = os.fsdecode(raw)
    return name.removeprefix("b/")
