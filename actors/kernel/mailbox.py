"""Where an actor's messages wait.

    senders ── put ──▶ [system lane]                        ── take ──▶ the actor's thread, all that waits
                       [critical] [high] [normal] [low]

One lock guards everything. Invariants: `put` and `close` exclude each other, so a message is either handed over by
`take` or `close`, or refused to its sender; a thread sleeps only while nothing waits (`_asleep` is set under the lock
and cleared by whoever wakes it).
"""

from __future__ import annotations

import threading
import time
from _thread import LockType, allocate_lock
from collections.abc import Callable
from enum import Enum
from typing import Any, Protocol

from actors.core.order import MailboxOrder
from actors.errors import ConfigError, MailboxClosed, MailboxFull
from actors.kernel.askers import begin
from actors.kernel.current import current
from actors.kernel.room import Room
from actors.protocol.messages import Priority

__all__ = ["Mailbox", "Overflow", "Waiter"]

_NORMAL = Priority.NORMAL


class Waiter(Protocol):
    """What waits for room: the lock of a thread that sleeps, or somebody to be told."""

    def release(self) -> object:
        """There is room, or nothing to wait for."""


class Overflow(Enum):
    """What happens to a message that finds the mailbox full."""

    BLOCK = "block"
    """Its sender waits for room. The bound gives way to an actor that has waited for a few seconds, or that would wait
    for ever because the one with the full mailbox waits for it; and to the library's own actors, which wait for nobody."""
    FAIL = "fail"
    """Its sender gets MailboxFull."""
    DROP_OLDEST = "drop_oldest"
    """The oldest message of the lowest priority is dropped for it."""


