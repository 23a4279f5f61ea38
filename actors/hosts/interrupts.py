"""Interrupting a task's body, and nothing but its body.

An interruption is an exception, `TaskInterrupted`, raised in the thread that runs the body. In an agent's process a
real-time signal to the main thread brings it about, which also breaks a sleep or a system call. The signal may arrive at
any moment, so its handler raises only if all of this holds: the innermost body has an interruption pending; the
interrupted code is the body or what it calls, and not the agent's own code around it; and that is not one of the
library's own operations, which are shielded. Otherwise the interruption stays pending: the end of a shield raises it, and
the control lane repeats its signal until the body has ended.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Coroutine, Mapping
from contextvars import ContextVar
from types import CoroutineType, FrameType, TracebackType
from typing import Any, Protocol

from actors.errors import TaskExited
from actors.hosts.attempt import Attempt
from actors.hosts.forked import end_fork
from actors.protocol.messages import CancellationCause, Outcome

__all__ = [
    "INTERRUPT_SIGNAL",
    "FlagInterrupter",
    "Interrupter",
    "SignalInterrupter",
    "TaskInterrupted",
    "coroutine_attempt",
    "outcome_of",
]

INTERRUPT_SIGNAL: int = signal.SIGRTMIN + 6 if hasattr(signal, "SIGRTMIN") else signal.SIGUSR2
"""The signal that interrupts; real-time where there are such, so that it takes nothing from the user's own."""


coroutine_attempt: ContextVar[Attempt | None] = ContextVar("coroutine_attempt", default=None)
"""The attempt whose coroutine, or one that it started, is running in this thread."""


_VALUE = Outcome.VALUE


class TaskInterrupted(BaseException):
    """Raised in the body of a task that is cancelled or out of time. Let it pass; `finally` blocks may clean up.

    `cause` is a `CancellationCause`; `reason` says more.
    """

    def __init__(self, text: str = "", cause: CancellationCause | None = None, reason: str = "") -> None:
        super().__init__(text)
        self.cause = cause
        self.reason = reason

    def __reduce__(self) -> tuple[Any, ...]:
        return TaskInterrupted, (str(self), self.cause, self.reason)

    @classmethod
    def of(cls, attempt: Attempt) -> TaskInterrupted:
        """The interruption of an attempt; notes that it was raised."""
        attempt.pending = False
        attempt.interrupted = True
        cause = attempt.cause if attempt.cause is not None else CancellationCause.CANCELLED
        told = f": {attempt.reason}" if attempt.reason else ""
        return cls(
            f"{attempt.task_id or attempt.call} was interrupted ({cause.name.lower()}){told}", cause, attempt.reason
        )


class Interrupter(Protocol):
    """Runs bodies and interrupts them."""

    shielded: contextlib.AbstractContextManager[None]
    complete: Callable[[Coroutine[Any, Any, Any]], Any]
    wake: Callable[[], object]
    thread: int

    def call(
        self, attempt: Attempt, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[Outcome, Any]:
        """Run a body. Returns its outcome with its value or its exception; raises nothing."""

    def here(self, outcome: Outcome, value: Any) -> tuple[Outcome, Any]:
        """What a body has come to; a process that the body has forked ends here."""

    def interrupt(self, attempt: Attempt) -> None:
        """Interrupt the attempt's body, now or as soon as it can be; from any thread."""

    def check(self) -> None:
        """Raise the interruption that is pending for the innermost body, if there is one."""

    @property
    def current(self) -> Attempt | None:
        """The innermost attempt whose body runs."""

    @property
    def beneath(self) -> tuple[Attempt, ...]:
        """The attempts whose bodies cannot go on before the innermost one has ended."""

    @property
    def wanted(self) -> bool:
        """Whether an interruption is pending for the innermost body."""


def outcome_of(attempt: Attempt, error: BaseException) -> tuple[Outcome, BaseException]:
    """What it means that a body ended by an exception."""
    if attempt.interrupted:
        return Outcome.INTERRUPTED, error
    if isinstance(error, SystemExit):
        exited = TaskExited(
            f"{attempt.task_id or attempt.call} called sys.exit({error.code!r})",
            task_id=attempt.task_id,
            code=error.code,
        )
        exited.__cause__ = error
        return Outcome.EXITED, exited
    return Outcome.ERROR, error


def _enter(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    complete: Callable[[Coroutine[Any, Any, Any]], Any],
) -> Any:
    # A frame of its own: from here on the code is the body's, also if `function` is written in C.
    value = function(*args, **kwargs)
    return complete(value) if type(value) is CoroutineType else value


def _complete(coroutine: Coroutine[Any, Any, Any]) -> Any:
    import asyncio  # noqa: PLC0415 - takes 20 ms, and most workers have no coroutines

    return asyncio.run(coroutine)


def _nothing() -> None:
    """Wake nobody."""


class _Shield:
    """Holds interruptions off while the library works for a body. Counts for the body's own thread alone."""

    __slots__ = ("_of",)

    def __init__(self, of: FlagInterrupter) -> None:
        self._of = of

    def __enter__(self) -> None:
        if threading.get_ident() == self._of.thread:
            self._of.shields += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, place: TracebackType | None
    ) -> None:
        if threading.get_ident() == self._of.thread:
            self._of.shields -= 1
            if error is None:
                self._of.check()


