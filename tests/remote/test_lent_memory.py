"""Shared memory that a message went through is used again, and never while somebody sees it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from actors import ActorSystem
from actors.hosts.descriptors import receive
from actors.hosts.payload import Segment, view_of
from actors.remote.frames import LET_GO, TELL, Frame, Reader, tokens_of, write
from actors.remote.link import Link
from tests.remote.parts import LIMIT, Echo

_SIZE = 3 << 20


class Ends:
    """A link, and the other end of its connection."""

    def __init__(self) -> None:
        mine, self.other = socket.socketpair()
        mine.setblocking(False)  # noqa: FBT003 - takes no keyword
        self.link = Link(mine, lambda _: None)
        self.seen_no_more: list[int] = []
        self._reader = Reader(self.seen_no_more.append)

    def send(self, content: bytes) -> int:
        """Send a segment: which memory it is in."""
        segment = Segment.of(content)
        self.link.post(write(TELL, 2, 1, 0, segment), now=True)
        return os.fstat(segment.lend()[0]).st_ino

    def receive(self) -> Frame:
        """What the other end gets."""
        data, fds = receive(self.other, 1 << 16)
        (frame,) = self._reader.feed(data, fds)
        return frame

    def close(self) -> None:
        self.link.close()
        self.other.close()


@pytest.fixture
def ends() -> Iterator[Ends]:
    Segment.trim()
    both = Ends()
    yield both
    both.close()
    Segment.trim()


def test_memory_is_used_again_once_the_receiver_sees_it_no_more(ends: Ends) -> None:
    """Figures: copying into memory that was used before is many times faster than into fresh pages."""
    first = ends.send(b"1" * _SIZE)
    frame = ends.receive()
    view = view_of(frame.body)
    second = ends.send(b"2" * _SIZE)
    assert second != first
    del frame
    assert ends.seen_no_more == []
    assert bytes(view) == b"1" * _SIZE
    del view
    ends.link.give_back(ends.seen_no_more)
    assert ends.send(b"3" * _SIZE) == first


def test_memory_is_given_up_when_the_connection_ends_before_the_receiver_lets_go(ends: Ends) -> None:
    """Design: whoever still sees it will not tell any more."""
    first = ends.send(b"1" * _SIZE)
    frame = ends.receive()
    ends.link.close()
    second = Segment.of(b"2" * _SIZE)
    assert os.fstat(second.lend()[0]).st_ino != first
    assert bytes(view_of(frame.body)) == b"1" * _SIZE


def test_the_other_end_is_told_with_the_next_message(ends: Ends) -> None:
    """Whatever thread lets go: it may be in the middle of anything, so it only notes the token."""
    ends.link.released_memory.extend((5, 6))
    ends.link.flush()
    frame = ends.receive()
    assert (frame.kind, tokens_of(frame.body)) == (LET_GO, [5, 6])


def test_large_messages_to_an_actor_take_no_more_memory_than_one_of_them(system: ActorSystem) -> None:
    """Figures: one after another, they go through the same memory."""
    ref = system.start_actor(Echo, host="process")
    data = os.urandom(_SIZE)
    before = Segment.pool.held
    for _ in range(20):
        assert ref.ask([data], timeout=LIMIT) == [data]
    # One on its way there, and one that the other process has not let go of when the next one is sent.
    assert Segment.pool.held - before <= 4
