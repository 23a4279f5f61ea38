"""Where a process can be reached: a Unix socket that only processes of the same user get through to.

A process of a system listens in a directory of that system, which goes with it. One outside of any system listens, where
the operating system has them, under a name that is no file, so nothing can be left behind; the peer's user is checked in
both cases, by either side.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import stat
import struct
import sys
import tempfile
from collections.abc import Iterator

from actors.errors import ChannelClosed
from actors.kernel.address import returns

__all__ = ["DIRECTORY", "connect", "directory_below", "directory_here", "listen", "remove", "same_user"]

DIRECTORY = ".post"
"""The directory of a system's sockets, beside the workspaces of its agents."""

# The address of a Unix socket holds 107 bytes and a NUL; on macOS four fewer.
_LONGEST = 100
_BACKLOG = 128
_CONNECT_TIMEOUT = 5.0
_ABSTRACT = "@"
_CREDENTIALS = struct.Struct("3i")


def directory_below(root: str) -> str:
    """The directory of a system's sockets below the root of its workspaces, made if need be, for its owner alone.

    Raises:
        OSError: it cannot be made, or is somebody else's.
    """
    path = os.path.join(root, DIRECTORY)
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)
    found = os.stat(path)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise PermissionError(f"{path} must be a directory that only this user may enter")
    return path


def directory_here() -> str:
    """The directory of the system that this process is an agent of, or was started by one; empty if there is none."""
    workspace = os.environ.get("ACTORS_AGENT_WORKSPACE", "")
    if not workspace:
        return ""
    try:
        return directory_below(os.path.dirname(workspace))
    except OSError:
        # What it was started by may be gone by now.
        return ""


def listen(directory: str, name: str) -> tuple[socket.socket, str]:
    """Listen under a name that no other process has.

    Args:
        directory: where; empty for a process outside of any system.
        name: of the process.

    Returns:
        The socket, which does not block, and the endpoint that others connect to.

    Raises:
        OSError: it is not to be had.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if not directory and sys.platform == "linux":
            endpoint = f"{_ABSTRACT}actors-{name}"
            sock.bind("\0" + endpoint[1:])
        else:
            # The second is removed at the end, in order; it holds the socket alone.
            endpoint = os.path.join(directory or tempfile.mkdtemp(prefix="actors-post-"), name)
            if returns(name):
                # What its former life has left.
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(endpoint)
            with _short(endpoint) as path:
                sock.bind(path)
            os.chmod(endpoint, 0o600)
        sock.listen(_BACKLOG)
        sock.setblocking(False)  # noqa: FBT003 - takes no keyword
    except BaseException:
        sock.close()
        raise
    return sock, endpoint


def connect(endpoint: str) -> socket.socket:
    """A connection to a process of the same user. It does not block.

    Raises:
        ChannelClosed: nobody of this user listens there.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(_CONNECT_TIMEOUT)
        if endpoint.startswith(_ABSTRACT):
            sock.connect("\0" + endpoint[1:])
        else:
            with _short(endpoint) as path:
                sock.connect(path)
        sock.setblocking(False)  # noqa: FBT003 - takes no keyword
    except OSError as error:
        sock.close()
        raise ChannelClosed(f"nobody listens at {endpoint} ({error.strerror or error})") from error
    if not same_user(sock):
        sock.close()
        raise ChannelClosed(f"the process that listens at {endpoint} is another user's")
    return sock


def same_user(sock: socket.socket) -> bool:
    """Whether the process at the other end of a connection is of this process's user."""
    if hasattr(socket, "SO_PEERCRED"):
        raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        return bool(_CREDENTIALS.unpack(raw)[1] == os.geteuid())
    # Elsewhere the mode of the directory says who gets here.
    return True


def remove(endpoint: str) -> None:
    """Remove what `listen` has put into the file system."""
    if endpoint.startswith(_ABSTRACT):
        return
    with contextlib.suppress(OSError):
        os.unlink(endpoint)
    directory = os.path.dirname(endpoint)
    if os.path.basename(directory) != DIRECTORY:
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def _short(endpoint: str) -> Iterator[str]:
    """A path to the endpoint that fits into the address of a socket."""
    if len(os.fsencode(endpoint)) <= _LONGEST or not os.path.isdir("/proc/self/fd"):
        yield endpoint
        return
    directory, name = os.path.split(endpoint)
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}/{name}"
    finally:
        os.close(fd)
