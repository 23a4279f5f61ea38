"""Frames: how envelopes travel on a stream socket.

    envelopes ──▶ Encoder ──▶ Piece (bytes, descriptors) ──▶ socket ──▶ Decoder.feed ──▶ envelopes

A frame is a header (length, number of segments, kind, mark), a table of its segments (token, size) and a body:

- rows: a plain list, one row for each envelope, its message as the number of its kind and its fields;
- results: one `Result` in columns, which a dozen times a dozen results need no pickler for;
- let go: tokens of segments that the receiver sees no more.

Segments travel as descriptors beside the first byte of their frame. Nothing that is read names a class, and what an
agent sends is examined before it is read: a frame that is not sound is a `WireError`, whatever its bytes are.
"""

from __future__ import annotations

import itertools
import pickle
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from actors.errors import WireError
from actors.hosts.descriptors import FDS_AT_ONCE, close_all
from actors.hosts.fieldtypes import message_of
from actors.hosts.payload import Segment
from actors.hosts.plain import ITEM_LIMIT, KEY_LIMIT, PlainReader, PlainWriter, examine
from actors.hosts.segmentpool import Lease
from actors.protocol.messages import CODES, KINDS, Batch, Envelope, Result

__all__ = ["FRAME_LIMIT", "Decoder", "Encoder", "Piece"]

FRAME_LIMIT = 64 << 20
"""The most bytes of one frame; larger payloads travel as segments."""

_HEADER = struct.Struct("<IHBB")
_MARK = 0xAC
_ROWS, _RESULTS, _LET_GO = 1, 2, 3
_TABLE_ENTRY = struct.Struct("<QQ")
_RESULT_HEAD = struct.Struct("<qdBIHH")
_COLUMN_BYTES = struct.calcsize("<qqBidd")
_RESULT_CODE = CODES[Result]
_ROW_HEAD = 8
# A shorter frame cannot hold so many items or keys that the other end would refuse it for their number.
_COUNTED_FROM = min(ITEM_LIMIT, KEY_LIMIT)
_COPIED_UP_TO = 1 << 20
# One frame of rows takes so many envelopes at most, so that a long queue does not wait for its last one.
_ROWS_AT_ONCE = 4096


class Piece(NamedTuple):
    """One frame on its way out.

    `leases` are held by the channel, by token, until the receiver lets go; `owned` are the descriptors to close once
    they are sent.
    """

    parts: list[bytes]
    size: int
    fds: list[int]
    owned: list[int]
    leases: list[tuple[int, Lease]]


