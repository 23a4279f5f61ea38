"""saga: steps in order, each with what undoes it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from actors.coordination.calls import CallLike, Invocation, invocation
from actors.coordination.gathering import outcome_of
from actors.coordination.sagaplan import Course, Move, SagaPlan
from actors.coordination.whole import Whole, noted
from actors.errors import ConfigError, SagaFailed
from actors.future import TaskFuture
from actors.hosts.ground import Ground
from actors.hosts.markers import filled
from actors.hosts.options import Options

__all__ = ["ResultFrom", "Saga", "Step", "steps_of"]

_TRIES = 5


@dataclass(frozen=True, slots=True)
class ResultFrom:
    """Stands among the arguments of a step, or of a compensation, for the result of a step before it, or of its own.

    At the top level of the arguments, or one list, tuple or dict deep.

    Args:
        step: its name, or its number from 0.
    """

    step: str | int


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a saga.

    Args:
        call: what it does: a task method or any callable, with arguments a tuple (call, *arguments) or a partial.
        undo: what makes it undone, written in the same way; None if there is nothing to undo.
        name: for `ResultFrom` and errors; None takes that of the call.
    """

    call: CallLike
    undo: CallLike | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class _Step:
    """A step that was looked through."""

    name: str
    call: Invocation
    undo: Invocation | None


def steps_of(given: Any) -> list[_Step]:
    """The steps, checked.

    Args:
        given: of each step a `Step`, or a pair of what it does and what undoes it.

    Raises:
        TypeError: something of it cannot be called.
        ConfigError: two steps have one name, or one wants the result of a step that is not before it.
        ValueError: there is no step.
    """
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise TypeError(f"saga takes steps, each a pair (call, compensation) or a Step, not {given!r:.200}")
    steps: list[_Step] = []
    for number, each in enumerate(given):
        if isinstance(each, tuple) and len(each) == 2:
            each = Step(*each)  # noqa: PLW2901 - the pair is short for it
        if not isinstance(each, Step):
            raise TypeError(
                f"step {number} of the saga is a pair (call, compensation) or a Step, not {each!r:.200}; "
                "compensation None says that there is nothing to undo"
            )
        call = invocation(each.call, f"step {number} of the saga")
        undo = None if each.undo is None else invocation(each.undo, f"the compensation of step {number} of the saga")
        name = each.name or call.name
        if any(step.name == name for step in steps):
            if each.name is not None:
                raise ConfigError(f"two steps of the saga are called {name!r}", key="name", value=name)
            name = f"{name}#{number}"
        steps.append(_Step(name, call, undo))
    if not steps:
        raise ValueError("saga takes one step at least, and got none")
    for number, step in enumerate(steps):
        _filled(step.call, steps, [None] * number)
        if step.undo is not None:
            _filled(step.undo, steps, [None] * (number + 1))
    return steps


