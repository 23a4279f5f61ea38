"""Simulated sockets and whatever else has a descriptor: for shipped channels and pollers to run over.

Bytes that are written travel for a while, in order, and then can be read. Each end notices when the other one is gone.
"""

from __future__ import annotations

import array
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from actors.hosts.descriptors import close_all
from actors.kernel.poll import Poller
from actors.testing.sim.choices import Choices
from actors.testing.sim.conductor import READ, WRITE, Conductor

__all__ = ["Network", "Pollable", "SimPoller", "SimSocket", "Watcher"]

_IN, _OUT = 1, 4
_FIRST = 1_000_000
"""Far above any descriptor that a process may have, so that one that gets into a system call is refused there."""


class Watcher(Protocol):
    """Who wants to know when a descriptor may have become ready."""

    def ready(self, fd: int) -> None:
        """It may have."""


def _nothing() -> None:
    """Nobody is to be told."""


class Pollable:
    """Something with a descriptor of this network."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.fd = network.add(self)
        # How it is called when a step touches it.
        self.label = f"descriptor {self.fd}"
        self.watchers: dict[Watcher, None] = {}

    def readable(self) -> bool:
        """Whether there is something to read, or the end."""
        raise NotImplementedError

    def writable(self) -> bool:
        """Whether there is room to write."""
        return True

    def changed(self) -> None:
        """Tell those who watch."""
        for watcher in tuple(self.watchers):
            watcher.ready(self.fd)


class Network:
    """All that has a descriptor in one simulation.

    Args:
        conductor: gives the time, and lets things happen later.
        latency: the least and the most seconds that a write travels.
        room: how many bytes may wait at the end of a connection before its writer is full.
    """

    def __init__(self, conductor: Conductor, latency: tuple[float, float], room: int) -> None:
        self.conductor = conductor
        self.choices: Choices = conductor.choices
        self.latency = latency
        self.room = room
        self._things: dict[int, Pollable] = {}
        self._next = _FIRST

    def __len__(self) -> int:
        return len(self._things)

    def number(self) -> int:
        """A number that nothing else in this network has."""
        self._next += 1
        return self._next

    def add(self, thing: Pollable) -> int:
        """Give a descriptor to a thing."""
        fd = self.number()
        self._things[fd] = thing
        return fd

    def remove(self, fd: int) -> None:
        """Take a descriptor back."""
        self._things.pop(fd, None)

    def get(self, fd: int) -> Pollable | None:
        """What has a descriptor."""
        return self._things.get(fd)

    def watch(self, fd: int, watcher: Watcher) -> None:
        """Have somebody told when a descriptor may have become ready; at once if it is.

        Raises:
            OSError: there is no such descriptor.
        """
        thing = self._things.get(fd)
        if thing is None:
            raise OSError(9, f"descriptor {fd} is none of the simulation")
        thing.watchers[watcher] = None
        if thing.readable():
            watcher.ready(fd)

    def unwatch(self, fd: int, watcher: Watcher) -> None:
        """The opposite of `watch`; nothing if it is gone."""
        thing = self._things.get(fd)
        if thing is not None:
            thing.watchers.pop(watcher, None)

    def pair(self) -> tuple[SimSocket, SimSocket]:
        """Two connected ends."""
        ours, theirs = SimSocket(self), SimSocket(self)
        ours.peer, theirs.peer = theirs, ours
        return ours, theirs

    def poller(self) -> tuple[Poller, SimPoller]:
        """A shipped poller, and what it waits with."""
        waiting = SimPoller(self)
        return Poller(waiting), waiting


class SimPoller:
    """What a `Poller` waits with. It never sleeps: whoever steps its actor asks `is_ready` first."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._label = f"poller {network.number()}"
        self._masks: dict[int, int] = {}
        # Called when one may have become ready.
        self.changed: Callable[[], object] = _nothing
        # Descriptors that may be ready, in the order in which they became so.
        self._hot: dict[int, None] = {}

    def register(self, fd: int, eventmask: int, /) -> None:
        """See `Waiting`."""
        self._masks[fd] = eventmask
        self._network.watch(fd, self)

    def modify(self, fd: int, eventmask: int, /) -> None:
        """See `Waiting`."""
        self._masks[fd] = eventmask
        self._hot[fd] = None
        self.changed()

    def unregister(self, fd: int, /) -> None:
        """See `Waiting`."""
        self._masks.pop(fd, None)
        self._hot.pop(fd, None)
        self._network.unwatch(fd, self)

    def ready(self, fd: int) -> None:
        """See `Watcher`."""
        if fd not in self._hot:
            self._network.conductor.touch(self._label, WRITE)
            self._hot[fd] = None
        self.changed()

    def poll(self, timeout: float | None, /) -> list[tuple[int, int]]:
        """See `Waiting`; what is ready now."""
        network = self._network
        network.conductor.touch(self._label, WRITE)
        for fd in self._masks:
            thing = network.get(fd)
            if thing is not None:
                network.conductor.touch(thing.label, READ)
        found = []
        for fd in tuple(self._hot):
            events = self._events(fd)
            if events:
                found.append((fd, events))
            else:
                del self._hot[fd]
        return found

    def is_ready(self) -> bool:
        """Whether `poll` would give something."""
        for fd in tuple(self._hot):
            if self._events(fd):
                return True
            del self._hot[fd]
        return False

    def close(self) -> None:
        """See `Waiting`."""
        for fd in tuple(self._masks):
            self.unregister(fd)

    def _events(self, fd: int) -> int:
        thing = self._network.get(fd)
        if thing is None:
            return 0
        mask = self._masks.get(fd, 0)
        return (mask & _IN if thing.readable() else 0) | (mask & _OUT if mask & _OUT and thing.writable() else 0)


