"""What a task does that it should not do."""

from __future__ import annotations

import ctypes
import os
import random
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from benchmarks.awkward import CannotPickle, CannotRebuild

__all__ = ["HARMS", "Harm"]

_LONG = 300
_PIECE = 4 * 2**20
_FULL = 32


class Poison:
    """A result that raises when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return _refuse, ("this result cannot be unpickled",)


def _refuse(why: str) -> NoReturn:
    raise ValueError(why)


def _exit(_: Path | None) -> object:
    os._exit(7)


def _sys_exit(_: Path | None) -> object:
    sys.exit(3)


def _allocate(_: Path | None) -> object:
    pieces = []
    while True:
        pieces.append(bytearray(b"\1" * _PIECE))


def _ignore(_: Path | None) -> object:
    """Catch every interruption, and go on."""
    end = time.monotonic() + _LONG
    while time.monotonic() < end:
        try:
            time.sleep(1)
        except BaseException:  # noqa: BLE001, S112 - that is the harm
            continue
    return None


def _sleep_in_c(_: Path | None) -> object:
    """Hold the interpreter's lock in native code: no handler of Python's can run."""
    return ctypes.PyDLL(None).sleep(_LONG)


def _sleep_in_c_without_lock(_: Path | None) -> object:
    return ctypes.CDLL(None).pause()


def _crash(_: Path | None) -> object:
    return ctypes.string_at(0)


def _abort(_: Path | None) -> object:
    os.abort()


def _detach(_: Path | None) -> object:
    """Leave a process that belongs to nobody: its parent has ended, and it has a session of its own."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return child
    os.setsid()
    if os.fork() == 0:
        time.sleep(_LONG)
    os._exit(0)


def _fork_and_return(_: Path | None) -> object:
    """The child returns from the task as if it were the agent."""
    return os.fork()


def _become_another(_: Path | None) -> object:
    os.execv("/bin/sleep", ["sleep", str(_LONG)])  # noqa: S606 - that is the harm


def _close_descriptors(_: Path | None) -> object:
    os.closerange(3, 256)
    return None


def _write_garbage(_: Path | None) -> object:
    garbage = random.randbytes(random.choice([1, 7, 100, 5000]))
    for name in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                # Without waiting: what takes no more has had enough garbage.
                socket.socket(fileno=os.dup(int(name))).send(garbage, socket.MSG_DONTWAIT)
        except OSError:
            continue
    return None


def _talk(_: Path | None) -> object:
    for _number in range(2000):
        os.write(2, b"what nobody wants to know " * 20 + b"\n")
    return None


def _raise_unpicklable(_: Path | None) -> object:
    raise CannotPickle


def _raise_what_cannot_be_rebuilt(_: Path | None) -> object:
    raise CannotRebuild(1, 2)


def _return_poison(_: Path | None) -> object:
    return Poison()


def _return_unpicklable(_: Path | None) -> object:
    return threading.Lock()


def _fill_workspace(workspace: Path | None) -> object:
    if workspace is None:
        return None
    deep = workspace
    for number in range(_FULL):
        deep = deep / f"folder-{number}"
        deep.mkdir(exist_ok=True)
        deep.joinpath("file").write_bytes(b"x" * 2**16)
    deep.chmod(0o500)
    return None


def _leave_thread(_: Path | None) -> object:
    threading.Thread(target=threading.Event().wait).start()
    return None


def _take_signals(_: Path | None) -> object:
    """Ignore every signal that can be ignored, for the rest of the process's life."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            continue
    return None


def _recurse(_: Path | None) -> object:
    def deeper(depth: int) -> int:
        return deeper(depth + 1) + 1

    return deeper(0)


def _open_files(_: Path | None) -> object:
    files = []
    while True:
        # Objects, which close them when the error has done with this frame: the agent is to live on.
        files.append(open(os.devnull, "rb"))  # noqa: SIM115 - they are to stay open


@dataclass(frozen=True, slots=True)
class Harm:
    """One harm. `timeout` is the time limit of its task in seconds, for those that would not end."""

    do: Callable[[Path | None], object]
    timeout: float | None = None


HARMS: dict[str, Harm] = {
    "exit": Harm(_exit),
    "sys.exit": Harm(_sys_exit),
    "allocate": Harm(_allocate),
    "ignore interrupts": Harm(_ignore, 0.3),
    "sleep in C": Harm(_sleep_in_c, 0.3),
    "pause in C": Harm(_sleep_in_c_without_lock, 0.3),
    "crash": Harm(_crash),
    "abort": Harm(_abort),
    "detach a child": Harm(_detach),
    "fork and return": Harm(_fork_and_return),
    "become another": Harm(_become_another, 2.0),
    "close descriptors": Harm(_close_descriptors, 2.0),
    "garbage on sockets": Harm(_write_garbage, 2.0),
    "talk a lot": Harm(_talk),
    "raise unpicklable": Harm(_raise_unpicklable),
    "raise unbuildable": Harm(_raise_what_cannot_be_rebuilt),
    "return poison": Harm(_return_poison),
    "return unpicklable": Harm(_return_unpicklable),
    "fill workspace": Harm(_fill_workspace),
    "leave a thread": Harm(_leave_thread),
    "ignore signals": Harm(_take_signals),
    "recurse": Harm(_recurse),
    "open files": Harm(_open_files, 5.0),
}
