"""Frames between processes whose actors talk.

    length u32 | kind u8 | priority u8 | segments u16 | actor u64 | number u64 | body

`actor` is the number of an actor in the process that receives, `number` ties an answer to its question. A body of a
megabyte or more travels as shared memory: its descriptor beside the first byte of the frame, its size and a token in the
body. Once the receiver sees it no more it lets go of the token, and the sender uses the memory again.

These are not the frames of the agents' planes: those carry the messages of the protocol between parties that do not trust
each other, and examine what they read. Here both ends are processes of one user that hand each other pickles, and a message
is small and must be quick.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from actors.errors import WireError
from actors.hosts.descriptors import close_all
from actors.hosts.payload import Segment
from actors.hosts.segmentpool import Lease
from actors.protocol.messages import Payload

__all__ = [
    "ANSWER",
    "ASK",
    "BODY_LIMIT",
    "CHAINED",
    "ERROR",
    "HELLO",
    "HOLD",
    "LET_GO",
    "QUERY",
    "RELEASE",
    "SEARCH",
    "STOP",
    "TELL",
    "WATCH",
    "Frame",
    "Reader",
    "Written",
    "let_go",
    "tokens_of",
    "write",
]

HELLO, TELL, ASK, ANSWER, ERROR, WATCH, STOP, QUERY, HOLD, RELEASE, CHAINED, SEARCH, LET_GO = range(1, 14)
"""Who I am; a message; a question; its answer; its error; tell me of its end; end it; what is known of it; its mailbox is
full; there is room again; a question with the chain of those who do nothing but wait for its answer; whether it waits;
shared memory that is seen no more."""

BODY_LIMIT = 64 << 20
"""The most bytes of a body that is no shared memory."""

_HEADER = struct.Struct("<IBBHQQ")
_SEGMENT = struct.Struct("<QQ")
_TOKEN = struct.Struct("<Q")
_HEADER_SIZE = _HEADER.size
_tokens = itertools.count(1)


class Frame(NamedTuple):
    """One frame as it was read. `body` is `bytes`, or a segment."""

    kind: int
    priority: int
    actor: int
    number: int
    body: Payload


class Written(NamedTuple):
    """One frame to be sent: its bytes, and the descriptors that go with the first of them.

    `owned` are to be closed once they are sent. `lease` keeps the memory until the receiver lets go of `token`; None, and
    0, if it is not used again.
    """

    data: bytes
    fds: list[int]
    owned: list[int]
    lease: Lease | None
    token: int


def write(kind: int, priority: int, actor: int, number: int, body: Payload = b"") -> bytes | Written:
    """A frame.

    Raises:
        WireError: the body is too large for a frame, or there is no shared memory for it.
    """
    if type(body) is bytes:
        if len(body) > BODY_LIMIT:
            raise WireError(f"a message of {len(body)} bytes is more than a frame holds ({BODY_LIMIT} bytes)")
        return _HEADER.pack(len(body), kind, priority, 0, actor, number) + body
    try:
        fd, lease, mine = body.lend()
    except OSError as error:
        raise WireError(f"a message of {len(body)} bytes cannot be sent: no shared memory ({error})") from error
    token = 0 if lease is None else next(_tokens)
    data = _HEADER.pack(_SEGMENT.size, kind, priority, 1, actor, number) + _SEGMENT.pack(len(body), token)
    return Written(data, [fd], [fd] if mine else [], lease, token)


def let_go(tokens: Iterable[int]) -> bytes:
    """The frame that tells the sender of shared memory that this end sees it no more."""
    body = b"".join(map(_TOKEN.pack, tokens))
    return _HEADER.pack(len(body), LET_GO, 1, 0, 0, 0) + body


def tokens_of(body: Payload) -> list[int]:
    """What `let_go` was given.

    Raises:
        WireError: it is something else.
    """
    if type(body) is not bytes or len(body) % _TOKEN.size:
        raise WireError(f"expected tokens of shared memory, got {body!r:.50}")
    return [token for (token,) in _TOKEN.iter_unpack(body)]


class Reader:
    """Turns what comes from a socket into frames. One for each connection; not thread-safe.

    Args:
        let_go: called with the token of shared memory that is seen no more; in any thread, in the middle of anything.
    """

    def __init__(self, let_go: Callable[[int], None]) -> None:
        self._let_go = let_go
        self._buffer = bytearray()
        self._fds: list[int] = []

    def feed(self, data: bytes, fds: list[int]) -> Iterator[Frame]:
        """Take what was read, and give the frames that are complete.

        Raises:
            WireError: it is no sound frame. The connection is of no use any more.
        """
        if fds:
            self._fds += fds
        buffer = self._buffer
        source: bytes | bytearray = data
        if buffer:
            buffer += data
            source = buffer
        at, end = 0, len(source)
        view = memoryview(source)
        try:
            while end - at >= _HEADER_SIZE:
                size, kind, priority, segments, actor, number = _HEADER.unpack_from(view, at)
                if size > BODY_LIMIT or not HELLO <= kind <= LET_GO or segments > 1 or not 1 <= priority <= 4:
                    raise WireError(f"expected the header of a frame, got {bytes(view[at : at + _HEADER_SIZE])!r}")
                begin = at + _HEADER_SIZE
                if end - begin < size:
                    break
                at = begin + size
                body: Payload = bytes(view[begin:at])
                if segments:
                    body = self._claim(body)
                yield Frame(kind, priority, actor, number, body)
        finally:
            view.release()
            if source is buffer:
                del buffer[:at]
            elif at < end:
                buffer += data[at:]

    def _claim(self, body: bytes) -> Segment:
        if not self._fds or len(body) != _SEGMENT.size:
            raise WireError("expected shared memory with a frame; none came (is the process out of descriptors?)")
        try:
            size, token = _SEGMENT.unpack(body)
            return Segment.received(self._fds.pop(0), size, self._let_go, token)
        except (ValueError, OSError, OverflowError) as error:
            raise WireError(f"the shared memory of a message cannot be used: {error}") from error

    def close(self) -> None:
        """Close the descriptors that no frame has claimed."""
        close_all(self._fds)
        self._fds.clear()
