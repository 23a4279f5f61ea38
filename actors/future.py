"""The submitter's side of a task: a standard future that knows its task and decodes its value when it is wanted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn, Protocol, TypeVar, cast

from actors.errors import NotSerializable, ResultTaken, SystemClosed, TaskCancelled
from actors.kernel.lazyfuture import FINISHED, LazyFuture

__all__ = ["FutureOwner", "TaskFuture", "TaskProgress"]

T = TypeVar("T")


class TaskProgress(NamedTuple):
    """How far a task has come: `fraction` from 0 to 1, and `time` in UTC seconds; None before the first report."""

    fraction: float = 0.0
    note: str = ""
    time: float | None = None


class FutureOwner(Protocol):
    """Whoever runs the task of a future.

    It may also have `call_soon(fn)`, which runs done-callbacks on a thread of its own choice, `taken(number)`, which
    hears that a result was taken and can be forgotten, and `name_of(number)`, which gives the id of its tasks.
    """

    def cancel(self, number: int, reason: str) -> object:
        """Cancel the task; the future is cancelled already."""

    def info(self, number: int) -> Any:
        """What is known of the task."""

    def before_wait(self, future: TaskFuture[Any], ready: Callable[[], bool], timeout: float | None) -> float | None:
        """A thread is about to wait for a future until `ready`. It may do something useful first.

        Returns:
            The seconds that are left of `timeout` (None: without end).
        """


class TaskFuture(LazyFuture[T]):
    """The outcome of a task, at some time.

    Everything that takes a `concurrent.futures.Future` takes it; it can be awaited. The value is made from what the
    agent sent when it is first asked for, in the thread that asks; a value that cannot be made is an error of this
    future alone.

    Args:
        number: of the task in its system.
        task_id: of the task; "" if its owner knows it by the number.
        owner: whoever runs it; None for one that is set by hand.
    """

    # What each future has from the beginning stands in slots, what most never get in the class: a program may hold a
    # million of them, and the collector looks at every attribute of each. Hence no id either, which the number gives.
    __slots__ = ("_is_accepted", "_owner", "number")

    _task_id = ""
    # Hears once that the outcome was asked for.
    _on_fetched: Callable[[int], object] | None = None
    _taken = False
    _progress = TaskProgress()

    def __init__(self, number: int, task_id: str, owner: FutureOwner | None = None) -> None:
        # Not the base's, which would say of the state what the class says.
        self.number = number
        self._owner: FutureOwner | None = owner
        self._is_accepted = False
        if task_id:
            self._task_id = task_id

    def __reduce__(self) -> NoReturn:
        raise NotSerializable(
            f"the future of {self.task_id} cannot go to another process; as an argument of a submission, at the top or in "
            "one list, tuple or dict, it stands for its result, and elsewhere pass the result itself",
            what=f"the future of {self.task_id}",
            reason="it is waited for in this process",
        )

    # --- the task ---

    @property
    def task_id(self) -> str:
        """The id of the task."""
        return self._task_id or str(self._owner.name_of(self.number))  # type: ignore[union-attr]

    def is_of(self, owner: object) -> bool:
        """Whether its task is run by this owner."""
        return self._owner is owner

    def progress(self) -> TaskProgress:
        """The last progress that the task reported."""
        return self._progress

    def info(self) -> Any:
        """What the system knows of the task: a `TaskInfo`.

        Raises:
            SystemClosed: it belongs to no system.
        """
        if self._owner is None:
            raise SystemClosed(f"the future of {self.task_id} belongs to no system that could be asked")
        return self._owner.info(self.number)

    def accepted(self, timeout: float | None = None) -> bool:
        """Wait until the task is accepted: with a journal, from then on it is not lost, whatever dies.

        Args:
            timeout: for how many seconds; None without end.

        Returns:
            True.

        Raises:
            TimeoutError: it was not accepted in time.
            ActorsError: it was refused, or cancelled before.
        """
        if self._is_accepted:
            return True

        def ready() -> bool:
            return self._is_accepted or self.done()

        if self._owner is not None:
            timeout = self._owner.before_wait(self, ready, timeout)
        with self._condition:
            if not self._condition.wait_for(ready, timeout):
                raise TimeoutError(f"{self.task_id} was not accepted within {timeout} s")
        if not self._is_accepted:
            self._outcome()
        return True

    # --- the outcome ---

    def take(self, timeout: float | None = None) -> T:
        """Like `result`, once: nothing of the value is kept afterwards.

        Raises:
            ResultTaken: somebody has taken it before.
        """
        value = self.result(timeout)
        with self._lock:
            if self._taken:
                raise _taken_error(self.task_id)
            self._taken = True
            self._result = None
        taken = getattr(self._owner, "taken", None)
        if taken is not None:
            taken(self.number)
        return value

    def discard(self) -> None:
        """Let go of the value, unread: nothing of it is kept, neither here nor in the system. Nothing without a value."""
        with self._lock:
            if not self.done() or self.failed() or self._taken:
                return
            self._taken = True
            self._result = self._encoded = None
        taken = getattr(self._owner, "taken", None)
        if taken is not None:
            taken(self.number)

    def cancel(self, reason: str = "its submitter cancelled it") -> bool:
        """Cancel the task, also while it runs: the future is cancelled at once, the agent is free when the task ends.

        Args:
            reason: outcome and events repeat it.

        Returns:
            Whether it is cancelled; False if it had an outcome before.
        """
        if not self._change_to_cancelled(reason):
            return self.cancelled()
        try:
            if self._owner is not None:
                self._owner.cancel(self.number, reason)
        finally:
            self._run_callbacks()
        return True

    # --- for whoever runs the task; each returns False if there is an outcome already ---

    def set_accepted(self) -> bool:
        """The task is accepted."""
        self._is_accepted = True
        # Whoever waits made the audience before he looked at the flag: either he sees it set, or is seen here.
        audience = self._audience
        if audience is not None:
            with audience.condition:
                audience.condition.notify_all()
        return not self.done()

    def set_progress(self, fraction: float, note: str, time: float) -> bool:
        """The task has come so far; `time` in UTC seconds."""
        self._progress = TaskProgress(fraction, note, time)
        return not self.done()

    @property
    def was_accepted(self) -> bool:
        """Whether the task was accepted."""
        return self._is_accepted

    def when_fetched(self, tell: Callable[[int], object]) -> None:
        """Let somebody hear the number of the task when its outcome is asked for, once."""
        self._on_fetched = tell

    # --- inside ---

    @property
    def _label(self) -> str:
        return self.task_id

    def _before_wait(self, timeout: float | None) -> float | None:
        return timeout if self._owner is None else self._owner.before_wait(self, self.done, timeout)

    def _call(self, callbacks: Callable[[], object]) -> None:
        call_soon = getattr(self._owner, "call_soon", None)
        if call_soon is not None:
            call_soon(callbacks)
        else:
            callbacks()

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """See `LazyFuture.exception`."""
        error = super().exception(timeout)
        self._tell_fetched()
        return error

    def _tell_fetched(self) -> None:
        tell, self._on_fetched = self._on_fetched, None
        if tell is not None:
            tell(self.number)

    def _outcome(self) -> T:
        if self._on_fetched is not None:
            self._tell_fetched()
        if self._encoded is not None:
            self._decode()
        if self._exception is None and not self._taken and self._state == FINISHED:
            return cast("T", self._result)
        try:
            value = super()._outcome()
        finally:
            taken, task_id = self._taken, self.task_id
            del self  # as in `result`
        if taken:
            raise _taken_error(task_id)
        return value

    def _cancelled_error(self) -> TaskCancelled:
        why = f": {self._reason}" if self._reason else ""
        return TaskCancelled(f"{self.task_id} was cancelled{why}", task_id=self.task_id, reason=self._reason)


def _taken_error(task_id: str) -> ResultTaken:
    return ResultTaken(
        f"the result of {task_id} was taken before and is not kept; use result() to read it more than once",
        task_id=task_id,
    )
