"""Looking after a running system: agents, queue, limits."""

from __future__ import annotations

import abc
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from actors.errors import ActorsError, ConfigError
from actors.hosts.agentref import AgentRef, address_of
from actors.ondemand import on_demand

if TYPE_CHECKING:
    import actors.config as conf
    from actors.config import AgentConfig, Limits
    from actors.core import systemstatus
    from actors.core.agentstatus import AgentStatus
    from actors.core.deadletters import DeadTask
    from actors.core.explain import Explanation, QueueInfo
    from actors.core.sync.info import SyncInfo
    from actors.core.systemstatus import SystemStatus
    from actors.core.task import TaskInfo
    from actors.future import TaskFuture
    from actors.hosts import shortened as shown
    from actors.runtime import limits_word
    from actors.runtime import messages as m
    from actors.runtime import worker_type as types
    from actors.runtime.assembly import Assembly
    from actors.runtime.resource_report import ResourceReport
    from actors.runtime.worker_type import WorkerLike
else:
    conf = on_demand(globals(), "conf", "actors.config")
    systemstatus = on_demand(globals(), "systemstatus", "actors.core.systemstatus")
    shown = on_demand(globals(), "shown", "actors.hosts.shortened")
    limits_word = on_demand(globals(), "limits_word", "actors.runtime.limits_word")
    m = on_demand(globals(), "m", "actors.runtime.messages")
    types = on_demand(globals(), "types", "actors.runtime.worker_type")

__all__ = ["Administration"]

_SPAWN_ROOM = 5.0


