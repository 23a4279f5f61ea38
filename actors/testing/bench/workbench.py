"""A worker on a test's bench: the shipped agent in the calling thread and in virtual time, and the test is the system.

bench.run(Thumbnailer.shrink, "a.png")
  assignment ──▶ the shipped agent: reads the call, runs the body, packs the result ──▶ result
                    │ progress, events, messages, requests, sub-tasks ──▶ recorded, answered by the test's rules
                    └ every wait moves the bench's clock
"""

from __future__ import annotations

import heapq
import math
import random
import tempfile
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from actors.errors import ActorsError, ConfigError
from actors.hosts.agent import Agent
from actors.hosts.asynclane import AsyncLane
from actors.hosts.eventmessage import message_of
from actors.hosts.host import LaunchSpec
from actors.hosts.interrupts import FlagInterrupter
from actors.hosts.memorychannel import MemoryChannel
from actors.hosts.serialize import (
    Call,
    dumps,
    error_of,
    pack_call,
    pack_value,
    unpack_value,
)
from actors.hosts.statusblock import BLOCK_SIZE, StatusWriter
from actors.hosts.taskmethod import TaskMethod
from actors.kernel.clock import ManualClock
from actors.protocol.events import Event
from actors.protocol.messages import (
    AssignedTask,
    Assignment,
    Cancellation,
    CancellationCause,
    CoordinationRequest,
    ErrorResponse,
    Outcome,
)
from actors.testing.bench.benchworld import CalledThreads, bench_world
from actors.testing.bench.desk import NUMBERS, Desk
from actors.worker import ConfiguredWorker, Worker

__all__ = ["Workbench"]

W = TypeVar("W", bound=Worker)

# The worker class of each bench that is being set up: it reaches its agent as itself, and not as a copy.
_GIVEN: dict[int, Any] = {}


def _given(number: int) -> Any:
    return _GIVEN[number]


