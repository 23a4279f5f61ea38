"""An agent under test, with the test in the place of the system: it sees every message and answers by hand."""

from __future__ import annotations

import itertools
import select
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from actors.errors import ChannelClosed
from actors.hosts.exitreport import ExitReport
from actors.hosts.host import AgentHandle, Host, LaunchSpec
from actors.hosts.serialize import Call, dumps, error_of, pack_call, unpack_value
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
from actors.worker import Worker
from tests.agent.gates import LIMIT
from tests.agent.workers import Busybody


class Subject:
    """One agent on a host, driven by hand.

    Args:
        host: runs it.
        directory: its workspace is made below.
        worker: what it runs.
        arguments: of the worker's constructor.
        **spec: fields of the `LaunchSpec`.
    """

    def __init__(
        self, host: Host, directory: Path, worker: type[Worker] = Busybody, *, arguments: Any = None, **spec: Any
    ) -> None:
        self.host = host
        self.workspace = directory / "workspace"
        self.spec = LaunchSpec(
            agent=spec.pop("agent", f"{worker.agent_type}-1"),
            type=worker.agent_type,
            incarnation=1,
            worker=spec.pop("worker_bytes", None) or dumps(worker),
            arguments=b"" if arguments is None else dumps(((), arguments)),
            workspace=str(self.workspace),
            capabilities=tuple(sorted(worker.capabilities)),
            **spec,
        )
        self.reports: list[ExitReport] = []
        self.task_inbox: deque[Envelope] = deque()
        self.control_inbox: deque[Envelope] = deque()
        self.results: list[TaskResult] = []
        self._numbers = itertools.count(1)
        self._correlations = itertools.count(1000)
        self.handle: AgentHandle = host.launch(self.spec, self.reports.append)

    # --- time and messages -----------------------------------------------------------------------------------------

    def pump_until(self, happened: Callable[[], Any], what: str) -> Any:
        """Serve host and channels until something has happened; what `happened` gave."""
        deadline = time.monotonic() + LIMIT
        while True:
            self._read()
            found = happened()
            if found:
                return found
            left = deadline - time.monotonic()
            assert left > 0, (
                f"{what} did not happen within {LIMIT} s; state {self.state}, task plane {list(self.task_inbox)}, "
                f"control plane {list(self.control_inbox)}, ended {self.reports}"
            )
            poll = select.poll()
            poll.register(self.host.fileno(), select.POLLIN)
            for channel in (self.handle.task, self.handle.control):
                if not channel.closed and channel not in self._ended:
                    poll.register(channel.fileno(), select.POLLIN)
            poll.poll(min(left, 0.05) * 1000)
            self.host.on_readable()

    _ended: frozenset[Any] = frozenset()

    def _read(self) -> None:
        for channel, inbox in ((self.handle.task, self.task_inbox), (self.handle.control, self.control_inbox)):
            if channel in self._ended:
                continue
            try:
                inbox.extend(channel.receive(0))
            except ChannelClosed:
                self._ended |= {channel}

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
        return self.handle.status.read().state

    def registered(self) -> Registration:
        message: Registration = self.next(Registration).message
        return message

    def ready(self) -> Subject:
        """Wait until it is idle."""
        self.registered()
        self.next(Heartbeat, where=lambda envelope: envelope.message.state == AgentState.IDLE)
        return self

    def ended(self) -> ExitReport:
        """Wait until it has ended."""
        report: ExitReport = self.pump_until(lambda: self.reports and self.reports[0], "the end")
        self._read()
        return report

    def goodbye(self) -> Terminated:
        message: Terminated = self.next(Terminated).message
        return message

    # --- tasks -----------------------------------------------------------------------------------------------------

    def item(self, call: str, *args: Any, function: Any = None, **options: Any) -> AssignedTask:
        """A task to assign. Keyword arguments other than the task's fields go to the call."""
        number = options.pop("number", None) or next(self._numbers)
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


def value_of(result: TaskResult) -> Any:
    """The value of a result; its error is raised."""
    if result.outcome == Outcome.VALUE:
        return unpack_value(result.payload)
    raise error_of(result.payload)


def error_in(result: TaskResult) -> BaseException:
    """The error of a result."""
    assert result.outcome != Outcome.VALUE, "it has a value"
    return error_of(result.payload)
