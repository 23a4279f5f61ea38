"""The tasks that failed for good, as long as they are listed: what they were asked to do is kept, to be asked again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from actors.core.story import Attempt
from actors.core.task import Task
from actors.errors import ConfigError
from actors.protocol.messages import Failure

if TYPE_CHECKING:
    from actors.core.task import TaskInfo

__all__ = ["DeadLetters", "DeadTask"]


@dataclass(frozen=True, slots=True)
class DeadTask:
    """A task that failed for good: what `ActorSystem.dead_letters` gives. Times are UTC seconds.

    Args:
        id, number, type, job: of the task.
        arguments: what it was called with, in parentheses and shortened; empty if that is not kept.
        attempts: its tries, the last ones if there were many.
        error: the name of the type of what it failed with.
        text, traceback: of the error; the traceback is "" if it was not raised by the task's body.
        created, ended: when it was accepted, and when it failed.
        repeats: the id of the task that it repeated, or None.
        retryable: whether its arguments are still kept, so that it can be run again.
    """

    id: str
    number: int
    type: str
    job: str | None
    arguments: str
    attempts: tuple[Attempt, ...]
    error: str
    text: str
    traceback: str
    created: float
    ended: float
    repeats: str | None
    retryable: bool

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values that print as JSON."""
        shown: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        shown["attempts"] = [attempt.to_dict() for attempt in self.attempts]
        return shown

    def __str__(self) -> str:
        return f"{self.id} {self.type}{self.arguments}: {self.error}: {self.text}"


def dead_task(info: TaskInfo, *, retryable: bool) -> DeadTask:
    """What is told of a listed task; its arguments are for somebody who can read them."""
    error = info.error
    if isinstance(error, Failure):
        name, text, traceback = (error.type_names[0] if error.type_names else ""), error.text, error.traceback
        name = name.removeprefix("builtins.")
    else:
        name, text, traceback = type(error).__qualname__, str(error), ""
    return DeadTask(
        id=info.id,
        number=info.number,
        type=info.type,
        job=info.job,
        arguments="",
        attempts=info.attempts,
        error=name,
        text=text,
        traceback=traceback,
        created=info.created,
        ended=info.ended or 0.0,
        repeats=info.repeats,
        retryable=retryable,
    )


class DeadLetters:
    """Lists the last tasks that failed for good, up to a number, an age, and so many bytes of arguments.

    Args:
        most: how many are listed, 0 or more.
        seconds: how long each is listed.
        most_bytes: how much the arguments of all may take; beyond it those of the oldest are let go.

    Invariants: in the order of their end; a task has a payload exactly while it is in `_laden`, and `size` is the sum.
    """

    __slots__ = ("_laden", "_listed", "_most", "_most_bytes", "_seconds", "size")

    def __init__(self, most: int, seconds: float, most_bytes: int) -> None:
        self._most = most
        self._seconds = seconds
        self._most_bytes = most_bytes
        self._listed: dict[int, tuple[float, Task]] = {}
        # How many bytes the arguments of a task take, of those that still have them.
        self._laden: dict[int, int] = {}
        self.size = 0

    def rebuild(self) -> None:
        """After a failure in the middle of a step: let what is listed fit to what is kept for it."""
        self._laden = {number: size for number, size in self._laden.items() if number in self._listed}
        self.size = sum(self._laden.values())
        for number, (_, task) in self._listed.items():
            if number not in self._laden:
                task.payload = task.results = None

    def __contains__(self, number: int) -> bool:
        return number in self._listed

    def get(self, number: int) -> Task | None:
        """The listed task of a number, or None."""
        listed = self._listed.get(number)
        return None if listed is None else listed[1]

    def __len__(self) -> int:
        return len(self._listed)

    def __iter__(self) -> Iterator[Task]:
        """The tasks, the one first that failed first."""
        return (task for _, task in self._listed.values())

    def __reversed__(self) -> Iterator[Task]:
        """The same, the one first that failed last."""
        return (task for _, task in reversed(self._listed.values()))

    def retryable(self, task: Task) -> bool:
        """Whether the arguments of a listed task are still kept."""
        return task.number in self._laden

    def add(self, task: Task, now: float) -> None:
        """A task has failed for good."""
        number = task.number
        size = self._laden[number] = _size_of(task)
        self._listed[number] = (now, task)
        self.size += size
        while len(self._listed) > self._most:
            self._drop(next(iter(self._listed)))
        while self.size > self._most_bytes:
            self._unload(next(iter(self._laden)))

    def find(self, number: int, name: str) -> Task:
        """The listed task of a number, with its arguments; `name` is its id, for the error.

        Raises:
            ConfigError: it is not listed, or its arguments are not kept any more.
        """
        if number not in self._listed:
            raise ConfigError(
                f"task {name} is not among the dead letters: it has not failed for good, was run again already, or is "
                "forgotten (see kept_dead and kept_dead_seconds); dead_letters() lists what can be run again",
                key="task",
                value=name,
                allowed="the id of a task in dead_letters()",
            )
        if number not in self._laden:
            raise ConfigError(
                f"the arguments of task {name} are not kept any more: those of all dead letters together went over "
                f"kept_dead_bytes ({self._most_bytes}), and the oldest are let go first; submit it anew, or set "
                "kept_dead_bytes higher",
                key="task",
                value=name,
                allowed="a task in dead_letters() that is retryable",
            )
        return self._listed[number][1]

    def remove(self, number: int) -> None:
        """A listed task is run again; what it was asked to do belongs to the task that repeats it."""
        self._drop(number)

    def restore(self, task: Task) -> None:
        """List one of an earlier life, after those that failed before it; without its call if that is not kept."""
        if task.number not in self._listed:
            self.add(task, task.ended or 0.0)
            if task.payload is None and task.number in self._laden:
                self._unload(task.number)

    def expire(self, now: float) -> None:
        """Forget those that are too old."""
        # The same sum as in `next_due`, as in `History.expire`.
        while self._listed and self._first()[0] + self._seconds <= now:
            self._drop(next(iter(self._listed)))

    def next_due(self) -> float | None:
        """When the oldest is to be forgotten."""
        return self._first()[0] + self._seconds if self._listed else None

    def _first(self) -> tuple[float, Task]:
        return next(iter(self._listed.values()))

    def _drop(self, number: int) -> None:
        if number in self._laden:
            self._unload(number)
        del self._listed[number]

    def _unload(self, number: int) -> None:
        self.size -= self._laden.pop(number)
        task = self._listed[number][1]
        task.payload = task.results = None


def _size_of(task: Task) -> int:
    return sum(len(part) for part in (task.payload, *(task.results or {}).values()) if part is not None)