class _Given:
    """Travels to an agent of this process as the very thing that was given."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> tuple[Any, ...]:
        return _given, (self.number,)


class Workbench(Desk, Generic[W]):
    """Runs the tasks, handlers and hooks of a worker in the calling thread, in virtual time, and records what it says.

    All that it says passes through the shipped agent, so that what cannot be sent to another process fails here as it
    does there. A wait costs nothing: the clock jumps to its end. Code that does not wait through the worker (`time.sleep`,
    a lock) waits for real.

    Args:
        worker: the class, or what its `configured(…)` gives.
        clock: the time; None makes a clock that stands at 0.
        seed: of the worker's `self.random`.
        agent: the agent's id; None takes one after its type.
        job: the job of the agent.
        limits: those in force, by name, as `self.request_resources` raises them.

    Attributes:
        worker: the instance.
        clock: the time.
        progress, published, said, submitted, subscribed: what it told so far; see `Desk`.

    Raises:
        BaseException: what its constructor or `on_start` raises.
        ConfigError: it is no worker.

    Example:
        with Workbench(Thumbnailer.configured(quality=60)) as bench:
            bench.reply_with("stored", to=Store)
            assert bench.run(Thumbnailer.shrink, "a.png", size=64) == b"..."
            assert bench.progress == [(0.5, "decoded")]
    """

    def __init__(
        self,
        worker: type[W] | ConfiguredWorker[W],
        *,
        clock: ManualClock | None = None,
        seed: int = 0,
        agent: str | None = None,
        job: str | None = None,
        limits: Mapping[str, Any] | None = None,
    ) -> None:
        configured = worker if isinstance(worker, ConfiguredWorker) else None
        kind: Any = worker if configured is None else configured.worker
        if not (isinstance(kind, type) and issubclass(kind, Worker)):
            raise ConfigError(f"a bench is for a class derived from Worker, not {worker!r}", key="worker", value=worker)
        super().__init__(ManualClock() if clock is None else clock)
        self._seed = seed
        self._alarms: list[tuple[float, int, Any]] = []
        self._sent = False
        self._until = math.inf
        self._done: Callable[[], bool] | None = None
        self._threads = CalledThreads()
        self._closed = False
        number = next(NUMBERS)
        _GIVEN[number] = kind
        try:
            spec = LaunchSpec(
                agent=agent or f"{kind.agent_type}-1",
                type=kind.agent_type,
                incarnation=1,
                worker=dumps(_Given(number)),
                arguments=b"" if configured is None else dumps((configured.args, dict(configured.kwargs))),
                limits=dict(limits or {}),
                workspace=tempfile.mkdtemp(prefix="actors-bench-"),
                heartbeat=math.inf,
                capabilities=tuple(sorted(kind.capabilities)),
                concurrency=getattr(kind, "concurrency", 1),
                job=job,
                interest=("Event",),
            )
            self._task, task = MemoryChannel.pair("the bench's task plane")
            self._control, control = MemoryChannel.pair("the bench's control plane")
            world = bench_world(self.clock, random.Random(seed), self._threads, self._let_pass)  # noqa: S311 - to be repeated
            status = StatusWriter(bytearray(BLOCK_SIZE))
            interrupter = FlagInterrupter()
            self._agent = Agent(spec, task, control, status, world=world, interrupter=interrupter, whole_process=False)
            started = self._agent.guarded(self._agent.start)
        finally:
            del _GIVEN[number]
        if not started:
            self.close()
            if self._goodbye is not None and self._goodbye.failure is not None:
                raise error_of(self._goodbye.failure)
            raise ActorsError(f"{spec.agent} could not be started")
        self._work()
        self.worker: W = self._agent.parts.worker

    def __repr__(self) -> str:
        return f"<Workbench of {self._agent.parts.spec.agent} at {self.clock.monotonic():g} s>"

    # --- what the test does ----------------------------------------------------------------------------------------

    def run(self, call: TaskMethod[..., Any] | str, /, *args: Any, **kwargs: Any) -> Any:
        """Run a task of the worker and give its result.

        Args:
            call: the task method, taken from the class, or its name.
            *args, **kwargs: its arguments.

        Raises:
            BaseException: what the task raises; `TaskInterrupted` if it was interrupted and let that pass.
            TypeError: the arguments do not fit.
        """
        return self.run_as(call, args, kwargs)

    def run_as(
        self,
        call: TaskMethod[..., Any] | str,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        attempt: int = 1,
        timeout: float | None = None,
        job: str | None = None,
        cancel_after: float | None = None,
    ) -> Any:
        """Like `run`, and say under which circumstances.

        Args:
            call: as for `run`.
            args: positional arguments.
            kwargs: arguments by name.
            attempt: which try it is.
            timeout: its time limit in seconds, after which it is interrupted; None is what the task or the worker says.
            job: the job of the task.
            cancel_after: in how many seconds it is cancelled; None for never.
        """
        name = call if isinstance(call, str) else call.name
        method = type(self.worker).tasks().get(name)
        if method is None:
            known = ", ".join(sorted(type(self.worker).tasks())) or "none"
            raise ConfigError(
                f"{type(self.worker).__qualname__} has no task {name!r}; it has {known}", key="call", value=call
            )
        kwargs = dict(kwargs or {})
        method.bind_check(args, kwargs)
        if timeout is None:
            timeout = method.options.timeout or getattr(self.worker, "timeout", None)
        limit = None if timeout is None or timeout == math.inf else timeout
        number = next(NUMBERS)
        item = AssignedTask(
            number,
            attempt,
            f"task-{number}",
            name,
            pack_call(Call(None, args, kwargs, None), f"the call of {name}"),
            None,
            limit,
            method.options.idempotent,
            job if job is not None else self._agent.parts.spec.job,
            False,  # noqa: FBT003 - a field
        )
        begin = self.clock.monotonic()
        alarms = [
            self._later(begin + after, Cancellation(number, attempt, int(cause), "on the bench"))
            for after, cause in ((limit, CancellationCause.TIMEOUT), (cancel_after, CancellationCause.CANCELLED))
            if after is not None
        ]
        self._task.send(Assignment([tuple(item)]), sender="scheduler")
        self._pump(lambda: number in self._outcomes)
        self._alarms = [alarm for alarm in self._alarms if alarm not in alarms]
        heapq.heapify(self._alarms)
        result = self._outcomes.pop(number)
        if result.outcome == Outcome.VALUE:
            return unpack_value(result.payload)
        raise error_of(result.payload)

    def ask(self, message: Any) -> Any:
        """Send a message to the worker, as another agent would, and give what its handler returns.

        Raises:
            BaseException: what the handler raises; `MessageRefused` if there is none.
        """
        number = next(NUMBERS)
        self._send(CoordinationRequest("message", pack_value(message, "the message")), number)
        self._pump(lambda: number in self._answers)
        answer = self._answers.pop(number)
        if isinstance(answer, ErrorResponse):
            raise error_of(answer.failure)
        return unpack_value(answer.data)

    def tell(self, message: Any) -> None:
        """Send a message to the worker without waiting for an answer; its handler has run when this returns."""
        self._send(CoordinationRequest("message", pack_value(message, "the message")), None)
        # A question of the same lane: it is answered after what came before.
        self._work()
        errands = self._agent.parts.errands
        self._pump(lambda: not errands)

    def event(self, event: Event) -> None:
        """Hand an event to the worker's `on_event`, whether it subscribed or not; it has run when this returns."""
        self._send(message_of(event, event.source or "bench", self.clock.utc()), None)
        self._work()

    # --- the end ---------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the agent: `on_stop` runs, the workspace is removed. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        self._agent.end()
        self._serve()
        for channel in (self._task, self._control, self._agent.parts.control, self._agent.parts.outbox.channel):
            channel.close()

    # --- time ------------------------------------------------------------------------------------------------------

    def _pump(self, done: Callable[[], bool]) -> None:
        """Let the agent work until something is so."""
        lane = self._agent.lane
        outer, self._done = self._done, done
        try:
            while not done():
                if self._work() or done():
                    continue
                if isinstance(lane, AsyncLane):
                    lane.run()
                elif lane is not None and not lane.turn():
                    self._let_pass(None)
        finally:
            self._done = outer

    def _let_pass(self, timeout: float | None) -> None:
        """Somebody waits, for at most so many seconds: do what there is to do, or move the clock to what comes next."""
        if self._work():
            return
        now = self.clock.monotonic()
        due = min(
            self._until,
            math.inf if timeout is None else now + timeout,
            self._alarms[0][0] if self._alarms else math.inf,
        )
        if due == math.inf:
            raise AssertionError(
                f"{self._agent.parts.spec.agent} waits for something that will never come: the bench has answered all that "
                "it was asked, and nothing is due"
            )
        self.clock.move_to(max(due, now))
        while self._alarms and self._alarms[0][0] <= due:
            self._send(heapq.heappop(self._alarms)[2], None)
        self._work()

    def _work(self) -> bool:
        """Take what the agent said, and let its control lane take what was said to it. Whether there was anything."""
        worked = self._serve()
        interrupter = self._agent.parts.interrupter
        while True:
            sent, self._sent = self._sent, False
            with interrupter.shielded:
                self._until = self._agent.control_lane.turn()
            self._threads.call()
            worked = sent or worked
            if not self._serve() and not self._sent:
                break
            worked = True
        lane = self._agent.lane
        if isinstance(lane, AsyncLane) and lane.loop.is_running() and self._done is not None and self._done():
            lane.loop.stop()
        return worked

    def _later(self, due: float, message: Any) -> tuple[float, int, Any]:
        alarm = (due, next(NUMBERS), message)
        heapq.heappush(self._alarms, alarm)
        return alarm

    def _send(self, message: Any, correlation: int | None) -> None:
        self._sent = True
        self._control.send(message, correlation=correlation, sender="bench")

    def _serve(self) -> bool:
        envelopes = [*self._task.receive(0), *self._control.receive(0)]
        for envelope in envelopes:
            self._take(envelope)
        return bool(envelopes)

    def _limit(self, name: str) -> float:
        return float(self._agent.parts.limits.get(name) or 0.0)

    def _perform(self, call: TaskMethod[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        owner: Any = call.owner
        with Workbench(owner, clock=self.clock, seed=self._seed) as other:
            other._rules, other._results_of = self._rules, self._results_of
            try:
                return other.run_as(call, args, kwargs)
            finally:
                self.published += other.published
                self.said += other.said
                self.submitted += other.submitted
