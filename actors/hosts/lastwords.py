"""What an agent leaves to be read after its death, in the memory of its status block behind the status itself.

    4096    log      8 slots of 512 bytes: count Q, length H, text, count again Q
    8192    ready    1 byte: `STACK_SIGNAL` may be sent
    8256    stack    text as `faulthandler` writes it, ended by a zero byte

The stack is written through a descriptor whose place in the file all its copies share: whoever sends the signal first
sets that place to the beginning of the stack, and sees by it how much was written. Pages that nobody writes cost nothing.
"""

from __future__ import annotations

import faulthandler
import functools
import os
import signal
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = [
    "MEMORY_SIZE",
    "STACK_AT",
    "STACK_SIGNAL",
    "LastWords",
    "ask_for_stack",
    "has_whole_stack",
    "is_ready",
    "read_last_words",
    "record_stacks",
    "write_log",
]

MEMORY_SIZE = 65536
"""Bytes of the whole memory, status and last words."""

STACK_AT = 8256
"""Where the stack begins."""

STACK_SIGNAL: int = signal.SIGRTMIN + 7 if hasattr(signal, "SIGRTMIN") else signal.SIGPROF
"""Has an agent write down the stacks of its threads, whatever holds its interpreter."""

_READY_AT = 8192
_LOG_AT = 4096
_SLOTS = 8
_SLOT = 512
_HEAD = struct.Struct("=QH")
_TAIL = struct.Struct("=Q")
_LAST_LINE = 32
_TEXT = _SLOT - _HEAD.size - _TAIL.size


class LastWords(NamedTuple):
    """The last lines that were logged, oldest first, and the stacks of the threads when they were last asked for."""

    log: tuple[str, ...] = ()
    stack: tuple[str, ...] = ()


def write_log(buffer: Any, count: int, line: str) -> None:
    """Keep a line of the log, the `count`th from 1 on; the eighth before it is forgotten, and what is long is cut."""
    at = _LOG_AT + _SLOT * (count % _SLOTS)
    text = line.encode("utf-8", "replace")[:_TEXT]
    # The counts differ while the slot is half written.
    _HEAD.pack_into(buffer, at, count, len(text))
    buffer[at + _HEAD.size : at + _HEAD.size + len(text)] = text
    _TAIL.pack_into(buffer, at + _SLOT - _TAIL.size, count)


def read_last_words(memory: Any) -> LastWords:
    """Read them. Whatever stands there is an agent's and may be anything: what cannot be is left out."""
    if len(memory) < MEMORY_SIZE:
        return LastWords()
    kept = []
    for slot in range(_SLOTS):
        at = _LOG_AT + _SLOT * slot
        count, length = _HEAD.unpack_from(memory, at)
        (again,) = _TAIL.unpack_from(memory, at + _SLOT - _TAIL.size)
        if count and count == again and length <= _TEXT:
            text = bytes(memory[at + _HEAD.size : at + _HEAD.size + length]).decode("utf-8", "replace")
            kept.append((count, " ".join(text.split("\n"))))
    stack = bytes(memory[STACK_AT:MEMORY_SIZE]).partition(b"\0")[0].decode("utf-8", "replace")
    return LastWords(tuple(line for _, line in sorted(kept)), tuple(stack.splitlines()))


# --- in the agent --------------------------------------------------------------------------------------------------


def record_stacks(fd: int, in_body: Callable[[], bool]) -> None:
    """Have this process write its stacks when it gets `STACK_SIGNAL`, and when a task's code calls `os._exit`.

    Args:
        fd: of the memory; kept open from now on.
        in_body: whether the body of a task runs.
    """
    pid = os.getpid()
    # The handler is written in C: it needs neither the interpreter nor its lock.
    faulthandler.register(STACK_SIGNAL, file=fd, all_threads=True)
    os.pwrite(fd, b"\1", _READY_AT)

    def recorded(leave: Callable[[int], Any]) -> Callable[[int], Any]:
        @functools.wraps(leave)
        def leave_recorded(status: int) -> Any:
            if os.getpid() == pid and in_body():
                os.lseek(fd, STACK_AT, os.SEEK_SET)
                faulthandler.dump_traceback(fd, all_threads=False)
            return leave(status)

        return leave_recorded

    import posix  # noqa: PLC0415 - a pickled os._exit is found there

    os._exit = posix._exit = recorded(os._exit)  # type: ignore[assignment] # noqa: SLF001 - it has no other name


# --- in the launcher -----------------------------------------------------------------------------------------------


def is_ready(fd: int) -> bool:
    """Whether the agent of this memory takes `STACK_SIGNAL`."""
    try:
        return os.pread(fd, 1, _READY_AT) == b"\1"
    except OSError:
        return False


def ask_for_stack(fd: int, pid: int) -> bool:
    """Have a ready agent write down its stacks. Returns whether it was asked."""
    try:
        os.lseek(fd, STACK_AT, os.SEEK_SET)
        os.kill(pid, STACK_SIGNAL)
    except OSError:
        return False
    return True


def has_whole_stack(fd: int) -> bool:
    """Whether an agent that was asked has written down its stacks to the end, or will not write any more.

    The thread that was there first comes last, and only its outermost frame is that of a module. One whose stack is too
    deep to be shown whole cannot be known to have ended.
    """
    try:
        end = os.lseek(fd, 0, os.SEEK_CUR)
        begin = max(STACK_AT, end - _LAST_LINE)
        last = os.pread(fd, end - begin, begin) if end > begin else b""
    except OSError:
        return True
    return end >= MEMORY_SIZE or last.endswith(b" in <module>\n")
