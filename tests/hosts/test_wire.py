"""Frames: what goes in comes out, and nothing that comes in can do harm."""

from __future__ import annotations

import os
import pickle
import struct
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.errors import WireError
from actors.hosts.payload import Segment
from actors.hosts.plain import DEPTH_LIMIT, NotPlain, PlainReader, PlainWriter, examine
from actors.hosts.wire import Decoder, Encoder
from actors.protocol.messages import (
    Assignment,
    Batch,
    Envelope,
    Failure,
    Heartbeat,
    Outcome,
    Progress,
    Recall,
    Response,
    Result,
    StatusRequest,
    Subscribe,
    Terminated,
)
from actors.testing.strategies import plain_values

PLAIN = plain_values()
TEXT = st.text(max_size=20)
NUMBER = st.integers(0, 2**62)
FAILURES = st.builds(Failure, st.lists(TEXT).map(tuple), TEXT, TEXT, st.none() | st.binary()).map(tuple)
RESULTS = st.tuples(NUMBER, NUMBER, st.just(0), st.binary(), st.floats(0, 1e9), st.floats(0, 1e9)) | st.tuples(
    NUMBER, NUMBER, st.just(1), FAILURES, st.floats(0, 1e9), st.floats(0, 1e9)
)
MESSAGES = (
    st.builds(Response, PLAIN)
    | st.builds(Result, st.lists(RESULTS, max_size=5))
    | st.builds(Progress, NUMBER, NUMBER, st.floats(0, 1), TEXT, st.floats(0, 1e9))
    | st.builds(Subscribe, st.lists(TEXT).map(tuple), TEXT)
    | st.builds(Terminated, TEXT, NUMBER, TEXT, st.none() | FAILURES)
    | st.just(StatusRequest())
)
ENVELOPES = st.builds(
    Envelope,
    NUMBER,
    TEXT,
    TEXT,
    st.integers(1, 4),
    st.floats(0, 1e10),
    MESSAGES,
    st.none() | NUMBER,
    st.none() | st.floats(0, 1e9),
)


def decoder(*, trusted: bool = False, limit: int = 64 << 20) -> Decoder:
    """A decoder that forgets what it is told of segments."""
    return Decoder(trusted=trusted, let_go=lambda _: None, released=lambda _: None, limit=limit)


def frames(envelopes: list[Envelope], limit: int = 64 << 20) -> bytes:
    """The bytes of envelopes without segments."""
    return b"".join(part for piece in Encoder(limit).encode(envelopes) for part in piece.parts)


def envelope(message: Any) -> Envelope:
    """A message in an envelope."""
    return Envelope(1, "walker-1", "hub", 2, 1.0, message)


def frame(body: bytes, kind: int = 1, segments: int = 0) -> bytes:
    """A frame made by hand."""
    return struct.pack("<IHBB", len(body), segments, kind, 0xAC) + body


@given(envelopes=st.lists(ENVELOPES, max_size=8), cuts=st.lists(st.integers(1, 400)), trusted=st.booleans())
def test_envelopes_arrive_as_they_were_sent_in_any_chunks(
    envelopes: list[Envelope], cuts: list[int], *, trusted: bool
) -> None:
    """B1, B6: the same messages in the same order, however the bytes are cut."""
    data = frames(envelopes)
    reader = decoder(trusted=trusted)
    got: list[Envelope] = []
    for size in cuts:
        got += reader.feed(data[:size])
        data = data[size:]
    got += reader.feed(data)
    assert got == envelopes
    assert [type(one.message) for one in got] == [type(one.message) for one in envelopes]
    assert not reader.partial


@settings(max_examples=300)
@given(data=st.binary(max_size=300), cuts=st.lists(st.integers(1, 50)), framed=st.booleans())
def test_bytes_of_any_kind_are_a_wire_error_or_nothing(data: bytes, cuts: list[int], *, framed: bool) -> None:
    """I3: never another exception, in whatever chunks they come."""
    if framed:
        data = frame(data, kind=1 + len(data) % 3)
    reader = decoder()
    try:
        for size in cuts:
            reader.feed(data[:size])
            data = data[size:]
        reader.feed(data)
    except WireError:
        pass


