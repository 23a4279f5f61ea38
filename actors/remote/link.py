"""One connection between two processes whose actors talk.

post ──▶ [out] ── write ──▶ socket     in the sender's thread, if the socket takes it
└── what is left ──▶ socket     in the thread of the post office
"""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from actors.core.peering import Peering
from actors.errors import AgentDied, MailboxFull
from actors.hosts.descriptors import close_all, transmit
from actors.hosts.segmentpool import release
from actors.kernel.current import current
from actors.remote.frames import Reader, Written, let_go

if TYPE_CHECKING:
    from collections.abc import Iterable

    from actors.hosts.segmentpool import Lease
    from actors.kernel.reply import Reply

__all__ = ["Link", "Waiter", "process_died"]

# What follows a write within so many seconds is one of many: they go out together.
_BURST = 50e-6
# So much goes out in one write; from there on the sender writes it itself.
_TOGETHER = 64 << 10
# With so much waiting because the other end does not read, senders wait.
_CROWDED = 16 << 20
# Seconds that an actor waits for room: it has messages of its own to handle.
_PATIENCE = 2.0
_FLAGS = int(socket.MSG_DONTWAIT) | int(getattr(socket, "MSG_NOSIGNAL", 0))


class Waiter:
    """Who waits for an answer: its reply, and whom it has asked."""

    __slots__ = ("name", "reply")

    def __init__(self, reply: Reply[Any], name: str) -> None:
        self.reply = reply
        self.name = name


