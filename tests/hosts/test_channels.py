"""Channels: over sockets and in memory, with the same promises."""

from __future__ import annotations

import gc
import os
import pickle
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from actors.errors import ChannelClosed, WireError
from actors.hosts.channel import Channel, SocketChannel
from actors.hosts.descriptors import memory_file, seal, socket_pair, transmit
from actors.hosts.memorychannel import MemoryChannel
from actors.hosts.payload import THRESHOLD, Segment, pack, view_of
from actors.hosts.plain import NotPlain
from actors.hosts.segmentpool import SegmentPool
from actors.protocol.messages import Assignment, Envelope, Progress, Response, Result, StatusRequest

Pair = tuple[Channel, Channel]
LIMIT = 20.0


def _sockets() -> Pair:
    ours, theirs = socket_pair()
    return (
        SocketChannel(ours, name="program"),
        SocketChannel(theirs, name="agent", trusted=True, blocking=True),
    )


def _memory() -> Pair:
    return MemoryChannel.pair("test")


@pytest.fixture(params=[_sockets, _memory])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """The two ends of a channel of each sort."""
    make: Callable[[], Pair] = request.param
    ends = make()
    yield ends
    for end in ends:
        end.close()
    Segment.trim()


@pytest.fixture
def sockets() -> Iterator[tuple[SocketChannel, SocketChannel]]:
    """The two ends of a socket channel."""
    one, other = _sockets()
    assert isinstance(one, SocketChannel)
    assert isinstance(other, SocketChannel)
    yield one, other
    one.close()
    other.close()
    Segment.trim()


def _readable(channel: Channel) -> bool:
    return bool(select.select([channel.fileno()], [], [], 0)[0])


def test_messages_arrive_in_order_with_their_heads(pair: Pair) -> None:
    """B1, B6: ids count up, and what the sender said of each is there."""
    one, other = pair
    assert isinstance(one, Channel)
    first = one.send(StatusRequest(), priority=4, correlation=9, deadline=5.0, recipient="r", sender="s")
    one.send_many([Progress(1, 1, 0.1 * step, "", 1.0) for step in range(5)])
    got: list[Envelope] = []
    while len(got) < 6:
        got += other.receive(LIMIT)
    head = got[0]
    assert (head.id, head.priority, head.correlation, head.deadline) == (first, 4, 9, 5.0)
    assert (head.recipient, head.sender) == ("r", "s")
    assert [one.message.fraction for one in got[1:]] == [0.1 * step for step in range(5)]
    assert [one.id for one in got] == sorted({one.id for one in got})


def test_what_is_kept_back_goes_with_the_next(pair: Pair) -> None:
    """B6: one write for many messages."""
    one, other = pair
    one.send(Response(1), flush=False)
    assert other.receive(0) == []
    assert not _readable(other)
    one.send(Response(2), flush=False)
    one.flush()
    assert [item.message.data for item in other.receive(LIMIT)] == [1, 2]


def test_the_descriptor_is_readable_when_there_is_something(pair: Pair) -> None:
    """B4: an owner can wait on it together with others."""
    one, other = pair
    assert not _readable(other)
    one.send(Response(1))
    assert _readable(other)
    other.receive(0)
    assert not _readable(other)
    one.close()
    assert _readable(other)


def test_what_was_sent_before_the_end_is_still_received(pair: Pair) -> None:
    """D8: results of an agent that has ended are not lost."""
    one, other = pair
    one.send(Response(1))
    one.send(Response(2))
    one.close()
    got: list[Envelope] = []
    while len(got) < 2:
        got += other.receive(0)
    with pytest.raises(ChannelClosed):
        other.receive(0)
    assert [item.message.data for item in got] == [1, 2]
    with pytest.raises(ChannelClosed):
        other.receive(None)
    with pytest.raises(ChannelClosed):
        other.send(Response(3))
    with pytest.raises(ChannelClosed):
        one.send(Response(3))
    one.close()


def test_waiting_ends_in_time_and_by_a_message(pair: Pair) -> None:
    """B3: never silence for ever."""
    one, other = pair
    assert other.receive(0.01) == []
    thread = threading.Thread(target=lambda: one.send(Response("late")))
    thread.start()
    assert other.receive(None)[0].message.data == "late"
    thread.join()


def test_sends_from_many_threads_do_not_mix(pair: Pair) -> None:
    """B6: each arrives whole, and those of one thread in its order."""
    one, other = pair
    threads = [
        threading.Thread(target=lambda name=name: [one.send(Response((name, n, b"x" * 5000))) for n in range(100)])
        for name in range(3)
    ]
    for thread in threads:
        thread.start()
    got: list[Envelope] = []
    while len(got) < 300:
        more = other.receive(0.01)
        got += more
        one.flush()
    for thread in threads:
        thread.join()
    for name in range(3):
        assert [item.message.data[1] for item in got if item.message.data[0] == name] == list(range(100))


