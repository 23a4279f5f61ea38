"""Clocks that stand still, and messages that come later."""

from __future__ import annotations

import heapq

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.errors import ConfigError
from actors.kernel.actor import Actor, ActorOptions
from actors.kernel.clock import ManualClock, SystemClock
from actors.kernel.dispatch import ManualDispatcher
from actors.kernel.handlers import handles
from actors.kernel.timers import ReceiveTimeout, Timer, Timers
from tests.kernel.support import LIMIT, Seen


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


def test_a_timer_of_a_name_takes_the_place_of_the_one_before() -> None:
    """Of two timers of one name only the later one's message is handled."""
    timers = Timers(ManualClock())
    first = timers.once(1.0, "first", name="alarm")
    second = timers.once(2.0, "second", name="alarm")
    assert not first.live
    assert "alarm" in timers
    assert timers.names() == ["alarm"]
    assert handled(timers, 5.0) == ["second"]
    assert not second.live
    assert "alarm" not in timers
    assert timers.cancel("alarm") is False


def test_a_timer_can_be_cancelled_by_its_name_also_between_its_time_and_its_turn() -> None:
    """Whoever cancels a timer does not get its message, even if it is due already."""
    timers = Timers(ManualClock())
    timers.every(1.0, "tick", name="ticker")
    timers.once(1.0, "once", name="single")
    due = timers.due(1.0)
    assert timers.cancel("ticker") is True
    assert timers.cancel("single") is True
    assert timers.cancel("single") is False
    assert [timer for timer in due if timers.deliver(timer)] == []
    assert timers.next_due() is None
    assert not timers


def test_what_is_due_when_an_incarnation_ends_is_not_for_the_next_one() -> None:
    """Timers belong to one incarnation."""
    first, second = Timers(ManualClock()), Timers(ManualClock())
    first.once(0.0, "for the first")
    first.every(1.0, "tick", 0.0, name="ticker")
    due = first.due(0.0)
    first.clear()
    assert not any(second.deliver(timer) for timer in due)
    assert first.names() == []


def test_the_time_without_a_message_is_told_again_and_again_until_there_is_one() -> None:
    clock = ManualClock()
    timers = Timers(clock)
    assert timers.idle(100.0) is None
    timers.idle_after(5.0)
    timers.once(7.0, "x")
    assert timers.next_due() == 5.0
    assert timers.idle(4.9) is None
    assert timers.idle(5.0) == ReceiveTimeout(5.0)
    clock.advance(5.0)
    timers.rearm()
    assert timers.next_due() == 7.0
    timers.idle_after(None)
    assert timers.idle(100.0) is None
    assert timers.next_due() == 7.0


class Idler(Actor):
    def __init__(self, seen: Seen) -> None:
        super().__init__()
        self.seen = seen

    @handles(float, int, type(None))
    def wanted(self, message: float | None) -> None:
        self.set_receive_timeout(message)

    @handles(str)
    def busy(self, message: str) -> None:
        self.timers.once(float(message), b"tick")

    @handles(bytes)
    def tick(self, message: bytes) -> None: ...

    @handles(ReceiveTimeout)
    def quiet(self, message: ReceiveTimeout) -> None:
        self.seen((message, self.clock.monotonic()))


def test_an_actor_is_told_each_time_that_nothing_came_for_so_long() -> None:
    """A message, also one of a timer, begins the time anew."""
    dispatcher = ManualDispatcher(ManualClock())
    seen = Seen()
    ref = Idler.start_with(ActorOptions(clock=dispatcher.clock, dispatcher=dispatcher), seen)
    ref.tell(10.0)
    dispatcher.advance(9.0)
    ref.tell("8")
    dispatcher.advance(17.9)
    assert seen.items == []
    dispatcher.advance(20.2)
    told = ReceiveTimeout(10.0)
    assert seen.items == [(told, 27.0), (told, 37.0), (told, 47.0)]
    ref.tell(None)
    dispatcher.advance(100.0)
    assert len(seen.items) == 3
    for wrong in (0, -1.0, float("nan")):
        with pytest.raises(ConfigError, match="more than 0 seconds"):
            ref.ask(wrong)
    ref.stop()


@pytest.mark.parametrize("polls", [False, True])
def test_an_actor_that_sleeps_is_woken_by_its_receive_timeout(polls: bool) -> None:  # noqa: FBT001
    """On the machine's clock, whatever the actor sleeps on."""
    seen = Seen()
    ref = type("Idle", (Idler,), {"polls": polls}).start(seen)  # type: ignore[attr-defined]
    ref.tell(0.01)
    assert [message for message, _ in seen.wait(2)][:2] == [ReceiveTimeout(0.01)] * 2
    ref.stop(timeout=LIMIT)


def test_a_timer_that_a_message_of_the_same_batch_cancels_is_not_heard() -> None:
    """The promise of `cancel`, in an actor."""

    class Alarm(Actor):
        @handles(int)
        def set_two(self, message: int) -> None:
            self.timers.once(1.0, "first", name="first")
            self.timers.once(1.0, "second", name="second")

        @handles(str)
        def ring(self, message: str) -> None:
            seen(message)
            seen(self.timers.cancel("second"))

    dispatcher = ManualDispatcher(ManualClock())
    seen = Seen()
    ref = Alarm.start_with(ActorOptions(clock=dispatcher.clock, dispatcher=dispatcher))
    ref.tell(0)
    dispatcher.advance(10.0)
    assert seen.items == ["first", True]
    ref.stop()
