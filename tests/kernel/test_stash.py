"""An actor puts messages aside and handles them later: none lost, none twice, in order."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.children import ChildSpec
from actors.errors import ActorsError, ConfigError, DeadLetter, MailboxFull
from actors.kernel.actor import Actor, ActorOptions
from actors.kernel.child import ActorChild
from actors.kernel.clock import ManualClock
from actors.kernel.dispatch import ManualDispatcher
from actors.kernel.handlers import handles
from actors.kernel.supervisor import Supervisor
from tests.kernel.support import LIMIT, Seen


class Open(NamedTuple):
    """From now on numbers are handled, and those put aside as well."""


class Shut(NamedTuple):
    """From now on numbers are put aside."""


class Door(Actor):
    stash_bound = 5

    def __init__(self, seen: Seen | None = None) -> None:
        super().__init__()
        self.seen = seen or Seen()
        self.open = False

    @handles(int)
    def number(self, message: int) -> Any:
        if not self.open:
            self.stash()
            return "not the answer"
        self.seen(message)
        return message * 10

    @handles(Open, urgent=True)
    def let_in(self, message: Open) -> int:
        self.open = True
        return self.unstash()

    @handles(Shut)
    def keep_out(self, message: Shut) -> None:
        self.open = False

    @handles(str)
    def misuse(self, message: str) -> Any:
        if message == "twice":
            self.stash()
            self.stash()
        elif message == "deferred":
            self.defer()
            self.stash()
        elif message == "raise":
            self.stash()
            raise KeyError(message)
        elif message == "tell":
            self.seen("told")
        return len(self._run.stash)


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def dispatcher() -> ManualDispatcher:
    return ManualDispatcher(ManualClock())


def test_what_was_put_aside_is_handled_in_order_before_what_waits(dispatcher: ManualDispatcher, seen: Seen) -> None:
    """B6: order of one sender holds, also over the stash."""

    class Latch(Door):
        @handles(Open)
        def let_in(self, message: Open) -> int:
            return super().let_in(message)

    ref = Latch.start_with(ActorOptions(clock=dispatcher.clock, dispatcher=dispatcher), seen)
    for message in (1, 2, 3, Open(), 4, 5):
        ref.tell(message)
    dispatcher.run()
    assert seen.items == [1, 2, 3, 4, 5]
    ref.stop()


def test_who_asked_waits_until_the_message_is_handled_after_all(seen: Seen) -> None:
    """B3: exactly one answer, and not what the handler returned that put it aside."""
    ref = Door.start(seen)
    replies = [ref.ask_later(number) for number in range(3)]
    assert ref.ask("count") == 3
    assert not any(reply.done() for reply in replies)
    assert ref.ask(Open()) == 3
    assert [reply.get(timeout=LIMIT) for reply in replies] == [0, 10, 20]
    assert ref.ask(Open()) == 0
    ref.stop(timeout=LIMIT)


def test_a_stash_that_is_full_is_an_error_at_the_message_that_found_it_so() -> None:
    """A4: bounded; the one who asked is told, and the others wait on."""
    ref = Door.start()
    replies = [ref.ask_later(number) for number in range(5)]
    with pytest.raises(MailboxFull, match=r"the stash of Door-.* is full: 5 messages"):
        ref.ask(5)
    ref.ask(Open())
    assert [reply.get(timeout=LIMIT) for reply in replies] == [0, 10, 20, 30, 40]
    ref.stop(timeout=LIMIT)


def test_what_is_put_aside_at_the_end_is_answered_and_buried() -> None:
    """F2: every waiter is answered."""
    ref = Door.start()
    reply = ref.ask_later(1)
    ref.tell(2)
    ref.stop(timeout=LIMIT)
    with pytest.raises(DeadLetter):
        reply.get(timeout=LIMIT)
    assert ref.dead_letters == 2


def test_what_is_put_aside_survives_a_restart_and_goes_before_what_waits(
    dispatcher: ManualDispatcher, seen: Seen
) -> None:
    """F1: a replacement goes on with the messages that wait, also with those that wait in the stash."""
    child = ActorChild(
        ChildSpec("door"), Fragile, seen, options=ActorOptions(clock=dispatcher.clock, dispatcher=dispatcher)
    )
    supervisor = Supervisor.start_with(ActorOptions(clock=dispatcher.clock, dispatcher=dispatcher), [child])
    dispatcher.run()
    reply = child.ref.ask_later(1)
    child.ref.tell(2)
    child.ref.tell(0.5)
    child.ref.tell(3)
    dispatcher.advance(60)
    assert child.ref.incarnation == 2
    assert not reply.done()
    child.ref.tell(Open())
    dispatcher.run()
    assert seen.items == [1, 2, 3]
    assert reply.get() == 10
    supervisor.stop()


class Fragile(Door):
    @handles(float)
    def fail(self, message: float) -> None:
        raise KeyError(message)


def test_putting_aside_what_cannot_be_is_an_error_that_says_why(seen: Seen) -> None:
    """A4: the error is at the one who can mend it."""
    ref = Door.start(seen)
    with pytest.raises(ActorsError, match="put aside already"):
        ref.ask("twice")
    with pytest.raises(ActorsError, match="deferred"):
        ref.ask("deferred")
    with pytest.raises(KeyError):
        ref.ask("raise")
    # The asker has got an error: its message is not handled again.
    assert ref.ask("count") == 0

    class Early(Door):
        def on_start(self) -> None:
            try:
                self.stash()
            except ActorsError as error:
                self.seen(str(error))

    early = Early.start(seen)
    assert "there is none" in seen.wait(1)[0]
    for each in (ref, early):
        each.stop(timeout=LIMIT)


def test_a_bound_that_is_none_is_an_error_where_the_class_is_defined() -> None:
    """A4: key, value, what is allowed."""
    with pytest.raises(ConfigError, match="stash_bound must be a whole number, 1 or more, not 0"):
        type("Bad", (Actor,), {"stash_bound": 0})


@given(st.lists(st.sampled_from(["open", "shut", "number", "number", "ask"]), max_size=30), st.integers(1, 4))
def test_whatever_is_put_aside_and_brought_back_each_message_is_handled_once(steps: list[str], limit: int) -> None:
    """B6: none lost, none twice; numbers are handled in the order in which they came."""

    class Gate(Door):
        stash_bound = 100

        @handles(Open)
        def let_in(self, message: Open) -> int:
            return super().let_in(message)

    dispatcher = ManualDispatcher(ManualClock(), limit=limit)
    seen = Seen()
    ref = Gate.start_with(ActorOptions(clock=dispatcher.clock, dispatcher=dispatcher), seen)
    sent = 0
    replies = []
    for step in [*steps, "open"]:
        if step == "number":
            ref.tell(sent)
            sent += 1
        elif step == "ask":
            replies.append((sent, ref.ask_later(sent)))
            sent += 1
        else:
            ref.tell(Open() if step == "open" else Shut())
    dispatcher.run()
    assert seen.items == list(range(sent))
    assert [reply.get() for _, reply in replies] == [number * 10 for number, _ in replies]
    ref.stop()
