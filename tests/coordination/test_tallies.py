"""The pure parts of the strategies: what comes of many ends, which results are reduced together, where a saga goes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.coordination.hedging import LOOK_AGAIN, decide
from actors.coordination.quorum import Votes
from actors.coordination.race import Race
from actors.coordination.sagaplan import Course, Move, SagaPlan
from actors.coordination.scatter import Scatter
from actors.coordination.tree import Node, ReductionTree
from actors.coordination.verdict import Tally, Verdict
from actors.errors import ConfigError, QuorumFailed
from actors.hosts.ground import Pace


class Value:
    """What a value can be had from."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def result(self) -> Any:
        return self.value


Ends = list[tuple[int, BaseException | None, Any]]


@st.composite
def ends(draw: st.DrawFn, values: st.SearchStrategy[Any] | None = None) -> Ends:
    """The ends of some calls, in any order."""
    count = draw(st.integers(1, 8))
    found: Ends = []
    for place in range(count):
        value = draw(st.integers(0, 9) if values is None else values)
        found.append((place, None, value) if draw(st.booleans()) else (place, LookupError(place), None))
    return draw(st.permutations(found))


def verdict_of(tally: Tally, given_ends: Ends) -> tuple[Verdict | None, int]:
    """What a tally says, and after how many ends."""
    for number, end in enumerate(given_ends, 1):
        verdict = tally.ended(*end)
        if verdict is not None:
            return verdict, number
    return None, len(given_ends)


def value_of(verdict: Verdict) -> Any:
    return verdict.payload if verdict.decode is None else verdict.decode(verdict.payload)


@given(ends(), st.sampled_from(["raise", "collect", "drop"]))
def test_a_gathering_has_all_results_in_the_order_of_the_calls(given_ends: Ends, failures: Any) -> None:
    """G2: and does with failures what is said by name."""
    wrapped = [(place, error, Value(value)) for place, error, value in given_ends]
    verdict, after = verdict_of(Scatter(len(given_ends), failures), wrapped)
    assert verdict is not None
    errors = [error for _, error, _ in given_ends if error is not None]
    if failures == "raise" and errors:
        assert verdict.error is errors[0]
        assert given_ends[after - 1][1] is errors[0]
        return
    assert after == len(given_ends)
    ordered = sorted(given_ends, key=lambda end: end[0])
    kept = [value if error is None else error for _, error, value in ordered if failures == "collect" or error is None]
    assert value_of(verdict) == kept


@given(ends(), st.integers(0, 8))
def test_a_gathering_fails_as_soon_as_its_minimum_cannot_be_reached(given_ends: Ends, minimum: int) -> None:
    """G2: not later, and not earlier."""
    count = len(given_ends)
    minimum = min(minimum, count)
    wrapped = [(place, error, Value(value)) for place, error, value in given_ends]
    verdict, after = verdict_of(Scatter(count, "drop", minimum), wrapped)
    assert verdict is not None
    failed = [number for number, end in enumerate(given_ends, 1) if end[1] is not None]
    if count - len(failed) >= minimum:
        assert verdict.error is None
        return
    assert isinstance(verdict.error, ExceptionGroup)
    assert after == failed[count - minimum]


@given(ends())
def test_the_first_result_wins_a_race_and_all_errors_lose_it(given_ends: Ends) -> None:
    """G2: with all errors, in the order of the calls."""
    verdict, after = verdict_of(Race(len(given_ends)), given_ends)
    assert verdict is not None
    first = next((end for end in given_ends if end[1] is None), None)
    if first is not None:
        assert verdict.error is None
        assert given_ends[after - 1] == first
        assert verdict.payload == first[2]
    else:
        assert isinstance(verdict.error, ExceptionGroup)
        assert [error.args[0] for error in verdict.error.exceptions] == list(range(len(given_ends)))


@given(ends(st.integers(0, 2)), st.data())
def test_a_quorum_ends_as_soon_as_it_is_reached_or_out_of_reach(given_ends: Ends, data: st.DataObject) -> None:
    """G2: against a count after each end."""
    count = len(given_ends)
    need = data.draw(st.integers(1, count))
    verdict, after = verdict_of(Votes(count, need), given_ends)
    for number in range(1, count + 1):
        votes = [end[2] for end in given_ends[:number] if end[1] is None]
        best = max((votes.count(vote) for vote in votes), default=0)
        reached, lost = best >= need, best + count - number < need
        if reached or lost:
            break
    assert verdict is not None
    assert after == number
    if reached:
        assert votes.count(verdict.payload) >= need
    else:
        assert isinstance(verdict.error, QuorumFailed)
        assert sorted(verdict.error.answers or ()) == sorted(votes)
        assert len(verdict.error.answers or ()) + len(verdict.error.errors or ()) == after