def test_a_message_that_cannot_be_sent_takes_no_other_with_it(pair: Pair) -> None:
    """I3: the error is the sender's, and the channel goes on."""
    one, other = pair
    one.send(Response(1), flush=False)
    with pytest.raises((WireError, NotPlain)):
        one.send("no message")
    one.send(Response(2))
    got: list[Envelope] = []
    while len(got) < 2:
        got += other.receive(LIMIT)
    assert [item.message.data for item in got] == [1, 2]


def test_a_peer_that_does_not_read_blocks_nobody(sockets: tuple[SocketChannel, SocketChannel]) -> None:
    """B4: a full socket costs only its own agent; all arrives when it reads again."""
    one, other = sockets
    told: list[bool] = []
    one.on_blocked = lambda _, blocked: told.append(blocked)
    for number in range(40):
        one.send(Response((number, b"x" * 100_000)))
    assert told == [True]
    assert one.pending_out > 1_000_000
    got: list[Envelope] = []
    while len(got) < 40:
        got += other.receive(0)
        one.flush()
    assert [item.message.data[0] for item in got] == list(range(40))
    assert told == [True, False]
    assert one.pending_out == 0


def test_a_blocking_send_waits_until_all_is_written(sockets: tuple[SocketChannel, SocketChannel]) -> None:
    """D8: an agent's result is on its way when send has returned."""
    program, agent = sockets
    thread = threading.Thread(target=lambda: agent.send(Response(b"x" * (8 << 20))))
    thread.start()
    got: list[Envelope] = []
    while not got:
        got = program.receive(LIMIT)
    thread.join(LIMIT)
    assert len(got[0].message.data) == 8 << 20
    assert agent.pending_out == 0


@pytest.mark.parametrize("size", [THRESHOLD, 5_000_001])
def test_large_payloads_travel_as_segments(sockets: tuple[SocketChannel, SocketChannel], size: int) -> None:
    """A4: past the frame limit too, both ways, and several in one message."""
    program, agent = sockets
    content = os.urandom(size)
    payload = pack(content[:1000], content[1000:])
    assert isinstance(payload, Segment)
    task = (1, 1, "t", "call", payload, {3: payload, 4: b"small"}, None, True, None, False)
    program.send(Assignment([task]))
    [got] = agent.receive(LIMIT)
    fields = got.message.tasks[0]
    assert view_of(fields[4]) == content
    assert view_of(fields[5][3]) == content
    assert fields[5][4] == b"small"
    agent.send(Result([(1, 1, 0, fields[4], 1.0, 2.0), (2, 1, 0, b"x", 1.0, 2.0)]))
    [back] = program.receive(LIMIT)
    assert view_of(back.message.results[0][3]) == content
    assert back.message.results[1][3] == b"x"


@pytest.mark.slow
def test_a_payload_of_200_mib_travels(sockets: tuple[SocketChannel, SocketChannel]) -> None:
    """A4: larger than any frame."""
    program, agent = sockets
    content = os.urandom(1 << 20) * 200
    program.send(Response(pack(content)))
    [got] = agent.receive(LIMIT)
    assert bytes(got.message.data.view()) == content


def test_memory_is_used_again_when_no_view_lives_at_either_end(sockets: tuple[SocketChannel, SocketChannel]) -> None:
    """Design 11: and not a moment before: what somebody still sees never changes."""
    program, agent = sockets
    first = pack(b"a" * THRESHOLD)
    program.send(Response(first))
    del first
    [got] = agent.receive(LIMIT)
    view = got.message.data.view()
    del got
    second = pack(b"b" * THRESHOLD)
    assert view[0] == ord("a")
    del second, view
    gc.collect()
    held = Segment.pool.held
    # The agent's next message tells that it has let go.
    agent.send(Response("done"))
    program.receive(LIMIT)
    third, fourth = pack(b"c" * THRESHOLD), pack(b"d" * THRESHOLD)
    assert Segment.pool.held == held
    assert view_of(third)[-1] == ord("c")
    assert view_of(fourth)[-1] == ord("d")


def test_memory_that_an_untrusted_peer_saw_is_never_used_again() -> None:
    """I3: it keeps its mapping, and could read what is for others."""
    ours, theirs = socket_pair()
    program, agent = SocketChannel(ours, recycle=False), SocketChannel(theirs, trusted=True)
    with_it = Segment.pool.held
    program.send(Response(pack(b"a" * THRESHOLD)))
    agent.receive(LIMIT)
    gc.collect()
    agent.send(Response("done"))
    program.receive(LIMIT)
    assert Segment.pool.held == with_it
    program.close()
    agent.close()


