"""File descriptors: made so that nothing inherits them by accident, passed on purpose, closed to the last one."""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import socket
import tempfile
from collections.abc import Iterable, Sequence

__all__ = [
    "FDS_AT_ONCE",
    "above_standard",
    "close_all",
    "close_others",
    "fill_standard_descriptors",
    "is_sealed",
    "memory_file",
    "receive",
    "seal",
    "socket_pair",
    "transmit",
]

FDS_AT_ONCE = 200
"""How many descriptors go with one write: the kernel's own bound (SCM_MAX_FD) is 253."""

# Linux only; `fcntl` of Python 3.11 to 3.13 names them there, mypy and macOS do not know them.
_F_ADD_SEALS = 1033
_F_GET_SEALS = 1034
_F_SEAL_SEAL = 0x0001
_F_SEAL_SHRINK = 0x0002
_F_SEAL_GROW = 0x0004
_F_SEAL_FUTURE_WRITE = 0x0010

_ANCILLARY = socket.CMSG_SPACE(253 * array.array("i").itemsize)
# Plain numbers: the flags of `socket` are members of an enumeration, which take a microsecond to join.
_CLOEXEC = int(getattr(socket, "MSG_CMSG_CLOEXEC", 0))


def above_standard(fd: int) -> int:
    """Move a descriptor out of 0, 1 and 2, where it would be taken for a terminal or replaced by one."""
    if fd > 2:
        return fd
    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
    os.close(fd)
    return moved


def socket_pair() -> tuple[socket.socket, socket.socket]:
    """Two connected stream sockets that no child inherits, with descriptors above the standard ones."""
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    return socket.socket(fileno=above_standard(one.detach())), socket.socket(fileno=above_standard(other.detach()))


def memory_file(name: str, size: int) -> int:
    """A descriptor of anonymous memory of a fixed size; an unlinked temporary file where the system has no memfd.

    Args:
        name: shown in /proc/<pid>/maps.
        size: bytes, all zero.
    """
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    else:
        fd, path = tempfile.mkstemp(prefix="actors-")
        os.unlink(path)
    fd = above_standard(fd)
    try:
        os.ftruncate(fd, size)
    except OSError:
        os.close(fd)
        raise
    return fd


def seal(fd: int, *, future_write: bool) -> None:
    """Fix the size of anonymous memory for ever: a reader's mapping can then not be cut away under it.

    Args:
        fd: from `memory_file`.
        future_write: also forbid all further writable mappings; those that exist stay.
    """
    seals = _F_SEAL_SHRINK | _F_SEAL_GROW | _F_SEAL_SEAL
    if not hasattr(os, "memfd_create"):
        return
    if future_write:
        try:
            fcntl.fcntl(fd, _F_ADD_SEALS, seals | _F_SEAL_FUTURE_WRITE)
        except OSError:
            # Kernels before 5.1 do not know it. Without it a hostile receiver could write, to its own harm alone.
            pass
        else:
            return
    fcntl.fcntl(fd, _F_ADD_SEALS, seals)


def is_sealed(fd: int) -> bool:
    """Whether the size behind a descriptor can never shrink; always true where the system has no seals."""
    if not hasattr(os, "memfd_create"):
        return True
    try:
        return bool(fcntl.fcntl(fd, _F_GET_SEALS) & _F_SEAL_SHRINK)
    except OSError:
        return False


def transmit(sock: socket.socket, parts: Sequence[bytes | memoryview], fds: Sequence[int], flags: int = 0) -> int:
    """Write what the socket takes of `parts`, the descriptors with its first byte. Returns the bytes written.

    Raises:
        OSError: as `socket.sendmsg`; BlockingIOError when the socket takes nothing now.
    """
    if not fds:
        return sock.sendmsg(parts, (), flags)
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
    return sock.sendmsg(parts, ancillary, flags)


def receive(sock: socket.socket, size: int, flags: int = 0) -> tuple[bytes, list[int]]:
    """Read up to `size` bytes and the descriptors that came with them, none of which a child will inherit.

    A descriptor that the system could not hand over for want of room in this process' table is missing.

    Raises:
        OSError: as `socket.recvmsg`; BlockingIOError when there is nothing to read.
    """
    data, ancillary, _, _ = sock.recvmsg(size, _ANCILLARY, flags | _CLOEXEC)
    if not ancillary:
        return data, []
    fds = array.array("i")
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
    if not hasattr(socket, "MSG_CMSG_CLOEXEC"):
        for fd in fds:
            os.set_inheritable(fd, False)  # noqa: FBT003 - takes no keyword
    return data, list(fds)


def close_all(fds: Iterable[int]) -> None:
    """Close descriptors; one that is closed already is no matter."""
    for fd in fds:
        with contextlib.suppress(OSError):
            os.close(fd)


def close_others(keep: Iterable[int]) -> None:
    """Close every descriptor of this process but 0, 1, 2 and those of `keep`."""
    try:
        highest = os.sysconf("SC_OPEN_MAX")
    except (OSError, ValueError):
        highest = 0
    # A soft limit that was lowered after a high descriptor had been opened does not close that one.
    with contextlib.suppress(OSError):
        highest = max(highest, 1 + max(int(name) for name in os.listdir("/dev/fd")))
    low = 3
    for fd in sorted(set(keep)):
        if fd >= low:
            os.closerange(low, fd)
            low = fd + 1
    os.closerange(low, max(highest, low))


def fill_standard_descriptors() -> None:
    """Point those of 0, 1 and 2 that are closed to /dev/null, so that nothing else takes their numbers."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != fd:
                os.dup2(opened, fd)
                os.close(opened)
            os.set_inheritable(fd, True)  # noqa: FBT003 - takes no keyword
