"""The bounded buffer of events, compared with a plain list."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.eventbuffer import EventBuffer
from actors.errors import ConfigError

STEPS = st.lists(st.sampled_from(["put", "put", "put", "take", "drop"]))


@given(bound=st.integers(1, 5), steps=STEPS)
def test_a_buffer_keeps_the_latest_in_order_and_counts_the_rest(bound: int, steps: Sequence[str]) -> None:
    """B5: bounded buffers: when full, the oldest is dropped and counted."""
    buffer: EventBuffer[int] = EventBuffer(bound)
    model: list[int] = []
    put = taken = missed = 0
    for step in steps:
        if step == "put":
            buffer.put(put)
            model.append(put)
            put += 1
            if len(model) > bound:
                model.pop(0)
                missed += 1
        elif step == "drop":
            assert buffer.drop() == len(model)
            missed += len(model)
            model.clear()
        elif model:
            assert buffer.take() == model.pop(0)
            taken += 1
        else:
            with pytest.raises(IndexError):
                buffer.take()
        assert len(buffer) == len(model) <= bound
        assert buffer.missed == missed
        assert taken + missed + len(buffer) == put


def test_a_buffer_without_room_is_refused() -> None:
    """A4: a bad value is an error that names it."""
    with pytest.raises(ConfigError, match=r"1 or more.*not 0"):
        EventBuffer(0)
