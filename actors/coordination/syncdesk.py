"""The way from a lock in somebody's hands to the book in which it stands."""

from __future__ import annotations

import abc
import contextlib
import itertools
import sys
from collections.abc import Callable, Generator
from typing import Any, NoReturn, Protocol

from actors.core.sync.owner import Owner
from actors.core.sync.request import Request
from actors.core.sync.wait import Ticket
from actors.errors import ActorsError, LockNotHeld, NotSerializable

__all__ = ["Pending", "SyncDesk", "in_loop", "until"]


class Pending(Protocol):
    """An answer that will come: a `Reply`, or a `concurrent.futures.Future`."""

    def done(self) -> bool:
        """Whether it is there."""

    def add_done_callback(self, callback: Callable[[Any], object], /) -> object:
        """Call back when it is."""


def in_loop() -> bool:
    """Whether an event loop is running in this thread, which a wait would hold up."""
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and asyncio._get_running_loop() is not None  # noqa: SLF001 - must not raise


async def until(pending: Pending) -> None:
    """Await that an answer is there. To cancel this leaves the answer alone."""
    await _Until(pending)


class _Until:
    def __init__(self, pending: Pending) -> None:
        self._pending = pending

    def __await__(self) -> Generator[Any, None, None]:
        import asyncio  # noqa: PLC0415 - only who has a loop pays for it

        if self._pending.done():
            return
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            if not waiter.done():
                waiter.set_result(None)

        def tell(_: Any) -> None:
            # A loop that is closed by now has nobody who waits.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(wake)

        self._pending.add_done_callback(tell)
        yield from waiter.__await__()


