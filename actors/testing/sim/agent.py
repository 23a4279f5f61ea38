"""A simulated agent: the shipped `Agent`, whose two lanes are stepped by the conductor instead of two threads."""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from actors.hosts.agent import Agent
from actors.hosts.asynclane import AsyncLane
from actors.hosts.attempt import Attempt
from actors.hosts.interrupts import FlagInterrupter
from actors.hosts.statusblock import StatusWriter
from actors.hosts.world import AgentWorld
from actors.protocol.messages import Outcome
from actors.protocol.states import AgentState
from actors.testing.sim.alarms import Alarm
from actors.testing.sim.chance import ChosenRandom
from actors.testing.sim.conductor import Conductor, Gone
from actors.testing.sim.loop import SimLoop
from actors.testing.sim.machine import BASE_MEMORY, SimFigures
from actors.testing.sim.threads import SimBell, WatchedThreads

if TYPE_CHECKING:
    from actors.hosts.host import LaunchSpec
    from actors.testing.sim.channel import SimChannel
    from actors.testing.sim.ground import Ground

__all__ = ["SimAgent"]

_LEAKED = 1 << 40
# A death strikes within so many steps of the whole simulation.
_STRIKES = 24

# In the order of their numbers.
_STATES = tuple(AgentState)
_NAMES = tuple(str(state) for state in AgentState)


class _RecordingStatus(StatusWriter):
    """A status block whose moves are written down, as long as its agent lives."""

    __slots__ = ("_agent",)

    def __init__(self, buffer: Any, agent: SimAgent) -> None:
        super().__init__(buffer)
        self._agent = agent

    def move(self, time: float, source: int, target: int) -> None:
        """See `StatusWriter.move`."""
        super().move(time, source, target)
        agent = self._agent
        if not agent.dead:
            agent.shown = _STATES[target]
            agent.host.recorder.moved(agent.name, "agent", _NAMES[source], _NAMES[target])


