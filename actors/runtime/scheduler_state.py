"""What the scheduler knows, apart from the actor that works with it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from actors.runtime.agent_links import AgentLink, AgentLinks

if TYPE_CHECKING:
    from actors.core.decisions import Decision, Publish
    from actors.core.engine import Engine
    from actors.kernel.reply import Reply
    from actors.runtime.event_router import Listener
    from actors.runtime.journal.keeper import Keeper

__all__ = ["SchedulerState"]


class SchedulerState:
    """What outlives a restart of the scheduler.

    Attributes:
        engine: the mind.
        keeper: writes the journal; None if there is none.
        links: the agents' channels and status blocks.
        taken: what the engine has decided and the journal, if there is one, does not have yet.
        decided: what has been decided, is in the journal and has not been carried out yet.
        carrying: the decision that is being carried out; None from the moment in which that has taken effect.
        carried_again: the one that the incarnation before failed on.
        publishing: events that are to be told at the end of the turn.
        told: who has been told those at the front of them that are being told.
        assignments: tasks that are to be sent at the end of the turn.
        failure: what the last incarnation failed with.
        waiting_for_idle: who wants to know when every task has its outcome, each with whether it must be told as well.
        work_told: whether the resource manager knows that agents have work; it asks when it wants to hear that none has.
    """

    def __init__(self, engine: Engine, keeper: Keeper | None = None) -> None:
        self.engine = engine
        self.keeper = keeper
        self.links = AgentLinks()
        self.taken: deque[Decision] = deque()
        self.decided: deque[Decision] = deque()
        self.carrying: Decision | None = None
        self.carried_again: Decision | None = None
        self.failure: BaseException | None = None
        self.assignments: dict[AgentLink, list[tuple[Any, ...]]] = {}
        self.publishing: list[Publish] = []
        self.told: set[Listener] = set()
        self.waiting_for_idle: list[tuple[Reply[None], bool]] = []
        self.work_told = False

    def answer_idle(self) -> None:
        """Every task has its outcome: answer all who waited for that, unless an outcome that must be told is held back."""
        held_back = self.keeper is not None and self.keeper.holds_any
        for reply, told in self.waiting_for_idle:
            if not (told and held_back):
                reply.set(None)
        # Only now: after a failure in between, some are answered twice, and the first answer counts.
        self.waiting_for_idle = [each for each in self.waiting_for_idle if each[1] and held_back]
