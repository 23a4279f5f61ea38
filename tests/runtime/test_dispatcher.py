"""Event handlers and callbacks run where they can block nobody else."""

from __future__ import annotations

import functools
import gc
import logging
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.errors import ConfigError
from actors.protocol.events import TaskFailed
from actors.runtime.dispatcher import Dispatcher
from actors.runtime.subscription import Subscription

LONG = 20.0
"""Seconds after which a test says that something did not happen."""


def event(number: int = 0) -> TaskFailed:
    return TaskFailed(task_id=str(number))


class Heard:
    """A handler that keeps what it heard and can be held up."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.threads: list[threading.Thread] = []
        self.inside = threading.Semaphore(0)
        self.gate = threading.Event()
        self.gate.set()
        self.called = threading.Semaphore(0)

    def __call__(self, each: Any = None) -> None:
        self.threads.append(threading.current_thread())
        self.inside.release()
        assert self.gate.wait(LONG)
        self.events.append(each)
        self.called.release()

    def numbers(self, count: int) -> list[int]:
        """The numbers of the first events, once there are so many."""
        for _ in range(count):
            assert self.called.acquire(timeout=LONG)
        return [int(each.task_id) for each in self.events]


@pytest.fixture
def make() -> Iterator[Callable[..., Dispatcher]]:
    made: list[Dispatcher] = []

    def maker(**settings: Any) -> Dispatcher:
        made.append(Dispatcher(**settings))
        return made[-1]

    yield maker
    for dispatcher in made:
        dispatcher.close(LONG)


def test_a_handler_hears_all_events_in_order_on_another_thread(make: Callable[..., Dispatcher]) -> None:
    """B5: handlers run on the dispatcher's thread."""
    heard = Heard()
    subscription = make().subscribe((TaskFailed,), heard)
    for number in range(100):
        assert subscription.offer(event(number))
    assert heard.numbers(100) == list(range(100))
    assert len(set(heard.threads)) == 1
    assert heard.threads[0] is not threading.current_thread()
    assert heard.threads[0].daemon
    assert subscription.missed == 0


def test_no_thread_is_started_before_there_is_something_to_do(make: Callable[..., Dispatcher]) -> None:
    """B5: pay for what is used."""
    before = threading.active_count()
    dispatcher = make()
    subscription = dispatcher.subscribe((), Heard())
    assert threading.active_count() == before
    subscription.unsubscribe()
    assert dispatcher.close()


def test_a_full_buffer_drops_the_oldest_and_the_subscription_counts_them(make: Callable[..., Dispatcher]) -> None:
    """B5: a slow subscriber loses its own events and no others."""
    heard = Heard()
    heard.gate.clear()
    subscription = make().subscribe((TaskFailed,), heard, bound=3)
    subscription.offer(event(0))
    assert heard.inside.acquire(timeout=LONG)
    for number in range(1, 9):
        subscription.offer(event(number))
    assert subscription.missed == 5
    heard.gate.set()
    assert heard.numbers(4) == [0, 6, 7, 8]


