"""Helpers for tests of whole systems: waiting with a limit for what can be seen, and looking at processes."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from actors import ActorSystem, AgentConfig, AgentStatus, Event, SystemConfig

T = TypeVar("T")

LIMIT = 20.0
"""Seconds that anything may take before a test fails; no promise, only an end to waiting."""

CONFIG = SystemConfig(agent=AgentConfig(grace=1.0))
"""The defaults, but for a shorter time from an interruption to the kill."""

_PAUSE = 0.005


def wait_for(happened: Callable[[], T], what: str = "it", limit: float = LIMIT) -> T:
    """Look until something is true, and give it back."""
    deadline = time.monotonic() + limit
    while not (found := happened()):
        assert time.monotonic() < deadline, f"{what} did not happen within {limit} s"
        time.sleep(_PAUSE)
    return found


class Heard:
    """Collects events; to be handed to `subscribe`."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self._changed = threading.Condition()

    def __call__(self, event: Event) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def first(self, fits: Callable[[Any], object] = bool, what: str = "the event") -> Any:
        """The first event that fits, once there is one."""
        with self._changed:
            found = self._changed.wait_for(lambda: [event for event in self.events if fits(event)], LIMIT)
            assert found, f"{what} was not heard within {LIMIT} s, but {self.events}"
            return found[0]

    def wait(self, count: int) -> list[Any]:
        """All events, once there are so many."""
        with self._changed:
            came = self._changed.wait_for(lambda: len(self.events) >= count, LIMIT)
            assert came, f"{count} events were not heard within {LIMIT} s, but {self.events}"
            return list(self.events)


def agent(system: ActorSystem, agent_id: str) -> AgentStatus | None:
    """How an agent stands; None if it is not there."""
    return next((each for each in system.agents() if each.agent == agent_id), None)


def idle(system: ActorSystem, agent_id: str, incarnation: int = 1) -> AgentStatus:
    """An agent's status, once it is idle in that incarnation or a later one."""

    def found() -> AgentStatus | None:
        status = agent(system, agent_id)
        return (
            status if status is not None and status.incarnation >= incarnation and str(status.state) == "idle" else None
        )

    return wait_for(found, f"{agent_id}, incarnation {incarnation}, idle")  # type: ignore[return-value]


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and is not collected yet does not."""
    try:
        return _stat(pid)[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def parent_of(pid: int) -> int:
    """The pid of a process's parent."""
    return int(_stat(pid)[1])


def _stat(pid: int) -> list[str]:
    # The name of the program comes first, in parentheses, and may hold anything.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def gone(pids: Iterable[int], limit: float) -> list[int]:
    """The processes of these that have not ended within `limit` seconds."""
    deadline = time.monotonic() + limit
    left = []
    for pid in pids:
        try:
            watched = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            poll = select.poll()
            poll.register(watched, select.POLLIN)
            if not poll.poll(max(deadline - time.monotonic(), 0) * 1000) and alive(pid):
                left.append(pid)
        finally:
            os.close(watched)
    return left
