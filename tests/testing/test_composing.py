"""Strategies inside tasks, in the simulation: what they come to, and that nothing is left of what nobody needs."""

from __future__ import annotations

from typing import Any

import pytest

from actors.protocol.states import TaskStatus
from actors.testing.campaign.composing import Composer
from actors.testing.campaign.workers import Clerk, Runner
from actors.testing.simulation import Simulation
from actors.worker import Worker, task

FOR_EVER = 1e6


class Hasty(Worker):
    """Needs some of several results."""

    @task
    def first(self, number: int) -> Any:
        """Of four, three of which have no end."""
        return self.race([(Clerk.slow, -1, FOR_EVER)] * 3 + [(Runner.fetch, number, 0.1)]).result()

    @task
    def two(self, number: int) -> Any:
        """Two of three that are the same; the third has no end."""
        calls = [(Clerk.slow, -1, FOR_EVER), (Clerk.add, number, 0), (Runner.fetch, number, 0.1)]
        return self.quorum(calls, need=2).result()


@pytest.mark.parametrize("seed", range(5))
def test_strategies_inside_tasks_give_what_they_promise(seed: int) -> None:
    """G2: in order, one winner, each item once."""
    with Simulation({Clerk: (0, 2), Runner: (0, 1), Composer: (0, 2)}, seed=seed, max_agents=4) as sim:
        wanted: list[tuple[Any, tuple[Any, ...], Any]] = [
            (Composer.doubled, (4,), [0, 2, 4, 6]),
            (Composer.gathered, (4,), [0, 2, 4, 6]),
            (Composer.first_of, (7, 2), 7),
            (Composer.agreed, (5,), 5),
            (Composer.passed_on, (4, True), [2, 3, 4, 5]),
            (Composer.passed_on, (4, False), [2, 3, 4, 5]),
            (Composer.reduced, (5,), 10),
        ]
        futures = [sim.system.submit(call, *args) for call, args, _ in wanted]
        assert [future.result(timeout=500) for future in futures] == [value for _, _, value in wanted]
        sim.settle()


@pytest.mark.parametrize("call", [Hasty.first, Hasty.two])
@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_left_of_the_parts_that_lose(call: Any, seed: int) -> None:
    """G2, D6: they are cancelled, and the agents that ran them are free."""
    with Simulation({Clerk: (0, 4), Runner: (0, 1), Hasty: (0, 1)}, seed=seed, max_agents=6) as sim:
        future = sim.system.submit(call, 3)
        assert future.result(timeout=100) == 3
        sim.settle(most=100)
        parts = [each for each in sim.engine.tasks() if each.parent == future.number]
        endless = [each for each in parts if each.kind.name == "clerk.slow"]
        assert endless
        assert {each.status for each in endless} == {TaskStatus.CANCELLED}
        assert {each.status for each in parts if each not in endless} == {TaskStatus.COMPLETED}
