"""What every fault needs: a library at work, a desk, and what is found out by handing in tasks."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.faults import tasks
from benchmarks.faults.desk import Desk, Visitor
from benchmarks.faults.library import WORKERS, Library, Need, Outcome

__all__ = ["Again", "Others", "Sample", "Stage", "named", "text_of"]

_READY = 60.0
_TRIES = 3
_PATIENCE = 1.0
_LOOK = 0.1
_NUMBERS = itertools.count()


@dataclass(slots=True)
class Sample:
    """One round: what came of it in few words, seconds by what they tell, and the error as the program got it.

    `harm`: the worst of it in two words, empty if the fault cost its own task alone. `usable`: the pool goes on.
    `hangs`: something had not happened when the time was over.
    """

    outcome: str
    times: dict[str, float | None] = field(default_factory=dict)
    harm: str = ""
    usable: bool = True
    hangs: bool = False
    error: str = ""
    figures: dict[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """For the file."""
        return asdict(self)


@dataclass(slots=True)
class Stage:
    """A round's surroundings.

    Args:
        library: not started yet.
        desk: where its tasks say that they run.
        limit: seconds after which it counts as hanging.
        directory: for files.
        report: takes the sample of a round that cannot return it.
    """

    library: Library
    desk: Desk
    limit: float
    directory: str
    report: Callable[[Sample], None]

    def name(self, what: str) -> str:
        """A name that no other task of this program has."""
        return f"{what}-{next(_NUMBERS)}"

    def start(self, need: Need) -> None:
        """Start the pool, and wait until both workers are at work."""
        self.library.start(need)
        again = Again(self)
        if again.wait(_READY) is None:
            raise RuntimeError(f"{self.library.name} did not start within {_READY:g} s: {again.reason}")

    def begin(self, function: Any, *more: Any, timeout: float | None = None) -> tuple[Any, str, Visitor]:
        """Hand in a task that visits the desk, and wait until it runs: its handle, its name, its visit."""
        name = self.name(function.__name__)
        handle = self.library.submit(function, self.desk.address, name, *more, timeout=timeout)
        visitors = self.desk.wait([name], self.limit)
        if visitors is None:
            raise RuntimeError(f"{function.__name__} did not begin within {self.limit:g} s")
        return handle, name, visitors[0]


class Again:
    """Asks whether the pool is at its full strength: as many tasks as workers, all of which must run at once.

    `beside`: so many workers are busy with something else, which goes on until this has been waited for.
    """

    def __init__(self, stage: Stage, beside: int = 0) -> None:
        self._stage = stage
        self._number = WORKERS - beside
        self._names: list[str] = []
        self._handles: list[Any] = []
        self.reason = ""
        self._submit()

    def _submit(self) -> None:
        self.reason = ""
        self._names = [self._stage.name("again") for _ in range(self._number)]
        self._handles = []
        self._stage.desk.let_go_together(self._names)
        try:
            for name in self._names:
                self._handles.append(self._stage.library.submit(tasks.stay, self._stage.desk.address, name))
        except BaseException as error:  # noqa: BLE001 - whatever the library says is what is looked at
            self.reason = named(error)
            self._handles = []

    def wait(self, seconds: float) -> float | None:
        """When the last of them began, on the monotonic clock; None if it is not to be had.

        What does not begin for a second may wait behind a task of its own kind, at a worker that was chosen before the
        fault was known. So others are asked in its place.
        """
        until = time.monotonic() + seconds
        failed = 0
        while True:
            if self._handles:
                patient = time.monotonic() + _PATIENCE
                began = self._began(min(patient, until))
                self._stage.desk.open(*self._names)
                if began is not None:
                    return began
            if self.reason:
                failed += 1
            if failed >= _TRIES:
                return None
            if time.monotonic() >= until:
                self.reason = "hangs"
                return None
            if self.reason:
                # What else was at work is gone with the pool.
                self._number = WORKERS
            self._submit()

    def _began(self, until: float) -> float | None:
        """As soon as one of them has failed there is nothing to wait for."""
        while True:
            visitors = self._stage.desk.wait(self._names, min(_LOOK, until - time.monotonic()))
            late = time.monotonic() >= until
            ends = [self._stage.library.outcome(each, 0 if visitors is None else _PATIENCE) for each in self._handles]
            errors = [named(each.error) for each in ends if each.error is not None]
            self.reason = errors[0] if errors else ""
            # A result that does not come back is none, though the task ran.
            if errors or (late and visitors is None) or (visitors is not None and any(each.late for each in ends)):
                return None
            if visitors is not None:
                return max(visitor.at for visitor in visitors)


class Others:
    """Tasks that have nothing to do with the fault: one that runs beside it, and some that wait."""

    def __init__(self, stage: Stage, queued: int = 4) -> None:
        self._stage = stage
        self._handle, self._name, _ = stage.begin(tasks.stay)
        self._queued = [stage.library.submit(tasks.answer, number) for number in range(queued)]
        self._right: list[Any] = [1, *(tasks.answer(number) for number in range(queued))]

    def lost(self, seconds: float) -> tuple[int, bool]:
        """Let the one that runs end: how many have not their right result, and whether that is because they hang."""
        self._stage.desk.open(self._name)
        until = time.monotonic() + seconds
        outcomes: list[Outcome] = [
            self._stage.library.outcome(each, until - time.monotonic()) for each in (self._handle, *self._queued)
        ]
        wrong = sum(
            each.late or each.error is not None or each.value != right
            for each, right in zip(outcomes, self._right, strict=True)
        )
        return wrong, any(each.late for each in outcomes)

    def __len__(self) -> int:
        return len(self._right)


def named(error: BaseException) -> str:
    """The name of an error's type."""
    return type(error).__name__


def text_of(error: BaseException | None) -> str:
    """All that a program can print of an error: its text, what it carries, and its causes."""
    parts = []
    for _ in range(5):
        if error is None:
            break
        text = str(error)
        carried = ", ".join(
            f"{key}={value!r}"
            for key, value in vars(error).items()
            if isinstance(value, int | str) and not key.startswith("_") and "\n" not in text and str(value) not in text
        )
        parts.append(f"{named(error)}: {text}" + (f" [{carried}]" if carried else ""))
        error = error.__cause__
    return "\n".join(parts)
