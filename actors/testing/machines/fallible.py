"""A scheduler's mind that fails in the middle of what it does, is made anew, and is told once more what it was told."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import wraps
from typing import Any

from actors.core.decisions import Decision
from actors.core.engine import Engine
from actors.core.settings import EngineSettings
from actors.core.task import Task
from actors.testing.linefailure import LineFailed, LineFailure, is_of_the_mind
from actors.testing.machines.promise import must

__all__ = ["FallibleEngine"]

_TOLD = (
    "submit",
    "submit_graph",
    "restore",
    "retry_dead",
    "unservable",
    "cancel",
    "take_result",
    "admission",
    "pause",
    "resume",
    "close",
    "tick",
    "decide",
    "profile_known",
    "profile_forgotten",
    "agent_starting",
    "agent_requested",
    "spawn_failed",
    "agent_ready",
    "agent_gone",
    "agent_drain",
    "agent_waiting",
    "agent_resumed",
    "agent_measured",
    "type_failed",
    "type_mended",
    "set_max_agents",
    "started",
    "finished",
    "finished_many",
    "refused",
    "withheld",
    "recalled",
    "progressed",
    "observed",
    "breached",
)


def _told(name: str) -> Callable[..., Any]:
    method = getattr(Engine, name)

    @wraps(method)
    def tell(self: FallibleEngine, *args: Any, **named: Any) -> Any:
        return self._told(name, args, named)

    return tell


class FallibleEngine(Engine):
    """Like `Engine`, but some of the calls of its methods fail on one of the lines that they carry out.

    Then it is what a shell makes of it: the books are made anew, whatever it was told is told once more, and what it had
    decided is not lost. After that each task must stand as before the call, or as after it.

    Args:
        settings: as for `Engine`.
        rng: as for `Engine`.
        failing: by the number of the call, counted from 1, the line that fails, counted from 1 in that call; any further
            ones fail while the books are made anew after it. A line that the call does not come to does not fail.
        keep: whether to remember the lines of all calls.

    Attributes:
        calls: of each call until now the name, and with `keep` its lines.
        failures: the places that have failed.

    Its methods raise AssertionError if an invariant does not hold afterwards, or a task stands in between.
    """

    def __init__(
        self, settings: EngineSettings, rng: Any, failing: Mapping[int, Sequence[int]] = {}, *, keep: bool = False
    ) -> None:
        super().__init__(settings, rng)
        self.calls: list[tuple[str, Sequence[tuple[str, int]]]] = []
        self.failures: list[tuple[str, int]] = []
        self._failing = failing
        self._keep = keep
        self._decided: deque[Decision] = deque()
        self._inside = False

    def take(self) -> list[Decision]:
        """The decisions, whatever failed."""
        self.decide(self._decided)
        decided = list(self._decided)
        self._decided.clear()
        return decided

    def _told(self, name: str, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        method = getattr(Engine, name)
        if self._inside:
            return method(self, *args, **named)
        lines = deque(self._failing.get(len(self.calls) + 1, ()))
        self._inside = True
        try:
            if lines:
                return self._fails(name, args, named, lines)
            if not self._keep:
                return method(self, *args, **named)
            with LineFailure(0, is_of_the_mind, keep=True) as passed:
                return method(self, *args, **named)
        finally:
            self._inside = False
            self.calls.append((name, passed.passed or () if self._keep and not lines else ()))

    def _fails(self, name: str, args: tuple[Any, ...], named: dict[str, Any], lines: deque[int]) -> Any:
        method = getattr(Engine, name)
        if name == "recalled":
            named = {**named, "answer": object()}
        twin = copy.deepcopy((self, args, named))
        before = _records(self)
        known = self.task(args[0]) if name == "cancel" else None
        could = known is not None and not known.final
        failure = LineFailure(lines.popleft(), is_of_the_mind)
        try:
            with failure:
                return method(self, *args, **named)
        except LineFailed:
            self._make_anew(failure, lines)
        self._judge(name, before, twin)
        if name == "submit" and self.task(args[0].number) is args[0]:
            return None
        again = method(self, *args, **named)
        return could if name == "cancel" else again

    def _make_anew(self, failure: LineFailure, lines: deque[int]) -> None:
        while failure.place is not None:
            self.failures.append(failure.place)
            failure = LineFailure(lines.popleft() if lines else 0, is_of_the_mind)
            with suppress(LineFailed), failure:
                self.rebuild(self._decided, (), self._book.now)
        self.check()

    def _judge(self, name: str, before: dict[int, tuple[Any, ...]], twin: Any) -> None:
        other, args, named = twin
        getattr(Engine, name)(other, *args, **named)
        after = _records(other)
        for number, now in _records(self).items():
            told = before.get(number), after.get(number)
            must(now in told, "F1", f"a failure on {self.failures} in {name} leaves task {number} as", now, "not", told)


def _records(engine: Engine) -> dict[int, tuple[Any, ...]]:
    """What matters of each task, and whether it can be run again."""
    dead = {letter.number for letter, _ in engine.dead_letters(1_000_000) if letter.retryable}
    return {task.number: (*_record(task), task.number in dead) for task in engine.tasks()}


def _record(task: Task) -> tuple[Any, ...]:
    error = f"{type(task.error).__name__}: {task.error}" if isinstance(task.error, BaseException) else task.error
    place = (task.agent, task.incarnation) if task.agent is not None else None
    record = (task.status.name, task.attempt, task.retried, task.spared, place)
    return (*record, error, task.result, task.cancelling, task.taken)


for _name in _TOLD:
    setattr(FallibleEngine, _name, _told(_name))
