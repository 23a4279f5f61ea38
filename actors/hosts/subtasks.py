"""The tasks that an agent submits itself, and their futures."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, Protocol, TypeVar

from actors.errors import MessageRefused, SystemClosed
from actors.future import TaskFuture
from actors.hosts.attempt import Attempt
from actors.hosts.parts import AgentParts
from actors.hosts.requests import Answer
from actors.hosts.serialize import error_of, loads, unpack_value
from actors.protocol.messages import HUB, CoordinationRequest, Outcome, Priority
from actors.protocol.states import AgentState

__all__ = ["SubTaskFuture", "SubTasks", "Waiting"]

T = TypeVar("T")

_INFO_TIMEOUT = 30.0
_SUBMIT_TIMEOUT = 60.0
# In place of a part: the body goes on, and another one of its coroutines still waits.
_BODY_ALONE = -1


class Waiting(Protocol):
    """What waiting for a sub-task needs of the task lane."""

    def wait(self, begin: Callable[[], Answer[Any]], state: AgentState, deadline: float | None) -> Answer[Any]:
        """Move to `state`, call `begin`, and wait in a body until what it gave has its outcome or `deadline` is there."""

    def suspended(self) -> contextlib.AbstractContextManager[None]:
        """The coroutine that runs waits."""

    def in_body(self) -> bool:
        """Whether the calling code is the body of a task, in the task lane's own thread."""

    def attempt_in_hand(self) -> Attempt | None:
        """The attempt whose body is calling."""

    def attempt_served(self) -> Attempt | None:
        """The same; for a handler, the attempt inside whose wait it runs."""

    def part_in_hand(self) -> int:
        """Which of its coroutines or threads is calling; 0 is the body itself."""


class SubTaskFuture(TaskFuture[T]):
    """The future of a task that another task submitted. Waiting for it gives the agent's slot away.

    Attributes:
        seconds: how long the task ran, once it has ended; None if it never did.
    """

    seconds: float | None = None

    def __await__(self) -> Generator[Any, None, T]:
        owner = self._owner
        if self.done() or not isinstance(owner, SubTasks):
            return (yield from super().__await__())
        with owner.awaiting(self.number):
            return (yield from super().__await__())


