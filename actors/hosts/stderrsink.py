"""What agents write to stderr: passed on to the program's, the last lines kept."""

from __future__ import annotations

import errno
import os
import select
import socket
import stat
from collections import deque

__all__ = ["StderrSink", "Tail"]

_TAIL_BYTES = 32 << 10
_TAIL_LINES = 200
_BUFFER_BYTES = 256 << 10
_SAFE_WRITE = 512


class Tail:
    """The last of what an agent wrote, bounded."""

    __slots__ = ("_data",)

    def __init__(self) -> None:
        self._data = bytearray()

    def add(self, data: bytes) -> None:
        """Take more."""
        self._data += data
        if len(self._data) > 2 * _TAIL_BYTES:
            del self._data[:-_TAIL_BYTES]

    def lines(self) -> tuple[str, ...]:
        """The last lines, whole or not, without their ends."""
        text = bytes(self._data[-_TAIL_BYTES:]).decode("utf-8", "replace")
        return tuple(text.splitlines()[-_TAIL_LINES:])


class StderrSink:
    """Writes to a descriptor that it shares with others, and never waits for it.

    The descriptor's own mode is left alone, because whoever shares it would be surprised by a write that does not
    wait. A terminal or a pipe is opened anew instead, a socket asked not to wait; a file never makes anybody wait.

    Args:
        fd: usually 2. It is not closed.
    """

    def __init__(self, fd: int) -> None:
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._dropped = 0
        self._dead = False
        self._own = -1
        self._socket: socket.socket | None = None
        self._fd = fd
        self._asks_first = False
        try:
            mode = os.fstat(fd).st_mode
        except OSError:
            self._dead = True
            return
        if stat.S_ISSOCK(mode):
            self._socket = socket.socket(fileno=os.dup(fd))
        elif not stat.S_ISREG(mode):
            try:
                flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_APPEND | os.O_CLOEXEC
                self._own = self._fd = os.open(f"/dev/fd/{fd}", flags)
            except OSError:
                self._asks_first = True

    @property
    def waiting(self) -> bool:
        """Whether something is kept that the descriptor did not take."""
        return self._size > 0

    def fileno(self) -> int:
        """The descriptor to poll for room, while `waiting`."""
        return self._fd if self._socket is None else self._socket.fileno()

    def write(self, data: bytes) -> None:
        """Pass on what can be, keep the rest up to a bound, drop what is beyond it and say so later."""
        if self._dead or not data:
            return
        if self._size + len(data) > _BUFFER_BYTES:
            self._dropped += len(data)
        else:
            self._waiting.append(data)
            self._size += len(data)
        self.flush()

    def flush(self) -> None:
        """Pass on what is kept, as far as the descriptor takes it."""
        while self._waiting and not self._dead:
            data = self._waiting[0]
            try:
                written = self._try(data)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno == errno.EINTR:
                    continue
                self._give_up()
                return
            if not written:
                return
            self._size -= written
            if written < len(data):
                self._waiting[0] = data[written:]
                continue
            self._waiting.popleft()
            if self._dropped and not self._waiting:
                note = f"\n[actors: {self._dropped} bytes of agents' stderr were dropped: nobody read them]\n".encode()
                self._dropped = 0
                self._waiting.append(note)
                self._size += len(note)

    def close(self) -> None:
        """Free what it opened itself."""
        self._give_up()
        if self._own >= 0:
            os.close(self._own)
            self._own = -1
        if self._socket is not None:
            self._socket.close()

    def _try(self, data: bytes) -> int:
        if self._socket is not None:
            return self._socket.send(data, socket.MSG_DONTWAIT | getattr(socket, "MSG_NOSIGNAL", 0))
        if self._asks_first:
            poll = select.poll()
            poll.register(self._fd, select.POLLOUT)
            if not poll.poll(0):
                return 0
            # A pipe that is writable at all takes this much without waiting (POSIX: at least 512 bytes).
            data = data[:_SAFE_WRITE]
        return os.write(self._fd, data)

    def _give_up(self) -> None:
        self._dead = True
        self._waiting.clear()
        self._size = 0
