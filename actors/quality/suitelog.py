"""What the probe wrote about a run of pytest, read into outcomes: also when the run ended in the middle."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from actors.quality.finding import Finding, Outcome, Severity, TestOutcome

__all__ = ["SuiteLog", "read_log"]

_MEND = "let fixtures end what tests start"
# Set-up and tear-down of a test that passed in between make its outcome worse, never better.
_WEIGHT: Final[dict[Outcome, int]] = {"passed": 0, "xpassed": 1, "xfailed": 1, "skipped": 1, "failed": 2, "error": 3}


@dataclass(slots=True)
class SuiteLog:
    """The log of one run.

    Args:
        tests: those that have ended, by id, in the order in which they began.
        running: those that have begun and not ended, with what is known of them.
        findings: failed tests, files that could not be collected, processes that were left.
        collected: how many tests there were to be; None if the run did not come so far.
        ended: whether pytest came to its end.
        ate_too_much: whether the suite was ended for its memory.
    """

    tests: dict[str, TestOutcome] = field(default_factory=dict)
    running: dict[str, TestOutcome] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    collected: int | None = None
    ended: bool = False
    ate_too_much: bool = False

    def fail_running(self, outcome: Outcome, why: str) -> None:
        """The run is over: tests that were under way ended so."""
        for test, begun in self.running.items():
            done = TestOutcome(test, outcome, begun.seconds, begun.path, begun.line, why)
            self.tests[test] = done
            self.findings.append(_finding(done, why.partition("\n")[0]))
        self.running.clear()


def read_log(lines: Iterable[str], root: str) -> SuiteLog:
    """Read the probe's lines.

    Args:
        lines: one JSON object each; the last one may be cut off by a crash.
        root: paths become relative to it.
    """
    reader = _Reader(SuiteLog(), root)
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        reader.take(entry)
    for test, outcome in reader.log.tests.items():
        if outcome.is_bad:
            reader.log.findings.append(_finding(outcome, reader.messages.get(test, "")))
    return reader.log


class _Reader:
    """Takes the probe's lines one by one."""

    def __init__(self, log: SuiteLog, root: str) -> None:
        self.log = log
        self.messages: dict[str, str] = {}
        self._root = root
        # What pytest's own paths are relative to.
        self._base = root

    def take(self, entry: dict[str, Any]) -> None:
        kind = entry["kind"]
        if kind == "report":
            self._report(entry)
        elif kind == "start":
            self.log.running[entry["test"]] = self._begun(entry)
        elif kind == "collected":
            self.log.collected = entry["count"]
        elif kind == "begin":
            self._base = entry["rootdir"]
        elif kind == "end":
            self.log.ended = True
        else:
            self.log.findings.append(self._trouble(entry))

    def _trouble(self, entry: dict[str, Any]) -> Finding:
        if entry["kind"] == "memory":
            self.log.ate_too_much = True
            used, most = entry["used"] >> 20, entry["most"] >> 20
            message = (
                f"the suite was ended, with {used} MiB in use: it may have {most} MiB, less than its agent's limit"
            )
            return _found("out-of-memory", ".", None, message)
        if entry["kind"] == "collect":
            message = f"its tests could not be collected: {_last_line(entry['text'])}"
            return _found("collection-error", self._path(entry["path"]), None, message)
        processes = entry["processes"]
        message = f"the suite left {len(processes)} process{'es' * (len(processes) > 1)} behind, now ended: "
        return _found("processes-left", ".", None, message + "; ".join(processes[:5]), warning=True)

    def _begun(self, entry: dict[str, Any]) -> TestOutcome:
        line = None if entry["line"] is None else entry["line"] + 1
        return TestOutcome(entry["test"], "passed", 0.0, self._path(entry["path"]), line)

    def _report(self, entry: dict[str, Any]) -> None:
        test, log = entry["test"], self.log
        before = log.running.get(test) or log.tests.get(test) or self._begun(entry)
        outcome: Outcome = _outcome(entry)
        text = entry["text"]
        if _WEIGHT[outcome] > _WEIGHT[before.outcome]:
            self.messages[test] = entry["message"] or _last_line(text)
        else:
            outcome, text = before.outcome, before.text
        now = TestOutcome(test, outcome, before.seconds + entry["seconds"], before.path, before.line, text)
        if entry["when"] == "teardown":
            log.running.pop(test, None)
            log.tests[test] = now
        else:
            log.running[test] = now

    def _path(self, path: str) -> str:
        return os.path.relpath(os.path.join(self._base, path), self._root)


def _outcome(entry: dict[str, Any]) -> Outcome:
    if entry["xfail"]:
        return "xfailed" if entry["outcome"] == "skipped" else "xpassed"
    if entry["outcome"] == "failed":
        return "failed" if entry["when"] == "call" else "error"
    return "skipped" if entry["outcome"] == "skipped" else "passed"


def _finding(outcome: TestOutcome, message: str) -> Finding:
    name = outcome.test.partition("::")[2] or outcome.test
    first = message.strip().partition("\n")[0]
    return _found(f"test-{outcome.outcome}", outcome.path, outcome.line, f"{name}: {first}" if first else name)


def _found(rule: str, path: str, line: int | None, message: str, *, warning: bool = False) -> Finding:
    severity: Severity = "warning" if warning else "error"
    mend = _MEND if rule == "processes-left" else ""
    return Finding("pytest", rule, severity, path, line, None, None, message[:1000], mend=mend, kind="test")


def _last_line(text: str) -> str:
    lines = [line for line in text.strip().split("\n") if line.strip()]
    return lines[-1].removeprefix("E").strip() if lines else ""
