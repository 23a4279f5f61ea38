"""Large buffers that came through shared memory can be written to, and are copied only where they are."""

from __future__ import annotations

import os
import pickle
import random
from collections.abc import Iterator
from typing import Any

import pytest

from actors.hosts.channel import SocketChannel
from actors.hosts.descriptors import socket_pair
from actors.hosts.mappings import Mappings
from actors.hosts.payload import Segment, tend
from actors.hosts.serialize import pack_value, unpack_value
from actors.protocol.messages import Response

LIMIT = 20.0
_SIZE = 3 << 20
_PAGE = 4096


class Bulk:
    """Pickles its bytes beside the stream, as arrays do."""

    def __init__(self, data: Any) -> None:
        self.data = data

    def __reduce_ex__(self, protocol: Any) -> Any:
        return Bulk, (pickle.PickleBuffer(self.data),)


class Ends:
    """Both ends of a plane, in one process."""

    def __init__(self) -> None:
        ours, theirs = socket_pair()
        self.program, self.agent = SocketChannel(ours), SocketChannel(theirs, trusted=True)

    def pass_on(self, content: Any, *, back: bool = False) -> Segment:
        """A value as it arrives at the agent, or, with `back`, at the program."""
        sender, receiver = (self.agent, self.program) if back else (self.program, self.agent)
        sender.send(Response(pack_value(Bulk(content))))
        [got] = receiver.receive(LIMIT)
        payload = got.message.data
        assert isinstance(payload, Segment)
        return payload

    def tell(self) -> None:
        """Have each end hear what the other one has let go of."""
        for one, other in ((self.program, self.agent), (self.agent, self.program)):
            one.send(Response(b""))
            other.receive(LIMIT)

    def close(self) -> None:
        self.program.close()
        self.agent.close()


def read(payload: Segment) -> memoryview:
    """What an argument's buffer looks like to its task."""
    return memoryview(unpack_value(payload).data)


def memory_of(payload: Segment) -> int:
    """Which memory a payload is in."""
    return os.fstat(payload.lend()[0]).st_ino


@pytest.fixture
def ends() -> Iterator[Ends]:
    Segment.trim()
    both = Ends()
    yield both
    both.close()
    Segment.trim()


def test_what_a_reader_writes_nobody_else_sees(ends: Ends) -> None:
    """Principle 5: a task that is tried again gets its arguments as they were."""
    payload = ends.pass_on(bytearray(b"a" * _SIZE))
    first = read(payload)
    first[:10] = b"b" * 10
    first[_SIZE - 10 :] = b"b" * 10
    second = read(payload)
    assert bytes(second) == b"a" * _SIZE
    assert bytes(first[:11]) == b"b" * 10 + b"a"
    assert bytes(payload.view()[-_SIZE:]) == b"a" * _SIZE


def test_what_could_not_be_written_to_can_not_be_written_to_there(ends: Ends) -> None:
    """Figures: as writable as it was."""
    view = read(ends.pass_on(b"a" * _SIZE))
    assert view.readonly
    with pytest.raises(TypeError):
        view[0] = 1


