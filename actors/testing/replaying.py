"""Runs a machine again, step by step and choice by choice, as it failed."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any, TypeVar

from actors.errors import ConfigError
from actors.testing.faults import FaultPlan
from actors.testing.machines.simulated import Origin, SimulatedMachine
from actors.testing.sim.choices import ScriptedChoices

__all__ = ["replay"]

M = TypeVar("M", bound=SimulatedMachine)


@contextlib.contextmanager
def replay(machine: type[M], *, script: str = "", faults: FaultPlan | None = None) -> Iterator[M]:
    """A machine without Hypothesis: its rules are called by name, and its choices are those of a script.

    A failure of a machine prints the lines to be put here; they stay a test when the error is mended. Each rule that is
    called is followed by the machine's invariants, and the end of the block by its teardown.

    Args:
        machine: the class of the machine.
        script: the choices, as the failure printed them; further ones are plain.
        faults: what may go wrong, where the class leaves that to Hypothesis.

    Raises:
        ConfigError: `machine` is no such class, or `script` is no script.

    Example:
        with replay(AccountMachine, script="0*37 2 0*5 1") as machine:
            machine.pay(amount=3)
            machine.kills(agent="account-1")
    """
    if not (isinstance(machine, type) and issubclass(machine, SimulatedMachine)):
        raise ConfigError(
            f"replay takes the class of a machine that runs in a simulation, not {machine!r}",
            key="machine",
            value=machine,
            allowed="a class derived from WorkerMachine or SystemMachine",
        )
    with Origin(ScriptedChoices(script), faults).inside():
        made = machine()
    for name, function in machine.steps_by_name().items():
        setattr(made, name, functools.partial(_step, made, name, function))
    try:
        made.check_all()
        yield made
    finally:
        made.teardown()


def _step(machine: SimulatedMachine, name: str, function: Any, /, **arguments: Any) -> Any:
    result = machine.take_step(name, function, arguments)
    machine.check_all()
    return result