class SyncDesk(abc.ABC):
    """Sends requests, and knows what its owners hold by what it was told.

    `tickets` numbers the requests.
    """

    def __init__(self) -> None:
        self.tickets = itertools.count(1)
        # By owner: the fencing numbers of what it holds, by name and mode, in the order in which it got them.
        self._held: dict[Owner, dict[tuple[str, str], list[int]]] = {}
        # How many waits of each owner are under way, and who has been at a barrier.
        self._waiting: dict[Owner, int] = {}
        self._attended: set[Owner] = set()
        # The last grant of each owner: ticket, mode and fencing number.
        self._noted_last: dict[Owner, tuple[Ticket, str, int]] = {}
        # What must not be interrupted in its middle.
        self.shielded: contextlib.AbstractContextManager[object] = contextlib.nullcontext()

    def __reduce__(self) -> NoReturn:
        raise NotSerializable(
            "a lock, a barrier or the like cannot be sent to another process; send its name, and make it there: in a "
            "task by self.lock(name)",
            what="a lock or the like",
            reason="it belongs to whoever made it",
        )

    # --- what differs between the program and an agent ---

    @abc.abstractmethod
    def owner(self) -> Owner:
        """Who is calling."""

    @abc.abstractmethod
    def send(self, request: Request) -> Pending:
        """Send a request whose end somebody waits for."""

    @abc.abstractmethod
    def tell(self, request: Request) -> None:
        """Send a request whose end nobody waits for. Never fails because the other side is gone."""

    @abc.abstractmethod
    def rest(self, begin: Callable[[], Pending], *, waits: bool) -> Pending:
        """Do what begins a request, and block until its end is there; `waits`: it may take long."""

    @abc.abstractmethod
    async def rest_async(self, pending: Pending, *, waits: bool) -> None:
        """Await the end of a request."""

    @abc.abstractmethod
    def outcome(self, pending: Pending) -> Any:
        """The value of an answer that is there; raises if it is an error."""

    def inside(self) -> tuple[Owner, ...]:
        """See `Wait.inside`."""
        return ()

    def uses(self, owner: Owner) -> None:
        """An owner waits, or holds something from now on."""
        del owner

    # --- requests ---

    def request(
        self, op: str, kind: str, name: str, size: int, data: Any = None, timeout: float | None = None
    ) -> Request:
        """A request of whoever is calling."""
        owner = self.owner()
        ticket = (owner.agent, owner.incarnation, next(self.tickets))
        return Request(op, kind, name, size, owner, ticket, timeout, data, self.inside())

    def call(self, request: Request, *, waits: bool = False, grants: str | None = None) -> Any:
        """Make a request and wait for its end.

        Args:
            request: made by `request`.
            waits: it may wait for others, not only for its answer.
            grants: in which mode something is held if it goes well.

        Raises:
            ActorsError: what its end is; or an event loop runs in this thread, which must not be held up.
        """
        if in_loop():
            raise ActorsError(
                f"{request.op} of {request.kind} {request.name!r} would hold up the event loop of this thread: in a "
                "coroutine use `async with`, or the method with _async at the end of its name; a plain task of a worker "
                "that has async tasks runs in their loop, too, and had better be async"
            )
        if not waits:
            return self.outcome(self.rest(lambda: self.send(request), waits=False))
        self._begin(request)
        try:
            pending = self.rest(lambda: self.send(request), waits=True)
            with self.shielded:
                return self._noted(request, pending, grants)
        except BaseException as error:
            self._undo(request, error)
            raise
        finally:
            self._end(request)

    async def call_async(self, request: Request, *, waits: bool = False, grants: str | None = None) -> Any:
        """See `call`; awaits."""
        if waits:
            self._begin(request)
        try:
            pending = self.send(request)
            await self.rest_async(pending, waits=waits)
            with self.shielded:
                return self._noted(request, pending, grants)
        except BaseException as error:
            if waits:
                self._undo(request, error)
            raise
        finally:
            if waits:
                self._end(request)

    def _begin(self, request: Request) -> None:
        owner = request.owner.whole
        self.uses(owner)
        self._waiting[owner] = self._waiting.get(owner, 0) + 1
        if request.kind == "barrier":
            self._attended.add(owner)

    def _end(self, request: Request) -> None:
        owner = request.owner.whole
        left = self._waiting.get(owner, 0) - 1
        if left > 0:
            self._waiting[owner] = left
        else:
            self._waiting.pop(owner, None)

    def _noted(self, request: Request, pending: Pending, grants: str | None) -> Any:
        value = self.outcome(pending)
        if grants is not None:
            owner = request.owner.whole
            self._held.setdefault(owner, {}).setdefault((request.name, grants), []).append(value)
            self._noted_last[owner] = request.ticket, grants, value
        return value

    def _undo(self, request: Request, error: BaseException) -> None:
        """A wait ended otherwise than by its answer: nothing is to be granted to it, or left with it."""
        if isinstance(error, ActorsError):
            return
        with self.shielded:
            ticket = request.ticket
            self.tell(request._replace(op="withdraw", data=ticket[2], ticket=(*ticket[:2], next(self.tickets))))
            noted = self._noted_last.pop(request.owner.whole, None)
            if noted is not None and noted[0] == ticket:
                # The interruption came just after its grant.
                self._drop(request.owner.whole, (request.name, noted[1]), noted[2])

    def _drop(self, owner: Owner, what: tuple[str, str], fence: int) -> None:
        held = self._held.get(owner, {})
        fences = held.get(what, [])
        fences.remove(fence)
        if not fences:
            held.pop(what, None)
        if not held:
            self._held.pop(owner, None)

    # --- what is held ---

    def fence(self, name: str, mode: str) -> int | None:
        """The fencing number of what the caller got last in a mode and has not released; None if it has nothing."""
        fences = self._held.get(self.owner().whole, {}).get((name, mode))
        return fences[-1] if fences else None

    def release(self, kind: str, name: str, size: int, mode: str) -> None:
        """Give back what the caller got last in a mode. It takes effect on its way, and nothing waits for that.

        Raises:
            LockNotHeld: it has nothing.
        """
        owner = self.owner()
        whole = owner.whole
        with self.shielded:
            held = self._held.get(whole, {})
            fences = held.get((name, mode))
            if not fences:
                raise LockNotHeld(
                    f"{owner} does not hold {kind} {name!r}: it was never acquired here, was released before, or was "
                    "lost with what acquired it",
                    name=name,
                    kind=kind,
                )
            fence = fences[-1]
            self._drop(whole, (name, mode), fence)
            self._noted_last.pop(whole, None)
            self.tell(self.request("release", kind, name, size, fence))

    def matters(self, owner: Owner) -> bool:
        """Whether anybody but an owner itself is concerned by its end."""
        return owner in self._held or owner in self._waiting or owner in self._attended

    def lost(self, owner: Owner) -> list[str]:
        """An owner is no more: the names of what it still held."""
        self._noted_last.pop(owner.whole, None)
        self._attended.discard(owner.whole)
        return sorted({name for name, _ in self._held.pop(owner.whole, {})})
