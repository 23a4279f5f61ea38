"""The stream of a `map`: what its chunks bring, one after the other."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from actors.future import TaskFuture
from actors.hosts.lane import run_items
from actors.hosts.mapping import MapIterator, Sent, map_calls
from actors.hosts.serialize import FLAT, Call, ResultOf, fill, pack_call, pack_value, unpack_call, unpack_value


class Agents:
    """Runs each chunk when it is handed in, or, with `later`, when it is told to."""

    def __init__(self, function: Callable[..., Any], *, seconds: float = 1e-5, later: bool = False) -> None:
        self.function = function
        self.seconds = seconds
        self.later = later
        self.chunks: list[list[Any]] = []
        self.futures: list[TaskFuture[Any]] = []

    def send(self, items: list[Any], form: str) -> Sent:
        """Take a chunk."""
        call = unpack_call(pack_call(Call(self.function, items=items, form=form)))
        future: TaskFuture[Any] = TaskFuture(len(self.chunks), "task")
        self.chunks.append(items)
        self.futures.append(future)
        if not self.later:
            outcomes = run_items(self.function, call.items or [], lambda value: value, flat=call.form == FLAT)
            future.set_payload(pack_value(outcomes), unpack_value)
        return future, lambda: self.seconds * len(items)

    def map(self, *iterables: Any, chunksize: int | None = None, timeout: float | None = None) -> MapIterator:
        """A map of what it runs."""
        return map_calls(self.send, iterables, chunksize, timeout)


def _odd(value: int) -> int:
    if value % 2 == 0:
        raise ValueError(value)
    return value


def _stops(value: int) -> int:
    if value == 2:
        raise StopIteration(value)
    return value


def test_items_come_in_order_also_beside_failures() -> None:
    """J1: a failing item raises when its turn comes, and the next call goes on with the one after it."""
    results = Agents(_odd).map(range(6), chunksize=4)
    found: list[Any] = []
    for _ in range(6):
        try:
            found.append(next(results))
        except ValueError as error:
            found.append(str(error))
    assert found == ["0", 1, "2", 3, "4", 5]
    assert next(results, None) is None


def test_a_call_that_raises_stop_iteration_ends_nothing_but_itself() -> None:
    """Principle 5: whatever a body raises is the outcome of its item."""
    values, failures = run_items(_stops, [1, 2, 3], lambda value: value, flat=True)
    assert values == [1, None, 3] and list(failures) == [1]


def test_several_iterables_give_several_arguments() -> None:
    """J1: as the builtin; the shortest ends it."""
    assert list(Agents(pow).map([2, 3, 4], itertools.count(1))) == [2, 9, 64]


def test_what_is_under_way_is_bounded_for_tiny_calls_too() -> None:
    """Figures: a million tiny calls in bounded memory; the iterable is read as results are taken."""
    read = 0

    def numbers() -> Iterator[int]:
        nonlocal read
        while True:
            read += 1
            yield read

    agents = Agents(abs, seconds=1e-8)
    results = agents.map(numbers())
    most = 0
    for taken, _ in enumerate(itertools.islice(results, 500_000)):
        most = max(most, read - taken)
    assert most <= (1 << 17) + 2 * 16384
    # Growing from one call on, and fewer tasks than one for each ten thousand calls in the end.
    assert len(agents.chunks[0]) == 1
    assert len(agents.chunks) < 200
    results.close()


def test_slow_calls_stay_alone() -> None:
    """J1: a chunk is as long as makes a sensible task."""
    agents = Agents(abs, seconds=1.0)
    assert list(agents.map(range(50))) == list(range(50))
    assert {len(chunk) for chunk in agents.chunks} == {1}


def test_closing_ends_it_in_the_middle_of_a_chunk() -> None:
    """J1: close() cancels what has not been taken."""
    agents = Agents(abs)
    results = agents.map(itertools.count(), chunksize=10)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    results.close()
    assert list(results) == []


def test_dropping_it_cancels_what_is_under_way() -> None:
    """J1: as closing it."""
    agents = Agents(abs, later=True)
    results = agents.map(itertools.count(), chunksize=10)
    assert len(agents.futures) == 32
    del results
    assert all(future.cancelled() for future in agents.futures)


def test_a_chunk_that_failed_as_a_whole_raises_for_each_item() -> None:
    """J1: one outcome for each item."""
    agents = Agents(abs, later=True)
    results = agents.map(range(3), chunksize=2)
    agents.futures[0].set_error(KeyError("gone"))
    agents.futures[1].set_payload(pack_value(([2], {})), unpack_value)
    for _ in range(2):
        with pytest.raises(KeyError):
            next(results)
    assert list(results) == [2]


def test_an_iterable_that_fails_raises_after_all_that_came_before() -> None:
    """J1: what was read has its outcome."""

    def broken() -> Iterator[int]:
        yield from range(5)
        raise OSError("no more")

    results = Agents(abs).map(broken(), chunksize=1)
    assert [next(results) for _ in range(5)] == list(range(5))
    with pytest.raises(OSError, match="no more"):
        next(results)
    assert list(results) == []


def test_results_of_tasks_take_their_places_among_flat_items() -> None:
    """Work: in a chunk, too."""
    call = Call(len, items=[ResultOf(1), 2], form=FLAT)
    assert fill(call, {1: pack_value("one")}).items == ["one", 2]
    assert call.item_args() == [(ResultOf(1),), (2,)]
