"""The way of code inside an agent to locks and the like."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Any, cast

from actors.coordination.syncdesk import Pending, SyncDesk, until
from actors.core.sync.owner import Owner
from actors.core.sync.request import Request
from actors.errors import ActorsError
from actors.hosts.attempt import Attempt
from actors.hosts.context import Context
from actors.hosts.requests import Answer
from actors.protocol.states import AgentState

__all__ = ["AgentDesk"]

_log = logging.getLogger("actors.worker")

_TOPIC = "sync"


class AgentDesk(SyncDesk):
    """An owner is an attempt at a task, with all its coroutines and threads; in hooks and handlers the agent.

    Args:
        context: of the agent.
    """

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._spec = context.parts.spec
        self.shielded = context.parts.interrupter.shielded

    # --- who ---

    def owner(self) -> Owner:
        """See `SyncDesk.owner`."""
        lane = self._context.lane
        events = threading.current_thread().name == f"{self._spec.agent} events"
        attempt = None if lane is None or events else lane.attempt_in_hand()
        return self._owner(attempt, 0 if lane is None or attempt is None else lane.part_in_hand())

    def _owner(self, attempt: Attempt | None, part: int = 0) -> Owner:
        agent, incarnation = self._spec.agent, self._spec.incarnation
        if attempt is None:
            return Owner(agent, incarnation, 0, 0, 0, f"agent {agent}")
        name = f"task {attempt.task_id} at {agent}"
        return Owner(agent, incarnation, attempt.number, attempt.attempt, part, name)

    def inside(self) -> tuple[Owner, ...]:
        """See `SyncDesk.inside`."""
        lane = self._context.lane
        if lane is None or not lane.in_body():
            return ()
        return tuple(self._owner(each) for each in self._context.parts.interrupter.beneath if each.attempt)

    def uses(self, owner: Owner) -> None:
        """See `SyncDesk.uses`: the end of an attempt is told, so that nothing of it is left."""
        attempt = self._context.attempt
        if attempt is not None and owner.attempt:
            lane = self._context.lane
            in_body = lane is not None and lane.in_body() and attempt.coroutine is None
            if attempt.ended and not in_body:
                raise ActorsError(f"{owner} has ended: what it left behind can hold nothing and wait for nothing")
            attempt.on_end = self._ended

    def _ended(self, attempt: Attempt, error: BaseException | None) -> None:
        owner = self._owner(attempt)
        if not self.matters(owner):
            return
        lost = self.lost(owner)
        if lost:
            names = ", ".join(repr(name) for name in lost)
            _log.warning("%s has ended and still held %s, which is released now", owner, names)
        why = None if error is None else f"{type(error).__name__}: {error}"
        ticket = (owner.agent, owner.incarnation, next(self.tickets))
        self.tell(Request("ended", "", "", 0, owner, ticket, data=why))

    # --- requests ---

    def send(self, request: Request) -> Pending:
        """See `SyncDesk.send`."""
        return self._context.send(_TOPIC, _fields(request))

    def tell(self, request: Request) -> None:
        """See `SyncDesk.tell`."""
        # If the program is gone, so are its locks.
        with contextlib.suppress(ActorsError):
            self._context.say(_TOPIC, _fields(request))

    def rest(self, begin: Callable[[], Pending], *, waits: bool) -> Pending:
        """See `SyncDesk.rest`. A task is waiting meanwhile, or communicating if it only waits for an answer."""
        lane = self._context.lane
        if threading.current_thread().name == f"{self._spec.agent} control":
            raise ActorsError(
                "an urgent handler runs where the answer would arrive, and cannot wait for it: use locks and the like in "
                "tasks, hooks and handlers that are not urgent"
            )
        if lane is not None and lane.in_body():
            state = AgentState.WAITING if waits else AgentState.COMMUNICATING
            return lane.wait(lambda: cast("Answer[Any]", begin()), state, None)
        pending = begin()
        self._context.parts.world.settle(pending.done, None)
        with contextlib.suppress(Exception):
            cast("Answer[Any]", pending).exception()
        return pending

    async def rest_async(self, pending: Pending, *, waits: bool) -> None:
        """See `SyncDesk.rest_async`. The slot of the task is waiting meanwhile."""
        lane = self._context.lane
        with contextlib.nullcontext() if lane is None or not waits else lane.resting():
            await until(pending)

    def outcome(self, pending: Pending) -> Any:
        """See `SyncDesk.outcome`."""
        return cast("Answer[Any]", pending).result()


def _fields(request: Request) -> list[Any]:
    """A request as plain values; `actors.runtime.sync_requests` reads them. Which agent sends it is known there."""
    op, kind, name, size, owner, ticket, timeout, data, inside = request
    return [op, kind, name, size, list(owner[2:]), ticket[2], timeout, data, [list(outer[2:]) for outer in inside]]
