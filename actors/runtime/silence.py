"""What to think of an agent that has not been heard for too long."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.runtime.agent_links import AgentLink

__all__ = ["Silence"]

_LOOK_FOR = 1.0
_BUSY = 0.1


class Silence:
    """Looks for a second whether a silent agent's process burns processor time.

    One that does is at work in code that holds the interpreter, and is left to its task's time limit; one that does
    not hangs.

    Args:
        cpu_seconds: the processor time that a process has used; None if there is none of that pid.
    """

    def __init__(self, cpu_seconds: Callable[[int], float | None]) -> None:
        self._cpu_seconds = cpu_seconds
        # Per suspect: when it is judged, its processor time at the beginning, and how long it had been silent.
        self._suspects: dict[AgentLink, tuple[float, float, float]] = {}

    def suspect(self, link: AgentLink, silence: float, now: float) -> None:
        """Begin to look at an agent that has been silent for so many seconds."""
        pid = link.handle.pid
        used = None if pid is None else self._cpu_seconds(pid)
        self._suspects.setdefault(link, (now + _LOOK_FOR, used or 0.0, silence))

    def forget(self, link: AgentLink) -> None:
        """The agent has ended."""
        self._suspects.pop(link, None)

    def next_due(self) -> float | None:
        """When `judge` has something to say, or None."""
        return min((due for due, _, _ in self._suspects.values()), default=None)

    def judge(self, now: float) -> list[tuple[AgentLink, str | None]]:
        """The agents looked at for long enough: None is busy, a text says why to kill it."""
        judged: list[tuple[AgentLink, str | None]] = []
        for link, (due, before, silence) in list(self._suspects.items()):
            if now < due:
                continue
            del self._suspects[link]
            pid = link.handle.pid
            used = None if pid is None else self._cpu_seconds(pid)
            busy = used is not None and used - before > _BUSY * _LOOK_FOR
            judged.append((link, None if busy else f"it was silent for {silence:.0f} s and its process is not busy"))
        return judged
