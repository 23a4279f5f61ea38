"""What a program of the campaign has handed in and heard of it, and whether that is what it was promised."""

from __future__ import annotations

from typing import Any, NamedTuple

from actors.errors import (
    AgentDied,
    AskTimeout,
    ConfigError,
    DeadLetter,
    DependencyFailed,
    JournalError,
    LimitExceeded,
    NoSuitableAgent,
    TaskCancelled,
)
from actors.future import TaskFuture
from actors.protocol.events import (
    Event,
    TaskAssigned,
    TaskCancelledEvent,
    TaskCompleted,
    TaskFailed,
    TaskRetried,
    TaskStarted,
    TaskSubmitted,
)
from actors.testing.simulation import Simulation

__all__ = ["HARM", "NOTHING", "TASK_EVENTS", "Handed", "Harvest"]

HARM = (
    AgentDied,
    NoSuitableAgent,
    LimitExceeded,
    AskTimeout,
    DeadLetter,
    DependencyFailed,
    JournalError,
    TaskCancelled,
)
"""What may come of any task once something went wrong on purpose."""

TASK_EVENTS = (
    TaskSubmitted,
    TaskAssigned,
    TaskStarted,
    TaskCompleted,
    TaskFailed,
    TaskRetried,
    TaskCancelledEvent,
)
"""What is told of a task."""

NOTHING = object()
"""The value of a task that is not to give any."""

_LAST = (TaskCompleted, TaskFailed, TaskCancelledEvent)


class Handed(NamedTuple):
    """A task that was handed in, and what may come of it."""

    name: str
    future: TaskFuture[Any]
    value: Any
    errors: tuple[type[BaseException], ...]
    after: tuple[TaskFuture[Any], ...]


class Harvest:
    """The tasks of a program, the events of each, and the judgement of both.

    Args:
        sim: the simulation.

    Attributes:
        handed: what was handed in.
        listens: the program hears what is told of tasks from the first one on.
        harmed: the program did something that may cost tasks their outcome.
    """

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self.handed: list[Handed] = []
        self.listens = False
        self.harmed = False
        self._events: dict[str, list[Event]] = {}

    def is_harmed(self) -> bool:
        """Whether something went wrong that may cost tasks their outcome."""
        return self.harmed or self.sim.host.injected > 0

    def heard(self, event: Any) -> None:
        """Something was told of a task."""
        self._events.setdefault(event.task_id, []).append(event)

    def judge(self) -> None:
        """Judge what has come of all tasks, once all work is done.

        Raises:
            InvariantBroken: something that may not be.
        """
        for handed in self.handed:
            self._judge(handed)
        if self.listens:
            # What was told last is still on its way to the handler.
            self.sim.run(1.0)
            for task_id, events in self._events.items():
                self._judge_events(task_id, events)
            taken = [each.future.task_id for each in self.handed if each.future.was_accepted]
            unheard = [task_id for task_id in taken if task_id not in self._events]
            self.must(not unheard, f"nothing was told of {', '.join(unheard)}", "B5")

    def _judge(self, handed: Handed) -> None:
        name, future, value, errors, after = handed
        which = f"{future.task_id} ({name})"
        self.must(future.done(), f"{which} has no outcome")
        if future.cancelled():
            return
        error = future.exception()
        if error is None:
            self.must(value is not NOTHING and future.result() == value, f"{which} gave {future.result()!r}")
            return
        allowed = errors + (HARM if self.is_harmed() else ())
        if not all(each.was_accepted for each in after):
            # Nobody can wait for what was refused, by a circuit breaker or because it cannot be kept.
            allowed += (ConfigError,)
        ends = error.exceptions if isinstance(error, BaseExceptionGroup) else (error,)
        self.must(all(isinstance(each, allowed) for each in ends), f"{which} failed with {error!r}")

    def _judge_events(self, task_id: str, events: list[Event]) -> None:
        kinds = [type(event) for event in events]
        last = [kind for kind in kinds if kind in _LAST]
        told = ", ".join(kind.__name__ for kind in kinds)
        self.must(len(last) == 1, f"the events of {task_id} have {len(last)} ends: {told}", "B5")
        self.must(kinds[0] is TaskSubmitted and kinds.count(TaskSubmitted) == 1, f"{task_id} begins with {told}", "B5")
        self.must(kinds[-1] in _LAST, f"the events of {task_id} go on after its end: {told}", "B5")

    def must(self, holds: bool, text: str, requirement: str = "D8") -> None:  # noqa: FBT001 - as `assert`
        """Break the promise with this text unless something holds."""
        if not holds:
            self.sim.break_promise("TheProgramGetsWhatItIsPromised", requirement, text)
