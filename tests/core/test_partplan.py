"""Parts of long lists: every item once, none too large, as long as they are to be, and all agents done together."""

from __future__ import annotations

import heapq
import math
from collections import Counter, deque
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.core.partplan import LEAST, MOST, TARGET, Item, Part, PartPlan
from actors.core.rates import Rate, Rates

PRIOR = Rate(0.0, 1e-6)
COSTS = st.lists(st.integers(1, 2_000_000), max_size=300)
AGENTS = st.integers(1, 8)
EACH = st.floats(1e-9, 1e-4)

Truth = Callable[[Part, float], float]


def items_of(costs: list[int], kinds: str = "a") -> list[Item]:
    return [Item(f"f{number}", cost, kinds[number % len(kinds)]) for number, cost in enumerate(costs)]


def carry_out(plan: PartPlan, truth: Truth) -> tuple[list[tuple[Part, float]], float]:
    """What agents do that take the parts as they were cut: the parts in this order with their seconds, and the whole."""
    running: list[tuple[float, int, Part, float]] = []
    queue: deque[Part] = deque()
    done: list[tuple[Part, float]] = []
    now = 0.0
    while True:
        while (part := plan.cut()) is not None:
            queue.append(part)
        while queue and len(running) < plan.agents:
            part = queue.popleft()
            seconds = truth(part, now)
            done.append((part, seconds))
            heapq.heappush(running, (now + seconds, len(done), part, seconds))
        if not running:
            assert not plan.left
            return done, now
        now, _, part, seconds = heapq.heappop(running)
        plan.ended(part, seconds)


