"""The ledger under any course of figures and requests, and the machine against planted bugs."""

from __future__ import annotations

from typing import Any

import pytest

from actors.core.ledger import Ledger, LedgerDecision, Machine
from actors.testing.machines import LedgerMachine
from tests.testing.planted import FEWER, found_by

TestLedger = LedgerMachine.TestCase
TestLedger.settings = FEWER


class PromisesTwice(Ledger):
    def asked(self, *args: Any) -> Any:
        self._promised = 0.0
        return super().asked(*args)


class NeverGivesBack(Ledger):
    def measured(self, machine: Machine) -> list[LedgerDecision]:
        promised = self._promised
        decisions = super().measured(machine)
        self._promised = promised
        return decisions


class WarnsAgain(Ledger):
    def sampled(self, agent: str, *args: Any) -> list[LedgerDecision]:
        if agent in self._accounts:
            self._accounts[agent].over_soft.clear()
        return super().sampled(agent, *args)


class ClosesTheWrongLife(Ledger):
    def closed(self, agent: str, incarnation: int) -> None:
        self._accounts.pop(agent, None)


class BearsTheCondemned(Ledger):
    def _judge(self, agent: str, account: Any, names: Any) -> list[LedgerDecision]:
        account.condemned = False
        return super()._judge(agent, account, names)


class Flutters(Ledger):
    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._memory_enough = self._memory_low


@pytest.mark.parametrize(
    ("bug", "promise"),
    [
        (PromisesTwice, "E2"),
        (NeverGivesBack, "E2"),
        pytest.param(WarnsAgain, "", marks=pytest.mark.slow),
        (ClosesTheWrongLife, ""),
        (BearsTheCondemned, "E2"),
        (Flutters, "E"),
    ],
)
def test_the_machine_finds_a_planted_bug(bug: type[Ledger], promise: str) -> None:
    """E2 E3: a check that never fails proves nothing."""
    assert found_by(LedgerMachine, make=lambda _, **settings: bug(**settings)).startswith(promise)
