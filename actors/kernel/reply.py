"""The answer to a message: set once, waited for by anybody."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
from _thread import LockType, allocate_lock
from collections.abc import Callable, Generator
from typing import Any, NoReturn, TypeVar, cast

import pykka

from actors.errors import NotSerializable
from actors.kernel.askers import begin
from actors.kernel.current import current
from actors.kernel.pykkaerrors import AskTimeout

__all__ = ["Ask", "Reply"]

T = TypeVar("T")

_log = logging.getLogger("actors.kernel")

_OPEN, _VALUE, _ERROR = 0, 1, 2
# After so many seconds an actor that waits for one of another process looks whether they wait for each other.
_PROMPT = 0.1


class Reply(pykka.Future[T]):
    """Where the answer to one question will be.

    It is set exactly once: whoever comes second is told so by False, and harms nobody. The thread that waits sleeps on
    a bare lock, which costs a fraction of a condition.

    Invariant: `_state` leaves _OPEN once, under `_mutex`, after the outcome is in its place; so it is read without.
    """

    # Class attributes, because almost no reply has a hook: pykka would make two objects for each.
    _get_hook: Any = None
    _get_hook_result: Any = None
    # Set where actors go on only if somebody steps them: see `Dispatcher`.
    drive: Callable[[Callable[[], bool], float | None], bool] | None = None
    # The cell of the actor that has to go on before the answer comes; None if that is not known.
    asked: Any = None

    def __init__(self) -> None:
        self._mutex = allocate_lock()
        self._state = _OPEN
        self._outcome: Any = None
        self._gate: LockType | None = None
        self._callbacks: list[Callable[[Reply[T]], object]] | None = None

    def __repr__(self) -> str:
        return f"<Reply {('open', 'value', 'error')[self._state]}>"

    def __reduce__(self) -> NoReturn:
        raise NotSerializable(
            "a Reply belongs to the process that asked; send its value, or the question, to another process",
            what="a Reply",
            reason="it is waited for in this process",
        )

    # --- answering ---

    def set(self, value: T | None = None) -> bool:  # type: ignore[override]  # pykka's raises queue.Full instead
        """Answer with `value`. False if it was answered before, or is computed by a hook."""
        return self._get_hook is None and self._end(_VALUE, value)

    def fail(self, error: BaseException) -> bool:
        """Answer with an error, which is raised where the answer is waited for. False as for `set`."""
        return self._get_hook is None and self._end(_ERROR, error)

    def set_exception(self, exc_info: Any = None) -> bool:  # type: ignore[override]
        """Answer with the exception of an `exc_info` triple, by default the one that is being handled."""
        error = (exc_info or sys.exc_info())[1]
        return self.fail(error if error is not None else RuntimeError("set_exception() without an exception"))

    def _end(self, state: int, outcome: Any) -> bool:
        with self._mutex:
            if self._state:
                return False
            self._outcome = outcome
            self._state = state
            if self._gate is not None:
                self._gate.release()
            callbacks, self._callbacks = self._callbacks, None
        for callback in callbacks or ():
            self._call(callback)
        return True

    # --- looking ---

    def done(self) -> bool:
        """Whether the answer is there."""
        return self._state != _OPEN

    def exception(self) -> BaseException | None:
        """The error it was answered with; None if it has a value, or no answer yet."""
        return cast("BaseException", self._outcome) if self._state == _ERROR else None

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the answer for at most `timeout` seconds (None: without end). Whether it is there.

        Raises:
            DeadlockDetected: the actor that is to answer waits, over however many others, for the one that calls.
        """
        if self.done():
            return True
        cell = current.cell
        if cell is None or self.asked is None:
            return self._sleep(timeout)
        before = begin(cell, self)
        try:
            search = getattr(self.asked, "search", None)
            if search is None:
                return self._sleep(timeout)
            if (
                self._sleep(_PROMPT if timeout is None else min(timeout, _PROMPT))
                or (timeout or _PROMPT + 1) <= _PROMPT
            ):
                return self.done()
            # Only now: most answers of other processes are here by then, and those of a circle never come.
            search(cell)
            return self._sleep(None if timeout is None else timeout - _PROMPT)
        finally:
            cell.waits_on = before

    def _sleep(self, timeout: float | None) -> bool:
        if self.drive is not None:
            return self.drive(self.done, timeout)
        with self._mutex:
            if self._state:
                return True
            if self._gate is None:
                self._gate = allocate_lock()
                self._gate.acquire()
            gate = self._gate
        if gate.acquire(timeout=-1 if timeout is None else min(max(timeout, 0.0), threading.TIMEOUT_MAX)):
            # For the next one who waits.
            gate.release()
        return self._state != _OPEN

    def get(self, *, timeout: float | None = None) -> T:
        """Wait for the answer.

        Args:
            timeout: for how many seconds; None waits without end.

        Raises:
            AskTimeout: it did not come in time.
            DeadlockDetected: as `wait`.
            BaseException: whatever it was answered with.
        """
        if self._get_hook is not None:
            return self._get_hooked(timeout)
        if not self._state and not self.wait(timeout):
            raise AskTimeout(f"no answer within {timeout} s", timeout=timeout)
        if self._state == _ERROR:
            try:
                raise self._outcome
            finally:
                # The traceback of the error leads to this frame: break the circle.
                del self
        return cast("T", self._outcome)

    def set_get_hook(self, func: Any) -> None:
        """Compute the value by `func(timeout)` when it is first asked for (pykka's `map`, `filter`, `join` use it)."""
        if self._state:
            raise RuntimeError("this reply has been answered already: it cannot be computed as well")
        self._get_hook = func

    def _get_hooked(self, timeout: float | None) -> T:
        if not self._state:
            value = self._get_hook(timeout)
            self._end(_VALUE, value)
        return cast("T", self._outcome)

    # --- being told ---

    def add_done_callback(self, callback: Callable[[Reply[T]], object]) -> None:
        """Call `callback(self)` when the answer is there: at once if it is, else in the thread that answers."""
        with self._mutex:
            if not self._state:
                if self._callbacks is None:
                    self._callbacks = []
                self._callbacks.append(callback)
                return
        self._call(callback)

    def _call(self, callback: Callable[[Reply[T]], object]) -> None:
        try:
            callback(self)
        except Exception:  # noqa: BLE001 - its own trouble: it harms nobody who waits
            _log.exception("A callback of a reply raised")

    def __await__(self) -> Generator[Any, None, T]:
        """Wait without blocking the event loop: the thread that answers calls the loop back."""
        import asyncio  # noqa: PLC0415 - only who has a loop pays for it

        loop = asyncio.get_running_loop()
        if self._get_hook is not None:
            return (yield from loop.run_in_executor(None, self.get).__await__())
        waiter: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            if not waiter.done():
                waiter.set_result(None)

        def tell(_: Reply[T]) -> None:
            # The loop may be closed by now, and then nobody waits any more.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(wake)

        self.add_done_callback(tell)
        yield from waiter.__await__()
        return self.get()

    __iter__ = __await__


class Ask:
    """A message on its way that wants an answer.

    Args:
        message: the message.
        reply: where the answer goes.
        askers: those who do nothing but wait until the answer comes, see `askers`; empty if nobody does.
    """

    __slots__ = ("askers", "message", "reply")

    def __init__(self, message: Any, reply: Reply[Any], askers: tuple[Any, ...] = ()) -> None:
        self.message = message
        self.reply = reply
        self.askers = askers

    def __repr__(self) -> str:
        return f"Ask({self.message!r})"
