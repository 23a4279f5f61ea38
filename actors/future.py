"""The submitter's side of a task: a standard future that knows its task and decodes its value when it is wanted."""

from __future__ import annotations

import concurrent.futures
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import InvalidStateError
from typing import Any, NamedTuple, NoReturn, Protocol, TypeVar, cast

from actors.errors import NotSerializable, ResultTaken, SystemClosed, TaskCancelled

__all__ = ["FutureOwner", "TaskFuture", "TaskProgress"]

T = TypeVar("T")

_log = logging.getLogger("actors.future")

# The names that concurrent.futures gives to the states; its own functions compare with them.
_PENDING, _RUNNING, _CANCELLED, _FINISHED = "PENDING", "RUNNING", "CANCELLED_AND_NOTIFIED", "FINISHED"
_DONE = frozenset({_CANCELLED, _FINISHED})

# A million futures may wait, and a condition of its own for each would take most of their memory. A future shares one of
# these locks with others for its changes of state, and gets a condition only when somebody waits for it.
# Nothing but a few assignments is done under one of them; never anything that takes another lock of the kind.
# They are reentrant, because the collector or a signal may run code of anybody's in between.
_LOCKS = tuple(threading.RLock() for _ in range(64))


class TaskProgress(NamedTuple):
    """How far a task has come: `fraction` from 0 to 1, and `time` in UTC seconds; None before the first report."""

    fraction: float = 0.0
    note: str = ""
    time: float | None = None


class FutureOwner(Protocol):
    """Whoever runs the task of a future.

    It may also have `call_soon(fn)`, which runs done-callbacks on a thread of its own choice, and `taken(number)`, which
    hears that a result was taken and can be forgotten.
    """

    def cancel(self, number: int, reason: str) -> object:
        """Cancel the task; the future is cancelled already."""

    def info(self, number: int) -> Any:
        """What is known of the task."""

    def before_wait(self, future: TaskFuture[Any], timeout: float | None) -> object:
        """A thread is about to wait for a future that is not done. It may do something useful first."""


class _Audience:
    """Those who wait for one future: under the names that `concurrent.futures` looks for."""

    __slots__ = ("callbacks", "condition", "waiters")

    def __init__(self) -> None:
        self.condition = threading.Condition()
        self.waiters: list[Any] = []
        self.callbacks: list[Any] = []


