"""What an actor promises wherever it runs: one set of tests over thread and process hosts."""

from __future__ import annotations

import pickle
import threading
from pathlib import Path
from typing import Any

import pytest

from actors import ActorRef, ActorSystem, AskTimeout, ConfigError, DeadLetter, NotSerializable
from actors.errors import DeadlockDetected, MailboxFull
from actors.protocol.messages import Priority
from tests.kernel.support import Seen
from tests.remote.conftest import Start
from tests.remote.parts import (
    LIMIT,
    Awkward,
    Choosy,
    Deadly,
    Echo,
    Fail,
    Forgetful,
    Forward,
    Say,
    Stillborn,
    Wait,
    Watcher,
)
from tests.system.support import wait_for


def test_an_ask_is_answered_with_what_the_handler_returns(start: Start) -> None:
    """B3: the answer."""
    ref = start(Echo)
    assert ref.ask(Say("hello"), timeout=LIMIT) == "hello"
    assert ref.ask({"a": [1, 2]}, timeout=LIMIT) == {"a": [1, 2]}


def test_an_ask_gets_the_handlers_exception_and_the_actor_goes_on(start: Start) -> None:
    """B3: the remote exception."""
    ref = start(Echo)
    with pytest.raises(KeyError, match="missing") as caught:
        ref.ask(Fail(KeyError("missing")), timeout=LIMIT)
    assert type(caught.value) is KeyError
    assert ref.ask(Say("still here"), timeout=LIMIT) == "still here"


def test_an_answer_that_does_not_come_in_time_is_a_timeout_and_its_late_answer_harms_nobody(
    start: Start, tmp_path: Path
) -> None:
    """B3: a timeout."""
    ref = start(Echo)
    with pytest.raises(AskTimeout, match="Wait"):
        ref.ask(Wait(str(tmp_path / "busy"), str(tmp_path / "go")), timeout=0.05)
    (tmp_path / "go").touch()
    assert ref.ask(Say("after"), timeout=LIMIT) == "after"


def test_messages_of_one_sender_are_taken_in_order(start: Start) -> None:
    """B6: order for each sender, recipient and priority."""
    ref = start(Echo)
    for number in range(2000):
        ref.tell(number)
    assert ref.proxy().seen.get(timeout=LIMIT) == list(range(2000))


def test_higher_priorities_go_first(start: Start, tmp_path: Path) -> None:
    """B1: priority."""
    ref = start(Echo)
    busy, go = tmp_path / "busy", tmp_path / "go"
    waiting = ref.ask_later(Wait(str(busy), str(go)))
    while not busy.exists():
        threading.Event().wait(0.002)
    for number, priority in enumerate((Priority.LOW, Priority.NORMAL, Priority.CRITICAL, Priority.HIGH)):
        ref.tell(number, priority=priority)
    # What was told has arrived before the answer to what was asked after it.
    assert ref.is_alive()
    go.touch()
    assert waiting.get(timeout=LIMIT) == "done"
    assert ref.ask("last", timeout=LIMIT, priority=Priority.LOW) == "last"
    assert ref.proxy().seen.get(timeout=LIMIT) == [2, 3, 1, 0, "last"]


def test_a_mailbox_that_refuses_what_finds_it_full_says_so_to_senders(start: Start, tmp_path: Path) -> None:
    """Design: block, fail, drop oldest, chosen per actor; an ask that finds no room is answered with the error."""
    ref = start(Choosy)
    busy, go = tmp_path / "busy", tmp_path / "go"
    ref.tell(Wait(str(busy), str(go)))
    wait_for(busy.exists)

    def refused() -> bool:
        try:
            ref.tell("once more")
        except MailboxFull:
            return True
        return False

    wait_for(refused)
    go.touch()
    wait_for(lambda: not refused())
    assert ref.ask(Say("room again"), timeout=LIMIT) == "room again"


def test_a_mailbox_that_drops_the_oldest_keeps_the_latest(start: Start, tmp_path: Path) -> None:
    """Design: dropped messages are dead letters."""
    ref = start(Forgetful)
    busy, go = tmp_path / "busy", tmp_path / "go"
    ref.tell(Wait(str(busy), str(go)))
    wait_for(busy.exists)
    for number in range(100):
        ref.tell(number)
    assert ref.is_alive()
    go.touch()
    seen = wait_for(lambda: ref.proxy().seen.get(timeout=LIMIT))
    assert seen[-1] == 99
    assert len(seen) <= 11
    assert seen == sorted(seen)


def test_a_proxy_has_attributes_methods_and_what_they_lead_to(start: Start) -> None:
    """Design: proxies."""
    proxy = start(Echo, 10).proxy()
    assert proxy.shift.get(timeout=LIMIT) == 10
    assert proxy.add(5).get(timeout=LIMIT) == 15
    proxy.shift = 20
    assert proxy.add(5).get(timeout=LIMIT) == 25
    assert proxy.record.add("x").get(timeout=LIMIT) == 1
    assert proxy.record.entries.get(timeout=LIMIT) == ["x"]
    proxy.add.defer(1)
    with pytest.raises(LookupError, match="nothing there"):
        proxy.fails().get(timeout=LIMIT)
    with pytest.raises(AttributeError, match="nonsense"):
        proxy.nonsense  # noqa: B018 - looking at it is the test
    proxy.grow().get(timeout=LIMIT)
    assert proxy.sprout.get(timeout=LIMIT) == 7


def test_an_actor_may_answer_later(start: Start) -> None:
    """Design: defer."""
    proxy = start(Echo).proxy()
    answer = proxy.later()
    assert not answer.done()
    proxy.now("at last")
    assert answer.get(timeout=LIMIT) == "at last"


