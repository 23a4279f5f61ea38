"""The book of locks under any course of requests and deaths, and its machine against planted bugs."""

from __future__ import annotations

import re
from typing import Any

import pytest

from actors.core.sync.barrier import Barrier
from actors.core.sync.book import Book
from actors.core.sync.holdable import Holdable
from actors.core.sync.lock import Lock
from actors.core.sync.waitgraph import WaitGraph
from actors.testing.machines import SyncMachine
from tests.testing.planted import FEWER, found_by

TestSync = SyncMachine.TestCase
TestSync.settings = FEWER


class SparesTheDead(Book):
    def gone(self, agent: str, incarnation: int, now: float, why: str) -> list[Any]:
        return []


class LosesWakeUps(Book):
    def _release(self, request: Any, step: Any) -> None:
        thing = self._thing(request, step, Holdable)
        hold = thing.find(request.owner, request.data)
        step.let_go(hold)
        held = tuple(each for each in thing.held if each is not hold)
        step.put(type(thing)(**{**thing.__dict__, "held": held}))
        step.answer(request.ticket, None)


class ForgetsFences(Book):
    def _step(self, now: float) -> Any:
        step = super()._step(now)
        step.fence = 0 if not self.things else step.fence
        return step


class SeesNoDeadlock(Book):
    def _break_deadlocks(self, step: Any) -> None:
        """See nothing."""


class WaitsInVain(Book):
    def _withdraw(self, request: Any, step: Any) -> None:
        step.answer(request.ticket, None)


@pytest.mark.parametrize(
    ("book", "told"),
    [
        (SparesTheDead, "G1"),
        (LosesWakeUps, "G1: . is free, and somebody waits for it"),
        (ForgetsFences, "G1: fencing number 1 after"),
        (SeesNoDeadlock, "G1: .* are stuck, and 0 were told so"),
        (WaitsInVain, "G1"),
    ],
)
def test_the_machine_finds_a_planted_bug(book: type[Book], told: str) -> None:
    """G1: a book that breaks a promise does not pass."""
    said = found_by(SyncMachine, make=lambda _: book())
    assert re.search(told, said), said


def test_the_machine_finds_two_holders(monkeypatch: pytest.MonkeyPatch) -> None:
    """G1: mutual exclusion."""
    monkeypatch.setattr(Lock, "admits", lambda _self, _mode, held: len(held) < 2)
    assert "is held by" in found_by(SyncMachine)


def test_the_machine_finds_a_mere_cycle_taken_for_a_deadlock(monkeypatch: pytest.MonkeyPatch) -> None:
    """G1: no false alarm where another holder can give back."""
    real = WaitGraph.__init__

    def init(self: Any, *args: Any) -> None:
        real(self, *args)
        # Whoever waits for one that waits is taken to be stuck.
        self.stuck.update(dict.fromkeys(owner for owner in self._waits if owner not in self._free))

    monkeypatch.setattr(WaitGraph, "__init__", init)
    said = found_by(SyncMachine)
    assert "can go on" in said or "are stuck" in said, said


def test_the_machine_finds_a_barrier_that_lets_one_pass_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """G1: nobody passes before all have come."""
    real = Barrier.served

    def served(self: Any, grants: Any) -> Any:
        return real(Barrier(**{**self.__dict__, "parties": 1}), grants) if self.queue else self

    monkeypatch.setattr(Barrier, "served", served)
    assert "G1: how many pass a barrier" in found_by(SyncMachine)
