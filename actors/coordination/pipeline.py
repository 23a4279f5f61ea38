"""pipeline: items flow through stages, each a task; as many are under way as are wanted, and no more are read.

Each item is handed in as a chain of tasks, each with the one before as a dependency, so what a stage gives reaches the next
one without passing through the caller. An item takes one of the places from when it is read until it is taken: that is all
there is to back-pressure, and so no thread and no step of its own is needed.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from types import TracebackType
from typing import Any, Literal, NamedTuple, NoReturn, Self, TypeAlias

from actors.coordination.calls import Invocation
from actors.coordination.gathering import outcome_of, refuse_once
from actors.coordination.whole import noted
from actors.errors import ActorsError, ConfigError
from actors.future import TaskFuture
from actors.hosts.ground import Ground
from actors.hosts.mapping import UNDER_WAY, check_timeout
from actors.hosts.options import Options
from actors.kernel.lazyfuture import LazyFuture

__all__ = ["ItemFailures", "Pipeline", "Skipped"]

ItemFailures: TypeAlias = Literal["raise", "skip"]
"""What becomes of an item that fails: it raises at its turn, or it is left out and reported in `skipped`."""

_WIDEST = 100_000
_REPORTED = 1000
_ENDED = object()


class Skipped(NamedTuple):
    """An item that was left out: the how many-th it was, from 0, the stage that failed, and the error."""

    item: int
    stage: str
    error: BaseException


class _Lane(NamedTuple):
    """An item under way: the tasks of its stages."""

    place: int
    chain: list[TaskFuture[Any]]
    # It could not be handed in, by this stage.
    refused: tuple[int, BaseException] | None = None

    @property
    def done(self) -> bool:
        return self.refused is not None or self.chain[-1].done()


class _Signal(LazyFuture[None]):
    """Something that is waited for has come."""

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__()
        self._pipeline = pipeline

    @property
    def _label(self) -> str:
        return f"the next result of {self._pipeline.name}"

    def _before_wait(self, timeout: float | None) -> float | None:
        pipeline = self._pipeline
        return pipeline._ground.before_wait(self, self.done, timeout, pipeline._parts())  # noqa: SLF001 - its own


class Pipeline(Iterator[Any], AsyncIterator[Any]):
    """The results of a pipeline; an iterator, an async iterator and a context manager. For one reader.

    Closing it, or dropping it, cancels what has not been taken, and closes the source if that can be closed.

    Args:
        source: the items, read in the thread that takes results.
        stages: one or more; each is called with what the one before gave as its first argument.
        ordered: results come in the order of their items; otherwise as they are there.
        buffer: how many items are under way at most, from their reading to their being taken.
        failures: see `ItemFailures`.
        ground: what it stands on.
        options: of all tasks.
        timeout: seconds from now after which taking a result raises TimeoutError.

    Attributes:
        name: of this call.
        skipped: the last 1000 items that were left out.

    Raises:
        ConfigError: a value that is not allowed.
        TypeError: `source` is no iterable.
    """

    def __init__(
        self,
        source: Iterable[Any],
        stages: list[Invocation],
        *,
        ordered: bool,
        buffer: int | None,
        failures: ItemFailures,
        ground: Ground,
        options: Options,
        timeout: float | None,
    ) -> None:
        # First, so that one that is refused can be dropped.
        self._under_way: deque[_Lane] = deque()
        self._closed = False
        refuse_once("pipeline", options)
        check_timeout(timeout)
        buffer = UNDER_WAY if buffer is None else buffer
        if type(buffer) is not int or not 1 <= buffer <= _WIDEST:
            raise ConfigError(
                f"buffer is how many items are under way, a whole number from 1 to {_WIDEST}, not {buffer!r}",
                key="buffer",
                value=buffer,
            )
        if failures not in ("raise", "skip"):
            raise ConfigError(f'failures is "raise" or "skip", not {failures!r}', key="failures", value=failures)
        if not isinstance(source, Iterable):
            raise TypeError(f"pipeline takes an iterable as its source, not {source!r:.200}")
        self._ground = ground
        self.name, self._options = ground.group("pipeline", options)
        self._source: Iterator[Any] = iter(source)
        self._stages = stages
        self._ordered = ordered
        self._buffer = buffer
        self._failures = failures
        self._deadline = None if timeout is None else ground.monotonic() + timeout
        self.skipped: deque[Skipped] = deque(maxlen=_REPORTED)
        self._read = 0
        # Set when reading the source has ended: by its end, or by what it raised, which comes after all that was read.
        self._ending: BaseException | object | None = None
        # The places whose end was told, for results that come as they are there.
        self._ended: deque[_Lane] = deque()
        self._signal: _Signal | None = None
        self._fill()

    def __repr__(self) -> str:
        return f"<Pipeline {self.name}: {'closed' if self._closed else f'{len(self._under_way)} under way'}>"

    # --- taking ---

    def __next__(self) -> Any:
        while True:
            lane = self._due()
            if lane is None:
                if not self._under_way:
                    self._finish(StopIteration)
                self._wait(self._await_signal())
                continue
            good, value = self._taken(lane)
            if good:
                return value

    async def __anext__(self) -> Any:
        while True:
            lane = self._due()
            if lane is None:
                if not self._under_way:
                    self._finish(StopAsyncIteration)
                await self._async_wait(self._await_signal())
                continue
            good, value = self._taken(lane)
            if good:
                return value

    def __aiter__(self) -> Self:
        return self

    def _due(self) -> _Lane | None:
        """The item whose turn it is, if it is there."""
        if self._ordered:
            return self._under_way[0] if self._under_way and self._under_way[0].done else None
        while self._ended:
            lane = self._ended.popleft()
            if lane in self._under_way:
                return lane
        return None

    def _taken(self, lane: _Lane) -> tuple[bool, Any]:
        """What has become of an item, which gives its place to the next one. False: it is left out."""
        if self._ordered:
            self._under_way.popleft()
        else:
            self._under_way.remove(lane)
        stage, error, value = _outcome(lane)
        for part in lane.chain:
            part.discard()
        if error is not None:
            name = self._stages[stage].name
            noted(error, f"in pipeline: item {lane.place}, stage {stage + 1} of {len(self._stages)}, {name}")
            if self._failures == "skip":
                self.skipped.append(Skipped(lane.place, name, error))
        self._fill()
        if error is None:
            return True, value
        if self._failures == "raise":
            raise error
        return False, None

    def _finish(self, stop: type[BaseException]) -> NoReturn:
        ending, self._ending = self._ending, _ENDED
        self.close()
        if isinstance(ending, BaseException):
            raise ending
        raise stop

    # --- waiting ---

    def _await_signal(self) -> _Signal:
        """What is done as soon as there is something to take."""
        signal = self._signal = _Signal(self)
        # What came before the signal was there.
        if self._due_soon():
            signal.set_payload(None, _nothing)
        return signal

    def _due_soon(self) -> bool:
        if not self._ordered:
            return bool(self._ended)
        try:
            return self._under_way[0].done
        except IndexError:
            return False

    def _told(self, lane: _Lane) -> None:
        """In any thread: the last stage of an item has ended."""
        if not self._ordered:
            self._ended.append(lane)
        signal = self._signal
        if signal is not None and self._due_soon():
            signal.set_payload(None, _nothing)

    def _wait(self, signal: _Signal) -> None:
        with self._in_time() as left:
            signal.result(left)

    async def _async_wait(self, signal: _Signal) -> None:
        import asyncio  # noqa: PLC0415 - only who has a loop pays for it

        with self._in_time() as left, self._ground.awaiting(self._parts()):
            async with asyncio.timeout(left):
                await signal

    @contextlib.contextmanager
    def _in_time(self) -> Iterator[float | None]:
        """Around a wait: how many seconds there are for it, None without end. One that fails closes the pipeline."""
        try:
            yield None if self._deadline is None else max(0.0, self._deadline - self._ground.monotonic())
        except TimeoutError:
            self.close()
            raise TimeoutError(f"{self.name} has no further result in time, and is closed") from None
        except BaseException:
            # Ctrl-C, or the end of the task that waits.
            self.close()
            raise

    def _parts(self) -> list[TaskFuture[Any]]:
        return [part for lane in list(self._under_way) for part in lane.chain if not part.done()]

    # --- reading ---

    def _fill(self) -> None:
        """Read on while there is room."""
        try:
            while self._ending is None and len(self._under_way) < self._buffer and not self._closed:
                self._read_one()
        except BaseException:
            # Ctrl-C, the end of the task that reads, or a first item that cannot be handed in: nobody goes on.
            self.close()
            raise

    def _read_one(self) -> None:
        try:
            item = next(self._source, _ENDED)
        except Exception as error:  # noqa: BLE001 - raised after all that was read before
            self._ending = error
            return
        if item is _ENDED:
            self._ending = _ENDED
            return
        with self._ground.shielded:
            lane = self._hand_in(item)
            self._under_way.append(lane)
            if lane.refused is not None:
                self._told(lane)
            else:
                lane.chain[-1].add_done_callback(lambda _: self._told(lane))

    def _hand_in(self, item: Any) -> _Lane:
        place, self._read = self._read, self._read + 1
        chain: list[TaskFuture[Any]] = []
        value = item
        for number, stage in enumerate(self._stages):
            call = stage.on(value)
            try:
                part = self._ground.submit(call.call, call.args, call.kwargs, self._options)[0]
            except Exception as error:
                if place == 0:
                    # Most likely the stage is at fault and not the item: an error of the call.
                    _cancel(chain, f"{self.name} could not be started")
                    raise
                _cancel(chain, f"{self.name}: a later stage could not be handed in")
                return _Lane(place, chain, (number, error))
            chain.append(part)
            value = part
        return _Lane(place, chain)

    # --- the end ---

    def close(self) -> None:
        """Cancel what has not been taken; nothing more will come. A second call is nothing."""
        if self._closed:
            return
        self._closed = True
        under_way, self._under_way = self._under_way, deque()
        for lane in under_way:
            _cancel(lane.chain, "its pipeline was closed")
        close = getattr(getattr(self, "_source", None), "close", None)
        if callable(close) and self._ending is None:
            with contextlib.suppress(Exception):
                close()
        if getattr(self, "_ending", None) is None:
            self._ending = _ENDED

    async def aclose(self) -> None:
        """As `close`, for `contextlib.aclosing`."""
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError):
            self.close()


def _outcome(lane: _Lane) -> tuple[int, BaseException | None, Any]:
    """The stage that failed and its error, or the value."""
    if lane.refused is not None:
        return (*lane.refused, None)
    last = len(lane.chain) - 1
    error, value = outcome_of(lane.chain[last])
    if error is None:
        return last, None, value
    for stage, part in enumerate(lane.chain[:last]):
        # The first that failed is the cause; those after it depend on it.
        if part.done() and part.failed():
            return stage, outcome_of(part)[0], None
    return last, error, None


def _cancel(chain: list[TaskFuture[Any]], reason: str) -> None:
    # The last first: what depends on it must not fail for it.
    for part in reversed(chain):
        with contextlib.suppress(ActorsError):
            part.cancel(reason)


def _nothing(_: object) -> None:
    """The value of a signal."""
