"""What a worker can see and do inside its agent. It speaks to the system by messages only."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from actors.core.agentstatus import AgentStatus
from actors.core.taskspec import TaskSpec
from actors.errors import ActorsError, ConfigError, MessageRefused
from actors.future import TaskFuture
from actors.hosts.agentground import AgentGround
from actors.hosts.agentref import address_of, refuse_group
from actors.hosts.asking import next_chain
from actors.hosts.attempt import Attempt
from actors.hosts.childprocess import ChildProcess, Finished
from actors.hosts.completed import Completed
from actors.hosts.eventmessage import check_event
from actors.hosts.inbound import in_control_lane
from actors.hosts.later import LaterReply, warn_in_loop
from actors.hosts.mapping import Sent, map_calls
from actors.hosts.options import Options
from actors.hosts.outbox import FLUSH_AFTER
from actors.hosts.parts import AgentParts
from actors.hosts.requests import Answer
from actors.hosts.serialize import loads, pack_value
from actors.hosts.submission import describe, describe_spec
from actors.hosts.subtasks import SubTaskFuture, SubTasks
from actors.hosts.waiting import LONGEST_SLEEP, WaitingLane
from actors.protocol.events import SCOPES, Event, event_name
from actors.protocol.messages import (
    HUB,
    AdjustmentAnswer,
    AdjustmentRequest,
    CoordinationRequest,
    Priority,
    Progress,
    Subscribe,
    Unsubscribe,
)
from actors.settings import parse_size

__all__ = ["Context"]

_GRANT_TIMEOUT = 30.0
_SUBSCRIBE_TIMEOUT = 30.0


class Context:
    """One agent's context; `Worker` passes on to it.

    Args:
        parts: what the lanes share.
        subtasks: submits tasks.
        workspace: the agent's private directory.
    """

    def __init__(self, parts: AgentParts, subtasks: SubTasks, workspace: Path | None) -> None:
        self.parts = parts
        self.agent_id = parts.spec.agent
        self.workspace = workspace
        self._subtasks = subtasks
        self.lane: WaitingLane | None = None
        # The way to locks and the like, once there is one.
        self.sync: Any = None

    # --- the task in hand ------------------------------------------------------------------------------------------

    @property
    def attempt(self) -> Attempt | None:
        """The attempt whose body is calling, or which runs in the task lane if another thread is calling."""
        return None if self.lane is None else self.lane.attempt_in_hand()

    @property
    def job(self) -> str | None:
        """The job of the task in hand, else that of its agent."""
        attempt = self.attempt
        return self.parts.spec.job if attempt is None else attempt.job

    def progress(self, fraction: float, note: str) -> None:
        """Tell how far the task in hand has come."""
        parts = self.parts
        attempt = self.attempt
        if attempt is None:
            raise ActorsError("progress(…) is for tasks: there is none in hand")
        fraction = min(1.0, max(0.0, float(fraction)))
        now = parts.monotonic()
        with parts.interrupter.shielded:
            message = Progress(attempt.number, attempt.attempt, fraction, str(note), parts.clock.utc())
            parts.outbox.tell(message, now)
            if now - parts.outbox.flushed >= FLUSH_AFTER:
                parts.outbox.flush()
            else:
                parts.tick()

    def cancelled(self) -> bool:
        """Whether the task in hand is to be interrupted."""
        attempt = self.attempt
        return attempt is not None and attempt.cause is not None

    # --- time ------------------------------------------------------------------------------------------------------

    def sleep(self, seconds: float) -> None:
        """Let the calling code sleep; an interruption breaks the sleep of a body, a hook or a handler."""
        parts, lane = self.parts, self.lane
        until = parts.monotonic() + seconds
        if lane is not None and lane.in_body():
            lane.sleep(until)
            return
        bell = parts.world.bell()
        try:
            while (left := until - parts.monotonic()) > 0:
                bell.sleep(min(left, LONGEST_SLEEP))
        finally:
            bell.close()

    # --- work ------------------------------------------------------------------------------------------------------

    def submit(self, call: Any, args: tuple[Any, ...], kwargs: dict[str, Any], options: Options) -> SubTaskFuture[Any]:
        """Submit a sub-task."""
        return self._send(describe(call, args, kwargs, options))

    def map(
        self,
        call: Any,
        iterables: tuple[Iterable[Any], ...],
        options: Options,
        *,
        chunksize: int | None,
        timeout: float | None,
        progress: bool,
    ) -> Iterator[Any]:
        """Sub-tasks for all items, results in order."""
        if progress:
            raise ConfigError(
                "a progress bar is for the program; inside a task tell of it with self.progress(…)",
                key="progress",
                value=True,
                allowed="False",
            )

        def send(items: list[Any], form: str) -> Sent:
            future = self._send(describe(call, (), {}, options, items, form))
            return future, lambda: future.seconds

        return map_calls(send, iterables, chunksize, timeout)

    def as_completed(self, futures: Iterable[TaskFuture[Any]], timeout: float | None) -> Completed:
        """The futures in the order in which they get their outcomes."""
        return Completed(self._subtasks, futures, timeout)

    def ground(self) -> AgentGround:
        """What a strategy that is called here stands on."""
        return AgentGround(self.parts, self._subtasks, self._served(), self._send_for)

    def _served(self) -> Attempt | None:
        return None if self.lane is None else self.lane.attempt_served()

    def _send(self, task: dict[str, Any], topic: str = "submit") -> SubTaskFuture[Any]:
        return self._send_for(task, self._served(), topic)

    def _send_for(self, task: dict[str, Any], attempt: Attempt | None, topic: str = "submit") -> SubTaskFuture[Any]:
        if attempt is not None:
            task["parent"] = attempt.number
            if attempt.job is not None:
                task.setdefault("job", attempt.job)
        elif self.parts.spec.job is not None:
            task.setdefault("job", self.parts.spec.job)
        return self._subtasks.submit(task, topic)

    def submit_spec(self, spec: TaskSpec, options: Options) -> SubTaskFuture[Any]:
        """Submit a sub-task that is described as data."""
        return self._send(describe_spec(spec, options), "submit_task")

    # --- others ----------------------------------------------------------------------------------------------------

    def coordinate(self, topic: str, data: Any, timeout: float | None) -> Any:
        """Ask the system."""
        return self._subtasks.request(topic, data, timeout)

    @property
    def thread(self) -> int:
        """The thread that runs tasks, hooks and ordinary handlers."""
        return self.parts.interrupter.thread

    def send(self, topic: str, data: Any) -> Answer[Any]:
        """Ask the system; its answer may take as long as it will."""
        return self.parts.requests.send(CoordinationRequest(topic, data), timeout=None)

    def say(self, topic: str, data: Any) -> None:
        """Tell the system something, without an answer."""
        with self.parts.interrupter.shielded:
            self.parts.control.send(CoordinationRequest(topic, data), recipient=HUB, sender=self.agent_id)

    def ask(self, recipient: str, message: Any, timeout: float, priority: int = Priority.HIGH) -> Any:
        """Ask another agent and wait for what its handler returns."""
        request = self._question(recipient, message)
        warn_in_loop(self.agent_id, recipient)
        return self._read(self._subtasks.exchange(request, timeout, recipient, Priority(priority)), recipient)

    def ask_later(self, recipient: str, message: Any, timeout: float, priority: int = Priority.HIGH) -> LaterReply:
        """Ask another agent; its answer can be awaited, waited for, or given a callback."""
        request = self._question(recipient, message)
        parts, lane = self.parts, self.lane
        with parts.interrupter.shielded:
            answer = parts.requests.send(request, timeout=timeout, recipient=recipient, priority=Priority(priority))

        def settle(reply: LaterReply, seconds: float | None) -> None:
            self._subtasks.await_answer(answer, reply.done, seconds)
            if answer.done():
                # The thread that has it may not have come round to telling the reply.
                reply.take(answer)

        talking = contextlib.nullcontext if lane is None else lane.talking
        return LaterReply(lambda came: self._read(came, recipient), settle, talking).follow(answer)

    def _question(self, recipient: str, message: Any) -> CoordinationRequest:
        refuse_group(recipient)
        payload = pack_value(message, f"the message {type(message).__name__}")
        return CoordinationRequest("message", payload, next_chain(self.agent_id, recipient))

    def _read(self, answer: Any, recipient: str) -> Any:
        why = None if isinstance(answer, bytes) else self.parts.no_memory_for(len(answer))
        if why is not None:
            raise MessageRefused(
                f"{self.agent_id} cannot take the answer of {recipient}, {len(answer) >> 20:,} MiB: {why}",
                recipient=recipient,
            )
        return loads(answer, f"the answer of {recipient}")

    def tell(self, recipient: str, message: Any, priority: int = Priority.NORMAL) -> None:
        """Send a message to another agent, or to a group of them."""
        self.tell_all([recipient], message, priority)

    def tell_all(self, recipients: list[str], message: Any, priority: int) -> None:
        """Send a message to several recipients in one go."""
        parts = self.parts
        payload = pack_value(message, f"the message {type(message).__name__}")
        if len(recipients) == 1:
            request, recipient = CoordinationRequest("message", payload), recipients[0]
        else:
            request, recipient = CoordinationRequest("messages", [recipients, payload]), HUB
        with parts.interrupter.shielded:
            parts.control.send(request, recipient=recipient, sender=self.agent_id, priority=priority)

    def status_of(self, agent: str, timeout: float) -> AgentStatus:
        """Have another agent tell how it stands."""
        request = CoordinationRequest("status_of", address_of(agent))
        found: AgentStatus = loads(self._subtasks.exchange(request, timeout, HUB), f"the status of {agent}")
        return found

    def publish(self, event: Event) -> None:
        """Send an event to whoever wants it."""
        check_event(event)
        with self.parts.interrupter.shielded:
            self.parts.publish(event)

    def subscribe(self, kinds: tuple[type[Event], ...], scope: str, *, on: bool) -> None:
        """Have events of these types handed to `on_event`, or no more."""
        names = []
        for kind in kinds:
            given: Any = kind
            if not (isinstance(given, type) and issubclass(given, Event)):
                raise TypeError(f"subscribe takes types of events, as TaskFailed, not {kind!r}")
            names.append(event_name(kind))
        if not names:
            raise ConfigError(
                "subscribe takes one event type or more; Event itself means all", key="kinds", value=kinds
            )
        if scope not in SCOPES:
            allowed = ", ".join(SCOPES)
            raise ConfigError(f"scope takes one of {allowed}, not {scope!r}", key="scope", value=scope, allowed=allowed)
        parts = self.parts
        # First, so that what it publishes itself from now on leaves.
        (parts.interest.subscribe if on else parts.interest.unsubscribe)(names, scope)
        parts.interest_changed()
        message = (Subscribe if on else Unsubscribe)(tuple(names), scope)
        if on and not in_control_lane.get():
            # What anybody publishes after this has returned is to be heard, so everybody has to know.
            self._subtasks.exchange(message, _SUBSCRIBE_TIMEOUT, HUB)
            return
        with parts.interrupter.shielded:
            parts.control.send(message, recipient=HUB, sender=self.agent_id)

    def request_resources(self, limit: str, amount: float | str, reason: str) -> AdjustmentAnswer:
        """Ask for more of a limit, and wait for the answer."""
        number = float(parse_size(amount)) if isinstance(amount, str) else float(amount)
        request = AdjustmentRequest(self.agent_id, limit, number, reason)
        granted: AdjustmentAnswer = self._subtasks.exchange(request, _GRANT_TIMEOUT, HUB)
        return granted

    # --- the machine -----------------------------------------------------------------------------------------------

    def run(self, start: Callable[[], ChildProcess], timeout: float | None, *, check: bool) -> Finished:
        """Run a command that ends with the task at the latest."""
        attempt = self.attempt
        with contextlib.ExitStack() as stack:
            with self.parts.interrupter.shielded:
                child = start()
                stack.callback(child.end)
                if attempt is not None:
                    if attempt.children is None:
                        attempt.children = set()
                    attempt.children.add(child)
                    stack.callback(attempt.children.discard, child)
            finished = child.finish(timeout)
        if check and finished.code:
            raise child.failure(finished)
        return finished
