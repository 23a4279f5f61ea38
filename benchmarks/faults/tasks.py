"""The tasks: what goes well, and what brings the fault about. Each library runs the same functions."""

from __future__ import annotations

import ctypes
import itertools
import os
import signal
import threading
import time
from typing import NoReturn

from benchmarks.awkward import CannotPickle, CannotRebuild
from benchmarks.faults.desk import visit

__all__ = [
    "MARKER",
    "allocate",
    "answer",
    "crash",
    "half_second",
    "hold_interpreter",
    "leave_child",
    "leave_process",
    "loop",
    "note",
    "poison",
    "raise_unpicklable",
    "raise_unrebuildable",
    "return_unpicklable",
    "stay",
    "stay_with_child",
]

MARKER = "marker-4711"
"""An argument of the tasks that die, to be found again in what is told about them."""

_PIECE = 4 << 20


def answer(number: int) -> int:
    """A task that is no trouble to anybody."""
    return number * 7 + 1


def stay(address: str, name: str) -> int:
    """Run until the desk lets it go."""
    with visit(address, name) as connection:
        return len(connection.recv(1))


def loop(address: str, name: str) -> None:
    """Compute without end, in Python."""
    with visit(address, name):
        while True:
            sum(range(1000))


def hold_interpreter(address: str, name: str) -> bool:
    """Compute without end, in native code that never lets go of the interpreter."""
    with visit(address, name):
        return all(itertools.repeat(1))


def leave_process(address: str, name: str, marker: str) -> NoReturn:
    """End the process past everything that would clean up, when the desk says so; so do the following."""
    with visit(address, name) as connection:
        connection.recv(1)
        os._exit(7 if marker else 0)


def crash(address: str, name: str, marker: str) -> object:
    """Read where nothing is."""
    with visit(address, name) as connection:
        connection.recv(1)
        return ctypes.string_at(0 * len(marker))


def allocate(address: str, name: str, figure: str, most: int) -> int:
    """Take memory without end, and write down how much; at `most` bytes stop, to spare the machine."""
    pieces: list[bytearray] = []
    file = os.open(figure, os.O_WRONLY | os.O_CREAT, 0o600)
    with visit(address, name):
        while len(pieces) * _PIECE < most:
            pieces.append(bytearray(b"\1") * _PIECE)
            os.pwrite(file, b"%020d" % (len(pieces) * _PIECE), 0)
    os.close(file)
    return len(pieces) * _PIECE


def return_unpicklable(address: str, name: str) -> object:
    """Give what cannot be sent."""
    stay(address, name)
    return threading.Lock()


def raise_unpicklable(address: str, name: str) -> NoReturn:
    """Raise what cannot be sent."""
    stay(address, name)
    raise CannotPickle


def raise_unrebuildable(address: str, name: str) -> NoReturn:
    """Raise what is sent, and cannot be made again."""
    stay(address, name)
    raise CannotRebuild(1, 2)


def leave_child(address: str, name: str) -> int:
    """Leave a process behind that has all descriptors of this one."""
    child = _fork()
    visit(address, name, child).close()
    return child


def stay_with_child(address: str, name: str) -> int:
    """Run until the desk lets it go, with a child process beside it."""
    child = _fork()
    with visit(address, name, child) as connection:
        return len(connection.recv(1))


def _fork() -> int:
    """A child process that is there for a while, and takes signals as any process does when this returns."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            # What the parent does at a signal is not for its child to do.
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            os.write(writer, b"r")
            time.sleep(300)
        finally:
            os._exit(0)
    os.close(writer)
    os.read(reader, 1)
    os.close(reader)
    return child


def half_second(address: str) -> None:
    """Wait a little."""
    with visit(address, "waiting"):
        time.sleep(0.5)


def poison() -> None:
    """Kill whoever runs it."""
    os.kill(os.getpid(), signal.SIGKILL)


def note(ledger: str, address: str, number: int) -> int:
    """Work a little, and write it down where no library has to say anything about it."""
    time.sleep(0.02)
    file = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, b"%d\n" % number)
    os.close(file)
    try:
        visit(address, "noted").close()
    except OSError:
        # Nobody listens any more: that is no part of the work.
        return number
    return number