class Encoder:
    """Turns envelopes into frames. One for each channel; not thread-safe.

    Args:
        limit: the most bytes of one frame.
        examined: the other end examines what it reads, so what it would refuse is refused here already.
    """

    def __init__(self, limit: int = FRAME_LIMIT, *, examined: bool = False) -> None:
        self._limit = limit
        self._examined = examined
        self._writer = PlainWriter(Segment)
        self._tokens = itertools.count(1)

    def encode(self, envelopes: Sequence[Envelope]) -> list[Piece]:
        """The frames of `envelopes`, in their order.

        Raises:
            WireError: a message is too large, or of no kind that there is. Nothing is then to be sent.
            NotPlain: a message holds what is neither a plain value nor a payload.
        """
        pieces: list[Piece] = []
        rows: list[tuple[Any, ...]] = []
        try:
            for envelope in envelopes:
                if type(envelope.message) is Result and envelope.correlation is None and envelope.deadline is None:
                    piece = self._results(envelope)
                    if piece is not None:
                        self._flush(rows, pieces)
                        pieces.append(piece)
                        continue
                rows.append(_row(envelope))
                if len(rows) >= _ROWS_AT_ONCE:
                    self._flush(rows, pieces)
            self._flush(rows, pieces)
        except BaseException:
            for made in pieces:
                close_all(made.owned)
            raise
        return pieces

    def let_go(self, tokens: Sequence[int]) -> Piece:
        """The frame that tells the sender of segments that this end sees them no more."""
        body = struct.pack(f"<{len(tokens)}Q", *tokens)
        return Piece([_HEADER.pack(len(body), 0, _LET_GO, _MARK), body], _HEADER.size + len(body), [], [], [])

    def _flush(self, rows: list[tuple[Any, ...]], pieces: list[Piece]) -> None:
        if rows:
            self._rows(rows.copy(), pieces)
            rows.clear()

    def _rows(self, rows: list[tuple[Any, ...]], pieces: list[Piece]) -> None:
        parts, segments = self._writer.write(rows, _inline_beyond if len(rows) == 1 else None)
        size = sum(map(len, parts)) + len(segments) * _TABLE_ENTRY.size
        too_large = size > self._limit or len(segments) > FDS_AT_ONCE
        if too_large and len(rows) > 1:
            half = len(rows) // 2
            self._rows(rows[:half], pieces)
            self._rows(rows[half:], pieces)
            return
        if too_large:
            raise self._too_large(KINDS[rows[0][_ROW_HEAD - 1]].__name__, size)
        if self._examined and size > _COUNTED_FROM:
            try:
                examine(b"".join(parts))
            except ValueError as error:
                raise WireError(f"a message cannot be sent: {error}; pickle it into a payload") from None
        pieces.append(self._piece(_ROWS, parts, size, segments))

    def _results(self, envelope: Envelope) -> Piece | None:
        """The frame of a `Result` in columns; None if it does not fit into columns."""
        results = envelope.message.results
        if not results:
            return None
        try:
            numbers, attempts, outcomes, payloads, starts, ends = zip(*results, strict=True)
        except ValueError:
            return None
        odd: list[Any] = []
        if set(map(type, payloads)) == _ALL_BYTES:
            lengths: list[int] = list(map(len, payloads))
        else:
            lengths = [len(item) if type(item) is bytes else -1 for item in payloads]
            odd = [item for item in payloads if type(item) is not bytes]
            payloads = tuple(item for item in payloads if type(item) is bytes)
        sender, recipient = envelope.sender.encode(), envelope.recipient.encode()
        count = len(numbers)
        try:
            head = _RESULT_HEAD.pack(envelope.id, envelope.time, envelope.priority, count, len(sender), len(recipient))
            columns = struct.pack(
                f"<{count}q{count}q{count}B{count}i{count}d{count}d",
                *numbers, *attempts, *outcomes, *lengths, *starts, *ends,
            )  # fmt: skip
        except (struct.error, TypeError):
            return None
        parts = [head, sender, recipient, columns, *payloads]
        segments: list[Segment] = []
        if odd:
            written, segments = self._writer.write(odd, None)
            parts += written
        size = sum(map(len, parts)) + len(segments) * _TABLE_ENTRY.size
        if size > self._limit or len(segments) > FDS_AT_ONCE:
            if count == 1:
                raise self._too_large("Result", size)
            return None
        return self._piece(_RESULTS, parts, size, segments)

    def _piece(self, kind: int, parts: list[bytes], size: int, segments: list[Segment]) -> Piece:
        header = _HEADER.pack(size, len(segments), kind, _MARK)
        if not segments:
            return Piece([header, *parts], size + _HEADER.size, [], [], [])
        fds: list[int] = []
        owned: list[int] = []
        leases: list[tuple[int, Lease]] = []
        table = []
        try:
            for segment in segments:
                fd, lease, mine = segment.lend()
                fds.append(fd)
                if mine:
                    owned.append(fd)
                token = 0
                if lease is not None:
                    token = next(self._tokens)
                    leases.append((token, lease))
                table.append(_TABLE_ENTRY.pack(token, len(segment)))
        except OSError as error:
            close_all(owned)
            raise WireError(f"a large payload cannot be sent: no shared memory ({error})") from error
        return Piece([header, *table, *parts], size + _HEADER.size, fds, owned, leases)

    def _too_large(self, name: str, size: int) -> WireError:
        return WireError(
            f"a {name} of {size} bytes is more than a frame holds ({self._limit} bytes and {FDS_AT_ONCE} segments); "
            "put large data into a payload (actors.hosts.payload.pack)"
        )


_ALL_BYTES = {bytes}


def _row(envelope: Envelope) -> tuple[Any, ...]:
    message = envelope.message
    code = CODES.get(type(message))
    if code is None:
        raise WireError(
            f"a channel carries the kinds of actors.protocol.messages, not a {type(message).__qualname__}; "
            "a user's own message travels as a payload"
        )
    fields = message
    if type(message) is Batch:
        fields = ([_row(Envelope(*inner)) for inner in message.envelopes],)
    return (
        envelope.id, envelope.sender, envelope.recipient, int(envelope.priority), envelope.time,
        envelope.correlation, envelope.deadline, code, *fields,
    )  # fmt: skip


