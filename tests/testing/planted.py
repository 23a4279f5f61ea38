"""A machine against a bug that was planted."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

__all__ = ["FEWER", "found_by"]

FEWER = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
"""What a machine runs with in the tests."""


def found_by(machine: type[RuleBasedStateMachine], **changed: Any) -> str:
    """Run a machine with parts of it replaced (its methods by name) until it fails, and give what it says."""
    sabotaged: Any = type(machine.__name__, (machine,), changed)
    # It stops at the first failure, and the smallest is not asked for. So many examples are there since which they are
    # depends on what modules are loaded (Hypothesis takes constants from their code), and that must not decide.
    how = settings(max_examples=1_000, derandomize=True, database=None, phases=[Phase.generate], deadline=None)
    with pytest.raises(AssertionError) as caught:
        run_state_machine_as_test(sabotaged, settings=how)
    return str(caught.value)