class Administration(abc.ABC):
    """The methods of `ActorSystem` that concern agents and the queue. All are thread-safe."""

    @abc.abstractmethod
    def _running(self) -> Assembly:
        """The running assembly, started if need be."""

    # Agents

    def spawn(self, worker: WorkerLike | str, config: AgentConfig | None = None) -> AgentRef:
        """Start one more agent and wait until it is idle.

        Args:
            worker: a worker class, what its `configured(…)` gives, or the name of an agent type.
            config: settings of this agent alone, which go before those of the worker.

        Raises:
            AgentLimitReached: there is no room for one more.
            AgentDied: it could not be started; the cause is chained.
            ConfigError, NotSerializable: it cannot be started like this.
        """
        if config is not None and not isinstance(config, conf.AgentConfig):
            raise ConfigError(f"config takes an AgentConfig, not {config!r}", key="config", value=config)
        assembly = self._running()
        worker_type = assembly.types.named(worker) if isinstance(worker, str) else assembly.types.add(worker)
        assembly.unkept.limits(worker_type.name, worker_type.worker.limits)
        assembly.unkept.agent(worker_type.name, config)
        start_timeout = worker_type.config.merged(config).start_timeout
        agent = assembly.peers.scheduler.ask(
            m.RequestAgent(worker_type, config, None if config is None else config.job, answer=True),
            timeout=start_timeout * (assembly.config.restart_intensity + 1) + _SPAWN_ROOM,
        )
        return AgentRef(agent, worker_type.name, assembly.id)

    def terminate(self, agent: AgentRef | str, timeout: float = 30, reason: str = "") -> None:
        """End an agent and wait until it is gone. It takes no new work, and what waits there moves on.

        Its running task may finish within `timeout` seconds; then it is interrupted, and after the grace its process
        is ended by SIGTERM and then SIGKILL, with all its children. Below the least of its type it is replaced.

        Raises:
            ConfigError: there is no such agent, or `timeout` is negative.
        """
        self._end(agent, timeout, reason or "terminated by the program", replace=None)

    def restart(self, agent: AgentRef | str, timeout: float = 30, reason: str = "") -> None:
        """End an agent as `terminate` does, and start its next incarnation. Returns when the old one is gone.

        Raises:
            ConfigError: there is no such agent, or `timeout` is negative.
        """
        self._end(agent, timeout, reason or "restarted by the program", replace=True)

    def _end(self, agent: AgentRef | str, timeout: float, reason: str, *, replace: bool | None) -> None:
        if not timeout >= 0:
            raise ConfigError(f"timeout takes seconds of 0 or more, not {timeout!r}", key="timeout", value=timeout)
        assembly, agent_id = self._running(), _id_of(agent)
        agent_type = agent_id.rpartition("-")[0]
        supervisor = assembly.peers.supervisors.get(agent_type)
        worker_type = assembly.types.get(agent_type)
        if supervisor is None or worker_type is None:
            known = ", ".join(each.agent for each in self.agents()) or "none"
            raise ConfigError(f"there is no agent {agent_id!r}; there are: {known}", key="agent", value=agent_id)
        if replace is None:
            living = len([0 for each in self.agents() if each.agent_type == agent_type])
            replace = living <= worker_type.least
        longest = timeout + worker_type.config.grace + _SPAWN_ROOM
        supervisor.ask(m.TerminateAgent(agent_id, timeout, reason, replace), timeout=longest)

    def scale(self, worker: WorkerLike, n: int | tuple[int, int]) -> None:
        """Change how many agents of a type there are: exactly n, or (least, most).

        Returns at once: missing agents are being started; those too many end when they are idle.

        Raises:
            AgentLimitReached: there is no room for so many.
            ConfigError: n is not allowed.
        """
        least, most = types.wanted(worker, n)
        assembly = self._running()
        worker_type = assembly.types.add(worker)
        worker_type = assembly.types.resize(worker_type.name, least, most)
        supervisor = assembly.peers.supervisors.get(worker_type.name)
        if supervisor is not None:
            supervisor.tell(m.Resize(worker_type))
        # The scheduler counts, because it knows also of those that were asked for and are not there yet.
        assembly.peers.scheduler.ask(m.KnowType(worker_type, fill=True))

    def set_limits(self, agent: AgentRef | str, limits: Limits) -> None:
        """Change the limits of a running agent: those that `limits` names. Returns when the agent keeps them.

        Raises:
            ConfigError: there is no such agent, or `limits` is no Limits.
            AskTimeout: the agent gave no word within five seconds. The system holds it to the new limits all the same.
        """
        if not isinstance(limits, conf.Limits):
            raise ConfigError(f"limits takes Limits(…), not {limits!r}", key="limits", value=limits)
        assembly = self._running()
        assembly.unkept.limits(_id_of(agent), limits)
        name = _id_of(agent)
        assembly.peers.resources.ask(m.SetLimits(name, limits))
        try:
            # What an agent is sent it takes in order: with this answer it has its limits.
            assembly.post.status_of(name, limits_word.PATIENCE)
        except ActorsError as error:
            failed = limits_word.word_failed(name, error)
            if failed is not None:
                raise failed from error

    def agents(self) -> list[AgentStatus]:
        """All agents that live or whose start has begun, with their figures.

        Right after `start` these may be fewer than the program asks for: their starts follow each other.
        """
        found: list[AgentStatus] = self._running().peers.hub.ask(m.ListAgents())
        return found

    def resources(self, *, fresh: bool = False) -> ResourceReport:
        """What the machine has, what each agent with all its children uses, and who holds the named resources.

        Args:
            fresh: measure first, instead of telling the last sample, which is some seconds old.
        """
        assembly = self._running()
        report: ResourceReport = assembly.peers.resources.ask(m.GetUsages(fresh=fresh))
        return replace(report, named=assembly.inspect(lambda engine, _now, _utc: engine.resources()))

    def synchronization(self) -> list[SyncInfo]:
        """All locks, barriers, flags and values that somebody holds, waits for or has set, by name."""
        return self._running().list_sync()

    # Work

    def pause(self) -> None:
        """Start no more tasks; those that run go on."""
        self._running().peers.scheduler.ask(m.Control("pause"))

    def resume(self) -> None:
        """Go on after `pause`."""
        self._running().peers.scheduler.ask(m.Control("resume"))

    def drain(self, timeout: float | None = None) -> bool:
        """Wait until every task that was handed in has its outcome, and its future tells it.

        Args:
            timeout: seconds, or None to wait without end.

        Returns:
            Whether all have.
        """
        return self._running().peers.scheduler.ask_later(m.WhenIdle(told=True)).wait(timeout)

    def queue(self, limit: int = 1000) -> QueueInfo:
        """What waits, what runs and what has ended, with at most `limit` tasks of each named.

        Raises:
            ConfigError: `limit` is no whole number of 0 or more.
        """
        _check_limit(limit)
        info: QueueInfo = self._running().inspect(lambda engine, _now, _utc: engine.queue(limit))
        return info

    def task_info(self, task: TaskFuture[Any] | str) -> TaskInfo | None:
        """How a task stands; None if it is forgotten.

        Raises:
            ConfigError: it is no task of this system.
        """
        assembly = self._running()
        number = assembly.intake.submission.number_of(task)
        info: TaskInfo | None = assembly.intake.info(number)
        return info

    def explain(self, task: TaskFuture[Any] | str) -> Explanation:
        """Why a task is not running, or where it runs.

        Raises:
            ConfigError: it is no task of this system.
        """
        assembly = self._running()
        number = assembly.intake.submission.number_of(task)
        found: Explanation = assembly.inspect(lambda engine, now, _utc: engine.explain(number, now))
        return found

    def dead_letters(self, limit: int = 1000) -> list[DeadTask]:
        """The tasks that failed for good and can be looked at and run again, the latest first, at most `limit`.

        Tasks that were cancelled are not among them, nor those that failed because of another one (`DependencyFailed`):
        that one is. Beyond `kept_dead` tasks or `kept_dead_seconds` the oldest are forgotten. Messages that had no
        recipient are something else: these are told by the event `DeadLetterFound`.

        Raises:
            ConfigError: `limit` is no whole number of 0 or more.
        """
        _check_limit(limit)
        found = self._running().inspect(lambda engine, _now, _utc: engine.dead_letters(limit))
        # In the caller's thread: with many of them this takes a while.
        return [replace(dead, arguments=shown.shortened(payload)) for dead, payload in found]

    def retry_dead(self, task: DeadTask | TaskFuture[Any] | str) -> TaskFuture[Any]:
        """Run a task that failed for good once more: a new task with the same call and options, at its first attempt.

        It leaves the list of dead letters; if the new one fails for good, that one is listed. Where it depended on
        others, their results are used again.

        Args:
            task: an item of `dead_letters()`, or the future or the id of the task that failed.

        Raises:
            ConfigError: it is no task of this system or not among the dead letters, or its arguments are not kept any
                more (`kept_dead_bytes`).
        """
        return self._running().intake.retry_dead(task)

    def status(self) -> SystemStatus:
        """All agents, and the queue in numbers."""
        assembly = self._running()
        return systemstatus.SystemStatus(
            agents=tuple(self.agents()),
            most=assembly.most,
            queue=self.queue(0),
        )

    def recovered(self) -> list[TaskFuture[Any]]:
        """What the journal had at the start: a future for each task that goes on, and for each outcome never fetched.

        In the order of submission. `info()` of a future says which task it is; an outcome counts as fetched when its
        result or exception was asked for. Without a journal there is nothing.
        """
        return self._running().intake.durable.recovered()

    def healthy(self) -> bool:
        """Whether all parts of the system answer, and its journal, if it has one, can be written."""
        try:
            assembly = self._running()
            if assembly.journal_failing is not None:
                return False
            peers = assembly.peers
            synchronizer = [] if peers.sync is None else [peers.sync]
            for peer in (peers.hub, peers.scheduler, peers.resources, *synchronizer, *peers.supervisors.values()):
                peer.ask(m.Ping(), timeout=5)
        except ActorsError:
            return False
        return True


def _check_limit(limit: object) -> None:
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 0:
        raise ConfigError(f"limit takes a whole number of 0 or more, not {limit!r}", key="limit", value=limit)


def _id_of(agent: AgentRef | AgentStatus | str) -> str:
    try:
        return address_of(agent)
    except ConfigError:
        message = f"an agent is named by its ref or its id, not {agent!r}"
        raise ConfigError(message, key="agent", value=agent) from None