def test_stop_lets_what_waits_be_handled_and_says_whose_doing_the_end_was(start: Start) -> None:
    """A6: ending."""
    ref = start(Echo)
    answers = [ref.ask_later(number) for number in range(100)]
    assert ref.stop(timeout=LIMIT) is True
    assert [answer.get(timeout=LIMIT) for answer in answers] == list(range(100))
    assert not ref.is_alive()
    assert ref.stop(timeout=LIMIT) is False
    assert ref.join(LIMIT)


def test_who_asks_one_that_has_ended_is_told_so_at_once(start: Start) -> None:
    """B3, F2: word that the recipient is dead."""
    ref = start(Echo)
    ref.stop(timeout=LIMIT)
    ref.join(LIMIT)
    with pytest.raises((DeadLetter, _died()), match=ref.name):
        ref.ask(Say("hello"), timeout=LIMIT)
    with pytest.raises((DeadLetter, _died())):
        ref.proxy()
    ref.tell("nobody hears it")


def test_a_watcher_is_told_of_an_end_once_and_also_when_it_comes_late(start: Start) -> None:
    """Design: watch."""
    ref, seen = start(Deadly), Seen()
    ref.watch(seen)
    ref.tell("stop")
    assert seen.wait(1)[0].reason == "normal"
    ref.watch(seen)
    assert len(seen.wait(2)) == 2


def test_an_actor_is_told_when_one_that_it_watches_ends(start: Start, system: ActorSystem) -> None:
    """Design: an actor is told when one that it watches ends, and why."""
    watcher, ref = start(Watcher), system.start_actor(Deadly, host="process")
    watcher.ask(ref, timeout=LIMIT)
    with pytest.raises(_died()):
        ref.ask("kill", timeout=LIMIT)
    name, reason, error = watcher.proxy().first().get(timeout=LIMIT)
    assert (name, reason) == (ref.name, "failure")
    assert "SIGKILL" in error or "ended" in error


def test_a_watch_can_be_ended(start: Start) -> None:
    """Design: unwatch."""
    ref, seen, others = start(Echo), Seen(), Seen()
    ref.watch(seen)
    ref.watch(others)
    ref.unwatch(seen)
    ref.stop(timeout=LIMIT)
    others.wait(1)
    assert seen.items == []


def test_actors_that_ask_each_other_in_a_circle_are_told_so_at_once(start: Start) -> None:
    """Bad input: an ask in a cycle, also across processes."""
    one, two, three = start(Echo), start(Echo), start(Echo)
    with pytest.raises(DeadlockDetected, match=one.name):
        one.ask(Forward(two, Forward(three, Forward(one, Say("round")))), timeout=LIMIT)
    assert one.ask(Forward(two, Forward(three, Say("no circle"))), timeout=LIMIT) == "no circle"


def test_a_watcher_is_told_what_an_actor_failed_with(start: Start) -> None:
    """F2: why it ended."""
    ref, seen = start(Deadly), Seen()
    ref.watch(seen)
    with pytest.raises((DeadLetter, _died())):
        ref.ask("exit", timeout=LIMIT)
    end = seen.wait(1)[0]
    assert end.reason == "failure"
    assert end.error is not None


def test_what_a_constructor_raises_is_raised_where_the_actor_is_started(start: Start) -> None:
    """Bad input: a constructor that raises."""
    with pytest.raises(LookupError, match="no room"):
        start(Stillborn, "constructor")


def test_an_actor_whose_start_fails_has_ended(start: Start) -> None:
    """F1: a start that fails."""
    ref = start(Stillborn, "on_start")
    assert ref.join(LIMIT)
    with pytest.raises((DeadLetter, _died())):
        ref.ask("anybody?", timeout=LIMIT)


def test_a_class_that_is_no_actor_is_refused(start: Start) -> None:
    """Bad input."""
    with pytest.raises(ConfigError, match=r"derived from actors\.Actor"):
        start(int)  # type: ignore[arg-type]


def test_references_are_values_that_travel_in_messages(start: Start, system: ActorSystem) -> None:
    """Design: refs travel between processes and keep working."""
    ref, other = start(Echo), system.start_actor(Echo)
    assert ref.ask(ref, timeout=LIMIT) == ref
    assert ref.ask(other, timeout=LIMIT) == other
    assert ref.ask(other, timeout=LIMIT) is not None
    assert ref.ask(Forward(other, Say("over there")), timeout=LIMIT) == "over there"
    assert other.ask(Forward(ref, Say("and back")), timeout=LIMIT) == "and back"
    copy = pickle.loads(pickle.dumps(ref))
    assert copy == ref
    assert hash(copy) == hash(ref)
    assert copy != other
    assert copy.name == ref.name
    assert isinstance(copy, ActorRef)
    assert copy.ask(Say("the copy"), timeout=LIMIT) == "the copy"


@pytest.mark.parametrize("what", ["unsendable", "bomb", "generator", "lock"])
def test_an_answer_that_cannot_travel_is_an_error_for_the_one_who_asked(system: ActorSystem, what: str) -> None:
    """Bad input: a reply that cannot be pickled."""
    ref = system.start_actor(Awkward, host="process")
    with pytest.raises(NotSerializable, match="answer"):
        ref.ask(what, timeout=LIMIT)
    assert ref.ask("goes on", timeout=LIMIT) == "goes on"


def test_a_reply_can_be_awaited(start: Start) -> None:
    """J1: asyncio."""
    import asyncio

    ref = start(Echo)

    async def both() -> Any:
        return await asyncio.gather(_awaited(ref.ask_later(1)), _awaited(ref.ask_later(2)))

    assert asyncio.run(both()) == [1, 2]


async def _awaited(reply: Any) -> Any:
    return await reply


def _died() -> type[BaseException]:
    from actors import AgentDied

    return AgentDied
