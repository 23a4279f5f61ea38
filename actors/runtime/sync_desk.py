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
from actors.errors import ActorsError
from actors.kernel.reply import Reply
from actors.runtime.synchronizer import SyncAsk

if TYPE_CHECKING:
    from actors.core.sync.request import Request
    from actors.runtime.assembly import Assembly

__all__ = ["ProgramDesk"]


class ProgramDesk(SyncDesk):
    """An owner is a thread of the program, or an asyncio task.

    Args:
        assembly: the system's parts.
    """

    def __init__(self, assembly: Assembly) -> None:
        super().__init__()
        self._assembly = assembly
        self._numbers = itertools.count(1)
        self._threads = threading.local()
        self._tasks: weakref.WeakKeyDictionary[Any, Owner] = weakref.WeakKeyDictionary()

    def owner(self) -> Owner:
        """See `SyncDesk.owner`."""
        asyncio = sys.modules.get("asyncio")
        if asyncio is not None and asyncio._get_running_loop() is not None:  # noqa: SLF001 - must not raise
            task = asyncio.current_task()
            if task is not None:
                owner = self._tasks.get(task)
                if owner is None:
                    owner = self._tasks[task] = self._new(f"asyncio task {task.get_name()} of the program")
                return owner
        found: Owner | None = getattr(self._threads, "owner", None)
        if found is None:
            found = self._threads.owner = self._new(f"thread {threading.current_thread().name} of the program")
        return found

    def _new(self, name: str) -> Owner:
        return Owner(PROGRAM, 0, next(self._numbers), 0, 0, name)

    def send(self, request: Request) -> Pending:
        """See `SyncDesk.send`."""
        self._assembly.check_process()
        ref = self._assembly.synchronizer()
        reply: Reply[Any] = Reply()
        dispatcher = self._assembly.world.dispatcher
        if dispatcher is not None:
            reply.drive = dispatcher.drive
        ref.tell(SyncAsk(request, reply))
        return reply

    def tell(self, request: Request) -> None:
        """See `SyncDesk.tell`."""
        with contextlib.suppress(ActorsError):
            self._assembly.check_process()
            self._assembly.synchronizer().tell(SyncAsk(request, None))

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
