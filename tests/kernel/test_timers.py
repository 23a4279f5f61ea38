"""Clocks that stand still, and messages that come later."""

from __future__ import annotations

import heapq

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.kernel.clock import ManualClock, SystemClock
from actors.kernel.timers import Timer, Timers


def handled(timers: Timers, now: float) -> list[object]:
    """The messages that are handled when all turns come at `now`."""
    return [timer.message for timer in timers.due(now) if timers.deliver(timer)]


def test_a_manual_clock_moves_only_when_told_and_never_back() -> None:
    clock = ManualClock(start=10.0, utc=1000.0)
    assert (clock.monotonic(), clock.utc()) == (10.0, 1000.0)
    clock.advance(2.5)
    assert (clock.monotonic(), clock.utc()) == (12.5, 1002.5)
    with pytest.raises(ValueError, match="only moves on"):
        clock.move_to(12.0)


def test_the_system_clock_is_the_machines() -> None:
    clock = SystemClock()
    assert clock.monotonic() <= clock.monotonic()
    assert clock.utc() > 1_700_000_000


def test_timers_fire_in_the_order_of_their_times_and_those_of_one_moment_in_the_order_of_their_making() -> None:
    timers = Timers(ManualClock())
    timers.once(2.0, "c")
    timers.once(1.0, "a")
    timers.once(1.0, "b")
    assert timers.next_due() == 1.0
    assert handled(timers, 0.9) == []
    assert handled(timers, 2.0) == ["a", "b", "c"]
    assert timers.next_due() is None
    assert not timers


def test_a_cancelled_timer_never_fires_and_says_whether_it_was_in_time() -> None:
    clock = ManualClock()
    timers = Timers(clock)
    timer = timers.once(1.0, "never")
    assert timer.cancel() is True
    assert timer.cancel() is False
    assert handled(timers, 5.0) == []
    fired = timers.once(1.0, "once")
    assert handled(timers, 5.0) == ["once"]
    assert fired.cancel() is False


def test_a_repeating_timer_delivers_one_message_for_a_turn_that_came_late() -> None:
    clock = ManualClock()
    timers = Timers(clock)
    timers.every(10.0, "tick")
    assert handled(timers, 9.9) == []
    assert handled(timers, 10.0) == ["tick"]
    assert handled(timers, 45.0) == ["tick"]
    assert timers.next_due() == 50.0


def test_a_repeating_timer_needs_an_interval_that_lets_time_pass() -> None:
    with pytest.raises(ValueError, match="more than 0"):
        Timers(ManualClock()).every(0.0, "storm")


def test_a_repeating_timer_can_be_cancelled_and_may_fire_first_at_another_time() -> None:
    timers = Timers(ManualClock())
    timer = timers.every(10.0, "tick", first=0.0)
    assert handled(timers, 0.0) == ["tick"]
    assert timers.next_due() == 10.0
    assert timer.cancel()
    assert handled(timers, 100.0) == []


def test_a_negative_delay_is_due_at_once() -> None:
    timers = Timers(ManualClock(start=5.0))
    timers.once(-3.0, "now")
    assert handled(timers, 5.0) == ["now"]


def test_cancelling_thousands_of_timers_keeps_no_memory_of_them() -> None:
    timers = Timers(ManualClock())
    keep = timers.once(1_000_000.0, "keep")
    for _ in range(10_000):
        timers.once(1000.0, "gone").cancel()
    assert len(timers) == 1
    assert len(timers._heap) < 100
    assert keep.live


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans()), max_size=60), st.lists(st.floats(0, 100), max_size=5))
def test_every_timer_that_was_not_cancelled_fires_exactly_once_and_never_early(
    wanted: list[tuple[float, bool]], looks: list[float]
) -> None:
    clock = ManualClock()
    timers = Timers(clock)
    made: list[tuple[Timer, float, bool]] = []
    for number, (delay, cancelled) in enumerate(wanted):
        made.append((timers.once(delay, number), delay, cancelled))
    for timer, _, cancelled in made:
        if cancelled:
            timer.cancel()
    fired: list[int] = []
    for now in [*sorted(looks), 101.0]:
        due = handled(timers, now)
        assert all(wanted[number][0] <= now for number in due)
        fired += due
    expected = [(delay, number) for number, (delay, cancelled) in enumerate(wanted) if not cancelled]
    heapq.heapify(expected)
    assert fired == [heapq.heappop(expected)[1] for _ in range(len(expected))]
