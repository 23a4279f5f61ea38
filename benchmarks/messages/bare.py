"""What the machine and Python give without any library: the limit for all who are measured."""

from __future__ import annotations

import contextlib
import multiprocessing
import pickle
import queue
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

from benchmarks.messages.line import Line
from benchmarks.messages.post import Count, Parcel, Question, Tally
from benchmarks.messages.workloads import Runner

__all__ = ["bare_queue", "bare_socket"]

_SIZE = struct.Struct("<I")
_READ = 1 << 18


class _QueueLine(Line):
    name = "bare queue"

    def __init__(self) -> None:
        self.there: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.back: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def ask(self, number: int, content: bytes) -> Any:
        self.there.put(Question(number, content))
        return self.back.get()

    def begin(self, number: int, content: bytes) -> None:
        self.there.put(Question(number, content))

    def end(self, handle: Any) -> Any:
        return self.back.get()

    def tell(self, number: int, content: bytes) -> None:
        self.there.put(Parcel(number, content))

    def told(self) -> Any:
        self.there.put(Count())
        return self.back.get()

    def answer(self) -> None:
        """Be the thread that gets the messages."""
        tally = Tally()
        while (message := self.there.get()) is not None:
            if type(message) is Question:
                self.back.put(message)
            elif type(message) is Parcel:
                tally.add(*message)
            else:
                self.back.put(tally.told())


@contextlib.contextmanager
def bare_queue(scene: str) -> Iterator[Runner]:
    """Two `queue.SimpleQueue` and a thread."""
    del scene
    line = _QueueLine()
    thread = threading.Thread(target=line.answer)
    thread.start()
    yield line.run
    line.there.put(None)
    thread.join()


class _Wire:
    """Pickles, each with its length before it."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._buffer = bytearray()

    def send(self, message: Any) -> None:
        data = pickle.dumps(message, 5)
        self._sock.sendall(_SIZE.pack(len(data)) + data)

    def receive(self) -> Any:
        """None at the end."""
        buffer = self._buffer
        while len(buffer) < _SIZE.size or len(buffer) < _SIZE.size + _SIZE.unpack_from(buffer)[0]:
            data = self._sock.recv(_READ)
            if not data:
                return None
            buffer += data
        end = _SIZE.size + _SIZE.unpack_from(buffer)[0]
        message = pickle.loads(memoryview(buffer)[_SIZE.size : end].toreadonly())  # noqa: S301 - of our own child
        del buffer[:end]
        return message


class _SocketLine(Line):
    name = "bare socket"

    def __init__(self, wire: _Wire) -> None:
        self._wire = wire

    def ask(self, number: int, content: bytes) -> Any:
        self._wire.send(Question(number, content))
        return self._wire.receive()

    def begin(self, number: int, content: bytes) -> None:
        self._wire.send(Question(number, content))

    def end(self, handle: Any) -> Any:
        return self._wire.receive()

    def tell(self, number: int, content: bytes) -> None:
        self._wire.send(Parcel(number, content))

    def told(self) -> Any:
        self._wire.send(Count())
        return self._wire.receive()


def _answer(sock: socket.socket) -> None:
    wire, tally = _Wire(sock), Tally()
    while (message := wire.receive()) is not None:
        if type(message) is Question:
            wire.send(message)
        elif type(message) is Parcel:
            tally.add(*message)
        else:
            wire.send(tally.told())


@contextlib.contextmanager
def bare_socket(scene: str) -> Iterator[Runner]:
    """A pair of sockets between two processes, and a pickle at each end."""
    del scene
    mine, other = socket.socketpair()
    with mine:
        with other:
            process = multiprocessing.get_context("spawn").Process(target=_answer, args=(other,))
            process.start()
        yield _SocketLine(_Wire(mine)).run
    process.join()
