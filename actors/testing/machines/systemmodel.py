"""What may come of the work of a system machine: a model that knows what was handed in, and what was done to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from actors.errors import (
    AgentDied,
    AskTimeout,
    DeadLetter,
    DependencyFailed,
    LimitExceeded,
    MessageRefused,
    NoSuitableAgent,
    TaskCancelled,
)
from actors.future import TaskFuture
from actors.testing.machines.promise import must

__all__ = ["HARM", "UNHEARD", "Model", "Work"]

HARM = (AgentDied, NoSuitableAgent, LimitExceeded, AskTimeout, DeadLetter, MessageRefused)
"""What may come of any task once something went wrong."""

UNHEARD = (AgentDied, AskTimeout, DeadLetter, MessageRefused)
"""What may come of a question to an agent that may be busy with something long, still starting, or gone."""


@dataclass(eq=False)
class Work:
    """A task that was handed in.

    Attributes:
        name: for texts.
        future: what `submit` gave.
        value: gives its value, from those of what it depends on; None if it never has one.
        errors: what it may fail with although nothing went wrong.
        after: what must complete before.
        when_harmed: what it may fail with beside that once something went wrong.
        unlikely: whether it has its value only if something went wrong.
        once: whether it must not run twice.
        cancelled: whether somebody asked for its end.
    """

    name: str
    future: TaskFuture[Any]
    value: Callable[[], Any] | None = None
    errors: tuple[type[BaseException], ...] = ()
    after: Sequence[Work] = ()
    when_harmed: tuple[type[BaseException], ...] = ()
    unlikely: bool = False
    once: bool = False
    cancelled: bool = False

    def __repr__(self) -> str:
        return f"{self.future.task_id} ({self.name})"

    @property
    def completed(self) -> bool:
        """Whether it has a value."""
        future = self.future
        return future.done() and not future.cancelled() and future.exception() is None


@dataclass
class Model:
    """All work of a run, and what went wrong.

    Attributes:
        work: in the order in which it was handed in.
        harmed: whether a rule did harm.
    """

    work: list[Work] = field(default_factory=list)
    harmed: bool = False

    def check_finished(self, *, harmed: bool) -> None:
        """Judge each outcome that there is.

        Args:
            harmed: whether a fault was injected.
        """
        for work in self.work:
            if work.future.done():
                self._check(work, harmed=harmed or self.harmed)

    def check_all(self, *, harmed: bool) -> None:
        """Judge all outcomes, at the end.

        Args:
            harmed: as above.
        """
        for work in self.work:
            must(work.future.done(), "D8", work, "has no outcome")
        self.check_finished(harmed=harmed)

    def _check(self, work: Work, *, harmed: bool) -> None:
        future = work.future
        if future.cancelled():
            must(work.cancelled, "D6", work, "was cancelled, and nobody asked for it")
            return
        error = future.exception()
        if error is None:
            can = work.value is not None and (harmed or not work.unlikely)
            must(can, "D8", work, "has a value, and cannot have one:", future.result())
            must(all(each.completed for each in work.after), "D3", work, "has a value, and what it depends on has none")
            expected = work.value() if work.value is not None else None
            must(future.result() == expected, "D8", work, "gave", future.result(), "and should have given", expected)
            return
        if isinstance(error, DependencyFailed) and work.after:
            ended = [each for each in work.after if each.future.done() and not each.completed]
            must(ended, "D3", work, f"failed with {error!r}, and nothing that it depends on failed")
            return
        allowed = work.errors + ((*HARM, *work.when_harmed, TaskCancelled, DependencyFailed) if harmed else ())
        must(isinstance(error, allowed), "D8, F1", work, f"failed with {error!r}")
        if isinstance(error, AgentDied) and work.once and error.attempt is not None:
            must(error.attempt <= 1, "D4", work, f"must not run twice, and its attempt {error.attempt} died")
