"""Actors in threads: messages, guards, failures, deferred answers, timers, batches."""

from __future__ import annotations

import logging
import socket
import threading
from enum import Enum
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from actors.errors import ActorsError, AskTimeout, ConfigError, DeadLetter, MailboxFull, MessageRefused
from actors.kernel.actor import Actor, ActorOptions
from actors.kernel.cell import Exit
from actors.kernel.handlers import handles
from actors.kernel.mailbox import Overflow
from actors.kernel.ref import ActorRef
from actors.kernel.reply import Reply
from actors.protocol.messages import Priority
from tests.kernel.support import LIMIT, Seen, happens


class Ping(NamedTuple):
    value: int = 0


class Boom(NamedTuple):
    error: BaseException


class Wait(NamedTuple):
    """Keeps the actor busy until the event is set."""

    started: threading.Event
    go_on: threading.Event


class Log(Actor):
    """Writes down what it handles."""

    def __init__(self, seen: Seen | None = None) -> None:
        super().__init__()
        self.seen = seen or Seen()
        self.handled: list[Any] = []

    def on_start(self) -> None:
        self.seen("start")

    def on_stop(self) -> None:
        self.seen("stop")

    def on_failure(self, exception: BaseException) -> None:
        self.seen(exception)

    @handles(Ping)
    def ping(self, message: Ping) -> int:
        self.handled.append(message.value)
        return message.value

    @handles(Boom)
    def boom(self, message: Boom) -> None:
        raise message.error

    @handles(Wait)
    def wait(self, message: Wait) -> None:
        message.started.set()
        happens(message.go_on)

    @handles(str)
    def text(self, message: str) -> Any:
        return getattr(self, message)


def busy(ref: ActorRef[Any]) -> threading.Event:
    """Keep an actor busy, so that what is sent now waits; it goes on when the returned event is set."""
    started, go_on = threading.Event(), threading.Event()
    ref.tell(Wait(started, go_on))
    happens(started)
    return go_on


@pytest.fixture
def ref() -> Any:
    ref = Log.start()
    yield ref
    ref.stop(timeout=LIMIT)


# --- sending and asking ---


def test_messages_are_handled_in_order_and_the_return_value_is_the_answer(ref: ActorRef[Log]) -> None:
    for number in range(100):
        ref.tell(Ping(number))
    assert ref.ask(Ping(100)) == 100
    assert ref.ask("handled") == list(range(101))


def test_an_exception_of_a_handler_is_the_askers_and_the_actor_goes_on(ref: ActorRef[Log]) -> None:
    """B3: an ask gets the exception."""
    with pytest.raises(KeyError) as caught:
        ref.ask(Boom(KeyError("mine")))
    assert [frame.name for frame in caught.traceback][-1] == "boom"
    assert ref.ask(Ping(1)) == 1


def test_an_exception_without_an_asker_ends_the_actor_and_is_told_to_it() -> None:
    seen = Seen()
    ref = Log.start(seen)
    error = KeyError("mine")
    ref.tell(Boom(error))
    assert ref.join(LIMIT)
    assert seen.items == ["start", error]


def test_an_ask_that_is_not_answered_in_time_ends_with_an_error_that_names_both() -> None:
    ref = Log.start()
    go_on = busy(ref)
    with pytest.raises(AskTimeout, match=r"did not answer Ping within 0\.01 s") as caught:
        ref.ask(Ping(), timeout=0.01)
    assert (caught.value.recipient, caught.value.message, caught.value.timeout) == (ref.name, "Ping", 0.01)
    go_on.set()
    ref.stop(timeout=LIMIT)


def test_an_ask_to_an_ended_actor_is_answered_at_once() -> None:
    """F2: never silence."""
    ref = Log.start()
    assert ref.stop(timeout=LIMIT) is True
    with pytest.raises(DeadLetter) as caught:
        ref.ask(Ping())
    assert (caught.value.recipient, caught.value.message) == (ref.name, "Ping")


