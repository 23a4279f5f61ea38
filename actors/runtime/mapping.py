"""`map`: a stream of calls in chunks, each chunk a task, with a bounded number of them under way."""

from __future__ import annotations

import concurrent.futures
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sized
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, NoReturn

from actors.errors import ConfigError
from actors.hosts.serialize import error_of
from actors.runtime.progressbar import ProgressBar

if TYPE_CHECKING:
    from actors.core.task import Task
    from actors.future import TaskFuture
    from actors.hosts.options import Options
    from actors.runtime.sink import Sink

__all__ = ["MapIterator", "map_tasks"]

_UNDER_WAY = 32
"""Chunks under way at once: enough to keep agents busy while one result is being taken, and a bound on memory."""

_GOAL_SECONDS = 0.02
"""How long a chunk should run when its size is chosen here: long against the cost of a task, short against a human."""

_LARGEST = 4096


class _Chunking:
    """Chooses how many calls make a task, from how long the chunks that came back took."""

    def __init__(self, fixed: int | None) -> None:
        self._fixed = fixed
        self._size = 1.0

    def next_size(self) -> int:
        return self._fixed if self._fixed is not None else int(self._size)

    def took(self, calls: int, seconds: float) -> None:
        """A chunk of so many calls ran so long: aim at the goal, doubling at the most."""
        if self._fixed is None and calls:
            fitting = _GOAL_SECONDS / max(seconds / calls, 1e-7)
            self._size = min(max(1.0, fitting), self._size * 2, _LARGEST)


class MapIterator(Iterator[Any]):
    """The results of a `map`, in order. Closing it, or dropping it, cancels what has not been taken.

    An item that failed raises when its turn comes; the next call goes on with the item after it.
    """

    def __init__(
        self,
        sink: Sink,
        options: Options,
        call: Any,
        items: Iterator[tuple[Any, ...]],
        chunking: _Chunking,
        deadline: float | None,
        bar: ProgressBar | None,
    ) -> None:
        self._sink = sink
        self._options = options
        self._call = call
        self._items = items
        self._chunking = chunking
        self._deadline = deadline
        self._bar = bar
        self._under_way: deque[tuple[TaskFuture[Any], Task]] = deque()
        self._taken: deque[tuple[bool, Any]] = deque()
        # Set when reading the arguments failed: raised after all that came before.
        self._broken: BaseException | None = None
        self._fill()

    def __next__(self) -> Any:
        if not self._taken:
            self._take()
        good, value = self._taken.popleft()
        if self._bar is not None:
            self._bar.advance()
        if not good:
            raise error_of(value)
        return value

    def _take(self) -> None:
        """Wait for the next chunk."""
        if not self._under_way:
            self._end()
        future, task = self._under_way[0]
        left = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
        try:
            outcomes = future.take(left)
        except concurrent.futures.TimeoutError:
            self.close()
            raise
        except BaseException:
            # The chunk failed as a whole: its agent died, it ran out of time, a dependency failed.
            self._next_chunk(task, None)
            raise
        self._next_chunk(task, len(outcomes))
        self._taken.extend(outcomes)

    def _next_chunk(self, task: Task, calls: int | None) -> None:
        self._under_way.popleft()
        if calls and task.started is not None and task.ended is not None:
            self._chunking.took(calls, task.ended - task.started)
        self._fill()

    def _end(self) -> NoReturn:
        broken, self._broken = self._broken, None
        self.close()
        if broken is not None:
            raise broken
        raise StopIteration

    def _fill(self) -> None:
        while len(self._under_way) < _UNDER_WAY and self._broken is None:
            try:
                chunk = list(islice(self._items, self._chunking.next_size()))
                if not chunk:
                    return
                task = self._sink.submission.task(self._call, (), {}, self._options, chunk)
                self._under_way.append((self._sink.send(task), task))
            except BaseException as error:
                if not self._under_way and not self._taken:
                    raise
                self._broken = error

    def close(self) -> None:
        """Cancel what has not been taken; nothing more will come."""
        under_way, self._under_way = self._under_way, deque()
        self._items = iter(())
        self._taken.clear()
        for future, _ in under_way:
            future.cancel()
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __del__(self) -> None:
        with suppress(AttributeError):
            self.close()


def map_tasks(
    sink: Sink,
    options: Options,
    call: Any,
    iterables: tuple[Iterable[Any], ...],
    chunksize: int | None,
    timeout: float | None,
    *,
    progress: bool,
) -> MapIterator:
    """The iterator that `Submitter.map` gives; the first chunks are submitted before it is returned."""
    if not iterables:
        raise ValueError("map takes at least one iterable of arguments")
    if chunksize is not None and (type(chunksize) is not int or chunksize < 1):
        raise ConfigError(
            f"chunksize is a whole number of 1 or more, or None, not {chunksize!r}", key="chunksize", value=chunksize
        )
    deadline = None if timeout is None else time.monotonic() + timeout
    bar = None
    if progress:
        sized = [len(each) for each in iterables if isinstance(each, Sized)]
        bar = ProgressBar(min(sized) if len(sized) == len(iterables) else None)
    items = zip(*iterables, strict=False)
    return MapIterator(sink, options, call, items, _Chunking(chunksize), deadline, bar)