class Saga(Whole):
    """See `Strategies.saga`.

    Args:
        steps: as `steps_of` gives them.
        ground, options, timeout: see `Whole`.
    """

    what = "saga"

    def __init__(self, steps: list[_Step], ground: Ground, options: Options, timeout: float | None) -> None:
        self._once = options.once
        if self._once is not None:
            options = options.updated({"once": None})
        super().__init__(ground, options, timeout)
        self._steps = steps
        self._plan = SagaPlan([step.undo is not None for step in steps])
        self._results: list[Any] = []
        self._cause: BaseException | None = None
        self._cancelled: str | None = None
        self._failures: list[tuple[str, BaseException]] = []

    def begin(self) -> None:
        """Do the first step."""
        self._go_on()

    def cancel(self, reason: str) -> bool:
        """Have it undone. The step in hand may end first: whether one that is interrupted was done, nobody knows."""
        if self.future.done():
            return self.future.cancelled()
        if self._cancelled is None:
            self._cancelled = reason
            self.post(self._plan.turn_back)
        return True

    def is_quick(self, part: TaskFuture[Any]) -> bool:
        """Never: what comes next is handed in."""
        return False

    def part_ended(self, key: Move, part: TaskFuture[Any]) -> None:
        """Note what came of a move, and make the next one."""
        error, value = outcome_of(part)
        self._moved(key, error, value)
        self._go_on()

    def _moved(self, move: Move, error: BaseException | None, value: Any) -> None:
        step = self._steps[move.step]
        if error is not None:
            noted(error, f"in saga: {'the compensation of ' if move.undo else ''}step {step.name}")
        if move.undo:
            if error is not None:
                self._failures.append((step.name, error))
        elif error is None:
            self._results.append(value)
        else:
            self._cause = error
        self._plan.ended(good=error is None)

    def _go_on(self) -> None:
        while (move := self._plan.next()) is not None:
            step = self._steps[move.step]
            try:
                call = step.undo if move.undo and step.undo is not None else step.call
                self.submit(move, _filled(call, self._steps, self._results), self._options_of(move))
            except Exception as error:
                if not self._results and not move.undo:
                    # Nothing is done: it is an error of the call.
                    raise
                self._moved(move, error, None)
            else:
                return
        self._finish()

    def _options_of(self, move: Move) -> Options:
        options = self.options
        if self._once is not None:
            options = options.updated({"once": f"{self._once}/{'undo-' if move.undo else ''}{move.step}"})
        if move.undo:
            tries = max(_TRIES, options.task.retries or 0)
            # What the step waited for was there once, and a compensation waits for nobody.
            options = options.updated({"retries": tries, "retry_on": Exception, "after": ()})
        return options

    def _finish(self) -> None:
        plan = self._plan
        if plan.course is Course.FORWARD:
            self.succeed(self._results)
            return
        if self._cause is None and self._cancelled is not None and not self._failures:
            self.end("cancelled")
            self.future.cancel_now(self._cancelled)
            return
        names = [step.name for step in self._steps]
        step = None if plan.failed is None else names[plan.failed]
        undone = tuple(names[number] for number in plan.undone)
        why = f"step {step} failed: {type(self._cause).__name__}: {self._cause}" if step else self._why_ended()
        told = f"undone: {', '.join(undone)}" if undone else "nothing was undone"
        if self._failures:
            left = ", ".join(f"{name} ({type(error).__name__}: {error})" for name, error in self._failures)
            told += f"; could not be undone and still stands: {left}"
        elif not undone and not self._results:
            told = "nothing was done before it"
        error = SagaFailed(f"{self.name}: {why}; {told}", step=step, undone=undone, failures=tuple(self._failures))
        error.__cause__ = self._cause if self._cause is not None else self._failures[0][1] if self._failures else None
        self.fail(error)

    def _why_ended(self) -> str:
        return f"{self._cause}" if self._cause is not None else f"it was cancelled: {self._cancelled}"

    def _late(self) -> None:
        if self._cause is None:
            self._cause = TimeoutError(f"{self.name} was not done within {self._timeout:g} s")
        self._plan.turn_back()


def _filled(call: Invocation, steps: list[_Step], results: list[Any]) -> Invocation:
    """The call with results in the place of each `ResultFrom`.

    Raises:
        ConfigError: there is no such step before.
    """

    def get(wanted: ResultFrom) -> Any:
        names = [step.name for step in steps[: len(results)]]
        place = (
            wanted.step if isinstance(wanted.step, int) else names.index(wanted.step) if wanted.step in names else -1
        )
        if not 0 <= place < len(results):
            known = ", ".join(names) or "none"
            raise ConfigError(
                f"{call.name} wants {wanted}, and the steps whose results are there by then are: {known}",
                key="step",
                value=wanted.step,
                allowed=known,
            )
        return results[place]

    def one(value: Any) -> Any:
        return filled(value, ResultFrom, get)

    return Invocation(call.call, tuple(map(one, call.args)), {key: one(value) for key, value in call.kwargs.items()})