def test_those_who_wait_in_the_mailbox_of_a_dying_actor_are_answered_with_the_cause() -> None:
    """F2: every waiter is answered when the thing it waits for dies."""
    ref = Log.start()
    go_on = busy(ref)
    error = KeyError("mine")
    ref.tell(Boom(error))
    replies = [ref.ask_later(Ping(number)) for number in range(5)]
    go_on.set()
    for reply in replies:
        with pytest.raises(DeadLetter, match="KeyError") as caught:
            reply.get(timeout=LIMIT)
        assert caught.value.__cause__ is error


def test_a_message_to_an_ended_actor_is_a_dead_letter_counted_and_told() -> None:
    """B1: a dead letter, counted, published, and an error to a sender who waits."""
    letters = Seen()
    ref = Log.start_with(ActorOptions(on_dead_letter=lambda ref, message: letters((ref, message))))
    go_on = busy(ref)
    ref.stop(block=False)
    ref.tell(Ping(1))
    go_on.set()
    assert ref.join(LIMIT)
    ref.tell(Ping(2))
    assert letters.wait(2) == [(ref, Ping(1)), (ref, Ping(2))]
    assert ref.dead_letters == 2


def test_an_actor_that_asks_itself_is_told_at_once_instead_of_waiting_for_ever() -> None:
    class Selfish(Actor):
        @handles(Ping)
        def ping(self, message: Ping) -> Any:
            return self.actor_ref.ask(message)

        @handles(str)
        def stop_and_wait(self, message: str) -> None:
            self.actor_ref.stop()

    ref = Selfish.start()
    with pytest.raises(MessageRefused, match="cannot wait for its own answer"):
        ref.ask(Ping())
    with pytest.raises(MessageRefused):
        ref.ask("stop")
    assert ref.join(LIMIT)


def test_priorities_and_urgent_messages_overtake_what_waits() -> None:
    """B4: control messages go ahead of all queued work."""

    class Urgent(Log):
        @handles(int, urgent=True)
        def urgent(self, message: int) -> None:
            self.handled.append(f"urgent {message}")

    ref = Urgent.start()
    go_on = busy(ref)
    ref.tell(Ping(1))
    ref.tell(Ping(2), priority=Priority.CRITICAL)
    ref.tell(7)
    go_on.set()
    assert ref.ask("handled", timeout=LIMIT) == ["urgent 7", 2, 1]
    ref.stop(timeout=LIMIT)


def test_an_urgent_message_does_not_wait_for_the_batch_in_hand() -> None:
    """B4: ahead of all queued work, also of what was taken already."""

    class Urgent(Log):
        @handles(int, urgent=True)
        def urgent(self, message: int) -> str:
            self.handled.append(f"urgent {message}")
            return "at once"

    ref = Urgent.start()
    first = busy(ref)
    started, second = threading.Event(), threading.Event()
    ref.tell(Wait(started, second))
    for number in range(3):
        ref.tell(Ping(number))
    first.set()
    # The batch (the second wait and the pings) is in hand now.
    happens(started)
    later = ref.ask_later(5)
    ref.tell(6)
    second.set()
    assert later.get(timeout=LIMIT) == "at once"
    assert ref.ask("handled", timeout=LIMIT) == ["urgent 5", "urgent 6", 0, 1, 2]
    ref.stop(timeout=LIMIT)


def test_a_full_mailbox_holds_its_senders_back_or_refuses_or_drops_as_it_is_told() -> None:
    letters = Seen()
    for overflow in (Overflow.FAIL, Overflow.DROP_OLDEST):
        options = ActorOptions(bound=2, overflow=overflow, on_dead_letter=lambda _, message: letters(message))
        ref = Log.start_with(options)
        go_on = busy(ref)
        ref.tell(Ping(1))
        ask = ref.ask_later(Ping(2))
        if overflow is Overflow.FAIL:
            with pytest.raises(MailboxFull):
                ref.tell(Ping(3))
            go_on.set()
            assert ask.get(timeout=LIMIT) == 2
        else:
            ref.tell(Ping(3))
            ref.tell(Ping(4))
            with pytest.raises(DeadLetter):
                ask.get(timeout=LIMIT)
            assert letters.wait(2) == [Ping(1), Ping(2)]
            go_on.set()
        ref.stop(timeout=LIMIT)