@pytest.mark.parametrize("error", [ValueError("broken"), SystemExit(3), KeyboardInterrupt()])
def test_a_handler_that_raises_is_named_in_the_log_and_goes_on_hearing(
    make: Callable[..., Dispatcher], caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    """B5: a failing subscriber harms nobody else."""
    heard, dispatcher = Heard(), make()

    def failing(each: TaskFailed) -> None:
        raise error

    for handler in (failing, heard):
        subscription = dispatcher.subscribe((TaskFailed,), handler)
        subscription.offer(event(1))
        subscription.offer(event(2))
    assert heard.numbers(2) == [1, 2]
    assert dispatcher.close(LONG)
    failures = [record for record in caplog.records if "failing failed on TaskFailed" in record.getMessage()]
    assert [record.levelno for record in failures] == [logging.ERROR], "once, and not for each event"
    assert "failing failed 2 times in all" in caplog.text
    assert failures[0].exc_info is not None
    assert failures[0].exc_info[1] is error


def test_a_handler_that_blocks_holds_up_the_others_no_longer_than_the_patience(
    make: Callable[..., Dispatcher], caplog: pytest.LogCaptureFixture
) -> None:
    """B5: a slow subscriber harms nobody else: it is given a thread of its own, and a warning names it."""
    slow, heard, dispatcher = Heard(), Heard(), make(patience=0.05)
    slow.gate.clear()
    slow_one = dispatcher.subscribe((TaskFailed,), functools.partial(slow))
    other = dispatcher.subscribe((TaskFailed,), heard)
    slow_one.offer(event(0))
    assert slow.inside.acquire(timeout=LONG)
    slow_one.offer(event(1))
    for number in range(5):
        other.offer(event(number))
    assert heard.numbers(5) == list(range(5))
    assert any("Heard has run for more than 0.05 s" in record.getMessage() for record in caplog.records)
    slow.gate.set()
    assert slow.numbers(2) == [0, 1]
    slow_one.offer(event(2))
    assert slow.numbers(1) == [0, 1, 2]
    assert len(set(slow.threads)) == 1
    assert not set(slow.threads) & set(heard.threads)
    slow.gate.clear()
    slow_one.offer(event(3))
    other.offer(event(5))
    assert heard.numbers(1) == list(range(6))
    slow.gate.set()


def test_many_handlers_that_block_hold_up_nobody(make: Callable[..., Dispatcher]) -> None:
    """B5: each of them gets a thread of its own."""
    dispatcher = make(patience=0.02)
    stuck = [Heard() for _ in range(5)]
    for each in stuck:
        each.gate.clear()
        dispatcher.subscribe((), each).offer(event())
    heard = Heard()
    dispatcher.subscribe((), heard).offer(event(1))
    assert heard.numbers(1) == [1]
    for each in stuck:
        each.gate.set()
        assert each.numbers(1) == [0]


def test_callbacks_run_in_the_order_in_which_they_came(make: Callable[..., Dispatcher]) -> None:
    """C5: done-callbacks of futures."""
    dispatcher, order, last = make(), list[int](), threading.Event()
    for number in range(50):
        dispatcher.call_soon(functools.partial(order.append, number))
    dispatcher.call_soon(last.set)
    assert last.wait(LONG)
    assert order == list(range(50))


def test_callbacks_that_never_return_do_not_keep_the_next_from_running(make: Callable[..., Dispatcher]) -> None:
    """B5: a done-callback that blocks blocks itself."""
    dispatcher, release, last = make(patience=0.02), threading.Event(), threading.Event()
    for _ in range(3):
        dispatcher.call_soon(functools.partial(release.wait, LONG))
    dispatcher.call_soon(last.set)
    assert last.wait(LONG)
    assert not release.is_set()
    release.set()


def test_when_too_many_callbacks_are_stuck_events_are_delivered_all_the_same(
    make: Callable[..., Dispatcher], monkeypatch: pytest.MonkeyPatch
) -> None:
    """B5: the number of threads is bounded."""
    monkeypatch.setattr("actors.runtime.dispatcher._MOST_STUCK", 2)
    dispatcher, release, heard = make(patience=0.02), threading.Event(), Heard()
    before = threading.active_count()
    done = threading.Semaphore(0)
    for _ in range(6):
        dispatcher.call_soon(lambda: (release.wait(LONG), done.release()))
    dispatcher.subscribe((), heard).offer(event(7))
    assert heard.numbers(1) == [7]
    assert threading.active_count() - before <= 5
    release.set()
    for _ in range(6):
        assert done.acquire(timeout=LONG)


def test_a_callback_may_hand_in_more_and_end_subscriptions(make: Callable[..., Dispatcher]) -> None:
    """B5: all of it can be used from inside a handler."""
    dispatcher, done, heard = make(), threading.Event(), Heard()
    subscription = dispatcher.subscribe((), heard)
    dispatcher.call_soon(lambda: (subscription.unsubscribe(), dispatcher.call_soon(done.set)))
    assert done.wait(LONG)
    assert not subscription.offer(event())
    assert not subscription.active


def test_after_unsubscribing_no_further_call_begins(make: Callable[..., Dispatcher]) -> None:
    """B5: unsubscribe."""
    heard, ended, dispatcher = Heard(), list[Subscription](), make()
    heard.gate.clear()
    with dispatcher.subscribe((TaskFailed,), heard, "local", on_end=ended.append) as subscription:
        assert subscription.active
        assert subscription.scope == "local"
        assert subscription.kinds == (TaskFailed,)
        for number in range(3):
            subscription.offer(event(number))
        assert heard.inside.acquire(timeout=LONG)
    assert not subscription.active
    subscription.unsubscribe()
    assert ended == [subscription]
    assert not subscription.offer(event(9))
    heard.gate.set()
    assert dispatcher.close(LONG)
    assert heard.numbers(1) == [0]
    assert subscription.missed == 2
    assert "TaskFailed: ended, 2 missed" in repr(subscription)


def test_closing_delivers_what_waits_and_ends_the_threads() -> None:
    """A6: shutdown is in order."""
    dispatcher, heard, called = Dispatcher(), Heard(), list[int]()
    subscription = dispatcher.subscribe((), heard)
    for number in range(200):
        subscription.offer(event(number))
        dispatcher.call_soon(functools.partial(called.append, number))
    assert dispatcher.close(LONG)
    assert len(heard.events) == len(called) == 200
    assert not subscription.active
    assert not subscription.offer(event())
    assert not any(thread.is_alive() for thread in heard.threads)
    assert dispatcher.close(LONG)


def test_closing_waits_no_longer_than_it_is_told_to(caplog: pytest.LogCaptureFixture) -> None:
    """A6: a handler that never returns does not keep the system from ending."""
    dispatcher, stuck = Dispatcher(), Heard()
    stuck.gate.clear()
    subscription = dispatcher.subscribe((), stuck)
    subscription.offer(event(0))
    subscription.offer(event(1))
    assert stuck.inside.acquire(timeout=LONG)
    assert not dispatcher.close(0.05)
    assert "2 events or callbacks that were not done with" in caplog.text
    assert not subscription.active
    stuck.gate.set()
    assert stuck.numbers(1) == [0]
    assert subscription.missed == 1
    stuck.threads[0].join(LONG)


@pytest.mark.parametrize("way", ["callback", "handler"])
def test_the_program_may_close_it_from_inside_a_handler(way: str) -> None:
    """A6: a done-callback that shuts the system down does not wait for itself."""
    dispatcher, heard, done, results = Dispatcher(), Heard(), threading.Event(), list[bool]()

    def closing(each: Any = None) -> None:
        results.append(dispatcher.close(LONG))
        done.set()

    other = dispatcher.subscribe((), heard)
    gate = threading.Event()
    dispatcher.call_soon(lambda: gate.wait(LONG) and None)
    if way == "callback":
        dispatcher.call_soon(closing)
    else:
        dispatcher.subscribe((), closing).offer(event())
    other.offer(event(3))
    gate.set()
    assert done.wait(LONG)
    assert results == [True]
    assert heard.numbers(1) == [3]


def test_a_callback_after_the_end_runs_in_the_caller() -> None:
    """F2: whoever waits for a done-callback gets it."""
    dispatcher, threads = Dispatcher(), list[threading.Thread]()
    assert dispatcher.close()
    dispatcher.call_soon(lambda: threads.append(threading.current_thread()))
    assert threads == [threading.current_thread()]


def test_nothing_keeps_an_event_or_a_callback_alive_that_is_done_with(make: Callable[..., Dispatcher]) -> None:
    """D9: a result can be taken once and freed."""

    class Big:
        def __call__(self, each: Any = None) -> None:
            pass

    dispatcher, big = make(), Big()
    watched = weakref.ref(big)
    gone = threading.Event()
    weakref.finalize(big, gone.set)
    dispatcher.call_soon(big)
    del big
    assert gone.wait(LONG), gc.get_referrers(watched())


def test_a_patience_that_makes_no_sense_is_refused() -> None:
    """A4: a bad value is an error that names it."""
    with pytest.raises(ConfigError, match="patience"):
        Dispatcher(patience=0)


@settings(deadline=None, max_examples=30)
@given(
    bounds=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    steps=st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["offer", "offer", "offer", "callback", "end"]))),
)
def test_whatever_is_offered_is_delivered_once_in_order_or_counted_as_missed(
    bounds: list[int], steps: list[tuple[int, str]]
) -> None:
    """B5: delivered + missed = offered, for each subscription, and no callback is lost."""
    dispatcher = Dispatcher()
    heard: list[list[int]] = [[] for _ in bounds]
    subscriptions = [
        dispatcher.subscribe((), lambda each, mine=mine: mine.append(int(each.task_id)), bound=bound)
        for mine, bound in zip(heard, bounds, strict=True)
    ]
    offered = [0] * len(bounds)
    called: list[int] = []
    callbacks = 0
    for number, step in steps:
        which = number % len(bounds)
        if step == "callback":
            dispatcher.call_soon(functools.partial(called.append, callbacks))
            callbacks += 1
        elif step == "end":
            subscriptions[which].unsubscribe()
        else:
            offered[which] += subscriptions[which].offer(event(offered[which]))
    assert dispatcher.close(LONG)
    assert called == list(range(callbacks))
    for numbers, subscription, count in zip(heard, subscriptions, offered, strict=True):
        assert numbers == sorted(set(numbers))
        assert len(numbers) + subscription.missed == count
