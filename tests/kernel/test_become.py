"""An actor takes messages with other handlers for a while."""

from __future__ import annotations

import logging
from enum import Enum
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.children import ChildSpec
from actors.errors import ConfigError, MessageRefused
from actors.kernel.actor import Actor, ActorOptions
from actors.kernel.child import ActorChild
from actors.kernel.clock import ManualClock
from actors.kernel.dispatch import ManualDispatcher
from actors.kernel.handlers import handles
from actors.kernel.supervisor import Supervisor
from actors.kernel.watching import ActorEnded
from tests.kernel.support import LIMIT, Seen


class Become(NamedTuple):
    handlers: Any


class Light(Enum):
    ON = "on"
    OFF = "off"


class Angry:
    """A namespace: its functions are called with the actor."""

    @handles(int)
    def number(self: Any, message: int) -> str:
        return f"{self.name} shouts {message}"

    @handles(str)
    def calm(self: Any, message: str) -> None:
        self.unbecome()


class Guest:
    """An object of its own, with handlers."""

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self.count = 0

    @handles(int, when={Light.ON})
    def number(self, message: int) -> int:
        self.count += message
        return self.count

    @handles(str)
    def leave(self, message: str) -> None:
        self.actor.unbecome()


class Mood(Actor):
    def __init__(self, seen: Seen | None = None) -> None:
        super().__init__()
        self.seen = seen or Seen()
        self.machine = SimpleNamespace(state=Light.ON)

    @handles(Become)
    def change(self, message: Become) -> None:
        handlers = message.handlers
        self.become(handlers(self) if handlers is Guest else handlers)

    @handles(int)
    def number(self, message: int) -> str:
        return f"{self.name} says {message}"

    @handles(float)
    def other(self, message: float) -> str:
        return "a float"

    @handles(bytes)
    def fail(self, message: bytes) -> None:
        raise KeyError(message)

    def method(self) -> str:
        return "by proxy"


@pytest.fixture
def mood() -> Any:
    ref = Mood.start_with(ActorOptions(name="mood"))
    yield ref
    ref.stop(timeout=LIMIT)


def test_a_class_a_mapping_or_an_object_can_say_what_the_actor_becomes(mood: Any) -> None:
    """G: become, in each of its forms, and back."""
    mood.ask(Become(Angry))
    assert mood.ask(1) == "mood shouts 1"
    mood.ask("calm down")
    assert mood.ask(1) == "mood says 1"
    mood.ask(Become({int: lambda message: message + 1, Become: mood.proxy().unbecome.defer}))
    assert mood.ask(1) == 2
    mood.proxy().unbecome().get(timeout=LIMIT)
    mood.ask(Become(Guest))
    assert [mood.ask(2), mood.ask(3)] == [2, 5]
    mood.proxy().machine = SimpleNamespace(state=Light.OFF)
    with pytest.raises(MessageRefused, match=r"takes it in Light\.ON"):
        mood.ask(1)
    mood.ask("leave")
    assert mood.ask(1) == "mood says 1"


def test_it_becomes_that_and_nothing_else(mood: Any, caplog: pytest.LogCaptureFixture) -> None:
    """G: a message that the present handlers do not take is unknown, although the class would take it."""
    mood.ask(Become(Angry))
    with pytest.raises(MessageRefused, match="does not know float messages; it takes int, str"):
        mood.ask(1.0)
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        mood.tell(1.0)
        assert mood.ask(5) == "mood shouts 5"
    assert len(caplog.records) == 1
    mood.ask("calm")
    assert mood.ask(1.0) == "a float"


def test_proxies_timers_watches_and_the_end_work_whatever_the_actor_has_become() -> None:
    """G: what the library itself sends is not for users to replace."""
    seen = Seen()

    class Ticking(Mood):
        def on_start(self) -> None:
            self.watch(other)
            self.become({str: self.seen, ActorEnded: self.seen})
            self.timers.once(0.0, "tick")

    other = Mood.start()
    ref = Ticking.start(seen)
    assert seen.wait(1) == ["tick"]
    assert ref.proxy().method().get(timeout=LIMIT) == "by proxy"
    other.stop(timeout=LIMIT)
    assert seen.wait(2)[1].ref == other
    assert ref.stop(timeout=LIMIT) is True


def test_what_waits_in_the_same_batch_is_taken_by_the_new_handlers() -> None:
    """G: it takes effect after the message in hand, also when all were taken from the mailbox together."""
    dispatcher = ManualDispatcher(ManualClock())
    ref = Mood.start_with(ActorOptions(name="mood", dispatcher=dispatcher))
    ref.tell(Become(Angry))
    first, second = ref.ask_later(1), None
    ref.tell("calm")
    second = ref.ask_later(2)
    dispatcher.run()
    assert (first.get(), second.get()) == ("mood shouts 1", "mood says 2")
    ref.stop()


def test_a_replacement_begins_with_the_handlers_of_its_class() -> None:
    """F1: what an incarnation has become ends with it."""
    dispatcher = ManualDispatcher(ManualClock())
    options = ActorOptions(clock=dispatcher.clock, dispatcher=dispatcher)
    child = ActorChild(ChildSpec("mood"), Mood, options=options)
    supervisor = Supervisor.start_with(options, [child])
    dispatcher.run()

    def fail(message: bytes) -> None:
        raise KeyError(message)

    child.ref.ask(Become({bytes: fail}))
    child.ref.tell(b"now")
    dispatcher.advance(60)
    assert child.ref.incarnation == 2
    assert child.ref.ask(1) == "mood says 1"
    supervisor.stop()


class _Urgent:
    @handles(int, urgent=True)
    def number(self, message: int) -> None: ...


@pytest.mark.parametrize("handlers", [{}, {1: print}, {int: "print"}, 5, object, _Urgent, Seen()])
def test_what_nobody_can_become_is_refused(mood: Any, handlers: Any) -> None:
    """A4: an error that says what is expected, and the actor stays what it is."""
    with pytest.raises(ConfigError, match=r"become takes|said by the actor's class"):
        mood.ask(Become(handlers))
    assert mood.ask(1) == "mood says 1"


@given(st.lists(st.sampled_from(["angry", "guest", "back", "number"]), max_size=20), st.integers(1, 4))
def test_each_message_is_taken_by_what_the_actor_was_when_its_turn_came(steps: list[str], limit: int) -> None:
    """G: against a plain look at the order of messages, however they fall into batches."""
    dispatcher = ManualDispatcher(ManualClock(), limit=limit)
    ref = Mood.start_with(ActorOptions(name="mood", dispatcher=dispatcher))
    expected: list[Any] = []
    replies = []
    now = "mood"
    count = 0
    for step in steps:
        if step == "number":
            replies.append(ref.ask_later(1))
            count += 1
            expected.append({"mood": "mood says 1", "angry": "mood shouts 1", "guest": count}[now])
        elif step == "back":
            if now != "mood":
                ref.tell("back")
            now = "mood"
        elif now == "mood":
            ref.tell(Become(Angry if step == "angry" else Guest))
            now, count = step, 0
    dispatcher.run()
    assert [reply.get() for reply in replies] == expected
    ref.stop()