# --- unknown and refused ---


def test_an_unknown_message_is_a_warning_and_an_asker_is_refused(
    ref: ActorRef[Log], caplog: pytest.LogCaptureFixture
) -> None:
    """B1: unknown type: a warning, never a crash."""
    with caplog.at_level(logging.WARNING):
        ref.tell(5.0)
        with pytest.raises(MessageRefused, match="does not know float messages; it takes Boom, Ping, Wait, str"):
            ref.ask(5.0)
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2
    assert ref.ask(Ping(1)) == 1


def test_on_receive_takes_what_no_method_takes() -> None:
    class Catching(Actor):
        def on_receive(self, message: Any) -> Any:
            return ["got", message]

    ref = Catching.start()
    assert ref.ask(5, timeout=LIMIT) == ["got", 5]
    ref.stop(timeout=LIMIT)


class Light(Enum):
    ON = "on"
    OFF = "off"


class Lamp(Actor):
    def __init__(self) -> None:
        super().__init__()
        self.machine = SimpleNamespace(state=Light.OFF)

    @handles(int, when={Light.OFF})
    def switch_on(self, message: int) -> str:
        self.machine.state = Light.ON
        return "now on"

    @handles(str, when={Light.ON})
    def glow(self, message: str) -> str:
        return "glowing"


def test_a_message_that_comes_in_the_wrong_state_is_refused_and_the_actor_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A2: refused with an error that names the state, the message and the states that would take it."""
    ref = Lamp.start_with(ActorOptions(name="lamp"))
    with caplog.at_level(logging.WARNING):
        ref.tell("too early")
        with pytest.raises(MessageRefused) as caught:
            ref.ask("too early")
    assert (caught.value.recipient, caught.value.message) == ("lamp", "str")
    assert (caught.value.state, caught.value.allowed) == ("Light.OFF", ("Light.ON",))
    assert len(caplog.records) == 1
    assert ref.ask(1) == "now on"
    assert ref.ask("now") == "glowing"
    ref.stop(timeout=LIMIT)


def test_a_guard_without_a_machine_refuses() -> None:
    class Bare(Lamp):
        def __init__(self) -> None:
            Actor.__init__(self)

    ref = Bare.start()
    with pytest.raises(MessageRefused, match="has no state machine"):
        ref.ask(1)
    ref.stop(timeout=LIMIT)


def test_colliding_handlers_are_an_error_where_the_class_is_defined() -> None:
    with pytest.raises(ConfigError, match="both"):

        class Broken(Actor):
            @handles(int)
            def one(self, message: int) -> None: ...

            @handles(int)
            def two(self, message: int) -> None: ...


# --- deferred answers ---


class Clerk(Actor):
    """Answers later."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[Reply[Any]] = []

    @handles(Ping)
    def ping(self, message: Ping) -> str:
        self.open.append(self.defer())
        return "ignored"

    @handles(str)
    def answer(self, message: str) -> int:
        return sum(reply.set(message) for reply in self.open)

    @handles(int)
    def answer_at_once(self, message: int) -> str:
        self.defer().set(message)
        return "ignored"

    @handles(float)
    def fail(self, message: float) -> None:
        self.defer()
        raise KeyError(message)


def test_a_deferred_answer_comes_later_and_once() -> None:
    ref = Clerk.start()
    replies = [ref.ask_later(Ping()) for _ in range(3)]
    ref.tell(Ping())
    # The one that was told has nobody waiting, which its handler need not know.
    assert ref.ask("done", timeout=LIMIT) == 4
    assert [reply.get(timeout=LIMIT) for reply in replies] == ["done"] * 3
    assert ref.ask("again") == 0
    assert ref.ask(5) == 5
    with pytest.raises(KeyError):
        ref.ask(1.5)
    ref.stop(timeout=LIMIT)


def test_a_deferred_answer_that_is_never_given_is_given_by_the_end_of_the_actor() -> None:
    """F2: every waiter is answered when the thing it waits for dies."""
    ref = Clerk.start()
    reply = ref.ask_later(Ping())
    ref.stop(timeout=LIMIT)
    with pytest.raises(DeadLetter, match="ended before it answered"):
        reply.get(timeout=LIMIT)


