"""The registry under any course of lives, and the machine against planted bugs."""

from __future__ import annotations

from typing import Any

import pytest

from actors.core.registry import Departure, Registry
from actors.testing.machines import RegistryMachine
from tests.testing.planted import FEWER, found_by

TestRegistry = RegistryMachine.TestCase
TestRegistry.settings = FEWER


class KeepsWatchers(Registry):
    def gone(self, agent: str, incarnation: int, now: float, *, replaced: bool = False) -> Departure | None:
        watchers = dict(self._watchers)
        departure = super().gone(agent, incarnation, now, replaced=replaced)
        self._watchers = {name: who for name, who in watchers.items() if name in self}
        return departure


class HearsTheDead(Registry):
    def _current(self, agent: str, incarnation: int) -> Any:
        return self._agents.get(agent)


class LosesNumbers(Registry):
    def release_id(self, agent: str, agent_type: str) -> None:
        pass


class LeavesAtOnce(Registry):
    def leaves(self, agent: str, job: str, incarnation: int | None = None) -> None:
        if agent in self._agents and self._agents[agent].jobs[job]:
            self._agents[agent].jobs[job] = 1
        super().leaves(agent, job, incarnation)


class TellsOfEverySilence(Registry):
    def _hear(self, record: Any, now: float) -> None:
        heard = self._quiet.get(record.agent, now)
        super()._hear(record, now)
        if record.agent in self._quiet:
            self._quiet[record.agent] = heard


@pytest.mark.parametrize(
    ("bug", "promise"),
    [
        (KeepsWatchers, "F2"),
        (HearsTheDead, "A"),
        (LosesNumbers, "A3"),
        (LeavesAtOnce, "C5"),
        # Found late, after many steps.
        pytest.param(TellsOfEverySilence, "A5", marks=pytest.mark.slow),
    ],
)
def test_the_machine_finds_a_planted_bug(bug: type[Registry], promise: str) -> None:
    """A3 A5 B1 F2: a check that never fails proves nothing."""
    assert found_by(RegistryMachine, make=lambda _: bug()).startswith(promise)
