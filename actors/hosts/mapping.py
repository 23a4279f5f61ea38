"""`map`: a stream of calls in chunks, each chunk a task, with a bounded number of them under way.

The same for the program and for a task that maps; they differ in how a chunk is handed in.
"""

from __future__ import annotations

import concurrent.futures
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Any, NamedTuple, NoReturn, Protocol, TypeAlias

from actors.errors import ConfigError
from actors.future import TaskFuture
from actors.hosts.serialize import FLAT, error_of

__all__ = [
    "UNDER_WAY",
    "Bar",
    "ChunkSender",
    "Chunking",
    "MapIterator",
    "Outcomes",
    "Sent",
    "check_chunksize",
    "check_timeout",
    "map_calls",
]

UNDER_WAY = 32
"""Chunks under way at once: enough to keep agents busy while one result is being taken, and a bound on memory."""

_GOAL_SECONDS = 0.02
"""How long a chunk should run when its size is chosen here: long against the cost of a task, short against a human."""

_LARGEST = 16384
# With so many calls under way a few chunks are enough: memory is bounded for many tiny calls, too.
_CALLS_UNDER_WAY = 1 << 17
_FEW = 8


Sent: TypeAlias = "tuple[TaskFuture[Any], Callable[[], float | None]]"
"""A chunk that was handed in: the future of its outcomes, and what tells how many seconds it ran once it has ended."""

ChunkSender: TypeAlias = Callable[[list[Any], str], Sent]
"""Hands in a task that makes one call for each of these items; see `items` and `form` of `Call`."""

Outcomes: TypeAlias = tuple[list[Any], dict[int, Any]]
"""What came of the calls of a chunk: a value for each, and by its place the failure of each that failed, which has None."""


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

    def enough(self, chunks: int, calls: int) -> bool:
        """Whether so many chunks under way, of so many calls together, are enough."""
        return chunks >= UNDER_WAY or (self._fixed is None and chunks >= _FEW and calls >= _CALLS_UNDER_WAY)

    def took(self, calls: int, seconds: float) -> None:
        """A chunk of so many calls ran so long: aim at the goal, doubling at the most."""
        if self._fixed is None and calls:
            fitting = _GOAL_SECONDS / max(seconds / calls, 1e-7)
            self._size = min(max(1.0, fitting), self._size * 2, _LARGEST)


class MapIterator(chain[Any]):
    """The results of a `map`, in order. Closing it, or dropping it, cancels what has not been taken.

    An item that failed raises when its turn comes; the next call goes on with the item after it. A chunk that failed as
    a whole raises for each of its items, so there is one outcome for each item.

    It is a chain of chunks, so that an item of a chunk without a failure costs no call of Python code. Made by `begin`.
    """

    _chunks: _Chunks | None = None

    @classmethod
    def begin(cls, chunks: _Chunks) -> MapIterator:
        """The iterator over these chunks."""
        made: MapIterator = cls.from_iterable(chunks)  # type: ignore[assignment]
        made._chunks = chunks
        return made

    def close(self) -> None:
        """Cancel what has not been taken; nothing more will come."""
        if self._chunks is not None:
            self._chunks.close()

    def __del__(self) -> None:
        self.close()


class _Chunks(Iterator[Iterable[Any]]):
    """The chunks of a `map`, in order, each as what gives its values; keeps a bounded number of them under way.

    Args:
        send: hands in a chunk.
        items: the arguments of each call.
        form: how a chunk has them; see `Call`.
        chunking: how many calls make a chunk.
        deadline: when waiting for a chunk raises TimeoutError, on the monotonic clock.
        bar: shows how far it has come.
    """

    def __init__(
        self,
        send: ChunkSender,
        items: Iterator[Any],
        form: str,
        chunking: Chunking,
        deadline: float | None,
        bar: Bar | None,
    ) -> None:
        self._send = send
        self._items = items
        self._form = form
        self._chunking = chunking
        self._deadline = deadline
        self._bar = bar
        self._under_way: deque[_Chunk] = deque()
        # How many calls these have.
        self._calls = 0
        # Those of the chunk that is being taken; whoever closes takes the rest of them away.
        self._values: list[Any] = []
        # Set when reading the arguments failed: raised after all that came before.
        self._broken: BaseException | None = None
        self._fill()

    def __next__(self) -> Iterable[Any]:
        """Wait for the next chunk."""
        if not self._under_way:
            self._end()
        chunk = self._under_way[0]
        left = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
        failures: dict[int, Any]
        try:
            self._values, failures = chunk.future.take(left)
        except concurrent.futures.TimeoutError:
            self.close()
            raise
        except BaseException as error:
            if not chunk.future.done():
                # Whoever waits here was interrupted.
                self.close()
                raise
            # The chunk failed as a whole: its agent died, it ran out of time, a dependency failed.
            self._values, failures = [None] * chunk.calls, dict.fromkeys(range(chunk.calls), error)
        else:
            seconds = chunk.seconds()
            if seconds is not None:
                self._chunking.took(chunk.calls, seconds)
        self._under_way.popleft()
        self._calls -= chunk.calls
        self._fill()
        return _OneByOne(self._values, failures, self._bar) if failures or self._bar is not None else self._values

    def _end(self) -> NoReturn:
        broken, self._broken = self._broken, None
        self.close()
        if broken is not None:
            raise broken
        raise StopIteration

    def _fill(self) -> None:
        under_way = self._under_way
        while self._broken is None and not self._chunking.enough(len(under_way), self._calls):
            try:
                chunk = list(islice(self._items, self._chunking.next_size()))
                if not chunk:
                    return
                under_way.append(_Chunk(*self._send(chunk, self._form), len(chunk)))
                self._calls += len(chunk)
            except Exception as error:
                if not under_way and not self._values:
                    raise
                self._broken = error
            except BaseException:
                # What was read and not handed in would be missing from the results.
                self.close()
                raise

    def close(self) -> None:
        """See `MapIterator.close`."""
        under_way, self._under_way = self._under_way, deque()
        self._items = iter(())
        self._values.clear()
        for chunk in under_way:
            chunk.future.cancel("its map was closed")
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class _OneByOne(Iterator[Any]):
    """The values of a chunk with failures among them, or that a bar tells of."""

    def __init__(self, values: list[Any], failures: dict[int, Any], bar: Bar | None) -> None:
        self._values = values
        self._failures = failures
        self._bar = bar
        self._place = 0

    def __next__(self) -> Any:
        place = self._place
        if place >= len(self._values):
            raise StopIteration
        self._place += 1
        if self._bar is not None:
            self._bar.advance()
        failure = self._failures.get(place)
        if failure is None:
            return self._values[place]
        raise failure.with_traceback(None) if isinstance(failure, BaseException) else error_of(failure)


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
    single = len(iterables) == 1
    items = iter(iterables[0]) if single else zip(*iterables, strict=False)
    bar = None if make_bar is None else make_bar()
    return MapIterator.begin(_Chunks(send, items, FLAT if single else "", Chunking(chunksize), deadline, bar))