class TaskFuture(concurrent.futures.Future[T]):
    """The outcome of a task, at some time.

    Everything that takes a `concurrent.futures.Future` takes it; it can be awaited. The value is made from what the
    agent sent when it is first asked for, in the thread that asks; a value that cannot be made is an error of this
    future alone.

    Args:
        number: of the task in its system.
        task_id: of the task.
        owner: whoever runs it; None for one that is set by hand.

    Invariants: `_state` changes under the shared lock of the future, from pending or running to a final state once; the
    audience comes into being under it too, so whoever changes the state sees all who wait. A condition is never taken
    under a shared lock, only before it.
    """

    _owner: FutureOwner | None
    _result: Any = None
    _exception: BaseException | None = None
    # (payload, decode) of an outcome that nobody has asked for.
    _encoded: tuple[Any, Callable[[Any], Any]] | None = None
    _decoding: threading.Lock | None = None
    _audience: _Audience | None = None
    _is_accepted = False
    _failed = False
    _taken = False
    _reason = ""
    _progress = TaskProgress()

    def __init__(self, number: int, task_id: str, owner: FutureOwner | None = None) -> None:
        # Not the base's, which makes a condition: see `_LOCKS`. Attributes that most futures never change are the class's.
        self._state = _PENDING
        self.number = number
        self.task_id = task_id
        self._owner = owner

    @property  # type: ignore[override]
    def _condition(self) -> threading.Condition:
        return self._join().condition

    @property
    def _waiters(self) -> list[Any]:
        return self._join().waiters

    @property
    def _done_callbacks(self) -> list[Callable[[TaskFuture[T]], object]]:
        return self._join().callbacks

    def _join(self) -> _Audience:
        audience = self._audience
        if audience is None:
            with self._lock:
                audience = self._audience
                if audience is None:
                    audience = self._audience = _Audience()
        return audience

    def __repr__(self) -> str:
        state = {_CANCELLED: "cancelled"}.get(self._state, self._state.lower())
        return f"<{type(self).__name__} {self.task_id}: {state}>"

    def __reduce__(self) -> NoReturn:
        raise NotSerializable(
            f"the future of {self.task_id} cannot go to another process; as an argument of a submission, at the top or in "
            "one list, tuple or dict, it stands for its result, and elsewhere pass the result itself",
            what=f"the future of {self.task_id}",
            reason="it is waited for in this process",
        )

    @property
    def _lock(self) -> contextlib.AbstractContextManager[Any]:
        return _LOCKS[self.number & 63]

    # --- how it stands ---

    def cancelled(self) -> bool:
        """Whether the task was cancelled."""
        return self._state == _CANCELLED

    def running(self) -> bool:
        """Whether the task is known to run."""
        return self._state == _RUNNING

    def done(self) -> bool:
        """Whether there is an outcome: a value, an error or the cancellation."""
        return self._state in _DONE

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
        with self._condition:
            if not self._condition.wait_for(lambda: self._is_accepted or self._state in _DONE, timeout):
                raise TimeoutError(f"{self.task_id} was not accepted within {timeout} s")
        if not self._is_accepted:
            self._outcome()
        return True

    # --- the outcome ---

    def result(self, timeout: float | None = None) -> T:
        """Wait for the outcome and return the value.

        Args:
            timeout: for how many seconds to wait; None without end.

        Raises:
            TimeoutError: there is no outcome yet.
            TaskCancelled: the task was cancelled.
            NotSerializable: the value cannot be rebuilt here.
            BaseException: whatever the task raised, or what ended it.
        """
        self._await(timeout)
        return self._outcome()

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait for the outcome and return the error, None if there is a value. Arguments and errors as `result`."""
        self._await(timeout)
        if self._state == _CANCELLED:
            raise self._cancelled_error()
        self._decode()
        return self._exception

    def take(self, timeout: float | None = None) -> T:
        """Like `result`, once: nothing of the value is kept afterwards.

        Raises:
            ResultTaken: somebody has taken it before.
        """
        value = self.result(timeout)
        with self._lock:
            if self._taken:
                raise self._taken_error()
            self._taken = True
            self._result = None
        taken = getattr(self._owner, "taken", None)
        if taken is not None:
            taken(self.number)
        return value

    def cancel(self, reason: str = "its submitter cancelled it") -> bool:
        """Cancel the task, also while it runs: the future is cancelled at once, the agent is free when the task ends.

        Args:
            reason: outcome and events repeat it.

        Returns:
            Whether it is cancelled; False if it had an outcome before.
        """
        if not self._change(_CANCELLED, reason=reason):
            return self._state == _CANCELLED
        try:
            if self._owner is not None:
                self._owner.cancel(self.number, reason)
        finally:
            self._run_callbacks()
        return True

    def __await__(self) -> Generator[Any, None, T]:
        """Wait without blocking the event loop. To cancel the one who awaits cancels the task."""
        import asyncio  # noqa: PLC0415 - only who has a loop pays for it

        if self._state not in _DONE:
            loop = asyncio.get_running_loop()
            waiter: asyncio.Future[None] = loop.create_future()

            def wake() -> None:
                if not waiter.done():
                    waiter.set_result(None)

            def tell(_: concurrent.futures.Future[T]) -> None:
                # A loop that is closed by now has nobody who waits.
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(wake)

            self.add_done_callback(tell)
            try:
                yield from waiter
            except asyncio.CancelledError:
                self.cancel("the one who awaited it was cancelled")
                raise
        return self._outcome()

    # --- for whoever runs the task; each returns False, and changes nothing, if there is an outcome already ---

    def set_accepted(self) -> bool:
        """The task is accepted."""
        with self._lock:
            self._is_accepted = True
            audience = self._audience
        if audience is not None:
            with audience.condition:
                audience.condition.notify_all()
        return self._state not in _DONE

    def set_running(self) -> bool:
        """The task runs."""
        with self._lock:
            if self._state in _DONE:
                return False
            self._state = _RUNNING
            return True

    def set_progress(self, fraction: float, note: str, time: float) -> bool:
        """The task has come so far; `time` in UTC seconds."""
        self._progress = TaskProgress(fraction, note, time)
        return self._state not in _DONE

    def set_payload(self, payload: Any, decode: Callable[[Any], Any]) -> bool:
        """The task has a value: what `decode(payload)` returns when somebody asks for it."""
        with self._lock:
            if self._audience is None and self._state not in _DONE:
                # Nobody waits: the usual way of a future among many.
                self._encoded = (payload, decode)
                self._state = _FINISHED
                return True
        return self._end(_FINISHED, encoded=(payload, decode))

    def set_failure(self, payload: Any, decode: Callable[[Any], BaseException]) -> bool:
        """The task has failed with the exception that `decode(payload)` returns when somebody asks for it."""
        return self._end(_FINISHED, encoded=(payload, decode), failed=True)

    def set_error(self, error: BaseException) -> bool:
        """The task has failed with `error`."""
        return self._end(_FINISHED, error=error, failed=True)

    def set_cancelled(self, reason: str) -> bool:
        """The task was cancelled by somebody else than this future."""
        return self._end(_CANCELLED, reason=reason)

    def set_result(self, result: T) -> None:
        """The task has the value `result`.

        Raises:
            InvalidStateError: there is an outcome already.
        """
        if not self._end(_FINISHED, result=result):
            raise InvalidStateError(f"{self.task_id} has its outcome already")

    def set_exception(self, exception: BaseException | None) -> None:
        """The task has failed with `exception`.

        Raises:
            InvalidStateError: there is an outcome already.
        """
        if not self._end(_FINISHED, error=exception, failed=True):
            raise InvalidStateError(f"{self.task_id} has its outcome already")

    def set_running_or_notify_cancel(self) -> bool:
        """The task is about to run. False if it was cancelled and must not."""
        return self.set_running()

    # --- inside ---

    def _end(self, state: str, **outcome: Any) -> bool:
        changed = self._change(state, **outcome)
        if changed:
            self._run_callbacks()
        return changed

    def _change(
        self,
        state: str,
        *,
        result: Any = None,
        error: BaseException | None = None,
        encoded: tuple[Any, Callable[[Any], Any]] | None = None,
        failed: bool = False,
        reason: str = "",
    ) -> bool:
        """Give it its outcome and wake who waits. The order of the locks is condition, then shared lock."""
        while True:
            audience = self._audience
            with contextlib.nullcontext() if audience is None else audience.condition:
                with self._lock:
                    if audience is not self._audience:
                        # Somebody has begun to wait just now, and is to be woken.
                        continue
                    if self._state in _DONE:
                        return False
                    if encoded is not None:
                        self._encoded = encoded
                    elif error is not None:
                        self._exception = error
                    elif result is not None:
                        self._result = result
                    if failed:
                        self._failed = True
                    if reason:
                        self._reason = reason
                    # Last: whoever reads a final state without a lock finds the outcome in its place.
                    self._state = state
                if audience is not None:
                    self._notify(audience)
                return True

    def _notify(self, audience: _Audience) -> None:
        for waiter in audience.waiters:
            if self._state == _CANCELLED:
                waiter.add_cancelled(self)
            elif self._failed:
                waiter.add_exception(self)
            else:
                waiter.add_result(self)
        audience.condition.notify_all()

    def _run_callbacks(self) -> None:
        if self._audience is None or not self._audience.callbacks:
            return
        call_soon = getattr(self._owner, "call_soon", None)
        if call_soon is not None:
            call_soon(self._invoke_callbacks)
        else:
            self._invoke_callbacks()

    def _invoke_callbacks(self) -> None:
        # Not the base's: a SystemExit in a callback of the user's must not end the thread that tells of the outcome.
        for callback in self._done_callbacks:
            try:
                callback(self)
            except BaseException:
                _log.exception("A done-callback of %s raised", self.task_id)

    def _await(self, timeout: float | None) -> None:
        if self._state in _DONE:
            return
        if self._owner is not None:
            began = time.monotonic()
            self._owner.before_wait(self, timeout)
            if timeout is not None:
                timeout = max(0.0, timeout - (time.monotonic() - began))
        with self._condition:
            if not self._condition.wait_for(self.done, timeout):
                raise TimeoutError(f"{self.task_id} has no outcome yet; its task goes on")

    def _outcome(self) -> T:
        if self._state == _CANCELLED:
            raise self._cancelled_error()
        self._decode()
        if self._exception is not None:
            try:
                raise self._exception
            finally:
                # The traceback of the error leads to this frame: break the circle.
                del self
        with self._lock:
            if self._taken:
                raise self._taken_error()
            return cast("T", self._result)

    def _decode(self) -> None:
        """Make the value, or the error, of what the agent sent. One thread does it, for all who wait."""
        if self._encoded is None:
            return
        with self._lock:
            if self._decoding is None:
                self._decoding = threading.Lock()
            decoding = self._decoding
        with decoding:
            encoded = self._encoded
            if encoded is None:
                return
            try:
                value = encoded[1](encoded[0])
                if self._failed and not isinstance(value, BaseException):
                    raise TypeError(f"an error was expected, and {type(value).__qualname__} came")
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
                    # The user's own. The value can be asked for again.
                    raise
                self._exception = self._unreadable(error)
            else:
                if self._failed:
                    self._exception = value
                else:
                    self._result = value
            self._encoded = None

    def _unreadable(self, error: BaseException) -> NotSerializable:
        what = f"the {'error' if self._failed else 'result'} of {self.task_id}"
        reason = f"{type(error).__name__}: {error}"
        unreadable = NotSerializable(
            f"{what} came, but cannot be rebuilt here: {reason}; return plain values, or see to it that what the task "
            "returns can be unpickled in this process",
            what=what,
            reason=reason,
        )
        unreadable.__cause__ = error
        return unreadable

    def _cancelled_error(self) -> TaskCancelled:
        why = f": {self._reason}" if self._reason else ""
        return TaskCancelled(f"{self.task_id} was cancelled{why}", task_id=self.task_id, reason=self._reason)

    def _taken_error(self) -> ResultTaken:
        return ResultTaken(
            f"the result of {self.task_id} was taken before and is not kept; use result() to read it more than once",
            task_id=self.task_id,
        )
