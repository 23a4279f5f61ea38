"""Processes that have actors of the program's: agents of a type of their own, which no task goes to.

They are started, watched and ended as all agents are, by an agent supervisor. Only the scheduler does not know them:
`ActorProcesses` stands in its place for their supervisor.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import actors.remote.office as post
from actors.errors import ActorsError, AgentDied, DeadLetter
from actors.hosts.agentref import AgentRef
from actors.kernel.actor import Actor
from actors.kernel.handlers import handles
from actors.kernel.reply import Reply
from actors.runtime import messages as m
from actors.runtime.actor_host import ACTOR_HOST, StartActor, Started
from actors.runtime.endings import agent_died
from actors.runtime.peers import Peers

if TYPE_CHECKING:
    from actors.config import AgentConfig
    from actors.hosts.host import AgentHandle
    from actors.kernel.cell import Exit
    from actors.kernel.ref import ActorRef

__all__ = ["ActorProcess", "ActorProcesses", "HostPeers", "ProcessBook"]

_ROOM = 5.0
_START_ACTOR = "starting an actor"


class HostPeers(Peers):
    """The system's actors as the supervisor of actor processes sees them: another one in the scheduler's place."""

    def __init__(self, peers: Peers, stand_in: ActorRef[Any]) -> None:
        self._peers = peers
        self.scheduler = stand_in

    def __getattr__(self, name: str) -> Any:
        return getattr(self._peers, name)


class ProcessBook:
    """Which processes live, and how the others have ended. Safe to use from any thread.

    It outlives a restart of `ActorProcesses`.

    Attributes:
        actors: all actors of the program's own, wherever they run; they end with the system.
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

    def gone(self, agent: str, incarnation: int, error: AgentDied) -> AgentHandle | None:
        """A process has ended: tell those who asked. Its handle, if it is known."""
        with self._lock:
            self._ended[agent, incarnation] = error
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

    def await_end(self, agent: str, incarnation: int, timeout: float) -> None:
        """Wait until a process has ended, for at most so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: (agent, incarnation) in self._ended, timeout)

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


class ActorProcesses(Actor):
    """What the supervisor of actor processes tells the scheduler about other agents comes here."""

    bears = (ActorsError,)
    repeats = True
    waits_for_room = False

    def __init__(self, book: ProcessBook) -> None:
        super().__init__()
        self._book = book

    @handles(m.AgentStarting)
    def _starting(self, message: m.AgentStarting) -> None:
        self._book.started(message.handle)

    @handles(m.AgentGone)
    def _gone(self, message: m.AgentGone) -> None:
        error = agent_died(message.report, message.agent_type)
        handle = self._book.gone(message.agent, message.incarnation, error)
        if handle is not None:
            handle.task.close()
            if handle.control.closed:
                handle.close()

    @handles(m.ReplacementDropped, m.SpawnFailed, m.TypeFailed, m.DrainAgent, m.AgentReady)
    def _nothing_to_do(self, message: Any) -> None:
        """Whoever waits for such a process hears it from its supervisor."""


class ActorProcess:
    """A process of the system that actors are started in, by `start_actor(…, host=process)`.

    Attributes:
        name: for people.
        agent: the id of its agent, by which `agents()` shows it and `terminate` ends it.
    """

    __slots__ = ("_book", "_grace", "_incarnation", "_peers", "agent", "name")

    def __init__(
        self, name: str, peers: Peers, book: ProcessBook, config: AgentConfig, own: AgentConfig | None
    ) -> None:
        self.name = name
        self._peers = peers
        self._book = book
        self._grace = config.grace
        spawned: Reply[str] = Reply()
        peers.supervisors[ACTOR_HOST].tell(m.SpawnAgent(own, None, spawned))
        self.agent = spawned.get(timeout=config.start_timeout + _ROOM)
        self._incarnation = book.incarnation(self.agent)

    def __repr__(self) -> str:
        return f"<ActorProcess {self.name}, agent {self.agent}{'' if self.is_alive() else ', ended'}>"

    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self._book.incarnation(self.agent) == self._incarnation

    def start(self, actor_class: type[Actor], args: tuple[Any, ...], kwargs: dict[str, Any], name: str) -> Any:
        """Start an actor there; for `start_actor`.

        Raises:
            AgentDied: the process has ended.
            NotSerializable: the class or an argument cannot be sent there.
            BaseException: what the constructor raises.
        """
        self._check()
        host = AgentRef(self.agent, ACTOR_HOST, self._peers.system)
        try:
            started: Started = host.ask(StartActor(actor_class, args, kwargs, name))
        except DeadLetter:
            # Its end was told between the look and the question.
            self._check()
            raise
        self._book.know(started.process, self.agent, self._incarnation)
        return started.ref

    def _check(self) -> None:
        if not self.is_alive():
            died = self._book.ended(self.agent, self._incarnation)
            raise died if died is not None else AgentDied(f"the process {self.name} has ended", agent_id=self.agent)

    def stop(self, timeout: float = 30.0) -> None:
        """End it with its actors: each may handle what waits for it already. Returns when the process is gone.

        Args:
            timeout: seconds until it is ended by signals.
        """
        if self.is_alive():
            self._end(timeout, "stopped by the program")
            self._book.await_end(self.agent, self._incarnation, timeout + 2 * self._grace + _ROOM)

    def end_with(self, ref: ActorRef[Any]) -> None:
        """End the process when the actor has ended for which alone it was started."""
        ref.watch(self._actor_ended)

    def _actor_ended(self, end: Exit) -> None:
        if self.is_alive():
            self._end(self._grace, f"its actor {end.name} has ended")

    def _end(self, timeout: float, reason: str) -> Reply[Any]:
        order = m.TerminateAgent(self.agent, timeout, reason, replace=False)
        return self._peers.supervisors[ACTOR_HOST].ask_later(order)
