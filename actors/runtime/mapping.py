"""`map` of the program."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sized
from functools import partial
from typing import TYPE_CHECKING, Any

from actors.hosts.mapping import MapIterator, Sent, map_calls
from actors.runtime.progressbar import ProgressBar

if TYPE_CHECKING:
    from actors.core.task import Task
    from actors.future import TaskFuture
    from actors.hosts.options import Options
    from actors.runtime.submission import Submission

__all__ = ["map_tasks", "seconds_of"]


def map_tasks(
    submission: Submission,
    hand_in: Callable[[Task], TaskFuture[Any]],
    options: Options,
    call: Any,
    iterables: tuple[Iterable[Any], ...],
    *,
    chunksize: int | None,
    timeout: float | None,
    progress: bool,
) -> MapIterator:
    """The iterator that `map` gives the program; the first chunks are handed in before it is returned."""

    def send(items: list[Any], form: str) -> Sent:
        task = submission.task(call, (), {}, options, items, form)
        task.watched = True
        return hand_in(task), partial(seconds_of, task)

    def bar() -> ProgressBar:
        sized = [len(each) for each in iterables if isinstance(each, Sized)]
        return ProgressBar(min(sized) if len(sized) == len(iterables) else None)

    return map_calls(send, iterables, chunksize, timeout, bar if progress else None)


def seconds_of(task: Task) -> float | None:
    """How long a task ran; None if that is not known."""
    return None if task.started is None or task.ended is None else task.ended - task.started
