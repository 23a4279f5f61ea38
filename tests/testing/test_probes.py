"""Probes and recorders: what they hear, what they expect, and how they tell what went wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from actors.errors import ConfigError, DeadLetter
from actors.kernel.actor import Actor
from actors.kernel.cell import Exit
from actors.kernel.clock import ManualClock
from actors.kernel.dispatch import ManualDispatcher, ThreadDispatcher
from actors.kernel.handlers import handles
from actors.kernel.options import ActorOptions
from actors.kernel.ref import ActorRef
from actors.protocol.events import TaskCompleted, TaskFailed
from actors.system import ActorSystem
from actors.testing.probes import EventRecorder, Probe
from actors.worker import Worker, task


@dataclass(frozen=True)
class Order:
    count: int


@dataclass(frozen=True)
class Invoice:
    amount: int


@dataclass(frozen=True)
class Paid:
    how: Any


class Shop(Actor):
    """Asks for payment of each order, and reminds after a minute."""

    def __init__(self, billing: ActorRef[Any]) -> None:
        super().__init__(billing)
        self.billing = billing

    @handles(Order)
    def order(self, message: Order) -> None:
        if message.count < 0:
            raise ValueError("a negative order")
        reply = self.billing.ask_later(Invoice(10 * message.count))
        reply.add_done_callback(lambda answer: self.billing.tell(Paid(answer.exception() or answer.get())))
        self.timers.once(60.0, "reminder")

    def on_receive(self, message: Any) -> None:
        self.billing.tell(message)


class Kit:
    """Probes and actors under one of the two dispatchers."""

    def __init__(self, *, virtual: bool) -> None:
        self.virtual = virtual
        self.clock = ManualClock()
        self.dispatcher = ManualDispatcher(self.clock) if virtual else ThreadDispatcher()
        self.probes: list[Probe] = []
        self.actors: list[ActorRef[Any]] = []

    def probe(self, name: str = "billing", **options: Any) -> Probe:
        self.probes.append(Probe(name, dispatcher=self.dispatcher, **options))
        return self.probes[-1]

    def start(self, actor: type[Actor], *args: Any) -> ActorRef[Any]:
        clock = {"clock": self.clock} if self.virtual else {}
        self.actors.append(actor.start_with(ActorOptions(dispatcher=self.dispatcher, **clock), *args))
        return self.actors[-1]


@pytest.fixture(params=["threads", "virtual time"])
def kit(request: pytest.FixtureRequest) -> Iterator[Kit]:
    made = Kit(virtual=request.param == "virtual time")
    yield made
    for actor in (*made.actors, *(probe.ref for probe in made.probes)):
        actor.stop(timeout=5)


def test_a_probe_expects_a_type_a_value_or_what_a_predicate_says_one_after_the_other(kit: Kit) -> None:
    """The three forms; what was expected is given back."""
    billing = kit.probe()
    shop = kit.start(Shop, billing.ref)
    for count in (1, 2, 3):
        shop.tell(Order(count))
    assert billing.expect(Invoice).amount == 10
    assert billing.expect(Invoice(20)) == Invoice(20)
    assert billing.expect(lambda message: message.amount > 20) == Invoice(30)
    assert billing.received == [Invoice(10), Invoice(20), Invoice(30)]
    assert billing.unexpected == []


def test_a_question_waits_for_the_test_to_answer_it(kit: Kit) -> None:
    """With a value or an error; and only once."""
    billing = kit.probe()
    shop = kit.start(Shop, billing.ref)
    shop.tell(Order(1))
    billing.expect(Invoice)
    billing.answer("by card")
    assert billing.expect(Paid).how == "by card"
    with pytest.raises(AssertionError, match=r"billing has nothing to answer: .* is no question"):
        billing.answer("again")
    shop.tell(Order(2))
    billing.expect(Invoice)
    billing.answer(KeyError("no such account"))
    assert isinstance(billing.expect(Paid).how, KeyError)
    billing.expect_nothing()


def test_rules_answer_for_the_test_the_later_ones_first(kit: Kit) -> None:
    """A value, an error, or what a function makes of the message."""
    billing = kit.probe()
    billing.reply_with("by card")
    billing.reply_with(lambda invoice: f"{invoice.amount} in cash", to=Invoice(20))
    billing.reply_with(KeyError("no such account"), to=lambda message: message == Invoice(30))
    assert billing.ref.ask(Invoice(10), timeout=5) == "by card"
    assert billing.ref.ask(Invoice(20), timeout=5) == "20 in cash"
    with pytest.raises(KeyError, match="no such account"):
        billing.ref.ask(Invoice(30), timeout=5)
    billing.ref.tell(Invoice(10))
    assert [billing.expect(Invoice).amount for _ in range(4)] == [10, 20, 30, 10]


def test_a_question_that_nobody_answered_fails_when_the_probe_ends(kit: Kit) -> None:
    """F2: every waiter is answered."""
    billing = kit.probe()
    reply = billing.ref.ask_later(Invoice(1))
    billing.expect(Invoice)
    billing.stop()
    with pytest.raises(DeadLetter):
        reply.get(timeout=5)


def test_another_message_than_the_expected_one_fails_at_once_and_the_text_tells_the_story(kit: Kit) -> None:
    """What was expected, what came instead, and all before it, in order."""
    billing = kit.probe()
    billing.ref.tell(Order(1))
    billing.ref.tell(Invoice(7))
    billing.expect(Order)
    with pytest.raises(AssertionError) as caught:
        billing.expect(Paid, within=60)
    lines = str(caught.value).splitlines()
    assert lines[0] == "billing expected the next to be Paid(…), and another came"
    assert lines[1] == "  what billing has received, the oldest first:"
    assert lines[2].endswith("Order(count=1)  (expected)")
    assert lines[3].endswith("Invoice(amount=7)  (came instead)") and "→" in lines[3]
    assert len(lines) == 4
    assert billing.expect(Invoice).amount == 7, "what was judged and not taken can still be expected"


def test_a_message_that_does_not_come_in_time_is_a_failure_that_says_so(kit: Kit) -> None:
    """Also where nothing has come at all."""
    billing = kit.probe()
    with pytest.raises(
        AssertionError, match=r"expected the next to be Invoice\(amount=1\) within 0\.05 s, and nothing"
    ):
        billing.expect(Invoice(1), within=0.05)
    billing.ref.ask_later(Order(1))
    with pytest.raises(
        AssertionError, match=r"(?s)expected Paid\(…\) within 0\.05 s, and none came.*asked Order\(count=1\)  \(not"
    ):
        billing.expect(Paid, within=0.05, skipping=True)
    named = r"for which the lambda of .*test_probes\.py:\d+ holds, and another came"
    with pytest.raises(AssertionError, match=named):
        billing.expect(lambda message: message is None)


def test_skipping_passes_over_others_which_can_be_expected_afterwards(kit: Kit) -> None:
    """For a test that is interested in one of many messages."""
    billing = kit.probe()
    for message in (Order(1), Paid("x"), Order(2)):
        billing.ref.tell(message)
    assert billing.expect(Paid, skipping=True) == Paid("x")
    assert [billing.expect(Order).count for _ in range(2)] == [1, 2]


def test_several_may_come_in_any_order_but_nothing_else_between_them(kit: Kit) -> None:
    """Each expectation takes an item of its own, however they overlap."""
    billing = kit.probe()
    for message in (Order(2), Order(1), Paid("x")):
        billing.ref.tell(message)
    assert billing.expect_all(Paid, Order, Order(2)) == [Paid("x"), Order(1), Order(2)]
    billing.ref.tell(Order(3))
    with pytest.raises(
        AssertionError, match=r"(?s)in any order: Paid\(…\), Order\(…\); within 0\.05 s not all.*Order\(count=3\)"
    ):
        billing.expect_all(Paid, Order, within=0.05)
    billing.ref.tell(Order(4))
    with pytest.raises(AssertionError, match="others came"):
        billing.expect_all(Paid, Order)


def test_nothing_is_expected_too(kit: Kit) -> None:
    """What is left from before counts as well."""
    billing = kit.probe()
    billing.expect_nothing(within=0.02)
    billing.ref.tell(Order(1))
    with pytest.raises(AssertionError, match=r"(?s)billing expected nothing within 5 s.*Order\(count=1\)  \(came"):
        billing.expect_nothing(within=5)
    billing.clear()
    assert billing.received == []
    billing.expect_nothing(within=0.02)


def test_the_end_of_another_actor_is_watched(kit: Kit) -> None:
    """How it ended, with the error, whatever else has come."""
    billing = kit.probe()
    shop = kit.start(Shop, billing.ref)
    billing.watch(shop)
    billing.ref.tell(Paid("x"))
    shop.tell(Order(-1))
    end = billing.expect_end(shop)
    assert isinstance(end, Exit)
    assert end.reason == "failure" and isinstance(end.error, ValueError)
    assert billing.unexpected == [Paid("x")]
    other = kit.start(Shop, billing.ref)
    with pytest.raises(AssertionError, match=rf"expected the end of {other.name} within 0\.05 s, and none came"):
        billing.expect_end(other, within=0.05)
    other.stop(timeout=5)
    assert billing.expect_end(other).reason == "normal"


def test_in_virtual_time_an_expectation_lets_the_time_pass_and_the_text_says_when() -> None:
    """A minute costs nothing."""
    kit = Kit(virtual=True)
    billing = kit.probe(within=120.0)
    shop = kit.start(Shop, billing.ref)
    shop.tell(Order(1))
    billing.expect(Invoice)
    billing.expect_nothing(within=59.0)
    assert kit.clock.monotonic() == 59.0
    assert billing.expect("reminder") == "reminder"
    assert kit.clock.monotonic() == 60.0
    with pytest.raises(AssertionError, match=r"60\.000 s  'reminder'  \(expected\)"):
        billing.expect(Paid)
    assert kit.clock.monotonic() == 180.0


def test_a_value_that_cannot_be_shown_does_not_hide_the_failure(kit: Kit) -> None:
    """Nor does one whose text is endless."""

    class Shy:
        def __repr__(self) -> str:
            raise RuntimeError("not to be shown")

    billing = kit.probe()
    billing.ref.tell(Shy())
    billing.ref.tell("x" * 10_000)
    with pytest.raises(AssertionError, match=r"Shy whose repr raises RuntimeError>"):
        billing.expect(Order)
    billing.expect(Shy)
    with pytest.raises(AssertionError) as caught:
        billing.expect(Order)
    assert len(str(caught.value)) < 1000


def test_a_probe_in_a_with_block_has_ended_after_it() -> None:
    """And a time limit that is none is refused."""
    with Probe("short") as probe:
        assert probe.ref.is_alive()
        assert "short, 0 received" in repr(probe)
    assert not probe.ref.is_alive()
    probe.stop()
    with pytest.raises(ConfigError, match="above 0, not 0"):
        Probe(within=0)


class Clerk(Worker):
    @task
    def file(self, sheet: int) -> int:
        if sheet < 0:
            raise ValueError("no such sheet")
        return sheet


@pytest.mark.actors_system([Clerk])
def test_a_recorder_expects_the_events_of_a_system(actors_system: ActorSystem) -> None:
    """H1: those of its kinds, until it is closed."""
    with EventRecorder(actors_system, TaskCompleted, TaskFailed, within=20.0) as events:
        first = actors_system.submit(Clerk.file, 1)
        assert events.expect(TaskCompleted).task_id == first.task_id
        actors_system.submit(Clerk.file, -1)
        assert "no such sheet" in str(events.expect(TaskFailed).error)
        with pytest.raises(AssertionError, match="the recorder of events expected the next to be TaskFailed"):
            events.expect(TaskFailed, within=0.01)
    with EventRecorder(actors_system) as later:
        actors_system.submit(Clerk.file, 2).result(20)
        assert later.expect(TaskCompleted, skipping=True).name == "clerk.file"
    assert len(events.received) == 2
    with pytest.raises(ConfigError, match="types of events"):
        EventRecorder(actors_system, "TaskFailed")  # type: ignore[arg-type]