class _Interrupter(FlagInterrupter):
    """Interrupts a body wherever it gives the baton away; before it begins, the body takes its virtual time."""

    def __init__(self, agent: SimAgent) -> None:
        super().__init__()
        self._agent = agent
        self.complete = self._complete_here

    def call(
        self, attempt: Attempt, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[Outcome, Any]:
        """See `Interrupter.call`."""
        if not attempt.attempt:
            with self._agent.host.guard.watching():
                return super().call(attempt, function, args, kwargs)
        self._agent.begin_task(attempt)
        try:
            with self._agent.host.guard.watching():
                return super().call(attempt, function, args, kwargs)
        finally:
            self._agent.end_task(attempt)

    def _complete_here(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=self._agent.new_loop) as runner:
            return runner.run(coroutine)


class _Lane:
    """A lane as a player: it is woken, and takes a turn."""

    def __init__(self, agent: SimAgent, name: str) -> None:
        self.owner = agent
        self.name = name
        self._playing = False
        self._again = False

    def wake(self) -> None:
        """Let it take a turn when it can."""
        if self._playing:
            self._again = True
        elif not self.owner.dead:
            self.owner.conductor.wake(self)

    def step(self) -> None:
        """One turn."""
        if self.owner.dead or self._playing:
            return
        self._playing = True
        try:
            self.turn()
        finally:
            self._playing = False
            if self._again:
                self._again = False
                self.wake()

    def turn(self) -> None:
        """Do one thing."""
        raise NotImplementedError


class _TaskLane(_Lane):
    """The lane of the bodies: the agent's start, its turns, its end."""

    def __init__(self, agent: SimAgent) -> None:
        super().__init__(agent, agent.name)
        self._started = False

    def turn(self) -> None:
        """The next part of the agent's life."""
        sim = self.owner
        shipped = sim.shipped
        sim.interrupter.thread = threading.get_ident()
        try:
            if not self._started:
                self._started = True
                if sim.fails_to_start():
                    return
                self._go_on(sim, shipped, shipped.guarded(shipped.start))
            elif shipped.lane is None or shipped.lane.over():
                self._finish(sim, shipped)
            else:
                self._go_on(sim, shipped, shipped.guarded(shipped.lane.turn))  # type: ignore[union-attr]
        finally:
            sim.interrupter.thread = 0

    def _go_on(self, sim: SimAgent, shipped: Agent, went: object) -> None:
        """After a part of its life: the next one, a wait for the bell, or the end."""
        if sim.dead:
            return
        if not self._idle_is_fine(went):
            self._finish(sim, shipped)
        elif isinstance(shipped.lane, AsyncLane):
            # Coroutines go on there, long after the call that began them.
            with sim.host.guard.watching():
                shipped.guarded(shipped.lane.run)
            if not sim.dead:
                self._finish(sim, shipped)
        elif went or shipped.lane is None or shipped.lane.over():
            self.wake()

    def _idle_is_fine(self, went: object) -> bool:
        # None is a failure. A start that gives False has failed too, and leaves a reason to end.
        return went is not None and (bool(went) or self.owner.shipped.parts.ending.reason is None)

    def _finish(self, sim: SimAgent, shipped: Agent) -> None:
        code = shipped.end()
        if not sim.dead:
            sim.host.left(sim, code)


class _ControlLane(_Lane):
    """The control lane. It also stands for its thread, which the agent's end waits for."""

    def __init__(self, agent: SimAgent) -> None:
        super().__init__(agent, f"{agent.name} control")
        self._alarm: Alarm | None = None
        self._over = False

    def turn(self) -> None:
        """Take what has come and do what is due."""
        sim = self.owner
        lane, parts = sim.shipped.control_lane, sim.shipped.parts
        if self._over:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        parts.control_thread = threading.get_ident()
        try:
            written = parts.control_bell.drain().strip(b"\0")
            if written:
                lane.signalled(written)
            if sim.shipped.inbound.any_urgent:
                with sim.host.guard.watching():
                    until = lane.turn()
            else:
                until = lane.turn()
        except Exception as error:  # noqa: BLE001 - as the thread of the lane does
            sim.shipped.control_failed(error)
            self.wake()
            return
        finally:
            parts.control_thread = 0
        if lane.stopped:
            self._over = True
        elif lane.wanted(until) or sim.bell_of(parts.control_bell).readable():
            # One turn reads what came with one write; nobody rings a second time for what is left.
            self.wake()
        elif until < math.inf:
            self._alarm = sim.conductor.at(until, self.wake)

    def join(self, timeout: float | None = None) -> None:
        """See `Thread.join`."""
        self.owner.conductor.wait(lambda: self._over, timeout)

    def is_alive(self) -> bool:
        """See `Thread.is_alive`."""
        return not self._over


class SimAgent:
    """One agent. It owns whatever runs in it.

    Args:
        host: where it runs.
        spec: what it is.
        task: its end of the task plane.
        control: its end of the control plane.
        block: the memory of its status block.
    """

    def __init__(self, host: Ground, spec: LaunchSpec, task: SimChannel, control: SimChannel, block: bytearray) -> None:
        self.name = f"{spec.agent}#{spec.incarnation}"
        self.dead = False
        self.hung = False
        self.memory = BASE_MEMORY
        # The state that it shows, as its status block has it.
        self.shown = AgentState.INITIALIZING
        self.host = host
        self.spec = spec
        self.conductor: Conductor = host.conductor
        self.task_channel = task
        self.control_channel = control
        self._block = block
        self._shipped: Agent | None = None
        self._bells: list[SimBell] = []
        self.lane = _TaskLane(self)
        self.control = _ControlLane(self)

    def __repr__(self) -> str:
        state = "dead" if self.dead else "hung" if self.hung else "alive"
        return f"<SimAgent {self.name}: {state}>"

    @property
    def shipped(self) -> Agent:
        """The agent itself, made when it is first needed, which is its first step."""
        if self._shipped is None:
            self._shipped = self._make()
        return self._shipped

    @property
    def in_body(self) -> bool:
        """Whether a body of a task runs in it."""
        return self._shipped is not None and bool(self._shipped.parts.slots.running())

    @property
    def worker(self) -> Any:
        """The worker itself, as its agent has it; None before it has started."""
        shipped = self._shipped
        if shipped is None or shipped.parts.slots.state is AgentState.INITIALIZING:
            return None
        return shipped.parts.worker

    @property
    def interrupter(self) -> FlagInterrupter:
        """What runs its bodies."""
        return cast("FlagInterrupter", self.shipped.parts.interrupter)

    def _make(self) -> Agent:
        clock = self.conductor.clock
        world = AgentWorld(
            clock=clock,
            random=ChosenRandom(self.conductor.choices),
            threads=WatchedThreads(self.host.threads, self.host.guard),
            bell=self._make_bell,
            vitals=lambda: SimFigures(clock.monotonic, lambda: self.memory),
            new_event_loop=self.new_loop,
            settle=self.host.settle,
        )
        status = _RecordingStatus(self._block, self)
        agent = Agent(
            self.spec,
            self.task_channel,
            self.control_channel,
            status,
            world=world,
            interrupter=_Interrupter(self),
            whole_process=False,
        )
        agent.control = self.control
        self.bell_of(agent.parts.task_bell).call = self.lane.wake
        self.bell_of(agent.parts.control_bell).call = self.control.wake
        self.control.wake()
        return agent

    def _make_bell(self) -> SimBell:
        bell = SimBell(self.host.network)
        self._bells.append(bell)
        return bell

    @staticmethod
    def bell_of(bell: Any) -> SimBell:
        """A bell of the agent's as what it is here."""
        return cast("SimBell", bell)

    def new_loop(self) -> asyncio.AbstractEventLoop:
        """An event loop in virtual time."""
        return SimLoop(self.host.network, lambda: [self.bell_of(self.shipped.parts.task_bell)])

    # --- what happens to it ---

    def fails_to_start(self) -> bool:
        """Whether it ends before it has started; then it has ended."""
        if self.host.inject("launch_fails", self.name, "ends before it has started"):
            self.host.die(self, 11, None)
            return True
        return False

    def begin_task(self, attempt: Attempt) -> None:
        """A body is about to begin: it takes its time, and some fault may be planned for it."""
        host, plan = self.host, self.host.faults
        if self.dead:
            raise Gone
        for watcher in host.watchers:
            watcher.body_begins(self, attempt)
        seconds = host.choices.between(*plan.task, "task")
        if host.inject("dies", self.name, f"will be killed in {attempt.task_id}"):
            self._plan_death(host.choices.between(0.0, seconds, "when"), host.choices.below(_STRIKES, "strikes"))
        elif host.inject("hangs", self.name, f"hangs in {attempt.task_id}"):
            self.hung = True
            seconds = math.inf
        elif self.spec.limits.get("memory") and host.inject("leaks", self.name, f"leaks in {attempt.task_id}"):
            self.memory = _LEAKED
            seconds = math.inf
        self.conductor.wait(lambda: attempt.pending, None if seconds == math.inf else seconds)

    def _plan_death(self, seconds: float, steps: int) -> None:
        """Be killed after some time, and some steps that need none: before the body, in it, or when it is not yet told."""
        die = partial(self.host.die, self, 9, None)
        self.conductor.after(seconds, lambda: self.conductor.after_steps(steps, die))

    def end_task(self, attempt: Attempt) -> None:
        """A body has ended, or is being unwound because the agent is dead."""
        for watcher in self.host.watchers:
            watcher.body_ends(self, attempt)

    def holds(self) -> set[tuple[int, int]]:
        """Number and attempt of each task that it has: assigned, running, or done and not told."""
        parts = self.shipped.parts
        held = set(parts.assignments.keys())
        for running in parts.slots.running():
            one: Attempt | None = running
            while one is not None:
                held.add(one.key)
                one = one.outer
        return held

    @property
    def settled(self) -> bool:
        """Whether it has begun to live, and has nothing in hand that is about to change what it holds."""
        shipped = self._shipped
        if shipped is None or self.dead or self.hung:
            return False
        for sock in (self.task_channel.sim_socket, self.control_channel.sim_socket):
            if not (sock.quiet and sock.peer is not None and sock.peer.quiet):
                return False
        return not len(shipped.parts.outbox) and not shipped.parts.errands

    @property
    def arrived_by(self) -> float:
        """When all that it has written has arrived."""
        peers = (self.task_channel.sim_socket.peer, self.control_channel.sim_socket.peer)
        return max(peer.arrived_by for peer in peers if peer is not None)

    def signal(self, signum: int) -> None:
        """A signal other than the one that kills."""
        if self._shipped is not None and not self.dead:
            self.bell_of(self._shipped.parts.control_bell).write(bytes([signum]))

    def cut_off(self) -> None:
        """Nothing that it writes from now on arrives anywhere."""
        for channel in (self.task_channel, self.control_channel):
            channel.sim_socket.gone = True

    def end(self) -> None:
        """It is gone: nothing of it runs any more but what has to be unwound."""
        self.dead = True
        self.cut_off()
        for channel in (self.task_channel, self.control_channel):
            channel.sim_socket.shutdown(2)
        self.conductor.sleep(self.lane)
        self.conductor.sleep(self.control)
        self.conductor.release(self)

    def bury(self) -> None:
        """Free what it held, once nothing of it runs any more."""
        self.task_channel.close()
        self.control_channel.close()
        for bell in self._bells:
            bell.close()
        shipped = self._shipped
        if shipped is not None and isinstance(shipped.lane, AsyncLane) and not shipped.lane.loop.is_closed():
            _abandon(shipped.lane.loop)


def _abandon(loop: asyncio.AbstractEventLoop) -> None:
    """Close a loop whose process is gone, without running what waits in it."""
    for task in asyncio.all_tasks(loop):
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001 - it was killed, not forgotten
        coroutine: Any = task.get_coro()
        with contextlib.suppress(BaseException):
            coroutine.close()
    loop.close()
