"""One try at a task, as its agent sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from actors.protocol.messages import CancellationCause, Outcome, Payload

if TYPE_CHECKING:
    from actors.hosts.childprocess import ChildProcess

__all__ = ["Attempt"]


class Attempt:
    """What was assigned, and what has become of it. The arguments are the fields of an `AssignedTask`.

    Attributes:
        started: when its body began on the monotonic clock; 0.0 before.
        cause, reason: why it is to be interrupted; None while nobody wants that.
        pending: an interruption is to be raised in its body; taken back by whoever raises it.
        interrupted: an interruption was raised in its body, whatever the body made of it.
        ended: its body has ended; it is not to be interrupted any more.
        children: the child processes that it started and that still run; None if it never had any.
        many: it makes one call for each of many items.
        outer: the attempt that waits for this one and inside which it runs.
        waits, rests, talks: how many of its coroutines await sub-tasks, locks and the like, and answers of other agents.
        cancel: cancels its coroutine, from any thread; None if its body is none.
        coroutine: the asyncio task that runs it; None if its body is no coroutine.
        on_end: called with it, and the error that it ended with or None, once its body has ended; None if nobody cares.
    """

    started: float = 0.0
    cause: CancellationCause | None = None
    reason: str = ""
    pending: bool = False
    interrupted: bool = False
    ended: bool = False
    children: set[ChildProcess] | None = None
    many: bool = False
    outer: Attempt | None = None
    waits: int = 0
    rests: int = 0
    talks: int = 0
    cancel: Callable[[], object] | None = None
    coroutine: Any = None
    on_end: Callable[[Attempt, BaseException | None], object] | None = None

    def __init__(
        self,
        number: int,
        attempt: int,
        task_id: str,
        call: str,
        payload: Payload,
        results: dict[int, Payload] | None,
        timeout: float | None,
        idempotent: bool,  # noqa: FBT001 - as above
        job: str | None,
        nested: bool,  # noqa: FBT001 - as above
    ) -> None:
        self.number = number
        self.attempt = attempt
        self.task_id = task_id
        self.call = call
        self.payload = payload
        self.results = results
        self.timeout = timeout
        self.idempotent = idempotent
        self.job = job
        self.nested = nested

    def __repr__(self) -> str:
        return f"<attempt {self.attempt} of {self.task_id or self.call}>"

    def tell_end(self, error: BaseException | None) -> None:
        """Its body has ended: tell whoever cares, once."""
        on_end, self.on_end = self.on_end, None
        if on_end is not None:
            on_end(self, error)

    @classmethod
    def of_agent(cls, name: str) -> Attempt:
        """What stands for code of the worker that is no task: a hook or a handler."""
        return cls(0, 0, "", name, b"", None, None, True, None, False)  # noqa: FBT003 - as above

    @property
    def key(self) -> tuple[int, int]:
        """What tells it from all others."""
        return self.number, self.attempt

    @property
    def deadline(self) -> float | None:
        """When its time limit is over, on the monotonic clock; None without a limit."""
        return None if self.timeout is None else self.started + self.timeout

    def result(self, outcome: Outcome, payload: Payload, ended: float) -> tuple[Any, ...]:
        """The fields of its `TaskResult`."""
        return (self.number, self.attempt, int(outcome), payload, self.started or ended, ended)