@settings(max_examples=150)
@given(st.lists(ENVELOPES, min_size=1, max_size=3), st.data())
def test_damaged_frames_are_a_wire_error_or_sound_messages(envelopes: list[Envelope], data: st.DataObject) -> None:
    """I3: flipped, cut and doubled bytes give nothing but messages of the declared types, or the error."""
    raw = bytearray(frames(envelopes))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        got = decoder().feed(bytes(raw))
    except WireError:
        return
    for one in got:
        assert type(one.sender) is str
        assert 1 <= one.priority <= 4
        if isinstance(one.message, Progress):
            assert type(one.message.number) is int


class Trap:
    """Pickled, it makes a file when it is read."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("trusted", [False, True])
def test_a_pickle_that_would_run_code_runs_none(tmp_path: Path, protocol: int, *, trusted: bool) -> None:
    """I3: no frame can make its reader call anything."""
    mark = tmp_path / "made"
    for evil in (pickle.dumps(Trap(str(mark)), protocol), pickle.dumps([Trap(str(mark))], protocol)):
        with pytest.raises(WireError):
            decoder(trusted=trusted).feed(frame(evil))
    assert not mark.exists()


def _nested_key(depth: int) -> bytes:
    return b"\x80\x05}" + b")" + b"\x85" * depth + b"Ns."


HOSTILE = {
    "a memo index that would take 64 GB": b"\x80\x05Nr\xff\xff\xff\x7f.",
    "a length beyond the frame": b"\x80\x05\x8e" + b"\xff" * 7 + b"\x7f.",
    "a key nested so deeply that hashing it overflows the stack": _nested_key(2_000_000),
    "a key that holds itself many times over": b"\x80\x05})" + b"2\x86" * 60 + b"Ns.",
    "an endless list of marks": b"\x80\x05" + b"(" * 100_000 + b".",
    "a stack that runs empty": b"\x80\x05\x86.",
    "a key that cannot be hashed": b"\x80\x05}]Ns.",
    "an append to what is no list": b"\x80\x05NNa.",
    "a slot that does not exist": b"\x80\x05K\x05Q.",
    "a buffer from elsewhere": b"\x80\x05\x97.",
    "an extension code": b"\x80\x05\x82\x01.",
    "a number of ten thousand digits": b"\x80\x05I" + b"9" * 10_000 + b"\n.",
    "more items than any message has": b"\x80\x05(" + b"N" * 1_100_000 + b"t.",
    "numbers chosen to collide in a dict": b"\x80\x05}("
    + b"".join(b"\x8a\x0c" + (n * (2**61 - 1)).to_bytes(12, "little") + b"N" for n in range(20_000))
    + b"u.",
    "nothing": b"",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_frame_costs_nothing(name: str) -> None:
    """I3: it is refused before it can take memory, time or the process."""
    with pytest.raises(WireError):
        decoder().feed(frame(HOSTILE[name]))


@pytest.mark.parametrize(
    "row",
    [
        (1, "a", "b", 2, 1.0, None, None, 99),
        (1, "a", "b", 2, 1.0, None, None, 8, 1, 2),
        (1, "a", "b", 2, 1.0, None, None, 8, "1", 2, 0.5, "", 1.0),
        (1, "a", "b", 2, 1.0, None, None, 8, True, 2, 0.5, "", 1.0),
        (1, "a", "b", 9, 1.0, None, None, 13),
        (1, 7, "b", 2, 1.0, None, None, 13),
        (1, "a", "b", 2, 1.0, "x", None, 13),
        (1, "a", "b", 2, 1.0, None, None, 9, [(1, 1, 1, ("no", "failure"), 1.0, 2.0)]),
        (1, "a", "b", 2, 1.0, None, None, 20, [(1, "a")]),
        (1,),
        "row",
    ],
)
def test_a_message_with_other_fields_is_refused(row: Any) -> None:
    """I3: an unknown kind, a wrong number or type of fields."""
    with pytest.raises(WireError):
        decoder().feed(frame(pickle.dumps([row], 5)))
    parts, _ = PlainWriter(Segment).write([row])
    with pytest.raises(WireError):
        decoder().feed(frame(b"".join(parts)))


@given(PLAIN)
def test_plain_values_are_read_as_they_were_written(value: Any) -> None:
    """I3: and what is written passes the examination of what is read."""
    parts, slots = PlainWriter(Segment).write(value)
    data = b"".join(parts)
    examine(data)
    assert PlainReader(data).load() == value
    assert not slots


def test_what_is_not_plain_is_refused_at_the_sender() -> None:
    """B2: the error names the type; the writer works on."""
    writer = PlainWriter(Segment)
    with pytest.raises(NotPlain, match="complex"):
        writer.write([1j])
    with pytest.raises(NotPlain, match="Path"):
        writer.write({"a": Path()})
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(NotPlain, match="deep"):
        writer.write(endless)
    deep: Any = ()
    for _ in range(DEPTH_LIMIT + 2):
        deep = (deep, Outcome.VALUE)
    with pytest.raises(NotPlain, match="deep"):
        writer.write(deep)
    parts, _ = writer.write([1])
    assert PlainReader(b"".join(parts)).load() == [1]


def test_subclasses_of_plain_types_are_sent_as_their_base() -> None:
    """B2: an IntEnum or a named tuple in a field arrives as a number or a tuple."""

    class Colour(IntEnum):
        RED = 3

    failure = Failure(("ValueError",), "no", "here", None)
    [got] = decoder().feed(frames([envelope(Response({"a": [Colour.RED, failure]}))]))
    assert got.message.data == {"a": [3, tuple(failure)]}
    assert type(got.message.data["a"][0]) is int


def test_a_batch_is_carried_with_its_envelopes() -> None:
    """B6: each of them with its own message."""
    inner = [tuple(envelope(StatusRequest())), tuple(envelope(Progress(1, 1, 0.5, "", 1.0)))]
    [got] = decoder().feed(frames([envelope(Batch(inner))]))
    assert [Envelope(*one) for one in got.message.envelopes] == [Envelope(*one) for one in inner]


def test_a_message_beyond_the_frame_limit_is_refused_at_the_sender() -> None:
    """A4: it names the size and what to do; a batch of small ones is cut into frames instead."""
    with pytest.raises(WireError, match="payload"):
        frames([envelope(Response(b"x" * 2000))], limit=1000)
    many = [envelope(Response(b"x" * 300)) for _ in range(50)]
    assert decoder(limit=1000).feed(frames(many, limit=1000)) == many


def test_a_frame_beyond_the_limit_is_refused_at_the_receiver() -> None:
    """I3: from its header on, before anything is read into memory."""
    with pytest.raises(WireError, match="at most"):
        decoder(limit=1000).feed(frames([envelope(Response(b"x" * 2000))])[:8])


def test_what_the_receiver_would_refuse_is_refused_at_the_sender() -> None:
    """I3: an agent that sends too much at once gets an error, and is not taken for a hostile one."""
    with pytest.raises(WireError, match="keys"):
        Encoder(examined=True).encode([envelope(Response(dict.fromkeys(range(20_001))))])
    with pytest.raises(WireError, match="items"):
        Encoder(examined=True).encode([envelope(Response([None] * 1_000_001))])


def test_a_class_that_is_no_message_is_refused() -> None:
    """B2: the list of kinds is closed."""
    with pytest.raises(WireError, match="str"):
        frames([envelope("hello")])


def test_results_of_all_sorts_travel_in_one_batch() -> None:
    """B6: values and failures, empty and not, in order."""
    failure = tuple(Failure(("a.B",), "text", "trace", b"p"))
    rows = [
        (1, 1, 0, b"", 1.0, 2.0),
        (2, 1, 1, failure, 1.0, 2.0),
        (3, 2, 0, b"xyz", 1.0, 2.0),
        (4, 1, 2, b"", 0.0, 0.0),
    ]
    [got] = decoder().feed(frames([envelope(Result(rows))]))
    assert got.message.results == rows


def test_messages_of_the_wrong_direction_are_still_only_messages() -> None:
    """B1: every kind of the list can be carried; who takes it is judged elsewhere."""
    beat = Heartbeat("a-1", 1, 1.0, 1, None, 1, 0.5, 3, 9.0, 2, 1)
    task = (1, 1, "t", "call", b"p", {3: b"r"}, None, True, None, False)
    for message in (beat, Assignment([task]), Recall([(1, 2)])):
        assert decoder().feed(frames([envelope(message)])) == [envelope(message)]