def test_answers_that_cannot_be_hashed_vote_as_well_and_a_key_says_what_counts() -> None:
    """G2: equality, not identity."""
    verdict, _ = verdict_of(Votes(3, 2), [(0, None, [1]), (1, None, [2]), (2, None, [1])])
    assert verdict is not None
    assert verdict.payload == [1]
    verdict, after = verdict_of(Votes(3, 2, key=round), [(0, None, 20.1), (1, None, 19.9), (2, None, 7.0)])
    assert (verdict, after) == (Verdict(payload=20.1), 2)


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda: Votes(3, 4), "need"),
        (lambda: Votes(3, 0), "need"),
        (lambda: Votes(3, 1.0), "need"),
        (lambda: Votes(3, 2, key="x"), "key"),  # type: ignore[arg-type]
        (lambda: Scatter(3, "ignore"), "failures"),  # type: ignore[arg-type]
        (lambda: Scatter(3, "raise", 2), "minimum"),
        (lambda: Scatter(3, "drop", 4), "minimum"),
    ],
)
def test_a_value_that_is_not_allowed_is_named(make: Any, key: str) -> None:
    """G2: at the call."""
    with pytest.raises(ConfigError) as told:
        make()
    assert told.value.key == key


@given(st.lists(st.integers(1, 5), max_size=120), st.integers(2, 9))
def test_a_reduction_keeps_the_order_and_holds_little(counts: list[int], fan_in: int) -> None:
    """G2: any reduction that is associative gives what a fold over all items would give, whatever the chunks."""
    promised: list[tuple[int, ...]] = []
    widest: list[int] = []

    def reduce(nodes: list[Node]) -> tuple[int, ...]:
        assert 1 <= len(nodes) <= fan_in
        assert len({node.level == 0 for node in nodes}) == 1
        assert all(left.last + 1 == right.first for left, right in pairwise(nodes))
        widest.append(len(nodes))
        joined: tuple[int, ...] = sum((node.handle for node in nodes), ())
        promised.append(joined)
        return joined

    tree = ReductionTree(fan_in, reduce)
    items = 0
    for count in counts:
        tree.add(tuple(range(items, items + count)), count)
        items += count
        levels = 1
        while fan_in**levels <= len(counts):
            levels += 1
        assert tree.waiting <= (fan_in - 1) * levels
    if not counts:
        with pytest.raises(ValueError, match="nothing to reduce"):
            tree.finish()
        return
    root = tree.finish()
    assert root.handle == tuple(range(items))
    assert (root.first, root.last) == (0, items - 1)
    assert root.level >= 1


@given(st.lists(st.booleans(), min_size=1, max_size=8), st.data())
def test_a_saga_undoes_what_was_done_once_each_and_backwards(undoable: list[bool], data: st.DataObject) -> None:
    """G2: whatever fails, and whenever somebody wants it undone."""
    plan = SagaPlan(undoable)
    done: list[int] = []
    undone: list[int] = []
    turned = False
    while (move := plan.next()) is not None:
        with pytest.raises(RuntimeError):
            plan.next()
        if data.draw(st.integers(0, 5)) == 0:
            plan.turn_back()
            turned = True
        good = data.draw(st.integers(0, 3)) > 0
        plan.ended(good=good)
        if move.undo:
            undone.append(move.step)
            assert (move.step in plan.undone) is good
            assert (move.step in plan.unmended) is not good
        elif good:
            done.append(move.step)
    assert done == list(range(len(done)))
    if plan.course is Course.FORWARD:
        assert not turned
        assert len(done) == len(undoable)
        assert not undone
    else:
        assert undone == [step for step in reversed(done) if undoable[step]]


def test_an_end_of_nothing_is_a_mistake_of_the_caller() -> None:
    """G2: the plan's own invariant."""
    plan = SagaPlan([True])
    assert plan.next() == Move(0, undo=False)
    plan.ended(good=True)
    with pytest.raises(RuntimeError):
        plan.ended(good=True)


@pytest.mark.parametrize(
    ("pace", "after", "seconds"),
    [
        (Pace(), None, LOOK_AGAIN),
        (Pace(ran=500.0), None, LOOK_AGAIN),
        (Pace(ran=0.5), 2.0, 1.5),
        (Pace(ran=2.0), 2.0, None),
        (Pace(ran=0.5, late=0.4), None, None),
        (Pace(ran=0.5, late=0.9, expected=0.1), None, pytest.approx(0.4)),
        (Pace(ran=0.5, expected=0.6), None, pytest.approx(0.1)),
        (Pace(late=3.0), None, 3.0),
        (Pace(ran=1.0, late=0.1), 5.0, 4.0),
    ],
)
def test_the_second_copy_is_due_when_the_first_has_run_too_long(pace: Pace, after: float | None, seconds: Any) -> None:
    """G2: what was named goes before the p95, and that before what was expected; a copy that waits is not hedged."""
    assert decide(pace, after).seconds == seconds
