"""One agent on a host, with a test in the place of the system: it sees every message and answers by hand."""

from __future__ import annotations

import contextlib
import itertools
import select
import time
from collections import deque
from collections.abc import Callable, Collection
from typing import Any, Self

from actors.errors import ChannelClosed
from actors.hosts.exitreport import ExitReport
from actors.hosts.host import AgentHandle, Host, LaunchSpec
from actors.hosts.serialize import Call, error_of, pack_call, unpack_value
from actors.protocol.messages import (
    AssignedTask,
    Assignment,
    CoordinationRequest,
    Envelope,
    Heartbeat,
    Outcome,
    Registration,
    Response,
    Result,
    TaskResult,
    Terminated,
)
from actors.protocol.states import AgentState

__all__ = ["Counterpart", "error_in", "value_of", "wait_readable"]

# What a status block says is told by no descriptor: it is looked at again this often, in seconds.
_LOOK_AGAIN = 0.05
_TOLD = 10

# Of tasks: no two of one process have the same, as in a system.
_NUMBERS = itertools.count(1)


def wait_readable(descriptors: Collection[int], seconds: float) -> None:
    """Return when one of the descriptors is readable, after `seconds` at the latest."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    poll.poll(seconds * 1000)


class Counterpart:
    """What the program has of one agent, driven by hand.

    Args:
        host: runs it.
        spec: what to launch.
        limit: seconds after which it gives up on what it waits for.
        wait: called with descriptors and seconds, returns when one of them may be readable or the time is over; for
            hosts whose time is not that of the machine.
        now: the monotonic time that `wait` lets pass.

    Attributes:
        reports: the exit reports of the agent.
        task_inbox, control_inbox: what has come on each plane and nobody has taken yet.
    """

    def __init__(
        self,
        host: Host,
        spec: LaunchSpec,
        *,
        limit: float = 20.0,
        wait: Callable[[Collection[int], float], None] = wait_readable,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.host = host
        self.spec = spec
        self.limit = limit
        self._wait = wait
        self._now = now
        self.reports: list[ExitReport] = []
        self.task_inbox: deque[Envelope] = deque()
        self.control_inbox: deque[Envelope] = deque()
        self.results: list[TaskResult] = []
        self._ended: set[Any] = set()
        self._correlations = itertools.count(1000)
        self.handle: AgentHandle = host.launch(spec, self.reports.append)

    # --- time and messages -----------------------------------------------------------------------------------------

    def pump_until(self, happened: Callable[[], Any], what: str) -> Any:
        """Serve host and channels until something has happened; what `happened` gave.

        Raises:
            AssertionError: it did not happen in time; the text says what did.
        """
        deadline = self._now() + self.limit
        while True:
            self.read()
            found = happened()
            if found:
                return found
            left = deadline - self._now()
            if left <= 0:
                raise AssertionError(
                    f"{what} did not happen within {self.limit} s; {self.spec.agent} is in state {self.state}, on the task "
                    f"plane came {_told(self.task_inbox)}, on the control plane {_told(self.control_inbox)}, its end: "
                    f"{self.reports}"
                )
            channels = [one for one in (self.handle.task, self.handle.control) if not self._is_over(one)]
            self._wait([self.host.fileno(), *(one.fileno() for one in channels)], min(left, _LOOK_AGAIN))
            self.host.on_readable()

    def read(self) -> None:
        """Take in what has come, and write what had no room."""
        for channel, inbox in ((self.handle.task, self.task_inbox), (self.handle.control, self.control_inbox)):
            if self._is_over(channel):
                continue
            if channel.pending_out:
                with contextlib.suppress(ChannelClosed):
                    channel.flush()
            try:
                inbox.extend(channel.receive(0))
            except ChannelClosed:
                self._ended.add(channel)

    def _is_over(self, channel: Any) -> bool:
        return channel in self._ended or channel.closed

    @property
    def deserted(self) -> bool:
        """Whether the agent's ends of both channels are closed, and all that it had sent was read."""
        return self._is_over(self.handle.task) and self._is_over(self.handle.control)

    def next(self, kind: type[Any], *, where: Callable[[Envelope], bool] = lambda _: True) -> Envelope:
        """The next message of a kind on either plane; others stay where they are."""

        def look() -> Envelope | None:
            for inbox in (self.task_inbox, self.control_inbox):
                for envelope in inbox:
                    if type(envelope.message) is kind and where(envelope):
                        inbox.remove(envelope)
                        return envelope
            return None

        found: Envelope = self.pump_until(look, f"a {kind.__name__}")
        return found

    def request(self, message: Any) -> int:
        """Send a control message that wants an answer; its correlation."""
        correlation = next(self._correlations)
        self.handle.control.send(message, correlation=correlation, sender="test")
        return correlation

    def answer(self, correlation: int, kind: type[Any] = Response) -> Any:
        """The answer to a request."""
        return self.next(kind, where=lambda envelope: envelope.correlation == correlation).message

    def asked(self, topic: str) -> Envelope:
        """The agent's next request of a topic."""
        return self.next(CoordinationRequest, where=lambda envelope: envelope.message.topic == topic)

    def reply(self, request: Envelope, data: Any) -> None:
        """Answer the agent's request."""
        self.handle.control.send(Response(data), correlation=request.correlation)

    # --- life ------------------------------------------------------------------------------------------------------

    @property
    def state(self) -> AgentState:
        """The state that the status block shows."""
        return self.handle.status.read().state

    def registered(self) -> Registration:
        """Wait until it has said who it is."""
        message: Registration = self.next(Registration).message
        return message

    def ready(self) -> Self:
        """Wait until it is idle."""
        self.registered()
        self.next(Heartbeat, where=lambda envelope: envelope.message.state == AgentState.IDLE)
        return self

    def ended(self) -> ExitReport:
        """Wait until its end was reported, and read what it had sent before."""
        report: ExitReport = self.pump_until(lambda: self.reports and self.reports[0], "the end")
        self.read()
        return report

    def goodbye(self) -> Terminated:
        """Its last message."""
        message: Terminated = self.next(Terminated).message
        return message

    # --- tasks -----------------------------------------------------------------------------------------------------

    def item(self, call: str, *args: Any, function: Any = None, **options: Any) -> AssignedTask:
        """A task to assign. Keyword arguments other than the task's fields go to the call."""
        number = options.pop("number", None) or next(_NUMBERS)
        own = {
            name: options.pop(name) for name in ("attempt", "timeout", "idempotent", "job", "nested") if name in options
        }
        items = options.pop("items", None)
        results = options.pop("results", None)
        payload = options.pop("payload", None)
        if payload is None:
            payload = pack_call(Call(function, args, options, items))
        return AssignedTask(
            number,
            own.get("attempt", 1),
            f"t-{number}",
            call,
            payload,
            results,
            own.get("timeout"),
            own.get("idempotent", True),
            own.get("job"),
            own.get("nested", False),
        )

    def assign(self, *items: AssignedTask) -> None:
        """Assign tasks."""
        self.handle.task.send(Assignment([tuple(item) for item in items]), sender="scheduler")

    def start(self, call: str, *args: Any, **options: Any) -> int:
        """Assign one task; its number."""
        item = self.item(call, *args, **options)
        self.assign(item)
        return item.number

    def result(self, number: int | None = None) -> TaskResult:
        """The next result, or that of a task; others are kept."""

        def look() -> TaskResult | None:
            for inbox in (self.task_inbox, self.control_inbox):
                for envelope in [one for one in inbox if type(one.message) is Result]:
                    inbox.remove(envelope)
                    self.results.extend(TaskResult(*fields) for fields in envelope.message.results)
            for result in self.results:
                if number is None or result.number == number:
                    self.results.remove(result)
                    return result
            return None

        found: TaskResult = self.pump_until(look, "a result" if number is None else f"the result of task {number}")
        return found

    def call(self, call: str, *args: Any, **options: Any) -> Any:
        """Run one task and give its value, or raise its error."""
        return value_of(self.result(self.start(call, *args, **options)))


def _told(inbox: deque[Envelope]) -> str:
    """The last of what came: a failure is read by a person."""
    earlier = f"{len(inbox) - _TOLD} others and " if len(inbox) > _TOLD else ""
    return earlier + str([envelope.message for envelope in inbox][-_TOLD:])


def value_of(result: TaskResult) -> Any:
    """The value of a result; its error is raised."""
    if result.outcome == Outcome.VALUE:
        return unpack_value(result.payload)
    raise error_of(result.payload)


def error_in(result: TaskResult) -> BaseException:
    """The error of a result.

    Raises:
        AssertionError: it has a value.
    """
    if result.outcome == Outcome.VALUE:
        raise AssertionError(f"task {result.number} has a value: {unpack_value(result.payload)!r}")
    return error_of(result.payload)