class SubTasks:
    """Submits tasks and ties their results to their futures; the owner of these futures.

    Args:
        parts: what the lanes share.

    Attributes:
        strategies: numbers for the strategies that this agent's tasks begin.
    """

    def __init__(self, parts: AgentParts) -> None:
        self._parts = parts
        self._lock = threading.Lock()
        self._open: dict[int, SubTaskFuture[Any]] = {}
        # Results that came before the thread that submitted had made their future.
        self._early: dict[int, tuple[Any, ...]] = {}
        self._submitting = 0
        self.strategies = itertools.count(1)
        self.lane: Waiting | None = None

    def __len__(self) -> int:
        return len(self._open)

    def submit(self, task: dict[str, Any], topic: str = "submit") -> SubTaskFuture[Any]:
        """Submit a task described by the fields of a submission, and wait until it is accepted.

        Args:
            task: the fields.
            topic: of the request.

        Raises:
            ActorsError: the system does not take it.
        """
        with self._lock:
            self._submitting += 1
        try:
            number, task_id = self.request(topic, task, _SUBMIT_TIMEOUT)
            future: SubTaskFuture[Any] = SubTaskFuture(number, task_id, self)
            future.set_accepted()
            with self._lock:
                early = self._early.pop(number, None)
                if early is None:
                    self._open[number] = future
        finally:
            with self._lock:
                self._submitting -= 1
                if not self._submitting:
                    self._early.clear()
        if early is not None:
            _settle(future, early)
        return future

    def request(self, topic: str, data: Any, timeout: float | None) -> Any:
        """Ask the system and wait for the answer, in state communicating."""
        return self.exchange(CoordinationRequest(topic, data), timeout, HUB)

    def exchange(self, message: Any, timeout: float | None, recipient: str, priority: Priority = Priority.HIGH) -> Any:
        """Send a request and wait for the answer, in state communicating if a task is in hand.

        Raises:
            MessageRefused: this is the control lane, which alone could take the answer.
            AskTimeout: it did not come within `timeout` seconds.
            BaseException: the answer is this error.
        """

        def begin() -> Answer[Any]:
            return self._parts.requests.send(message, timeout=timeout, recipient=recipient, priority=priority)

        self._refuse_on_control_lane("an answer")
        # A request that is overdue is failed by the control lane, so these waits need no end of their own.
        if self.lane is not None and self.lane.in_body():
            return self.lane.wait(begin, AgentState.COMMUNICATING, None).result()
        answer = begin()
        self._parts.world.settle(answer.done, None)
        return answer.result()

    def await_answer(self, answer: Answer[Any], ready: Callable[[], bool], timeout: float | None) -> None:
        """Wait for the answer to what was sent before, for at most `timeout` seconds; see `exchange`.

        Raises:
            MessageRefused: this is the control lane, which alone could take the answer.
        """
        self._refuse_on_control_lane("an answer")
        if self.lane is not None and self.lane.in_body():
            deadline = None if timeout is None else self._parts.monotonic() + timeout
            self.lane.wait(lambda: answer, AgentState.COMMUNICATING, deadline)
        else:
            self._parts.world.settle(ready, timeout)

    def ended(self, results: Iterable[tuple[Any, ...]]) -> None:
        """In the control lane: results of sub-tasks have come."""
        for fields in results:
            with self._lock:
                future = self._open.pop(fields[0], None)
                if future is None and self._submitting:
                    self._early[fields[0]] = fields
            if future is not None:
                _settle(future, fields)

    def end(self) -> None:
        """The agent ends: what is open fails."""
        with self._lock:
            left, self._open = self._open, {}
        for future in left.values():
            future.set_error(SystemClosed(f"the agent that submitted {future.task_id} has ended"))

    # --- the owner of the futures ----------------------------------------------------------------------------------

    def cancel(self, number: int, reason: str) -> None:
        """Cancel a sub-task; nobody waits for what becomes of it."""
        with self._parts.interrupter.shielded:
            with self._lock:
                self._open.pop(number, None)
            self._parts.control.send(
                CoordinationRequest("cancel", number), recipient=HUB, sender=self._parts.spec.agent
            )

    def info(self, number: int) -> Any:
        """What the system knows of a sub-task."""
        return loads(self.request("info", number, _INFO_TIMEOUT), "the task's info")

    def taken(self, number: int) -> None:
        """The result of a sub-task was taken: it need not be kept."""
        with self._parts.interrupter.shielded:
            self._parts.control.send(CoordinationRequest("taken", number), recipient=HUB, sender=self._parts.spec.agent)

    def before_wait(self, future: TaskFuture[Any], ready: Callable[[], bool], timeout: float | None) -> float | None:
        """A body waits for a sub-task: the slot is given away meanwhile."""
        return self.wait_for(future, ready, timeout, [future.number])

    def waits_too(self, number: int, on: int) -> None:
        """A task that waits does so for one more sub-task."""
        self._tell("waiting", number, [on])

    def wait_for(
        self, outcome: Answer[Any], ready: Callable[[], bool], timeout: float | None, numbers: list[int]
    ) -> float | None:
        """A body waits for an outcome that sub-tasks of these numbers bring: the slot is given away meanwhile."""
        lane, parts = self.lane, self._parts
        if lane is None or not lane.in_body():
            self._refuse_on_control_lane("the results of sub-tasks")
            return parts.world.settle(ready, timeout)
        deadline = None if timeout is None else parts.monotonic() + timeout
        attempt = lane.attempt_served()

        def begin() -> Answer[Any]:
            if attempt is not None:
                attempt.waits += 1
                self._tell("waiting", attempt.number, numbers)
            return outcome

        try:
            lane.wait(begin, AgentState.WAITING, deadline)
        finally:
            if attempt is not None:
                attempt.waits -= 1
                if not attempt.waits:
                    self._tell("resumed", attempt.number, None)
        return None if deadline is None else max(0.0, deadline - parts.monotonic())

    def clock(self) -> float:
        """Monotonic seconds."""
        return self._parts.monotonic()

    @contextlib.contextmanager
    def awaiting(self, *on: int) -> Iterator[None]:
        """A coroutine of a body awaits sub-tasks."""
        lane = self.lane
        attempt = None if lane is None else lane.attempt_in_hand()
        if lane is None or attempt is None:
            yield
            return
        part = lane.part_in_hand()
        try:
            with lane.suspended():
                self._tell("waiting", attempt.number, list(on), part)
                yield
        finally:
            # The last one of several: as long as any waits, the task does.
            if not attempt.waits:
                self._tell("resumed", attempt.number, None, part)
            elif not part:
                self._tell("resumed", attempt.number, None, _BODY_ALONE)

    def _refuse_on_control_lane(self, what: str) -> None:
        if threading.get_ident() == self._parts.control_thread:
            raise MessageRefused(
                f"an urgent handler of {self._parts.spec.agent} cannot wait for {what}: it runs on the lane that takes "
                "answers; take urgent=True from its @handles, or use tell and submit without waiting",
                recipient=self._parts.spec.agent,
            )

    def _tell(self, topic: str, number: int, on: list[int] | None, part: int = 0) -> None:
        parts = self._parts
        data: list[Any] = [number, on] if on is not None else [number]
        if part:
            data = [number, on, part]
        with parts.interrupter.shielded:
            parts.control.send(CoordinationRequest(topic, data), recipient=HUB, sender=parts.spec.agent)


def _settle(future: SubTaskFuture[Any], fields: tuple[Any, ...]) -> None:
    _, _, outcome, payload, started, ended = fields
    if started:
        future.seconds = ended - started
    if outcome == Outcome.VALUE:
        future.set_payload(payload, unpack_value)
    elif outcome == Outcome.INTERRUPTED:
        future.set_cancelled(payload if isinstance(payload, str) else "")
    else:
        future.set_failure(payload, error_of)
