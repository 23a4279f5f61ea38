"""The machine of two ends of a connection, run as a history of a seed: for mutations of what no simulation reaches."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.core.test_peering import TwoEnds

__all__ = ["run_two_ends"]


def run_two_ends(number: int, *, steps: int) -> None:
    """Run the machine a few times.

    Args:
        number: the seed.
        steps: how long a run is at most.

    Raises:
        AssertionError: a promise was broken.
    """
    rules = settings(
        max_examples=20,
        stateful_step_count=min(steps, 60),
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    run_state_machine_as_test(seed(number)(TwoEnds), settings=rules)