def best_of(costs: list[int], agents: int, each: float) -> float:
    """No division of the costs among agents takes less than this."""
    falling = sorted(costs, reverse=True)
    # Of the first k * agents + 1, one agent has k + 1 or more.
    crowded = (sum(falling[k * agents - k : k * agents + 1]) for k in range(1, (len(costs) - 1) // agents + 1))
    return each * max(sum(costs) / agents, falling[0], *crowded)


def linear(fixed: float, each: float) -> Truth:
    return lambda part, _: fixed + each * part.cost


@settings(deadline=None)
@given(COSTS, AGENTS, EACH, st.sampled_from(["a", "abc"]), st.integers(1, 50))
def test_every_item_is_in_exactly_one_part_of_its_kind(
    costs: list[int], agents: int, each: float, kinds: str, most: int
) -> None:
    """A1: whatever the durations are, nothing is done twice or left out."""
    items = items_of(costs, kinds)
    plan = PartPlan(items, agents, Rates(PRIOR), most_items=most)
    done, _ = carry_out(plan, linear(0.0, each))
    assert Counter(item for part, _ in done for item in part.items) == Counter(items)
    assert all(len({item.kind for item in part.items}) == 1 for part, _ in done)
    assert all(1 <= len(part.items) <= most for part, _ in done)
    assert (plan.done_items, plan.done_cost, plan.fraction) == (len(items), sum(costs), 1.0)


@settings(deadline=None)
@given(COSTS, AGENTS, EACH)
def test_no_part_takes_longer_than_it_is_to_unless_it_is_a_single_item(
    costs: list[int], agents: int, each: float
) -> None:
    """A1: of sensible size, once something was measured."""
    rates = Rates(PRIOR)
    rates.note("a", 1000, each * 1000)
    done, _ = carry_out(PartPlan(items_of(costs), agents, rates), linear(0.0, each))
    assert all(len(part.items) == 1 or seconds <= TARGET * 1.01 for part, seconds in done)


@settings(deadline=None)
@given(st.data(), st.floats(0.1, 10), st.lists(st.integers(1, 100_000), min_size=1, max_size=100))
def test_no_more_parts_are_under_way_than_the_agents_need(data: st.DataObject, factor: float, costs: list[int]) -> None:
    """A1: one that each does and one that waits for it, so that what is cut later can follow what was learned."""
    plan = PartPlan(items_of(costs), 3, Rates(PRIOR))
    under_way: list[Part] = []
    while plan.left or under_way:
        while (part := plan.cut()) is not None:
            under_way.append(part)
        assert len(under_way) == plan.under_way <= 6
        ended = under_way.pop(data.draw(st.integers(0, len(under_way) - 1)))
        plan.ended(ended, 1e-6 * factor * ended.cost)


@settings(deadline=None)
@given(st.data(), COSTS, AGENTS)
def test_every_item_ends_once_however_parts_fail(data: st.DataObject, costs: list[int], agents: int) -> None:
    """A1: what fails is tried again in pieces, and at last an item is lost that costs no other its result."""
    bad = data.draw(st.sets(st.integers(0, 299), max_size=5)).intersection(range(len(costs)))
    keys = {f"f{number}" for number in bad}
    plan = PartPlan(items_of(costs), agents, Rates(PRIOR))
    done: list[str] = []
    lost: list[str] = []
    tries = 0
    while (part := plan.cut()) is not None:
        tries += 1
        before = plan.fraction
        if keys.isdisjoint(part.keys):
            plan.ended(part, 0.1)
            done += part.keys
        elif not plan.failed(part):
            lost += part.keys
        assert plan.fraction >= before
    assert Counter(done) == Counter(f"f{number}" for number in set(range(len(costs))) - bad)
    assert Counter(lost) == Counter(keys)
    assert (plan.done_items, plan.done_cost) == (plan.items, plan.cost) == (len(costs), sum(costs))


def test_a_large_part_that_fails_is_tried_in_pieces_before_its_items() -> None:
    """A1: one bad file of hundreds costs some tens of runs, not hundreds."""
    rates = Rates(PRIOR)
    rates.note("a", 400, 4e-4)
    plan = PartPlan(items_of([1] * 400), 1, rates)
    runs = 0
    while (part := plan.cut()) is not None:
        runs += 1
        if "f7" in part.keys:
            plan.failed(part)
        else:
            plan.ended(part)
    assert runs <= 42


@settings(deadline=None, max_examples=50)
@given(EACH, AGENTS)
def test_parts_come_to_take_what_they_are_to_at_any_constant_rate(each: float, agents: int) -> None:
    """A1: whatever was expected: a machine may be a hundred times faster or slower."""
    # Items of a fortieth of a part each.
    cost = max(1, round(0.025 * TARGET / each))
    plan = PartPlan(items_of([cost] * 2500 * agents), agents, Rates(PRIOR))
    done, _ = carry_out(plan, linear(0.0, 0.025 * TARGET / cost))
    # Those before were cut when nothing was known, the last get smaller.
    middle = [taken for _, taken in done[agents : len(done) // 2]]
    assert middle and all(0.9 * TARGET <= taken <= 1.01 * TARGET for taken in middle)


@settings(deadline=None, max_examples=15)
@given(st.floats(0.05, 1.0), st.floats(1e-8, 1e-5), st.floats(0.1, 1.5), st.floats(0.2, 20), st.integers(1, 2))
def test_a_fixed_part_is_found_and_kept_small(
    fixed: float, each: float, thought: float, factor: float, agents: int
) -> None:
    """A1: what starts slowly gets larger parts, at whatever rate."""
    rates = Rates(PRIOR)
    rates.expect("a", Rate(thought, each * factor))
    wanted = max(TARGET, min(MOST, 10 * fixed))
    items = items_of([max(1, round(0.05 * wanted / each))] * int(600 * agents / (0.05 * wanted)))
    plan = PartPlan(items, agents, rates, most_items=len(items))
    done, _ = carry_out(plan, linear(fixed, 0.05 * wanted / items[0].cost))
    middle = [taken for _, taken in done[20 * agents : 2 * len(done) // 3]]
    assert middle and all(0.9 * wanted <= taken <= 1.1 * wanted for taken in middle)


@settings(deadline=None, max_examples=20)
@given(st.floats(0.05, 20), st.integers(1, 3))
def test_a_rate_that_changes_is_followed(factor: float, agents: int) -> None:
    """A1: another load or other files: when those that were cut before are done, and a few more, the parts fit again."""
    plan = PartPlan(items_of([1000] * 20_000 * agents), agents, Rates(PRIOR), most_items=20_000)
    changed: list[float] = []

    def truth(part: Part, now: float) -> float:
        if now < 8 * TARGET:
            return 1e-6 * part.cost
        changed.append(1e-6 * part.cost * factor)
        return changed[-1]

    carry_out(plan, truth)
    settled = changed[6 * agents : len(changed) // 2]
    assert all(0.9 * TARGET <= taken <= 1.1 * TARGET for taken in settled)


@settings(deadline=None)
@given(COSTS.filter(bool), AGENTS, EACH, st.sampled_from(["a", "abc"]))
def test_agents_end_together_with_a_known_rate(costs: list[int], agents: int, each: float, kinds: str) -> None:
    """A1: at most a third longer than the best that any division could do, and the smallest part."""
    rates = Rates(PRIOR)
    for kind in kinds:
        rates.note(kind, 1000, each * 1000)
    _, whole = carry_out(PartPlan(items_of(costs, kinds), agents, rates), linear(0.0, each))
    best = best_of(costs, agents, each)
    assert whole <= best * 4 / 3 + LEAST


@settings(deadline=None)
@given(COSTS.filter(bool), AGENTS, EACH)
def test_agents_end_nearly_together_with_a_rate_that_is_found_out(costs: list[int], agents: int, each: float) -> None:
    """A1: the same, and one part as long as the first are to be, by so much wrong as what was expected."""
    _, whole = carry_out(PartPlan(items_of(costs), agents, Rates(PRIOR)), linear(0.0, each))
    best = best_of(costs, agents, each)
    assert whole <= best * 4 / 3 + LEAST + TARGET / 4 * max(1.0, each / PRIOR.each)


@settings(deadline=None)
@given(COSTS.filter(bool), AGENTS, st.floats(1e-8, 1e-4), st.floats(0.1, 2.0))
def test_agents_end_together_with_a_fixed_part(costs: list[int], agents: int, each: float, fixed: float) -> None:
    """A1: at most half as long again as the best, and two starts."""
    rates = Rates(PRIOR)
    rates.expect("a", Rate(fixed, each))
    rates.note("a", 1000, fixed + each * 1000)
    _, whole = carry_out(PartPlan(items_of(costs), agents, rates), linear(fixed, each))
    best = fixed + best_of(costs, agents, each)
    assert whole <= 1.5 * best + 2 * fixed + LEAST


def test_the_first_parts_are_small_and_what_was_learned_serves_the_next_list() -> None:
    """A1: an agent keeps what it learned."""
    rates = Rates(PRIOR)
    costs = [1000] * 10_000
    first, _ = carry_out(PartPlan(items_of(costs), 1, rates, most_items=10_000), linear(0.0, 1e-6))
    again, _ = carry_out(PartPlan(items_of(costs), 1, rates, most_items=10_000), linear(0.0, 1e-6))
    assert first[0][1] <= TARGET / 4 < 0.9 * TARGET <= again[0][1]


def test_each_kind_has_a_rate_of_its_own() -> None:
    """A1: per language or tool."""
    rates = Rates(PRIOR)
    truth: Truth = lambda part, _: part.cost * (1e-6 if part.kind == "a" else 1e-5)  # noqa: E731
    done, _ = carry_out(PartPlan(items_of([5000] * 8000, "ab"), 2, rates), truth)
    assert math.isclose(rates.of("a").each, 1e-6) and math.isclose(rates.of("b").each, 1e-5)
    assert all(seconds <= TARGET * 1.01 for _, seconds in done[len(done) // 4 :])


def test_a_short_list_is_not_worth_being_divided() -> None:
    """A1: one that takes no longer than a part, or than starting what does it."""
    rates = Rates(PRIOR)
    assert PartPlan(items_of([400_000]), 4, rates).is_short()
    assert not PartPlan(items_of([300_000, 300_000]), 4, rates).is_short()
    rates.expect("a", Rate(1.0, 1e-6))
    assert PartPlan(items_of([300_000, 300_000]), 4, rates).is_short()
    assert PartPlan([], 4, rates).is_short()


def test_no_more_agents_are_started_than_have_something_to_do() -> None:
    """A1: an agent starts in some twentieth of a second."""
    assert [PartPlan(items_of([size]), 1, Rates(PRIOR)).agents_for(4) for size in (10, 120_000, 10**9)] == [1, 2, 4]


def test_nothing_makes_no_part() -> None:
    """A1: an empty list is no error."""
    plan = PartPlan([], 2, Rates(PRIOR))
    assert plan.cut() is None and not plan.left and plan.fraction == 1.0


@pytest.mark.parametrize("bounds", [{"agents": 0}, {"agents": 1, "most_items": 0}])
def test_bounds_below_one_are_refused(bounds: dict[str, int]) -> None:
    """A1: a clear error."""
    with pytest.raises(ValueError, match="expected 1 or more"):
        PartPlan([], rates=Rates(PRIOR), **bounds)


@pytest.mark.parametrize("cost", [0, -1, math.inf, math.nan])
def test_a_cost_that_is_none_is_refused(cost: float) -> None:
    """A1: a clear error."""
    with pytest.raises(ValueError, match="the cost of 'a': expected a finite number above 0"):
        PartPlan([Item("a", cost)], 1, Rates(PRIOR))


@pytest.mark.parametrize(("fixed", "each"), [(-1.0, 1.0), (0.0, 0.0), (math.nan, 1.0), (0.0, math.inf)])
def test_a_rate_that_is_none_is_refused(fixed: float, each: float) -> None:
    """A1: a clear error."""
    with pytest.raises(ValueError, match="expected fixed of 0 or more and each above 0"):
        Rate(fixed, each)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(), st.floats()), max_size=30))
def test_no_measurement_makes_a_rate_that_is_none(measured: list[tuple[float, float]]) -> None:
    """A1: a clock that stood still or was set back says nothing."""
    rates = Rates(Rate(0.5, 1e-6))
    for cost, seconds in measured:
        rates.note("a", cost, seconds)
        assert rates.of("a").fixed >= 0 and rates.of("a").each > 0
