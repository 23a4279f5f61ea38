"""Bounded mailboxes press back on their senders, also on actors, and nobody waits for ever."""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

import pytest

from actors.core.lettercount import LetterCount
from actors.errors import ConfigError, DeadLetter, MailboxClosed, MailboxFull
from actors.kernel import room
from actors.kernel.actor import Actor, ActorOptions
from actors.kernel.handlers import handles
from actors.kernel.mailbox import Overflow
from actors.kernel.ref import ActorRef
from tests.kernel.support import LIMIT, Seen, finished, happens, in_thread


class Hold(NamedTuple):
    """Keeps the actor busy until it is set free."""

    begun: threading.Event
    go_on: threading.Event


class Flood(NamedTuple):
    """Sends so many messages to another actor."""

    ref: ActorRef[Any]
    count: int
    progress: Seen


class Small(Actor):
    mailbox_bound = 2

    def __init__(self, seen: Seen | None = None) -> None:
        super().__init__()
        self.seen = seen or Seen()

    @handles(Hold)
    def hold(self, message: Hold) -> None:
        message.begun.set()
        happens(message.go_on)

    @handles(int)
    def number(self, message: int) -> int:
        self.seen(message)
        return message

    @handles(Flood)
    def flood(self, message: Flood) -> str:
        for number in range(message.count):
            message.ref.tell(number)
            message.progress(number)
        return "done"

    @handles(list)
    def ask(self, message: list[Any]) -> Any:
        return message[0].ask(message[1], timeout=LIMIT)


def busy(ref: ActorRef[Any]) -> threading.Event:
    hold = Hold(threading.Event(), threading.Event())
    ref.tell(hold)
    happens(hold.begun)
    return hold.go_on


@pytest.mark.parametrize("overflow", [*Overflow, "block", "fail", "drop_oldest"])
def test_a_class_says_how_many_may_wait_and_what_happens_to_more(overflow: Any) -> None:
    """A4: chosen per actor, by its class or by its options."""
    ref = type("Chosen", (Small,), {"mailbox_overflow": overflow}).start()  # type: ignore[attr-defined]
    mailbox = ref.actor_inbox
    assert mailbox.bound == 2
    go_on = busy(ref)
    ref.tell(1)
    ref.tell(2)
    if Overflow(overflow) is Overflow.DROP_OLDEST:
        ref.tell(3)
        assert ref.dead_letters == 1
    elif Overflow(overflow) is Overflow.FAIL:
        with pytest.raises(MailboxFull, match="2 messages wait"):
            ref.tell(3)
    else:
        sender = in_thread(ref.tell, 3)
        sender.join(0.05)
        assert sender.is_alive()
    go_on.set()
    ref.stop(timeout=LIMIT)


def test_the_options_of_one_actor_go_before_its_class() -> None:
    """A4: the nearer one counts."""
    ref = Small.start_with(ActorOptions(bound=1, overflow=Overflow.FAIL))
    go_on = busy(ref)
    ref.tell(1)
    with pytest.raises(MailboxFull):
        ref.tell(2)
    go_on.set()
    ref.stop(timeout=LIMIT)
    assert Small.start_with(ActorOptions()).stop(timeout=LIMIT) is True


@pytest.mark.parametrize(
    ("key", "value"), [("mailbox_bound", 0), ("mailbox_bound", "many"), ("mailbox_overflow", "explode")]
)
def test_a_bound_or_overflow_that_is_none_is_an_error_where_the_class_is_defined(key: str, value: Any) -> None:
    """A4: key, value, what is allowed."""
    with pytest.raises(ConfigError, match=key) as caught:
        type("Bad", (Actor,), {key: value})
    assert (caught.value.key, caught.value.value) == (key, value)


def test_an_actor_waits_for_room_like_anybody_else() -> None:
    """B6: a quick actor does not flood a slow one."""
    seen, progress = Seen(), Seen()
    slow, quick = Small.start(seen), Small.start()
    go_on = busy(slow)
    done = quick.ask_later(Flood(slow, 10, progress))
    assert progress.wait(2) == [0, 1]
    assert not done.wait(0.05)
    assert len(slow.actor_inbox) == 2
    go_on.set()
    assert done.get(timeout=LIMIT) == "done"
    assert seen.wait(10) == list(range(10))
    for ref in (slow, quick):
        ref.stop(timeout=LIMIT)