class Link:
    """A connection.

    Args:
        sock: connected, not blocking; the link owns it.
        wake: called with the link when the post office is to write what waits.
        process: who is at the other end; empty until it says so.

    Invariant: under `_lock`, frames are put into `_out` and leave it in order, whole.
    """

    def __init__(self, sock: socket.socket, wake: Callable[[Link], object], process: str = "") -> None:
        self.sock = sock
        self.process = process
        # Tokens of shared memory from there that is seen no more here. What appends to it may be in the middle of anything.
        self.released_memory: deque[int] = deque()
        self.reader = Reader(self.released_memory.append)
        self.peering: Peering[Waiter] = Peering()
        self.closed = False
        # The office polls for room in the socket.
        self.full = False
        self._wake = wake
        self._lock = threading.Lock()
        self._room = threading.Condition(self._lock)
        self._out: deque[bytes | memoryview | Written] = deque()
        # Shared memory that the other end still sees, by token.
        self._lent: dict[int, Lease] = {}
        self._pending = 0
        self._asked = False
        self._written = 0.0
        # Actors there that are full, for whose room an actor here has waited in vain.
        self._impatient: set[int] = set()

    def __repr__(self) -> str:
        return f"<Link to {self.process or 'somebody'}{', closed' if self.closed else ''}>"

    def post(self, frame: bytes | Written, *, now: bool = False) -> bool:
        """Send a frame; `now`: without waiting for others that it could go with.

        Returns:
            Whether it is on its way; False if the connection is lost.
        """
        with self._lock:
            if self.closed:
                _dispose(frame)
                return False
            if self.released_memory:
                self._let_go()
            self._out.append(frame)
            if not isinstance(frame, Written):
                self._pending += len(frame)
            elif frame.lease is not None:
                self._lent[frame.token] = frame.lease
            if self.full:
                return True
            if now or self._pending >= _TOGETHER or time.monotonic() - self._written > _BURST:
                ask = self._write()
                # Afterwards: waking the other end may take longer than all that is sent together.
                self._written = time.monotonic()
            else:
                ask = not self._asked
            self._asked = self._asked or ask
        if ask:
            self._wake(self)
        return True

    def flush(self) -> None:
        """Write what waits; called by the office."""
        with self._lock:
            self._asked = False
            if not self.closed:
                if self.released_memory:
                    self._let_go()
                self._write()
                if self._pending < _CROWDED // 2:
                    self._room.notify_all()

    def _write(self) -> bool:
        """Write what the socket takes. Whether something is left that waits for room in it."""
        out = self._out
        try:
            while out:
                first = out[0]
                if isinstance(first, Written):
                    # Its descriptors go with its first byte, so it is a write of its own.
                    done = transmit(self.sock, [first.data], first.fds, _FLAGS)
                    out.popleft()
                    _dispose(first)
                    if done < len(first.data):
                        out.appendleft(memoryview(first.data)[done:])
                        self._pending += len(first.data) - done
                    continue
                data = first if len(out) == 1 else self._gather()
                done = self.sock.send(data, _FLAGS)
                self._pending -= done
                if done < len(data):
                    out[0] = memoryview(data)[done:]
                else:
                    out.popleft()
        except BlockingIOError:
            self.full = True
        except OSError:
            # The other end is gone; the office, which reads there, sees it and tells everybody.
            self._drop()
        else:
            self.full = False
        return self.full

    def _gather(self) -> bytes | memoryview:
        """Put the first frames together, as many as make one write."""
        out = self._out
        parts = []
        size = 0
        while out and size < _TOGETHER:
            part = out[0]
            if isinstance(part, Written):
                break
            parts.append(part)
            size += len(part)
            out.popleft()
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        out.appendleft(data)
        return data

    def _let_go(self) -> None:
        released = self.released_memory
        frame = let_go([released.popleft() for _ in range(len(released))])
        self._out.append(frame)
        self._pending += len(frame)

    def give_back(self, tokens: Iterable[int]) -> None:
        """The other end sees this shared memory no more."""
        release(self._lent, tokens)

    def _drop(self) -> None:
        for frame in self._out:
            _dispose(frame)
        self._out.clear()
        self._pending = 0
        self.full = False

    # --- room ---

    def crowded(self, actor: int) -> bool:
        """Whether a sender to an actor there has to see about room first."""
        return self._pending > _CROWDED or (self.peering.holding and self.peering.held(actor) is not None)

    def await_room(self, actor: int, name: str, block: bool | float) -> None:  # noqa: FBT001 - as `tell` got it
        """Wait until the mailbox of an actor there, and the connection, have room; an actor not for long.

        An actor that has waited for its time sends beyond the bound, and waits no more until there was room. Who waits for
        whom is not known across processes, and two actors that wait for room with each other would wait for ever.

        Raises:
            MailboxFull: there was none in that time, or that mailbox makes nobody wait.
        """
        if self.peering.held(actor) == "fail":
            raise MailboxFull(
                f"the mailbox of {name} is full, and it takes no more until there is room; send slower, raise its bound, "
                "or choose another overflow"
            )
        timeout = None if block is True else float(block)
        sender = current.cell if block is True else None
        if sender is not None:
            if actor in self._impatient or not sender.actor_class.waits_for_room:
                return
            with self._room:
                if not self._room.wait_for(lambda: self.closed or not self.crowded(actor), _PATIENCE):
                    self._impatient.add(actor)
            return
        with self._room:
            if not self._room.wait_for(lambda: self.closed or not self.crowded(actor), timeout):
                raise MailboxFull(
                    f"the mailbox of {name} is full, and no message was taken in {timeout:g} s; send slower, raise its "
                    "bound, or choose another overflow"
                )

    def released(self, actor: int) -> None:
        """There is room again in the mailbox of an actor there."""
        with self._room:
            self.peering.release(actor)
            self._impatient.discard(actor)
            self._room.notify_all()

    # --- the end ---

    def close(self) -> Iterable[Waiter]:
        """Close it. Those who still waited for an answer; nobody else will tell them."""
        with self._lock:
            self.closed = True
            self._drop()
            # Nobody will tell any more when the other end has stopped to look.
            lent, self._lent = self._lent, {}
            for lease in lent.values():
                lease.spoil()
            self._room.notify_all()
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()
        self.reader.close()
        return self.peering.lost()

    def part(self) -> None:
        """In the child of a fork: let go of the descriptor and leave the connection to the parent."""
        self.closed = True
        self.sock.close()

    @staticmethod
    def end_by(waiters: Iterable[Waiter], died: Callable[[str], BaseException]) -> None:
        """Answer those who waited, each with an error of its own."""
        for waiter in waiters:
            waiter.reply.fail(died(waiter.name))


def _dispose(frame: bytes | memoryview | Written) -> None:
    if isinstance(frame, Written):
        close_all(frame.owned)


def process_died(name: str, why: BaseException | str | None) -> AgentDied:
    """The error for somebody who depended on an actor whose process is gone.

    Args:
        name: of the actor.
        why: what is known of the end: an `AgentDied` with its record, a text, or nothing.
    """
    if isinstance(why, AgentDied):
        error = AgentDied(f"the process of {name} has ended: {why.headline}")
        error.learn(why)
        error.exit_code, error.signal, error.reason = why.exit_code, why.signal, why.reason
        return error
    return AgentDied(f"the process of {name} has ended{f': {why}' if why else ''}", reason=str(why) if why else None)
