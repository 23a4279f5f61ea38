"""A machine against a bug that was planted."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

__all__ = ["FEWER", "found_by"]

FEWER = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
"""What a machine runs with in the tests; a planted bug is looked for with the default number of examples."""


def found_by(machine: type[RuleBasedStateMachine], **changed: Any) -> str:
    """Run a machine with parts of it replaced (its methods by name) until it fails, and give what it says."""
    sabotaged: Any = type(machine.__name__, (machine,), changed)
    # The same examples each time: whether a bug is found must not be luck. The smallest example is not asked for.
    how = settings(derandomize=True, database=None, phases=[Phase.generate], deadline=None)
    with pytest.raises(AssertionError) as caught:
        run_state_machine_as_test(sabotaged, settings=how)
    return str(caught.value)
