"""A mailbox that waits for descriptors and messages at once."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from actors.errors import ConfigError
from actors.kernel import poll
from actors.kernel.poll import Poller, PollMailbox
from tests.kernel.support import LIMIT, Seen, finished, in_thread


@pytest.fixture(params=["native", "plain"])
def mailbox(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[PollMailbox]:
    """Over epoll and eventfd where there are any, and over poll and a pipe as elsewhere."""
    if request.param == "plain":
        monkeypatch.delattr(poll.select, "epoll", raising=False)
        monkeypatch.delattr(poll.os, "eventfd", raising=False)
    made = PollMailbox()
    yield made
    made.close()
    made.release()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    left, right = socket.socketpair()
    left.settimeout(0)
    right.settimeout(0)
    with left, right:
        yield left, right


def some(mailbox: PollMailbox) -> list[Any]:
    """Take until there is something: the owner may be called for nothing."""
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        taken = mailbox.take(LIMIT)
        if taken:
            return taken
    raise AssertionError("nothing came")


Pair = tuple[socket.socket, socket.socket]


def test_what_callbacks_return_joins_the_batch(mailbox: PollMailbox, pair: Pair) -> None:
    left, right = pair
    mailbox.poller.register(left.fileno(), lambda: [left.recv(100)])
    mailbox.put("message")
    right.send(b"data")
    assert mailbox.take(5) == ["message", b"data"]
    assert mailbox.take(0) == []


def test_a_descriptor_wakes_the_sleeping_owner_and_so_does_a_message(mailbox: PollMailbox, pair: Pair) -> None:
    left, right = pair
    mailbox.poller.register(left.fileno(), lambda: [left.recv(100)])
    for call, expected in ((lambda: right.send(b"data"), [b"data"]), (lambda: mailbox.put(1), [1])):
        taken: list[Any] = []
        thread = in_thread(lambda taken=taken: taken.extend(some(mailbox)))
        call()
        finished(thread)
        assert taken == expected


def test_a_message_to_an_owner_that_is_awake_makes_no_system_call(
    mailbox: PollMailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    monkeypatch.setattr(mailbox.poller, "wake", lambda: calls.append(1))
    for number in range(100):
        mailbox.put(number)
    assert len(mailbox.take()) == 100
    assert calls == []


def test_descriptors_are_looked_at_in_every_turn_however_many_messages_wait(mailbox: PollMailbox, pair: Pair) -> None:
    left, right = pair
    mailbox.poller.register(left.fileno(), lambda: [left.recv(1)])
    right.send(b"abc")
    got: list[Any] = []
    for number in range(3):
        mailbox.put(number)
        got += mailbox.take()
    assert got == [0, b"a", 1, b"b", 2, b"c"]


def test_writability_is_told_only_while_it_is_wanted(mailbox: PollMailbox, pair: Pair) -> None:
    left, _ = pair
    mailbox.poller.register(left.fileno(), lambda: None, lambda: ["writable"])
    assert mailbox.take(0) == []
    mailbox.poller.want_write(left.fileno(), wanted=True)
    assert mailbox.take(5) == ["writable"]
    mailbox.poller.want_write(left.fileno(), wanted=False)
    assert mailbox.take(0) == []


def test_another_thread_may_register_and_want_to_write_while_the_owner_sleeps(mailbox: PollMailbox, pair: Pair) -> None:
    left, right = pair
    taken = Seen()
    thread = in_thread(lambda: [taken(some(mailbox)) for _ in range(2)])
    mailbox.poller.register(left.fileno(), lambda: [left.recv(100)], lambda: _once(mailbox, left))
    right.send(b"data")
    assert taken.wait(1) == [[b"data"]]
    mailbox.poller.want_write(left.fileno(), wanted=True)
    assert taken.wait(2)[1] == ["written"]
    finished(thread)


def _once(mailbox: PollMailbox, sock: socket.socket) -> list[str]:
    mailbox.poller.want_write(sock.fileno(), wanted=False)
    return ["written"]


def test_the_end_of_the_other_side_is_readable(mailbox: PollMailbox, pair: Pair) -> None:
    left, right = pair
    mailbox.poller.register(left.fileno(), lambda: [left.recv(100)])
    right.close()
    assert mailbox.take(5) == [b""]
    mailbox.poller.unregister(left.fileno())
    assert mailbox.take(0) == []


def test_a_callback_may_unregister_others_of_its_round(mailbox: PollMailbox) -> None:
    pairs = [socket.socketpair() for _ in range(5)]
    try:
        called: list[int] = []

        def readable(number: int) -> None:
            called.append(number)
            for left, _ in pairs:
                mailbox.poller.unregister(left.fileno())

        for number, (left, right) in enumerate(pairs):
            mailbox.poller.register(left.fileno(), lambda number=number: readable(number))
            right.send(b"x")
        assert mailbox.take(5) == []
        assert len(called) == 1
        assert len(mailbox.poller) == 0
    finally:
        for left, right in pairs:
            left.close()
            right.close()


def test_a_callback_that_raises_loses_no_message(mailbox: PollMailbox) -> None:
    pairs = [socket.socketpair() for _ in range(3)]
    try:
        for number, (left, right) in enumerate(pairs):

            def readable(number: int = number, left: socket.socket = left) -> list[Any]:
                data = left.recv(10)
                if number == 1:
                    raise KeyError("broken")
                return [data]

            mailbox.poller.register(left.fileno(), readable)
            right.send(str(number).encode())
        mailbox.put("message")
        with pytest.raises(KeyError):
            mailbox.take(5)
        got = mailbox.take(0)
        assert sorted(map(str, got)) == ["b'0'", "b'2'", "message"]
    finally:
        for left, right in pairs:
            left.close()
            right.close()


def test_registering_twice_is_an_error_and_unregistering_twice_is_none(pair: Pair) -> None:
    poller = Poller()
    left, _ = pair
    poller.register(left.fileno(), lambda: None)
    with pytest.raises(ConfigError, match="watched already"):
        poller.register(left.fileno(), lambda: None)
    poller.unregister(left.fileno())
    poller.unregister(left.fileno())
    poller.want_write(left.fileno(), wanted=True)
    poller.close()
    poller.close()
    # Late calls of another thread find it closed, which harms nobody.
    poller.register(left.fileno(), lambda: None)
    poller.unregister(left.fileno())


def test_a_mailbox_that_is_closed_and_released_gives_its_descriptors_back() -> None:
    before = len(os.listdir("/proc/self/fd"))
    mailbox = PollMailbox()
    mailbox.put(1)
    assert mailbox.close() == [1]
    mailbox.release()
    mailbox.rouse()
    assert mailbox.take() == []
    assert len(os.listdir("/proc/self/fd")) == before


def test_descriptors_do_not_leak_into_children_of_the_program() -> None:
    """I2: an agent's process gets only what its configuration names."""
    mailbox = PollMailbox()
    try:
        assert not os.get_inheritable(mailbox.poller._bell_in)
        assert not os.get_inheritable(mailbox.poller._wait.fileno())  # type: ignore[attr-defined]
    finally:
        mailbox.close()
        mailbox.release()


def test_senders_and_descriptors_at_once_lose_nothing(mailbox: PollMailbox, pair: Pair) -> None:
    left, right = pair
    right.settimeout(None)
    mailbox.poller.register(left.fileno(), lambda: list(left.recv(4096)))
    count = 2000
    start = threading.Barrier(3)

    def put() -> None:
        start.wait()
        for _ in range(count):
            mailbox.put("message")

    def write() -> None:
        start.wait()
        for _ in range(count):
            right.send(b"\x07")

    threads = [in_thread(put), in_thread(write)]
    start.wait()
    got: list[Any] = []
    while len(got) < 2 * count:
        got += some(mailbox)
    for thread in threads:
        finished(thread)
    assert got.count("message") == count
    assert got.count(7) == count
