"""What two processes owe each other over one connection."""

from __future__ import annotations

from collections import deque
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from actors.core.peering import Parked, Peering


def parked(item: Any) -> Parked:
    return Parked(item, 2, urgent=False)


def test_a_question_has_one_end_whichever_comes_first() -> None:
    """B3: exactly one answer."""
    peering: Peering[str] = Peering()
    first, second = peering.ask("first"), peering.ask("second")
    assert first is not None
    assert second is not None
    assert peering.ended(first) == "first"
    assert peering.ended(first) is None
    assert peering.lost() == ["second"]
    assert peering.ended(second) is None
    assert peering.lost() == []


def test_nothing_is_asked_over_a_connection_that_is_lost() -> None:
    """F2: nobody is left waiting."""
    peering: Peering[str] = Peering()
    peering.lost()
    assert peering.ask("late") is None
    assert len(peering) == 0


def test_what_is_parked_leaves_in_order_and_only_the_first_and_last_are_told() -> None:
    """B6: order."""
    peering: Peering[str] = Peering()
    assert peering.park(1, parked("a")) is True
    assert peering.park(1, parked("b")) is False
    assert peering.park(2, parked("x")) is True
    assert peering.next_parked(1) == parked("a")
    assert peering.unpark(1) is False
    assert peering.next_parked(1) == parked("b")
    assert peering.unpark(1) is True
    assert peering.next_parked(1) is None
    assert peering.is_parked(2)


def test_senders_are_held_until_they_are_released_or_the_connection_is_lost() -> None:
    """Design: bounded mailboxes press back on the sender."""
    peering: Peering[str] = Peering()
    peering.hold(1, "block")
    peering.hold(2, "fail")
    assert (peering.held(1), peering.held(2), peering.held(3)) == ("block", "fail", None)
    peering.release(1)
    peering.release(9)
    assert peering.held(1) is None
    peering.lost()
    assert not peering.holding
    peering.hold(1, "block")
    assert peering.held(1) is None


class TwoEnds(RuleBasedStateMachine):
    """Two ends with a wire of two directions between them, which is cut at some moment, and an actor with little room.

    The wire keeps what is sent until a step delivers it, so everything may be late, in any mixture.
    """

    ROOM = 3

    def __init__(self) -> None:
        super().__init__()
        self.near: Peering[int] = Peering()
        self.far: Peering[int] = Peering()
        self.there: deque[tuple[str, Any]] = deque()
        self.back: deque[tuple[str, Any]] = deque()
        self.cut = False
        self.asked = 0
        self.told = 0
        self.ends: dict[int, str] = {}
        self.mailbox: deque[tuple[str, Any]] = deque()
        self.taken: list[int] = []
        self.forgotten: set[int] = set()
        self.numbers: dict[int, int] = {}

    def _end(self, question: int, how: str) -> None:
        assert question not in self.ends, f"question {question} has ended twice"
        self.ends[question] = how

    @rule()
    def ask(self) -> None:
        """Ask something."""
        self.asked += 1
        number = self.near.ask(self.asked)
        if number is None:
            assert self.cut
            self._end(self.asked, "refused")
        else:
            self.numbers[self.asked] = number
            self.there.append(("ask", number))

    @precondition(lambda self: self.near.held(1) is None and not self.cut)
    @rule()
    def tell(self) -> None:
        """Tell something, if one is not held back."""
        self.told += 1
        self.there.append(("tell", self.told))

    @precondition(lambda self: self.there)
    @rule()
    def arrive(self) -> None:
        """Something arrives at the far end, where it is put into the mailbox or waits for room."""
        message = self.there.popleft()
        if self.far.is_parked(1):
            self.far.park(1, parked(message))
        elif len(self.mailbox) < self.ROOM:
            self.mailbox.append(message)
        else:
            assert self.far.park(1, parked(message))
            self.back.append(("hold", 1))

    @precondition(lambda self: self.mailbox)
    @rule()
    def handle(self) -> None:
        """The actor handles a message, which makes room."""
        kind, number = self.mailbox.popleft()
        if kind == "ask":
            self.back.append(("answer", number))
        else:
            self.taken.append(number)
        while len(self.mailbox) < self.ROOM and (waiting := self.far.next_parked(1)) is not None:
            self.mailbox.append(waiting.item)
            if self.far.unpark(1):
                self.back.append(("release", 1))

    @precondition(lambda self: self.back and not self.cut)
    @rule()
    def hear(self) -> None:
        """Something arrives at the near end."""
        kind, number = self.back.popleft()
        if kind == "hold":
            self.near.hold(number, "block")
        elif kind == "release":
            self.near.release(number)
        else:
            question = self.near.ended(number)
            if question is not None:
                self._end(question, "answered")

    @precondition(lambda self: self.numbers)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        """Whoever asked waits no more."""
        question = data.draw(st.sampled_from(sorted(self.numbers)))
        found = self.near.ended(self.numbers[question])
        if found is not None:
            assert found == question
            self._end(question, "given up")

    @precondition(lambda self: not self.cut)
    @rule(lost=st.integers(0, 5))
    def lose(self, lost: int) -> None:
        """The connection is cut, and some of what is under way is lost with it."""
        self.cut = True
        for _ in range(min(lost, len(self.there))):
            self.there.pop()
        self.back.clear()
        for question in self.near.lost():
            self._end(question, "lost")

    @invariant()
    def in_order(self) -> None:
        """What the actor takes of one sender is in the order in which it was told, and nothing comes twice."""
        assert self.taken == sorted(set(self.taken))

    def teardown(self) -> None:
        """When everything has come to its end, each question has one, and nothing that arrived is left."""
        while self.there:
            self.arrive()
        while self.mailbox:
            self.handle()
        assert not self.far.is_parked(1)
        while self.back and not self.cut:
            self.hear()
        if not self.cut:
            assert self.near.held(1) is None, "a sender is held, and nobody will release it"
            assert self.taken == list(range(1, self.told + 1))
        assert sorted(self.ends) == list(range(1, self.asked + 1))


TestTwoEnds = TwoEnds.TestCase
TestTwoEnds.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
