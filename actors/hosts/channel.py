"""Channels: the planes between the program and an agent.

A channel never shares anything with another one: what is full, garbled or dead costs its own agent only.
"""

from __future__ import annotations

import itertools
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Protocol, runtime_checkable

from actors.errors import ChannelClosed, NotSerializable, WireError
from actors.hosts.descriptors import close_all, receive, transmit
from actors.hosts.payload import Lease
from actors.hosts.wire import FRAME_LIMIT, Decoder, Encoder, Piece
from actors.protocol.messages import Envelope, Priority

__all__ = ["Channel", "SocketChannel"]

# Below the size from which malloc maps memory anew for each request.
_READ_SIZE = 1 << 16
# So much is read in one call of `receive` at most: other channels have their turn too.
_READ_AT_ONCE = 1 << 22
_JOINED_UP_TO = 1 << 17
_BUFFERS_AT_ONCE = 64


@runtime_checkable
class Channel(Protocol):
    """One end of a connection that carries the messages of actors.protocol, in order."""

    name: str

    @property
    def closed(self) -> bool:
        """Whether this end was closed."""

    @property
    def pending_out(self) -> int:
        """How many bytes (or messages, in memory) wait because the other end does not read."""

    def send(
        self,
        message: Any,
        *,
        priority: int = Priority.NORMAL,
        correlation: int | None = None,
        deadline: float | None = None,
        recipient: str = "",
        sender: str = "",
        flush: bool = True,
    ) -> int:
        """Send one message and return the id of its envelope. Any thread may call it.

        Args:
            message: one of actors.protocol.messages.
            priority: of the envelope.
            correlation: the id of the request that this answers.
            deadline: monotonic time after which an answer is of no use.
            recipient: empty for whoever reads the other end.
            sender: empty for whoever owns this end.
            flush: False keeps it back until the next message with True, or `flush`; one write then carries them all.

        Raises:
            ChannelClosed: the other end is gone, or this one was closed.
            WireError: the message is too large or of no known kind; the channel goes on.
            NotPlain: it holds what is neither plain nor a payload; the channel goes on.
        """

    def send_many(
        self, messages: Iterable[Any], *, priority: int = Priority.NORMAL, recipient: str = "", sender: str = ""
    ) -> None:
        """Send several messages with one write; otherwise as `send`."""

    def forward(self, envelopes: Iterable[Envelope]) -> None:
        """Send envelopes that exist already, unchanged, with one write; otherwise as `send`."""

    def flush(self) -> None:
        """Write what was kept back, and what the other end had no room for."""

    def receive(self, timeout: float | None = 0) -> list[Envelope]:
        """What has come, in order. One thread at a time.

        Args:
            timeout: seconds to wait if there is nothing; None waits for ever. The list is empty if nothing comes.

        Raises:
            ChannelClosed: the other end is gone and all that it had sent was received, or this end was closed.
            WireError: the other end sent what is no sound frame; the channel is closed.
        """

    def fileno(self) -> int:
        """A descriptor that is readable when `receive` has something to give or to raise; -1 when closed."""

    def close(self) -> None:
        """Close this end. The other end gets what was written before, then learns of it."""


class _Chunk:
    """Bytes on their way out; descriptors go with the first of them."""

    __slots__ = ("fds", "owned", "view")

    def __init__(self, view: memoryview, fds: list[int], owned: list[int]) -> None:
        self.view = view
        self.fds = fds
        self.owned = owned


