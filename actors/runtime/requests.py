"""What agents ask of the system for their tasks: hand in work, cancel it, wait for it, start and end agents."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from actors.core.task import Task
from actors.errors import ActorsError, ChannelClosed, MessageRefused
from actors.hosts.options import Options
from actors.hosts.serialize import dumps, failure_of, loads
from actors.kernel.reply import Reply
from actors.protocol.messages import CoordinationRequest, ErrorResponse, Response
from actors.runtime import messages as m
from actors.runtime.directing import Directing, Later
from actors.runtime.outcomes import SubTaskHandle
from actors.runtime.sync_requests import read_request
from actors.runtime.synchronizer import SyncAsk, TaskWaits

if TYPE_CHECKING:
    from actors.runtime.agent_links import AgentLink, AgentLinks
    from actors.runtime.peers import Peers
    from actors.runtime.submission import Submission

__all__ = ["AgentRequests"]

_LATER = object()
"""What a handler returns that answers by itself, or to which there is no answer."""


class AgentRequests:
    """Answers the requests of agents, each exactly once; runs in the hub's turn and never waits.

    Args:
        submission: makes tasks.
        peers: the system's actors.
        links: the agents' channels.
        most: how many agents there may be.
    """

    def __init__(self, submission: Submission, peers: Peers, links: AgentLinks, most: int) -> None:
        self._submission = submission
        self._directing = Directing(submission, peers, links, most)
        self._peers = peers
        self._links = links
        self._topics: dict[str, Callable[[AgentLink, Any, int | None], Any]] = {
            "submit": self._submit,
            "submit_task": self._submit_spec,
            "cancel": self._cancel,
            "info": self._info,
            "taken": self._taken,
            "pace": self._pace,
            "waiting": self._waiting,
            "resumed": self._waiting,
            "sync": self._sync,
        }

    def take(self, link: AgentLink, request: CoordinationRequest, correlation: int | None) -> None:
        """Deal with a request; what is wrong with it goes back as an error."""
        handler, directing = self._topics.get(request.topic), self._directing.topics.get(request.topic)
        try:
            if directing is not None:
                self._when_told(directing(link, request.data), link, correlation)
                return
            if handler is None:
                known = ", ".join(sorted((*self._topics, *self._directing.topics)))
                raise MessageRefused(
                    f"the system takes no request {request.topic!r}; it takes {known}", message=request.topic
                )
            later = handler(link, request.data, correlation)
        except (ActorsError, TypeError) as error:
            self.fail(link, correlation, error)
            return
        if later is not _LATER:
            self._answer(link, correlation, later)

    # Work

    def _submit(self, link: AgentLink, data: dict[str, Any], correlation: int | None) -> Any:
        """Make the task as if the program had submitted it; its outcome goes to the agent."""
        return self._send_task(link, self._task(link, data))

    def _submit_spec(self, link: AgentLink, data: dict[str, Any], correlation: int | None) -> Any:
        """The same for work described as data."""
        spec = loads(data["spec"], "the task spec")
        number, task_id = self._submission.next_id()
        task = Task(
            number,
            task_id,
            self._submission.kind_of_spec(spec, data["names"], Options().updated({"job": data.get("job")})),
            data["payload"],
            after=tuple(data["after"]),
            inputs=spec.inputs,
            key=spec.key,
            parent=data.get("parent"),
        )
        return self._send_task(link, task)

    def _send_task(self, link: AgentLink, task: Task) -> Any:
        task.handle = SubTaskHandle(self._links, link.agent, link.incarnation)
        self._peers.scheduler.tell(task)
        return [task.number, task.id]

    def _task(self, link: AgentLink, data: dict[str, Any]) -> Task:
        submission = self._submission
        name = data.get("worker")
        if name and submission.types.get(name) is None and data.get("worker_payload"):
            submission.types.add(loads(data["worker_payload"], f"the worker {name}"))
        kind = submission.kind_of_fields(data)
        number, task_id = submission.next_id()
        return Task(
            number,
            task_id,
            kind,
            data["payload"],
            after=tuple(data.get("after") or ()),
            inputs=frozenset(data.get("inputs") or ()),
            key=data.get("key"),
            parent=data.get("parent"),
        )

    def _cancel(self, link: AgentLink, number: int, correlation: int | None) -> Any:
        self._peers.scheduler.tell(m.CancelTask(number, f"cancelled by {link.agent}"))
        return True

    def _info(self, link: AgentLink, number: int, correlation: int | None) -> Any:
        question = m.Inspect(lambda engine, _now, _utc: dumps(engine.info(number), "the task's info"))
        return self._when_told((self._peers.scheduler.ask_later(question), lambda info: info), link, correlation)

    def _taken(self, link: AgentLink, number: int, correlation: int | None) -> Any:
        self._peers.scheduler.tell(m.ForgetTask(number))
        return _LATER

    def _pace(self, link: AgentLink, number: int, correlation: int | None) -> Any:
        question = m.Inspect(lambda engine, now, _utc: list(engine.pace(number, now)))
        return self._when_told((self._peers.scheduler.ask_later(question), lambda pace: pace), link, correlation)

    def _waiting(self, link: AgentLink, data: list[Any], correlation: int | None) -> Any:
        number, on = data[0], data[1] if len(data) > 1 else None
        # Which coroutine of the task; -1: the body itself goes on, but the task is not to be told of as going on.
        part = data[2] if len(data) > 2 else 0
        if part >= 0:
            self._peers.scheduler.tell(m.TaskWaiting(link.agent, link.incarnation, number, on))
        if part <= 0 and self._peers.synchronized:
            key, name = (link.agent, link.incarnation, int(number)), self._submission.name_of(number)
            waits = TaskWaits(key, f"task {name} at {link.agent}", int(on[0]) if on else None)
            self._peers.synchronizer().tell(waits)
        return _LATER

    # Locks and the like

    def _sync(self, link: AgentLink, data: Any, correlation: int | None) -> Any:
        request = read_request(link.agent, link.incarnation, data)
        if correlation is None:
            self._peers.synchronizer().tell(SyncAsk(request, None))
            return _LATER
        reply: Reply[Any] = Reply()
        self._peers.synchronizer().tell(SyncAsk(request, reply))
        return self._when_told((reply, lambda answer: answer), link, correlation)

    # Answers

    def _when_told(self, later: Later, link: AgentLink, correlation: int | None) -> Any:
        reply, data_of = later

        def told(reply: Reply[Any]) -> None:
            error = reply.exception()
            data = None
            if error is None:
                try:
                    data = data_of(reply.get())
                except ActorsError as unsendable:
                    error = unsendable
            if error is not None:
                self.fail(link, correlation, error)
            else:
                self._answer(link, correlation, data)

        reply.add_done_callback(told)
        return _LATER

    def _answer(self, link: AgentLink, correlation: int | None, data: Any) -> None:
        self._send(link, Response(data), correlation)

    def fail(self, link: AgentLink, correlation: int | None, error: BaseException) -> None:
        """Answer a request with an error."""
        self._send(link, ErrorResponse(tuple(failure_of(error))), correlation)

    @staticmethod
    def _send(link: AgentLink, message: Response | ErrorResponse, correlation: int | None) -> None:
        if correlation is None:
            return
        try:
            link.handle.control.send(message, correlation=correlation, sender="hub")
        except ChannelClosed:
            # It has ended, and so has its wish.
            return