def _inline_beyond(segment: Segment, slots: int) -> bytes | None:
    """A single message with more segments than go with one frame carries the rest in its body."""
    return bytes(segment.view()) if slots >= FDS_AT_ONCE else None


class Decoder:
    """Turns what comes from a socket into envelopes. One for each channel; not thread-safe.

    Args:
        trusted: the sender is this program itself, so its frames are not examined.
        let_go: called with the token of a segment when its last view is gone; in any thread.
        released: called with the tokens that the other end lets go.
        limit: the most bytes of one frame.
    """

    def __init__(
        self,
        *,
        trusted: bool,
        let_go: Callable[[int], None],
        released: Callable[[Iterable[int]], None],
        limit: int = FRAME_LIMIT,
    ) -> None:
        self._trusted = trusted
        self._let_go = let_go
        self._released = released
        self._limit = limit
        self._buffer = bytearray()
        self._needed = _HEADER.size
        self._fds: list[int] = []

    @property
    def partial(self) -> bool:
        """Whether a frame has begun that is not complete."""
        return bool(self._buffer)

    def close(self) -> None:
        """Close the descriptors that no frame has claimed."""
        close_all(self._fds)
        self._fds.clear()
        self._buffer.clear()

    def feed(self, data: bytes, fds: Sequence[int] = ()) -> list[Envelope]:
        """Take what was read from the socket, and give the envelopes that are complete now.

        Raises:
            WireError: the other end sent what is no sound frame. The channel is of no use any more.
        """
        self._fds += fds
        source: bytes | bytearray = data
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._needed:
                return []
            source = self._buffer
        envelopes: list[Envelope] = []
        try:
            with memoryview(source) as view:
                used = self._frames(view, envelopes)
        except WireError:
            raise
        except (ValueError, TypeError, struct.error, pickle.UnpicklingError, EOFError, OverflowError) as error:
            raise WireError(f"expected a frame of messages; what came is not one: {error}") from error
        except (IndexError, KeyError, AttributeError, MemoryError, RecursionError, OSError) as error:
            raise WireError(f"expected a frame of messages; what came cannot be read: {error!r}") from error
        if source is data:
            if used < len(data):
                self._buffer += memoryview(data)[used:]
        else:
            del self._buffer[:used]
        if not self._buffer:
            self._needed = _HEADER.size
            if self._fds:
                raise WireError("expected a frame that takes the descriptors that came; none did")
        return envelopes

    def _frames(self, view: memoryview, envelopes: list[Envelope]) -> int:
        at, end = 0, len(view)
        while end - at >= _HEADER.size:
            size, segments, kind, mark = _HEADER.unpack_from(view, at)
            if mark != _MARK or size > self._limit or segments > FDS_AT_ONCE:
                raise WireError(
                    f"expected the header of a frame of at most {self._limit} bytes, got {bytes(view[at : at + 8])!r}"
                )
            begin = at + _HEADER.size
            if end - begin < size:
                self._needed = _HEADER.size + size
                return at
            self._frame(kind, view[begin : begin + size], segments, envelopes)
            at = begin + size
        self._needed = _HEADER.size
        return at

    def _frame(self, kind: int, body: memoryview, count: int, envelopes: list[Envelope]) -> None:
        slots = self._claim(body, count) if count else []
        body = body[count * _TABLE_ENTRY.size :]
        if kind == _ROWS:
            rows = self._read(body, slots)
            if type(rows) is not list:
                raise ValueError("rows are not a list")
            envelopes.extend(map(self._envelope, rows))
        elif kind == _RESULTS:
            envelopes.append(self._result(body, slots))
        elif kind == _LET_GO:
            self._released(struct.unpack(f"<{len(body) // 8}Q", body))
        else:
            raise ValueError(f"there is no frame of kind {kind}")

    def _claim(self, body: memoryview, count: int) -> list[Segment]:
        """Make segments of the next `count` descriptors."""
        if count > len(self._fds):
            raise ValueError(f"a frame needs {count} descriptors, {len(self._fds)} came (is the process out of them?)")
        entries = [_TABLE_ENTRY.unpack_from(body, at * _TABLE_ENTRY.size) for at in range(count)]
        slots = []
        for token, size in entries:
            slots.append(Segment.received(self._fds.pop(0), size, self._let_go, token))
        return slots

    def _read(self, body: memoryview, slots: Sequence[Segment]) -> Any:
        if not self._trusted:
            examine(body)
        return PlainReader(body, slots).load()

    def _envelope(self, row: Any) -> Envelope:
        if type(row) is not tuple or len(row) < _ROW_HEAD:
            raise ValueError("a row is too short")
        number, sender, recipient, priority, time, correlation, deadline, code = row[:_ROW_HEAD]
        fields = row[_ROW_HEAD:]
        if not self._trusted:
            _check_head(row[: _ROW_HEAD - 1])
        if KINDS.get(code) is Batch and len(fields) == 1 and type(fields[0]) is list:
            message: Any = Batch([tuple(self._envelope(inner)) for inner in fields[0]])
        elif self._trusted:
            message = KINDS[code](*fields)
        else:
            message = message_of(code, fields)
        return Envelope(number, sender, recipient, priority, time, message, correlation, deadline)

    def _result(self, body: memoryview, slots: Sequence[Segment]) -> Envelope:
        number, time, priority, count, sender_size, recipient_size = _RESULT_HEAD.unpack_from(body)
        if count * _COLUMN_BYTES > len(body):
            raise ValueError("fewer results than announced")
        at = _RESULT_HEAD.size
        sender = str(body[at : at + sender_size], "utf-8")
        at += sender_size
        recipient = str(body[at : at + recipient_size], "utf-8")
        at += recipient_size
        columns = struct.unpack_from(f"<{count}q{count}q{count}B{count}i{count}d{count}d", body, at)
        at += count * _COLUMN_BYTES
        lengths = columns[3 * count : 4 * count]
        if min(lengths) < -1:
            raise ValueError("a payload has a negative length")
        odd: Any = ()
        if -1 in lengths:
            begin = at + sum(length for length in lengths if length >= 0)
            odd = self._read(body[begin:], slots)
            if type(odd) is not list or len(odd) != lengths.count(-1):
                raise ValueError("results do not match their payloads")
        payloads = _cut(body, at, lengths, odd)
        results = list(
            zip(
                columns[:count], columns[count : 2 * count], columns[2 * count : 3 * count], payloads,
                columns[4 * count : 5 * count], columns[5 * count :], strict=True,
            )
        )  # fmt: skip
        if not self._trusted:
            _check_head((number, sender, recipient, priority, time, None, None))
            if odd:
                message_of(_RESULT_CODE, (results,))
        return Envelope(number, sender, recipient, priority, time, Result(results))


