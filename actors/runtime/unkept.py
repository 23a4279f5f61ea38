"""What was asked for and the host cannot keep, told when work is handed in."""

from __future__ import annotations

import logging
import threading

from actors.hosts.host import HostPromises

__all__ = ["Unkept"]

_log = logging.getLogger("actors.hosts")


class Unkept:
    """Warns once for each limit that somebody set and that will not be enforced. Safe to use from any thread.

    Args:
        promises: what the host keeps; None of a host that does not say, which is taken at its word.
    """

    def __init__(self, promises: HostPromises | None) -> None:
        self._promises = promises
        self._lock = threading.Lock()
        self._told: set[str] = set()

    def time_limit(self, task_type: str, seconds: float | None) -> None:
        """A task, its worker or its submission names a time limit."""
        if seconds is None or self._promises is None or self._promises.kills:
            return
        self._tell(
            f"the time limit of {seconds:g} s of {task_type} is not enforced: this host cannot end a body that goes on, "
            "and the result of one that is late counts. Only an await is interrupted. Use host='process' to enforce it"
        )

    def memory_limit(self, agent_type: str, allowed: float | None) -> None:
        """A worker names a memory limit."""
        if allowed is None or self._promises is None or self._promises.memory_limits:
            return
        self._tell(
            f"the memory limit of {agent_type} is not enforced: this host cannot tell what each agent takes. "
            "Use host='process' on Linux to enforce it"
        )

    def _tell(self, text: str) -> None:
        with self._lock:
            if text in self._told:
                return
            self._told.add(text)
        _log.warning(text)
