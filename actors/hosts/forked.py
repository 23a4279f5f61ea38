"""A process that a task has forked: it is no agent, though it began as the copy of one.

Whatever the task's code does there, it must not speak for the agent: not answer the task, not read what is meant for the
agent, not hand it the signals that it gets. So the copy loses the agent's planes and signal handlers as it is made, and
it ends where the body of the task ends.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Collection
from typing import Any, NoReturn

from actors.errors import TaskExited
from actors.protocol.messages import Outcome

__all__ = ["end_fork", "part_on_fork"]


def part_on_fork(planes: Collection[int], signals: Collection[int]) -> None:
    """Have every process that this one forks from now on part with it. For an agent that has its process for itself.

    Args:
        planes: the descriptors that the agent speaks through.
        signals: those that have handlers of the agent's, where the task has not put its own there.
    """
    handlers = {number: signal.getsignal(number) for number in signals}
    masks = threading.local()

    def hold_signals() -> None:
        # One that reaches the copy before it has parted would be told to the agent.
        masks.before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)

    def let_signals_in() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, masks.before)

    def part() -> None:
        # Neither a lock nor an object of the channels is touched: another thread may have been in the middle of them.
        with contextlib.suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
            for descriptor in planes:
                os.dup2(null, descriptor, inheritable=False)
            os.close(null)
        with contextlib.suppress(ValueError):
            signal.set_wakeup_fd(-1)
            for number, handler in handlers.items():
                if signal.getsignal(number) is handler:
                    signal.signal(number, signal.SIG_DFL)
        let_signals_in()

    os.register_at_fork(before=hold_signals, after_in_parent=let_signals_in, after_in_child=part)


def end_fork(outcome: Outcome, value: Any) -> NoReturn:
    """End a forked process in which a body has come to its end, as a script would: the agent goes on by itself."""
    code = 0
    if outcome is Outcome.EXITED and isinstance(value, TaskExited):
        code = value.code if isinstance(value.code, int) else int(value.code is not None)
    elif outcome is not Outcome.VALUE:
        code = 1
        with contextlib.suppress(BaseException):
            traceback.print_exception(value)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BaseException):
            stream.flush()
    os._exit(code & 0xFF)
