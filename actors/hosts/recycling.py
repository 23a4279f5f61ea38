"""When an agent has served long enough: it then ends between two tasks, and is replaced."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from actors.hosts.world import Figures

__all__ = ["Recycling"]

_LOOK_EVERY = 1.0


class Recycling:
    """Decides by tasks done, age, and growth of memory since the first task; `wanted` is whether it ever will.

    Args:
        rules: `recycle_after_tasks`, `recycle_after_age` in seconds, `recycle_after_growth` in bytes; each may be absent
            or None.
        vitals: the process's figures.
        now: monotonic seconds.
    """

    def __init__(self, rules: Mapping[str, Any], vitals: Figures, now: float) -> None:
        self._tasks: float = rules.get("recycle_after_tasks") or math.inf
        self._growth: float | None = rules.get("recycle_after_growth")
        age: float | None = rules.get("recycle_after_age")
        self._dies = math.inf if age is None else now + age
        self._age = age
        self._vitals = vitals
        self._base: int | None = None
        self._next_look = now if self._growth is not None else math.inf
        self.wanted = min(self._tasks, self._dies, self._next_look) < math.inf

    def reason(self, done: int, now: float) -> str | None:
        """Why the agent is to end now, having done so many tasks; None if it is not. Cheap: called after each task."""
        if done >= self._tasks:
            return f"recycled after {done} tasks"
        if now >= self._dies:
            return f"recycled after {self._age:g} s"
        if now >= self._next_look:
            return self._look(now)
        return None

    def _look(self, now: float) -> str | None:
        self._next_look = now + _LOOK_EVERY
        memory = self._vitals.memory_kb() * 1024
        if self._base is None:
            self._base = memory
        grown = memory - self._base
        if self._growth is not None and grown >= self._growth:
            return f"recycled because its memory has grown by {grown // 1024} KiB"
        return None