# --- life ---


def test_stop_lets_the_actor_handle_what_waits_and_returns_whether_it_was_alive() -> None:
    seen = Seen()
    ref = Log.start(seen)
    go_on = busy(ref)
    last = ref.ask_later(Ping(1))
    stopped = ref.stop(block=False)
    late = ref.ask_later(Ping(2))
    assert ref.is_alive()
    go_on.set()
    assert last.get(timeout=LIMIT) == 1
    assert stopped.get(timeout=LIMIT) is True
    with pytest.raises(DeadLetter):
        late.get(timeout=LIMIT)
    assert seen.items == ["start", "stop"]
    assert not ref.is_alive()
    assert ref.stop() is False


def test_stop_with_a_time_limit_does_not_wait_for_ever() -> None:
    ref = Log.start()
    go_on = busy(ref)
    with pytest.raises(AskTimeout, match="did not end"):
        ref.stop(timeout=0.01)
    go_on.set()
    assert ref.join(LIMIT)


def test_nobody_waits_for_a_hook_that_takes_its_time_at_the_end() -> None:
    """F2: the mailbox is closed, and those in it are answered, before on_stop is called."""

    class Slow(Log):
        def on_stop(self) -> None:
            go_on.wait(LIMIT)

    go_on = threading.Event()
    ref = Slow.start()
    first = busy(ref)
    ref.stop(block=False)
    reply = ref.ask_later(Ping())
    first.set()
    with pytest.raises(DeadLetter):
        reply.get(timeout=LIMIT)
    with pytest.raises(DeadLetter):
        ref.ask(Ping(), timeout=LIMIT)
    go_on.set()
    assert ref.join(LIMIT)


def test_an_actor_may_stop_itself() -> None:
    class Once(Actor):
        @handles(Ping)
        def ping(self, message: Ping) -> str:
            self.stop()
            return "bye"

    ref = Once.start()
    assert ref.ask(Ping(), timeout=LIMIT) == "bye"
    assert ref.join(LIMIT)


def test_a_hook_that_fails_at_the_end_is_logged_and_the_end_is_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    class Bad(Actor):
        def on_stop(self) -> None:
            raise KeyError("in the hook")

    exits = Seen()
    ref = Bad.start()
    ref.watch(exits)
    assert ref.stop(timeout=LIMIT) is True
    (end,) = exits.wait(1)
    assert (end.reason, repr(end.error)) == ("failure", "KeyError('in the hook')")
    assert "its clean-up" in caplog.text


def test_those_who_watch_learn_of_the_end_once_also_when_it_was_long_ago() -> None:
    seen = Seen()
    ref = Log.start_with(ActorOptions(name="watched"))
    ref.watch(lambda _: 1 / 0)
    ref.watch(seen)
    ref.stop(timeout=LIMIT)
    ref.watch(seen)
    assert seen.wait(2) == [Exit("watched", 1, "normal", None)] * 2


def test_a_constructor_that_raises_does_so_in_start() -> None:
    class Bad(Actor):
        def __init__(self) -> None:
            raise KeyError("no")

    with pytest.raises(KeyError):
        Bad.start()


def test_a_constructor_that_forgets_its_base_is_told_so() -> None:
    class Forgetful(Actor):
        def __init__(self) -> None:
            pass

    with pytest.raises(ActorsError, match=r"must call super\(\).__init__\(\)"):
        Forgetful.start()


def test_an_actor_made_by_hand_can_be_tested_by_calling_its_methods() -> None:
    log = Log()
    assert log.ping(Ping(3)) == 3
    assert log.handled == [3]
    log.timers.once(1.0, "x")
    assert isinstance(log.defer(), Reply)


def test_an_actor_knows_itself() -> None:
    class Who(Actor):
        @handles(Ping)
        def ping(self, message: Ping) -> Any:
            return self.actor_ref, self.name, self.incarnation, threading.current_thread().name

    ref = Who.start_with(ActorOptions(name="me"))
    assert ref.ask(Ping(), timeout=LIMIT) == (ref, "me", 1, "me")
    ref.stop(timeout=LIMIT)


