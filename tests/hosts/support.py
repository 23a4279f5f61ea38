"""Helpers for the tests of the process host: waiting for what happens, always with a limit."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterable
from typing import Any

from actors.hosts.exitreport import ExitReport
from actors.hosts.host import AgentHandle, LaunchSpec
from actors.hosts.process import ProcessHost

ENTRY = "tests.hosts.entries:by_topic"
LIMIT = 20.0
"""Seconds that anything may take before a test fails; no promise, only an end to waiting."""


def spec(agent: str = "walker-1", do: str = "rest", **options: Any) -> LaunchSpec:
    """A spec for an agent that does what tests.hosts.entries has under that name."""
    extra = {"do": do, **options.pop("extra", {})}
    return LaunchSpec(agent=agent, type="walker", incarnation=1, extra=extra, **options)


def heard(handle: AgentHandle) -> Any:
    """The data of the next message on the agent's control channel."""
    envelopes = handle.control.receive(LIMIT)
    assert envelopes, f"{handle.agent} said nothing within {LIMIT} s"
    return envelopes[0].message.data


def pump_until(host: ProcessHost, happened: Callable[[], Any], limit: float = LIMIT) -> None:
    """Serve the host until something has happened."""
    deadline = time.monotonic() + limit
    while not happened():
        left = deadline - time.monotonic()
        assert left > 0, f"it did not happen within {limit} s"
        poll = select.poll()
        poll.register(host.fileno(), select.POLLIN)
        poll.poll(left * 1000)
        host.on_readable()


class Exits:
    """Collects exit reports."""

    def __init__(self) -> None:
        self.reports: list[ExitReport] = []

    def __call__(self, report: ExitReport) -> None:
        self.reports.append(report)

    def __len__(self) -> int:
        return len(self.reports)


def end_of(host: ProcessHost, exits: Exits) -> ExitReport:
    """The first exit report, once it is there."""
    pump_until(host, lambda: exits.reports)
    return exits.reports[0]


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and is not collected yet does not."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def gone(pids: Iterable[int], limit: float) -> bool:
    """Whether all of these processes have ended within `limit` seconds."""
    deadline = time.monotonic() + limit
    for pid in pids:
        try:
            watched = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            poll = select.poll()
            poll.register(watched, select.POLLIN)
            if not poll.poll(max(deadline - time.monotonic(), 0) * 1000) and alive(pid):
                return False
        finally:
            os.close(watched)
    return True
