"""The first moments of an agent's process: from the launcher's fork to the function that runs the agent."""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

from actors.hosts.descriptors import close_others
from actors.hosts.launchlink import Launch, Setup
from actors.hosts.linux import adopt_orphans, die_with_parent

__all__ = ["STATUS", "be_agent", "find_entry", "resume"]

STATUS = 2
"""Which of the descriptors that come with a launch is the status block's."""


_TASK, _CONTROL, _STATUS, _SPEC = 3, 4, 5, 6
_FIRST_FREE = 16


def find_entry(entry: str) -> Callable[[bytes, int, int, int], int | None]:
    """The function that "module:function" names."""
    module, _, name = entry.partition(":")
    found: Callable[[bytes, int, int, int], int | None] = getattr(importlib.import_module(module), name)
    return found


def be_agent(setup: Setup, request: Launch, fds: Sequence[int], stderr: int, launcher: int) -> NoReturn:
    """Become the agent; called in the forked process, with all signals blocked, and never returns.

    Args:
        setup: what the launcher was told at its start.
        request: what to start.
        fds: task, control, status, spec.
        stderr: the pipe that the launcher reads.
        launcher: its pid.
    """
    code = 1
    try:
        os.setsid()
        die_with_parent(launcher)
        adopt_orphans()
        _reset_signals()
        _place(fds, stderr)
        _set_place(request)
        if request.fresh:
            _start_fresh(setup, request)
        sys.argv[:] = setup.arguments
        code = _run(setup.entry, request.spec_size)
    except BaseException:  # noqa: BLE001 - nothing may get back into the launcher's loop
        _say_why()
    _leave(code)


def resume(entry: str, spec_size: int, arguments: Sequence[str]) -> NoReturn:
    """Go on in a fresh interpreter; the descriptors have their places already."""
    code = 1
    try:
        sys.argv[:] = arguments
        for fd in (_TASK, _CONTROL, _STATUS, _SPEC):
            os.set_inheritable(fd, False)  # noqa: FBT003 - takes no keyword
        code = _run(entry, spec_size)
    except BaseException:  # noqa: BLE001 - as in `be_agent`
        _say_why()
    _leave(code)


def _reset_signals() -> None:
    """All handlers to their defaults, then let the signals in that came meanwhile."""
    signal.set_wakeup_fd(-1)
    for signum in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGPIPE, _SIGXFSZ}:
        with contextlib.suppress(OSError, ValueError):
            signal.signal(signum, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


# Like SIGPIPE, Python ignores it and raises an OSError instead.
_SIGXFSZ = getattr(signal, "SIGXFSZ", signal.SIGPIPE)


def _place(fds: Sequence[int], stderr: int) -> None:
    """Give the descriptors their places and close all others."""
    # Out of the way first: a source may stand where another one is to go.
    moved = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE) for fd in fds]
    stderr = fcntl.fcntl(stderr, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(stderr, 2)
    places = (_TASK, _CONTROL, _STATUS, _SPEC)
    for source, place in zip(moved, places, strict=True):
        os.dup2(source, place, inheritable=False)
    close_others(places)


def _set_place(request: Launch) -> None:
    if request.cwd is not None:
        os.chdir(request.cwd)
    if request.environment is None:
        for name in request.removed:
            os.environ.pop(name, None)
        os.environ.update(request.changed)
    else:
        os.environ.clear()
        os.environ.update(request.environment)
    os.environ.update(request.marks)


def _start_fresh(setup: Setup, request: Launch) -> NoReturn:
    for fd in (_TASK, _CONTROL, _STATUS, _SPEC):
        os.set_inheritable(fd, True)  # noqa: FBT003 - takes no keyword
    code = (
        f"import sys; sys.path[:] = {list(setup.path)!r}; from actors.hosts.birth import resume; "
        f"resume({setup.entry!r}, {request.spec_size}, {list(setup.arguments)!r})"
    )
    os.execve(  # noqa: S606 - no shell is wanted
        setup.interpreter[0], [*setup.interpreter, "-c", code], dict(os.environ)
    )


def _run(entry: str, spec_size: int) -> int:
    parts = []
    at = 0
    while at < spec_size and (part := os.pread(_SPEC, spec_size - at, at)):
        parts.append(part)
        at += len(part)
    os.close(_SPEC)
    return find_entry(entry)(b"".join(parts), _TASK, _CONTROL, _STATUS) or 0


def _say_why() -> None:
    with contextlib.suppress(BaseException):
        traceback.print_exc(file=sys.stderr)


def _leave(code: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        # What cannot be written at the end (the reader is gone) is lost, and is no reason to end differently.
        with contextlib.suppress(BaseException):
            stream.flush()
    os._exit(code & 0xFF)
