"""What agents ask of the system about other agents and the queue: start, end, limit, count and explain."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from actors.core.systemstatus import SystemStatus
from actors.errors import ConfigError
from actors.hosts.serialize import dumps, loads
from actors.kernel.reply import Reply
from actors.runtime import messages as m
from actors.runtime.limits_word import PATIENCE, word_failed
from actors.runtime.worker_type import wanted

if TYPE_CHECKING:
    from actors.runtime.agent_links import AgentLink, AgentLinks
    from actors.runtime.peers import Peers
    from actors.runtime.submission import Submission
    from actors.runtime.worker_type import WorkerType

__all__ = ["Directing", "Later"]

Later = tuple[Reply[Any], Callable[[Any], Any]]
"""A reply that will come, and what makes the data of the answer of it."""


class Directing:
    """Handles each topic in the hub's turn, and never waits: gives a reply and what to make of it.

    Args:
        submission: knows the worker types and the ids of tasks.
        peers: the system's actors.
        links: the agents' channels.
        most: how many agents there may be.
    """

    def __init__(self, submission: Submission, peers: Peers, links: AgentLinks, most: int) -> None:
        self._submission = submission
        self._peers = peers
        self._links = links
        self._most = most
        self.topics: dict[str, Callable[[AgentLink, Any], Later]] = {
            "spawn": self._spawn,
            "terminate": self._terminate,
            "restart": self._restart,
            "scale": self._scale,
            "set_limits": self._set_limits,
            "agents": self._agents,
            "status": self._status,
            "explain": self._explain,
            "task_info": self._task_info,
        }

    # Agents

    def _spawn(self, link: AgentLink, data: dict[str, Any]) -> Later:
        worker_type = self._type(data["worker"])
        config = None if data["config"] is None else loads(data["config"], "the configuration of the agent")
        job = data["job"] if config is None or config.job is None else config.job
        request = m.RequestAgent(worker_type, config, job, answer=True)
        return self._peers.scheduler.ask_later(request), lambda agent: [agent, worker_type.name, self._peers.system]

    def _terminate(self, link: AgentLink, data: dict[str, Any]) -> Later:
        agent_type = data["agent"].rpartition("-")[0]
        worker_type = self._submission.types.get(agent_type)
        living = len([one for one in self._links if one.agent_type == agent_type])
        return self._end(data, replaced=worker_type is not None and living <= worker_type.least)

    def _restart(self, link: AgentLink, data: dict[str, Any]) -> Later:
        return self._end(data, replaced=True)

    def _end(self, data: dict[str, Any], *, replaced: bool) -> Later:
        agent = data["agent"]
        supervisor = self._peers.supervisors.get(agent.rpartition("-")[0])
        if supervisor is None or self._links.get(agent) is None:
            raise self._unknown(agent)
        order = m.TerminateAgent(agent, float(data["timeout"]), str(data["reason"]), replaced)
        return supervisor.ask_later(order), lambda _: None

    def _scale(self, link: AgentLink, data: dict[str, Any]) -> Later:
        worker_type, n = self._type(data["worker"]), data["n"]
        least, most = wanted(worker_type.worker, tuple(n) if isinstance(n, list) else n)
        worker_type = self._submission.types.resize(worker_type.name, least, most)
        supervisor = self._peers.supervisors.get(worker_type.name)
        if supervisor is not None:
            supervisor.tell(m.Resize(worker_type))
        return self._peers.scheduler.ask_later(m.KnowType(worker_type, fill=True)), lambda _: None

    def _set_limits(self, link: AgentLink, data: dict[str, Any]) -> Later:
        if self._links.get(data["agent"]) is None:
            raise self._unknown(data["agent"])
        order = m.SetLimits(data["agent"], loads(data["limits"], "the limits"))
        told: Reply[Any] = Reply()

        def changed(change: Reply[Any]) -> None:
            error = change.exception()
            if error is not None:
                told.fail(error)
                return
            # What an agent is sent it takes in order: with this answer it has its limits.
            status = self._peers.hub.ask_later(m.AskStatus(order.agent, PATIENCE))
            status.add_done_callback(kept)

        def kept(status: Reply[Any]) -> None:
            error = status.exception()
            failed = None if error is None else word_failed(order.agent, error)
            if failed is None:
                told.set(None)
            else:
                told.fail(failed)

        self._peers.resources.ask_later(order).add_done_callback(changed)
        return told, lambda _: None

    def _unknown(self, agent: str) -> ConfigError:
        known = ", ".join(link.agent for link in self._links) or "none"
        return ConfigError(f"there is no agent {agent!r}; there are: {known}", key="agent", value=agent)

    def _type(self, worker: str | bytes) -> WorkerType:
        """The worker type of a name, or of a class that was sent."""
        types = self._submission.types
        return types.named(worker) if isinstance(worker, str) else types.add(loads(worker, "the worker"))

    # Questions

    def _agents(self, link: AgentLink, data: None) -> Later:
        return self._peers.hub.ask_later(m.ListAgents()), lambda agents: dumps(agents, "the list of agents")

    def _status(self, link: AgentLink, data: None) -> Later:
        both: Reply[Any] = Reply()

        def queue_told(queue: Reply[Any]) -> None:
            agents = self._peers.hub.ask_later(m.ListAgents())
            agents.add_done_callback(lambda agents: agents_told(queue, agents))

        def agents_told(queue: Reply[Any], agents: Reply[Any]) -> None:
            error = queue.exception() or agents.exception()
            if error is not None:
                both.fail(error)
            else:
                both.set(SystemStatus(agents=tuple(agents.get()), most=self._most, queue=queue.get()))

        question = m.Inspect(lambda engine, _now, _utc: engine.queue(0))
        self._peers.scheduler.ask_later(question).add_done_callback(queue_told)
        return both, lambda status: dumps(status, "the status")

    def _explain(self, link: AgentLink, data: str) -> Later:
        number = self._submission.number_of(data)
        question = m.Inspect(lambda engine, now, _utc: engine.explain(number, now))
        return self._peers.scheduler.ask_later(question), lambda found: dumps(found, "the explanation")

    def _task_info(self, link: AgentLink, data: str) -> Later:
        number = self._submission.number_of(data)
        question = m.Inspect(lambda engine, _now, _utc: engine.info(number))
        return self._peers.scheduler.ask_later(question), lambda found: dumps(found, "the task's info")
