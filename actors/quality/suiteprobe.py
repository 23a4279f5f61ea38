"""A plugin for pytest that tells of each test as soon as it has begun and ended, so that a crash loses nothing.

It is copied by itself into the environment of the suite, which need not have this library: it imports nothing of it.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

# A text longer than this keeps its beginning and its end.
_LONGEST = 20_000
# What multiprocessing keeps by itself until the interpreter ends.
_OWN = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")
_GRACE = 0.5


class Probe:
    """Writes one JSON object a line."""

    def __init__(self, path: str, marker: str) -> None:
        self._file = open(path, "a", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115 - open while pytest runs
        self._marker = marker.encode()
        self._pid = os.getpid()

    def write(self, **line: Any) -> None:
        """A test may fork; its copy of this object says nothing."""
        if os.getpid() == self._pid:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """How many there will be."""
        self.write(kind="collected", count=len(items))

    def pytest_runtest_logstart(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        """A test begins."""
        self.write(kind="start", test=nodeid, path=location[0], line=location[1])

    def pytest_runtest_logreport(self, report: Any) -> None:
        """One of its three parts has ended."""
        self.write(
            kind="report",
            test=report.nodeid,
            when=report.when,
            outcome=report.outcome,
            xfail=hasattr(report, "wasxfail"),
            seconds=report.duration,
            path=report.location[0],
            line=report.location[1],
            text=_text_of(report),
            message=_message_of(report),
        )

    def pytest_collectreport(self, report: Any) -> None:
        """A file could not be collected, or is skipped as a whole."""
        if report.failed:
            self.write(kind="collect", path=report.nodeid, text=_short(str(report.longrepr)))

    def pytest_unconfigure(self) -> None:
        """The suite has ended; what it started should have, too."""
        deadline = time.monotonic() + _GRACE
        left = self._left()
        while left and time.monotonic() < deadline:
            time.sleep(0.05)
            left = self._left()
        if left:
            self.write(kind="left", processes=left)
        self.write(kind="end")

    def _left(self) -> list[str]:
        """The commands of the processes that have the suite's marker in their environment, but for this one."""
        found = []
        for pid in os.listdir("/proc") if os.path.isdir("/proc") else ():
            if not pid.isdecimal() or int(pid) in {self._pid, os.getppid()}:
                continue
            try:
                with open(f"/proc/{pid}/environ", "rb") as file:
                    ours = self._marker in file.read()
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    command = file.read().replace(b"\0", b" ").decode(errors="replace").strip()
            except OSError:
                continue
            if ours and command and not any(own in command for own in _OWN):
                found.append(_short(command)[:200])
        return found


def pytest_configure(config: Any) -> None:
    """The workers of xdist tell the program that started them, which tells us."""
    path = os.environ.get("ACTORS_SUITE_LOG")
    if path and not hasattr(config, "workerinput"):
        probe = Probe(path, os.environ["ACTORS_SUITE_MARKER"])
        probe.write(kind="begin", rootdir=str(config.rootpath))
        config.pluginmanager.register(probe, "actors-suite-probe")


def _text_of(report: Any) -> str:
    if report.passed and not hasattr(report, "wasxfail"):
        return ""
    if hasattr(report, "wasxfail"):
        return _short(str(report.wasxfail))
    if report.skipped and isinstance(report.longrepr, tuple):
        return _short(str(report.longrepr[2]).removeprefix("Skipped: "))
    sections = [f"--- {name} ---\n{text}" for name, text in report.sections if text.strip()]
    return _short("\n".join([str(report.longreprtext), *sections]))


def _message_of(report: Any) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    return _short(str(getattr(crash, "message", "")))[:500] if report.failed else ""


def _short(text: str) -> str:
    half = _LONGEST // 2
    return text if len(text) <= _LONGEST else f"{text[:half]}\n…\n{text[-half:]}"
