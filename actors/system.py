"""ActorSystem, the one place that puts everything together."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from actors.coordination.synchronization import Synchronization
from actors.core.amounts import read_amounts
from actors.errors import ConfigError, SystemClosed
from actors.hosts.loading import loading_worker
from actors.ondemand import on_demand
from actors.platforms import check_platform
from actors.runtime.actor_starts import ActorStarts
from actors.runtime.administration import Administration
from actors.runtime.correspondence import Correspondence
from actors.runtime.submitter import ProgramSubmitter
from actors.worker import ConfiguredWorker
from actors.workers import BUILT_IN

# A program that makes a system imports what runs it at its start. The launcher and its agents, whose modules say
# `from actors import …` as well, never do.
if TYPE_CHECKING:
    from pathlib import Path

    import actors.config as conf
    from actors.config import SystemConfig
    from actors.coordination.syncdesk import SyncDesk
    from actors.hosts.host import Host
    from actors.protocol import events
    from actors.runtime import messages as m
    from actors.runtime import worker_type as types
    from actors.runtime.assembly import Assembly
    from actors.runtime.intake import Intake
    from actors.runtime.journal.record import Journal
    from actors.runtime.worker_type import WorkerLike
    from actors.runtime.world import World
else:
    conf = on_demand(globals(), "conf", "actors.config")
    events = on_demand(globals(), "events", "actors.protocol.events")
    m = on_demand(globals(), "m", "actors.runtime.messages")
    types = on_demand(globals(), "types", "actors.runtime.worker_type")

__all__ = ["ActorSystem"]

_log = logging.getLogger("actors")

HostName = Literal["process", "thread"]


def _process_host(system_id: str, workspaces: Path, preload: tuple[str, ...]) -> Host:
    from actors.hosts.process import ProcessHost  # noqa: PLC0415 - for the start, see above

    return ProcessHost(system_id=system_id, root=str(workspaces), preload=preload)


def _thread_host(system_id: str, workspaces: Path, preload: tuple[str, ...]) -> Host:
    from actors.hosts.thread import ThreadHost  # noqa: PLC0415 - for the start, see above

    del system_id, workspaces, preload
    return ThreadHost()


_HOSTS: dict[str, Callable[[str, Path, tuple[str, ...]], Host]] = {"process": _process_host, "thread": _thread_host}
_EXIT_TIMEOUT = 5.0


class _Life:
    """Where a system stands: new, running, closing, closed. `lock` guards the moves."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.assembly: Assembly | None = None
        self.closing = False
        self.closed = False
        self.broken: BaseException | None = None