@pytest.mark.parametrize("_round", range(10))
def test_two_actors_that_flood_each_other_both_get_through(_round: int) -> None:
    """F2: the bound gives way where two would wait for each other for ever."""
    seen = [Seen(), Seen()]
    first, second = Small.start(seen[0]), Small.start(seen[1])
    done = [first.ask_later(Flood(second, 50, Seen())), second.ask_later(Flood(first, 50, Seen()))]
    assert [reply.get(timeout=LIMIT) for reply in done] == ["done"] * 2
    assert [each.wait(50) for each in seen] == [list(range(50))] * 2
    for ref in (first, second):
        ref.stop(timeout=LIMIT)


def test_an_actor_that_floods_one_which_waits_for_its_answer_goes_beyond_the_bound() -> None:
    """F2: of a circle in which somebody only waits for room, nobody gets an error."""
    seen = Seen()
    asker, flooder = Small.start(seen), Small.start()
    # The asker waits for the flooder, who sends more to it than it has room for.
    assert asker.ask([flooder, Flood(asker, 20, Seen())], timeout=LIMIT) == "done"
    assert seen.wait(20) == list(range(20))
    for ref in (asker, flooder):
        ref.stop(timeout=LIMIT)


def test_an_actor_that_waits_for_room_with_one_that_then_asks_it_is_let_through() -> None:
    """F2: the other way round: the wait for room was there first."""
    seen, progress = Seen(), Seen()
    flooder, slow = Small.start(), Small.start(seen)
    go_on = busy(slow)
    slow.tell([flooder, 7])
    flooding = flooder.ask_later(Flood(slow, 5, progress))
    progress.wait(1)
    go_on.set()
    # Now slow asks the flooder, who may wait for room with it.
    assert flooding.get(timeout=LIMIT) == "done"
    assert [number for number in seen.wait(5) if number < 5] == list(range(5))
    for ref in (flooder, slow):
        ref.stop(timeout=LIMIT)


def test_no_actor_waits_for_longer_than_its_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """F2: it has messages of its own, and the other one may never go on."""
    monkeypatch.setattr(room, "_PATIENCE", 0.05)
    stuck, sender = Small.start(), Small.start()
    go_on = busy(stuck)
    assert sender.ask(Flood(stuck, 4, Seen()), timeout=LIMIT) == "done"
    assert len(stuck.actor_inbox) == 4
    go_on.set()
    for ref in (stuck, sender):
        ref.stop(timeout=LIMIT)


def test_an_actor_that_waits_for_room_is_told_when_the_other_one_ends() -> None:
    """F2: then what it sends is a dead letter."""
    ending, sender, progress = Small.start(), Small.start(), Seen()
    go_on = busy(ending)
    ending.stop(block=False)
    done = sender.ask_later(Flood(ending, 6, progress))
    progress.wait(1)
    go_on.set()
    assert done.get(timeout=LIMIT) == "done"
    assert ending.join(LIMIT)
    assert ending.dead_letters == 6
    with pytest.raises(MailboxClosed):
        ending.actor_inbox.put(1)
    sender.stop(timeout=LIMIT)


def test_a_stop_is_never_dropped_for_newer_messages() -> None:
    """F2: whoever stops an actor whose mailbox drops the oldest does not wait for ever."""
    ref = Small.start_with(ActorOptions(overflow=Overflow.DROP_OLDEST))
    go_on = busy(ref)
    stopped = ref.stop(block=False)
    for number in range(10):
        ref.tell(number)
    go_on.set()
    assert stopped.get(timeout=LIMIT) is True
    assert not ref.is_alive()


# --- dead letters ---


def test_a_hundred_thousand_messages_to_an_actor_that_has_ended_are_all_counted() -> None:
    """B1: counted, by however many threads they are sent, and nobody is harmed by it."""
    ref = Small.start()
    ref.stop(timeout=LIMIT)

    def send() -> None:
        for number in range(25_000):
            ref.tell(number)

    threads = [in_thread(send) for _ in range(4)]
    for thread in threads:
        finished(thread)
    assert ref.dead_letters == 100_000
    assert len(ref.actor_inbox) == 0
    with pytest.raises(DeadLetter):
        ref.ask(1)


def test_of_very_many_lost_messages_few_are_told_and_of_few_each() -> None:
    """B1: a flood of dead letters is no flood of events."""
    count = LetterCount()
    told = [number for number in range(1, 100_001) if count.add(now=1.0)]
    assert told == [1, 2, 3, 4, 5, 6, 7, 8, *(2**power for power in range(4, 17))]
    assert count.total == 100_000
    # And of a trickle one a second.
    assert [count.add(now) for now in (1.5, 2.0, 2.5, 3.0)] == [False, True, False, True]
