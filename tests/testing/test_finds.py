"""What the simulation has found in the library, each as the smallest run that shows it."""

from __future__ import annotations

import pytest

from actors.config import AgentConfig, SystemConfig
from actors.testing.campaign.workers import Clerk
from actors.testing.simulation import Simulation


@pytest.mark.parametrize("seed", range(5))
def test_an_agent_that_is_to_be_recycled_still_runs_what_its_waiting_task_needs(seed: int) -> None:
    """A7: between two tasks means also between two that wait for nobody."""
    config = SystemConfig(agent=AgentConfig(recycle_after_tasks=2))
    with Simulation({Clerk: 1}, seed=seed, max_agents=1, config=config) as sim:
        nested = sim.system.submit(Clerk.nest, 3, 2)
        sim.settle()
        assert nested.result() == 13
