"""One agent as its launcher knows it, from its fork to its last words."""

from __future__ import annotations

import contextlib
import os
import signal
import time

from actors.hosts.lastwords import ask_for_stack, has_whole_stack, is_ready
from actors.hosts.linux import oom_kills
from actors.hosts.proctree import children_of, condition_of, processor_time_of, tracks_resources
from actors.hosts.stderrsink import Tail

__all__ = ["STACK_LOOK", "LaunchedAgent"]

STACK_LOOK = 0.004
"""Seconds between two looks whether an agent has written down its stacks."""

# A task may take a gigabyte in a second: an agent over its limit does not live for long. What waits for a processor
# takes nothing meanwhile, so that is not counted, within bounds.
_STACK_AT_MOST = 0.1
_STARVED_AT_MOST = 1.0
_STOPPED = "T"
_RUNS = "R"


class LaunchedAgent:
    """An agent's process.

    Args:
        number: names it between program and launcher.
        pid: of its process.
        reader: the launcher's end of its stderr pipe.
        memory: a descriptor of its status block, closed by `close`.
    """

    __slots__ = (
        "_asked",
        "_used",
        "condition",
        "memory",
        "number",
        "oom_before",
        "pid",
        "reader",
        "started",
        "tail",
    )

    def __init__(self, number: int, pid: int, reader: int, memory: int) -> None:
        self.number = number
        self.pid = pid
        self.reader = reader
        self.memory = memory
        self.started = time.monotonic()
        self.oom_before = oom_kills()
        self.tail = Tail()
        # What its process did just before it was killed: a letter, as /proc/<pid>/stat has it.
        self.condition = ""
        self._asked: float | None = None
        # Its processor time when it was asked.
        self._used = 0.0

    def oom_kills(self) -> int | None:
        """How often the kernel has killed for want of memory since it was started; None if it does not say."""
        now = oom_kills()
        return None if now is None or self.oom_before is None else now - self.oom_before

    @property
    def asked(self) -> bool:
        """Whether it was asked for its stacks, to be killed afterwards."""
        return self._asked is not None

    def ask_for_stack(self) -> bool:
        """Have it write down where it is before it is killed. False if there is nothing to wait for: kill it now."""
        self.condition = condition_of(self.pid)
        if self.condition == _STOPPED or not is_ready(self.memory) or not ask_for_stack(self.memory, self.pid):
            return False
        self._used = processor_time_of(self.pid)
        self._asked = time.monotonic()
        return True

    def has_told(self) -> bool:
        """Whether it has written all, or had its time to."""
        if self._asked is None or has_whole_stack(self.memory):
            return True
        waited = time.monotonic() - self._asked
        if waited <= _STACK_AT_MOST:
            return False
        starves = condition_of(self.pid) == _RUNS and processor_time_of(self.pid) - self._used <= _STACK_AT_MOST
        return not starves or waited > _STARVED_AT_MOST

    def kill(self) -> None:
        """End it and all of its group, at once."""
        if not self.condition:
            self.condition = condition_of(self.pid)
        # A group has no exceptions. Without the agent what is left of it is orphaned, and ends with the others.
        alone = any(map(tracks_resources, children_of(self.pid)))
        # The agent itself last: while it lives, its pid is the number of its group and of nothing else.
        for end in (os.kill,) if alone else (os.killpg, os.kill):
            with contextlib.suppress(OSError):
                end(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Let go of its memory."""
        os.close(self.memory)