class ActorSystem(ProgramSubmitter, Administration, Correspondence, Synchronization, ActorStarts):
    """Runs tasks on typed agents, each a process of its own.

    Args:
        workers: which worker types there are, and how many agents of each: a mapping from worker class (or what its
            `configured(…)` gives) to a number (exactly so many) or a pair (least, most); or just the classes, whose
            agents are started when there is work. Types that are not named become known when they are first used.
        max_agents: how many agents may live at once; None: the largest of 5, the number of processors, and what the
            workers ask for.
        resources: named resources that tasks may need (`@task(resources={"gpu": 1})`), and how much there is of each:
            {"gpu": 1, "licence": 4}. They are no more than names: a task waits until what it needs is free.
        journal: the file in which accepted tasks and their outcomes are kept, so that neither is lost whatever dies; what
            has no outcome goes on at the next start (see `recovered`). Or a `Journal`. None takes the setting.
        host: where agents run: "process", "thread" (for quick tests and debugging: a thread cannot be killed, has no
            memory limit and shares the interpreter), or a `Host`.
        config: settings; None loads them from the environment.

    Raises:
        ConfigError: a value that is not allowed.

    As a context manager it starts at the beginning; its end waits for all tasks, or, if it is left by an exception or
    Ctrl-C, cancels them. Nothing is started before `start`, the first `submit`, or the `with`.

    Example:
        with ActorSystem({Thumbnailer: 2}) as system:
            print(system.submit(Thumbnailer.shrink, "a.png", size=64).result())
    """

    def __init__(
        self,
        workers: Mapping[WorkerLike, int | tuple[int, int]] | Iterable[WorkerLike] | None = None,
        *,
        max_agents: int | None = None,
        resources: Mapping[str, float] | None = None,
        journal: str | os.PathLike[str] | Journal | None = None,
        host: HostName | Host = "process",
        config: SystemConfig | None = None,
    ) -> None:
        config = conf.SystemConfig.load() if config is None else config
        if not isinstance(config, conf.SystemConfig):
            raise ConfigError(f"config takes a SystemConfig, not {config!r}", key="config", value=config)
        self._config = config if max_agents is None else config.merged(conf.SystemConfig(max_agents=max_agents))
        if isinstance(host, str) and host not in _HOSTS:
            allowed = ", ".join(f'"{name}"' for name in _HOSTS)
            raise ConfigError(f"host takes {allowed} or a Host, not {host!r}", key="host", value=host, allowed=allowed)
        if not isinstance(host, str) and not callable(getattr(host, "launch", None)):
            raise ConfigError(f"host takes a name or a Host, not {host!r}", key="host", value=host, allowed="a Host")
        self._host = host
        self._journal = journal
        self._resources = read_amounts("resources", {} if resources is None else resources, "of ActorSystem", none=True)
        self._workers = _counted(workers)
        _check_workers(self._workers, self._config)
        self._world = self._make_world()
        self._life = _Life()
        self._pid = os.getpid()

    def __repr__(self) -> str:
        life = self._life
        state = "closed" if life.closed else "new" if life.assembly is None else "running"
        return f"<ActorSystem {state}>"

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError(
            "an ActorSystem cannot be sent to an agent: inside a task of a worker use self.submit, self.map and "
            "self.options, which hand in work to the same system"
        )

    def _make_world(self) -> World:
        """The machine."""
        from actors.runtime.world import World  # noqa: PLC0415 - for the start, see above

        return World()

    # Start and end

    def start(self) -> Self:
        """Start the system; nothing happens if it runs.

        Raises:
            SystemClosed: it was shut down, or belongs to another process.
            ConfigError: this is Windows.
            ActorsError: it cannot be started; nothing is left behind.
        """
        self._running()
        return self

    def _opened(self) -> Intake:
        return self._running().intake

    def _running(self) -> Assembly:
        """The running assembly, started if need be."""
        life = self._life
        if self._pid != os.getpid():
            raise SystemClosed(
                f"this ActorSystem belongs to process {self._pid}, and this is process {os.getpid()}, a fork of it: "
                "its agents stayed there. Make a system of its own here"
            )
        if life.broken is not None:
            raise SystemClosed(f"the system has failed: {life.broken}") from life.broken
        if life.closing or life.closed:
            raise SystemClosed("the system was shut down and takes no more work; make a new ActorSystem")
        assembly = life.assembly
        if assembly is not None:
            return assembly
        with life.lock:
            if life.assembly is None:
                life.assembly = self._start()
            return life.assembly

    def _start(self) -> Assembly:
        from actors.runtime.assembly import Assembly  # noqa: PLC0415 - for the start, see above

        check_platform()
        agent = loading_worker()
        if agent is not None:
            raise SystemClosed(
                f"a system is started while agent {agent} imports its worker: the module starts it when it is "
                'imported. Start it under if __name__ == "__main__":, or in a function that the program calls'
            )
        asked = sum(least if most is None else most for _, least, most in self._workers)
        # First, because it is what most likely cannot be had.
        journal = self._make_journal()
        opened = None if journal is None else journal.open(self._world.token())
        try:
            assembly = Assembly(
                *(self._config, self._make_host, BUILT_IN, asked, self._world, self._broke, journal, opened),
                resources=self._resources,
            )
        except BaseException:
            if journal is not None:
                journal.close()
            raise
        assembly.start()
        for worker, least, most in self._workers:
            worker_type = assembly.types.add(worker, least, most)
            for _ in range(least):
                assembly.peers.scheduler.tell(m.RequestAgent(worker_type))
        try:
            assembly.intake.durable.recover()
        except BaseException:
            assembly.stop("its journal could not be read")
            raise
        _SYSTEMS.add(self)
        return assembly

    def _make_host(self, system_id: str, workspaces: Path) -> Host:
        host = self._host
        return _HOSTS[host](system_id, workspaces, _preload(self._workers)) if isinstance(host, str) else host

    def _make_journal(self) -> Journal | None:
        config, journal = self._config, self._journal
        if journal is None:
            journal = config.journal
        if journal is None:
            return None
        if not isinstance(journal, str | os.PathLike):
            if callable(getattr(journal, "unfinished", None)):
                return journal
            raise ConfigError(
                f"journal takes the path of a file or a Journal, not {journal!r}", key="journal", value=journal
            )
        return self._world.journal(os.fspath(journal), config.journal_survives)

    def _broke(self, error: BaseException) -> None:
        """A part of the system failed for good; nothing can be relied on, so everybody who waits is told."""
        life = self._life
        life.broken = error
        _log.critical("The system has failed and ends: %s", error)
        assembly = life.assembly
        if assembly is not None:
            ended = SystemClosed(f"the system has failed: {error}")
            ended.__cause__ = error
            assembly.answer(ended)
            self._world.threads.start(lambda: self._take_apart(assembly, 0.0, str(error)), "actors-end")

    def shutdown(
        self,
        wait: bool = True,  # noqa: FBT001, FBT002 - as concurrent.futures has it
        cancel_tasks: bool = False,  # noqa: FBT001, FBT002 - as above
        timeout: float = 30.0,
    ) -> None:
        """End the system: it takes no more work, its agents end, nothing is left.

        Args:
            wait: wait for all tasks first; otherwise those that have not ended are cancelled.
            cancel_tasks: cancel all tasks that have not ended.
            timeout: seconds that agents have to end in order before they are killed.

        A second call does nothing. Ctrl-C while it waits cancels the tasks, ends the system and is raised again. With a
        journal, tasks are cancelled for good by `cancel_tasks` alone; otherwise they go on at the next start.
        """
        life = self._life
        with life.lock:
            if life.closing or self._pid != os.getpid():
                return
            life.closing = True
            assembly = life.assembly
        if assembly is None:
            life.closed = True
            return
        reason = "the system is shut down"
        if events.ShutdownInitiated.__name__ in assembly.peers.wanted:
            said = events.ShutdownInitiated(source="system", time=self._world.clock.utc(), reason=reason)
            assembly.peers.hub.tell(m.Publish(said))
        interrupted: BaseException | None = None
        leave = not cancel_tasks
        try:
            if cancel_tasks or not wait:
                cancel_tasks = True
            else:
                # Between two of its parts a strategy has no task.
                assembly.intake.strategies.join()
                assembly.peers.scheduler.ask_later(m.WhenIdle()).wait()
        except BaseException as error:  # noqa: BLE001 - Ctrl-C first of all; raised again below
            interrupted, cancel_tasks = error, True
        if cancel_tasks:
            assembly.end_strategies(reason, timeout, leave=leave)
            assembly.cancel_all(reason, leave=leave)
            assembly.peers.scheduler.ask_later(m.WhenIdle()).wait(min(timeout, self._config.agent.grace))
        self._take_apart(assembly, timeout, reason)
        if interrupted is not None:
            raise interrupted

    def _take_apart(self, assembly: Assembly, timeout: float, reason: str) -> None:
        life = self._life
        try:
            for ref in assembly.processes.actors:
                ref.stop(block=False)
            assembly.end_agents(timeout, reason)
        finally:
            assembly.stop(reason)
            life.closed = True
            _SYSTEMS.discard(self)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.shutdown(wait=error is None)

    def _sync_desk(self) -> SyncDesk:
        return self._running().sync_desk


