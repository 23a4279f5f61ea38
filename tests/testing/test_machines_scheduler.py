"""The scheduler's mind under any order of events, and the machine against planted bugs."""

from __future__ import annotations

from typing import Any

import pytest

from actors.core.engine import Engine
from actors.core.fleet import Fleet
from actors.core.outcomes import Outcomes
from actors.core.settings import EngineSettings
from actors.testing.machines import SchedulerMachine
from tests.testing.planted import FEWER, found_by

TestScheduler = SchedulerMachine.TestCase
TestScheduler.settings = FEWER


class Engines:
    """Engines whose parts are sabotaged."""

    @staticmethod
    def resolves_twice(monkeypatch: pytest.MonkeyPatch) -> None:
        ended = Outcomes.cancel

        def cancel(self: Outcomes, task: Any, reason: str) -> None:
            ended(self, task, reason)
            self._book.out.append(self._book.out[-1])

        monkeypatch.setattr(Outcomes, "cancel", cancel)

    @staticmethod
    def forgets_to_hand_back(monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Outcomes, "hand_back", lambda *_, **__: None)

    @staticmethod
    def does_not_count_starting(monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Fleet, "count", property(lambda fleet: len(fleet.agents) - 1))

    @staticmethod
    def leaves_an_idle_agent(monkeypatch: pytest.MonkeyPatch) -> None:
        def agent_ready(engine: Engine, agent: str, _: int, __: float) -> None:
            engine._book.fleet.ready(engine._book.fleet.agents[agent])

        monkeypatch.setattr(Engine, "agent_ready", agent_ready)

    @staticmethod
    def does_not_wait_for_dependencies(monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("actors.core.engine.link", lambda *_: None)

    @staticmethod
    def keeps_the_capacity(monkeypatch: pytest.MonkeyPatch) -> None:
        from actors.core.book import Book

        let_go = Book.let_go

        def keeps(book: Book, agent: Any, task: Any, told: int = 0) -> None:
            let_go(book, agent, task, told)
            for name in agent.skill.highs:
                book.highs[name] += 1

        monkeypatch.setattr(Book, "let_go", keeps)


BUGS = [name for name in vars(Engines) if not name.startswith("_")]


# Found late, and made small for long.
_LONG = "forgets_to_hand_back"


@pytest.mark.parametrize("bug", [pytest.param(bug, marks=pytest.mark.slow) if bug == _LONG else bug for bug in BUGS])
def test_the_machine_finds_a_planted_bug(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """C1 C3 D3 D8 E4: a check that never fails proves nothing."""
    getattr(Engines, bug)(monkeypatch)
    assert found_by(SchedulerMachine)


def test_another_engine_can_be_driven() -> None:
    """J2: by overriding `make`."""
    made: list[EngineSettings] = []

    def make(_: SchedulerMachine, settings: EngineSettings) -> Engine:
        made.append(settings)
        raise AssertionError("D8: mine")

    assert found_by(SchedulerMachine, make=make).startswith("D8: mine")
    assert made