def test_a_pool_that_is_full_falls_back_to_ordinary_memory(
    sockets: tuple[SocketChannel, SocketChannel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A6: descriptors are never used up by payloads; they travel all the same."""
    monkeypatch.setattr(Segment, "pool", SegmentPool(segments=0))
    program, agent = sockets
    content = os.urandom(THRESHOLD)
    payload = pack(content)
    assert "ordinary" in repr(payload)
    program.send(Response(payload))
    [got] = agent.receive(LIMIT)
    assert "ordinary" in repr(got.message.data)
    assert view_of(got.message.data) == content


def test_a_message_with_more_segments_than_a_frame_takes(sockets: tuple[SocketChannel, SocketChannel]) -> None:
    """A4: what does not fit beside the frame goes into it."""
    program, agent = sockets
    payload = Segment.of(b"x" * 1000)
    program.send(Response([payload] * 250))
    [got] = agent.receive(LIMIT)
    assert [bytes(view_of(item)) for item in got.message.data] == [b"x" * 1000] * 250


def test_a_segment_cannot_be_pickled_by_accident() -> None:
    """I3: it travels only inside a message."""
    payload = pack(b"x" * THRESHOLD)
    with pytest.raises(TypeError, match="channel"):
        pickle.dumps(payload)
    del payload
    Segment.trim()


def _raw_frame(fd: int, size: int) -> tuple[bytes, list[int]]:
    body = struct.pack("<QQ", 1, size) + b"\x80\x05]."
    return struct.pack("<IHBB", len(body), 1, 1, 0xAC) + body, [fd]


def _cut_later() -> tuple[int, int]:
    return memory_file("test", 4096), 4096


def _smaller() -> tuple[int, int]:
    fd = memory_file("test", 4096)
    os.write(fd, b"x" * 4096)
    seal(fd, future_write=True)
    return fd, 8192


def _sparse() -> tuple[int, int]:
    fd = memory_file("test", 1 << 40)
    seal(fd, future_write=True)
    return fd, 1 << 40


@pytest.mark.parametrize("make", [_cut_later, _smaller, _sparse])
def test_memory_that_could_harm_its_reader_is_refused(make: Callable[[], tuple[int, int]]) -> None:
    """I3: memory that can be cut away under the reader, that is smaller than said, or that is not there at all."""
    ours, theirs = socket_pair()
    program = SocketChannel(ours)
    fd, size = make()
    data, fds = _raw_frame(fd, size)
    transmit(theirs, [data], fds)
    with pytest.raises(WireError):
        program.receive(LIMIT)
    assert program.closed
    os.close(fd)
    theirs.close()


def test_descriptors_that_no_frame_asked_for_are_closed() -> None:
    """I3: an agent cannot fill the program's table of descriptors."""
    ours, theirs = socket_pair()
    program = SocketChannel(ours)
    before = len(os.listdir("/proc/self/fd"))
    frame = struct.pack("<IHBB", 4, 0, 1, 0xAC) + b"\x80\x05]."
    transmit(theirs, [frame], [0] * 100)
    with pytest.raises(WireError):
        program.receive(LIMIT)
    assert len(os.listdir("/proc/self/fd")) <= before
    theirs.close()


def test_a_garbled_frame_closes_its_channel_only() -> None:
    """I3: and the descriptor goes with it."""
    ours, theirs = socket_pair()
    program = SocketChannel(ours, name="walker-1 (control)")
    theirs.sendall(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(WireError):
        program.receive(LIMIT)
    assert program.closed
    with pytest.raises(ChannelClosed):
        program.receive(0)
    theirs.close()


def test_a_peer_that_dies_in_the_middle_of_a_frame_is_an_end_and_no_error() -> None:
    """F2: a SIGKILL in the middle of a write is a death like any other."""
    ours, theirs = socket_pair()
    program = SocketChannel(ours)
    other, agent_end = socket_pair()
    agent = SocketChannel(agent_end, blocking=True)
    agent.send(Response(b"x" * 1000))
    theirs.sendall(other.recv(500, socket.MSG_DONTWAIT))
    theirs.close()
    with pytest.raises(ChannelClosed):
        program.receive(LIMIT)
    for end in (program, agent, other):
        end.close()


def test_receive_gives_way_to_others(sockets: tuple[SocketChannel, SocketChannel]) -> None:
    """B4: one that never stops sending cannot keep its reader for ever."""
    program, agent = sockets
    stop = threading.Event()

    def flood() -> None:
        try:
            while not stop.is_set():
                agent.send(Response(b"x" * 60_000))
        except ChannelClosed:
            pass

    thread = threading.Thread(target=flood)
    thread.start()
    started = time.monotonic()
    for _ in range(5):
        assert program.receive(LIMIT)
    assert time.monotonic() - started < LIMIT
    stop.set()
    program.close()
    thread.join(LIMIT)
