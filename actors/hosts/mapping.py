"""`map`: a stream of calls in chunks, each chunk a task, with a bounded number of them under way.

The same for the program and for a task that maps; they differ in how a chunk is handed in.
"""

from __future__ import annotations

import concurrent.futures
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any, NoReturn, Protocol, TypeAlias

from actors.errors import ConfigError
from actors.future import TaskFuture
from actors.hosts.serialize import error_of
from actors.records import NamedTuple

__all__ = [
    "UNDER_WAY",
    "Bar",
    "ChunkSender",
    "Chunking",
    "MapIterator",
    "Sent",
    "check_chunksize",
    "check_timeout",
    "map_calls",
]

UNDER_WAY = 32
"""Chunks under way at once: enough to keep agents busy while one result is being taken, and a bound on memory."""

_GOAL_SECONDS = 0.02
"""How long a chunk should run when its size is chosen here: long against the cost of a task, short against a human."""

_LARGEST = 4096


Sent: TypeAlias = "tuple[TaskFuture[Any], Callable[[], float | None]]"
"""A chunk that was handed in: the future of its outcomes, and what tells how many seconds it ran once it has ended."""

ChunkSender: TypeAlias = Callable[[list[tuple[Any, ...]]], Sent]
"""Hands in a task that makes one call for each of these argument tuples."""


class Bar(Protocol):
    """Shows how far it has come."""

    def advance(self) -> None:
        """One more item was taken."""

    def close(self) -> None:
        """There will be no more."""


class _Chunk(NamedTuple):
    future: TaskFuture[Any]
    seconds: Callable[[], float | None]
    calls: int


class Chunking:
    """Chooses how many calls make a task, from how long the chunks that came back took.

    Args:
        fixed: so many always; None to choose.
    """

    def __init__(self, fixed: int | None) -> None:
        self._fixed = fixed
        self._size = 1.0

    def next_size(self) -> int:
        """How many calls the next chunk is to have."""
        return self._fixed if self._fixed is not None else int(self._size)

    def took(self, calls: int, seconds: float) -> None:
        """A chunk of so many calls ran so long: aim at the goal, doubling at the most."""
        if self._fixed is None and calls:
            fitting = _GOAL_SECONDS / max(seconds / calls, 1e-7)
            self._size = min(max(1.0, fitting), self._size * 2, _LARGEST)


class MapIterator(Iterator[Any]):
    """The results of a `map`, in order. Closing it, or dropping it, cancels what has not been taken.

    An item that failed raises when its turn comes; the next call goes on with the item after it. A chunk that failed as
    a whole raises for each of its items, so there is one outcome for each item.

    Args:
        send: hands in a chunk.
        items: the arguments of each call.
        chunking: how many calls make a chunk.
        deadline: when taking a result raises TimeoutError, on the monotonic clock.
        bar: shows how far it has come.
    """

    def __init__(
        self,
        send: ChunkSender,
        items: Iterator[tuple[Any, ...]],
        chunking: Chunking,
        deadline: float | None,
        bar: Bar | None,
    ) -> None:
        self._send = send
        self._items = items
        self._chunking = chunking
        self._deadline = deadline
        self._bar = bar
        self._under_way: deque[_Chunk] = deque()
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
        if good:
            return value
        raise value.with_traceback(None) if isinstance(value, BaseException) else error_of(value)

    def _take(self) -> None:
        """Wait for the next chunk."""
        if not self._under_way:
            self._end()
        chunk = self._under_way[0]
        left = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
        outcomes: list[tuple[bool, Any]]
        try:
            outcomes = chunk.future.take(left)
        except concurrent.futures.TimeoutError:
            self.close()
            raise
        except BaseException as error:
            if not chunk.future.done():
                # Whoever waits here was interrupted.
                self.close()
                raise
            # The chunk failed as a whole: its agent died, it ran out of time, a dependency failed.
            outcomes = [(False, error)] * chunk.calls
        else:
            seconds = chunk.seconds()
            if seconds is not None:
                self._chunking.took(chunk.calls, seconds)
        self._under_way.popleft()
        self._taken.extend(outcomes)
        self._fill()

    def _end(self) -> NoReturn:
        broken, self._broken = self._broken, None
        self.close()
        if broken is not None:
            raise broken
        raise StopIteration

    def _fill(self) -> None:
        while len(self._under_way) < UNDER_WAY and self._broken is None:
            try:
                chunk = list(islice(self._items, self._chunking.next_size()))
                if not chunk:
                    return
                self._under_way.append(_Chunk(*self._send(chunk), len(chunk)))
            except Exception as error:
                if not self._under_way and not self._taken:
                    raise
                self._broken = error
            except BaseException:
                # What was read and not handed in would be missing from the results.
                self.close()
                raise

    def close(self) -> None:
        """Cancel what has not been taken; nothing more will come."""
        under_way, self._under_way = self._under_way, deque()
        self._items = iter(())
        self._taken.clear()
        for chunk in under_way:
            chunk.future.cancel("its map was closed")
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __del__(self) -> None:
        with suppress(AttributeError):
            self.close()


def check_chunksize(chunksize: Any) -> None:
    """See to it that this is a size of chunks.

    Raises:
        ConfigError: it is none.
    """
    if chunksize is not None and (type(chunksize) is not int or chunksize < 1):
        raise ConfigError(
            f"chunksize is a whole number of 1 or more, or None, not {chunksize!r}", key="chunksize", value=chunksize
        )


def check_timeout(timeout: Any) -> None:
    """See to it that this is a time limit.

    Raises:
        ConfigError: it is none.
    """
    if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout >= 0):
        raise ConfigError(
            f"timeout is a number of seconds, 0 or more, or None, not {timeout!r}", key="timeout", value=timeout
        )


def map_calls(
    send: ChunkSender,
    iterables: tuple[Iterable[Any], ...],
    chunksize: int | None,
    timeout: float | None,
    make_bar: Callable[[], Bar] | None = None,
) -> MapIterator:
    """The iterator that `map` gives; the first chunks are handed in before it is returned.

    Args:
        send: hands in a chunk.
        iterables: the arguments; the shortest ends it.
        chunksize: how many calls make one task; None starts with one and grows while tasks are short.
        timeout: seconds from now after which taking a result raises TimeoutError.
        make_bar: makes what shows how far it has come.

    Raises:
        ValueError: no iterable.
        ConfigError: `chunksize` is below 1, or `timeout` below 0.
    """
    if not iterables:
        raise ValueError("map takes at least one iterable of arguments")
    check_chunksize(chunksize)
    check_timeout(timeout)
    deadline = None if timeout is None else time.monotonic() + timeout
    items = zip(*iterables, strict=False)
    return MapIterator(send, items, Chunking(chunksize), deadline, None if make_bar is None else make_bar())
