"""Everything that runs behind an ActorSystem: put together at its start, taken apart at its end."""

from __future__ import annotations

import logging
import math
import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import actors.remote.office as post
from actors.core.amounts import exact
from actors.core.children import ChildSpec, Intensity, Strategy
from actors.core.engine import Engine
from actors.core.retry import Backoff
from actors.core.settings import EngineSettings
from actors.errors import ActorsError, SystemClosed
from actors.future import TaskFuture
from actors.hosts.agentref import POSTS
from actors.kernel.actor import Actor
from actors.kernel.child import ActorChild, StartChild
from actors.kernel.ref import ActorRef
from actors.kernel.supervisor import Supervisor
from actors.runtime import messages as m
from actors.runtime.actor_host import ACTOR_HOST
from actors.runtime.actor_processes import ActorProcesses, HostPeers, ProcessBook
from actors.runtime.agent_child import SupervisorState
from actors.runtime.agent_supervisor import AgentSupervisor
from actors.runtime.dispatcher import Dispatcher
from actors.runtime.event_router import EventRouter
from actors.runtime.hub import Hub
from actors.runtime.hub_state import HubState
from actors.runtime.intake import Intake
from actors.runtime.journal.keeper import Keeper
from actors.runtime.journal.record import Keep, Opened
from actors.runtime.journal.translate import Translator
from actors.runtime.lost_letters import LettersAbroad
from actors.runtime.outcomes import deliver
from actors.runtime.peers import Peers
from actors.runtime.program_post import ProgramPost
from actors.runtime.requests import AgentRequests
from actors.runtime.resource_manager import ResourceManager, ResourceState
from actors.runtime.scheduler import Scheduler
from actors.runtime.scheduler_state import SchedulerState
from actors.runtime.submission import Submission
from actors.runtime.sync_desk import ProgramDesk
from actors.runtime.synchronizer import ListSync, Synchronizer, SyncState, unheard
from actors.runtime.unkept import Unkept
from actors.runtime.worker_type import WorkerType, WorkerTypes
from actors.runtime.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from actors.config import SystemConfig
    from actors.core.amounts import Amounts
    from actors.core.sync.info import SyncInfo
    from actors.errors import JournalError
    from actors.hosts.host import Host
    from actors.runtime.journal.record import Journal

__all__ = ["Assembly"]

_log = logging.getLogger("actors")
_STOP_ROOM = 2.0


