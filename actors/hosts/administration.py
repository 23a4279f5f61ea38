"""Looking after agents from inside one: what the program can do by `ActorSystem`, for tasks that plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from actors.errors import ConfigError
from actors.hosts.agentref import AgentRef, address_of, check_other, timeout_of
from actors.ondemand import on_demand

if TYPE_CHECKING:
    import actors.config as conf
    import actors.future as futures
    from actors.config import AgentConfig, Limits
    from actors.core.agentstatus import AgentStatus
    from actors.core.explain import Explanation
    from actors.core.systemstatus import SystemStatus
    from actors.core.task import TaskInfo
    from actors.future import TaskFuture
    from actors.hosts import serialize
    from actors.hosts.context import Context
else:
    conf = on_demand(globals(), "conf", "actors.config")
    futures = on_demand(globals(), "futures", "actors.future")
    serialize = on_demand(globals(), "serialize", "actors.hosts.serialize")

__all__ = ["AgentAdministration", "WorkerLike"]

_QUESTION = 30.0
_ROOM = 10.0


class WorkerLike(Protocol):
    """A worker class, or what its `configured(…)` gives."""

    @property
    def agent_type(self) -> str:
        """The name of the type."""


class AgentAdministration:
    """The methods of `Worker` that concern other agents and the queue. Each waits for its answer, in state communicating."""

    def _inside(self, what: str) -> Context:
        """The agent's context."""
        raise NotImplementedError

    def spawn(self, worker: type[Any] | WorkerLike | str, config: AgentConfig | None = None) -> AgentRef:
        """Start one more agent and wait until it is idle.

        Args:
            worker: a worker class, what its `configured(…)` gives, or the name of an agent type.
            config: settings of this agent alone, which go before those of the worker. Without a job of its own it works
                for the job of the task that asks.

        Raises:
            AgentLimitReached: there is no room for one more.
            AgentDied: it could not be started; the cause is chained.
            ConfigError, NotSerializable: it cannot be started like this.
        """
        context = self._inside("spawn(…)")
        if config is not None and not isinstance(config, conf.AgentConfig):
            raise ConfigError(f"config takes an AgentConfig, not {config!r}", key="config", value=config)
        data = {
            "worker": _packed(worker),
            "config": None if config is None else serialize.dumps(config, "the configuration of the agent"),
            "job": context.job,
        }
        # Its start has limits of its own, which the system keeps.
        agent, agent_type, system = context.coordinate("spawn", data, None)
        return AgentRef(agent, agent_type, system)

    def terminate(self, agent: AgentRef | AgentStatus | str, timeout: float = 30, reason: str = "") -> None:
        """End another agent and wait until it is gone; as `ActorSystem.terminate`.

        Raises:
            ConfigError: there is no such agent, or `timeout` is negative.
            ActorsError: it is this one, which cannot wait for its own end.
        """
        self._end("terminate", agent, timeout, reason)

    def restart(self, agent: AgentRef | AgentStatus | str, timeout: float = 30, reason: str = "") -> None:
        """End another agent and start its next incarnation; as `ActorSystem.restart`.

        Raises:
            ConfigError: there is no such agent, or `timeout` is negative.
            ActorsError: it is this one, which cannot wait for its own end.
        """
        self._end("restart", agent, timeout, reason)

    def _end(self, topic: str, agent: Any, timeout: float, reason: str) -> None:
        context, address = self._inside(f"{topic}(…)"), address_of(agent)
        check_other(address, context.agent_id, topic)
        seconds = timeout_of(timeout)
        data = {"agent": address, "timeout": seconds, "reason": reason or f"{topic} by {context.agent_id}"}
        context.coordinate(topic, data, seconds + context.parts.spec.grace + _ROOM)

    def scale(self, worker: type[Any] | WorkerLike | str, n: int | tuple[int, int]) -> None:
        """Change how many agents of a type there are: exactly n, or (least, most); as `ActorSystem.scale`.

        Raises:
            AgentLimitReached: there is no room for so many.
            ConfigError: n is not allowed.
        """
        data = {"worker": _packed(worker), "n": list(n) if isinstance(n, tuple) else n}
        self._inside("scale(…)").coordinate("scale", data, _QUESTION)

    def set_limits(self, agent: AgentRef | AgentStatus | str, limits: Limits) -> None:
        """Change the limits of a running agent: those that `limits` names. Returns when it keeps them.

        Raises:
            ConfigError: there is no such agent, or `limits` is no Limits.
            AskTimeout: the agent gave no word within five seconds. The system holds it to the new limits all the same.
        """
        if not isinstance(limits, conf.Limits):
            raise ConfigError(f"limits takes Limits(…), not {limits!r}", key="limits", value=limits)
        data = {"agent": address_of(agent), "limits": serialize.dumps(limits, "the limits")}
        self._inside("set_limits(…)").coordinate("set_limits", data, _QUESTION)

    def agents(self) -> list[AgentStatus]:
        """All agents that live or whose start has begun, this one too, with their figures."""
        found: list[AgentStatus] = self._question("agents", None)
        return found

    def status(self) -> SystemStatus:
        """All agents, and the queue in numbers."""
        found: SystemStatus = self._question("status", None)
        return found

    def explain(self, task: TaskFuture[Any] | str) -> Explanation:
        """Why a task is not running, or where it runs.

        Raises:
            ConfigError: it is no task of this system.
        """
        found: Explanation = self._question("explain", _task_of(task))
        return found

    def task_info(self, task: TaskFuture[Any] | str) -> TaskInfo | None:
        """How a task stands; None if it is forgotten.

        Raises:
            ConfigError: it is no task of this system.
        """
        found: TaskInfo | None = self._question("task_info", _task_of(task))
        return found

    def _question(self, topic: str, data: Any) -> Any:
        return serialize.loads(self._inside(f"{topic}(…)").coordinate(topic, data, _QUESTION), f"the answer to {topic}")


def _task_of(task: Any) -> str:
    if isinstance(task, futures.TaskFuture):
        return task.task_id
    if isinstance(task, str):
        return task
    raise ConfigError(f"a task is named by its future or its id, not {task!r}", key="task", value=task)


def _packed(worker: Any) -> str | bytes:
    return worker if isinstance(worker, str) else serialize.dumps(worker, f"the worker {worker!r}")
