"""One agent from its start to its end: puts the lanes together around a worker.

start    register ▶ load the worker ▶ construct it ▶ on_start ▶ idle
run      the task lane, in this thread; the control lane, in its own, from the start to the end
end      terminating ▶ on_stop ▶ all results sent ▶ Terminated
"""

from __future__ import annotations

import inspect
import logging
import os
import socket
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from actors.errors import ActorsError, ChannelClosed, ConfigError, SystemClosed
from actors.hosts.agentref import POSTS
from actors.hosts.attempt import Attempt
from actors.hosts.channel import Channel
from actors.hosts.context import Context
from actors.hosts.controllane import ControlLane
from actors.hosts.host import LaunchSpec
from actors.hosts.inbound import Inbound
from actors.hosts.interrupts import FlagInterrupter, Interrupter
from actors.hosts.limits import LimitKeeper
from actors.hosts.loading import loading
from actors.hosts.parts import AgentParts
from actors.hosts.serialize import failure_of, loads
from actors.hosts.statusblock import StatusWriter
from actors.hosts.subtasks import SubTasks
from actors.hosts.tasklane import TaskLane
from actors.hosts.workspace import make_workspace, remove_workspace
from actors.hosts.world import AgentWorld
from actors.protocol.messages import HUB, Outcome, Registration, Terminated
from actors.protocol.states import AgentState

if TYPE_CHECKING:
    from actors.hosts.asynclane import AsyncLane
    from actors.kernel.threads import Thread

__all__ = ["Agent", "run"]

_log = logging.getLogger("actors.agent")

T = TypeVar("T")

# How long the end waits for the control lane and for an event handler.
_JOIN = 1.0


def run(spec: LaunchSpec, task: Channel, control: Channel, status: StatusWriter) -> int:
    """Be an agent, in a thread of the program.

    Args:
        spec: what to be.
        task: the agent's end of the task plane.
        control: its end of the control plane.
        status: its status block.

    Returns:
        0 if it ended in order, 1 after a failed start or a fault of its own.
    """
    return Agent(
        spec, task, control, status, world=AgentWorld(), interrupter=FlagInterrupter(), whole_process=False
    ).run()


