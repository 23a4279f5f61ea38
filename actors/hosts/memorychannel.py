"""Channels within this process, for agents that are threads."""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Any

from actors.errors import ChannelClosed, WireError
from actors.hosts.wakeup import Wakeup, wait_readable
from actors.protocol.messages import CODES, Envelope, Priority

__all__ = ["MemoryChannel"]


class _Direction:
    """Envelopes on their way to one end.

    Invariant, under the lock: the wake-up is set exactly when there is something to receive or to raise.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.waiting: deque[Envelope] = deque()
        self.wakeup = Wakeup()
        self.ended = False
        self.freed = False

    def put(self, envelopes: Iterable[Envelope]) -> bool:
        """Add envelopes; False if nobody will receive them."""
        with self.lock:
            if self.ended:
                return False
            idle = not self.waiting
            self.waiting.extend(envelopes)
            if idle and self.waiting:
                self.wakeup.set()
            return True

    def take(self) -> list[Envelope]:
        """All that waits."""
        with self.lock:
            taken = list(self.waiting)
            self.waiting.clear()
            if taken and not self.ended:
                self.wakeup.clear()
            return taken

    def end(self) -> None:
        """Nothing more comes."""
        with self.lock:
            if not self.ended:
                self.ended = True
                if not self.freed:
                    self.wakeup.set()

    def free(self) -> None:
        """Nobody receives any more."""
        with self.lock:
            self.ended = True
            self.waiting.clear()
            if not self.freed:
                self.freed = True
                self.wakeup.close()


class MemoryChannel:
    """One end of a channel between two threads. Made in pairs by `pair`; see `Channel` for what it does.

    Messages are handed over as they are, so neither side may change one after it was sent.
    """

    def __init__(self, name: str, incoming: _Direction, outgoing: _Direction) -> None:
        self.name = name
        self._incoming = incoming
        self._outgoing = outgoing
        self._ids = itertools.count(1)
        self._lock = threading.RLock()
        self._kept: list[Envelope] = []
        self._closed = False

    @classmethod
    def pair(cls, name: str = "") -> tuple[MemoryChannel, MemoryChannel]:
        """The two ends of a new channel."""
        there, back = _Direction(), _Direction()
        return cls(name, back, there), cls(name, there, back)

    def __repr__(self) -> str:
        return f"<MemoryChannel {self.name}: {'closed' if self._closed else 'open'}>"

    @property
    def closed(self) -> bool:
        """Whether this end was closed."""
        return self._closed

    @property
    def pending_out(self) -> int:
        """How many messages the other end has not taken."""
        return len(self._outgoing.waiting)

    def fileno(self) -> int:
        """The descriptor that is readable when there is something to receive; -1 when closed."""
        return self._incoming.wakeup.reader

    def send(
        self,
        message: Any,
        *,
        priority: int = Priority.NORMAL,
        correlation: int | None = None,
        deadline: float | None = None,
        recipient: str = "",
        sender: str = "",
        flush: bool = True,
    ) -> int:
        """See `Channel.send`."""
        _check(message)
        with self._lock:
            number = next(self._ids)
            envelope = Envelope(number, sender, recipient, priority, time.time(), message, correlation, deadline)
            self._kept.append(envelope)
            if flush:
                self._push()
        return number

    def send_many(
        self, messages: Iterable[Any], *, priority: int = Priority.NORMAL, recipient: str = "", sender: str = ""
    ) -> None:
        """See `Channel.send_many`."""
        now = time.time()
        ready = list(messages)
        for message in ready:
            _check(message)
        with self._lock:
            for message in ready:
                self._kept.append(Envelope(next(self._ids), sender, recipient, priority, now, message))
            self._push()

    def forward(self, envelopes: Iterable[Envelope]) -> None:
        """See `Channel.forward`."""
        ready = list(envelopes)
        for envelope in ready:
            _check(envelope.message)
        with self._lock:
            self._kept.extend(ready)
            self._push()

    def flush(self) -> None:
        """See `Channel.flush`."""
        with self._lock:
            self._push()

    def receive(self, timeout: float | None = 0) -> list[Envelope]:
        """See `Channel.receive`."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            taken = self._incoming.take()
            if taken:
                return taken
            if self._incoming.ended:
                raise self._gone()
            left = None if deadline is None else deadline - time.monotonic()
            if (left is not None and left <= 0) or not wait_readable(self.fileno(), left):
                return []

    def close(self) -> None:
        """See `Channel.close`. The other end still receives what was sent before."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._kept.clear()
                self._outgoing.end()
                self._incoming.free()

    def _push(self) -> None:
        kept, self._kept = self._kept, []
        if self._closed or not self._outgoing.put(kept):
            raise self._gone()

    def _gone(self) -> ChannelClosed:
        return ChannelClosed(f"the other end of channel {self.name or 'without a name'} is gone")


def _check(message: Any) -> None:
    if type(message) not in CODES:
        raise WireError(
            f"a channel carries the kinds of actors.protocol.messages, not a {type(message).__qualname__}; "
            "a user's own message travels as a payload"
        )
