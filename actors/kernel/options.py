"""What surrounds an actor: its name, its mailbox's bound, its clock, and what carries it out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from actors.kernel.clock import Clock, SystemClock
from actors.kernel.hearing import EventGround
from actors.kernel.mailbox import Mailbox, Overflow

__all__ = ["ActorOptions", "Dispatcher", "Drive"]

Drive: TypeAlias = Callable[[Callable[[], bool], float | None], bool]


class Dispatcher(Protocol):
    """Carries out the runs that it is given.

    `drive` is None if they go on by themselves while a thread waits for an answer; otherwise the thread that waits calls
    it with what it waits for and a time limit in seconds, and gets back whether it has come.
    """

    drive: Drive | None

    def start(self, run: Any) -> None:
        """See to it that the `Run` is carried out from its beginning to its end."""

    def mailbox(self, cell: Any) -> Mailbox:
        """The mailbox of an actor (its `Cell`) that it will carry out."""


@dataclass(frozen=True, slots=True)
class ActorOptions:
    """What surrounds an actor.

    Attributes:
        name: for logs and errors; by default the class's name and a number.
        bound: how many messages may wait in its mailbox; None: what the class says.
        overflow: what happens to a message that finds it full; None: what the class says.
        clock: where the actor and its timers get the time from.
        dispatcher: what runs it; by default a thread of its own.
        on_dead_letter: called with (ref, message) for each message that the actor will never handle, in any thread.
            It must not block.
        number: of an actor that takes the place of one in a process that has died; 0: a new one.
        events: where its events go and come from; by default those of the actor that starts it.
    """

    name: str | None = None
    bound: int | None = None
    overflow: Overflow | None = None
    clock: Clock = field(default_factory=SystemClock)
    dispatcher: Dispatcher | None = None
    on_dead_letter: Callable[[Any, Any], None] | None = None
    number: int = 0
    events: EventGround | None = None
