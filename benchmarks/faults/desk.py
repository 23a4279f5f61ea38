"""Where tasks say that they run: independent of the library, which may tell something else or nothing.

A task connects, says its name and its process, and holds the connection for as long as it runs: it ends when the task
has ended, or its process has. So the begin and the end of a task are seen when they happen, without looking again
and again.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

__all__ = ["Desk", "Visitor", "visit"]

_HELLO = 5.0


def visit(address: str, name: str, *said: int) -> socket.socket:
    """Inside a task: say that it runs. One byte comes when it may go on, the end when nobody is there any more."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(address)
    connection.sendall(json.dumps([name, os.getpid(), time.monotonic(), *said]).encode() + b"\n")
    return connection


@dataclass(slots=True)
class Visitor:
    """A task that runs, or ran: in `pid` since `at`; `gone_at` is when it ended. `said` is what else it told."""

    pid: int
    at: float
    said: list[int]
    connection: socket.socket
    gone_at: float | None = None
    gone: threading.Event = field(default_factory=threading.Event)


class Desk:
    """Takes visits; a context manager. `address` is what tasks need to come here."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="faults-")
        self.address = str(Path(self._directory.name, "desk"))
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.address)
        self._listener.listen(128)
        self._changed = threading.Condition()
        self._visits: dict[str, list[Visitor]] = {}
        self._open: set[str] = set()
        self._groups: list[list[str]] = []
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._waker, self._wake = socket.socketpair()
        self._selector.register(self._waker, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._wake.send(b"x")
        self._thread.join()
        with self._changed:
            for visitor in [each for visits in self._visits.values() for each in visits]:
                visitor.connection.close()
        for end in (self._listener, self._waker, self._wake, self._selector):
            end.close()
        self._directory.cleanup()

    def wait(self, names: list[str], seconds: float, number: int = 1) -> list[Visitor] | None:
        """The visit with that number of each name, when all are there; None when the time is over."""
        with self._changed:

            def there() -> bool:
                return all(len(self._visits.get(name, ())) >= number for name in names)

            if not self._changed.wait_for(there, max(seconds, 0)):
                return None
            return [self._visits[name][number - 1] for name in names]

    def let_go_together(self, names: list[str]) -> None:
        """Let these go on as soon as all of them have begun: not before, and without anybody who waits for it."""
        with self._changed:
            self._groups.append(names)

    def visits(self, name: str) -> int:
        """How often a task of that name began."""
        with self._changed:
            return len(self._visits.get(name, ()))

    def open(self, *names: str) -> None:
        """Let all go on that have these names, now and later."""
        with self._changed:
            self._open.update(names)
            for name in names:
                for visitor in self._visits.get(name, ()):
                    _let_go(visitor)

    def _serve(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._waker:
                    return
                if key.fileobj is self._listener:
                    self._admit()
                else:
                    self._hear(key.data)

    def _admit(self) -> None:
        connection, _ = self._listener.accept()
        connection.settimeout(_HELLO)
        try:
            name, pid, at, *said = json.loads(connection.makefile("rb").readline())
        except (OSError, ValueError):
            connection.close()
            return
        visitor = Visitor(pid, at, said, connection)
        self._selector.register(connection, selectors.EVENT_READ, visitor)
        with self._changed:
            self._visits.setdefault(name, []).append(visitor)
            if name in self._open:
                _let_go(visitor)
            self._look_at_groups()
            self._changed.notify_all()

    def _look_at_groups(self) -> None:
        for group in self._groups.copy():
            if all(name in self._visits for name in group):
                self._groups.remove(group)
                self._open.update(group)
                for name in group:
                    for visitor in self._visits[name]:
                        _let_go(visitor)

    def _hear(self, visitor: Visitor) -> None:
        try:
            if visitor.connection.recv(64):
                return
        except OSError:
            # Ended in the middle.
            pass
        self._selector.unregister(visitor.connection)
        visitor.gone_at = time.monotonic()
        visitor.gone.set()


def _let_go(visitor: Visitor) -> None:
    try:
        visitor.connection.send(b"g")
    except OSError:
        # It has ended.
        return
