"""The tasks that an agent submits itself, and their futures."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, Protocol, TypeVar

from actors.errors import SystemClosed
from actors.future import TaskFuture
from actors.hosts.parts import AgentParts
from actors.hosts.requests import Answer
from actors.hosts.serialize import error_of, unpack_value
from actors.protocol.messages import HUB, CoordinationRequest, Outcome
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

    def suspended(self) -> contextlib.AbstractContextManager[bool]:
        """The coroutine that runs waits; gives whether it is the first of its task that does."""

    def in_body(self) -> bool:
        """Whether the calling code is the body of a task, in the task lane's own thread."""

    def part_in_hand(self) -> int:
        """Which of its coroutines or threads is calling; 0 is the body itself."""

    def task_in_hand(self) -> int | None:
        """The number of the task whose body is calling."""


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
    """

    def __init__(self, parts: AgentParts) -> None:
        self._parts = parts
        self._lock = threading.Lock()
        self._open: dict[int, SubTaskFuture[Any]] = {}
        # Results that came before the thread that submitted had made their future.
        self._early: dict[int, tuple[Any, ...]] = {}
        self._submitting = 0
        self.lane: Waiting | None = None

    def __len__(self) -> int:
        return len(self._open)

    def submit(self, task: dict[str, Any]) -> SubTaskFuture[Any]:
        """Submit a task described by the fields of a submission, and wait until it is accepted.

        Raises:
            ActorsError: the system does not take it.
        """
        with self._lock:
            self._submitting += 1
        try:
            number, task_id = self.request("submit", task, _SUBMIT_TIMEOUT)
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

    def exchange(self, message: Any, timeout: float | None, recipient: str) -> Any:
        """Send a request and wait for the answer, in state communicating if a task is in hand.

        Raises:
            AskTimeout: it did not come within `timeout` seconds.
            BaseException: the answer is this error.
        """

        def begin() -> Answer[Any]:
            return self._parts.requests.send(message, timeout=timeout, recipient=recipient)

        # A request that is overdue is failed by the control lane, so these waits need no end of their own.
        if self.lane is not None and self.lane.in_body():
            return self.lane.wait(begin, AgentState.COMMUNICATING, None).result()
        answer = begin()
        self._parts.world.settle(answer.done, None)
        return answer.result()

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
        return self.request("info", number, _INFO_TIMEOUT)

    def before_wait(self, future: TaskFuture[Any], ready: Callable[[], bool], timeout: float | None) -> float | None:
        """A body waits for a sub-task: the slot is given away meanwhile."""
        lane, parts = self.lane, self._parts
        if lane is None or not lane.in_body():
            return self._parts.world.settle(ready, timeout)
        deadline = None if timeout is None else parts.monotonic() + timeout
        number = lane.task_in_hand()

        def begin() -> Answer[Any]:
            if number is not None:
                self._tell("waiting", number, [future.number])
            return future

        try:
            lane.wait(begin, AgentState.WAITING, deadline)
        finally:
            if number is not None:
                self._tell("resumed", number, None)
        return None if deadline is None else max(0.0, deadline - parts.monotonic())

    @contextlib.contextmanager
    def awaiting(self, on: int) -> Iterator[None]:
        """A coroutine of a body awaits a sub-task."""
        lane = self.lane
        number = None if lane is None else lane.task_in_hand()
        if lane is None or number is None:
            yield
            return
        part = lane.part_in_hand()
        with lane.suspended() as first:
            self._tell("waiting", number, [on], part)
            try:
                yield
            finally:
                if first:
                    self._tell("resumed", number, None, part)
                elif not part:
                    self._tell("resumed", number, None, _BODY_ALONE)

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
