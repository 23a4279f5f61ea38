"""An actor is told once when one that it watches has ended for good, and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.children import ChildSpec
from actors.errors import ConfigError
from actors.kernel.actor import Actor, ActorOptions
from actors.kernel.cell import Exit
from actors.kernel.child import ActorChild
from actors.kernel.clock import ManualClock
from actors.kernel.dispatch import ManualDispatcher
from actors.kernel.handlers import handles
from actors.kernel.mailbox import Overflow
from actors.kernel.ref import ActorRef
from actors.kernel.supervisor import Supervisor
from actors.kernel.watching import ActorEnded
from tests.kernel.support import LIMIT, Seen


class Watch(NamedTuple):
    ref: Any


class Unwatch(NamedTuple):
    ref: Any


class Fail(NamedTuple):
    error: BaseException


class Watcher(Actor):
    def __init__(self, seen: Seen, *refs: Any) -> None:
        super().__init__()
        self.seen = seen
        self.refs = refs

    def on_start(self) -> None:
        for ref in self.refs:
            self.watch(ref)

    @handles(Watch)
    def begin(self, message: Watch) -> None:
        self.watch(message.ref)

    @handles(Unwatch)
    def end(self, message: Unwatch) -> bool:
        return self.unwatch(message.ref)

    @handles(ActorEnded)
    def ended(self, message: ActorEnded) -> None:
        self.seen(message)

    @handles(str)
    def heard(self, message: str) -> str:
        self.seen(message)
        return message

    @handles(Fail)
    def fail(self, message: Fail) -> None:
        raise message.error


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def watcher(seen: Seen) -> Any:
    ref = Watcher.start(seen)
    yield ref
    ref.stop(timeout=LIMIT)


def test_the_end_of_a_watched_actor_comes_as_a_message_with_its_reason(watcher: ActorRef[Any], seen: Seen) -> None:
    """F2: an actor is told when one that it watches ends, and why."""
    error = KeyError("broken")
    stopped, failing = Watcher.start(Seen()), Watcher.start(Seen())
    for ref in (stopped, failing):
        watcher.ask(Watch(ref))
        # Twice is once.
        watcher.ask(Watch(ref))
    stopped.stop(timeout=LIMIT)
    assert seen.wait(1) == [ActorEnded(stopped, "normal", None)]
    failing.tell(Fail(error))
    assert seen.wait(2)[1] == ActorEnded(failing, "failure", error)
    watcher.ask("no more of it")
    assert len(seen.items) == 3


def test_an_end_that_was_long_ago_is_told_at_once(watcher: ActorRef[Any], seen: Seen) -> None:
    """F2: nobody waits for an end that has been."""
    other = Watcher.start(Seen())
    other.stop(timeout=LIMIT)
    watcher.ask(Watch(other))
    assert seen.wait(1) == [ActorEnded(other, "normal", None)]
    # Each watch has its own end.
    watcher.ask(Watch(other))
    assert len(seen.wait(2)) == 2


def test_what_the_ended_one_sent_before_its_end_comes_before_it(watcher: ActorRef[Any], seen: Seen) -> None:
    """B6: order holds between one sender and one recipient."""

    class Talker(Actor):
        @handles(int)
        def talk(self, message: int) -> None:
            for number in range(message):
                watcher.tell(str(number))
            self.stop()

    other = Talker.start()
    watcher.ask(Watch(other))
    other.tell(5)
    assert [str(item) if isinstance(item, str) else item.reason for item in seen.wait(6)] == [*"01234", "normal"]


def test_after_unwatch_nothing_is_told_not_even_what_is_in_the_mailbox_already(seen: Seen) -> None:
    """F2: whoever says that it does not want to know is not told."""
    dispatcher = ManualDispatcher(ManualClock())
    options = ActorOptions(clock=dispatcher.clock, dispatcher=dispatcher)
    watcher = Watcher.start_with(options, seen)
    first, second = Watcher.start_with(options, Seen()), Watcher.start_with(options, Seen())
    for ref in (first, second):
        watcher.tell(Watch(ref))
    dispatcher.run()
    assert watcher.ask(Unwatch(first)) is True
    assert watcher.ask(Unwatch(first)) is False
    first.stop()
    # The end of the second is in the mailbox, behind the message that unwatches it.
    reply = watcher.ask_later(Unwatch(second))
    second.actor_inbox.owner.retire(Exit("second", 1, "normal", None))
    assert len(watcher.actor_inbox) == 2
    dispatcher.run()
    assert reply.get() is True
    assert seen.items == []
    assert watcher.is_alive()
    assert first.actor_inbox.owner._watchers == []
    watcher.stop()


def test_an_end_is_not_lost_in_a_mailbox_that_drops_the_oldest(seen: Seen) -> None:
    """F2: the end of an actor is told whatever the traffic."""
    dispatcher = ManualDispatcher(ManualClock())
    watcher = Watcher.start_with(
        ActorOptions(clock=dispatcher.clock, dispatcher=dispatcher, bound=2, overflow=Overflow.DROP_OLDEST), seen
    )
    other = Watcher.start_with(ActorOptions(clock=dispatcher.clock, dispatcher=dispatcher), Seen())
    watcher.ask(Watch(other))
    other.stop()
    for number in range(10):
        watcher.tell(str(number))
    dispatcher.run()
    assert ActorEnded(other, "normal", None) in seen.items
    watcher.stop(block=False)
    for number in range(10):
        watcher.tell(str(number))
    dispatcher.run()
    assert not watcher.is_alive()
    assert watcher.dead_letters > 0


def test_a_restart_is_no_end_and_a_replacement_watches_anew(seen: Seen) -> None:
    """F1: watches belong to one incarnation; a restart behind the same reference is not told."""
    dispatcher = ManualDispatcher(ManualClock())
    options = ActorOptions(clock=dispatcher.clock, dispatcher=dispatcher)
    other = Watcher.start_with(options, Seen())
    watched = ActorChild(ChildSpec("watched"), Watcher, Seen(), options=options)
    watching = ActorChild(ChildSpec("watching"), Watcher, seen, watched.ref, other, options=options)
    supervisor = Supervisor.start_with(options, [watched, watching])
    dispatcher.run()
    watched.ref.tell(Fail(KeyError("again")))
    watching.ref.tell(Fail(KeyError("again")))
    dispatcher.advance(60)
    assert (watched.ref.incarnation, watching.ref.incarnation) == (2, 2)
    assert seen.items == []
    other.stop()
    dispatcher.run()
    assert seen.items == [ActorEnded(other, "normal", None)]
    # The first incarnation left nothing behind.
    assert len(watched.cell._watchers) == 1
    supervisor.stop()


def test_anything_that_can_be_watched_will_do(watcher: ActorRef[Any], seen: Seen) -> None:
    """Refs of other processes have the same shape."""

    class Far:
        callbacks: list[Callable[[Exit], object]] = []  # noqa: RUF012

        def watch(self, callback: Callable[[Exit], object]) -> None:
            self.callbacks.append(callback)

        def unwatch(self, callback: Callable[[Exit], object]) -> None:
            self.callbacks.remove(callback)

    far = Far()
    watcher.ask(Watch(far))
    far.callbacks[0](Exit("far", 1, "failure", None))
    assert seen.wait(1) == [ActorEnded(far, "failure", None)]
    watcher.ask(Watch(far))
    assert watcher.ask(Unwatch(far)) is True
    assert len(far.callbacks) == 1


@pytest.mark.parametrize("what", [5, None, Watcher])
def test_what_cannot_be_watched_is_refused(watcher: ActorRef[Any], what: Any) -> None:
    """A4: an error that says what is expected."""
    with pytest.raises(ConfigError, match="reference of an actor"):
        watcher.ask(Watch(what))
    with pytest.raises(ConfigError, match="cannot watch itself"):
        watcher.ask(Watch(watcher))


def test_the_end_of_a_watcher_that_nobody_told_is_no_dead_letter(seen: Seen) -> None:
    """B1: dead letters are messages of somebody."""
    watcher, other = Watcher.start(seen), Watcher.start(Seen())
    watcher.ask(Watch(other))
    watcher.stop(timeout=LIMIT)
    other.stop(timeout=LIMIT)
    assert watcher.dead_letters == 0


@given(st.lists(st.tuples(st.sampled_from(["watch", "unwatch", "end"]), st.integers(0, 3)), max_size=25), st.booleans())
def test_each_watch_that_is_not_taken_back_brings_exactly_one_message(
    steps: list[tuple[str, int]],
    at_once: bool,  # noqa: FBT001
) -> None:
    """F2: against a plain count, whether each step is done before the next one or all wait in the mailbox."""
    dispatcher = ManualDispatcher(ManualClock())
    options = ActorOptions(clock=dispatcher.clock, dispatcher=dispatcher)
    seen = Seen()
    watcher = Watcher.start_with(options, seen)
    refs = [Watcher.start_with(options, Seen()) for _ in range(4)]
    expected: list[int] = []
    watched: set[int] = set()
    ended: set[int] = set()
    for what, number in steps:
        if what == "watch":
            watcher.tell(Watch(refs[number]))
            if number in ended:
                expected.append(number)
            else:
                watched.add(number)
        elif what == "unwatch":
            watcher.tell(Unwatch(refs[number]))
            watched.discard(number)
        elif number not in ended:
            dispatcher.run()
            refs[number].stop()
            ended.add(number)
            expected += [number] if number in watched else []
            watched.discard(number)
        if at_once or what == "watch":
            # A second watch of one that has ended is a watch of its own only once the first one was told.
            dispatcher.run()
    dispatcher.run()
    assert [refs.index(item.ref) for item in seen.items] == expected
    for ref in (watcher, *refs):
        ref.stop()
