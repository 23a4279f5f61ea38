"""Actors that wait for each other in a circle are told so at once, whoever closes it."""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.errors import DeadlockDetected
from actors.kernel.actor import Actor, ActorOptions
from actors.kernel.address import Address
from actors.kernel.askers import askers, refuse_circle
from actors.kernel.clock import ManualClock
from actors.kernel.dispatch import ManualDispatcher
from actors.kernel.handlers import handles
from actors.kernel.ref import ActorRef
from actors.kernel.reply import Ask, Reply
from tests.kernel.support import LIMIT, Seen


class Route(NamedTuple):
    """Asks the first of these about the others, and says who was asked."""

    refs: tuple[ActorRef[Any], ...] = ()
    how: str = "ask"


class Meet(NamedTuple):
    """Asks another actor once all have come so far."""

    barrier: threading.Barrier
    other: ActorRef[Any]


class Caught(NamedTuple):
    """Asks somebody, and answers with the type of the error."""

    ref: ActorRef[Any]


class Node(Actor):
    @handles(Route)
    def route(self, message: Route) -> str:
        if not message.refs:
            return self.name
        first, rest = message.refs[0], Route(message.refs[1:], message.how)
        if message.how == "later":
            return f"{self.name} {first.ask_later(rest).get(timeout=LIMIT)}"
        if message.how == "proxy":
            return f"{self.name} {first.proxy().route(rest).get(timeout=LIMIT)}"
        return f"{self.name} {first.ask(rest, timeout=LIMIT)}"

    @handles(Meet)
    def meet(self, message: Meet) -> Any:
        message.barrier.wait(LIMIT)
        return message.other.ask(Route(), timeout=LIMIT)

    @handles(Caught)
    def catch(self, message: Caught) -> Any:
        try:
            return message.ref.ask(Route((self.actor_ref,)), timeout=LIMIT)
        except DeadlockDetected as error:
            return error

    @handles(tuple)
    def chain(self, message: tuple[Any, ...]) -> Any:
        return askers()


@pytest.fixture
def nodes() -> Any:
    refs = [Node.start_with(ActorOptions(name=name)) for name in "ABCD"]
    yield refs
    for ref in refs:
        ref.stop(timeout=LIMIT)


@pytest.mark.parametrize("how", ["ask", "later", "proxy"])
@pytest.mark.parametrize("length", [2, 3, 4])
def test_the_one_who_closes_a_circle_of_asks_is_told_at_once_and_with_the_circle(
    nodes: list[ActorRef[Any]], length: int, how: str
) -> None:
    """B3: never silence: an ask in a circle is an error at the one who closes it, not a wait until the time is up."""
    circle = nodes[:length]
    names = [ref.name for ref in circle]
    with pytest.raises(DeadlockDetected) as caught:
        circle[0].ask(Route((*circle[1:], circle[0]), how), timeout=LIMIT)
    last = names[-1]
    assert caught.value.cycle == tuple(
        f"{one} waits for {other}" for one, other in zip([last, *names[:-1]], names, strict=True)
    )
    assert f"{last} cannot wait for A" in str(caught.value)
    assert " -> ".join([last, *names]) in str(caught.value)
    # And all of them go on.
    assert [ref.ask(Route(), timeout=LIMIT) for ref in circle] == names


def test_the_one_who_is_told_can_go_on_and_answer(nodes: list[ActorRef[Any]]) -> None:
    """B3: the error is at the one who can act on it."""
    a, b, c, _ = nodes
    error = a.ask(Caught(b), timeout=LIMIT)
    assert isinstance(error, DeadlockDetected)
    assert error.cycle == ("B waits for A", "A waits for B")
    assert c.ask(Route((a, b)), timeout=LIMIT) == "C A B"


@pytest.mark.parametrize("_round", range(20))
def test_two_that_ask_each_other_in_the_same_moment_are_a_circle_of_which_one_is_told(
    nodes: list[ActorRef[Any]], _round: int
) -> None:
    """B3: also where neither handles a question of the other one."""
    barrier = threading.Barrier(2)
    replies = [nodes[0].ask_later(Meet(barrier, nodes[1])), nodes[1].ask_later(Meet(barrier, nodes[0]))]
    ends = []
    for reply in replies:
        try:
            ends.append(reply.get(timeout=LIMIT))
        except DeadlockDetected as error:
            ends.append(len(error.cycle or ()))
    assert 2 in ends
    assert [end for end in ends if end != 2] in (["A"], ["B"])


def test_who_waits_for_an_answer_that_was_taken_over_is_no_part_of_a_circle() -> None:
    """B3: no false alarm: anybody may give an answer that was deferred."""
    taken_over, asking = Seen(), Seen()

    class Deferring(Actor):
        @handles(Route)
        def keep(self, message: Route) -> None:
            taken_over(self.defer())

        @handles(Caught)
        def ask_back(self, message: Caught) -> Any:
            asking("asking")
            return message.ref.ask(Route(), timeout=LIMIT)

    a, b = Node.start_with(ActorOptions(name="A")), Deferring.start_with(ActorOptions(name="B"))
    waiting = a.ask_later(Route((b,)))
    (answer,) = taken_over.wait(1)
    # B waits for A, who waits for an answer that B has not to give any more.
    back = b.ask_later(Caught(a))
    asking.wait(1)
    assert not back.wait(0.05)
    answer.set("given")
    assert waiting.get(timeout=LIMIT) == "A given"
    assert back.get(timeout=LIMIT) == "A"
    a.stop(timeout=LIMIT)
    b.stop(timeout=LIMIT)


