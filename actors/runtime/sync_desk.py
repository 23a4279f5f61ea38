"""The program's way to locks and the like."""

from __future__ import annotations

import contextlib
import itertools
import sys
import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from actors.coordination.syncdesk import Pending, SyncDesk, until
from actors.core.sync.owner import PROGRAM, Owner
from actors.core.sync.request import Request
from actors.errors import ActorsError
from actors.kernel.reply import Reply
from actors.runtime.synchronizer import SyncAsk

if TYPE_CHECKING:
    from actors.kernel.cell import Drive
    from actors.kernel.ref import ActorRef

__all__ = ["ProgramDesk"]


class ProgramDesk(SyncDesk):
    """An owner is a thread of the program, or an asyncio task.

    Args:
        synchronizer: the actor, started if need be.
        check_process: raises in a fork of the program.
        drive: what lets things happen while a thread waits, where they do not by themselves.
    """

    def __init__(
        self, synchronizer: Callable[[], ActorRef[Any]], check_process: Callable[[], None], drive: Drive | None
    ) -> None:
        super().__init__()
        self._synchronizer = synchronizer
        self._check_process = check_process
        self._drive = drive
        self._numbers = itertools.count(1)
        self._threads = threading.local()
        self._tasks: weakref.WeakKeyDictionary[Any, Owner] = weakref.WeakKeyDictionary()
        # Of each owner that has acquired something or waited: whether it can still release.
        self._living: dict[Owner, Callable[[], bool]] = {}

    def owner(self) -> Owner:
        """See `SyncDesk.owner`."""
        asyncio = sys.modules.get("asyncio")
        if asyncio is not None and asyncio._get_running_loop() is not None:  # noqa: SLF001 - must not raise
            task = asyncio.current_task()
            if task is not None:
                owner = self._tasks.get(task)
                if owner is None:
                    owner = self._tasks[task] = self._new(f"asyncio task {task.get_name()} of the program")
                    of_task = weakref.ref(task)
                    self._living[owner] = lambda: (one := of_task()) is not None and not one.done()
                return owner
        found: Owner | None = getattr(self._threads, "owner", None)
        if found is None:
            thread = threading.current_thread()
            found = self._threads.owner = self._new(f"thread {thread.name} of the program")
            of_thread = weakref.ref(thread)
            self._living[found] = lambda: (one := of_thread()) is not None and one.is_alive()
        return found

    def _new(self, name: str) -> Owner:
        return Owner(PROGRAM, 0, next(self._numbers), 0, 0, name)

    def send(self, request: Request) -> Pending:
        """See `SyncDesk.send`."""
        self._check_process()
        ref = self._synchronizer()
        reply: Reply[Any] = Reply()
        if self._drive is not None:
            reply.drive = self._drive
        # In a simulation the threads of the program are steps of it, and end otherwise.
        ref.tell(SyncAsk(request, reply, self.ended if self._drive is None else None))
        return reply

    def ended(self) -> list[tuple[Request, list[str]]]:
        """The threads and asyncio tasks that have ended since the last call, and what they have left behind.

        For each that has: the request which says so, and the names of what it held.
        """
        found = []
        for owner, lives in list(self._living.items()):
            if lives():
                continue
            del self._living[owner]
            if self.matters(owner):
                names = self.lost(owner)
                ticket = (owner.agent, owner.incarnation, next(self.tickets))
                found.append((Request("ended", "", "", 0, owner, ticket), names))
        return found

    def tell(self, request: Request) -> None:
        """See `SyncDesk.tell`."""
        with contextlib.suppress(ActorsError):
            self._check_process()
            self._synchronizer().tell(SyncAsk(request, None))

    def rest(self, begin: Callable[[], Pending], *, waits: bool) -> Pending:
        """See `SyncDesk.rest`."""
        del waits
        pending = begin()
        cast("Reply[Any]", pending).wait()
        return pending

    async def rest_async(self, pending: Pending, *, waits: bool) -> None:
        """See `SyncDesk.rest_async`."""
        del waits
        await until(pending)

    def outcome(self, pending: Pending) -> Any:
        """See `SyncDesk.outcome`."""
        return cast("Reply[Any]", pending).get()