class _Chunk:
    """Bytes on their way, with their descriptors."""

    __slots__ = ("data", "fds")

    def __init__(self, data: bytes, fds: list[int]) -> None:
        self.data = data
        self.fds = fds


class SimSocket(Pollable):
    """One end of a simulated connection, with the methods of a `socket` that channels use.

    Attributes:
        bend: if set, called with the bytes of each write; gives what arrives instead, and what is to be done then.
        on_room: if set, called when there is room to write again, after there was none.
        gone: whether whoever had this end is dead: nothing that it writes arrives any more.
    """

    def __init__(self, network: Network) -> None:
        super().__init__(network)
        self.peer: SimSocket | None = None
        self.bend: Callable[[bytes], tuple[bytes, Callable[[], object] | None]] | None = None
        self.on_room: Callable[[], object] | None = None
        self.gone = False
        # What has arrived here, and what is still on its way.
        self._arrived: deque[_Chunk] = deque()
        self._coming = 0
        self.held = 0
        self._last_due = 0.0
        self._ended = False
        self.shut = False

    # --- what a socket has ---

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 - as the socket's own
        """Nothing: it never blocks."""

    def fileno(self) -> int:
        """The descriptor; -1 when closed."""
        return -1 if self.shut else self.fd

    def sendmsg(self, buffers: Sequence[Any], ancillary: Sequence[Any] = (), flags: int = 0) -> int:
        """Write what there is room for; it arrives later.

        Raises:
            BlockingIOError: there is no room.
            BrokenPipeError: the other end is gone.
        """
        peer = self.peer
        if self.gone or self.shut or peer is None or peer.shut:
            raise BrokenPipeError(32, "Broken pipe")
        peer.touch()
        data = b"".join(buffers)
        room = self.network.room - peer.held
        if room <= 0:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        data = data[:room]
        fds: list[int] = []
        for _, _, content in ancillary:
            fds += [os.dup(fd) for fd in array.array("i", content)]
        written = len(data)
        then = None
        if self.bend is not None:
            data, then = self.bend(data)
        peer.receive_later(_Chunk(data, fds))
        if then is not None:
            then()
        return written

    def recvmsg(self, size: int, _space: int = 0, flags: int = 0) -> tuple[bytes, list[Any], int, None]:
        """Read what has arrived, up to `size` bytes; nothing at the end.

        Raises:
            BlockingIOError: nothing is there.
            ConnectionResetError: this end was closed.
        """
        if self.shut:
            raise ConnectionResetError(104, "Connection reset by peer")
        self.touch()
        if not self._arrived:
            if self._ended:
                return b"", [], 0, None
            raise BlockingIOError(11, "Resource temporarily unavailable")
        chunk = self._arrived[0]
        data, fds = chunk.data[:size], chunk.fds
        chunk.fds = []
        if len(data) == len(chunk.data):
            self._arrived.popleft()
        else:
            chunk.data = chunk.data[size:]
        was_full = self.held >= self.network.room
        self.held -= len(data)
        if was_full and self.peer is not None:
            self.peer.changed()
            if self.peer.on_room is not None:
                self.network.conductor.after(0.0, self.peer.on_room)
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds).tobytes())] if fds else []
        return data, ancillary, 0, None

    def shutdown(self, how: int) -> None:
        """Let the other end see the end, after what was written before."""
        if self.peer is not None:
            self.peer.end_later()

    def close(self) -> None:
        """Give the descriptor back."""
        if self.shut:
            return
        self.shutdown(socket.SHUT_RDWR)
        self.touch()
        self.shut = True
        for chunk in self._arrived:
            close_all(chunk.fds)
        self._arrived.clear()
        self.network.remove(self.fd)
        if self.peer is not None:
            self.peer.changed()

    def touch(self) -> None:
        """Say that somebody changes or reads what is on its way here."""
        self.network.conductor.touch(self.label, WRITE)

    # --- what can be seen ---

    def readable(self) -> bool:
        """See `Pollable.readable`."""
        return bool(self._arrived) or self._ended

    def writable(self) -> bool:
        """See `Pollable.writable`."""
        return self.peer is None or self.peer.shut or self.peer.held < self.network.room

    @property
    def arrived_by(self) -> float:
        """When all that is on its way here has arrived."""
        return self._last_due

    @property
    def quiet(self) -> bool:
        """Whether nothing is on its way here and nothing waits to be read, and both ends are there."""
        return not (self._arrived or self._coming or self._ended or self.shut or self.gone)

    # --- what travels ---

    def receive_later(self, chunk: _Chunk) -> None:
        """The other end has written something."""
        self._coming += 1
        self.held += len(chunk.data)
        self._later(lambda: self._receive(chunk))

    def _receive(self, chunk: _Chunk) -> None:
        self.touch()
        self._coming -= 1
        if self.shut:
            close_all(chunk.fds)
            return
        if chunk.data:
            self._arrived.append(chunk)
            self.changed()

    def end_later(self) -> None:
        """The other end has ended."""
        if not self.shut:
            self._later(self._end)

    def _end(self) -> None:
        self.touch()
        self._ended = True
        self.changed()

    def _later(self, act: Callable[[], None]) -> None:
        network = self.network
        now = network.conductor.clock.monotonic()
        low, high = network.latency
        # What was written first arrives first.
        due = self._last_due = max(self._last_due, now + network.choices.between(low, high, "latency"))
        if due <= now:
            act()
        else:
            network.conductor.at(due, act)
