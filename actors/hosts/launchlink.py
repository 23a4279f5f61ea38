"""What the program and its launcher say to each other, and the socket that carries it.

Both ends are the program's own code and nobody else has the socket, so here, and only here, messages are pickled.
"""

from __future__ import annotations

import pickle
import socket
import struct
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from actors.hosts.descriptors import close_all, receive, transmit
from actors.hosts.exitreport import Ending

__all__ = [
    "Close",
    "Exited",
    "Kill",
    "Launch",
    "LaunchLink",
    "LinkMessage",
    "Ready",
    "SendSignal",
    "Setup",
    "Started",
]


class Setup(NamedTuple):
    """To the launcher, first of all. The descriptor that comes with it, if any, is the program's pidfd.

    `entry` is the "module:function" that runs an agent, `preload` are modules to import before the first fork,
    `root` is the directory of all workspaces, removed at the end (empty for none), `interpreter` the command that
    starts a fresh interpreter (up to and without its `-c`).
    """

    program: int
    entry: str
    preload: tuple[str, ...]
    root: str
    interpreter: tuple[str, ...]
    path: tuple[str, ...]
    arguments: tuple[str, ...]


class Launch(NamedTuple):
    """To the launcher: start an agent. Its descriptors are task, control, status and the spec, in this order.

    `number` names the agent in all that follows. `environment` is the whole one, or None for the launcher's own with
    `changed` set and `removed` taken away; `marks` are set in either.
    """

    number: int
    fresh: bool
    environment: dict[str, str] | None
    changed: dict[str, str]
    removed: tuple[str, ...]
    marks: dict[str, str]
    cwd: str | None
    spec_size: int


class SendSignal(NamedTuple):
    """To the launcher: send a signal to an agent's process."""

    number: int
    signum: int


class Kill(NamedTuple):
    """To the launcher: end an agent and all its descendants."""

    number: int


class Close(NamedTuple):
    """To the launcher: SIGTERM to all agents, after `timeout` seconds SIGKILL to what is left, then end."""

    timeout: float


class Ready(NamedTuple):
    """From the launcher: it runs."""

    pid: int


class Started(NamedTuple):
    """From the launcher: an agent's process runs."""

    number: int
    pid: int


class Exited(NamedTuple):
    """From the launcher: an agent has ended, or could not be started (`failure` says why)."""

    number: int
    ending: Ending
    failure: str


LinkMessage: TypeAlias = Setup | Launch | SendSignal | Kill | Close | Ready | Started | Exited

_HEADER = struct.Struct("<II")
_READ_SIZE = 1 << 16


class LaunchLink:
    """One end of the socket between program and launcher. Not thread-safe; never waits.

    Args:
        sock: a connected Unix stream socket, owned by the link.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)  # noqa: FBT003 - takes no keyword
        self._sock = sock
        self._out: deque[tuple[memoryview, list[int]]] = deque()
        self._in = bytearray()
        self._fds: list[int] = []

    @property
    def waiting(self) -> bool:
        """Whether something is kept that the socket did not take."""
        return bool(self._out)

    def fileno(self) -> int:
        """The descriptor of the socket."""
        return self._sock.fileno()

    def post(self, message: LinkMessage, fds: Sequence[int] = ()) -> None:
        """Queue a message and write what the socket takes.

        Args:
            message: what to say.
            fds: descriptors to go with it; they belong to the link, which closes them once they are sent.

        Raises:
            OSError: the other end is gone.
        """
        body = pickle.dumps(message, 5)
        self._out.append((memoryview(_HEADER.pack(len(body), len(fds)) + body), list(fds)))
        self.flush()

    def flush(self) -> None:
        """Write what the socket takes of what is queued.

        Raises:
            OSError: the other end is gone.
        """
        while self._out:
            view, fds = self._out[0]
            try:
                written = transmit(self._sock, [view], fds, getattr(socket, "MSG_NOSIGNAL", 0))
            except BlockingIOError:
                return
            close_all(fds)
            fds.clear()
            if written < len(view):
                self._out[0] = (view[written:], fds)
            else:
                self._out.popleft()

    def take(self) -> list[tuple[Any, list[int]]]:
        """The messages that have come, each with its descriptors, which are the caller's to close.

        Raises:
            EOFError: the other end is gone and all was taken.
        """
        ended = False
        try:
            while True:
                data, fds = receive(self._sock, _READ_SIZE)
                self._fds += fds
                if not data:
                    ended = True
                    break
                self._in += data
        except BlockingIOError:
            pass
        except OSError:
            ended = True
        messages = self._parse()
        if ended and not messages:
            raise EOFError
        return messages

    def _parse(self) -> list[tuple[Any, list[int]]]:
        messages: list[tuple[Any, list[int]]] = []
        at = 0
        while len(self._in) - at >= _HEADER.size:
            size, count = _HEADER.unpack_from(self._in, at)
            begin = at + _HEADER.size
            if len(self._in) - begin < size:
                break
            fds, self._fds = self._fds[:count], self._fds[count:]
            messages.append((pickle.loads(self._in[begin : begin + size]), fds))  # noqa: S301 - see the module's text
            at = begin + size
        del self._in[:at]
        return messages

    def close(self) -> None:
        """Close the socket and the descriptors that were not sent or not taken."""
        for _, fds in self._out:
            close_all(fds)
        self._out.clear()
        close_all(self._fds)
        self._fds.clear()
        self._sock.close()
