"""Processes that have actors of the program's: agents of a type of their own, which no task goes to.

They are started, watched and ended as all agents are, by an agent supervisor. Only the scheduler does not know them:
`ActorProcesses` stands in its place for their supervisor.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import actors.remote.office as post
from actors.config import AgentConfig
from actors.errors import ActorsError, AgentDied, DeadLetter
from actors.hosts.agentref import AgentRef
from actors.hosts.serialize import pack_value, unpack_value
from actors.kernel.actor import Actor
from actors.kernel.address import RETURNS
from actors.kernel.handlers import handles
from actors.kernel.reply import Reply
from actors.protocol.messages import Priority
from actors.runtime import messages as m
from actors.runtime.actor_host import ACTOR_HOST, StartActor, Started
from actors.runtime.endings import agent_died
from actors.runtime.peers import Peers

if TYPE_CHECKING:
    from actors.core.children import Restart
    from actors.hosts.host import AgentHandle
    from actors.kernel.cell import Exit
    from actors.kernel.ref import ActorRef

__all__ = ["ActorProcess", "ActorProcesses", "HostPeers", "Place", "ProcessBook"]

_ROOM = 5.0
# Seconds that an actor may take to be started again.
_AGAIN = 60.0
_START_ACTOR = "starting an actor"

_log = logging.getLogger("actors.agents")


class HostPeers(Peers):
    """The system's actors as the supervisor of actor processes sees them: another one in the scheduler's place."""

    def __init__(self, peers: Peers, stand_in: ActorRef[Any]) -> None:
        self._peers = peers
        self.scheduler = peers.stand_ins[ACTOR_HOST] = stand_in

    def __getattr__(self, name: str) -> Any:
        return getattr(self._peers, name)


class Kept(NamedTuple):
    """An actor that is started again with its process: the message that does it, and what is called then.

    `then` gets its reference, or the error if it could not be started.
    """

    start: StartActor
    then: Callable[[ActorRef[Any] | BaseException], object]


class ProcessBook:
    """Which processes live, and how the others have ended. Safe to use from any thread.

    It outlives a restart of `ActorProcesses`.

    Attributes:
        actors: who is to be stopped at the end of the system: all actors of the program's own, wherever they run, or the
            supervisors of those that are started again.
    """

    def __init__(self) -> None:
        self.actors: list[ActorRef[Any]] = []
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._living: dict[str, AgentHandle] = {}
        # By the name of a process's life: the agent that it is.
        self._agents: dict[str, tuple[str, int]] = {}
        self._ended: dict[tuple[str, int], AgentDied] = {}
        self._asking: dict[str, list[Callable[[AgentDied | None], object]]] = {}
        # Of the processes that are started again when they die, by agent: their name, and their actors by number.
        self._returning: dict[str, tuple[str, dict[int, Kept]]] = {}

    # --- those that are started again ---

    def returns(self, agent: str, process: str) -> None:
        """A process of this name is started again when it has died."""
        with self._lock:
            self._returning[agent] = process, {}

    def will_return(self, agent: str, process: str) -> bool:
        """Whether it lives, or will again."""
        with self._lock:
            return self._returning.get(agent, ("",))[0] == process

    def keep(self, agent: str, number: int, kept: Kept | None) -> None:
        """Remember an actor of such a process, to be started again with it; None: no more."""
        with self._lock:
            _, actors = self._returning.get(agent, ("", {}))
            if kept is None:
                actors.pop(number, None)
            else:
                actors[number] = kept

    def returned(self, agent: str, incarnation: int) -> list[Kept]:
        """A process is there, perhaps again: what is to be started in it."""
        with self._lock:
            process, actors = self._returning.get(agent, ("", {}))
            if process:
                self._agents[process] = (agent, incarnation)
            return list(actors.values())

    def given_up(self, agent: str) -> None:
        """A process that has died is not started again after all."""
        with self._lock:
            self._returning.pop(agent, None)
            self._changed.notify_all()

    # --- all of them ---

    def started(self, handle: AgentHandle) -> None:
        """A process is being started."""
        with self._lock:
            self._living[handle.agent] = handle

    def incarnation(self, agent: str) -> int:
        """Which incarnation of an agent lives; 0 if none does."""
        with self._lock:
            handle = self._living.get(agent)
            return 0 if handle is None else handle.incarnation

    def know(self, process: str, agent: str, incarnation: int) -> None:
        """A process has said what it is called in the addresses of its actors."""
        with self._lock:
            self._agents[process] = (agent, incarnation)

    def gone(self, agent: str, incarnation: int, error: AgentDied, *, replaced: bool) -> AgentHandle | None:
        """A process has ended: tell those who asked. Its handle, if it is known."""
        with self._lock:
            self._ended[agent, incarnation] = error
            if not replaced:
                self._returning.pop(agent, None)
            self._changed.notify_all()
            handle = self._living.get(agent)
            if handle is not None and handle.incarnation == incarnation:
                del self._living[agent]
            processes = [process for process, known in self._agents.items() if known == (agent, incarnation)]
            asking = [(process, self._asking.pop(process, [])) for process in processes]
        office = post.opened()
        for process, thens in asking:
            if office is not None:
                office.known_death(process, error)
            for then in thens:
                then(error)
        return handle

    def ended(self, agent: str, incarnation: int) -> AgentDied | None:
        """How a process has ended; None if it has not."""
        with self._lock:
            return self._ended.get((agent, incarnation))

    def await_end(self, agent: str, incarnation: int, process: str, timeout: float) -> None:
        """Wait until a process has ended for good, for at most so many seconds."""

        def over() -> bool:
            if process:
                return self._returning.get(agent, ("",))[0] != process
            return (agent, incarnation) in self._ended

        with self._changed:
            self._changed.wait_for(over, timeout)

    def inquire(self, process: str, then: Callable[[AgentDied | None], object]) -> bool:
        """See `actors.remote.postoffice.Inquiry`."""
        with self._lock:
            known = self._agents.get(process)
            if known is None:
                return False
            error = self._ended.get(known)
            if error is None:
                self._asking.setdefault(process, []).append(then)
                return True
        then(error)
        return True


class _StartedAgain(NamedTuple):
    """The answer about an actor that was to be started again."""

    kept: Kept
    reply: Reply[Any]


def _tell(to: ActorRef[Any], kept: Kept, reply: Reply[Any]) -> None:
    to.tell(_StartedAgain(kept, reply))


class ActorProcesses(Actor):
    """What the supervisor of actor processes tells the scheduler about other agents comes here."""

    bears = (ActorsError,)
    repeats = True
    waits_for_room = False

    def __init__(self, book: ProcessBook, peers: Peers) -> None:
        super().__init__()
        self._book = book
        self._peers = peers

    @handles(m.AgentStarting)
    def _starting(self, message: m.AgentStarting) -> None:
        self._book.started(message.handle)

    @handles(m.AgentGone)
    def _gone(self, message: m.AgentGone) -> None:
        error = agent_died(message.report, message.agent_type)
        handle = self._book.gone(message.agent, message.incarnation, error, replaced=message.replaced)
        if handle is not None:
            handle.task.close()
            if handle.control.closed:
                handle.close()

    @handles(m.AgentReady)
    def _ready(self, message: m.AgentReady) -> None:
        """One that has died is there again: start its actors anew."""
        me = self.actor_ref
        for kept in self._book.returned(message.agent, message.incarnation):
            payload = pack_value(kept.start, _START_ACTOR)
            order = m.SendToAgents((message.agent,), payload, "StartActor", _AGAIN, int(Priority.HIGH))
            reply = self._peers.hub.ask_later(order)
            reply.add_done_callback(partial(_tell, me, kept))

    @handles(_StartedAgain)
    def _started_again(self, message: _StartedAgain) -> None:
        start, reply = message.kept.start, message.reply
        error = reply.exception()
        if error is None:
            started: Started = unpack_value(reply.get(), _START_ACTOR)
            message.kept.then(started.ref)
        elif not isinstance(error, AgentDied | DeadLetter):
            _log.error("%s could not be started again after the death of its process", start.name, exc_info=error)
            message.kept.then(error)

    @handles(m.ReplacementDropped)
    def _dropped(self, message: m.ReplacementDropped) -> None:
        self._book.given_up(message.agent)

    @handles(m.SpawnFailed, m.TypeFailed, m.DrainAgent)
    def _nothing_to_do(self, message: Any) -> None:
        """Whoever waits for such a process hears it from its supervisor."""


class ActorProcess:
    """A process of the system that actors are started in, by `start_actor(…, host=process)`.

    Attributes:
        name: for people.
        agent: the id of its agent, by which `agents()` shows it and `terminate` ends it.
    """

    __slots__ = ("_book", "_grace", "_incarnation", "_life", "_peers", "agent", "name", "restart")

    def __init__(
        self,
        name: str,
        peers: Peers,
        book: ProcessBook,
        config: AgentConfig,
        own: AgentConfig | None,
        restart: Restart,
        token: str,
    ) -> None:
        self.name = name
        self.restart: Restart = restart
        self._peers = peers
        self._book = book
        self._grace = config.grace
        # What all its lives are called, if it has several.
        self._life = "" if restart == "temporary" else f"{token}{RETURNS}"
        if self._life:
            own = replace(own or AgentConfig(), arguments={"life": self._life})
        spawned: Reply[str] = Reply()
        peers.supervisors[ACTOR_HOST].tell(m.SpawnAgent(own, None, spawned, restart))
        self.agent = spawned.get(timeout=config.start_timeout + _ROOM)
        self._incarnation = book.incarnation(self.agent)
        if self._life:
            book.returns(self.agent, self._life)

    def __repr__(self) -> str:
        return f"<ActorProcess {self.name}, agent {self.agent}{'' if self.is_alive() else ', ended'}>"

    def is_alive(self) -> bool:
        """Whether it has not ended; one that is just being started again has not."""
        if self._life:
            return self._book.will_return(self.agent, self._life)
        return self._book.incarnation(self.agent) == self._incarnation

    def start(self, message: StartActor, *, alone: bool) -> ActorRef[Any]:
        """Start an actor there; for `start_actor`.

        Args:
            message: which one.
            alone: whether the process ends when it has ended.

        Raises:
            AgentDied: the process has ended.
            NotSerializable: the class or an argument cannot be sent there.
            BaseException: what the constructor raises.
        """
        self._check()
        host = AgentRef(self.agent, ACTOR_HOST, self._peers.system)
        try:
            started: Started = host.ask(message)
        except DeadLetter:
            # Its end was told between the look and the question.
            self._check()
            raise
        ref = started.ref
        self._book.know(started.process, self.agent, self._book.incarnation(self.agent) or self._incarnation)
        returns = bool(self._life) and message.restart != "temporary"

        def ended(end: Exit) -> None:
            if returns and not end.incarnation and self.is_alive():
                # Its process has died: it is watched again when it is there again.
                return
            over(f"its actor {end.name} has ended")

        def over(why: str) -> None:
            self._book.keep(self.agent, ref.address.number, None)
            if alone and self.is_alive():
                self._end(self._grace, why)

        def then(again: ActorRef[Any] | BaseException) -> None:
            if isinstance(again, BaseException):
                over(f"its actor {message.name} could not be started again")
            else:
                again.watch(ended)

        if returns:
            self._book.keep(self.agent, ref.address.number, Kept(message._replace(number=ref.address.number), then))
        if returns or alone:
            ref.watch(ended)
        return ref

    def _check(self) -> None:
        if not self.is_alive():
            died = self._book.ended(self.agent, self._incarnation)
            raise died if died is not None else AgentDied(f"the process {self.name} has ended", agent_id=self.agent)

    def stop(self, timeout: float = 30.0) -> None:
        """End it for good with its actors: each may handle what waits for it already. Returns when the process is gone.

        Args:
            timeout: seconds until it is ended by signals.
        """
        if self.is_alive():
            self._end(timeout, "stopped by the program")
            self._book.await_end(self.agent, self._incarnation, self._life, timeout + 2 * self._grace + _ROOM)

    def _end(self, timeout: float, reason: str) -> Reply[Any]:
        order = m.TerminateAgent(self.agent, timeout, reason, replace=False)
        return self._peers.supervisors[ACTOR_HOST].ask_later(order)


Place: TypeAlias = Literal["thread", "process"] | ActorProcess
"""Where an actor runs."""
