"""A standard future that costs little while nobody waits for it, and decodes its value when it is wanted."""

from __future__ import annotations

import concurrent.futures
import contextlib
import logging
import threading
from _thread import LockType, allocate_lock
from collections.abc import Callable, Generator
from concurrent.futures import InvalidStateError
from typing import Any, TypeVar, cast

from actors.errors import NotSerializable

__all__ = ["FINISHED", "LazyFuture"]

T = TypeVar("T")

_log = logging.getLogger("actors.future")

# The names that concurrent.futures gives to the states; its own functions compare with them.
_PENDING, _RUNNING, _CANCELLED, FINISHED = "PENDING", "RUNNING", "CANCELLED_AND_NOTIFIED", "FINISHED"
_DONE = frozenset({_CANCELLED, FINISHED})

# A million futures may wait, and a condition of its own for each would take most of their memory. A future shares one of
# these locks with others for its changes of state, and gets a condition only when somebody waits for it.
# Nothing but a few assignments is done under one of them; never anything that takes another lock of the kind.
# They are reentrant, because the collector or a signal may run code of anybody's in between.
_LOCKS = tuple(threading.RLock() for _ in range(64))


class _Audience:
    """Those who wait for one future: under the names that `concurrent.futures` looks for."""

    __slots__ = ("callbacks", "condition", "waiters")

    def __init__(self) -> None:
        self.condition = threading.Condition()
        self.waiters: list[Any] = []
        self.callbacks: list[Any] = []


