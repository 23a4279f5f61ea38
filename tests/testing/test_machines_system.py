"""The system as a whole, driven by all that a program can do with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.protocol.messages import Priority
from actors.testing.machines.system import SystemMachine, check_system
from actors.testing.replaying import replay


@pytest.fixture(autouse=True)
def _pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTORS_FAILURES", str(tmp_path))


def test_nothing_that_a_program_does_breaks_a_promise() -> None:
    """D8 and all the others: a small number of histories; `make simulate` runs 500."""
    check_system(30)


def test_the_machine_finds_a_result_that_is_wrong() -> None:
    """Sabotage: a machine that never fails proves nothing."""

    def run() -> None:
        with replay(SystemMachine) as machine:
            machine.adds(a=1, b=2, priority=Priority.NORMAL, retries=0)
            machine.model.work[0].value = lambda: 4
            machine.rests()

    with pytest.raises(AssertionError, match=r"D8: \S+ \(add\) gave 3 and should have given 4"):
        run()