def test_the_same_memory_is_not_mapped_again_and_shows_what_it_holds_now(ends: Ends) -> None:
    """Figures: mapping pages costs as much as copying them."""
    memory = set()
    for number in range(1, 6):
        content = bytes([number]) * _SIZE
        payload = ends.pass_on(bytearray(content))
        memory.add(memory_of(payload))
        view = read(payload)
        assert bytes(view) == content
        for place in (0, _SIZE // 2, _SIZE - 1) if number % 2 else range(0, _SIZE, _PAGE):
            view[place] = 255
        del payload, view
        ends.tell()
    assert len(memory) == 1
    assert Segment.mappings.held == 1


def test_memory_is_in_use_as_long_as_a_view_of_a_view_of_it_is_seen(ends: Ends) -> None:
    """Principle 6."""
    payload = ends.pass_on(bytearray(b"a" * _SIZE))
    before = memory_of(payload)
    inner = memoryview(read(payload)[100:200])[10:20]
    del payload
    ends.tell()
    other = ends.pass_on(bytearray(b"b" * _SIZE))
    assert memory_of(other) != before
    assert bytes(inner) == b"a" * 10
    del inner
    ends.tell()
    assert memory_of(ends.pass_on(bytearray(b"c" * _SIZE))) == before


@pytest.mark.parametrize("seed", range(6))
def test_nobody_sees_what_was_meant_for_another_one(ends: Ends, seed: int) -> None:
    """Principle 6: whatever is held, written to, passed on, let go of and given back in between."""
    chance = random.Random(seed)
    held: list[tuple[Segment, memoryview, bytearray]] = []
    for step in range(120):
        kind = chance.randrange(10)
        if kind < 4 and len(held) < 8:
            content = bytearray(bytes([step % 251 + 1]) * chance.randrange(1 << 20, 3 << 20))
            payload = ends.pass_on(content, back=chance.random() < 0.5)
            held.append((payload, read(payload), content))
        elif kind == 4 and held:
            payload, _, _ = chance.choice(held)
            as_sent = bytearray(unpack_value(payload).data)
            held.append((payload, read(payload), as_sent))
        elif kind == 5 and held:
            _, view, content = chance.choice(held)
            start = chance.randrange(len(content))
            end = min(start + chance.choice((1, 5000, 1 << 20)), len(content))
            view[start:end] = content[start:end] = bytes([252]) * (end - start)
        elif kind == 6:
            tend()
        elif kind == 7:
            ends.tell()
        elif held:
            del held[chance.randrange(len(held))]
        for _, view, content in held:
            assert content == view.tobytes()
        view = content = None  # type: ignore[assignment]
        payload = None  # type: ignore[assignment]
    held.clear()
    ends.tell()


def test_a_fork_sees_what_it_saw_for_as_long_as_it_likes(ends: Ends) -> None:
    """Principle 6: the child of a fork tells nobody when it has let go."""
    payload = ends.pass_on(bytearray(b"a" * _SIZE))
    before = memory_of(payload)
    view = read(payload)
    own = pack_value(Bulk(bytearray(b"o" * _SIZE)))
    theirs = own.private()  # type: ignore[union-attr]
    tell, told = os.pipe()
    pid = os.fork()
    if not pid:  # pragma: no cover - the child
        code = 1
        try:
            os.close(told)
            os.read(tell, 1)
            same = bytes(view) == b"a" * _SIZE and bytes(theirs[-_SIZE:]) == b"o" * _SIZE
            code = 0 if same else 2
        finally:
            os._exit(code)
    os.close(tell)
    del payload, view, own, theirs
    ends.tell()
    for content in (b"b", b"c", b"d"):
        again = ends.pass_on(bytearray(content * _SIZE))
        assert memory_of(again) != before
        assert bytes(read(again)) == content * _SIZE
        del again
        ends.tell()
    os.close(told)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_without_room_for_mappings_it_is_a_copy(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    """A6: descriptors are never used up by payloads."""
    monkeypatch.setattr(Segment, "mappings", Mappings(mappings=2))
    views = [read(ends.pass_on(bytearray(bytes([number]) * _SIZE))) for number in range(6)]
    assert Segment.mappings.held == 2
    for number, view in enumerate(views):
        assert bytes(view) == bytes([number]) * _SIZE
        view[0] = 255
        assert view[1] == number
    del view, views
    ends.tell()
    read(ends.pass_on(bytearray(b"a" * _SIZE)))
    assert Segment.mappings.held <= 2


def test_no_more_than_the_bound_waits_for_further_use(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures: in bounded memory."""
    monkeypatch.setattr(Segment, "mappings", Mappings(idle_bytes=4 * _SIZE))
    views = [read(ends.pass_on(bytearray(_SIZE))) for _ in range(10)]
    assert Segment.mappings.held == 10
    views.clear()
    assert Segment.mappings.held <= 4


def test_what_is_of_no_use_is_given_back(ends: Ends) -> None:
    """Figures: an idle system keeps no memory for a later payload."""
    payload = ends.pass_on(bytearray(_SIZE))
    read(payload)
    del payload
    ends.tell()
    tend()
    assert (Segment.mappings.held, Segment.pool.held) == (1, 1)
    tend()
    assert (Segment.mappings.held, Segment.pool.held) == (0, 0)


def test_memory_that_is_in_use_again_and_again_is_kept(ends: Ends) -> None:
    """Figures: only what is idle is given back."""
    before = None
    for number in range(5):
        payload = ends.pass_on(bytearray(bytes([number]) * _SIZE))
        assert before in (None, memory_of(payload))
        before = memory_of(payload)
        read(payload)
        del payload
        ends.tell()
        tend()