class Mailbox:
    """Messages of one actor, in the order in which it takes them. Any thread puts, one takes.

    The system lane goes first and is never bounded; then priorities from high to low; first come, first served within
    each. It outlives an incarnation of its actor: what was not handled waits for the replacement.

    Args:
        bound: how many messages may wait, 1 or more.
        overflow: what happens to one that finds it full.
        on_dropped: called with each message that DROP_OLDEST drops, in the thread of the sender.

    Raises:
        ConfigError: `bound` is less than 1.
    """

    def __init__(
        self,
        bound: int = 10_000,
        overflow: Overflow = Overflow.BLOCK,
        on_dropped: Callable[[Any], None] | None = None,
    ) -> None:
        if bound < 1:
            raise ConfigError(
                f"the bound of a mailbox must be 1 or more, not {bound}", key="bound", value=bound, allowed="1 or more"
            )
        self._bound = bound
        self._overflow = overflow
        self._on_dropped = on_dropped
        self._lock = allocate_lock()
        self._closed = False
        self._asleep = False
        # Held while nobody has called the sleeper; releasing it is the call.
        self._bell = allocate_lock()
        self._bell.acquire()
        self._order: MailboxOrder[Any] = MailboxOrder()
        # Messages that were taken and given back, of the system lane and of the others.
        self._returned_urgent: list[Any] = []
        self._returned: list[Any] = []
        # Whether something waits in the system lane. The owner reads it without the lock, in the middle of a batch.
        self.pressing = False
        # How many of the last batch, at its beginning, were of the system lane. For the owner.
        self.leading = 0
        self._blocked: list[Waiter] = []
        # The `Cell` whose mailbox it is.
        self.owner: Any = None

    def __len__(self) -> int:
        return len(self._order) + len(self._returned) + len(self._returned_urgent)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self)} waiting of {self._bound}{', closed' if self._closed else ''}>"

    @property
    def closed(self) -> bool:
        """Whether it takes no more messages."""
        return self._closed

    @property
    def bound(self) -> int:
        """How many messages may wait."""
        return self._bound

    @property
    def overflow(self) -> Overflow:
        """What happens to a message that finds it full."""
        return self._overflow

    def put(self, item: Any, *, priority: int = _NORMAL, urgent: bool = False, block: bool | float = True) -> None:
        """Let `item` wait for the actor.

        Args:
            item: the message, or an `Ask` around it.
            priority: a `Priority`; higher goes first.
            urgent: into the system lane, before everything else and beyond the bound.
            block: whether to wait for room under `Overflow.BLOCK`: True, False, or for how many seconds.

        Raises:
            MailboxClosed: its actor has ended.
            MailboxFull: it is at its bound, and stayed so for as long as the sender was willing to wait.
        """
        with self._lock:
            if not self._closed and (urgent or self._order.waiting < self._bound):
                if urgent:
                    self._order.put_system(item)
                    self.pressing = True
                else:
                    self._order.put(item, priority)
                if self._asleep:
                    self._asleep = False
                    self._rouse()
                return
        self._put_slowly(item, priority, block)

    def force(self, item: Any, *, priority: int = _NORMAL) -> None:
        """Like `put`, beyond the bound if it must be.

        Raises:
            MailboxClosed: its actor has ended.
        """
        with self._lock:
            if self._closed:
                raise _closed_error()
            self._add(item, priority)

    def take(self, timeout: float | None = None) -> list[Any]:
        """Take all that waits, in order; called by the owner's thread alone.

        Args:
            timeout: for how many seconds to sleep while nothing waits; None sleeps until something comes.

        Returns:
            The messages; none if the time was up, the mailbox was closed, or somebody called for a look around.
        """
        with self._lock:
            if self._order or self._returned or self.pressing:
                return self._drain()
            if self._closed or (timeout is not None and timeout <= 0):
                self.leading = 0
                return []
            self._asleep = True
        called = self._sleep(timeout)
        with self._lock:
            if not called and not self._asleep:
                # The call came when the time was just up: the bell has been rung for nobody.
                self._bell.acquire(blocking=False)
            self._asleep = False
            return self._drain()

    def take_urgent(self) -> list[Any]:
        """Take what waits in the system lane."""
        with self._lock:
            return self._drain_urgent()

    def restore(self, items: list[Any], leading: int = 0) -> bool:
        """Give back messages that were taken and not handled: each goes before all others of its lane.

        Args:
            items: the messages, in their order.
            leading: how many of them, at the beginning, are of the system lane.

        Returns:
            Whether they were taken back; False if the mailbox is closed.
        """
        with self._lock:
            if self._closed:
                return False
            self._returned_urgent[:0] = items[:leading]
            self._returned[:0] = items[leading:]
            self.pressing = self.pressing or leading > 0
            self._asleep = False
            self._rouse()
            return True

    def rouse(self) -> None:
        """Wake the owner if it sleeps, or let its next `take` return at once, for a look around."""
        with self._lock:
            self._asleep = False
            self._rouse()

    def close(self) -> list[Any]:
        """Take no more messages, from this moment on, and return those that still wait, in order."""
        with self._lock:
            self._closed = True
            left = self._drain()
            self._asleep = False
            self._rouse()
            return left

    def when_room(self, waiter: Waiter) -> bool:
        """Have `waiter.release()` called once when messages have been taken, or the mailbox was closed.

        Args:
            waiter: its `release` must neither wait nor touch the mailbox: it is called in the middle of it.

        Returns:
            Whether it will be called; False if there is room, or the mailbox is closed.
        """
        with self._lock:
            if self._closed or self._order.waiting < self._bound:
                return False
            self._blocked.append(waiter)
            return True

    def orphan(self) -> None:
        """Be closed, in the child of a fork, where nobody can give back a lock that another thread held."""
        self._lock = allocate_lock()
        self._closed = True

    def release(self) -> None:
        """Give back what the operating system lent; called once the mailbox is closed and its owner gone."""

    # --- under the lock ---

    def _add(self, item: Any, priority: int) -> None:
        self._order.put(item, priority)
        if self._asleep:
            self._asleep = False
            self._rouse()

    def _drain_urgent(self) -> list[Any]:
        taken = self._order.take(system_only=True)
        if self._returned_urgent:
            taken = self._returned_urgent + taken
            self._returned_urgent = []
        self.pressing = False
        return taken

    def _drain(self) -> list[Any]:
        taken = self._drain_urgent() if self.pressing else []
        self.leading = len(taken)
        if self._returned:
            taken += self._returned
            self._returned = []
        taken += self._order.take()
        if self._blocked:
            for waiter in self._blocked:
                waiter.release()
            self._blocked.clear()
        return taken

    def _rouse(self) -> None:
        """Wake the owner if it sleeps; calling one that is awake costs it one look around."""
        if self._bell.locked():
            self._bell.release()

    # --- outside of the lock ---

    def _sleep(self, timeout: float | None) -> bool:
        """Sleep until called (True) or until the time is up (False)."""
        return self._bell.acquire(timeout=-1 if timeout is None else min(timeout, threading.TIMEOUT_MAX))

    def _put_slowly(self, item: Any, priority: int, block: bool | float) -> None:  # noqa: FBT001 - as `put` got it
        """Put into a mailbox that is closed or was full a moment ago."""
        if self._overflow is Overflow.BLOCK and block is True and current.cell is not None:
            self._put_for_actor(item, priority)
            return
        deadline = None if block is True else time.monotonic() + float(block)
        while True:
            dropped = waiter = None
            with self._lock:
                if self._closed:
                    raise _closed_error()
                full = self._order.waiting >= self._bound
                if not full or self._overflow is Overflow.DROP_OLDEST:
                    dropped = (self._order.drop_oldest(),) if full else None
                    self._add(item, priority)
                elif self._overflow is Overflow.BLOCK and block is not False:
                    waiter = allocate_lock()
                    waiter.acquire()
                    self._blocked.append(waiter)
                else:
                    raise self._full_error(0.0)
            if waiter is None:
                if dropped is not None and self._on_dropped is not None:
                    self._on_dropped(dropped[0])
                return
            self._wait_for_room(waiter, deadline, block)

    def _put_for_actor(self, item: Any, priority: int) -> None:
        """Put what an actor sends: it waits for room as long as that makes sense, and no longer."""
        cell = current.cell
        room = Room.between(cell, self.owner)
        if room is None:
            self.force(item, priority=priority)
            return
        before = begin(cell, room)
        try:
            while room.is_worth_it():
                with self._lock:
                    if self._closed:
                        raise _closed_error()
                    if self._order.waiting < self._bound:
                        self._add(item, priority)
                        return
                    self._blocked.append(room)
                room.wait()
                with self._lock:
                    if room in self._blocked:
                        self._blocked.remove(room)
        finally:
            cell.waits_on = before
        self.force(item, priority=priority)

    def _wait_for_room(self, waiter: LockType, deadline: float | None, block: float) -> None:
        left = -1.0 if deadline is None else max(0.0, deadline - time.monotonic())
        if not waiter.acquire(timeout=min(left, threading.TIMEOUT_MAX)):
            with self._lock:
                if waiter in self._blocked:
                    self._blocked.remove(waiter)
                    raise self._full_error(float(block))

    def _full_error(self, waited: float) -> MailboxFull:
        return MailboxFull(
            f"the mailbox is full: {self._bound} messages wait, and none was taken in {waited:g} s; "
            "send slower, raise the bound, or choose another overflow"
        )


def _closed_error() -> MailboxClosed:
    return MailboxClosed("the mailbox is closed: its actor has ended")
