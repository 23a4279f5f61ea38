"""The post office of a process: its socket, its connections, and the one thread that reads them.

ref ── link.post ──▶ socket ─ ─ ─ ▶ socket ── Office thread ──▶ Delivery ──▶ mailbox of the actor
▲                                                                              │
└── reply ◀── Delivery ◀── Office thread ◀── socket ◀ ─ ─ ─ socket ◀── answer, in the actor's thread
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable

from actors.errors import ActorsError, AgentDied, ChannelClosed, DeadLetter, WireError
from actors.hosts.descriptors import receive, socket_pair
from actors.hosts.payload import Segment
from actors.kernel.address import Address, process_name, returns
from actors.protocol.messages import Payload
from actors.remote import endpoint as endpoints
from actors.remote.delivery import Delivery, Lost, Room
from actors.remote.frames import HELLO, Frame, write
from actors.remote.link import Link, Waiter, process_died

__all__ = ["DeadLetterListener", "Inquiry", "Office"]

_log = logging.getLogger("actors.remote")

# The buffer of a read: from 128 KiB on, fresh pages for it would cost more than the read itself.
_READ_SIZE = 1 << 16
_READS_AT_ONCE = 32
# How long it may take until somebody knows more about the end of a process than that its connection is gone.
_INQUIRY = 2.0
_MOST_DEAD = 10_000
_DO_NOT_WAIT = int(socket.MSG_DONTWAIT)

DeadLetterListener = Callable[[Address, object], object]
"""Called with each message from here that will not arrive, and whom it was for; in any thread. It must not wait."""

Inquiry = Callable[[str, Callable[[AgentDied | None], object]], bool]
"""Called with a process that is gone and what to call once it is known how it ended. Whether that will be called."""


class Office:
    """See the top of the file.

    Args:
        directory: where the process listens; empty: outside of any system.
        inquiries: who may know more about the end of a process; the list may change.
        room: whether there is memory for large messages.
        lost: called with messages to actors that are no more.
    """

    def __init__(self, directory: str, inquiries: list[Inquiry], room: Room, lost: Lost) -> None:
        self._inquiries = inquiries
        self.process = process_name()
        self._lock = threading.RLock()
        self._links: dict[str, Link] = {}
        self._all: set[Link] = set()
        # Processes that are gone, and what is known of their end.
        self._dead: dict[str, BaseException | None] = {}
        self._errands: deque[Callable[[], object]] = deque()
        # When those who wait for an inquiry are told without it.
        self._overdue: deque[tuple[float, Callable[[AgentDied | None], object]]] = deque()
        self._closing = False
        self._poll = select.poll()
        self._by_fd: dict[int, Link] = {}
        self._listener, self.endpoint = endpoints.listen(directory, self.process)
        self._bell, self._ringer = socket_pair()
        self._bell.setblocking(False)  # noqa: FBT003 - takes no keyword
        self._ringer.setblocking(False)  # noqa: FBT003 - takes no keyword
        self._rung = False
        self._delivery = Delivery(self._soon, room, lost)
        self._poll.register(self._listener, select.POLLIN)
        self._poll.register(self._bell, select.POLLIN)
        self._thread = threading.Thread(target=self._run, name="actors-post", daemon=True)
        self._thread.start()

    # --- for references ---

    def reach(self, address: Address) -> Link:
        """The connection to the process of an actor.

        Raises:
            AgentDied: that process is gone.
            DeadLetter: nobody can be reached there.
        """
        process = address.process
        link = self._links.get(process)
        if link is not None and not link.closed:
            return link
        with self._lock:
            link = self._links.get(process)
            if link is not None and not link.closed:
                return link
            if self._closing:
                raise DeadLetter(f"{address.name} cannot be reached: this process is ending", recipient=address.name)
            if process in self._dead and not returns(process):
                raise process_died(address.name, self._dead[process])
            if process == self.process:
                raise DeadLetter(f"{address.name} has ended and nothing is left of it", recipient=address.name)
            if not address.endpoint:
                raise DeadLetter(
                    f"{address.name} stayed in the process that this one was forked from, and cannot be reached there; "
                    "pass its reference on after that process has sent it somewhere",
                    recipient=address.name,
                )
            try:
                sock = endpoints.connect(address.endpoint)
            except ChannelClosed as error:
                self._bury_process(process, None)
                raise process_died(address.name, self._dead[process] or str(error)) from None
            self._dead.pop(process, None)
            link = Link(sock, self._wake, process)
            self._links[process] = link
            self._all.add(link)
            link.post(write(HELLO, 1, 0, 0, self.process.encode()), now=True)
        self._soon(lambda: self._watch(link))
        return link

    def known_death(self, process: str, error: AgentDied) -> None:
        """Note how a process ended, for those who will ask for its actors."""
        with self._lock:
            self._bury_process(process, error)

    def _bury_process(self, process: str, error: BaseException | None) -> None:
        if len(self._dead) >= _MOST_DEAD:
            del self._dead[next(iter(self._dead))]
        if error is not None or process not in self._dead:
            self._dead[process] = error

    # --- waking the thread ---

    def _soon(self, errand: Callable[[], object]) -> None:
        """Have something done in the thread of the office."""
        self._errands.append(errand)
        self._ring()

    def _wake(self, link: Link) -> None:
        self._soon(lambda: self._attend(link))

    def _ring(self) -> None:
        if not self._rung:
            self._rung = True
            with contextlib.suppress(OSError):
                self._ringer.send(b"\0")

    # --- the thread ---

    def _run(self) -> None:
        try:
            while not self._closing:
                self._turn()
        except Exception:
            # Nothing of the user's comes here; but whoever waits must not wait for ever.
            _log.exception("The post office of this process has failed")
            raise
        finally:
            self._end()

    def _turn(self) -> None:
        timeout = None
        if self._overdue:
            timeout = max(0.0, (self._overdue[0][0] - time.monotonic()) * 1000)
        for fd, events in self._poll.poll(timeout):
            link = self._by_fd.get(fd)
            if link is not None:
                if events & select.POLLOUT:
                    self._attend(link)
                if events & ~select.POLLOUT:
                    self._read(link)
            elif fd == self._bell.fileno():
                with contextlib.suppress(OSError):
                    self._bell.recv(64)
                self._rung = False
            elif fd == self._listener.fileno():
                self._accept()
        while self._errands:
            self._run_errand(self._errands.popleft())
        now = time.monotonic()
        while self._overdue and self._overdue[0][0] <= now:
            self._overdue.popleft()[1](None)

    def _run_errand(self, errand: Callable[[], object]) -> None:
        try:
            errand()
        except Exception:  # noqa: BLE001 - a hook of the user's; it harms nobody else
            _log.exception("The post office of this process could not do something")

    def _watch(self, link: Link) -> None:
        fd = link.sock.fileno()
        if not link.closed and fd >= 0 and fd not in self._by_fd:
            self._by_fd[fd] = link
            self._poll.register(fd, select.POLLIN)
            self._attend(link)

    def _attend(self, link: Link) -> None:
        """Write what waits, and poll for room while something is left."""
        if link.closed:
            return
        link.flush()
        fd = link.sock.fileno()
        if fd in self._by_fd:
            self._poll.modify(fd, select.POLLIN | (select.POLLOUT if link.full else 0))

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                if not endpoints.same_user(sock):
                    _log.warning("A process of another user has tried to reach the actors of this one")
                    sock.close()
                    continue
                sock.setblocking(False)  # noqa: FBT003 - takes no keyword
                link = Link(sock, self._wake)
                with self._lock:
                    self._all.add(link)
                self._watch(link)

    def _read(self, link: Link) -> None:
        self._read_frames(link)
        # The frames are gone by now, and what was in them has been read.
        if link.released_memory:
            self._attend(link)

    def _read_frames(self, link: Link) -> None:
        try:
            for _ in range(_READS_AT_ONCE):
                data, fds = receive(link.sock, _READ_SIZE, _DO_NOT_WAIT)
                if not data:
                    self._lost(link)
                    return
                for frame in link.reader.feed(data, fds):
                    if frame.kind == HELLO:
                        self._hello(link, frame.body)
                    elif not link.process:
                        raise WireError("expected a greeting, and then messages")
                    else:
                        self._take(link, frame)
                if len(data) < _READ_SIZE:
                    return
        except BlockingIOError:
            return
        except WireError as error:
            _log.warning("The connection to %s is closed: %s", link.process or "a process", error)
            self._lost(link)
        except OSError:
            self._lost(link)

    def _take(self, link: Link, frame: Frame) -> None:
        try:
            self._delivery.take(link, frame)
        except WireError:
            raise
        except Exception:  # noqa: BLE001 - as above
            _log.exception("What came from %s could not be dealt with", link.process)

    def _hello(self, link: Link, name: Payload) -> None:
        if link.process or type(name) is not bytes or not 0 < len(name) <= 64:
            raise WireError("expected one greeting, with the name of a process")
        link.process = name.decode("ascii", "replace")
        with self._lock:
            # What this process has sent on another connection to it goes on there, or the order would be lost.
            self._links.setdefault(link.process, link)

    # --- ends ---

    def _lost(self, link: Link) -> None:
        self._forget(link)
        process = link.process
        with self._lock:
            if self._links.get(process) is link:
                del self._links[process]
            waiters = list(link.close())
            if not process:
                return
            known = self._dead.get(process)
            self._bury_process(process, None)
        if known is not None:
            self._answer(waiters, known)
            return

        def then(error: AgentDied | None) -> None:
            if error is not None:
                self.known_death(process, error)
            self._answer(waiters, error)

        once = _Once(then)
        if any(inquiry(process, once) for inquiry in list(self._inquiries)):
            self._overdue.append((time.monotonic() + _INQUIRY, once))
        else:
            once(None)

    def _answer(self, waiters: list[Waiter], why: BaseException | None) -> None:
        Link.end_by(waiters, lambda name: process_died(name, why))

    def _forget(self, link: Link) -> None:
        with self._lock:
            self._all.discard(link)
        fd = link.sock.fileno()
        if self._by_fd.pop(fd, None) is not None:
            with contextlib.suppress(KeyError, OSError):
                self._poll.unregister(fd)

    def close(self) -> None:
        """End it: what waits is written, who waits is told. Returns when its thread has ended."""
        self._closing = True
        self._ring()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _end(self) -> None:
        self._closing = True
        with self._lock:
            links, self._all = list(self._all), set()
            self._links.clear()
        for link in links:
            with contextlib.suppress(ActorsError):
                link.flush()
            Link.end_by(
                link.close(),
                lambda name: DeadLetter(f"this process ended before {name} had answered", recipient=name),
            )
        for _, once in self._overdue:
            once(None)
        self._listener.close()
        self._bell.close()
        self._ringer.close()
        endpoints.remove(self.endpoint)
        # What messages went through waits there for further ones.
        Segment.trim()

    def part(self) -> None:
        """In the child of a fork: let go of all descriptors, and harm nothing of what they lead to."""
        for link in list(self._all):
            link.part()
        for sock in (self._listener, self._bell, self._ringer):
            sock.close()


class _Once:
    """Calls something at most once, whoever comes first."""

    def __init__(self, call: Callable[[AgentDied | None], object]) -> None:
        self._calls = [call]

    def __call__(self, error: AgentDied | None) -> None:
        with contextlib.suppress(IndexError):
            self._calls.pop()(error)
