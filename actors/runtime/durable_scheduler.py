"""The scheduler's part that concerns its journal, if it has one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from actors.errors import ActorsError, ConfigError
from actors.kernel.handlers import handles
from actors.kernel.polling import PollingActor
from actors.runtime import messages as m
from actors.runtime.carrier import Carrier
from actors.runtime.journal.keeper import RETRY_EVERY
from actors.runtime.outcomes import refuse

if TYPE_CHECKING:
    from actors.core.task import Task
    from actors.runtime.journal.record import TaskRecord
    from actors.runtime.peers import Peers
    from actors.runtime.scheduler_state import SchedulerState

__all__ = ["DurableScheduler"]


class _Tend(NamedTuple):
    """The journal is to be looked after."""


class DurableScheduler(PollingActor):
    """What a scheduler does for its journal.

    Args:
        state: what outlives a restart.
        peers: the system's other actors.
    """

    def __init__(self, state: SchedulerState, peers: Peers) -> None:
        super().__init__()
        self._state = state
        self._engine = state.engine
        self._carrier = Carrier(state, peers, self.clock.monotonic)
        self._tending = False

    def tend_later(self) -> None:
        """At the end of a turn: look after the journal in a moment, if it has to be."""
        keeper = self._state.keeper
        if keeper is not None and keeper.has_to_tend and not self._tending:
            self._tending = True
            self.timers.once(RETRY_EVERY, _Tend())

    def hands_in(self, task: Task) -> bool:
        """Whether a task is on its way into the journal: it will be accepted or refused in good order."""
        return self._state.keeper is not None and self._state.keeper.hands_in(task)

    def admit(self) -> None:
        """Let what was handed in before be known to the engine, for a message that may be about it."""
        if self._state.keeper is not None:
            self._carrier.take()

    @handles(_Tend)
    def _tend(self, message: _Tend) -> None:
        self._tending = False
        keeper = self._state.keeper
        if keeper is not None:
            keeper.tend(self._engine, self.clock.monotonic(), self._state.decided)

    @handles(m.RestoreTasks)
    def _restore(self, message: m.RestoreTasks) -> None:
        now = self.clock.monotonic()
        try:
            self._engine.restore(message.ended, message.tasks, now, message.dead)
        except ActorsError:
            # One that can never run does not keep the others from it.
            for task in sorted(message.tasks, key=lambda task: task.number):
                self._restore_alone(task, now)
        if message.cancel is not None:
            for task in message.tasks:
                self._engine.cancel(task.number, message.cancel, now)

    def _restore_alone(self, task: Task, now: float) -> None:
        keeper = self._state.keeper
        try:
            self._engine.restore([], [task], now)
        except ConfigError as error:
            if keeper is None:
                refuse(task, error)
            else:
                self._state.decided.extend(keeper.reject(self._engine, task, error, now))
        except ActorsError as error:
            refuse(task, error)

    @handles(m.OutcomesFetched)
    def _fetched(self, message: m.OutcomesFetched) -> None:
        """They are written in a moment, see `tend_later`."""

    @handles(m.FindOnce)
    def _find_once(self, message: m.FindOnce) -> TaskRecord | None:
        keeper = self._state.keeper
        return None if keeper is None else keeper.journal.named(message.name)
