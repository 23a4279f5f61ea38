"""Lets things happen at a time, for the program."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from actors.kernel.actor import Actor
from actors.kernel.handlers import handles

__all__ = ["AlarmClock", "ProgramAlarm"]


class ProgramAlarm:
    """Something that is to happen.

    Args:
        act: what is done, in the alarm clock's own turn: it must neither wait nor raise.
    """

    def __init__(self, act: Callable[[], object]) -> None:
        self._act: Callable[[], object] | None = act

    def cancel(self) -> None:
        """It need not happen any more."""
        self._act = None

    def ring(self) -> None:
        """It is time."""
        act, self._act = self._act, None
        if act is not None:
            act()


class Set(NamedTuple):
    """To the alarm clock: ring in so many seconds."""

    seconds: float
    alarm: ProgramAlarm


class _Due(NamedTuple):
    alarm: ProgramAlarm


class AlarmClock(Actor):
    """Rings alarms."""

    @handles(Set)
    def _set(self, message: Set) -> None:
        self.timers.once(message.seconds, _Due(message.alarm))

    @handles(_Due)
    def _ring(self, message: _Due) -> None:
        message.alarm.ring()
