"""Long lists of work, divided into sub-tasks for all agents of a type and done among them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from actors.core.partplan import Part, PartPlan
from actors.errors import ActorsError, AgentDied, LimitExceeded, NotSerializable, RemoteError, TaskTimeout

if TYPE_CHECKING:
    from actors.future import TaskFuture
    from actors.worker import Worker

__all__ = ["Sharing", "Work", "costs_one_file", "first_line", "options_of"]

R = TypeVar("R")

# So many parts are handed in for each other agent, beside those that this agent does itself.
_AHEAD = 2


@dataclass(frozen=True, slots=True)
class Work(Generic[R]):
    """What is done with the parts of a plan.

    Args:
        submit: hands a part in as a sub-task.
        here: does a part in the task in hand; it is given what to tell of how far it has come, from 0 to 1, and what is
            next.
        apart: kinds of which an agent does a part only if it is handed in.
    """

    submit: Callable[[Part], TaskFuture[R]]
    here: Callable[[Part, Callable[[float, str], None]], R]
    apart: Collection[str] = ()


class Sharing(Generic[R]):
    """Carries out plans inside the tasks of one worker.

    Parts are sub-tasks, of which a bounded number is under way. As soon as the system has this agent run one of them
    itself, because no other agent is free for it, the agent does the parts itself in between, as plain calls: nothing
    is gained by sending them round. A few are still handed in for other agents.

    Args:
        worker: whose tasks these are. Its tasks that may be parts call `begins`.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._waits = False
        # Whether a part came back to this agent while it waited.
        self._comes_back = False

    def begins(self) -> None:
        """A task that may be a part begins in this agent."""
        self._comes_back = self._comes_back or self._waits

    def agents(self) -> int:
        """How many agents of the worker's type there are to share with, this one too; 1 outside of an agent."""
        worker = self._worker
        if not worker.agent_id:
            return 1
        return max(1, sum(each.agent_type == worker.agent_type for each in worker.agents()))

    def carry_out(self, plan: PartPlan, work: Work[R]) -> Iterator[tuple[Part, R | Exception]]:
        """See all parts of a plan to their end, also in pieces.

        What is left under way when this is not gone through to its end is cancelled.

        Yields:
            Each part with its result, or, for the last piece of what failed, with its error.

        Raises:
            BaseException: an error that no part is to blame for.
        """
        return (self._alone if not self._worker.agent_id else self._shared)(plan, work)

    def _alone(self, plan: PartPlan, work: Work[R]) -> Iterator[tuple[Part, R | Exception]]:
        while (part := plan.cut_one_more()) is not None:
            yield from self._here(plan, work, part)

    def _shared(self, plan: PartPlan, work: Work[R]) -> Iterator[tuple[Part, R | Exception]]:
        worker = self._worker
        open_: dict[TaskFuture[R], Part] = {}
        pending = worker.as_completed()
        self._comes_back = False

        def hand_in(part: Part) -> None:
            future = work.submit(part)
            open_[future] = part
            pending.add(future)

        try:
            while plan.left or open_:
                while (part := self._to_hand_in(plan, len(open_))) is not None:
                    hand_in(part)
                mine = plan.cut_one_more() if self._comes_back else None
                if mine is not None and mine.kind not in work.apart:
                    yield from self._here(plan, work, mine)
                    done = [future for future in open_ if future.done()]
                else:
                    if mine is not None:
                        hand_in(mine)
                    self._waits = True
                    try:
                        done = [next(pending)]
                    finally:
                        self._waits = False
                for future in done:
                    # One that had ended while this agent worked comes a second time.
                    ended = open_.pop(future, None)
                    if ended is not None:
                        yield from self._outcome(plan, ended, future)
        finally:
            for future in open_:
                future.cancel("the task that it is a part of has ended")

    def _to_hand_in(self, plan: PartPlan, count: int) -> Part | None:
        """The next part for other agents, if they have not enough."""
        if self._comes_back and count >= max(1, (plan.agents - 1) * _AHEAD):
            return None
        return plan.cut()

    def _here(self, plan: PartPlan, work: Work[R], part: Part) -> Iterator[tuple[Part, R | Exception]]:
        worker = self._worker
        began = worker.clock.monotonic()
        try:
            result = work.here(part, lambda share, note: worker.progress(plan.fraction_with(part, share), note))
        except Exception as error:  # noqa: BLE001 - which of them are the doing of a file, `_failed` decides
            yield from self._failed(plan, part, error)
            return
        plan.ended(part, worker.clock.monotonic() - began)
        self._tell(plan, part)
        yield part, result

    def _outcome(self, plan: PartPlan, part: Part, future: TaskFuture[R]) -> Iterator[tuple[Part, R | Exception]]:
        try:
            result = future.take()
        except Exception as error:  # noqa: BLE001 - which of them are the doing of a file, `_failed` decides
            yield from self._failed(plan, part, error)
            return
        plan.ended(part, getattr(future, "seconds", None))
        self._tell(plan, part)
        yield part, result

    def _failed(self, plan: PartPlan, part: Part, error: Exception) -> Iterator[tuple[Part, R | Exception]]:
        if not costs_one_file(error):
            raise error
        if not plan.failed(part):
            self._tell(plan, part)
            yield part, error

    def _tell(self, plan: PartPlan, part: Part) -> None:
        self._worker.progress(plan.fraction, part.keys[-1])


def options_of(part: Part, seconds: float) -> dict[str, Any]:
    """How a part is handed in: only a single item that failed before is tried twice.

    Args:
        seconds: its time limit.
    """
    return {"retries": 1 if part.again and len(part.items) == 1 else 0, "timeout": seconds}


def costs_one_file(error: BaseException) -> bool:
    """Whether the error of a part may be the doing of a file in it, and not of the system or its set-up."""
    if isinstance(error, AgentDied | LimitExceeded | TaskTimeout | RemoteError | NotSerializable | MemoryError):
        return True
    return isinstance(error, Exception) and not isinstance(error, ActorsError)


def first_line(error: BaseException) -> str:
    """What an error says, in one line, for people."""
    text = (str(error) or type(error).__name__).strip().splitlines()[0]
    return f"{type(error).__name__}: {text}"
