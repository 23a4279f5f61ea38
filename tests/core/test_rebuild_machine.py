"""The scheduler's mind under any order of events, failing in the middle of any of its steps."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from actors.core.settings import EngineSettings
from actors.testing.machines import SchedulerMachine
from actors.testing.machines.fallible import FallibleEngine
from tests.testing.planted import FEWER


class FallibleSchedulerMachine(SchedulerMachine):
    """F1: the scheduler's machine, whose engine fails on lines that a rule names, and is made anew."""

    def make(self, settings: EngineSettings) -> FallibleEngine:
        """An engine that fails when it is told to."""
        self.failing: dict[int, list[int]] = {}
        return FallibleEngine(settings, random.Random(0), self.failing)

    @rule(
        ahead=st.integers(0, 3),
        lines=st.lists(st.one_of(st.integers(1, 30), st.integers(1, 400)), min_size=1, max_size=3),
    )
    def it_will_fail(self, ahead: int, lines: list[int]) -> None:
        """One of the next calls fails on a line, and perhaps what is done about it, too."""
        assert isinstance(self.engine, FallibleEngine)
        self.failing[len(self.engine.calls) + 1 + ahead] = lines

    def an_agent_reports_nonsense(self, **drawn: Any) -> None:
        """How often nonsense is counted is not promised when it is told again."""


FallibleSchedulerMachine.TestCase.settings = settings(FEWER, deadline=None)
TestFallibleScheduler = FallibleSchedulerMachine.TestCase
