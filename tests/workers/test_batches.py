"""Batches: every file once, none too large, the most expensive first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.workers.batches import BATCH_BYTES, BATCH_FILES, Batch, split

SIZES = st.lists(st.integers(0, 3 * BATCH_BYTES), max_size=400)


@given(SIZES)
def test_every_file_is_in_exactly_one_batch_and_none_is_too_large(sizes: list[int]) -> None:
    """A1: file lists are split into tasks of sensible size."""
    paths = [f"f{index}" for index in range(len(sizes))]
    batches = split(paths, sizes)
    assert sorted(path for batch in batches for path in batch.paths) == sorted(paths)
    for batch in batches:
        total = sum(sizes[int(path[1:])] for path in batch.paths)
        assert len(batch.paths) == 1 or (total <= BATCH_BYTES and len(batch.paths) <= BATCH_FILES)


@given(SIZES)
def test_the_most_expensive_batch_comes_first(sizes: list[int]) -> None:
    """A1: begun in this order, batches end at about the same time."""
    costs = [batch.cost for batch in split([str(index) for index in range(len(sizes))], sizes)]
    assert costs == sorted(costs, reverse=True)


@given(SIZES)
def test_a_batch_is_not_split_again(sizes: list[int]) -> None:
    """A1: an agent that gets a batch does it itself instead of handing it on for ever."""
    size_of = {f"f{index}": size for index, size in enumerate(sizes)}
    for batch in split(list(size_of), sizes):
        assert split(batch.paths, [size_of[path] for path in batch.paths]) == [batch]


def test_small_neighbours_stay_together_and_a_large_file_stands_alone() -> None:
    """A1: tasks of sensible size."""
    batches = split(["a", "big", "b", "c"], [10, 10**6, 20, 30], batch_bytes=100_000)
    assert [batch.paths for batch in batches] == [("big",), ("a", "b", "c")]


def test_many_tiny_files_make_more_than_one_batch() -> None:
    """A1: progress is told often, and little is lost with an agent."""
    assert {len(batch.paths) for batch in split([str(n) for n in range(1000)], [0] * 1000)} == {100}


def test_nothing_makes_no_batch() -> None:
    """A1: an empty list is no error."""
    assert split([], []) == []


@pytest.mark.parametrize("bounds", [{"batch_bytes": 0}, {"batch_files": 0}])
def test_bounds_below_one_are_refused(bounds: dict[str, int]) -> None:
    """A1: a clear error."""
    with pytest.raises(ValueError, match="expected 1 or more"):
        split(["a"], [1], **bounds)


def test_a_negative_size_and_a_missing_one_are_refused() -> None:
    """A1: a clear error."""
    with pytest.raises(ValueError, match="0 or more, got -1"):
        split(["a"], [-1])
    with pytest.raises(ValueError, match="shorter"):
        split(["a", "b"], [1])


def test_a_batch_pickles() -> None:
    """A1: it goes to agents."""
    import pickle

    batch = Batch(("a",), 3)
    assert pickle.loads(pickle.dumps(batch)) == batch
