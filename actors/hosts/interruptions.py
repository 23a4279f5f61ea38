"""The interruptions that are under way in an agent: each is repeated until its attempt has ended."""

from __future__ import annotations

from actors.hosts.attempt import Attempt
from actors.hosts.interrupts import Interrupter
from actors.protocol.messages import CancellationCause

__all__ = ["Interruptions"]

_REPEAT_AFTER = 1.0


class Interruptions:
    """Kept by the control lane. A body may swallow an interruption (a bare `except:` does), hence the repetition.

    Args:
        interrupter: what interrupts.
    """

    def __init__(self, interrupter: Interrupter) -> None:
        self._interrupter = interrupter
        self._open: dict[Attempt, float] = {}

    def begin(self, attempt: Attempt, cause: CancellationCause, reason: str, now: float) -> None:
        """Interrupt an attempt; the first cause stays its cause."""
        if attempt.cause is None:
            attempt.cause = cause
            attempt.reason = reason
        self._open[attempt] = now
        self.repeat(now)

    def repeat(self, now: float) -> float | None:
        """Interrupt again what has not ended. Returns when to call this next, None for never."""
        for attempt, due in list(self._open.items()):
            if attempt.ended:
                del self._open[attempt]
            elif due <= now:
                self._open[attempt] = now + _REPEAT_AFTER
                self._interrupter.interrupt(attempt)
        return min(self._open.values(), default=None)
