"""Who uses how much, who is over a limit, and whether new work may start."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.config import Limits
from actors.core.ledger import Admission, HardBreach, Ledger, Machine, Sample, SoftBreach
from actors.errors import ConfigError

GIB = 2**30
LIMITS = Limits(memory=1000, open_files=100, processes=10, cpu=80.0)


NO_CEILING = {"a": Limits(memory=None, open_files=None, processes=None, cpu=None)}


def make(**settings: Any) -> Ledger:
    """A ledger with one agent that may be granted anything, on a machine with half of its 100 GiB free."""
    ledger = Ledger(**{"ceilings": NO_CEILING, **settings})
    ledger.opened("a-1", "a", 1, LIMITS)
    assert ledger.measured(Machine(100 * GIB, 50 * GIB)) == []
    return ledger


def machine(available: float, **other: Any) -> Machine:
    """A machine with this share of its memory available."""
    return Machine(1000.0, 1000.0 * available, **other)


# Limits


def test_a_soft_breach_is_told_once_for_each_crossing() -> None:
    """E2: at 80 % of the hard limit."""
    ledger = make()
    assert ledger.sampled("a-1", 1, Sample(memory=800)) == []
    breach = SoftBreach("a-1", 1, "memory", 801, 800)
    assert ledger.sampled("a-1", 1, Sample(memory=801)) == [breach]
    assert ledger.sampled("a-1", 1, Sample(memory=900)) == []
    assert not ledger.inside_limits("a-1")
    assert ledger.sampled("a-1", 1, Sample(memory=700)) == []
    assert ledger.inside_limits("a-1")
    assert ledger.sampled("a-1", 1, Sample(memory=801)) == [breach]


@pytest.mark.parametrize(
    ("sample", "limit", "allowed"),
    [
        (Sample(memory=1001), "memory", 1000),
        (Sample(open_files=101), "open_files", 100),
        (Sample(processes=11), "processes", 10),
    ],
)
def test_a_hard_breach_is_told_at_once_and_once(sample: Sample, limit: Any, allowed: float) -> None:
    """E2: without a soft breach before it; the agent is as good as gone."""
    ledger = make()
    figure = max(each for each in sample if each is not None)
    assert ledger.sampled("a-1", 1, sample) == [HardBreach("a-1", 1, limit, figure, allowed)]
    assert ledger.sampled("a-1", 1, sample) == []
    assert not ledger.inside_limits("a-1")


def test_what_is_exactly_at_the_limit_is_inside_it() -> None:
    """E2: the limit is the most that is allowed."""
    (decision,) = make().sampled("a-1", 1, Sample(memory=1000))
    assert isinstance(decision, SoftBreach)


def test_cpu_only_advises() -> None:
    """A4: no agent is ended for its use of cpu."""
    ledger = make()
    assert ledger.sampled("a-1", 1, Sample(cpu_percent=400.0)) == [SoftBreach("a-1", 1, "cpu", 400.0, 64.0)]
    assert ledger.inside_limits("a-1")


def test_without_a_limit_nothing_is_breached() -> None:
    """A4: agents of plain callables have none."""
    ledger = Ledger()
    ledger.opened("g-1", "general_purpose", 1, Limits())
    assert ledger.sampled("g-1", 1, Sample(1e12, 1e4, 1e6, 1e4)) == []
    assert ledger.inside_limits("g-1")


def test_samples_of_old_incarnations_and_strangers_are_dropped() -> None:
    """E2: a replacement is not judged by what its predecessor used."""
    ledger = make()
    ledger.sampled("a-1", 1, Sample(memory=2000))
    ledger.opened("a-1", "a", 2, LIMITS)
    assert ledger.sampled("a-1", 1, Sample(memory=2000)) == []
    assert ledger.sampled("x-1", 1, Sample(memory=2000)) == []
    assert ledger.use("a-1") == {}
    ledger.closed("a-1", 1)
    assert ledger.limits("a-1") == LIMITS
    ledger.closed("a-1", 2)
    assert ledger.limits("a-1") is None
    assert not ledger.inside_limits("a-1")
    assert ledger.free_share("a-1") == 0.0


def test_limits_change_while_it_runs_and_judge_what_is_known_at_once() -> None:
    """E2: `set_limits`."""
    ledger = make()
    ledger.sampled("a-1", 1, Sample(memory=900, open_files=50))
    assert ledger.change("a-1", Limits(memory=2000)) == []
    assert ledger.limits("a-1") == LIMITS.merged(Limits(memory=2000))
    assert ledger.inside_limits("a-1")
    assert ledger.change("a-1", Limits(memory=1000)) == [SoftBreach("a-1", 1, "memory", 900, 800)]
    assert ledger.change("a-1", Limits(open_files=40)) == [HardBreach("a-1", 1, "open_files", 50, 40)]
    with pytest.raises(ConfigError, match="known: a-1"):
        ledger.change("nobody", Limits(memory=1))


def test_a_limit_can_be_lifted() -> None:
    """E2: None is no limit."""
    ledger = make()
    assert ledger.change("a-1", Limits(memory=None)) == []
    assert ledger.sampled("a-1", 1, Sample(memory=1e12)) == []


def test_memory_is_looked_at_all_the_time_where_a_task_runs_under_a_limit() -> None:
    """E2 A4: 20 times a second, for those that need it."""
    ledger = make()
    ledger.opened("b-1", "b", 1, Limits())
    ledger.opened("a-2", "a", 1, LIMITS)
    for agent in ("a-1", "b-1"):
        ledger.running(agent, 1, running=True)
    ledger.running("a-2", 7, running=True)
    assert ledger.watched() == ["a-1"]
    ledger.sampled("a-1", 1, Sample(memory=5000))
    assert ledger.watched() == []
    ledger.running("a-2", 1, running=True)
    assert ledger.watched() == ["a-2"]
    ledger.running("a-2", 1, running=False)
    assert ledger.watched() == []


def test_the_free_share_is_the_mean_of_cpu_and_memory() -> None:
    """C4: free cpu and memory, their mean."""
    ledger = make()
    assert ledger.free_share("a-1") == 1.0
    ledger.sampled("a-1", 1, Sample(memory=500, cpu_percent=20.0))
    assert ledger.free_share("a-1") == pytest.approx((0.5 + 0.75) / 2)
    ledger.sampled("a-1", 1, Sample(cpu_percent=400.0))
    assert ledger.free_share("a-1") == pytest.approx((0.5 + 0.0) / 2)


# Requests for more


def test_more_memory_is_granted_while_the_machine_can_spare_it() -> None:
    """E2: adjustment."""
    ledger = make()
    ledger.sampled("a-1", 1, Sample(memory=900))
    answer = ledger.asked("a-1", 1, "memory", 500)
    assert answer is not None
    assert (answer.granted, answer.allowed, answer.limits.memory) == (True, 1500, 1500)
    assert ledger.sampled("a-1", 1, Sample(memory=1100)) == []


def test_what_was_granted_is_spoken_for_until_the_machine_is_measured_again() -> None:
    """E2: two requests do not get the same memory."""
    ledger = Ledger(memory_enough=0.1, ceilings=NO_CEILING)
    ledger.opened("a-1", "a", 1, LIMITS)
    ledger.measured(Machine(10_000, 2000))
    first = ledger.asked("a-1", 1, "memory", 800)
    second = ledger.asked("a-1", 1, "memory", 800)
    third = ledger.asked("a-1", 1, "memory", 800)
    assert first is not None
    assert second is not None
    assert third is not None
    assert (first.granted, first.allowed) == (True, 1800)
    assert (second.granted, second.allowed) == (True, 2000)
    assert (third.granted, third.allowed) == (False, 2000)
    assert "can spare 0" in third.reason


def test_the_ceiling_of_a_type_bounds_what_is_granted() -> None:
    """E4: quotas per type."""
    ledger = make(ceilings={"a": Limits(memory=1200, open_files=100, processes=None)})
    answer = ledger.asked("a-1", 1, "memory", 500)
    assert answer is not None
    assert (answer.granted, answer.allowed) == (True, 1200)
    answer = ledger.asked("a-1", 1, "memory", 500)
    assert answer is not None
    assert not answer.granted
    assert "ceiling of a is 1200" in answer.reason
    answer = ledger.asked("a-1", 1, "open_files", 50)
    assert answer is not None
    assert not answer.granted
    answer = ledger.asked("a-1", 1, "processes", 50)
    assert answer is not None
    assert (answer.granted, answer.limits.processes) == (True, 60)


@pytest.mark.parametrize("ceilings", [{}, {"b": Limits(memory=5000)}, {"a": Limits(open_files=500)}])
def test_without_a_ceiling_a_limit_holds(ceilings: dict[str, Limits]) -> None:
    """E2: a task that allocates without end dies at its limit: the limit does not give way because it is reached."""
    answer = make(ceilings=ceilings).asked("a-1", 1, "memory", 500)
    assert answer is not None
    assert (answer.granted, answer.allowed) == (False, 1000)
    assert "no ceiling of memory is set for a" in answer.reason


@pytest.mark.parametrize(
    ("limit", "amount", "granted", "word"),
    [
        ("memory", 0, False, "above 0"),
        ("memory", -5, False, "above 0"),
        ("memory", float("nan"), False, "above 0"),
        ("memory", float("inf"), False, "above 0"),
        ("open_files", 0.2, False, "less than one"),
        ("disk", 5, False, "known: memory"),
        ("cpu", 20, True, "granted"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_and_told_why(
    *, limit: str, amount: float, granted: bool, word: str
) -> None:
    """E2: requests come from agents, so anything may come."""
    answer = make().asked("a-1", 1, limit, amount)
    assert answer is not None
    assert answer.granted is granted
    assert word in answer.reason


def test_requests_before_the_first_measurement_of_strangers_and_without_a_limit() -> None:
    """E2: no memory is given away unseen."""
    ledger = Ledger()
    ledger.opened("a-1", "a", 1, LIMITS)
    ledger.opened("b-1", "b", 1, Limits())
    answer = ledger.asked("a-1", 1, "memory", 10)
    assert answer is not None
    assert not answer.granted
    assert ledger.asked("a-1", 2, "memory", 10) is None
    assert ledger.asked("x-1", 1, "memory", 10) is None
    answer = ledger.asked("b-1", 1, "memory", 10)
    assert answer is not None
    assert answer.granted


# Admission


def test_work_is_held_back_below_five_percent_of_memory_and_goes_on_above_seven() -> None:
    """E3: with a gap between, so that it does not flutter."""
    ledger = Ledger()
    assert ledger.measured(machine(0.05)) == []
    (closed,) = ledger.measured(machine(0.049))
    assert closed == Admission(open=False, short=frozenset({"memory"}), why="4.9% of the memory is available")
    assert ledger.admission == closed
    assert ledger.measured(machine(0.06)) == ledger.measured(machine(0.07)) == []
    (opened,) = ledger.measured(machine(0.071))
    assert opened == Admission(open=True, short=frozenset(), why="")


def test_shortness_of_cpu_and_io_is_told_but_holds_back_only_where_asked_for() -> None:
    """A1 E3: two `high` do not start together while the machine is short; admission is another matter."""
    busy = machine(0.5, cpu_idle=0.01, io_wait=0.9)
    (told,) = Ledger().measured(busy)
    assert isinstance(told, Admission)
    assert told.open
    assert told.short == {"cpu", "io"}
    ledger = Ledger(admit_by=["io"])
    (told,) = ledger.measured(busy)
    assert isinstance(told, Admission)
    assert not told.open
    assert told.why == "90.0% of the time is spent waiting for disks"
    (told,) = ledger.measured(machine(0.5, cpu_idle=0.01, io_wait=0.1))
    assert isinstance(told, Admission)
    assert (told.open, told.short) == (True, {"cpu"})


def test_what_was_not_measured_this_time_stays_as_it_was() -> None:
    """E3: a fast look at memory does not end a shortness of cpu."""
    ledger = Ledger()
    ledger.measured(machine(0.5, cpu_idle=0.01, io_wait=0.9))
    assert ledger.measured(machine(0.5)) == []
    assert ledger.admission.short == {"cpu", "io"}


@given(st.lists(st.floats(0, 1), min_size=1))
def test_admission_is_closed_since_a_low_figure_without_a_sufficient_one_after_it(figures: list[float]) -> None:
    """E3: for any course of the machine."""
    ledger = Ledger()
    decided = []
    for figure in figures:
        decided += ledger.measured(machine(figure))
    marks = [figure < 0.05 for figure in figures if figure < 0.05 or figure > 0.07]
    assert ledger.admission.open is not (bool(marks) and marks[-1])
    # Each decision is a change.
    assert [decision.open for decision in decided] == [bool(n % 2) for n in range(len(decided))]
