"""The plan of a supervisor under any sequence of events, and the machines against planted bugs."""

from __future__ import annotations

from typing import Any

import pytest

from actors.core.children import ChildSpec, Intensity
from actors.core.retry import Backoff
from actors.core.supervision import SupervisionPlan
from actors.core.supervisionactions import Action, Later
from actors.testing.machines import SupervisorMachine, SupervisorStoryMachine
from tests.testing.planted import FEWER, found_by

TestSupervisor = SupervisorMachine.TestCase
TestSupervisor.settings = FEWER
TestSupervisorStory = SupervisorStoryMachine.TestCase
TestSupervisorStory.settings = FEWER


class OneRestartTooMany(SupervisionPlan):
    def __init__(self, children: Any, *, intensity: Intensity, **settings: Any) -> None:
        super().__init__(children, intensity=Intensity(intensity.restarts + 1, intensity.period), **settings)


class GivesUpEarly(SupervisionPlan):
    def _try_again(self, record: Any, why: str, now: float) -> list[Action]:
        if self._restarts:
            self._restarts.appendleft((now - self._intensity.period, "it did not"))
        return super()._try_again(record, why, now)


class DoesNotWait(SupervisionPlan):
    def __init__(self, children: Any, *, backoff: Backoff, **settings: Any) -> None:
        super().__init__(children, backoff=Backoff(first=backoff.first / 2, jitter=backoff.jitter), **settings)


class ForgetsAWait(SupervisionPlan):
    def due(self, now: float) -> list[Action]:
        return [action for action in super().due(now) if isinstance(action, Later)]


class RestartsTheEnded(SupervisionPlan):
    def exited(self, child: str, reason: Any, now: float, why: str = "") -> list[Action]:
        return super().exited(child, "failure", now, why)


class StartsBackwards(SupervisionPlan):
    def _restarted_with(self, child: str) -> list[str]:
        return super()._restarted_with(child)[::-1]


PLANTED = [
    (SupervisorStoryMachine, OneRestartTooMany),
    (SupervisorStoryMachine, GivesUpEarly),
    (SupervisorStoryMachine, DoesNotWait),
    (SupervisorStoryMachine, RestartsTheEnded),
    (SupervisorStoryMachine, StartsBackwards),
    (SupervisorMachine, OneRestartTooMany),
    (SupervisorMachine, GivesUpEarly),
    (SupervisorMachine, DoesNotWait),
    (SupervisorMachine, ForgetsAWait),
]


@pytest.mark.parametrize(("machine", "bug"), PLANTED)
def test_the_machine_finds_a_planted_bug(machine: Any, bug: type[SupervisionPlan]) -> None:
    """F1: a check that never fails proves nothing."""

    def make(_: Any, children: list[ChildSpec], **settings: Any) -> SupervisionPlan:
        return bug(children, **settings)

    assert found_by(machine, make=make).startswith("F1")
