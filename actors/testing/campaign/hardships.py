"""What a program of the campaign does beside its work: the rarer calls, shortages, and failures of the system's actors."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from actors.errors import (
    ActorsError,
    AskTimeout,
    CircuitOpen,
    DeadLetter,
    DependencyFailed,
    JournalError,
    NoSuitableAgent,
    TaskTimeout,
)
from actors.protocol.events import TaskCompleted
from actors.protocol.messages import Priority
from actors.testing.campaign.harms import Harms, is_assigned
from actors.testing.campaign.part import Part, Submitting
from actors.testing.campaign.porter import Echo, Fatal, Porter, Urgent, twice
from actors.testing.campaign.workers import Clerk, Question, Specialist

if TYPE_CHECKING:
    from actors.future import TaskFuture

__all__ = ["Hardships"]

_ATTEMPTS = 4
"""So often may a task of the campaign's workers be tried."""
_WAIT = 20.0
"""Virtual seconds that an ask for two may take with all that can hold it up."""


class Hardships(Part):
    """The rarer calls, shortages, and failures of the system's actors."""

    def __init__(self, program: Submitting) -> None:
        super().__init__(program)
        self._harms = Harms(program)
        self._stepping: list[TaskFuture[Any]] = []
        self.gentle = (
            self._plain,
            self._impossible,
            self._for_a_job,
            self._chain,
            self._join,
            self._sticky,
            self._cancel_ahead,
            self._cancel_at_once,
            self._cancel_before_retry,
            self._hopeless,
            self._late,
            self._long,
            self._steps,
            self._more,
            self._ask_nobody,
            self._ask_busy,
            self._drain,
            self._short,
            self._listen_for_a_while,
            self._echo,
            self._harms.crash,
            self._shaky,
            self._shaky,
            self._retry_dead,
        )
        self.harmful = self._harms.harmful

    # --- what fails for good ---

    def _shaky(self) -> None:
        """Tasks of a type with a circuit breaker: it may rest already, and some of these may make it rest."""
        for _ in range(1 + self._choices.below(4, "count")):
            number = self._program.number()
            if self._choices.below(2, "shaky"):
                self._program.submit(Clerk.shaky, number, False, errors=(LookupError, CircuitOpen))  # noqa: FBT003
            else:
                self._program.submit(Clerk.shaky, number, True, value=number, errors=(CircuitOpen,))  # noqa: FBT003

    def _retry_dead(self) -> None:
        """Run one of the dead letters again; it leaves the list, unless its type rests or nothing can be kept."""
        dead = self._system.dead_letters()
        if not dead:
            return
        chosen = dead[self._choices.below(len(dead), "dead letter")]
        try:
            again = self._system.retry_dead(chosen)
        except (CircuitOpen, JournalError):
            return
        info = again.info()
        if info is None or info.repeats != chosen.id or chosen.id in [each.id for each in self._system.dead_letters()]:
            self._sim.break_promise("ADeadLetterRunsAgain", "F4", f"{chosen} was run again as {again.task_id}: {info}")

    # --- handing in ---

    def _plain(self) -> None:
        """A plain function, for whoever has the capability."""
        number = self._program.number()
        wanted = ("sums", "rare", "io", "loads")[self._choices.below(4, "requires")]
        key = ("x", "y", None)[self._choices.below(3, "key")]
        self._program.submit(twice, number, value=2 * number, requires={wanted}, key=key)

    def _impossible(self) -> None:
        self._program.submit(twice, self._program.number(), errors=(NoSuitableAgent,), requires={"wings"})

    def _for_a_job(self) -> None:
        job = ("night", "day")[self._choices.below(2, "job")]
        for _ in range(1 + self._choices.below(3, "count")):
            number = self._program.number()
            self._program.submit(Clerk.add, number, 1, value=number + 1, job=job)
        self._system.tell(f"job:{job}", Question(0))

    def _chain(self) -> None:
        """Each after the one before, and the first fails."""
        before = self._program.submit(Clerk.fails, self._program.number(), errors=(LookupError,))
        for _ in range(2 + self._choices.below(2, "links")):
            before = self._program.submit(
                Specialist.hard, self._program.number(), errors=(DependencyFailed,), after=[before]
            )

    def _join(self) -> None:
        """After two that do not end at the same time."""
        before = []
        for seconds in (0.05, 1.0):
            number = self._program.number()
            before.append(self._program.submit(Clerk.slow, number, seconds, value=number))
        number = self._program.number()
        self._program.submit(Specialist.hard, number, value=number**2, errors=(DependencyFailed,), after=before)

    def _sticky(self) -> None:
        """A key that was at an agent which cannot do everything."""
        for wanted in ("loads", "sums", "sums"):
            number = self._program.number()
            self._program.submit(twice, number, value=2 * number, requires={wanted}, key="z")
            self._sim.run(0.5)

    def _cancel_ahead(self) -> None:
        """What was sent to agents that are busy, before it begins there."""
        futures = []
        for _ in range(6):
            number = self._program.number()
            futures.append(self._program.submit(Clerk.slow, number, 0.5, value=number))
        self._sim.run((0.01, 0.1, 0.3)[self._choices.below(3, "ahead")])
        for future in futures[2:]:
            future.cancel("it is not wanted")

    def _cancel_at_once(self) -> None:
        """What is on its way to an agent."""
        number = self._program.number()
        future = self._program.submit(Clerk.slow, number, 0.5, value=number)
        if self._sim.run_until(lambda: is_assigned(self._sim, future), 2.0):
            future.cancel("it is not wanted")

    def _hopeless(self) -> None:
        """A sub-task that ends as soon as it is handed in, and a question to nobody."""
        number = self._program.number()
        call = (Porter.hopeless, Porter.call_nobody)[self._choices.below(2, "hopeless")]
        self._program.submit(call, number, value=number)

    def _cancel_before_retry(self) -> None:
        """What waits for its next try."""
        number = self._program.number()
        future = self._program.submit(Clerk.flaky, number, 3, value=number)
        engine = self._sim.engine

        def waits() -> bool:
            task = engine.task(future.number)
            return task is not None and task.due is not None

        if self._sim.run_until(waits, 2.0):
            future.cancel("it is not wanted")
            self._sim.run(0.3)

    def _late(self) -> None:
        number, good_from = self._program.number(), 2 + self._choices.below(_ATTEMPTS, "good from")
        # It may also be too slow a machine.
        self._program.submit(Porter.late, number, good_from, value=number, errors=(TaskTimeout,))

    def _long(self) -> None:
        """Something long, which may be cancelled when it has begun."""
        number = self._program.number()
        future = self._program.submit(Porter.long, number, 40.0, value=number)
        if self._choices.below(2, "cancel") == 0:
            self._sim.run(0.5)
            future.cancel("it takes too long")

    def _steps(self) -> None:
        number = self._program.number()
        future = self._program.submit(Porter.steps, number, 2 + self._choices.below(4, "steps"), value=number)
        self._stepping.append(future)

    def _more(self) -> None:
        number = self._program.number()
        self._program.submit(Porter.more, number, 1 << (20 + self._choices.below(8, "amount")), value=number)

    # --- looks and talk ---

    def _ask_nobody(self) -> None:
        came: object = None
        try:
            self._system.ask("clerk-99", Question(1), timeout=5)
        except (DeadLetter, AskTimeout) as error:
            came = error
        self._must(isinstance(came, DeadLetter), f"who asks an agent that is not there gets {came!r}", "B1")

    def _ask_busy(self) -> None:
        """An agent with something long in hand has no time to answer, and the asker does not wait for it."""
        number = self._program.number()
        future = self._program.submit(Porter.long, number, 40.0, value=number)
        if self._sim.run_until(lambda: self._harms.running(future.number) is not None, 2.0):
            began = self._sim.now
            with contextlib.suppress(ActorsError):
                self._system.ask(self._harms.running(future.number) or "porter-1", Question(number), timeout=2)
            waited = self._sim.now - began
            self._must(waited < _WAIT, f"who asked for 2 s has waited for {waited:.1f} s", "B3")
        future.cancel("it takes too long")

    def _drain(self) -> None:
        """All tasks have their outcome when the system says so."""
        if self._system.drain(timeout=20.0):
            left = [future.task_id for future in self._program.futures() if not future.done()]
            self._must(not left, f"drain has returned, and these have no outcome: {left}", "D8")

    def _short(self) -> None:
        """The machine is short of memory for a while."""
        machine = self._sim.machine
        plenty = machine.available
        machine.available = plenty // 1000
        for _ in range(3):
            self._sim.run((0.01, 3.0, 10.0)[self._choices.below(3, "short")])
            number = self._program.number()
            self._program.submit(Clerk.add, number, 1, value=number + 1)
        machine.available = plenty
        self._sim.run(0.01)

    def _listen_for_a_while(self) -> None:
        """Whoever subscribed hears of what ends from then on, and nothing after the end of the subscription."""
        heard: list[str] = []
        subscription = self._system.subscribe(TaskCompleted, lambda event: heard.append(event.task_id))
        number = self._program.number()
        future = self._program.submit(Clerk.add, number, 1, value=number + 1)
        self._sim.run(0.5)
        if future.done() and not future.cancelled() and future.exception() is None and not self._sim.crashed:
            self._sim.run(0.5)
            self._must(
                future.task_id in heard, f"{future.task_id} has completed, and its subscriber has not heard it", "B5"
            )
        subscription.unsubscribe()

    def _echo(self) -> None:
        """An actor of the program's own: in which order it takes messages, and what becomes of those that it does not."""
        log: list[object] = []
        echo = self._system.start_actor(Echo, log)
        low, high = self._program.number(), self._program.number()
        echo.tell(Question(low), priority=Priority.LOW)
        for number in (1, 2, 3):
            echo.tell(Question(number))
        echo.tell(Question(high), priority=Priority.HIGH)
        echo.tell(Urgent(0))
        self._sim.run_until(lambda: len(log) == 6, 5.0)
        order = [Urgent(0), *map(Question, (high, 1, 2, 3, low))]
        self._must(log == order, f"messages are taken in the order {log}", "B4, B6")
        replies = [echo.ask_later(Question(1)), echo.ask_later(Question(2))]
        echo.stop(block=False)
        replies += [echo.ask_later(Question(3)), echo.ask_later(Question(4))]
        self._sim.run_until(lambda: all(reply.done() for reply in replies), 5.0)
        echo = self._system.start_actor(Echo, log)
        echo.tell(Fatal(replies))
        self._sim.run_until(lambda: len(replies) == 5 and replies[-1].done(), 5.0)
        left = sum(not reply.done() for reply in replies)
        self._must(left == 0, f"{left} of {len(replies)} questions to an actor that ended are not answered", "B3")

    # --- judging ---

    def finish(self) -> None:
        """Judge what can be judged when all work is done.

        Raises:
            InvariantBroken: something that may not be.
        """
        for future in self._stepping:
            if not future.cancelled() and future.exception() is None:
                told = future.progress()
                self._must(
                    told.fraction == 1.0, f"{future.task_id} told last that it had come to {told.fraction:g}", "D7"
                )
        self._sim.run(3.0)
        for run in self._sim.dispatcher.runs():
            if run.cell.name == "actors-resources":
                # The next full sample, and no more: an idle system is left alone.
                self._must(len(run.timers) <= 1, "the memory of agents is looked at although there is no work", "E1")
            elif run.cell.name == "actors-scheduler":
                self._must(len(run.timers) <= 1, "the scheduler has several timers for what is due next", "B6")

    def _must(self, holds: bool, text: str, requirement: str) -> None:  # noqa: FBT001 - as `assert`
        if not holds:
            self._sim.break_promise("TheProgramGetsWhatItIsPromised", requirement, text)
