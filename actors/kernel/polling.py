"""An actor that waits for descriptors and messages at once."""

from __future__ import annotations

from typing import ClassVar, cast

from actors.kernel.actor import Actor
from actors.kernel.poll import Poller

__all__ = ["PollingActor"]


class PollingActor(Actor):
    """Its mailbox is a `PollMailbox`, so there always is a poller."""

    polls: ClassVar[bool] = True
    waits_for_room: ClassVar[bool] = False

    @property
    def descriptors(self) -> Poller:
        """What watches descriptors for this actor; it outlives restarts."""
        return cast("Poller", self.poller)
