"""Frames that are cut, garbled, too large or hostile, and peers that are strangers: each costs its connection alone."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors import ActorRef
from actors.errors import ChannelClosed, WireError
from actors.hosts.payload import Segment
from actors.remote import endpoint as endpoints
from actors.remote import office as post
from actors.remote.frames import ASK, HELLO, LET_GO, TELL, Frame, Reader, Written, write
from tests.remote.parts import LIMIT, Bomb, Echo, Say


@pytest.fixture
def echo() -> Iterator[ActorRef[Any]]:
    ref: ActorRef[Any] = Echo.start()
    yield ref
    ref.stop(timeout=LIMIT)


def stranger(*, greets: bool = True) -> socket.socket:
    """A connection to the office of this process, as another process would have it."""
    sock = endpoints.connect(post.office().endpoint)
    sock.settimeout(LIMIT)
    if greets:
        sock.sendall(write(HELLO, 1, 0, 0, b"0123-99"))  # type: ignore[arg-type]
    return sock


def _nobody(token: int) -> None:
    """Has lent nothing."""


def closed(sock: socket.socket) -> bool:
    """Whether the other end closes the connection."""
    try:
        while sock.recv(4096):
            pass
    except ConnectionError:
        pass
    return True


def read_all(sock: socket.socket, count: int) -> list[Frame]:
    """The next frames that come."""
    reader, frames = Reader(_nobody), []
    while len(frames) < count:
        data = sock.recv(1 << 16)
        assert data, "the connection was closed"
        frames += reader.feed(data, [])
    return frames


@pytest.mark.parametrize(
    "bytes_sent",
    [
        b"\xff" * 64,
        struct.pack("<IBBHQQ", 2**31, TELL, 2, 0, 1, 1),
        struct.pack("<IBBHQQ", 0, 99, 2, 0, 1, 1),
        struct.pack("<IBBHQQ", 0, TELL, 0, 0, 1, 1),
        struct.pack("<IBBHQQ", 8, TELL, 2, 1, 1, 1) + b"\0" * 8,
        struct.pack("<IBBHQQ", 0, TELL, 2, 500, 1, 1),
        struct.pack("<IBBHQQ", 16, TELL, 2, 1, 1, 1) + b"\0" * 16,
        write(HELLO, 1, 0, 0, b"twice"),
        write(LET_GO, 1, 0, 0, b"no token"[:5]),
    ],
    ids=[
        "noise",
        "too large",
        "no such kind",
        "no such priority",
        "short of memory",
        "too many",
        "no memory",
        "greets twice",
        "no tokens",
    ],
)
def test_a_frame_that_is_not_sound_costs_its_connection_alone(echo: ActorRef[Any], bytes_sent: bytes) -> None:
    """I3: a malformed, oversized or hostile frame."""
    with stranger() as good, stranger() as bad:
        bad.sendall(bytes_sent)
        assert closed(bad)
        number = echo.address.number
        good.sendall(write(ASK, 2, number, 7, _pickled(Say("fine"))))  # type: ignore[arg-type]
        (answer,) = read_all(good, 1)
        assert answer.number == 7
    assert echo.ask(Say("still here"), timeout=LIMIT) == "still here"


def test_who_does_not_say_who_it_is_is_not_listened_to(echo: ActorRef[Any]) -> None:
    """I1: the same user, and a greeting."""
    with stranger(greets=False) as sock:
        sock.sendall(write(TELL, 2, echo.address.number, 0, _pickled("psst")))  # type: ignore[arg-type]
        assert closed(sock)
    assert echo.proxy().seen.get(timeout=LIMIT) == []


def test_a_message_that_cannot_be_read_is_an_error_for_the_asker_and_no_harm_else(echo: ActorRef[Any]) -> None:
    """Bad input: what cannot be unpickled fails that ask alone."""
    number = echo.address.number
    with stranger() as sock:
        for body in (_pickled(Bomb()), b"", b"no pickle", b"\x01\x00"):
            sock.sendall(write(TELL, 2, number, 0, body))  # type: ignore[arg-type]
            sock.sendall(write(ASK, 2, number, 5, body))  # type: ignore[arg-type]
            (answer,) = read_all(sock, 1)
            assert answer.number == 5
            assert b"NotSerializable" in answer.body
        sock.sendall(write(ASK, 2, 10**9, 6, _pickled("nobody")))  # type: ignore[arg-type]
        assert b"DeadLetter" in read_all(sock, 1)[0].body
    assert echo.ask(Say("still here"), timeout=LIMIT) == "still here"


def test_answers_that_nobody_waits_for_are_dropped(echo: ActorRef[Any]) -> None:
    """B3: an answer ends the question that it is for, and no other."""
    from actors.remote.frames import ANSWER, ERROR, HOLD, RELEASE, let_go

    with stranger() as sock:
        for kind in (ANSWER, ERROR, HOLD, RELEASE):
            sock.sendall(write(kind, 2, 3, 12345, _pickled(None)))  # type: ignore[arg-type]
        sock.sendall(let_go([1, 2, 3]))
        sock.sendall(write(ASK, 2, echo.address.number, 5, _pickled(1)))  # type: ignore[arg-type]
        assert read_all(sock, 1)[0].number == 5


@given(st.lists(st.tuples(st.integers(2, 12), st.integers(1, 4), st.binary(max_size=300)), max_size=20), st.data())
@settings(max_examples=60, deadline=None)
def test_frames_are_the_same_however_the_bytes_are_cut(frames: list[tuple[int, int, bytes]], data: Any) -> None:
    """B6: a stream has no borders."""
    stream = b"".join(bytes(_bytes(write(kind, priority, 5, 9, body))) for kind, priority, body in frames)
    reader, read, at = Reader(_nobody), [], 0
    while at < len(stream):
        size = data.draw(st.integers(1, 200))
        read += reader.feed(stream[at : at + size], [])
        at += size
    assert [(frame.kind, frame.priority, frame.body) for frame in read] == frames


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_noise_is_an_error_or_the_beginning_of_a_frame(noise: bytes) -> None:
    """I3: whatever the bytes are."""
    reader = Reader(_nobody)
    try:
        list(reader.feed(noise, []))
    except WireError:
        pass
    reader.close()


def test_memory_that_is_not_what_it_says_is_refused() -> None:
    """I3: shared memory from a stranger."""
    frame = write(TELL, 2, 1, 0, Segment.of(b"x" * 4096))
    assert isinstance(frame, Written)
    plain, other = os.pipe()
    os.close(other)
    reader = Reader(_nobody)
    with pytest.raises(WireError, match="shared memory"):
        list(reader.feed(frame.data, [plain]))
    reader.close()
    del frame
    Segment.trim()


def test_endpoints_with_very_long_paths_can_be_reached(tmp_path: Path) -> None:
    """Design: the address of a socket holds 107 bytes, a path may have more."""
    place = tmp_path / ("x" * 120)
    place.mkdir()
    directory = endpoints.directory_below(str(place))
    assert os.stat(directory).st_mode & 0o777 == 0o700
    sock, endpoint = endpoints.listen(directory, "somebody")
    with sock:
        assert len(endpoint) > 107
        endpoints.connect(endpoint).close()
    endpoints.remove(endpoint)
    assert endpoints.directory_below(str(place)) == directory
    os.chmod(directory, 0o755)
    with pytest.raises(PermissionError, match="only this user"):
        endpoints.directory_below(str(place))
    assert list(Path(directory).iterdir()) == []


def test_nobody_at_an_endpoint_is_an_error_that_names_it(tmp_path: Path) -> None:
    """Bad input."""
    with pytest.raises(ChannelClosed, match="nowhere"):
        endpoints.connect(str(tmp_path / "nowhere"))
    with pytest.raises(ChannelClosed, match="nowhere"):
        endpoints.connect("@actors-nowhere")


def _pickled(value: Any) -> bytes:
    from actors.hosts.serialize import pack_value

    body = pack_value(value)
    assert isinstance(body, bytes)
    return body


def _bytes(frame: bytes | Written) -> bytes:
    assert isinstance(frame, bytes)
    return frame