class Assembly:
    """The actors of a system and what they share.

    Args:
        config: the configuration.
        make_host: makes the host that runs the agents, given the system's id and the directory of workspaces.
        built_in: the workers that ship with the library, by agent type.
        asked: how many agents the program's workers ask for in all.
        world: the machine.
        on_broken: called once if a part of the system fails for good, with what the supervisors tell.
        journal: where tasks are kept, open; None for nowhere. It is closed at the end.
        opened: what the journal said when it was opened.
        resources: named resources that tasks may need, and how much there is of each.
    """

    def __init__(
        self,
        config: SystemConfig,
        make_host: Callable[[str, Path], Host],
        built_in: Mapping[str, str],
        asked: int,
        world: World,
        on_broken: Callable[[BaseException], None],
        journal: Journal | None = None,
        opened: Opened | None = None,
        resources: Amounts = (),
    ) -> None:
        self.config = config
        self.world = world
        self.id = world.token()
        self.workspaces = world.workspaces(config.workspaces() / f"{os.getpid()}-{self.id}")
        self.host = make_host(self.id, self.workspaces.root)
        self.dispatcher = Dispatcher(threads=world.threads, clock=world.clock)
        self.types = WorkerTypes(config, built_in, self._know)
        self.peers = Peers(self.id)
        self.processes = ProcessBook()
        self.most = config.agents_at_most(os.cpu_count() or 1, asked)
        self.engine = Engine(
            EngineSettings(
                max_agents=self.most,
                assigned_at_once=config.assigned_at_once,
                ageing=config.ageing,
                grace=config.agent.grace,
                idle_timeout=math.inf if config.agent.idle_timeout is None else config.agent.idle_timeout,
                kept_tasks=config.kept_tasks,
                kept_seconds=config.kept_seconds,
                kept_dead=config.kept_dead,
                kept_dead_seconds=config.kept_dead_seconds,
                kept_dead_bytes=int(config.kept_dead_bytes),
                breaker_window=config.breaker_window,
                breaker_cooldown=Backoff(config.breaker_cooldown, limit=config.breaker_cooldown_limit),
                resources=resources,
            ),
            world.random,
        )
        self._keeper: Keeper | None = None
        if journal is not None:
            self._keeper = Keeper(
                journal,
                Translator(self.types.worker_of),
                Keep(config.kept_seconds, config.kept_tasks, config.kept_dead_seconds, config.kept_dead),
            )
        self.unkept = Unkept(getattr(self.host, "promises", None))
        try:
            self.unkept.agent("the configuration", config.agent)
            self.unkept.agent("the configuration of plain callables", config.callable_agent)
        except BaseException:
            self.host.close(0.0)
            raise
        opened = Opened(world.token(), 0) if opened is None else opened
        submission = Submission(
            self.types, opened.token, self.unkept, last=opened.last, capacity=dict(exact(resources))
        )
        self.intake = Intake(submission, self.types, self.peers, world, self.dispatcher, journal, self._keeper, config)
        self.sync_state = SyncState()
        dispatcher = world.dispatcher
        drive = None if dispatcher is None else dispatcher.drive
        self.sync_desk = ProgramDesk(self.synchronizer, self.intake.check_process, drive)
        self._on_broken = on_broken
        self._abroad = LettersAbroad(lambda event: self.peers.hub.tell(m.Publish(event)), world.clock)
        self._root: ActorRef[Any] | None = None
        self._router: EventRouter | None = None
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the actors and the host.

        Raises:
            ActorsError, OSError: the host or the workspaces cannot be set up; nothing is left behind.
        """
        config, peers, world = self.config, self.peers, self.world
        self.workspaces.open()
        if world.dispatcher is None:
            post.hold(str(self.workspaces.root))
        try:
            self.host.start()
            state = HubState(config)
            router = self._router = EventRouter(state.registry, state.links, self.world.clock.utc)
            requests = AgentRequests(self.intake.submission, peers, state.links, self.most)
            children = [
                self._child("hub", Hub, state, self.host, peers, router, requests, world.cpu_seconds),
                self._child("resources", ResourceManager, config, peers, ResourceState(config, world.probe())),
                self._child("scheduler", Scheduler, SchedulerState(self.engine, self._keeper), peers, self.most),
            ]
            peers.hub, peers.resources, peers.scheduler = (child.ref for child in children)
            post.know(listener=self._abroad)
            self.post = ProgramPost(peers.hub)
            POSTS.open_program(self.id, self.post)
            peers.synchronizer = self.synchronizer
            self._root = Supervisor.start_with(
                world.options("actors-root"),
                children,
                strategy=Strategy.ONE_FOR_ONE,
                intensity=Intensity(config.restart_intensity, config.restart_period),
                backoff=Backoff(config.backoff_first, limit=config.backoff_limit),
                on_escalation=self._on_broken,
                rng=world.random,
            )
        except BaseException:
            self.stop("the system could not be started")
            raise

    def _child(self, name: str, actor_class: type[Actor], *args: Any) -> ActorChild:
        options = self.world.options(f"actors-{name}", self.config.mailbox_bound)
        return ActorChild(ChildSpec(name), actor_class, *args, options=options)

    def synchronizer(self) -> ActorRef[Any]:
        """The actor of locks and the like, started when it is first asked for."""
        peers = self.peers
        if peers.sync is None:
            with self._lock:
                if peers.sync is None:
                    options = replace(
                        self.world.options("actors-sync", self.config.mailbox_bound), on_dead_letter=unheard
                    )
                    child = ActorChild(ChildSpec("sync"), Synchronizer, self.sync_state, peers, options=options)
                    if self._root is not None:
                        self._root.tell(StartChild(child))
                    peers.sync = child.ref
        return peers.sync

    # Worker types

    def list_sync(self) -> list[SyncInfo]:
        """All locks and the like that are in use, by name."""
        if self.peers.sync is None:
            return []
        found: list[SyncInfo] = self.peers.sync.ask(ListSync())
        return found

    def _know(self, worker_type: WorkerType) -> None:
        """A worker type has come up: the scheduler hears of it before any of its tasks, its supervisor is started."""
        peers = self.peers
        for_tasks = worker_type.name != ACTOR_HOST
        if not for_tasks:
            stand_in = self._child("actor-processes", ActorProcesses, self.processes, peers)
            peers = HostPeers(peers, stand_in.ref)
            self._start_child(stand_in)
            post.know(inquiry=self.processes.inquire)
        child = self._child(
            f"agents-{worker_type.name}",
            AgentSupervisor,
            worker_type,
            self.config,
            self.host,
            peers,
            self.workspaces,
            self.world.random,
            SupervisorState("permanent" if for_tasks else "temporary"),
        )
        # Its reference can be written to from now on; what comes before it runs waits.
        self.peers.supervisors[worker_type.name] = child.ref
        self._start_child(child)
        if for_tasks:
            self.peers.scheduler.tell(m.KnowType(worker_type))
            self.intake.durable.type_known(worker_type.name)

    def _start_child(self, child: ActorChild) -> None:
        if self._root is not None:
            self._root.tell(StartChild(child))

    @property
    def journal_failing(self) -> JournalError | None:
        """Why the journal cannot be written at present; None if it can, or there is none."""
        return None if self._keeper is None else self._keeper.failing

    # What is asked and told from outside

    def inspect(self, question: Callable[[Engine, float, float], Any]) -> Any:
        """Ask the scheduler's mind, in the scheduler's own turn."""
        return self.peers.scheduler.ask(m.Inspect(question))

    def cancel_all(self, reason: str, *, leave: bool = False) -> None:
        """Cancel every task that has no outcome; `leave`: a journal keeps them for the next start."""
        self.peers.scheduler.tell(m.CancelAll(reason, leave))

    # The end

    def end_strategies(self, reason: str, timeout: float, *, leave: bool) -> None:
        """Cancel the strategies under way; with `leave` those go on at the next start that a journal keeps."""
        if leave and self._keeper is not None:
            self.intake.strategies.abandon(
                SystemClosed(f"{reason}; with its journal the work goes on at the next start")
            )
        else:
            self.intake.strategies.cancel_all(reason, timeout)

    def end_agents(self, timeout: float, reason: str) -> None:
        """End all agents: each may finish its running task within `timeout` seconds."""
        replies = [ref.ask_later(m.StopAgents(timeout, reason)) for ref in list(self.peers.supervisors.values())]
        for reply in replies:
            reply.wait(timeout + self.config.agent.grace + 3 * _STOP_ROOM)

    def stop(self, reason: str) -> None:
        """Stop the actors and free everything. Agents that are left had their time, and are killed."""
        POSTS.close_program(self.id)
        post.know_no_more(inquiry=self.processes.inquire, listener=self._abroad)
        with self._lock:
            root, self._root = self._root, None
        if root is not None:
            root.stop(block=False)
            root.join(_STOP_ROOM)
        self._end_journal()
        self.sync_state.close(self.world.clock.monotonic())
        self.answer(SystemClosed(f"the task had no outcome when the system ended: {reason}"))
        # A future that the program keeps leads here, and must not keep the results of all the others. Before the host
        # is closed, which frees the shared memory that nobody uses.
        for task in list(self.engine.tasks()):
            task.payload = task.result = task.results = None
        try:
            self.host.close(_STOP_ROOM)
        except (ActorsError, OSError):
            _log.exception("The host of the agents could not be closed in order (%s)", reason)
        finally:
            self.dispatcher.close(_STOP_ROOM)
            post.release(str(self.workspaces.root))
            if self._router is not None:
                self._router.close()
            self.workspaces.close()

    def answer(self, error: BaseException) -> None:
        """Tell everybody who still waits for a task or a strategy that it will have no outcome of its own."""
        self.intake.strategies.abandon(error)
        for task in list(self.engine.tasks()):
            handle, task.handle = task.handle, None
            if not isinstance(handle, TaskFuture):
                continue
            if task.cancelling is not None:
                handle.set_cancelled(task.cancelling)
            else:
                handle.set_error(error)

    def _end_journal(self) -> None:
        """Nobody writes any more: tell what was held back, and close it."""
        keeper = self._keeper
        if keeper is not None:
            for held in keeper.give_up():
                deliver(held.task)
            keeper.end()
