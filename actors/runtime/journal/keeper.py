"""The scheduler's hand that writes: what is about to happen stands in the journal before it happens."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from actors.core.decisions import Assign, Interrupt, Resolve
from actors.errors import CircuitOpen, ConfigError, JournalError, SystemClosed
from actors.protocol.messages import CancellationCause
from actors.protocol.states import TaskStatus
from actors.runtime.outcomes import refuse

if TYPE_CHECKING:
    from actors.core.decisions import Decision
    from actors.core.engine import Engine
    from actors.core.task import Task
    from actors.errors import ActorsError
    from actors.runtime.journal.record import Journal, Keep, TaskRecord
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
        keep: what of the ended tasks is not dropped, with ages in seconds instead of times.

    Attributes:
        failing: why nothing can be written at present; None if it can.
    """

    def __init__(self, journal: Journal, translator: Translator, keep: Keep) -> None:
        self.journal = journal
        self.failing: JournalError | None = None
        self._translator = translator
        self._keep = keep
        # By number; each stays until it is accepted or refused, so that a failure in between loses none.
        self._incoming: dict[int, Task] = {}
        self._adopted: dict[int, Task] = {}
        # The tasks that these repeat, by the same numbers: they are dead letters no longer.
        self._repeated: dict[int, Task] = {}
        # Outcomes that are not written yet, by number of their task: nobody has been told of them.
        self._held: dict[int, Resolve] = {}
        # Of which tasks the program has had the outcome. Any thread appends.
        self._fetched: deque[int] = deque()
        self._fetched_told = False
        self._forget_at = 0.0
        self._leaving = False

    # --- what happens in a turn ---

    def hand_in(self, task: Task) -> None:
        """A task is to be accepted at the end of the turn."""
        self._incoming[task.number] = task

    def hands_in(self, task: Task) -> bool:
        """Whether the task was handed in and is neither accepted nor refused yet."""
        return task.number in self._incoming

    def check(self) -> None:
        """Refuse new work while it cannot be kept.

        Raises:
            JournalError: why.
        """
        if self.failing is not None:
            raise self._refusal()

    def adopt(self, task: Task, repeats: Task | None) -> None:
        """The engine has a new task that nobody has handed in: it is written at the end of the turn, and accepted then.

        Args:
            task: the new one.
            repeats: the dead letter that it runs again; None if that was said before.
        """
        # The journal has no sub-tasks.
        if repeats is not None and repeats.parent is None:
            self._repeated[task.number] = repeats
        self._adopted[task.number] = task

    def fetched(self, number: int) -> bool:
        """The program has had an outcome. Any thread may call it.

        Returns:
            Whether the scheduler is to be told that there are some: once for all that come until it has written them.
        """
        # In this order, and in `tend` the other way round: either that one sees the number, or this one tells.
        self._fetched.append(number)
        if self._fetched_told:
            return False
        self._fetched_told = True
        return True

    def leave(self) -> None:
        """The program ends before its work does: what is cancelled from now on is left for its next start."""
        self._leaving = True

    def admit(self, engine: Engine, now: float, decisions: Sequence[Decision]) -> list[Decision]:
        """Write down what was handed in and what was decided; then let the engine accept the new tasks.

        With a failure in between it can be called again with the same decisions.

        Args:
            engine: the scheduler's mind.
            now: monotonic seconds.
            decisions: what the engine has decided.

        Returns:
            The decisions that may be carried out now.
        """
        if self.failing is not None:
            self._refuse_own()
        own = [task for task in self._incoming.values() if task.parent is None]
        for task in own:
            task.created = now
        kept = [*self._adopted.values(), *own]
        offset = engine.utc_offset
        records = [self._translator.record(task, offset, payload=True) for task in kept]
        # In the same write: a task is a dead letter, or it is run again.
        # Whoever has it run again has had its outcome.
        left = [self._translator.record(task, offset) for task in self._repeated.values()]
        records += [record._replace(fetched=True) for record in left]
        ready = self._write(engine, now, records, decisions)
        if self.failing is not None:
            # Before they are cancelled: what is refused does not run.
            ready = [each for each in ready if not self._takes_back(engine, now, each)]
            for number in list(self._adopted):
                refuse(self._adopted[number], self._refusal())
                engine.cancel(number, "it cannot be kept", now)
                self._repeated.pop(number, None)
                del self._adopted[number]
            self._refuse_own()
        for number in list(self._adopted):
            if self._adopted[number].handle is not None:
                self._adopted[number].handle.set_accepted()
            self._repeated.pop(number, None)
            del self._adopted[number]
        for number in list(self._incoming):
            self._accept(engine, self._incoming[number], now)
            del self._incoming[number]
        return ready

    def _takes_back(self, engine: Engine, now: float, decision: Decision) -> bool:
        """Whether a decision is to give a task to an agent that cannot be kept."""
        if type(decision) is not Assign or decision.task.number not in self._adopted:
            return False
        engine.withheld(decision.agent, decision.incarnation, decision.task.number, decision.attempt, now)
        return True

    def _refuse_own(self) -> None:
        """Refuse the program's new tasks. Sub-tasks are no new work: they belong to one that was accepted, and no record has them."""
        for number in list(self._incoming):
            if self._incoming[number].parent is None:
                refuse(self._incoming[number], self._refusal())
                del self._incoming[number]

    def _accept(self, engine: Engine, task: Task, now: float) -> None:
        try:
            engine.submit(task, now)
        except (CircuitOpen, ConfigError, SystemClosed) as error:
            # It is submitted for the second time if the first one ended in a failure.
            if not engine.knows(task):
                self._turn_away(engine, task, error, now)
                return
        if task.handle is not None:
            task.handle.set_accepted()

    def _turn_away(self, engine: Engine, task: Task, error: ActorsError, now: float) -> None:
        """The engine does not accept a task that is written down already."""
        if task.parent is None:
            self._fail_for_good(engine, task, error, now)
            if task.handle is not None:
                self.fetched(task.number)
        refuse(task, error)

    def reject(self, engine: Engine, task: Task, error: ActorsError, now: float) -> list[Decision]:
        """A task of an earlier life can never run: write down that it has failed. Returns what may be told of that now."""
        self._fail_for_good(engine, task, error, now)
        return [] if task.number in self._held else [Resolve(task)]

    def _fail_for_good(self, engine: Engine, task: Task, error: ActorsError, now: float) -> None:
        task.status, task.error, task.ended = TaskStatus.FAILED, error, now
        self._write(engine, now, [self._translator.record(task, engine.utc_offset)], [])
        if self.failing is not None:
            self._held[task.number] = Resolve(task)

    def _write(
        self, engine: Engine, now: float, records: list[TaskRecord], decisions: Sequence[Decision]
    ) -> list[Decision]:
        changed: dict[int, Task] = {}
        for decision in decisions:
            task = self._concerned(engine, decision)
            if task is not None and task.parent is None:
                changed[task.number] = task
        if self.failing is None and (records or changed):
            offset = engine.utc_offset
            records += [self._record(engine, task, offset) for task in changed.values()]
            try:
                self.journal.write(records)
            except JournalError as error:
                self._fail(error)
        if self.failing is None:
            for number in changed.keys() & self._held.keys():
                # A failure in between has left it here, too.
                del self._held[number]
        if self.failing is None or not changed:
            return list(decisions)
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

    def tend(self, engine: Engine, now: float, decided: deque[Decision]) -> None:
        """Try again what could not be written, note what was fetched, drop what is old.

        Args:
            engine: the scheduler's mind.
            now: monotonic seconds.
            decided: gets the decisions that may be carried out now.
        """
        try:
            if self.failing is not None:
                held = list(self._held.values())
                offset = engine.utc_offset
                self.journal.write([self._record(engine, each.task, offset) for each in held])
                _log.warning("The journal can be written again; %d outcomes were held back", len(held))
                # In this order a failure in between leaves each in one of both at least.
                decided.extend(held)
                self._held.clear()
                self.failing = None
            self._write_fetched()
            if now >= self._forget_at:
                self._forget_at = now + _FORGET_EVERY
                utc, keep = now + engine.utc_offset, self._keep
                since = keep._replace(since=utc - keep.since, dead_since=utc - keep.dead_since)
                while self.journal.forget(since):
                    pass
        except JournalError as error:
            self._fail(error)

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
            if self.failing is None:
                self._write_fetched()
        except JournalError as error:
            _log.warning("Which results were fetched could not be written: %s", error)
        finally:
            self.journal.close()

    # --- inside ---

    def _write_fetched(self) -> None:
        self._fetched_told = False
        fetched = tuple(self._fetched)
        if fetched:
            self.journal.fetched(fetched)
            for _ in fetched:
                self._fetched.popleft()

    def _record(self, engine: Engine, task: Task, offset: float) -> TaskRecord:
        return self._translator.record(task, offset, dead=engine.dead_task(task.number) is not None)

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