def test_a_question_that_nobody_waits_for_is_no_part_of_a_circle(nodes: list[ActorRef[Any]]) -> None:
    """B3: no false alarm: one who asks and goes on can answer."""

    class Both(Node):
        @handles(float)
        def go_on(self, message: float) -> str:
            self.later = nodes[0].ask_later(Route((self.actor_ref,)))
            return "goes on"

    both = Both.start_with(ActorOptions(name="both"))
    assert both.ask(1.0, timeout=LIMIT) == "goes on"
    assert both.proxy().later.get(timeout=LIMIT).get(timeout=LIMIT) == "A both"
    both.stop(timeout=LIMIT)


def test_an_actor_that_waits_for_the_end_of_another_one_is_part_of_a_circle() -> None:
    """F2: whoever waits for an end waits as well."""

    class Stopping(Node):
        @handles(list)
        def end(self, message: list[ActorRef[Any]]) -> Any:
            return message[0].stop(timeout=LIMIT)

    class Slow(Node):
        def on_stop(self) -> None:
            try:
                a.ask(Route(), timeout=LIMIT)
            except DeadlockDetected as error:
                seen(error.cycle)

    seen = Seen()
    a, b = Stopping.start_with(ActorOptions(name="A")), Slow.start_with(ActorOptions(name="B"))
    assert a.ask([b], timeout=LIMIT) is True
    assert seen.wait(1) == [("B waits for A", "A waits for B")]
    a.stop(timeout=LIMIT)


def test_in_a_stepped_system_a_circle_is_found_as_well() -> None:
    """J2: the same promise in virtual time."""
    dispatcher = ManualDispatcher(ManualClock())
    a, b = (Node.start_with(ActorOptions(name=name, dispatcher=dispatcher)) for name in "AB")
    with pytest.raises(DeadlockDetected, match="B -> A -> B"):
        a.ask(Route((b, a)), timeout=5)
    assert dispatcher.clock.monotonic() == 0.0
    for ref in (a, b):
        ref.stop()


# --- over processes: the chain of askers ---


def test_a_question_brings_the_chain_of_those_who_wait_for_its_answer(nodes: list[ActorRef[Any]]) -> None:
    """B3: what travels with a question to another process, and is known there."""
    a, b = nodes[:2]
    far = Address("another-process", 7, "far")
    reply: Reply[Any] = Reply()
    b.actor_inbox.put(Ask(("who",), reply, (far,)))
    assert [one.name for one in reply.get(timeout=LIMIT)] == ["far", "B"]
    assert [one.name for one in a.ask(("who",), timeout=LIMIT)] == ["A"]
    assert askers() == ()


def test_a_circle_over_another_process_is_found_by_its_chain(nodes: list[ActorRef[Any]]) -> None:
    """B3: in the process that closes it, on the way out as on the way back in."""
    a, b = nodes[:2]
    far, other = Address("another-process", 7, "far"), Address("another-process", 8, "other")

    class Out(Node):
        @handles(frozenset)
        def ask_far(self, message: frozenset[Any]) -> Any:
            (target,) = message
            return [one.name for one in refuse_circle(target, message)]

    out = Out.start_with(ActorOptions(name="out"))
    # far asks out, out asks far.
    closing: Reply[Any] = Reply()
    out.actor_inbox.put(Ask(frozenset({far}), closing, (far, other)))
    with pytest.raises(DeadlockDetected) as caught:
        closing.get(timeout=LIMIT)
    assert caught.value.cycle == ("out waits for far", "far waits for other", "other waits for out")
    fine: Reply[Any] = Reply()
    out.actor_inbox.put(Ask(frozenset({far}), fine, (other,)))
    assert fine.get(timeout=LIMIT) == ["other", "out"]
    # A asks somebody far away, who asks B, who asks A.
    back: Reply[Any] = Reply()
    b.actor_inbox.put(Ask(Route((a,)), back, (a.address, far)))
    with pytest.raises(DeadlockDetected, match="B -> A -> far -> B"):
        back.get(timeout=LIMIT)
    out.stop(timeout=LIMIT)


@given(
    st.lists(st.tuples(st.integers(0, 4), st.lists(st.integers(0, 4), min_size=1, max_size=6)), min_size=1, max_size=6)
)
def test_a_route_is_refused_where_it_comes_back_to_one_of_its_own_and_nowhere_else(
    routes: list[tuple[int, list[int]]],
) -> None:
    """B3: against a plain look at the route: neither misses nor false alarms."""
    dispatcher = ManualDispatcher(ManualClock())
    refs = [Node.start_with(ActorOptions(name=f"n{number}", dispatcher=dispatcher)) for number in range(5)]
    for first, rest in routes:
        path = [first, *rest]
        reply = refs[first].ask_later(Route(tuple(refs[number] for number in rest)))
        dispatcher.run()
        # A step onto itself is refused in words of its own.
        repeated = next((i for i, number in enumerate(path) if number in path[:i]), None)
        if repeated is None:
            assert reply.get(timeout=0) == " ".join(f"n{number}" for number in path)
        else:
            assert reply.exception() is not None
            if path[repeated] != path[repeated - 1]:
                assert isinstance(reply.exception(), DeadlockDetected)
    for ref in refs:
        ref.stop()