class FlagInterrupter:
    """Interrupts only where a body waits in the library, or asks `cancelled()`: for agents that are threads."""

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self._pid = os.getpid()
        self.shields = 0
        # What wakes the thread of the bodies where it waits in the library.
        self.wake: Callable[[], object] = _nothing
        self.shielded: contextlib.AbstractContextManager[None] = _Shield(self)
        self._stack: list[Attempt] = []
        # What makes a value of a coroutine that a body returns.
        self.complete: Callable[[Coroutine[Any, Any, Any]], Any] = _complete

    @property
    def current(self) -> Attempt | None:
        """The innermost attempt whose body runs."""
        return self._stack[-1] if self._stack else None

    @property
    def beneath(self) -> tuple[Attempt, ...]:
        """The attempts whose bodies cannot go on before the innermost one has ended."""
        return tuple(self._stack[:-1])

    def call(
        self, attempt: Attempt, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[Outcome, Any]:
        """Run a body. Returns its outcome with its value or its exception; raises nothing."""
        shields = self.shields
        self._stack.append(attempt)
        try:
            if attempt.pending:
                raise TaskInterrupted.of(attempt)
            self.shields = 0
            value = _enter(function, args, kwargs, self.complete)
        except BaseException as error:  # noqa: BLE001 - whatever a body raises is its outcome
            return self.here(*outcome_of(attempt, error))
        finally:
            self.shields = shields
            attempt.ended = True
            self._stack.pop()
        if attempt.interrupted:
            # It caught the interruption and went on to a value that nobody waits for.
            return self.here(Outcome.INTERRUPTED, TaskInterrupted.of(attempt))
        # As `here`, without the call.
        return (_VALUE, value) if os.getpid() == self._pid else self.here(_VALUE, value)

    def here(self, outcome: Outcome, value: Any) -> tuple[Outcome, Any]:
        """What a body has come to, if it came to it in the process that it began in; a fork of that ends here."""
        if os.getpid() != self._pid:
            end_fork(outcome, value)
        return outcome, value

    def interrupt(self, attempt: Attempt) -> None:
        """Let the body notice when it next waits or asks; a coroutine is cancelled."""
        attempt.pending = True
        self.wake()
        if attempt.cancel is not None:
            attempt.cancel()

    @property
    def wanted(self) -> bool:
        """Whether an interruption is pending for the innermost body."""
        return bool(self._stack) and self._stack[-1].pending

    def check(self) -> None:
        """Raise the interruption that is pending for the innermost body, unless it is shielded."""
        if self._stack and self._stack[-1].pending and not self.shields:
            raise TaskInterrupted.of(self._stack[-1])


_CALL = FlagInterrupter.call.__code__
_ENTER = _enter.__code__


class SignalInterrupter(FlagInterrupter):
    """Interrupts the main thread of this process by `INTERRUPT_SIGNAL`.

    Made in the main thread, which it takes the signal's handler of.
    """

    def __init__(self) -> None:
        super().__init__()
        signal.signal(INTERRUPT_SIGNAL, self._on_signal)

    def interrupt(self, attempt: Attempt) -> None:
        """Signal the main thread; a coroutine is cancelled, too, which reaches it where it awaits something."""
        super().interrupt(attempt)
        with contextlib.suppress(ProcessLookupError, OSError):
            signal.pthread_kill(self.thread, INTERRUPT_SIGNAL)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.shields:
            return
        if self._stack:
            if self._stack[-1].pending and _in_body(frame):
                raise TaskInterrupted.of(self._stack[-1])
            return
        attempt = coroutine_attempt.get()
        if attempt is not None and attempt.pending and not attempt.ended and _in_users_code(frame):
            raise TaskInterrupted.of(attempt)


def _in_body(frame: FrameType | None) -> bool:
    """Whether a frame is a body's or below it, and not of the code that calls bodies."""
    while frame is not None:
        if frame.f_code is _ENTER:
            return True
        if frame.f_code is _CALL:
            return False
        frame = frame.f_back
    return False


def _in_users_code(frame: FrameType | None) -> bool:
    """Whether a frame inside an event loop is of a coroutine's code, and not of the loop's or the agent's own."""
    name = "" if frame is None else frame.f_globals.get("__name__", "")
    return not name.startswith(("asyncio.", "actors.hosts.", "actors.coordination."))
