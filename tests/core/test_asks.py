"""Requests that wait: each has exactly one end."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from actors.core.asks import PendingAsks


def test_an_answer_ends_the_ask_and_a_second_one_ends_nothing() -> None:
    """B3: exactly one end."""
    asks: PendingAsks[str] = PendingAsks()
    asks.add(1, "a-1", 30.0, "waiter", what="Ping")
    ask = asks.answered(1)
    assert ask is not None
    assert (ask.waiter, ask.target, ask.what) == ("waiter", "a-1", "Ping")
    assert asks.answered(1) is None
    assert asks.answered(None) is None
    assert asks.due(100) == asks.target_gone("a-1") == asks.close() == []


def test_an_answer_by_another_than_the_target_ends_nothing() -> None:
    """B3 I3: an agent cannot answer for another."""
    asks: PendingAsks[str] = PendingAsks()
    asks.add(1, "a-1", None, "waiter")
    assert asks.answered(1, sender="a-2") is None
    assert asks.answered(1, sender="a-1") is not None


def test_deadlines_end_asks_the_earliest_first() -> None:
    """B3: a timeout is an end."""
    asks: PendingAsks[str] = PendingAsks()
    for number, deadline in ((1, 30.0), (2, 10.0), (3, None), (4, 20.0)):
        asks.add(number, "a", deadline, "w")
    assert asks.next_due() == 10.0
    assert [ask.correlation for ask in asks.due(20.0)] == [2, 4]
    assert asks.next_due() == 30.0
    assert asks.answered(4) is None
    asks.answered(1)
    assert asks.next_due() is None
    assert len(asks) == 1


def test_the_death_of_the_target_ends_the_asks_to_that_incarnation_and_those_before() -> None:
    """F2: asks that were under way get word; those to the replacement go on."""
    asks: PendingAsks[str] = PendingAsks()
    asks.add(1, "a", 30.0, "w", incarnation=1)
    asks.add(2, "b", 30.0, "w", incarnation=1)
    asks.add(3, "a", 30.0, "w", incarnation=2)
    asks.add(4, "a", 30.0, "w")
    assert [ask.correlation for ask in asks.target_gone("a", 1)] == [1, 4]
    assert [ask.correlation for ask in asks.target_gone("a")] == [3]
    assert [ask.correlation for ask in asks.close()] == [2]


def test_a_number_waits_once_at_a_time() -> None:
    """B3: correlation."""
    asks: PendingAsks[str] = PendingAsks()
    asks.add(1, "a", 10.0, "w")
    with pytest.raises(ValueError, match="waits already"):
        asks.add(1, "b", 5.0, "w")
    assert asks.forget(1) is not None
    assert asks.forget(1) is None
    asks.add(1, "b", 50.0, "w")
    assert asks.due(10.0) == []


def test_asks_that_ended_early_do_not_fill_the_memory() -> None:
    """B3: a long deadline costs nothing after the answer."""
    asks: PendingAsks[int] = PendingAsks()
    for number in range(10_000):
        asks.add(number, "a", 1e9, number)
        asks.answered(number)
    assert len(asks._deadlines) < 200


class AsksMachine(RuleBasedStateMachine):
    """B3 F2: whatever comes first ends an ask, and nothing ends it twice."""

    def __init__(self) -> None:
        super().__init__()
        self.asks: PendingAsks[int] = PendingAsks()
        self.now = 0.0
        self.number = 0
        self.model: dict[int, tuple[str, float | None, int | None]] = {}

    @rule(whom=st.sampled_from("abc"), wait=st.none() | st.floats(0, 50), life=st.none() | st.integers(1, 3))
    def is_made(self, whom: str, wait: float | None, life: int | None) -> None:
        """An ask is made."""
        self.number += 1
        deadline = None if wait is None else self.now + wait
        self.asks.add(self.number, whom, deadline, self.number, incarnation=life)
        self.model[self.number] = (whom, deadline, life)

    @rule(data=st.data(), forget=st.booleans())
    def is_answered(self, *, data: st.DataObject, forget: bool) -> None:
        """An answer comes, perhaps late."""
        number = data.draw(st.integers(0, self.number + 1))
        ended = self.asks.forget(number) if forget else self.asks.answered(number)
        assert (ended is not None) is (number in self.model)
        self.model.pop(number, None)

    @rule(whom=st.sampled_from("abc"), life=st.none() | st.integers(1, 3))
    def target_dies(self, whom: str, life: int | None) -> None:
        """A target dies."""
        expected = [
            number
            for number, (target, _, asked) in self.model.items()
            if target == whom and (life is None or asked is None or asked <= life)
        ]
        assert [ask.waiter for ask in self.asks.target_gone(whom, life)] == expected
        for number in expected:
            del self.model[number]

    @rule(seconds=st.floats(0, 30))
    def time_passes(self, seconds: float) -> None:
        """Deadlines pass."""
        self.now += seconds
        expected = {n for n, (_, deadline, _) in self.model.items() if deadline is not None and deadline <= self.now}
        ended = self.asks.due(self.now)
        assert {ask.waiter for ask in ended} == expected
        assert [ask.deadline for ask in ended] == sorted(ask.deadline or 0.0 for ask in ended)
        for number in expected:
            del self.model[number]

    @invariant()
    def agrees(self) -> None:
        """The same asks wait, and the next deadline is theirs."""
        assert len(self.asks) == len(self.model)
        deadlines = [deadline for _, deadline, _ in self.model.values() if deadline is not None]
        assert self.asks.next_due() == min(deadlines, default=None)

    def teardown(self) -> None:
        """At the end each that still waits gets its end."""
        assert [ask.waiter for ask in self.asks.close()] == list(self.model)
        assert len(self.asks) == 0


TestAsksMachine = AsksMachine.TestCase
TestAsksMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
