"""The worker that has actors of the program's in its process."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import actors.remote.office as post
from actors.config import Limits
from actors.core.children import Restart
from actors.kernel.actor import Actor
from actors.kernel.address import adopt_name
from actors.kernel.clock import SystemClock
from actors.kernel.options import ActorOptions
from actors.kernel.ref import ActorRef
from actors.protocol.events import Event
from actors.runtime.actor_events import HostedEvents
from actors.runtime.lost_letters import LettersAbroad, LostLetters
from actors.runtime.restarting import Pace, begin
from actors.worker import Worker, handles

__all__ = ["ACTOR_HOST", "ActorHost", "StartActor", "Started"]

ACTOR_HOST = "actor_host"
"""The agent type of the processes that have actors."""


class StartActor(NamedTuple):
    """To an actor host: start an actor of this class; answered with `Started`.

    `number` is that of the one in a former life of the process whose place it takes; 0: it is a new one.
    """

    actor_class: type[Actor]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    name: str
    restart: Restart = "temporary"
    pace: Pace = Pace()
    number: int = 0


class Started(NamedTuple):
    """From an actor host: the actor that was started, and the name of the process's life."""

    ref: ActorRef[Any]
    process: str


class ActorHost(Worker):
    """Starts actors beside each other in the process of its agent, and ends them with it. It takes no tasks."""

    agent_type: ClassVar[str] = ACTOR_HOST
    role = "host"
    specialization = "actors of the program in a process of their own"
    cpu = "low"
    memory = "low"
    io = "low"
    limits = Limits(memory=None, open_files=None, processes=None, cpu=None)

    def __init__(self, life: str = "") -> None:
        self._life = life
        self._actors: list[ActorRef[Any]] = []
        self._events = HostedEvents(self, SystemClock())

    def on_start(self) -> None:
        """Open the post office, so that a reference that leaves finds it open."""
        if self._life:
            adopt_name(self._life, self._inside("on_start").parts.spec.incarnation)
        post.office()
        post.limit(self._inside("on_start").parts.no_memory_for)
        post.know(listener=LettersAbroad(self.publish, SystemClock()))

    def on_event(self, event: Event) -> None:
        """Hand an event to those of the actors that want it."""
        self._events.came(event)

    def on_stop(self) -> None:
        """End the actors: each may handle what waits for it, within the grace."""
        until = self.clock.monotonic() + self._inside("on_stop").parts.spec.grace
        for ref in self._actors:
            ref.stop(block=False)
        for ref in self._actors:
            ref.join(max(0.0, until - self.clock.monotonic()))

    @handles(StartActor)
    def _start(self, message: StartActor) -> Started:
        letters = LostLetters(self.publish, SystemClock())
        options = ActorOptions(name=message.name, on_dead_letter=letters, events=self._events, number=message.number)
        begun = begin(message.actor_class, message.args, message.kwargs, options, message.restart, message.pace)
        begun.ref.publish()
        self._actors = [each for each in self._actors if each.is_alive()]
        self._actors.append(begun.root)
        return Started(begun.ref, post.office().process)