class Agent:
    """An agent, to be run in the thread that made its interrupter.

    Args:
        spec: what to be.
        task: the agent's end of the task plane.
        control: its end of the control plane.
        status: its status block.
        world: the machine.
        interrupter: runs and interrupts bodies.
        whole_process: the process is the agent's own.

    `run` is its whole life. Whoever steps it instead sets `control` to what stands for the control lane's thread, does
    `start`, then turns of both lanes, each inside `guarded`, and `end`.
    """

    def __init__(
        self,
        spec: LaunchSpec,
        task: Channel,
        control: Channel,
        status: StatusWriter,
        *,
        world: AgentWorld,
        interrupter: Interrupter,
        whole_process: bool,
    ) -> None:
        self.parts = parts = AgentParts(spec, task, control, status, world=world, interrupter=interrupter)
        self.inbound = Inbound(parts)
        self.subtasks = SubTasks(parts)
        self.limits = LimitKeeper(parts, whole_process=whole_process)
        self.control_lane = ControlLane(parts, self.inbound, self.subtasks, self.limits)
        self.control: Thread | None = None
        self.lane: TaskLane | AsyncLane | None = None
        self._whole_process = whole_process
        self._context: Context | None = None
        self._workspace: Any = None
        self._failure: BaseException | None = None
        self._started = False

    def run(self) -> int:
        """From the start to the end. Returns the exit code."""
        parts = self.parts
        self.control = parts.world.threads.start(self._run_control, f"{parts.spec.agent} control")
        if self.guarded(self.start):
            self.guarded(self._work)
        return self.end()

    def guarded(self, part: Callable[[], T]) -> T | None:
        """Do a part of its life. What goes wrong is kept, to be told at the end, which is next then; None."""
        try:
            return part()
        except ChannelClosed:
            self.parts.ending.reason = self.parts.ending.reason or "the program is gone"
        except BaseException as error:  # noqa: BLE001 - the agent's own fault, to be told before it ends
            self._failure = error
        return None

    def _run_control(self) -> None:
        try:
            self.control_lane.run()
        except BaseException as error:  # noqa: BLE001 - without this lane nobody can reach the agent any more
            self.control_failed(error)
            self.control_lane.run()

    def control_failed(self, error: BaseException) -> None:
        """The control lane has failed: go on as if the program were gone."""
        _log.critical("%s: its control lane failed", self.parts.spec.agent, exc_info=error)
        self.parts.ending.failure = error
        self.control_lane.lost()

    # --- the start -------------------------------------------------------------------------------------------------

    def start(self) -> bool:
        """Register, load the worker, start it. False if that failed; the agent is then in state error."""
        parts, spec = self.parts, self.parts.spec
        parts.control.send(self._registration(), recipient=HUB, sender=spec.agent)
        outcome, value = parts.interrupter.call(Attempt.of_agent("the start"), self._start_worker, (), {})
        if outcome is Outcome.VALUE and parts.ending.failure is None:
            self._started = True
            parts.slots.move_all(AgentState.IDLE)
            parts.control.send(parts.heartbeat(), recipient=HUB, sender=spec.agent)
            return True
        asked = parts.ending.reason is not None
        parts.slots.move_all(AgentState.ERROR)
        if self.lane is not None:
            self.lane.ask_worker(value)
        if not asked:
            self._failure = value
            parts.ending.reason = f"it could not be started: {type(value).__name__}: {value}"
        return False

    def _registration(self) -> Registration:
        spec = self.parts.spec
        return Registration(
            spec.agent,
            spec.type,
            spec.incarnation,
            os.getpid(),
            socket.gethostname(),
            tuple(spec.capabilities),
            dict(spec.limits),
            self.parts.clock.utc(),
            int(self.parts.slots.state),
        )

    def _start_worker(self) -> None:
        parts, spec = self.parts, self.parts.spec
        self._workspace = make_workspace(spec.workspace)
        self.limits.set(spec.limits)
        with loading(spec.agent):
            kind = loads(spec.worker, f"the worker class of {spec.agent}")
            args, kwargs = _arguments(spec)
        tasks = getattr(kind, "__actors_tasks__", None)
        if tasks is None:
            raise ConfigError(f"{kind!r} is no worker: derive it from actors.Worker", key="worker", value=kind)
        context = Context(parts, self.subtasks, self._workspace)
        worker = kind.__new__(kind)
        # Before the constructor, which may use it.
        worker._context = context  # noqa: SLF001 - the agent and its worker belong together
        methods = {name: getattr(worker, name) for name in tasks}
        uses_loop = spec.concurrency > 1 or any(map(inspect.iscoroutinefunction, methods.values()))
        self.lane = self._async_lane(methods) if uses_loop else TaskLane(parts, methods)
        context.lane = self.subtasks.lane = self.lane
        self._context = context
        POSTS.open_agent(str(spec.extra.get("system", "")), context, whole_process=self._whole_process)
        parts.worker = worker
        worker.__init__(*args, **kwargs)
        self.inbound.ready(worker)
        started = worker.on_start()
        if inspect.iscoroutine(started):
            parts.interrupter.complete(started)

    def _async_lane(self, methods: Mapping[str, Callable[..., Any]]) -> AsyncLane:
        from actors.hosts.asynclane import AsyncLane  # noqa: PLC0415 - asyncio takes 30 ms; most workers have no coroutines

        lane = AsyncLane(self.parts, methods)
        self.inbound.spawn = lane.spawn
        self.inbound.inline = lane.inline
        return lane

    def _work(self) -> None:
        if self.lane is None:
            raise SystemClosed(f"{self.parts.spec.agent} has no worker: start() comes first")
        self.lane.run()

    # --- the end ---------------------------------------------------------------------------------------------------

    def end(self) -> int:
        """End in order, whatever state it is in. Returns the exit code."""
        parts = self.parts
        ending = parts.ending
        self._failure = self._failure or ending.failure
        if ending.reason is None:
            ending.reason = "it has ended" if self._failure is None else f"{type(self._failure).__name__}"
        ending.when_empty = False
        for slot in parts.slots.all:
            if not slot.machine.can(AgentState.TERMINATING) and slot.machine.can(AgentState.ERROR):
                slot.machine.move(AgentState.ERROR)
            if slot.machine.can(AgentState.TERMINATING):
                slot.machine.move(AgentState.TERMINATING)
        # The control lane refuses from now on what comes on the task plane.
        parts.control_bell.ring()
        self._give_back()
        self._stop_worker()
        gone = SystemClosed(f"{parts.spec.agent} ends: {ending.reason}")
        self.inbound.end(_JOIN)
        self.subtasks.end()
        parts.requests.end(gone)
        if self.lane is not None:
            self.lane.close()
        self.control_lane.stop()
        if self.control is not None:
            self.control.join(_JOIN)
        self._give_back()
        self._say_goodbye()
        remove_workspace(self._workspace)
        if self._context is not None:
            POSTS.close_agent(self._context)
        parts.close()
        return 0 if self._failure is None else 1

    def _stop_worker(self) -> None:
        parts = self.parts
        if not self._started:
            return
        outcome, value = parts.interrupter.call(Attempt.of_agent("on_stop"), self._call_on_stop, (), {})
        if outcome is not Outcome.VALUE:
            _log.error("%s: on_stop failed", parts.spec.agent, exc_info=value)
            if self._failure is None and outcome is not Outcome.INTERRUPTED:
                self._failure = value

    def _call_on_stop(self) -> None:
        stopped = self.parts.worker.on_stop()
        if inspect.iscoroutine(stopped):
            self.parts.interrupter.complete(stopped)

    def _give_back(self) -> None:
        """Refuse what has come and will not be run."""
        try:
            self.parts.give_back(f"{self.parts.spec.agent} does not take Assignment: it is terminating")
        except ActorsError as error:
            _log.info("%s: nobody hears that work is given back: %s", self.parts.spec.agent, error)

    def _say_goodbye(self) -> None:
        """Send all that waits, and word of the end, as far as anybody listens."""
        parts = self.parts
        failure = None if self._failure is None else tuple(failure_of(self._failure))
        try:
            if parts.outbox.flush():
                parts.status.flushed()
            parts.control.send(
                Terminated(parts.spec.agent, parts.spec.incarnation, parts.ending.reason or "", failure),
                recipient=HUB,
                sender=parts.spec.agent,
            )
        except ActorsError as error:
            _log.info("%s: nobody hears that it ends: %s", parts.spec.agent, error)


def _arguments(spec: LaunchSpec) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if not spec.arguments:
        return (), {}
    args, kwargs = loads(spec.arguments, f"the constructor arguments of {spec.agent}")
    return tuple(args), dict(kwargs)