# --- turns, timers, descriptors ---


def test_a_batch_is_one_turn_with_one_hook_at_its_end() -> None:
    """Principle 8: a mailbox hands over all that is waiting."""

    class Turns(Log):
        def on_turn_end(self) -> None:
            if self.handled:
                self.seen(list(self.handled))
                self.handled.clear()

    seen = Seen()
    ref = Turns.start(seen)
    go_on = busy(ref)
    for number in range(5):
        ref.tell(Ping(number))
    go_on.set()
    assert seen.wait(2) == ["start", [0, 1, 2, 3, 4]]
    ref.stop(timeout=LIMIT)


def test_a_turn_end_that_fails_ends_the_actor() -> None:
    class Bad(Log):
        def on_turn_end(self) -> None:
            raise KeyError("turn")

    seen = Seen()
    ref = Bad.start(seen)
    ref.tell(Ping())
    assert ref.join(LIMIT)
    assert repr(seen.items[-1]) == "KeyError('turn')"


def test_timers_wake_a_sleeping_actor() -> None:
    class Alarm(Log):
        def on_start(self) -> None:
            self.timers.once(0.01, Ping(1))
            self.timers.once(0.0, Ping(0))
            self.timers.once(3600, Ping(2))

        @handles(Ping)
        def ping(self, message: Ping) -> int:
            self.seen(message.value)
            return message.value

    for polls in (False, True):
        cls = type("Alarm", (Alarm,), {"polls": polls})
        seen = Seen()
        ref = cls.start(seen)
        assert seen.wait(2) == [0, 1]
        ref.stop(timeout=LIMIT)


def test_an_actor_that_polls_gets_what_its_descriptors_bring() -> None:
    class Reader(Log):
        polls = True

        def __init__(self, seen: Seen, sock: socket.socket) -> None:
            super().__init__(seen)
            self.sock = sock

        def on_start(self) -> None:
            assert self.poller is not None
            self.poller.register(self.sock.fileno(), self.read)

        def read(self) -> list[Ping]:
            data = self.sock.recv(100)
            if data == b"boom":
                raise KeyError("in a callback")
            return [Ping(number) for number in data]

        @handles(Ping)
        def ping(self, message: Ping) -> int:
            self.seen(message.value)
            return 0

    left, right = socket.socketpair()
    with left, right:
        seen = Seen()
        ref = Reader.start(seen, left)
        right.send(b"\1\2")
        assert seen.wait(2) == [1, 2]
        right.send(b"boom")
        assert ref.join(LIMIT)
        assert repr(seen.items[-1]) == "KeyError('in a callback')"


def test_an_ordinary_actor_has_no_poller() -> None:
    assert Log().poller is None


# --- pykka's ways ---


def test_pykkas_proxy_reaches_methods_and_attributes() -> None:
    class Counter(Actor):
        count = 0

        def add(self, number: int) -> int:
            self.count += number
            return self.count

    ref = Counter.start()
    proxy = ref.proxy()
    assert proxy.add(2).get(timeout=LIMIT) == 2
    proxy.count = 10
    assert proxy.count.get(timeout=LIMIT) == 10
    proxy.add.defer(5)
    assert proxy.count.get(timeout=LIMIT) == 15
    with pytest.raises(TypeError):
        proxy.add("x").get(timeout=LIMIT)
    ref.stop(timeout=LIMIT)
    with pytest.raises(DeadLetter):
        ref.proxy()


def test_urgent_messages_keep_their_order_among_themselves() -> None:
    """Order holds for each sender, recipient and priority: also when more of them come while some are handled."""

    class Urgent(Log):
        @handles(int, urgent=True)
        def urgent(self, message: int) -> None:
            self.handled.append(message)
            if message < 5:
                # While those behind it are in hand already.
                self.actor_ref.tell(message + 10)

    ref = Urgent.start()
    go_on = busy(ref)
    for number in range(5):
        ref.tell(number)
    go_on.set()
    assert ref.ask("handled", timeout=LIMIT) == [0, 1, 2, 3, 4, 10, 11, 12, 13, 14]
    ref.stop(timeout=LIMIT)