class LazyFuture(concurrent.futures.Future[T]):
    """A `concurrent.futures.Future` to all who take one; it can be awaited, too.

    The value is made from what arrived when it is first asked for, in the thread that asks; a value that cannot be made
    is an error of this future alone. Subclasses say whose future it is, and what else happens around it.

    Invariants: `_state` changes under the shared lock of the future, from pending or running to a final state once; the
    audience comes into being under it too, so whoever changes the state sees all who wait. A condition is never taken
    under a shared lock, only before it.
    """

    # Attributes that most futures never change are the class's.
    _state: str = _PENDING
    _result: Any = None
    _exception: BaseException | None = None
    # (payload, decode) of an outcome that nobody has asked for.
    _encoded: tuple[Any, Callable[[Any], Any]] | None = None
    # Whether a thread is at making the value of it.
    _decoding = False
    _audience: _Audience | None = None
    # The locks of threads that wait for the outcome and for nothing else; each is released once it is there.
    _sleepers: tuple[LockType, ...] = ()
    _failed = False
    _reason = ""

    def __init__(self) -> None:
        # Not the base's, which makes a condition: see `_LOCKS`.
        self._state = _PENDING

    @property
    def _condition(self) -> threading.Condition:  # type: ignore[override]
        return self._join().condition

    @property
    def _waiters(self) -> list[Any]:  # type: ignore[override]
        return self._join().waiters

    @property
    def _done_callbacks(self) -> list[Callable[[LazyFuture[T]], object]]:
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
        return f"<{type(self).__name__} {self._label}: {state}>"

    @property
    def _lock(self) -> contextlib.AbstractContextManager[Any]:
        return _LOCKS[id(self) >> 4 & 63]

    # --- how it stands ---

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self._state == _CANCELLED

    def running(self) -> bool:
        """Whether what it is for is known to run."""
        return self._state == _RUNNING

    def done(self) -> bool:
        """Whether there is an outcome: a value, an error or the cancellation."""
        return self._state in _DONE

    def failed(self) -> bool:
        """Whether it has ended without a value, as far as is known before the value is made."""
        return self._state == _CANCELLED or (self._state == FINISHED and (self._failed or self._exception is not None))

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
        if self._state not in _DONE:
            self._await(timeout)
        try:
            return self._outcome()
        finally:
            # The traceback of an error that is raised leads to this frame: break the circle.
            del self

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait for the outcome and return the error, None if there is a value. Arguments and errors as `result`."""
        self._await(timeout)
        if self._state == _CANCELLED:
            raise self._cancelled_error()
        if self._encoded is not None:
            self._decode()
        return self._exception

    def cancel(self, reason: str = "") -> bool:
        """Cancel it, also while it runs. False if it had an outcome before."""
        if not self._change_to_cancelled(reason):
            return self.cancelled()
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
        try:
            return self._outcome()
        finally:
            del self  # as in `result`

    # --- for whoever sets it; each returns False, and changes nothing, if there is an outcome already ---

    def set_running(self) -> bool:
        """The task runs."""
        with self._lock:
            if self._state in _DONE:
                return False
            self._state = _RUNNING
            return True

    def set_payload(self, payload: Any, decode: Callable[[Any], Any]) -> bool:
        """The task has a value: what `decode(payload)` returns when somebody asks for it."""
        # `_lock`, without the call: each task passes here.
        sleepers = None
        with _LOCKS[id(self) >> 4 & 63]:
            if self._audience is None and self._state not in _DONE:
                # Nobody waits but sleepers: the usual way of a future among many.
                self._encoded = (payload, decode)
                self._state = FINISHED
                sleepers = self._sleepers
        if sleepers is not None:
            for sleeper in sleepers:
                sleeper.release()
            return True
        return self._end(FINISHED, encoded=(payload, decode))

    def set_failure(self, payload: Any, decode: Callable[[Any], BaseException]) -> bool:
        """The task has failed with the exception that `decode(payload)` returns when somebody asks for it."""
        return self._end(FINISHED, encoded=(payload, decode), failed=True)

    def set_error(self, error: BaseException) -> bool:
        """The task has failed with `error`."""
        return self._end(FINISHED, error=error, failed=True)

    def set_cancelled(self, reason: str) -> bool:
        """The task was cancelled by somebody else than this future."""
        return self._end(_CANCELLED, reason=reason)

    def set_result(self, result: T) -> None:
        """The task has the value `result`.

        Raises:
            InvalidStateError: there is an outcome already.
        """
        if not self._end(FINISHED, result=result):
            raise InvalidStateError(f"{self._label} has its outcome already")

    def set_exception(self, exception: BaseException | None) -> None:
        """The task has failed with `exception`.

        Raises:
            InvalidStateError: there is an outcome already.
        """
        if not self._end(FINISHED, error=exception, failed=True):
            raise InvalidStateError(f"{self._label} has its outcome already")

    def set_running_or_notify_cancel(self) -> bool:
        """The task is about to run. False if it was cancelled and must not."""
        return self.set_running()

    # --- what subclasses say ---

    @property
    def _label(self) -> str:
        """Whose future it is, for texts."""
        return "the future"

    def _before_wait(self, timeout: float | None) -> float | None:
        """A thread is about to wait. Returns for how many seconds it may."""
        return timeout

    def _call(self, callbacks: Callable[[], object]) -> None:
        """Run the done-callbacks here, or elsewhere."""
        callbacks()

    def _cancelled_error(self) -> BaseException:
        """The error of one that was cancelled."""
        return concurrent.futures.CancelledError(self._reason)

    # --- inside ---

    def _end(self, state: str, **outcome: Any) -> bool:
        changed = self._change(state, **outcome)
        if changed:
            self._run_callbacks()
        return changed

    def _change_to_cancelled(self, reason: str) -> bool:
        return self._change(_CANCELLED, reason=reason)

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
                self._notify(audience)
                return True

    def _notify(self, audience: _Audience | None) -> None:
        for sleeper in self._sleepers:
            sleeper.release()
        if audience is None:
            return
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
        self._call(self._invoke_callbacks)

    def _invoke_callbacks(self) -> None:
        # Not the base's: a SystemExit in a callback of the user's must not end the thread that tells of the outcome.
        for callback in self._done_callbacks:
            try:
                callback(self)
            except BaseException:  # noqa: BLE001 - its own trouble
                _log.exception("A done-callback of %s raised", self._label)

    def _await(self, timeout: float | None) -> None:
        if self._state in _DONE:
            return
        if not self._sleep(self._before_wait(timeout)):
            raise TimeoutError(f"{self._label} has no outcome yet; its task goes on")

    def _sleep(self, timeout: float | None) -> bool:
        """Wait until there is an outcome; False if there is none in time.

        A bare lock does for this, where a condition would be made and taken apart for each future that is waited for.
        """
        bell = allocate_lock()
        bell.acquire()
        with self._lock:
            if self._state in _DONE:
                return True
            self._sleepers += (bell,)
        if bell.acquire(timeout=-1 if timeout is None else min(max(timeout, 0.0), threading.TIMEOUT_MAX)):
            return True
        with self._lock:
            self._sleepers = tuple(each for each in self._sleepers if each is not bell)
        return self._state in _DONE

    def _outcome(self) -> T:
        if self._state == _CANCELLED:
            raise self._cancelled_error()
        if self._encoded is not None:
            self._decode()
        if self._exception is not None:
            try:
                raise self._exception
            finally:
                del self  # as in `result`
        return cast("T", self._result)

    def _decode(self) -> None:
        """Make the value, or the error, of what the agent sent. One thread does it, for all who wait."""
        mine = False
        try:
            with _LOCKS[id(self) >> 4 & 63]:
                encoded = self._encoded
                if encoded is None:
                    return
                mine = not self._decoding
                self._decoding = True
            if mine:
                self._make(*encoded)
        finally:
            # Also if the user's interrupt came in between: the value can be asked for again.
            if mine:
                self._decoding = False
                # Whoever waits made the audience before he looked at the flag: he sees it cleared, or is seen here.
                if self._audience is not None:
                    with self._audience.condition:
                        self._audience.condition.notify_all()
        if not mine:
            with self._condition:
                self._condition.wait_for(lambda: not self._decoding)
            self._decode()

    def _make(self, payload: Any, decode: Callable[[Any], Any]) -> None:
        try:
            value = decode(payload)
            if self._failed and not isinstance(value, BaseException):
                raise TypeError(f"an error was expected, and {type(value).__qualname__} came")
        except BaseException as error:  # whatever unpickling raises fails this future alone
            if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
                # The user's own.
                raise
            if error.__traceback__ is not None:
                # Without this frame, which would hold the future.
                error.__traceback__ = error.__traceback__.tb_next
            self._exception = self._unreadable(error)
        else:
            if self._failed:
                self._exception = value
            else:
                self._result = value
        self._encoded = None

    def _unreadable(self, error: BaseException) -> NotSerializable:
        what = f"the {'error' if self._failed else 'result'} of {self._label}"
        reason = f"{type(error).__name__}: {error}"
        unreadable = NotSerializable(
            f"{what} came, but cannot be rebuilt here: {reason}; return plain values, or see to it that what the task "
            "returns can be unpickled in this process",
            what=what,
            reason=reason,
        )
        unreadable.__cause__ = error
        return unreadable
