"""When a failed attempt is tried again, and after how long."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.retry import Backoff, exception_names, retries_for, type_names
from actors.errors import ConfigError, TaskTimeout

FLOATS = st.floats(0, 1e3)


@given(FLOATS, st.floats(1, 10), FLOATS, st.floats(0, 1), st.tuples(st.integers(0, 10_000), st.integers()))
def test_a_wait_is_never_longer_than_the_limit_and_jitter_only_shortens_it(
    first: float,
    factor: float,
    more: float,
    jitter: float,
    repetition_and_seed: tuple[int, int],
) -> None:
    """D4: whatever the repetition, also where the power overflows."""
    limit = first + more
    repetition, seed = repetition_and_seed
    delay = Backoff(first, factor, limit, jitter).delay(repetition, random.Random(seed))
    full = Backoff(first, factor, limit, 0).delay(repetition, random.Random(seed))
    assert full * (1 - jitter) <= delay <= full <= limit


def test_waits_grow_by_the_factor_up_to_the_limit() -> None:
    """A4: 0.1 to 30 s by default."""
    backoff = Backoff(jitter=0)
    rng = random.Random(0)
    assert [round(backoff.delay(n, rng), 3) for n in (1, 2, 3, 9, 10, 50)] == [0.1, 0.2, 0.4, 25.6, 30.0, 30.0]


@pytest.mark.parametrize(
    "values", [{"first": -1}, {"factor": 0.5}, {"limit": 0.05}, {"jitter": 1.1}, {"first": "1"}, {"jitter": True}]
)
def test_a_value_outside_its_range_is_refused(values: dict[str, float]) -> None:
    """D4: the error names the value."""
    with pytest.raises(ConfigError, match="Backoff"):
        Backoff(**values)


def test_only_named_types_and_what_derives_from_them_are_retried() -> None:
    """D4: retry by exception type, a base counts for all that derive from it."""
    named = exception_names((OSError, "TaskError", TaskTimeout))
    assert retries_for(named, type_names(FileNotFoundError))
    assert retries_for(named, ("TaskError",))
    assert retries_for(named, type_names(TaskTimeout))
    assert not retries_for(named, type_names(ValueError))
    assert not retries_for((), type_names(ValueError))


@pytest.mark.parametrize("named", [[int], [3], [""], [ValueError()]])
def test_what_is_no_exception_type_is_refused(named: list[object]) -> None:
    """D4: a wrong name shows at once, not at the first failure."""
    with pytest.raises(ConfigError, match="retry_on"):
        exception_names(named)  # type: ignore[arg-type]
