"""How much work an agent may hold ahead of what it runs."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from actors.core.credit import LONG, QUEUED_WORK, UNKNOWN, Estimates, allowance, release, reserve
from actors.core.fleet import Agent, AgentType, Skill
from actors.core.profile import Profile
from actors.core.task import Needs, Task, TaskKind

DURATIONS = st.one_of(st.just(UNKNOWN), st.floats(0, 0.002), st.floats(0, 2 * LONG))


def new_agent(slots: int) -> Agent:
    """An agent that holds nothing."""
    return Agent("a", 1, Skill(Profile("general"), AgentType("general")), slots, None, 5.0, 60.0)


@given(st.integers(1, 8), st.lists(st.tuples(DURATIONS, st.booleans()), max_size=400))
@example(1, [(0.0, False)] * 4 + [(0.0625, False), (0.0, False)])  # what takes no time waits behind what does
def test_what_is_held_stays_within_the_rules(slots: int, steps: list[tuple[float, bool]]) -> None:
    """A4: free slots always; ahead none behind long ones, one of the unknown, five, or 5 ms of very short ones."""
    agent = new_agent(slots)
    for number, (estimate, back) in enumerate(steps):
        if back and agent.held:
            gone = agent.held.pop(next(iter(agent.held)))
            release(agent, gone.estimate)
        if allowance(agent, estimate, 5, 256) <= 0:
            assert len(agent.held) >= slots
            continue
        task = Task(number, "t", TaskKind("work", Needs()))
        task.estimate = estimate
        agent.held[number] = task
        reserve(agent, estimate)
        if len(agent.held) > slots:
            assert estimate < LONG
            assert not agent.longs
            if agent.unknowns:
                assert len(agent.held) == slots + 1
            assert len(agent.held) <= max(5, slots + 1) or agent.work <= QUEUED_WORK * 1.001
            assert len(agent.held) <= 256
    for task in list(agent.held.values()):
        del agent.held[task.number]
        release(agent, task.estimate)
    assert (agent.longs, agent.unknowns, agent.work) == (0, 0, 0.0)


def test_an_estimate_rises_at_once_and_falls_slowly() -> None:
    """C2: a task that has become slow is not sent ahead as if it were quick."""
    estimates = Estimates()
    kind = TaskKind("work", Needs(), duration=7.0)
    assert estimates.of(kind) == 7.0
    assert estimates.of(TaskKind("other", Needs())) == UNKNOWN
    estimates.note("work", 0.001)
    assert estimates.of(kind) == 0.001
    estimates.note("work", 1.0)
    assert estimates.of(kind) > 0.4
    for _ in range(5):
        estimates.note("work", 0.001)
    assert estimates.of(kind) > 0.2


def test_the_table_of_estimates_is_bounded() -> None:
    """D2: as many different tasks as anybody likes."""
    estimates = Estimates()
    for number in range(20_000):
        estimates.note(f"family{number}", 1.0)
    assert len(estimates.means) == 10_000
