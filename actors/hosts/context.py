"""What a worker can see and do inside its agent. It speaks to the system by messages only."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from actors.errors import ActorsError, ConfigError
from actors.hosts.attempt import Attempt
from actors.hosts.childprocess import ChildProcess, Finished
from actors.hosts.mapping import Sent, map_calls
from actors.hosts.options import Options
from actors.hosts.outbox import FLUSH_AFTER
from actors.hosts.parts import AgentParts
from actors.hosts.requests import Answer
from actors.hosts.serialize import loads, pack_value
from actors.hosts.submission import describe
from actors.hosts.subtasks import SubTaskFuture, SubTasks
from actors.hosts.waiting import LONGEST_SLEEP, WaitingLane
from actors.protocol.events import Event
from actors.protocol.messages import (
    HUB,
    AdjustmentAnswer,
    AdjustmentRequest,
    CoordinationRequest,
    Progress,
    Subscribe,
    Unsubscribe,
)
from actors.settings import parse_size

__all__ = ["Context"]

_GRANT_TIMEOUT = 30.0


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

        def send(items: list[tuple[Any, ...]]) -> Sent:
            future = self._send(describe(call, (), {}, options, items))
            return future, lambda: future.seconds

        return map_calls(send, iterables, chunksize, timeout)

    def _send(self, task: dict[str, Any]) -> SubTaskFuture[Any]:
        attempt = self.attempt
        if attempt is not None:
            task["parent"] = attempt.number
            if attempt.job is not None:
                task.setdefault("job", attempt.job)
        elif self.parts.spec.job is not None:
            task.setdefault("job", self.parts.spec.job)
        return self._subtasks.submit(task)

    # --- others ----------------------------------------------------------------------------------------------------

    def coordinate(self, topic: str, data: Any, timeout: float | None) -> Any:
        """Ask the system."""
        return self._subtasks.request(topic, data, timeout)

    def send(self, topic: str, data: Any) -> Answer[Any]:
        """Ask the system; its answer may take as long as it will."""
        return self.parts.requests.send(CoordinationRequest(topic, data), timeout=None)

    def say(self, topic: str, data: Any) -> None:
        """Tell the system something, without an answer."""
        with self.parts.interrupter.shielded:
            self.parts.control.send(CoordinationRequest(topic, data), recipient=HUB, sender=self.agent_id)

    def ask(self, recipient: Any, message: Any, timeout: float) -> Any:
        """Ask another agent and wait for what its handler returns."""
        address = _address(recipient)
        request = CoordinationRequest("message", pack_value(message, "the message"))
        return loads(self._subtasks.exchange(request, timeout, address), f"the answer of {address}")

    def tell(self, recipient: Any, message: Any) -> None:
        """Send a message to another agent, or to a group of them."""
        parts = self.parts
        request = CoordinationRequest("message", pack_value(message, "the message"))
        with parts.interrupter.shielded:
            parts.control.send(request, recipient=_address(recipient), sender=self.agent_id)

    def publish(self, event: Event) -> None:
        """Send an event to whoever wants it."""
        if not isinstance(event, Event):
            raise TypeError(f"publish takes an event, an instance of a class derived from Event, not {event!r}")
        with self.parts.interrupter.shielded:
            self.parts.publish(event)

    def subscribe(self, kinds: tuple[type[Event], ...], scope: str, *, on: bool) -> None:
        """Have events of these types handed to `on_event`, or no more."""
        names = []
        for kind in kinds:
            given: Any = kind
            if not (isinstance(given, type) and issubclass(given, Event)):
                raise TypeError(f"subscribe takes types of events, as TaskFailed, not {kind!r}")
            names.append(kind.__name__)
        message = (Subscribe if on else Unsubscribe)(tuple(names), scope)
        with self.parts.interrupter.shielded:
            self.parts.control.send(message, recipient=HUB, sender=self.agent_id)

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


def _address(recipient: Any) -> str:
    """The id behind an agent's ref, or a text as it is."""
    if isinstance(recipient, str) and recipient:
        return recipient
    found = getattr(recipient, "agent_id", None)
    if isinstance(found, str) and found:
        return found
    raise TypeError(f"a recipient is an agent's id or ref, not {recipient!r}")