def _cut(body: memoryview, at: int, lengths: Sequence[int], odd: Sequence[Any]) -> list[Any]:
    """The payloads: those of a length from `body`, the others from `odd`, in order."""
    sizes = [max(length, 0) for length in lengths] if odd else lengths
    ends = list(itertools.accumulate(sizes))
    if ends[-1] > len(body) - at:
        raise ValueError("payloads end early")
    begins = [0, *ends]
    if ends[-1] <= _COPIED_UP_TO:
        # One copy, and then slices of bytes: cheaper than a copy out of a view for each of many short payloads.
        stuff = bytes(body[at : at + ends[-1]])
        payloads: list[Any] = [stuff[begin:end] for begin, end in zip(begins, ends, strict=False)]
    else:
        payloads = [bytes(body[at + begin : at + end]) for begin, end in zip(begins, ends, strict=False)]
    rest = iter(odd)
    return (
        [next(rest) if length < 0 else payload for length, payload in zip(lengths, payloads, strict=True)]
        if odd
        else payloads
    )


def _check_head(head: Sequence[Any]) -> None:
    number, sender, recipient, priority, time, correlation, deadline = head
    if (
        type(number) is not int
        or type(sender) is not str
        or type(recipient) is not str
        or type(priority) is not int
        or not 1 <= priority <= 4
        or type(time) not in (float, int)
        or type(correlation) not in (int, type(None))
        or type(deadline) not in (float, int, type(None))
    ):
        raise ValueError("the head of an envelope has fields of other types")
