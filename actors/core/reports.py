"""What agents report about their tasks. Reports of an old incarnation or attempt are counted and dropped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from actors.core.book import COOLED, Book
from actors.core.credit import LONG
from actors.core.outcomes import read_failure
from actors.core.record import told_by
from actors.errors import TaskExited
from actors.protocol.messages import CancellationCause, Failure, Outcome
from actors.protocol.states import TaskStatus

if TYPE_CHECKING:
    from actors.core.fleet import Agent, AgentExit
    from actors.core.limits import Limits
    from actors.core.outcomes import Outcomes
    from actors.core.sharing import Sharing
    from actors.core.task import Task

__all__ = ["Reports"]


_VALUE = int(Outcome.VALUE)
_ERROR = int(Outcome.ERROR)
_EXITED = int(Outcome.EXITED)
_INTERRUPTED = int(Outcome.INTERRUPTED)
_REFUSED = int(Outcome.REFUSED)
_ASSIGNED = TaskStatus.ASSIGNED
_IN_PROGRESS = TaskStatus.IN_PROGRESS
_COOL_DOWN = 0.1
_REFUSALS_AT_MOST = 8
_LONGEST = 1e9
_UNREADABLE = "it sent a result that cannot be read"


class Reports:
    """Turns reports into outcomes, and keeps what each agent holds right."""

    __slots__ = ("_book", "_limits", "_outcomes", "_sharing")

    def __init__(self, book: Book, outcomes: Outcomes, limits: Limits, sharing: Sharing) -> None:
        self._book = book
        self._outcomes = outcomes
        self._limits = limits
        self._sharing = sharing

    # In one piece because each task passes here: a call for each step would cost as much as the step.
    def finished(self, agent: Agent, results: Iterable[Sequence[Any]]) -> None:  # noqa: C901, PLR0912, PLR0915
        """Attempts have ended: the fields of a `TaskResult` each."""
        book = self._book
        complete = self._outcomes.complete
        note = book.estimates.note
        held = agent.held
        let_go = held.pop
        culprit = agent.culprit
        plain = not agent.skill.highs
        # What a run of tasks of one kind took is noted once.
        kind = None
        spent, count = 0.0, 0
        for fields in results:
            try:
                number, attempt, outcome, payload, started, ended = fields
                seconds = ended - started
                task = held.get(number)
                sound = 0 <= seconds < _LONGEST and _VALUE <= outcome <= _REFUSED
            except (TypeError, ValueError):
                book.kill(agent, _UNREADABLE)
                continue
            if not sound:
                book.kill(agent, _UNREADABLE)
                continue
            if task is None or task.attempt != attempt:
                book.stale += 1
                continue
            # One that never began is interrupted without a payload, or refused.
            told = 1 if outcome < _INTERRUPTED or (payload is not None and outcome == _INTERRUPTED) else 0
            if (
                outcome == _VALUE
                # A value that comes when its agent is to be killed for it comes too late: the signal that has the agent write
                # down its stacks may have woken it.
                and number != culprit
                and task.cancelling is None
                and (task.status is _ASSIGNED or task.status is _IN_PROGRESS)
            ):
                if task.kind is not kind:
                    if kind is not None:
                        note(kind.family, spent / count)
                    kind, spent, count = task.kind, 0.0, 0
                spent += seconds
                count += 1
                complete(task, payload, started, ended)
            elif not task.final:
                task.started = started
                agent.hearing = (number, told)
                self._ended(agent, task, (outcome, payload), agent.interrupts.get(number))
            # Only now, and in one step with the count: a failure in between leaves one that has ended and is still held.
            if plain and not agent.interrupts and not agent.waiting:
                # The usual case of `Book.let_go`, without the call.
                agent.told, _ = agent.told + told, let_go(number)
                estimate = task.estimate
                if estimate < 0:
                    agent.unknowns -= 1
                elif estimate >= LONG:
                    agent.longs -= 1
                else:
                    agent.work -= estimate
            else:
                book.let_go(agent, task, told)
            agent.hearing = None
        if kind is not None:
            note(kind.family, spent / count)
            agent.refusals = 0
        if not held:
            # Sums of floats drift.
            agent.work = 0.0
        agent.moved = book.now
        book.refit(agent)

    def refused(self, agent: Agent, task: Task, reason: str) -> None:
        """The agent will not run the task: it moves on, and the agent is left alone for a moment."""
        book = self._book
        self._refused(agent, task, reason)
        book.let_go(agent, task)
        book.refit(agent)

    def withheld(self, agent: Agent, task: Task) -> None:
        """The task was not sent, for no fault of the agent, which is left alone for a moment all the same."""
        book = self._book
        self._unstarted(task)
        book.let_go(agent, task)
        self._cool(agent, _COOL_DOWN)
        book.refit(agent)

    def recalled(self, agent: Agent, given_back: Iterable[tuple[int, int]], answer: object) -> None:
        """The agent's answer to a recall: what it gave back; the rest has begun. The same object again is no new answer."""
        book = self._book
        if answer is not None and answer is agent.heard:
            return
        asked = agent.recalls[0] if agent.recalls else ()
        for number, attempt in given_back:
            task = book.hold(agent, number, attempt)
            if task is None or number in agent.waiting:
                continue
            self._unstarted(task)
            book.let_go(agent, task)
        for number, attempt in asked:
            task = agent.held.get(number)
            if task is not None and task.attempt == attempt and task.final:
                # It was cancelled in the belief that it had not begun.
                self._limits.interrupt(agent, task, CancellationCause.CANCELLED, task.cancelling or "")
        agent.recalls, agent.heard = agent.recalls[1:], answer
        book.refit(agent)
        self._sharing.answered(agent)

    def waiting(self, agent: Agent, number: int, on: Sequence[int]) -> None:
        """A task of the agent waits for its sub-tasks: its slot is free for others."""
        book = self._book
        task = agent.held.get(number)
        if task is None:
            book.stale += 1
            return
        if not task.final:
            self._limits.begun(task, book.now)
        agent.waits_for.setdefault(number, set()).update(on)
        if number in agent.waiting:
            self._sharing.fetch(agent, on)
            return
        agent.waiting.append(number)
        book.waiting_agents[agent] = None
        book.reconsider = True
        if agent.slots == 1:
            self._sharing.take_back_all(agent)
        book.refit(agent)
        self._sharing.fetch(agent, on)

    def resumed(self, agent: Agent, number: int) -> None:
        """The task goes on: what was nested into it and has not begun moves on."""
        book = self._book
        if number not in agent.waiting:
            return
        agent.waiting.remove(number)
        agent.waits_for.pop(number, None)
        agent.moved = book.now
        if not agent.waiting:
            book.waiting_agents.pop(agent, None)
        if agent.slots == 1:
            self._sharing.take_back_all(agent)
        book.refit(agent)

    def judge(self, agent: Agent, end: AgentExit) -> None:
        """The agent is dead: note what becomes of all that it held. What it ran is tried again or fails, the rest moves on."""
        outcomes = self._outcomes
        begun = {number for number, task in agent.held.items() if task.status is _IN_PROGRESS}
        in_order = [number for number in agent.held if number not in agent.waiting]
        begun.update(in_order[: end.begun])
        at_work = set(agent.waiting)
        running, attempt = end.running if end.running is not None else (None, 0)
        if running is not None and running in agent.held and agent.held[running].attempt == attempt:
            at_work.add(running)
            if end.since is not None:
                agent.held[running].started = end.since
        first = in_order[0] if in_order else None
        fates: list[tuple[Task, Callable[[], None]]] = []
        for number, task in agent.held.items():
            fate: Callable[[], None]
            if task.cancelling is not None:
                fate = partial(outcomes.cancel, task, task.cancelling)
            elif agent.interrupts.get(number) is CancellationCause.TIMEOUT:
                fate = partial(outcomes.raised, task, told_by(self._limits.timed_out(task), end.error))
            elif (
                number in at_work and agent.verdict is not None and end.running is not None and number == end.running[0]
            ):
                exceeded = self._limits.exceeded(agent, task, agent.verdict)
                fate = partial(outcomes.raised, task, told_by(exceeded, end.error))
            elif agent.culprit is not None and number == running and number != agent.culprit and task.kind.idempotent:
                # The one that was to be ended had just ended by itself, and this one was begun before the kill came.
                fate = partial(outcomes.displaced, task, end.error, suspect=False, begun=True)
            elif number in at_work or (number in begun and not task.kind.idempotent):
                fate = partial(outcomes.died, task, end.error, begun=True, ordered=end.ordered)
            else:
                suspect = number in begun or (number == first and not at_work)
                fate = partial(outcomes.displaced, task, end.error, suspect=suspect, begun=number in begun)
            fates.append((task, fate))
        agent.fates, agent.replaced = fates, end.replaced

    def bury(self, agent: Agent) -> None:
        """Let what was noted by `judge` become of each task that still is where it was."""
        for task, fate in agent.fates or ():
            if agent.held.get(task.number) is not task:
                continue
            if task.status is _ASSIGNED or task.status is _IN_PROGRESS:
                fate()
            self._book.let_go(agent, task)

    def _ended(self, agent: Agent, task: Task, end: tuple[int, Any], cause: CancellationCause | None) -> None:
        """An attempt ended in another way than with a value that is wanted: by outcome and payload."""
        outcomes = self._outcomes
        outcome, payload = end
        if outcome == _REFUSED:
            self._refused(agent, task, "")
            return
        agent.refusals = 0
        if task.cancelling is not None:
            outcomes.cancel(task, task.cancelling)
        elif cause is CancellationCause.TIMEOUT:
            outcomes.raised(task, self._limits.timed_out(task, read_failure(payload)))
        elif outcome == _INTERRUPTED:
            outcomes.died(task, self._limits.ended(agent, task, read_failure(payload)), begun=True, ordered=True)
        else:
            failure: Failure | TaskExited | None = read_failure(payload)
            if failure is None and outcome == _EXITED:
                code = payload if isinstance(payload, int | str | None) else None
                failure = TaskExited(f"task {task.id} called sys.exit({code!r})", task_id=task.id, code=code)
            if failure is None:
                failure = Failure(("builtins.Exception",), "the agent sent an error that cannot be read", "", None)
                self._book.kill(agent, "it sent an error that cannot be read")
            outcomes.raised(task, failure)

    def _unstarted(self, task: Task) -> None:
        if task.final:
            return
        if task.cancelling is not None:
            self._outcomes.cancel(task, task.cancelling)
        else:
            self._outcomes.hand_back(task)

    def _refused(self, agent: Agent, task: Task, reason: str) -> None:
        """An agent that refuses again and again is of no use: it is killed, so that its supervisor replaces it."""
        book = self._book
        self._unstarted(task)
        agent.refusals += 1
        if agent.refusals >= _REFUSALS_AT_MOST:
            book.kill(agent, f"it refused {agent.refusals} tasks in a row: {reason}")
        else:
            self._cool(agent, _COOL_DOWN * 2 ** (agent.refusals - 1))

    def _cool(self, agent: Agent, seconds: float) -> None:
        if not agent.cooling:
            agent.cooling = True
            self._book.timer(self._book.now + seconds, COOLED, agent, agent.incarnation)
