"""The scheduler's hand that writes: what is about to happen stands in the journal before it happens."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from actors.core.decisions import Assign, Interrupt, Resolve
from actors.errors import ActorsError, JournalError
from actors.protocol.messages import CancellationCause
from actors.protocol.states import TaskStatus
from actors.runtime.outcomes import refuse

if TYPE_CHECKING:
    from actors.core.decisions import Decision
    from actors.core.engine import Engine
    from actors.core.task import Task
    from actors.runtime.journal.record import Journal, TaskRecord
    from actors.runtime.journal.translate import Translator

__all__ = ["RETRY_EVERY", "Keeper"]

_log = logging.getLogger("actors.journal")

RETRY_EVERY = 1.0
"""Seconds until what could not be written is tried again."""

_FORGET_EVERY = 10.0
_CANCELLED = CancellationCause.CANCELLED


class Keeper:
    """Keeps one journal. All of it happens in the scheduler's turns.

    A task that was handed in waits here until the end of the turn; then it is written down, and only then the engine
    hears of it and its submitter that it is accepted. Outcomes are written down before anybody is told of them. One
    call of the journal serves all tasks of a turn.

    While nothing can be written, new work is refused, what was accepted goes on, and outcomes are held back until they
    can be written: nobody is told of a result that the next start of the program would not know.

    Args:
        journal: it is open.
        translator: writes tasks as records.
        kept_seconds, kept_tasks: ended tasks are dropped beyond this age, those that were fetched also beyond this
            number.

    Attributes:
        failing: why nothing can be written at present; None if it can.
    """

    def __init__(self, journal: Journal, translator: Translator, *, kept_seconds: float, kept_tasks: int) -> None:
        self.journal = journal
        self.failing: JournalError | None = None
        self._translator = translator
        self._kept_seconds = kept_seconds
        self._kept_tasks = kept_tasks
        self._incoming: list[Task] = []
        self._adopted: list[Task] = []
        # Outcomes that are not written yet, by number of their task: nobody has been told of them.
        self._held: dict[int, Resolve] = {}
        self._fetched: list[int] = []
        self._forget_at = 0.0
        self._leaving = False

    # --- what happens in a turn ---

    def hand_in(self, task: Task) -> None:
        """A task is to be accepted at the end of the turn."""
        self._incoming.append(task)

    def check(self) -> None:
        """Refuse new work while it cannot be kept.

        Raises:
            JournalError: why.
        """
        if self.failing is not None:
            raise self._refusal()

    def adopt(self, task: Task) -> None:
        """The engine has a new task that nobody has handed in: it is written at the end of the turn, and accepted then."""
        self._adopted.append(task)

    def fetched(self, number: int) -> None:
        """The program has had an outcome."""
        self._fetched.append(number)

    def leave(self) -> None:
        """The program ends before its work does: what is cancelled from now on is left for its next start."""
        self._leaving = True

    def admit(self, engine: Engine, now: float, decisions: list[Decision]) -> list[Decision]:
        """Write down what was handed in and what was decided; then let the engine accept the new tasks.

        Args:
            engine: the scheduler's mind.
            now: monotonic seconds.
            decisions: what the engine has decided.

        Returns:
            The decisions that may be carried out now.
        """
        incoming, self._incoming = self._incoming, []
        if self.failing is not None and incoming:
            for task in incoming:
                refuse(task, self._refusal())
            incoming = []
        own = [task for task in incoming if task.parent is None]
        for task in own:
            task.created = now
        adopted, self._adopted = self._adopted, []
        kept = [*adopted, *own]
        records = [self._translator.record(task, engine.utc_offset, payload=True) for task in kept]
        ready = self._write(engine, now, records, decisions)
        if self.failing is not None:
            for task in own:
                refuse(task, self._refusal())
            for task in adopted:
                refuse(task, self._refusal())
                engine.cancel(task.number, "it cannot be kept", now)
            adopted = []
            incoming = [task for task in incoming if task.parent is not None]
        for task in adopted:
            if task.handle is not None:
                task.handle.set_accepted()
        for task in incoming:
            self._accept(engine, task, now)
        return ready

    def _accept(self, engine: Engine, task: Task, now: float) -> None:
        try:
            engine.submit(task, now)
        except ActorsError as error:
            handle = task.handle
            refuse(task, error)
            if task.parent is None:
                # It stands there already, and is not to be taken for one that goes on.
                self._fail_for_good(engine, task, error, now)
                if handle is not None:
                    self.fetched(task.number)
        else:
            if task.handle is not None:
                task.handle.set_accepted()

    def reject(self, engine: Engine, task: Task, error: ActorsError, now: float) -> list[Decision]:
        """A task of an earlier life can never run: write down that it has failed. Returns what may be told of that now."""
        self._fail_for_good(engine, task, error, now)
        return [] if task.number in self._held else [Resolve(task)]

    def _fail_for_good(self, engine: Engine, task: Task, error: ActorsError, now: float) -> None:
        task.status, task.error, task.ended = TaskStatus.FAILED, error, now
        self._write(engine, now, [self._translator.record(task, engine.utc_offset)], [])
        if self.failing is not None:
            self._held[task.number] = Resolve(task)

    def record(self, engine: Engine, now: float, decisions: list[Decision]) -> list[Decision]:
        """Write down decisions. Returns those that may be carried out now."""
        return self._write(engine, now, [], decisions)

    def _write(
        self, engine: Engine, now: float, records: list[TaskRecord], decisions: list[Decision]
    ) -> list[Decision]:
        changed: dict[int, Task] = {}
        for decision in decisions:
            task = self._concerned(engine, decision)
            if task is not None and task.parent is None:
                changed[task.number] = task
        if self.failing is None and (records or changed):
            offset = engine.utc_offset
            records += [self._translator.record(task, offset) for task in changed.values()]
            try:
                self.journal.write(records)
            except JournalError as error:
                self._fail(error)
        if self.failing is None or not changed:
            return decisions
        return [each for each in decisions if not self._held_back(engine, now, each, changed)]

    def _concerned(self, engine: Engine, decision: Decision) -> Task | None:
        """The task whose record a decision changes."""
        if type(decision) is Resolve:
            task = decision.task
            # All that ends otherwise ends because the program does.
            return None if self._leaving and task.status is not TaskStatus.COMPLETED else task
        if type(decision) is Assign:
            # A first try that may be repeated leaves no trace: after a death of the program it is just made again.
            again = decision.attempt > 1 or not decision.task.kind.idempotent
            return decision.task if again else None
        if type(decision) is Interrupt and decision.cause is _CANCELLED and not self._leaving:
            return engine.task(decision.number)
        return None

    def _held_back(self, engine: Engine, now: float, decision: Decision, changed: dict[int, Task]) -> bool:
        """Whether a decision has to wait until it can be written down."""
        if type(decision) is Resolve and decision.task.number in changed:
            self._held[decision.task.number] = decision
            return True
        if type(decision) is Assign and decision.task.number in changed:
            engine.withheld(decision.agent, decision.incarnation, decision.task.number, decision.attempt, now)
            return True
        return False

    # --- in between ---

    def tend(self, engine: Engine, now: float) -> list[Decision]:
        """Try again what could not be written, note what was fetched, drop what is old.

        Returns:
            Decisions that may be carried out now.
        """
        ready: list[Decision] = []
        try:
            if self.failing is not None:
                held = list(self._held.values())
                offset = engine.utc_offset
                self.journal.write([self._translator.record(each.task, offset) for each in held])
                _log.warning("The journal can be written again; %d outcomes were held back", len(held))
                self.failing = None
                self._held.clear()
                ready += held
            if self._fetched:
                fetched = self._fetched
                self.journal.fetched(fetched)
                self._fetched = []
            if now >= self._forget_at:
                self._forget_at = now + _FORGET_EVERY
                while self.journal.forget(now + engine.utc_offset - self._kept_seconds, self._kept_tasks):
                    pass
        except JournalError as error:
            self._fail(error)
        return ready

    def holds(self, number: int) -> bool:
        """Whether a task has its outcome, and nobody is told because it is not written yet."""
        return number in self._held

    @property
    def holds_any(self) -> bool:
        """Whether there are outcomes that nobody is told because they are not written yet."""
        return bool(self._held)

    @property
    def has_to_tend(self) -> bool:
        """Whether something waits for `tend`."""
        return self.failing is not None or bool(self._fetched)

    def give_up(self) -> list[Resolve]:
        """The end: what could not be written is told all the same."""
        held = list(self._held.values())
        if held:
            _log.critical(
                "%d outcomes could not be written into the journal (%s): these tasks run again at the next start",
                len(held),
                self.failing,
            )
        self._held.clear()
        return held

    def end(self) -> None:
        """Write what is left, and close the journal."""
        try:
            if self._fetched and self.failing is None:
                self.journal.fetched(self._fetched)
                self._fetched = []
        except JournalError as error:
            _log.warning("Which results were fetched could not be written: %s", error)
        finally:
            self.journal.close()

    # --- inside ---

    def _fail(self, error: JournalError) -> None:
        if self.failing is None:
            _log.error("%s. New work is refused until it can be; what was accepted goes on", error)
        self.failing = error

    def _refusal(self) -> JournalError:
        error = self.failing
        text = f"the task was not accepted, because it cannot be kept: {error}"
        refusal = JournalError(text, path=getattr(error, "path", None), reason=getattr(error, "reason", None))
        refusal.__cause__ = error
        return refusal
