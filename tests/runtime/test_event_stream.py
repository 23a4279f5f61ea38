"""Events as something to iterate over."""

from __future__ import annotations

import threading

import pytest

from actors.errors import ConfigError
from actors.protocol.events import ResourceAvailable, TaskFailed
from actors.runtime.event_stream import EventStream


def event(number: int) -> TaskFailed:
    return TaskFailed(task_id=str(number))


def test_a_stream_gives_events_in_order_and_ends_when_it_is_closed() -> None:
    """B5: events can be iterated over."""
    stream = EventStream((TaskFailed,))
    for number in range(3):
        assert stream.offer(event(number))
    stream.close()
    assert [each.task_id for each in stream] == ["0", "1", "2"]  # type: ignore[attr-defined]
    assert not stream.offer(event(4))
    assert list(stream) == []


def test_a_reader_that_waits_gets_the_next_event() -> None:
    """B5: the iterator blocks until there is something."""
    stream = EventStream()
    got: list[object] = []
    reader = threading.Thread(target=lambda: got.extend(stream))
    reader.start()
    wanted = ResourceAvailable(resource="memory")
    stream.offer(wanted)
    stream.close()
    reader.join(10)
    assert got == [wanted]


def test_closing_wakes_every_reader() -> None:
    """F2: nobody waits for ever."""
    stream = EventStream()
    readers = [threading.Thread(target=list, args=(stream,)) for _ in range(3)]
    for reader in readers:
        reader.start()
    stream.close()
    for reader in readers:
        reader.join(10)
        assert not reader.is_alive()


def test_a_reader_that_does_not_come_round_misses_the_oldest() -> None:
    """B5: the buffer is bounded, and the reader can see what it missed."""
    stream = EventStream(bound=2)
    for number in range(5):
        stream.offer(event(number))
    assert stream.missed == 3
    stream.close()
    assert [each.task_id for each in stream] == ["3", "4"]  # type: ignore[attr-defined]


def test_get_waits_no_longer_than_it_is_told_to() -> None:
    """B5: a reader can wait for a bounded time."""
    stream = EventStream()
    assert stream.get(timeout=0) is None
    assert stream.get(timeout=0.01) is None
    assert not stream.closed
    stream.offer(event(1))
    assert stream.get(timeout=0) == event(1)


def test_leaving_the_context_closes_once_and_says_so_once() -> None:
    """B5: a context manager."""
    closed: list[EventStream] = []
    with EventStream(on_close=closed.append) as stream:
        assert "open" in repr(stream)
        stream.close()
    assert closed == [stream]
    assert stream.closed
    assert "closed" in repr(stream)


def test_a_stream_without_room_is_refused() -> None:
    """A4: a bad value is an error that names it."""
    with pytest.raises(ConfigError, match="a buffer of events"):
        EventStream(bound=-1)