class SocketChannel:
    """A channel over a stream socket of this machine.

    Args:
        sock: a connected Unix stream socket; the channel owns it.
        name: whose it is, for error texts.
        trusted: what comes in is from this program itself, and is not examined.
        blocking: `send` returns when all is written. Otherwise it never waits, and what does not fit is kept.
        on_blocked: called with (channel, True) when the socket takes no more, and (channel, False) when all is out
            again; it must not wait. In between the owner calls `flush` when the socket is writable.
        recycle: False if the other end may not see memory again that it once had: segments sent to it are then
            never used for anything else.
        limit: the most bytes of one frame.
        utc: seconds since 1970, for the envelopes.

    Invariant: a chunk leaves `_out` only when it is written to its last byte, so frames are never mixed. An exception
    that a signal handler raises inside a call breaks that: mask such signals.
    """

    def __init__(
        self,
        sock: socket.socket,
        *,
        name: str = "",
        trusted: bool = False,
        blocking: bool = False,
        on_blocked: Callable[[SocketChannel, bool], None] | None = None,
        recycle: bool = True,
        limit: int = FRAME_LIMIT,
        utc: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._utc = utc
        self.on_blocked = on_blocked
        sock.setblocking(True)  # noqa: FBT003 - takes no keyword
        self._sock = sock
        self._blocking = blocking
        self._recycle = recycle
        self._lock = threading.RLock()
        self._ids = itertools.count(1)
        # One end trusts the other, the program: what the agent sends is examined there.
        self._encoder = Encoder(limit, examined=trusted)
        self._released: deque[int] = deque()
        self._decoder = Decoder(trusted=trusted, let_go=self._released.append, released=self._let_go, limit=limit)
        self._kept: list[Envelope] = []
        self._out: deque[_Chunk] = deque()
        self._pending = 0
        self._blocked = False
        self._leases: dict[int, Lease] = {}
        self._closed = False
        # The two directions end apart: what a dead peer had sent can still be read.
        self._out_ended = False
        self._in_ended = False

    @classmethod
    def of_fd(cls, fd: int, **options: Any) -> SocketChannel:
        """A channel over the descriptor of a socket, which it takes over; options as for the class."""
        return cls(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=fd), **options)

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{self._pending} bytes to write"
        return f"<SocketChannel {self.name}: {state}>"

    @property
    def closed(self) -> bool:
        """Whether this end was closed."""
        return self._closed

    @property
    def pending_out(self) -> int:
        """How many bytes wait because the other end does not read."""
        return self._pending

    def fileno(self) -> int:
        """The descriptor of the socket; -1 when closed."""
        return self._sock.fileno()

    def send(
        self,
        message: Any,
        *,
        priority: int = Priority.NORMAL,
        correlation: int | None = None,
        deadline: float | None = None,
        recipient: str = "",
        sender: str = "",
        flush: bool = True,
    ) -> int:
        """See `Channel.send`."""
        with self._lock:
            number = next(self._ids)
            self._kept.append(
                Envelope(number, sender, recipient, priority, self._utc(), message, correlation, deadline)
            )
            if flush:
                self._push()
        return number

    def send_many(
        self, messages: Iterable[Any], *, priority: int = Priority.NORMAL, recipient: str = "", sender: str = ""
    ) -> None:
        """See `Channel.send_many`."""
        now = self._utc()
        with self._lock:
            for message in messages:
                self._kept.append(Envelope(next(self._ids), sender, recipient, priority, now, message))
            self._push()

    def forward(self, envelopes: Iterable[Envelope]) -> None:
        """See `Channel.forward`."""
        with self._lock:
            self._kept.extend(envelopes)
            self._push()

    def flush(self) -> None:
        """See `Channel.flush`."""
        with self._lock:
            self._push()

    def receive(self, timeout: float | None = 0) -> list[Envelope]:
        """See `Channel.receive`."""
        deadline = None if not timeout else time.monotonic() + timeout
        while True:
            envelopes = self._read(wait=timeout is None)
            if envelopes:
                if self._released:
                    self._answer_releases()
                return envelopes
            if self._in_ended or self._closed:
                raise ChannelClosed(f"the other end of channel {self.name or 'without a name'} is gone")
            if timeout == 0:
                return []
            if deadline is not None and not self._await_input(deadline):
                return []

    def close(self) -> None:
        """See `Channel.close`."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            for chunk in self._out:
                close_all(chunk.owned)
            self._out.clear()
            self._kept.clear()
            self._pending = 0
            self._drop_leases()
            # Also when a fork of this process has a copy of the socket, the other end must see the end.
            try:
                self._sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            self._sock.close()
            self._decoder.close()

    def _await_input(self, deadline: float) -> bool:
        poll = select.poll()
        poll.register(self._sock.fileno(), select.POLLIN)
        left = deadline - time.monotonic()
        return left > 0 and bool(poll.poll(left * 1000))

    def _read(self, *, wait: bool) -> list[Envelope]:
        """Read what is there, or, with `wait`, at least something."""
        envelopes: list[Envelope] = []
        read = 0
        while read < _READ_AT_ONCE and not self._in_ended:
            flags = 0 if wait and not envelopes and not read else _DO_NOT_WAIT
            try:
                data, fds = receive(self._sock, _READ_SIZE, flags)
            except BlockingIOError:
                break
            except OSError:
                # The peer died with unread input, or this end was closed meanwhile.
                self._in_ended = True
                break
            if not data:
                close_all(fds)
                self._in_ended = True
                break
            read += len(data)
            try:
                envelopes += self._decoder.feed(data, fds)
            except WireError:
                self.close()
                raise
            if len(data) < _READ_SIZE and not self._decoder.partial:
                break
        return envelopes

    def _push(self) -> None:
        """Write all that is kept back. Called with the lock held."""
        if self._closed or self._out_ended:
            self._kept.clear()
            raise ChannelClosed(f"the other end of channel {self.name or 'without a name'} is gone")
        failure: NotSerializable | WireError | None = None
        if self._kept or self._released:
            failure = self._encode()
        if self._out:
            self._write()
        if failure is not None:
            raise failure

    def _encode(self) -> NotSerializable | WireError | None:
        kept, self._kept = self._kept, []
        if self._released:
            tokens = [self._released.popleft() for _ in range(len(self._released))]
            self._enqueue(self._encoder.let_go(tokens))
        try:
            pieces = self._encoder.encode(kept)
        except (NotSerializable, WireError) as error:
            if len(kept) == 1:
                return error
            # One that cannot be sent takes no other with it.
            failure: NotSerializable | WireError | None = None
            for envelope in kept:
                try:
                    pieces = self._encoder.encode([envelope])
                except (NotSerializable, WireError) as single:
                    failure = failure or single
                else:
                    for piece in pieces:
                        self._enqueue(piece)
            return failure
        for piece in pieces:
            self._enqueue(piece)
        return None

    def _enqueue(self, piece: Piece) -> None:
        self._pending += piece.size
        for token, lease in piece.leases:
            if self._recycle:
                self._leases[token] = lease
            else:
                lease.spoil()
                self._leases[token] = lease
        fds, owned = piece.fds, piece.owned
        if piece.size <= _JOINED_UP_TO:
            self._out.append(_Chunk(memoryview(b"".join(piece.parts)), fds, owned))
            return
        small: list[bytes] = []
        for part in [*piece.parts, None]:
            if part is not None and len(part) < _JOINED_UP_TO:
                small.append(part)
                continue
            if small:
                self._out.append(_Chunk(memoryview(b"".join(small)), fds, owned))
                fds, owned, small = [], [], []
            if part:
                self._out.append(_Chunk(memoryview(part), fds, owned))
                fds, owned = [], []

    def _write(self) -> None:
        out = self._out
        while out:
            first = out[0]
            buffers = [first.view]
            for chunk in itertools.islice(out, 1, _BUFFERS_AT_ONCE):
                if chunk.fds:
                    # Descriptors go with the first byte of a write, so theirs must be a write of its own.
                    break
                buffers.append(chunk.view)
            try:
                written = transmit(self._sock, buffers, first.fds, _WRITE_FLAGS)
            except BlockingIOError:
                if self._blocking:
                    poll = select.poll()
                    poll.register(self._sock.fileno(), select.POLLOUT)
                    poll.poll()
                    continue
                self._say_blocked(blocked=True)
                return
            except OSError as error:
                self._end_output()
                raise ChannelClosed(
                    f"the other end of channel {self.name or 'without a name'} is gone ({error.strerror})"
                ) from error
            self._pending -= written
            if len(buffers) == 1 and written == len(first.view) and not first.owned:
                # The usual end of `_advance`, without the call.
                out.popleft()
            else:
                self._advance(written)
        if self._blocked:
            self._say_blocked(blocked=False)

    def _advance(self, written: int) -> None:
        out = self._out
        while written:
            first = out[0]
            close_all(first.owned)
            first.fds, first.owned = [], []
            if len(first.view) > written:
                first.view = first.view[written:]
                return
            written -= len(first.view)
            out.popleft()

    def _say_blocked(self, *, blocked: bool) -> None:
        if blocked != self._blocked:
            self._blocked = blocked
            if self.on_blocked is not None:
                self.on_blocked(self, blocked)

    def _end_output(self) -> None:
        self._out_ended = True
        for chunk in self._out:
            close_all(chunk.owned)
        self._out.clear()
        self._pending = 0
        self._say_blocked(blocked=False)

    def _answer_releases(self) -> None:
        """Tell the other end which of its segments are seen no more, without waiting for the next message."""
        if self._lock.acquire(blocking=False):
            try:
                self._push()
            except (ChannelClosed, NotSerializable, WireError):
                # The answer is a courtesy; who sends something real will be told.
                pass
            finally:
                self._lock.release()

    def _let_go(self, tokens: Iterable[int]) -> None:
        for token in tokens:
            self._leases.pop(token, None)

    def _drop_leases(self) -> None:
        # Nobody will tell any more when the other end has stopped to look.
        leases, self._leases = self._leases, {}
        for lease in leases.values():
            lease.spoil()


# Plain numbers: the members of the enumeration take a microsecond to join.
_DO_NOT_WAIT = int(socket.MSG_DONTWAIT)
_WRITE_FLAGS = _DO_NOT_WAIT | int(getattr(socket, "MSG_NOSIGNAL", 0))