def _counted(workers: Any) -> list[tuple[Any, int, int | None]]:
    """The workers with (least, most) each; None: as many as there is work for."""
    if workers is None:
        return []
    if isinstance(workers, Mapping):
        return [(worker, *types.wanted(worker, n)) for worker, n in workers.items()]
    if isinstance(workers, type | str) or not isinstance(workers, Iterable):
        raise ConfigError(
            f"workers takes a mapping from worker class to a number, or a list of worker classes, not {workers!r}",
            key="workers",
            value=workers,
        )
    return [(worker, 0, None) for worker in workers]


def _preload(workers: list[tuple[Any, int, int | None]]) -> tuple[str, ...]:
    """What agents need beside what they all need, by what is known at the start: once for all, and not once in each."""
    # A user's module that says `from actors import …` imports this one.
    named = [worker.worker if isinstance(worker, ConfiguredWorker) else worker for worker, _, _ in workers]
    # With the second, classes are checked whose modules an agent imports.
    modules = [__name__, "actors.config"]
    if any(worker.__module__ == "__main__" for worker in named):
        # Those travel by value.
        modules.append("cloudpickle")
    if any(method.is_async for worker in named for method in worker.__actors_tasks__.values()):
        modules.append("actors.hosts.asynclane")
    return tuple(modules)


def _check_workers(workers: list[tuple[Any, int, int | None]], config: SystemConfig) -> None:
    """Find out what is wrong with the workers before anything is started for them.

    Raises:
        ConfigError: one is no worker, two have one agent type, or they ask for more agents than there may be.
    """
    known = types.WorkerTypes(config, {}, lambda _: None)
    for worker, least, most in workers:
        known.add(worker, least, most)
    asked = sum(least for _, least, _ in workers)
    if config.max_agents is not None and asked > config.max_agents:
        raise ConfigError(
            f"the workers ask for {asked} agents at least, but max_agents is {config.max_agents}",
            key="max_agents",
            value=config.max_agents,
            allowed=f"{asked} or more",
        )


_SYSTEMS: weakref.WeakSet[ActorSystem] = weakref.WeakSet()


def _end_all() -> None:
    """End the systems that the program has forgotten, so that it can end."""
    for system in list(_SYSTEMS):
        system.shutdown(wait=False, timeout=_EXIT_TIMEOUT)


atexit.register(_end_all)
